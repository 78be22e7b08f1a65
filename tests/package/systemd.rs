//! The package on a Debian system that runs systemd: `boot.sh` boots one, and everything an
//! administrator says to `systemctl` and `journalctl` is said there.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::support::bench::project;
use crate::support::machine::{self, Need, left_out};
use crate::support::namespace::alone;
use crate::support::process::{self, Guarded, eventually};
use crate::support::{Ipmitool, Ran};
use crate::{Debian, LIMIT, NEXT_VERSION, PORT, cached, client, package};

/// Until something happens that takes systemd a second or two.
const SOON: Duration = Duration::from_secs(60);

/// Words and values of `systemctl show`.
type Shown<'a> = &'a [(&'a str, &'a str)];

/// A machine that is up.
struct Booted {
    /// What `boot.sh` became: systemd's parent, outside.
    outside: Guarded,
    /// systemd, by its number out here.
    init: u32,
    debian: Debian,
}

impl Drop for Booted {
    fn drop(&mut self) {
        // It goes at once, with everything in there.
        let _ = self.outside.0.kill();
        let _ = self.outside.0.wait();
    }
}

impl Booted {
    /// A system with systemd, and with our package among its files.
    fn new() -> Self {
        let debian = Debian::new();
        let packages = debian.path("/srv/systemd");
        fs::create_dir(&packages).expect("a folder");
        for package in fs::read_dir(cached().join("systemd")).expect("what systemd needs").flatten() {
            fs::copy(package.path(), packages.join(package.file_name())).expect("a package");
        }
        debian.ok("cd /srv/systemd; dpkg -i [!s]*.deb && dpkg -i systemd_*.deb && dpkg -i systemd-sysv_*.deb && rm -r /srv/systemd /usr/sbin/policy-rc.d");
        debian.ok(NEXT_VERSION);
        let (outside, init) = boot(&debian.path("/"));
        let booted = Self { outside, init, debian };
        booted.wait_until_up();
        booted
    }

    fn wait_until_up(&self) {
        let up = eventually(SOON, || {
            let state = self.shell("systemctl is-system-running").stdout;
            ["running", "degraded"].contains(&state.trim()).then_some(state)
        });
        assert_eq!(up.as_deref().map(str::trim), Some("running"), "{}", self.shell("systemctl --failed").all());
    }

    /// Down and up again.
    fn reboot(&mut self) {
        self.shell("systemctl --no-block poweroff");
        process::wait(&mut self.outside.0, SOON).expect("it goes down");
        (self.outside, self.init) = boot(&self.debian.path("/"));
        self.wait_until_up();
    }

    /// Runs a line of shell in there.
    fn shell(&self, line: &str) -> Ran {
        let mut command = Command::new("nsenter");
        command.args(["--all", "--root", "--wd=/", "--target", &self.init.to_string(), "sh", "-c", line]).env_clear();
        command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("DEBIAN_FRONTEND", "noninteractive");
        command.env("LC_ALL", "C").env("SYSTEMD_PAGER", "cat");
        Ran::run(&mut command, "util-linux", LIMIT)
    }

    #[track_caller]
    fn ok(&self, line: &str) -> Ran {
        let ran = self.shell(line);
        ran.assert_ok();
        ran
    }

    /// What `systemctl show` says of a unit.
    fn show(&self, unit: &str, property: &str) -> String {
        self.ok(&format!("systemctl show --value -p {property} {unit}")).stdout.trim().to_owned()
    }

    #[track_caller]
    fn assert_shows(&self, unit: &str, wanted: Shown) {
        for (property, value) in wanted {
            assert_eq!(self.show(unit, property), *value, "{property} of {unit}\n{}", self.journal(unit));
        }
    }

    /// Waits until a unit shows all of this.
    #[track_caller]
    fn wait_for(&self, unit: &str, wanted: Shown) {
        let there = eventually(SOON, || {
            wanted.iter().all(|(property, value)| self.show(unit, property) == *value).then_some(())
        });
        assert!(there.is_some(), "{unit} does not show {wanted:?}\n{}", self.journal(unit));
    }

    /// The number of its main process in there.
    fn pid(&self, unit: &str) -> u32 {
        self.show(unit, "MainPID").parse().expect("a number")
    }

    fn journal(&self, unit: &str) -> String {
        self.shell(&format!("journalctl --sync; journalctl -o cat -u {unit}")).stdout
    }
}

/// systemd as the first process of a machine made of a folder, and its parent.
fn boot(root: &Path) -> (Guarded, u32) {
    let mut command = Command::new(project("tests/package/boot.sh"));
    command.arg(root).stdin(Stdio::null()).stdout(Stdio::null());
    let mut outside = process::spawn(&mut command, "dash");
    let pid = outside.0.id();
    let init = eventually(SOON, || {
        assert!(matches!(outside.0.try_wait(), Ok(None)), "boot.sh ended");
        let child = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).ok()?;
        let child = child.split_whitespace().next()?.parse().ok()?;
        let name = fs::read_to_string(format!("/proc/{child}/comm")).ok()?;
        (name.trim() == "systemd").then_some(child)
    });
    (outside, init.expect("systemd starts"))
}

/// Whether such a machine can be had here; if not, it is told.
fn can_boot(test: &str) -> bool {
    if !machine::has(test, Need::Root) {
        return false;
    }
    let tried = Ran::run(Command::new(project("tests/package/boot.sh")).arg("--try"), "dash", LIMIT);
    if tried.status.and_then(|status| status.code()) == Some(3) {
        left_out(test, tried.stderr.trim());
        return false;
    }
    tried.assert_ok();
    true
}

/// From installing to purging, in one machine: booting one is what takes time.
#[test]
fn the_service_under_a_running_systemd() {
    let test = "systemd::the_service_under_a_running_systemd";
    if !can_boot(test) {
        return;
    }
    // Out here there is a network, should something be missing.
    cached();
    package();
    alone(test, || {
        let mut machine = Booted::new();
        installed_it_does_nothing(&machine);
        enabled_it_serves_as_an_ordinary_user(&machine);
        it_reloads_and_refuses_a_faulty_file(&machine);
        it_comes_back_after_a_crash_and_when_it_hangs(&machine);
        what_cannot_start_is_tried_five_times(&machine);
        an_upgrade_restarts_what_runs_and_nothing_else(&machine);
        machine.reboot();
        it_is_there_after_a_boot(&machine);
        it_is_stopped_when_removed(&machine);
    });
}

fn installed_it_does_nothing(machine: &Booted) {
    machine.ok("dpkg -i /srv/ipmi-sim.deb");
    machine.shell("systemctl is-enabled ipmi_sim").assert_failed().assert_says("disabled");
    machine.assert_shows("ipmi_sim", &[("ActiveState", "inactive"), ("NRestarts", "0"), ("MainPID", "0")]);
    machine.debian.configure();
}

fn enabled_it_serves_as_an_ordinary_user(machine: &Booted) {
    // systemctl returns when the program has said that everything is open.
    machine.ok("systemctl enable --now ipmi_sim");
    client().ok("mc info").assert_says("Firmware Revision : 1.0");
    machine.ok("systemctl is-enabled ipmi_sim").assert_says("enabled");
    let shown = [
        ("ActiveState", "active"),
        ("SubState", "running"),
        ("Type", "notify"),
        ("User", "_ipmi_sim"),
        ("WatchdogUSec", "30s"),
        ("NRestarts", "0"),
    ];
    machine.assert_shows("ipmi_sim", &shown);
    assert!(!machine.show("ipmi_sim", "StatusText").is_empty(), "it says nothing of itself");
    machine.ok("systemctl status ipmi_sim").assert_says("BMC simulator").assert_says("Active: active (running)");
    let pid = machine.pid("ipmi_sim");
    machine.ok(&format!("grep -q 'CapEff:.*0000000000000400' /proc/{pid}/status"));
    assert_eq!(machine.ok(&format!("stat -c %U /proc/{pid}")).stdout.trim(), "_ipmi_sim");
    machine.ok("stat -c '%U %a' /var/lib/ipmi_sim").assert_says("_ipmi_sim 750");
}

fn it_reloads_and_refuses_a_faulty_file(machine: &Booted) {
    let pid = machine.pid("ipmi_sim");
    machine.ok("sed -i 's/\"changed\"/\"reloaded\"/' /etc/ipmi/lan.conf");
    machine.ok("systemctl reload ipmi_sim");
    let reloaded = || Ipmitool::new(PORT, "admin", "reloaded").run("mc info").succeeded().then_some(());
    assert!(eventually(SOON, reloaded).is_some(), "{}", machine.journal("ipmi_sim"));
    machine.ok("cp -p /etc/ipmi/lan.conf /srv/good && echo 'user two' >>/etc/ipmi/lan.conf");
    machine.shell("systemctl reload ipmi_sim").assert_failed();
    // What is wrong stands in the journal, as an error.
    let told = eventually(SOON, || {
        let errors = machine.ok("journalctl --sync; journalctl -o cat -u ipmi_sim -p err").stdout;
        errors.contains("/etc/ipmi/lan.conf:").then_some(())
    });
    assert!(told.is_some(), "{}", machine.journal("ipmi_sim"));
    machine.ok("mv /srv/good /etc/ipmi/lan.conf");
    Ipmitool::new(PORT, "admin", "reloaded").ok("mc info");
    machine.ok("sed -i 's/\"reloaded\"/\"changed\"/' /etc/ipmi/lan.conf && systemctl reload ipmi_sim");
    assert_eq!(machine.pid("ipmi_sim"), pid, "it was restarted");
    machine.assert_shows("ipmi_sim", &[("ActiveState", "active"), ("NRestarts", "0")]);
}

fn it_comes_back_after_a_crash_and_when_it_hangs(machine: &Booted) {
    client().ok("user set name 5 kept");
    machine.ok("test -s /var/lib/ipmi_sim/bmc/users.mc20");
    let pid = machine.pid("ipmi_sim");
    machine.ok(&format!("kill -KILL {pid}"));
    machine.wait_for("ipmi_sim", &[("NRestarts", "1"), ("ActiveState", "active")]);
    assert_ne!(machine.pid("ipmi_sim"), pid);
    client().ok("user list").assert_says("kept");
    // The time it has for a sign of life, and between two starts, is cut short.
    machine.ok("mkdir -p /etc/systemd/system/ipmi_sim.service.d");
    let cut = "[Service]\\nWatchdogSec=1\\nRestartSec=100ms\\n";
    machine.ok(&format!("printf '{cut}' >/etc/systemd/system/ipmi_sim.service.d/test.conf"));
    machine.ok("systemctl daemon-reload && systemctl restart ipmi_sim");
    let pid = machine.pid("ipmi_sim");
    machine.ok(&format!("kill -STOP {pid}"));
    machine.wait_for("ipmi_sim", &[("NRestarts", "1"), ("ActiveState", "active")]);
    assert_ne!(machine.pid("ipmi_sim"), pid);
    assert!(machine.journal("ipmi_sim").contains("Watchdog timeout"), "{}", machine.journal("ipmi_sim"));
    client().ok("user list").assert_says("kept");
}

fn what_cannot_start_is_tried_five_times(machine: &Booted) {
    machine.ok("systemctl reset-failed ipmi_sim; cp -p /etc/ipmi/lan.conf /srv/good");
    machine.ok("echo 'user two' >>/etc/ipmi/lan.conf");
    machine.shell("systemctl restart ipmi_sim").assert_failed();
    machine.wait_for("ipmi_sim", &[("ActiveState", "failed"), ("SubState", "failed"), ("MainPID", "0")]);
    assert!(machine.journal("ipmi_sim").contains("Start request repeated too quickly"));
    machine.ok("mv /srv/good /etc/ipmi/lan.conf && systemctl reset-failed ipmi_sim && systemctl start ipmi_sim");
    client().ok("mc info");
}

fn an_upgrade_restarts_what_runs_and_nothing_else(machine: &Booted) {
    machine.ok("sed 's/name \"bmc\"/name \"two\"/; s/987/988/' /etc/ipmi/lan.conf >/etc/ipmi/two.conf");
    machine.ok("cp /etc/ipmi/bmc.emu /etc/ipmi/two.emu && chgrp _ipmi_sim /etc/ipmi/two.conf");
    machine.ok("systemctl start ipmi_sim@two && systemctl stop ipmi_sim");
    let two = machine.pid("ipmi_sim@two");
    machine.ok("dpkg --force-confdef --force-confold -i /srv/next.deb");
    machine.wait_for("ipmi_sim@two", &[("ActiveState", "active"), ("SubState", "running")]);
    let next = machine.pid("ipmi_sim@two");
    assert!(next != two && next != 0, "an instance goes on with the old program");
    machine.assert_shows("ipmi_sim", &[("ActiveState", "inactive")]);
    Ipmitool::new(988, "admin", "changed").ok("mc info");
    machine.ok("systemctl start ipmi_sim");
    let pid = machine.pid("ipmi_sim");
    machine.ok("dpkg --force-confdef --force-confold -i /srv/ipmi-sim.deb");
    assert_ne!(machine.pid("ipmi_sim"), pid);
    client().ok("user list").assert_says("kept");
}

fn it_is_there_after_a_boot(machine: &Booted) {
    machine.wait_for("ipmi_sim", &[("ActiveState", "active"), ("NRestarts", "0")]);
    client().ok("user list").assert_says("kept");
    // Not enabled, not there.
    machine.assert_shows("ipmi_sim@two", &[("ActiveState", "inactive")]);
}

fn it_is_stopped_when_removed(machine: &Booted) {
    machine.ok("systemctl start ipmi_sim@two && dpkg -r ipmi-sim");
    // What is left of the service is the script in /etc, which does nothing without the program.
    machine.wait_for(
        "ipmi_sim",
        &[("ActiveState", "inactive"), ("FragmentPath", "/run/systemd/generator.late/ipmi_sim.service")],
    );
    machine.wait_for("ipmi_sim@two", &[("ActiveState", "inactive"), ("LoadState", "not-found")]);
    machine.ok("! pgrep -x ipmi_sim; test -s /var/lib/ipmi_sim/bmc/users.mc20");
    machine.ok("dpkg -P ipmi-sim; rm -r /etc/systemd/system/ipmi_sim.service.d; systemctl daemon-reload");
    let left: Vec<PathBuf> = ["/var/lib/ipmi_sim", "/etc/systemd/system/multi-user.target.wants/ipmi_sim.service"]
        .iter()
        .map(|path| machine.debian.path(path))
        .filter(|path| fs::symlink_metadata(path).is_ok())
        .collect();
    assert!(left.is_empty(), "purged, but {left:?}");
    machine.shell("getent passwd _ipmi_sim").assert_failed();
    assert_eq!(machine.ok("systemctl --failed --quiet").stdout.trim(), "");
}
