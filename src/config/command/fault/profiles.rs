//! Faults that belong together, by a name.

use std::time::Duration;

use super::plain;
use crate::settings::fault::{Chance, Fault, Kind, Which};

/// Some faults by one name.
#[derive(Clone, Copy, Debug)]
pub struct Profile {
    /// The name.
    pub name: &'static str,
    /// What it is like.
    pub summary: &'static str,
    faults: fn() -> Vec<Fault>,
}

impl Profile {
    /// Its faults.
    pub fn faults(&self) -> Vec<Fault> {
        (self.faults)()
    }
}

/// The profiles, by name.
pub const PROFILES: &[Profile] = &[
    Profile {
        name: "busy-bmc",
        summary: "every command takes 1 to 3 s, and one in ten is answered C0h, node busy",
        faults: || {
            let slow = Kind::Slow { by: milliseconds(1000), jitter: milliseconds(2000) };
            vec![plain(slow), some("10", Kind::Code(0xc0))]
        },
    },
    Profile {
        name: "dead-bmc",
        summary: "what comes is taken, and nothing is answered",
        faults: || vec![plain(Kind::Hang)],
    },
    Profile {
        name: "flaky-network",
        summary: "10 % of the datagrams are lost either way, 5 % doubled, 5 % overtaken, all 20 to 100 ms late",
        faults: || {
            let late = Kind::Delay { by: milliseconds(20), jitter: milliseconds(80) };
            let overtaken = Kind::Reorder { within: milliseconds(200) };
            vec![some("10", Kind::Lose), some("5", Kind::Duplicate), some("5", overtaken), plain(late)]
        },
    },
    Profile {
        name: "lost-sessions",
        summary: "one request in twenty finds that its session is gone",
        faults: || vec![some("5", Kind::DropSession)],
    },
    Profile {
        name: "rebooting-bmc",
        summary: "after a cold reset nobody is served for 60 s, all sessions have ended, and the clock has fallen back by 60 s",
        faults: || vec![plain(Kind::OfflineAfterReset { lasts: milliseconds(60_000) }), plain(Kind::Clock { by: -60 })],
    },
    Profile {
        name: "stuck-power",
        summary: "power commands are acknowledged, and do nothing",
        faults: || vec![plain(Kind::PowerIgnored)],
    },
    Profile {
        name: "torn-console",
        summary: "one in ten of what the console says is lost, and one in ten comes twice",
        faults: || vec![some("10", Kind::SolLose), some("10", Kind::SolDuplicate)],
    },
    Profile {
        name: "worn-flash",
        summary: "commands of the storage network function are 0.5 to 2 s late, and one in five fails with FFh",
        faults: || {
            let slow = Kind::Slow { by: milliseconds(500), jitter: milliseconds(1500) };
            let mut faults = vec![plain(slow), some("20", Kind::Code(0xff))];
            faults.iter_mut().for_each(|fault| fault.scope.command = Some(Which { netfn: 0x0a, cmd: None }));
            faults
        },
    },
];

const fn milliseconds(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// A fault that strikes in so many percent.
fn some(percent: &str, kind: Kind) -> Fault {
    Fault { chance: Chance::percent(percent).unwrap_or(Chance::ALWAYS), ..plain(kind) }
}
