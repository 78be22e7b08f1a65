//! A network of its own for a test: ports below 1024, what IPv6 there is, and what names stand
//! for are the test's alone.

use std::process::{Command, ExitStatus};
use std::sync::{Mutex, Once};

use super::process::spawn;

/// Set for the copy of the test program that runs inside.
const INSIDE: &str = "IPMI_SIM_TEST_NAMESPACE";

/// Runs `body` in a network namespace with a loopback and nothing else, and with mounts of its
/// own. The test, whose
/// full name is `test`, is run a second time for it by `unshare`, alone; the namespace ends
/// with that process.
#[track_caller]
pub fn alone(test: &str, body: impl FnOnce()) {
    inside(test, &["--net", "--mount"], || {
        run("ip", &["link", "set", "lo", "up"], "iproute2");
        body();
    });
}

/// The same with mounts of its own, and the network of everybody.
#[track_caller]
pub fn with_own_mounts(test: &str, body: impl FnOnce()) {
    inside(test, &["--mount"], body);
}

#[track_caller]
fn inside(test: &str, namespaces: &[&str], body: impl FnOnce()) {
    if std::env::var_os(INSIDE).is_some() {
        return body();
    }
    let program = std::env::current_exe().expect("this program");
    // One after the other: each has its clients by the dozen.
    static ALONE: Mutex<()> = Mutex::new(());
    let _alone = ALONE.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    // Who is not root becomes it in a user namespace.
    let user: &[&str] = if nix::unistd::geteuid().is_root() { &[] } else { &["--map-root-user"] };
    let mut command = Command::new("unshare");
    command.args(user).args(namespaces).arg("--").arg(program).args(["--exact", test, "--nocapture"]).env(INSIDE, "1");
    let status = wait(&mut command, "util-linux");
    assert!(status.success(), "{test} failed in its namespace ({status}), see above");
}

/// Gives `/etc/hosts` another content, for what runs in this namespace.
#[track_caller]
pub fn set_hosts(content: &str) {
    static OWN: Once = Once::new();
    OWN.call_once(|| {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let path = file.path().to_str().expect("a path in UTF-8");
        run("mount", &["--bind", path, "/etc/hosts"], "mount");
    });
    std::fs::write("/etc/hosts", content).expect("own hosts");
}

/// Takes IPv6 away from this namespace, or gives it back.
pub fn set_ipv6(there: bool) {
    let disabled = if there { "0" } else { "1" };
    std::fs::write("/proc/sys/net/ipv6/conf/all/disable_ipv6", disabled).expect("IPv6 switched");
}

/// Runs a command that has to succeed.
#[track_caller]
pub fn run(program: &str, arguments: &[&str], debian_package: &str) {
    let status = wait(Command::new(program).args(arguments), debian_package);
    assert!(status.success(), "{program} {arguments:?}: {status}");
}

fn wait(command: &mut Command, debian_package: &str) -> ExitStatus {
    spawn(command, debian_package).0.wait().expect("its end")
}
