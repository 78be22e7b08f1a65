//! The Debian package of `packaging/debian.sh`: made, looked at by lintian, and installed,
//! upgraded, used, removed and purged in a clean Debian root (`tests/package/root.sh`) as an
//! administrator would, with and without OpenIPMI's package.
//!
//! The root lives in namespaces of its own: its mounts and its port below 1024 end with the test.
//! `package/systemd.rs` boots one, with systemd as its first process. `package/recipes.rs` is about the
//! packages of other distributions, `package/wheel.rs` about the one for Python.

#[path = "package/recipes.rs"]
mod recipes;
mod support;
#[path = "package/systemd.rs"]
mod systemd;
#[path = "package/wheel.rs"]
mod wheel;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use nix::sys::signal::Signal;
use support::bench::project;
use support::machine::{self, Need};
use support::namespace::{alone, run};
use support::process::{alive, signal};
use support::{Bench, Ipmitool, Ran};

/// Installing is slow where two processors are busy.
const LIMIT: Duration = Duration::from_secs(300);
/// Nobody's port, and one that needs CAP_NET_BIND_SERVICE.
const PORT: u16 = 987;
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The folder with the programs under test.
fn built() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_ipmi_sim")).parent().expect("their folder")
}

/// The package, made once from the programs under test: a test that runs a second time in namespaces of
/// its own takes that of the program it was started by, so it asks for it out here first. Nothing is
/// dropped at the end of a process, so its folder is removed by the next one.
fn package() -> &'static Path {
    static PACKAGE: OnceLock<PathBuf> = OnceLock::new();
    PACKAGE.get_or_init(|| {
        let folders = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let made = |pid: u32| {
            let entries = fs::read_dir(folders.join(format!("package-{pid}"))).into_iter().flatten().flatten();
            entries.map(|entry| entry.path()).find(|path| path.extension().is_some_and(|extension| extension == "deb"))
        };
        if let Some(package) = made(std::os::unix::process::parent_id()) {
            return package;
        }
        for entry in fs::read_dir(folders).expect("the folder of the tests").flatten() {
            let name = entry.file_name().into_string().unwrap_or_default();
            let owner = name.strip_prefix("package-").and_then(|pid| pid.parse().ok());
            if owner.is_some_and(|pid: u32| !alive(pid)) {
                let _ = fs::remove_dir_all(entry.path());
            }
        }
        let folder = folders.join(format!("package-{}", std::process::id()));
        let mut command = Command::new(project("packaging/debian.sh"));
        command.arg(&folder).env("PROGRAMS", built()).env("DPKG_DEB_COMPRESSOR_TYPE", "gzip");
        // The package of a developer has his address.
        command.env("DEBFULLNAME", "ipmi_sim").env("DEBEMAIL", "ipmi_sim@example.org");
        Ran::run(&mut command, "dpkg-dev", LIMIT).assert_ok();
        made(std::process::id()).expect("a package")
    })
}

fn text(program: &str, arguments: &[&str], debian_package: &str) -> String {
    let ran = Ran::run(Command::new(program).args(arguments), debian_package, LIMIT);
    ran.assert_ok();
    ran.stdout
}

#[test]
fn lintian_finds_nothing_in_the_package() {
    let package = package().to_str().expect("a path");
    let found = text("lintian", &["--allow-root", "--display-info", "--pedantic", package], "lintian");
    assert_eq!(found.trim(), "", "lintian has something to say");
}

#[test]
fn the_package_says_what_is_in_it() {
    let package = package().to_str().expect("a path");
    let field = |name| text("dpkg-deb", &["--field", package, name], "dpkg").trim().to_owned();
    assert_eq!(field("Package"), "ipmi-sim");
    assert_eq!(field("Version"), VERSION);
    assert!(field("Depends").contains("libc6"), "{}", field("Depends"));
    let content = text("dpkg-deb", &["--contents", package], "dpkg");
    for path in [
        "usr/bin/ipmi_sim",
        "usr/bin/ipmi_simctl",
        "usr/bin/sdrcomp",
        "usr/lib/systemd/system/ipmi_sim.service",
        "usr/lib/systemd/system/ipmi_sim@.service",
        "usr/share/man/man1/ipmi_simctl.1.gz",
        "usr/share/man/man1/sdrcomp.1.gz",
        "usr/share/man/man5/ipmi_lan.5.gz",
        "usr/share/bash-completion/completions/ipmi_sim",
        "usr/share/zsh/vendor-completions/_ipmi_sim",
        "usr/share/fish/vendor_completions.d/ipmi_sim.fish",
        "usr/share/bash-completion/completions/ipmi_simctl",
        "usr/share/zsh/vendor-completions/_ipmi_simctl",
        "usr/share/fish/vendor_completions.d/ipmi_simctl.fish",
        "usr/share/doc/ipmi-sim/copyright",
        "usr/share/doc/ipmi-sim/README.Debian",
        "usr/share/doc/ipmi-sim/MIGRATION.md.gz",
        "usr/share/doc/ipmi-sim/examples/minimal/lan.conf",
    ] {
        assert!(content.lines().any(|line| line.ends_with(&format!(" ./{path}"))), "no {path}\n{content}");
    }
    assert!(content.lines().all(|line| line.contains(" root/root ")), "{content}");
    // Everything in /etc is the administrator's to change.
    let conffiles = fs::read_to_string(project("packaging/debian/conffiles")).expect("conffiles");
    let in_etc = content.lines().filter_map(|line| line.split(" ./etc/").nth(1)).filter(|path| !path.ends_with('/'));
    let in_etc: BTreeSet<String> = in_etc.map(|path| format!("/etc/{path}")).filter(|path| path != "/etc/").collect();
    assert_eq!(in_etc, conffiles.lines().map(str::to_owned).collect());
}

/// What is linked into the programs is named with its licence, and the project's own is that of its manifest.
#[test]
fn the_copyright_file_is_what_the_sources_say() {
    let made = text("sh", &[project("packaging/debian/copyright.sh").to_str().expect("a path")], "dash");
    let there = fs::read_to_string(project("packaging/debian/copyright")).expect("the file");
    assert!(
        made == there,
        "packaging/debian/copyright is not what the libraries say: \
         packaging/debian/copyright.sh >new && mv new packaging/debian/copyright"
    );
    let lock = fs::read_to_string(project("Cargo.lock")).expect("Cargo.lock");
    for library in ["tokio", "pest", "subtle", "serialport", "aes"] {
        let line = there.lines().find(|line| line.starts_with(&format!("{library} "))).expect(library);
        let (_, version) = line.split_once(' ').expect("a version");
        assert!(lock.contains(&format!("name = \"{library}\"\nversion = \"{version}\"")), "{line}");
    }
    let manifest = fs::read_to_string(project("Cargo.toml")).expect("Cargo.toml");
    let licence =
        manifest.lines().find_map(|line| line.strip_prefix("license = ")).expect("a licence").trim_matches('"');
    let ours: Vec<&str> = there.lines().skip(1).take(2).map(str::trim).collect();
    assert_eq!(ours, [licence, "Copyright (c) 2026 The ipmi_sim authors"]);
}

#[test]
fn systemd_understands_the_units() {
    let bench = Bench::new();
    let package = package().to_str().expect("a path");
    let root = bench.path("root");
    text("dpkg-deb", &["--extract", package, root.to_str().expect("a path")], "dpkg");
    let units = root.join("usr/lib/systemd/system");
    // The program is where the unit says, but for the test's folder.
    let unit = fs::read_to_string(units.join("ipmi_sim.service")).expect("the unit");
    let instance = fs::read_to_string(units.join("ipmi_sim@.service")).expect("the template");
    // Two files that have to say the same.
    let same =
        unit.replace("=BMC simulator\n", "=BMC simulator, %i\n").replace("/etc/ipmi/lan.conf", "/etc/ipmi/%i.conf");
    assert_eq!(instance, same);
    for name in ["ipmi_sim.service", "ipmi_sim@rack1.service"] {
        let source = if name.contains('@') { &instance } else { &unit };
        let placed = source.replace("/usr/bin/ipmi_sim", &root.join("usr/bin/ipmi_sim").display().to_string());
        let path = bench.write(name, placed);
        let mut verify = Command::new("systemd-analyze");
        let ran = Ran::run(verify.args(["verify", "--man=no"]).arg(path), "systemd", LIMIT);
        ran.assert_ok();
        let complaints: Vec<&str> = ran.stderr.lines().filter(|line| line.contains(name)).collect();
        assert!(complaints.is_empty(), "{complaints:?}");
    }
    // Read first, then taken over.
    let reload: Vec<&str> = unit.lines().filter_map(|line| line.strip_prefix("ExecReload=")).collect();
    let start = unit.lines().find_map(|line| line.strip_prefix("ExecStart=")).expect("a start");
    // The shell's own `kill`: the program of that name is not on every system.
    let hang_up = r#"/bin/sh -c 'kill -HUP "$$0"' $MAINPID"#;
    assert_eq!(reload, [&format!("{start} --check"), hang_up]);
    for line in [
        "Type=notify",
        "User=_ipmi_sim",
        "CapabilityBoundingSet=CAP_NET_BIND_SERVICE",
        "StateDirectory=ipmi_sim",
        "StartLimitBurst=5",
    ] {
        assert!(unit.lines().any(|there| there == line), "no {line}");
    }
}

/// A Debian system of its own below a folder.
struct Debian {
    bench: Bench,
}

/// What `root.sh` makes, once.
fn cached() -> PathBuf {
    let cached = Path::new(env!("CARGO_TARGET_TMPDIR")).join("debian-root");
    Ran::run(Command::new(project("tests/package/root.sh")).arg(&cached), "dash", LIMIT).assert_ok();
    cached
}

impl Debian {
    fn new() -> Self {
        let cached = cached();
        let bench = Bench::new();
        let (tar, root) = (cached.join("root.tar"), bench.path("root"));
        fs::create_dir(&root).expect("a folder");
        let path = |path: &Path| path.to_str().expect("a path").to_owned();
        run("tar", &["-xf", &path(&tar), "-C", &path(&root)], "tar");
        run("mount", &["-t", "proc", "proc", &path(&root.join("proc"))], "mount");
        run("mount", &["--bind", "/dev", &path(&root.join("dev"))], "mount");
        let debian = Self { bench };
        fs::copy(cached.join("openipmi.deb"), debian.path("/srv/openipmi.deb")).expect("the file");
        fs::copy(package(), debian.path("/srv/ipmi-sim.deb")).expect("the file");
        debian
    }

    fn path(&self, path: &str) -> PathBuf {
        self.bench.path("root").join(path.trim_start_matches('/'))
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap_or_else(|why| panic!("{path}: {why}"))
    }

    fn write(&self, path: &str, content: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, content).expect("a file");
    }

    /// Runs a line of shell in there. Standard input is empty: whoever asks, fails.
    fn shell(&self, line: &str) -> Ran {
        let mut command = Command::new("chroot");
        command.arg(self.bench.path("root")).args(["sh", "-c", line]).env_clear();
        command
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .env("DEBIAN_FRONTEND", "noninteractive")
            .env("LC_ALL", "C");
        Ran::run(&mut command, "coreutils", LIMIT)
    }

    #[track_caller]
    fn ok(&self, line: &str) -> Ran {
        let ran = self.shell(line);
        ran.assert_ok();
        ran
    }

    /// Its libraries are no matter here.
    #[track_caller]
    fn install_openipmi(&self) {
        self.ok("dpkg --force-depends -i /srv/openipmi.deb");
    }

    #[track_caller]
    fn install(&self) -> Ran {
        self.ok("dpkg -i /srv/ipmi-sim.deb")
    }

    /// Every path but what changes by itself, and who is known.
    fn everything(&self) -> BTreeSet<String> {
        let listed = self.ok(
            "find / -xdev ! -path '/srv/*' ! -path '/proc/*' ! -path '/dev/*' ! -path '/var/log/*' ! -path '/run/*' \
             ! -name '*-' ! -name '*-old'; cat /etc/passwd /etc/group; dpkg-divert --list; ls /run /var/log",
        );
        // What adduser and dpkg leave behind for themselves.
        let ignored = ["adduser", "/run/adduser", "/etc/.pwd.lock", "/var/lib/dpkg/lock"];
        listed.stdout.lines().filter(|line| !ignored.contains(line)).map(str::to_owned).collect()
    }

    fn is_ours(&self, path: &str) -> bool {
        let here = fs::read(self.path(path)).unwrap_or_default();
        let inside = self.bench.path("ours");
        if !inside.exists() {
            let target = inside.to_str().expect("a path");
            run("dpkg-deb", &["--extract", package().to_str().expect("a path"), target], "dpkg");
        }
        !here.is_empty() && here == fs::read(inside.join(path.trim_start_matches('/'))).expect("our file")
    }

    /// The process of a pid file.
    fn pid(&self, name: &str) -> Option<u32> {
        fs::read_to_string(self.path(&format!("/run/ipmi_sim/{name}.pid"))).ok()?.trim().parse().ok()
    }

    /// `/etc/ipmi/lan.conf` becomes that of an administrator.
    fn configure(&self) {
        let conf = self.read("/etc/ipmi/lan.conf");
        let conf = conf.replace("addr 127.0.0.1 623", &format!("addr 127.0.0.1 {PORT}"));
        let conf =
            conf.replace("  # user 2    true    \"admin\" \"your own secret\"", "  user 2 true \"admin\" \"changed\"");
        assert!(conf.contains(&PORT.to_string()) && conf.contains("\"changed\""), "{conf}");
        self.write("/etc/ipmi/lan.conf", &conf);
    }
}

impl Drop for Debian {
    fn drop(&mut self) {
        let files = fs::read_dir(self.path("/run/ipmi_sim")).into_iter().flatten().flatten().map(|entry| entry.path());
        for file in files.chain([self.path("/run/ipmi_sim.pid")]) {
            let pid = fs::read_to_string(file).ok().and_then(|text| text.trim().parse().ok());
            if let Some(pid) = pid.filter(|pid| alive(*pid)) {
                signal(pid, Signal::SIGKILL);
            }
        }
        for folder in ["/proc", "/dev"] {
            run("umount", &["--lazy", self.path(folder).to_str().expect("a path")], "mount");
        }
    }
}

/// Makes `/srv/next.deb` of `/srv/ipmi-sim.deb`: a version that changes the configuration files.
const NEXT_VERSION: &str = r"
    set -e; cd /srv; dpkg-deb -R ipmi-sim.deb next; sed -i 's/^Version: .*/&+next/' next/DEBIAN/control
    for file in lan.conf bmc.emu; do printf '\n# a line of the next version\n' >>next/etc/ipmi/$file; done
    (cd next; find . -type f ! -path './DEBIAN/*' | sed 's|^./||' | xargs md5sum >DEBIAN/md5sums)
    dpkg-deb --root-owner-group -Znone -b next next.deb";

fn client() -> Ipmitool {
    Ipmitool::new(PORT, "admin", "changed")
}

/// From the first installation to the last file.
#[test]
fn an_administrator_installs_configures_upgrades_and_removes_it() {
    if !machine::has("an_administrator_installs_configures_upgrades_and_removes_it", Need::Root) {
        return;
    }
    package();
    alone("an_administrator_installs_configures_upgrades_and_removes_it", || {
        let debian = Debian::new();
        // What OpenIPMI's program left in its default places, and a name that is there twice.
        debian.write("/var/ipmi_sim/rack1/users.mc20", "of rack1\n");
        debian.write("/usr/var/ipmi_sim/bmc/sel.20", "of Debian's\n");
        debian.write("/usr/var/ipmi_sim/rack1/users.mc20", "an older one\n");
        let before = debian.everything();

        debian
            .install()
            .assert_says("copied the state of /var/ipmi_sim/rack1 to /var/lib/ipmi_sim/rack1")
            .assert_says("copied the state of /usr/var/ipmi_sim/bmc");
        assert_eq!(debian.read("/var/lib/ipmi_sim/rack1/users.mc20"), "of rack1\n");
        assert_eq!(debian.read("/var/ipmi_sim/rack1/users.mc20"), "of rack1\n", "it was moved");
        fs::remove_file(debian.path("/var/lib/ipmi_sim/bmc/sel.20")).expect("the copy");

        // Nothing runs, nothing is enabled, and nobody could log in.
        assert_eq!(debian.shell("/etc/init.d/ipmi_sim status").status.and_then(|status| status.code()), Some(3));
        assert_eq!(debian.ok("ls /etc/rc2.d").stdout.matches("S01ipmi_sim").count(), 0);
        assert_eq!(debian.ok("ls /etc/rc2.d").stdout.matches("K01ipmi_sim").count(), 1);
        debian.ok("ipmi_sim --check --strict");
        let conf = debian.read("/etc/ipmi/lan.conf");
        assert!(!conf.lines().any(|line| line.trim_start().starts_with("user ")), "{conf}");
        let id =
            |what: &str| debian.ok(&format!("id {what} _ipmi_sim")).stdout.trim().parse::<u32>().expect("a number");
        let (user, group) = (id("-u"), id("-g"));
        let of = |path: &str| {
            let found = fs::metadata(debian.path(path)).expect(path);
            (found.uid(), found.gid(), found.permissions().mode() & 0o7777)
        };
        assert_eq!(of("/etc/ipmi/lan.conf"), (0, group, 0o640));
        assert_eq!(of("/var/lib/ipmi_sim"), (user, group, 0o750));
        assert_eq!(of("/var/lib/ipmi_sim/rack1/users.mc20").0, user);

        // As it comes: a BMC that lets nobody in.
        debian.ok(&format!("sed -i 's/127.0.0.1 623/127.0.0.1 {PORT}/' /etc/ipmi/lan.conf"));
        debian.ok("/etc/init.d/ipmi_sim start").assert_says("started (PID");
        debian.ok("ipmi_sim --ping").assert_says(&format!("127.0.0.1:{PORT} answers"));
        for (name, password) in [("admin", "your own secret"), ("", "")] {
            Ipmitool::new(PORT, name, password).run("mc info").assert_failed();
        }
        debian.ok("/etc/init.d/ipmi_sim stop").assert_says("stopped");
        debian.ok(&format!("sed -i 's/127.0.0.1 {PORT}/127.0.0.1 623/' /etc/ipmi/lan.conf"));

        // As the administrator wants it.
        debian.configure();
        debian.ok("/etc/init.d/ipmi_sim start").assert_says("started (PID");
        debian.ok("/etc/init.d/ipmi_sim start").assert_says("already running");
        let pid = debian.pid("ipmi_sim").expect("a pid file");
        let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("its status");
        let line = |key: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(key)).expect(key);
            line.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(line("Uid:"), vec![user.to_string(); 4]);
        // CAP_NET_BIND_SERVICE is number 10.
        for set in ["CapEff:", "CapPrm:", "CapAmb:", "CapBnd:"] {
            assert_eq!(line(set), ["0000000000000400"], "{set}");
        }
        client().ok("mc info").assert_says("Firmware Revision : 1.0");
        client().ok("power on");
        client().ok("user set name 5 another");
        assert!(debian.path("/var/lib/ipmi_sim/bmc/users.mc20").exists(), "no state");
        assert_eq!(of("/var/lib/ipmi_sim/bmc/users.mc20"), (user, group, 0o600));
        debian.ok("rm /var/lib/ipmi_sim/bmc/users.mc20");
        debian.ok("sed -i 's/\"changed\"/\"reloaded\"/' /etc/ipmi/lan.conf");
        debian.ok("/etc/init.d/ipmi_sim reload");
        let changed = support::process::eventually(Duration::from_secs(5), || {
            Ipmitool::new(PORT, "admin", "reloaded").run("mc info").succeeded().then_some(())
        });
        assert!(changed.is_some(), "{}", debian.read("/var/log/ipmi_sim.log"));
        debian.ok("sed -i 's/\"reloaded\"/\"changed\"/' /etc/ipmi/lan.conf");
        // A faulty file is told to whoever asks for it, and changes nothing.
        debian.ok("cp -p /etc/ipmi/lan.conf /srv/good && echo 'user two' >>/etc/ipmi/lan.conf");
        debian
            .shell("/etc/init.d/ipmi_sim reload")
            .assert_failed()
            .assert_says("lan.conf is faulty")
            .assert_says("/etc/ipmi/lan.conf:");
        Ipmitool::new(PORT, "admin", "reloaded").ok("mc info");
        debian.ok("mv /srv/good /etc/ipmi/lan.conf");
        debian.ok("/etc/init.d/ipmi_sim restart");
        assert_ne!(debian.pid("ipmi_sim"), Some(pid));
        debian.ok("/etc/init.d/ipmi_sim status").assert_says("running (PID");

        // The next version changes a file that the administrator changed, and one that not.
        debian.ok(NEXT_VERSION);
        let mine = debian.read("/etc/ipmi/lan.conf");
        debian.shell("dpkg -i /srv/next.deb").assert_failed().assert_says("conffile prompt");
        debian.ok("dpkg --force-confdef --force-confold -i /srv/next.deb");
        assert_eq!(debian.read("/etc/ipmi/lan.conf"), mine);
        assert_eq!(of("/etc/ipmi/lan.conf"), (0, group, 0o640));
        assert!(debian.read("/etc/ipmi/bmc.emu").contains("next version"));
        assert_eq!(debian.ok("dpkg-query -W -f '${Version}' ipmi-sim").stdout, format!("{VERSION}+next"));
        // It goes on running; policy-rc.d forbids the restart. The script still knows it.
        debian.ok("/etc/init.d/ipmi_sim status");
        client().ok("mc info");
        debian.ok("ls /etc/rc2.d").assert_says("K01ipmi_sim");

        // A faulty configuration is told where it was started.
        debian.ok("echo nonsense >/etc/ipmi/bad.conf");
        debian.shell("/etc/init.d/ipmi_sim start bad").assert_failed().assert_says("bad.conf:1:1");
        debian.ok("rm /etc/ipmi/bad.conf");

        // Removed: stopped, state and configuration stay.
        let pid = debian.pid("ipmi_sim").expect("a pid file");
        debian.ok("dpkg -r ipmi-sim");
        assert!(!alive(pid), "removed, but running");
        assert!(!debian.path("/usr/bin/ipmi_sim").exists());
        debian.ok("/etc/init.d/ipmi_sim start");
        assert_eq!(debian.read("/etc/ipmi/lan.conf"), mine);
        assert!(debian.path("/var/lib/ipmi_sim/rack1/users.mc20").exists());
        // Installed again it is as it was.
        debian.ok("dpkg --force-confold -i /srv/next.deb").assert_not_says("copied the state");
        assert_eq!(debian.read("/etc/ipmi/lan.conf"), mine);
        debian.ok("/etc/init.d/ipmi_sim start");
        client().ok("mc info");
        let pid = debian.pid("ipmi_sim").expect("a pid file");
        // A virtual machine that it started lives on, and so does its user until it ends.
        debian.ok("setpriv --reuid _ipmi_sim --clear-groups sleep 300 >/dev/null 2>&1 & echo $! >/srv/machine");
        debian.ok("dpkg -P ipmi-sim").assert_says("the user _ipmi_sim stays");
        assert!(!alive(pid), "purged, but running");
        debian.ok("kill $(cat /srv/machine); sleep 0.2; deluser --quiet --system _ipmi_sim");
        let after = debian.everything();
        let differing: Vec<_> = before.symmetric_difference(&after).collect();
        assert!(differing.is_empty(), "purged, but {differing:?}");
    });
}

/// Whichever of the two packages comes and goes first.
#[test]
fn the_package_and_openipmi_live_side_by_side() {
    if !machine::has("the_package_and_openipmi_live_side_by_side", Need::Root) {
        return;
    }
    package();
    alone("the_package_and_openipmi_live_side_by_side", || {
        let debian = Debian::new();
        let pages = ["man1/ipmi_sim.1.gz", "man5/ipmi_lan.5.gz", "man5/ipmi_sim_cmd.5.gz"];
        let paths: Vec<String> = ["/usr/bin/ipmi_sim", "/usr/bin/sdrcomp"]
            .into_iter()
            .map(str::to_owned)
            .chain(pages.map(|page| format!("/usr/share/man/{page}")))
            .collect();
        #[track_caller]
        fn assert_all(debian: &Debian, paths: &[String], ours: bool) {
            for path in paths {
                assert!(debian.path(path).exists(), "{path} is not there");
                assert_eq!(debian.is_ours(path), ours, "{path}");
            }
        }
        let clean = debian.everything();
        let diverted = ["/usr/bin/ipmi_sim.openipmi", "/usr/share/man/man5/ipmi_lan.openipmi.5.gz"];

        // OpenIPMI first, with a configuration of the administrator's and a program that runs.
        debian.install_openipmi();
        assert_all(&debian, &paths, false);
        let with_openipmi = debian.everything();
        debian.write("/etc/ipmi/lan.conf", "name \"mine\"\n");
        debian.install().assert_says("your /etc/ipmi/lan.conf stays as it is");
        assert_eq!(debian.read("/etc/ipmi/lan.conf"), "name \"mine\"\n");
        assert!(debian.path("/etc/ipmi/lan.conf.dpkg-dist").exists());
        assert_all(&debian, &paths, true);
        assert!(diverted.iter().all(|path| debian.path(path).exists()));
        // The other tools are not touched, and both packages are whole.
        debian.ok("test -x /usr/bin/openipmicmd && dpkg --verify openipmi && dpkg --audit");
        debian.ok("dpkg --verify ipmi-sim").assert_not_says("/usr/bin");
        // OpenIPMI's package again: it does not come back over ours.
        debian.install_openipmi();
        assert_all(&debian, &paths, true);
        debian.ok("dpkg -r ipmi-sim");
        assert_all(&debian, &paths, false);
        // The script is still there, and leaves the other package's program alone.
        debian.ok("/etc/init.d/ipmi_sim start").assert_not_says("started");
        assert_eq!(debian.shell("/etc/init.d/ipmi_sim status").status.and_then(|status| status.code()), Some(4));
        debian.ok("dpkg -P ipmi-sim");
        let after = debian.everything();
        let differing: Vec<_> = with_openipmi.symmetric_difference(&after).collect();
        assert!(differing.is_empty(), "purged, but {differing:?}");
        debian.ok("dpkg -P openipmi");

        // Ours first, OpenIPMI's later, and it goes first as well.
        debian.install();
        debian.install_openipmi();
        assert_all(&debian, &paths, true);
        assert!(diverted.iter().all(|path| debian.path(path).exists()));
        debian.ok("dpkg -P openipmi");
        assert_all(&debian, &paths, true);
        assert!(diverted.iter().all(|path| !debian.path(path).exists()));
        debian.install_openipmi();
        debian.ok("dpkg -P ipmi-sim");
        assert_all(&debian, &paths, false);
        debian.ok("dpkg -P openipmi");
        let after = debian.everything();
        let differing: Vec<_> = clean.symmetric_difference(&after).filter(|path| !path.contains("openipmi")).collect();
        assert!(differing.is_empty(), "{differing:?}");

        // BusyBox's shell runs the script, too.
        debian.install();
        debian.configure();
        fs::copy("/usr/bin/busybox", debian.path("/srv/busybox"))
            .or_else(|_| fs::copy("/bin/busybox", debian.path("/srv/busybox")))
            .expect("busybox: apt-get install busybox-static");
        for word in ["start", "status", "reload", "restart", "stop"] {
            debian.ok(&format!("/srv/busybox sh /etc/init.d/ipmi_sim {word}"));
            if word != "stop" {
                client().ok("mc info");
            }
        }
        debian.shell("/srv/busybox sh /etc/init.d/ipmi_sim status").assert_failed();
        // A second one beside the first.
        debian.ok("sed 's/name \"bmc\"/name \"two\"/; s/987/988/' /etc/ipmi/lan.conf >/etc/ipmi/two.conf");
        debian.ok("cp /etc/ipmi/bmc.emu /etc/ipmi/two.emu && chgrp _ipmi_sim /etc/ipmi/two.conf");
        debian.ok("/etc/init.d/ipmi_sim start && /etc/init.d/ipmi_sim start two");
        client().ok("mc info");
        Ipmitool::new(988, "admin", "changed").ok("mc info");
        debian.ok("/etc/init.d/ipmi_sim stop two");
        client().ok("mc info");
        debian.ok("/etc/init.d/ipmi_sim stop");
    });
}
