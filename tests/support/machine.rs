//! What the machine that runs the tests can do. A test that needs more is left out: one line on
//! standard error says which and why, and `test.sh` counts these lines at its end. Programs that
//! can be installed are never a reason: their absence is a failure.

use std::io::Write;
use std::net::{Ipv6Addr, UdpSocket};

/// The file that collects the lines, for `test.sh`.
const COLLECTED: &str = "IPMI_SIM_LEFT_OUT";

/// Something a machine may not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// The address ::1.
    Ipv6,
    /// The rights of root outside any namespace: mounts, device files, owners.
    Root,
}

impl Need {
    fn is_met(self) -> bool {
        match self {
            Self::Ipv6 => UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)).is_ok(),
            Self::Root => nix::unistd::geteuid().is_root(),
        }
    }

    fn absence(self) -> &'static str {
        match self {
            Self::Ipv6 => "this machine has no IPv6",
            Self::Root => "only root can mount, make device files and give files away",
        }
    }
}

/// Whether a finding of `--check` is about what the machine at hand lacks, and not about the files.
pub fn is_absence(finding: &str) -> bool {
    finding.ends_with("No such file or directory") || needs_root(finding)
}

/// Whether a finding of `--check` is about a port that an ordinary user cannot have.
pub fn needs_root(finding: &str) -> bool {
    finding.ends_with("needs root or the capability CAP_NET_BIND_SERVICE")
}

/// Whether the machine has what `what` needs, a test or a part of one. If not, it is told as left out.
pub fn has(what: &str, need: Need) -> bool {
    let met = need.is_met();
    if !met {
        left_out(what, need.absence());
    }
    met
}

/// Tells that `what` is left out.
pub fn left_out(what: &str, why: &str) {
    let line = format!("left out: {what}: {why}\n");
    // Past the test runner, which keeps the words of tests that pass to itself.
    let _ = std::io::stderr().write_all(line.as_bytes());
    if let Some(path) = std::env::var_os(COLLECTED) {
        let file = std::fs::OpenOptions::new().append(true).create(true).open(path);
        file.and_then(|mut file| file.write_all(line.as_bytes())).expect("the file of what is left out");
    }
}
