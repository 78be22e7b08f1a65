//! A network of its own for a test: ports below 1024, what IPv6 there is, and what names stand
//! for are the test's alone.

use std::process::{Command, Output};
use std::sync::{Mutex, Once};

use super::machine::left_out;
use super::process::not_installed;

/// Set for the copy of the test program that runs inside.
const INSIDE: &str = "IPMI_SIM_TEST_NAMESPACE";

/// Runs `body` in a network namespace with a loopback and nothing else, and with mounts of its
/// own. The test, whose full name is `test`, is run a second time for it by `unshare`, alone; the
/// namespace ends with that process. Where nobody can make namespaces (an ordinary container),
/// the test is left out.
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
    let unshare = || {
        let mut command = Command::new("unshare");
        command.args(user).args(namespaces).arg("--");
        command
    };
    let probe = output(unshare().arg("true"), "util-linux");
    if !probe.status.success() {
        return left_out(test, &format!("no namespaces here: {}", String::from_utf8_lossy(&probe.stderr).trim()));
    }
    let mut command = unshare();
    command.arg(program).args(["--exact", test, "--nocapture"]).env(INSIDE, "1");
    let output = output(&mut command, "util-linux");
    assert!(
        output.status.success(),
        "{test} failed in its namespace ({}):\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
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
    let output = output(Command::new(program).args(arguments), debian_package);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {}\n{said}", output.status);
}

fn output(command: &mut Command, debian_package: &str) -> Output {
    command.output().unwrap_or_else(|why| panic!("{}", not_installed(command, &why, debian_package)))
}
