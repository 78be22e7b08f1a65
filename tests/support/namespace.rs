//! A network of its own for a test: ports below 1024, and what IPv6 there is, are the test's
//! alone.

use std::process::{Command, ExitStatus};
use std::sync::Mutex;

use super::process::spawn;

/// Set for the copy of the test program that runs inside.
const INSIDE: &str = "IPMI_SIM_TEST_NAMESPACE";

/// Runs `body` in a network namespace with a loopback and nothing else. The test, whose
/// full name is `test`, is run a second time for it by `unshare`, alone; the namespace ends
/// with that process.
#[track_caller]
pub fn alone(test: &str, body: impl FnOnce()) {
    inside(test, "--net", || {
        run("ip", &["link", "set", "lo", "up"], "iproute2");
        body();
    });
}

/// The same with mounts of its own, and the network of everybody.
#[track_caller]
pub fn with_own_mounts(test: &str, body: impl FnOnce()) {
    inside(test, "--mount", body);
}

#[track_caller]
fn inside(test: &str, namespace: &str, body: impl FnOnce()) {
    if std::env::var_os(INSIDE).is_some() {
        return body();
    }
    let program = std::env::current_exe().expect("this program");
    // One after the other: each has its clients by the dozen.
    static ALONE: Mutex<()> = Mutex::new(());
    let _alone = ALONE.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    // Who is not root becomes it in a user namespace.
    let user = if nix::unistd::geteuid().is_root() { namespace } else { "--map-root-user" };
    let mut command = Command::new("unshare");
    command.args([user, namespace, "--"]).arg(program).args(["--exact", test, "--nocapture"]).env(INSIDE, "1");
    let status = wait(&mut command, "util-linux");
    assert!(status.success(), "{test} failed in its namespace ({status}), see above");
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
