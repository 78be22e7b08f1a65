//! What other distributions make packages by: `packaging/rpm`, `packaging/alpine`, `packaging/openwrt` and
//! `packaging/buildroot`. Each recipe's own steps are carried out, without the build, and have to
//! install the same files; what they say of version and licence is what Cargo.toml says.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::bench::project;
use crate::support::machine::{self, Need};
use crate::support::namespace::alone;
use crate::support::process::{alive, eventually};
use crate::support::{Bench, Ran};
use crate::{Debian, LIMIT, VERSION, built, client, package, text};

const PROGRAMS: [&str; 3] = ["ipmi_sim", "ipmi_simctl", "sdrcomp"];
const SYSTEMD: [&str; 3] =
    ["/etc/default/ipmi_sim", "/usr/lib/systemd/system/ipmi_sim.service", "/usr/lib/systemd/system/ipmi_sim@.service"];

/// Programs that are quick to copy: what they do is no matter here.
fn programs(bench: &Bench) -> PathBuf {
    // Three that differ.
    for (program, stand_in) in PROGRAMS.iter().zip(["/bin/true", "/bin/false", "/bin/echo"]) {
        let path = bench.write(&format!("programs/{program}"), "");
        fs::copy(stand_in, path).expect("a program");
    }
    bench.path("programs")
}

fn read(path: &str) -> String {
    fs::read_to_string(project(path)).unwrap_or_else(|why| panic!("{path}: {why}"))
}

/// Every file below a folder, by its path there. A manual page is one, packed or not.
fn files(root: &Path) -> BTreeSet<String> {
    let found = text("find", &[root.to_str().expect("a path"), "-type", "f", "-printf", "/%P\\n"], "findutils");
    found.lines().map(plain).collect()
}

fn plain(path: &str) -> String {
    match path.strip_suffix(".gz") {
        Some(page) if page.starts_with("/usr/share/man/") => page.to_owned(),
        _ => path.to_owned(),
    }
}

/// What every package has.
fn common() -> BTreeSet<String> {
    let mut all: BTreeSet<String> = PROGRAMS.map(|program| format!("/usr/bin/{program}")).into();
    all.extend(
        ["man1/ipmi_sim.1", "man1/ipmi_simctl.1", "man1/sdrcomp.1", "man5/ipmi_lan.5", "man5/ipmi_sim_cmd.5"]
            .map(|page| format!("/usr/share/man/{page}")),
    );
    for program in ["ipmi_sim", "ipmi_simctl"] {
        all.insert(format!("/usr/share/bash-completion/completions/{program}"));
        all.insert(format!("/usr/share/zsh/site-functions/_{program}"));
        all.insert(format!("/usr/share/fish/vendor_completions.d/{program}.fish"));
    }
    all.extend(["/etc/ipmi/lan.conf", "/etc/ipmi/bmc.emu"].map(str::to_owned));
    all.extend(
        ["LICENSE-MIT", "LICENSE-APACHE", "copyright", "copyright.static"]
            .map(|file| format!("/usr/share/licenses/ipmi-sim/{file}")),
    );
    all
}

/// With what starts the service.
fn with<const COUNT: usize>(service: [&str; COUNT]) -> BTreeSet<String> {
    let mut all = common();
    all.extend(service.map(str::to_owned));
    all
}

/// Runs a step of a recipe that installs below a folder, and tells what is there then.
#[track_caller]
fn installed(bench: &Bench, folder: &str, command: &mut Command, debian_package: &str) -> BTreeSet<String> {
    command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("LC_ALL", "C");
    Ran::run(command, debian_package, LIMIT).assert_ok();
    files(&bench.path(folder))
}

#[test]
fn the_debian_package_has_what_all_have() {
    let content = text("dpkg-deb", &["--contents", package().to_str().expect("a path")], "dpkg");
    let there: BTreeSet<String> =
        content.lines().filter_map(|line| Some(plain(&format!("/{}", line.split_once(" ./")?.1)))).collect();
    // Its rules have other places for these.
    let wanted: BTreeSet<String> = common()
        .into_iter()
        .filter(|path| !path.starts_with("/usr/share/licenses/"))
        .map(|path| path.replace("/zsh/site-functions/", "/zsh/vendor-completions/"))
        .chain(SYSTEMD.map(str::to_owned))
        .chain(["/etc/init.d/ipmi_sim", "/usr/share/doc/ipmi-sim/copyright"].map(str::to_owned))
        .collect();
    let missing: Vec<_> = wanted.difference(&there).collect();
    assert!(missing.is_empty(), "{missing:?}\n{content}");
}

#[test]
fn the_rpm_package_has_what_all_have_and_rpmlint_finds_nothing() {
    let bench = Bench::new();
    let mut script = Command::new(project("packaging/rpm.sh"));
    script.arg(bench.path("out")).env("PROGRAMS", programs(&bench));
    Ran::run(&mut script, "rpm", LIMIT).assert_ok();
    let made = fs::read_dir(bench.path("out")).expect("the folder").flatten().map(|entry| entry.path());
    let made: Vec<PathBuf> = made.collect();
    let [rpm] = &made[..] else { panic!("{made:?}") };
    let rpm = rpm.to_str().expect("a path");
    let ask = |query: &str| text("rpm", &["--query", "--package", "--queryformat", query, rpm], "rpm");
    let there = ask("[%{FILEMODES:perms} %{FILEUSERNAME} %{FILEGROUPNAME} %{FILENAMES}\\n]");
    let files = there.lines().filter(|line| !line.starts_with('d'));
    let files = files.map(|line| plain(line.rsplit(' ').next().expect("a path"))).collect::<BTreeSet<_>>();
    assert_eq!(files, with(SYSTEMD));
    for line in ["drwxr-x--- _ipmi_sim _ipmi_sim /var/lib/ipmi_sim", "-rw-r----- root _ipmi_sim /etc/ipmi/lan.conf"] {
        assert!(there.lines().any(|there| there == line), "no {line}\n{there}");
    }
    let configuration = text("rpm", &["--query", "--package", "--configfiles", rpm], "rpm");
    assert_eq!(
        configuration.lines().collect::<Vec<_>>(),
        ["/etc/default/ipmi_sim", "/etc/ipmi/bmc.emu", "/etc/ipmi/lan.conf"]
    );
    assert_eq!(ask("%{NAME} %{VERSION} %{LICENSE}"), format!("ipmi-sim {VERSION} {}", licence()));
    let (known, spec) = (project("packaging/rpm/rpmlint.toml"), project("packaging/rpm/ipmi-sim.spec"));
    let arguments = ["-c", known.to_str().expect("a path"), spec.to_str().expect("a path"), rpm];
    let ran = Ran::run(Command::new("rpmlint").args(arguments), "rpmlint", LIMIT);
    ran.assert_ok().assert_says("1 packages and 1 specfiles checked; 0 errors, 0 warnings");
}

#[test]
fn the_alpine_recipe_installs_what_all_have() {
    let bench = Bench::new();
    let (programs, root) = (programs(&bench), bench.path("root"));
    // What abuild does around these functions is no matter here.
    let script = r#"srcdir=/nowhere; . ./APKBUILD; pkgdir=$0; cd ../..; PROGRAMS=$1; export PROGRAMS; package
        printf '%s\n' "$pkgname" "$pkgver" "$license" "$depends" "$install""#;
    let mut shell = Command::new("busybox");
    shell.args(["sh", "-euc", script]).arg(&root).arg(&programs).current_dir(project("packaging/alpine"));
    let told = Ran::run(&mut shell, "busybox-static", LIMIT);
    told.assert_ok();
    let words: Vec<&str> = told.stdout.lines().collect();
    assert_eq!(words, ["ipmi-sim", VERSION, &licence(), "!openipmi-lanserv", "ipmi-sim.pre-install"]);
    assert!(project("packaging/alpine/ipmi-sim.pre-install").is_file());
    assert_eq!(files(&root), with(["/etc/init.d/ipmi_sim", "/etc/conf.d/ipmi_sim"]));
    let conf = fs::metadata(root.join("etc/ipmi/lan.conf")).expect("the configuration");
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&conf.permissions()) & 0o777, 0o640);
}

/// A value of a makefile.
fn value(makefile: &str, name: &str) -> String {
    let line = makefile.lines().find_map(|line| line.strip_prefix(name)?.trim_start().strip_prefix([':', '=']));
    line.unwrap_or_else(|| panic!("no {name}")).trim_start_matches('=').trim().to_owned()
}

#[test]
fn the_openwrt_recipe_installs_what_all_have() {
    let bench = Bench::new();
    let recipe = read("packaging/openwrt/Makefile");
    let said = ["PKG_NAME", "PKG_VERSION", "PKG_LICENSE"].map(|name| value(&recipe, name));
    assert_eq!(said, ["ipmi-sim", VERSION, &licence()]);
    // OpenWrt's own part: only the step that installs.
    bench.write("top/rules.mk", "INCLUDE_DIR := $(TOPDIR)/include\n");
    bench.write("top/include/package.mk", "define BuildPackage\nall:\n\t$(call Package/$(1)/install,$(ROOT))\nendef\n");
    bench.write("top/feeds/packages/lang/rust/rust-package.mk", "");
    programs(&bench);
    fs::rename(bench.path("programs"), bench.path("bin")).expect("the programs");
    let mut make = Command::new("make");
    make.arg("-f").arg(project("packaging/openwrt/Makefile"));
    make.arg(format!("TOPDIR={}", bench.path("top").display())).arg(format!("ROOT={}", bench.path("root").display()));
    make.arg(format!("PKG_INSTALL_DIR={}", bench.folder().display()));
    make.arg(format!("PKG_BUILD_DIR={}", project("").display()));
    let there = installed(&bench, "root", &mut make, "make");
    assert_eq!(there, with(["/etc/init.d/ipmi_sim", "/etc/config/ipmi_sim"]));
}

#[test]
fn the_buildroot_recipe_installs_what_all_have() {
    let bench = Bench::new();
    let recipe = project("packaging/buildroot/package/ipmi-sim/ipmi-sim.mk");
    let text = fs::read_to_string(&recipe).expect("the recipe");
    assert_eq!(value(&text, "IPMI_SIM_VERSION"), VERSION);
    assert_eq!(
        value(&text, "IPMI_SIM_LICENSE").split(',').next().map(|licence| licence.replace(" or ", " OR ")),
        Some(licence())
    );
    for file in value(&text, "IPMI_SIM_LICENSE_FILES").split(' ') {
        assert!(project(file).is_file(), "{file}");
    }
    let programs = programs(&bench);
    let services = [
        ("SYSV", with(["/etc/init.d/S60ipmi_sim", "/etc/default/ipmi_sim"])),
        ("OPENRC", with(["/etc/init.d/ipmi_sim", "/etc/conf.d/ipmi_sim"])),
        ("SYSTEMD", with(SYSTEMD)),
    ];
    for (init, wanted) in services {
        // Buildroot's own part: the two steps that install.
        let steps = format!("$(IPMI_SIM_INSTALL_TARGET_CMDS)\n\t$(IPMI_SIM_INSTALL_INIT_{init})");
        let tree = bench.path(init);
        let makefile = format!("include {}\n.DEFAULT_GOAL := all\nall:\n\t{steps}\n", recipe.display());
        bench.write(&format!("{init}/Makefile"), makefile);
        fs::create_dir_all(tree.join("target/some/release")).expect("a folder");
        std::os::unix::fs::symlink(project("packaging"), tree.join("packaging")).expect("a link");
        for program in PROGRAMS {
            fs::copy(programs.join(program), tree.join("target/some/release").join(program)).expect("a program");
        }
        let root = format!("{init}-root");
        let mut make = Command::new("make");
        make.arg("-C").arg(&tree).arg("RUSTC_TARGET_NAME=some");
        make.arg(format!("TARGET_DIR={}", bench.path(&root).display()));
        assert_eq!(installed(&bench, &root, &mut make, "make"), wanted, "{init}");
    }
}

/// Buildroot's script for the init of BusyBox, with nothing but BusyBox to run it.
#[test]
fn the_busybox_script_starts_reloads_and_stops_the_program() {
    let test = "recipes::the_busybox_script_starts_reloads_and_stops_the_program";
    if !machine::has(test, Need::Root) {
        return;
    }
    package();
    alone(test, || {
        let debian = Debian::new();
        let mut install = Command::new(project("packaging/install.sh"));
        install.arg(debian.path("/")).env("SERVICE", "busybox").env("PROGRAMS", built());
        Ran::run(&mut install, "dash", LIMIT).assert_ok();
        debian.configure();
        let busybox = ["/usr/bin/busybox", "/bin/busybox"].into_iter().find(|path| Path::new(path).exists());
        let busybox = busybox.expect("busybox: apt-get install busybox-static");
        fs::copy(busybox, debian.path("/usr/local/sbin/start-stop-daemon")).expect("a program");
        let say = |word: &str| {
            let path = "PATH=/usr/local/sbin:$PATH";
            debian.shell(&format!("export {path}; start-stop-daemon --help 2>&1 | grep -q BusyBox || exit 9; /etc/init.d/S60ipmi_sim {word}"))
        };
        say("start").assert_ok().assert_says("OK");
        let pid = || debian.read("/run/ipmi_sim.pid").trim().parse::<u32>().ok();
        let up = eventually(LIMIT, || client().run("mc info").succeeded().then(pid).flatten());
        let first = up.expect("it answers");
        say("reload").assert_ok().assert_says("OK");
        debian.ok("cp /etc/ipmi/lan.conf /srv/good; echo 'user two' >>/etc/ipmi/lan.conf");
        say("reload").assert_failed().assert_says("/etc/ipmi/lan.conf:").assert_says("FAIL");
        debian.ok("mv /srv/good /etc/ipmi/lan.conf");
        say("restart").assert_ok();
        let second = eventually(LIMIT, || client().run("mc info").succeeded().then(pid).flatten());
        assert!(second.is_some_and(|second| second != first), "it was not restarted");
        say("stop").assert_ok().assert_says("OK");
        assert!(second.is_some_and(|second| !alive(second)), "stopped, but running");
        say("stop").assert_failed();
    });
}

/// Of the whole project, by Cargo.toml.
fn licence() -> String {
    let manifest = read("Cargo.toml");
    let line = manifest.lines().find_map(|line| line.strip_prefix("license = \"")).expect("a licence");
    line.trim_end_matches('"').to_owned()
}
