//! Faults that somebody sets on purpose, as plain values, and how each is written as a statement.
//!
//! Knows nothing of what they do; that is `sim::faults`.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use crate::ipmi::{ChannelNumber, McAddress};

/// What a `fault` statement asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FaultCommand {
    /// These are in force, too: one, or those of a profile.
    Set(Vec<Fault>),
    /// One fault ends, by its number.
    End(u32),
    /// All end.
    EndAll,
}

/// A fault: what goes wrong, for whom, how often and how long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What goes wrong.
    pub kind: Kind,
    /// For whom.
    pub scope: Scope,
    /// How often, of the times that it could.
    pub chance: Chance,
    /// How many times, then it ends; `None` is without end.
    pub count: Option<u32>,
    /// How long it is in force; `None` is until somebody ends it.
    pub lasts: Option<Duration>,
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A datagram is lost.
    Lose,
    /// A datagram is late.
    Delay {
        /// By this.
        by: Duration,
        /// And up to this more.
        jitter: Duration,
    },
    /// A datagram comes twice.
    Duplicate,
    /// A datagram comes after the one behind it, or this late when none comes.
    Reorder {
        /// How long it is held back at most.
        within: Duration,
    },
    /// A bit of a datagram is inverted.
    Corrupt,
    /// The end of a datagram is missing.
    Truncate,
    /// The authentication code or integrity check value of a datagram is wrong.
    WrongCode,
    /// Requests are taken and not answered; nothing is executed.
    Hang,
    /// Requests are not executed, and answered with this completion code.
    Code(u8),
    /// Responses come late.
    Slow {
        /// By this.
        by: Duration,
        /// And up to this more.
        jitter: Duration,
    },
    /// Chassis Control is acknowledged and does nothing.
    PowerIgnored,
    /// The session of a request is gone when it comes; it gets no response.
    DropSession,
    /// Chassis Control takes a while, fails with FFh, and does nothing.
    PowerFails {
        /// How long it takes.
        after: Duration,
    },
    /// No session is opened: insufficient resources (RMCP+ status 01h; Activate Session 81h).
    RefuseSession,
    /// After a cold reset nobody is served, and all sessions have ended.
    OfflineAfterReset {
        /// How long.
        lasts: Duration,
    },
    /// The event log has no room.
    SelFull,
    /// Somebody else reserves the SDR repository in front of each Get SDR: reservations are cancelled.
    SdrBusy,
    /// Readings and states are unavailable (IPMI 2.0 section 35.14, byte 3, bit 5).
    SensorUnavailable {
        /// Of this sensor; `None` is of all.
        sensor: Option<u8>,
    },
    /// Sensors are not scanned (IPMI 2.0 section 35.14, byte 3, bit 6).
    SensorDisabled {
        /// This one; `None` is all.
        sensor: Option<u8>,
    },
    /// The clocks of event log and SDR repository have jumped.
    Clock {
        /// By so many seconds.
        by: i32,
    },
    /// What comes from the SOL port is lost, as much as is read at a time.
    SolLose,
    /// What comes from the SOL port comes twice, as much as is read at a time.
    SolDuplicate,
    /// What comes from the SOL port waits until the fault ends.
    SolStall,
}

/// For whom a fault is: where nothing is said, for all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    /// Which controller's.
    pub mc: Option<McAddress>,
    /// On which channel.
    pub channel: Option<ChannelNumber>,
    /// Of which clients.
    pub client: Option<Prefix>,
    /// Of which command.
    pub command: Option<Which>,
    /// Which way datagrams go.
    pub way: Option<Way>,
}

/// A command, or all of a network function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Which {
    /// Network function of the request, even.
    pub netfn: u8,
    /// Command; `None` is all of the network function.
    pub cmd: Option<u8>,
}

/// Which way a datagram goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// From a client to the BMC.
    In,
    /// From the BMC to a client.
    Out,
}

/// Addresses that begin with the same bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prefix {
    /// One of them.
    pub address: IpAddr,
    /// How many bits they have in common: 0 to 32 of IPv4, 0 to 128 of IPv6.
    pub bits: u8,
}

/// How often something happens, in parts of a million.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Chance(u32);

impl Kind {
    /// The words of all kinds, in the order of [`index`](Self::index).
    pub const WORDS: [&'static str; 23] = [
        "lose",
        "delay",
        "duplicate",
        "reorder",
        "corrupt",
        "truncate",
        "wrong_code",
        "hang",
        "code",
        "slow",
        "power_ignored",
        "drop_session",
        "power_fails",
        "refuse_session",
        "offline_after_reset",
        "sel_full",
        "sdr_busy",
        "sensor_unavailable",
        "sensor_disabled",
        "clock",
        "sol_lose",
        "sol_duplicate",
        "sol_stall",
    ];

    /// Its place in [`WORDS`](Self::WORDS).
    pub const fn index(self) -> usize {
        match self {
            Self::Lose => 0,
            Self::Delay { .. } => 1,
            Self::Duplicate => 2,
            Self::Reorder { .. } => 3,
            Self::Corrupt => 4,
            Self::Truncate => 5,
            Self::WrongCode => 6,
            Self::Hang => 7,
            Self::Code(_) => 8,
            Self::Slow { .. } => 9,
            Self::PowerIgnored => 10,
            Self::DropSession => 11,
            Self::PowerFails { .. } => 12,
            Self::RefuseSession => 13,
            Self::OfflineAfterReset { .. } => 14,
            Self::SelFull => 15,
            Self::SdrBusy => 16,
            Self::SensorUnavailable { .. } => 17,
            Self::SensorDisabled { .. } => 18,
            Self::Clock { .. } => 19,
            Self::SolLose => 20,
            Self::SolDuplicate => 21,
            Self::SolStall => 22,
        }
    }

    /// Whether it holds all the time, and not now and then: such a one has neither chance nor count.
    pub const fn is_state(self) -> bool {
        matches!(self, Self::SelFull | Self::Clock { .. } | Self::SolStall)
    }

    /// Its word.
    pub fn word(self) -> &'static str {
        Self::WORDS.get(self.index()).copied().unwrap_or_default()
    }
}

impl Chance {
    /// Every time.
    pub const ALWAYS: Self = Self(1_000_000);

    /// A number of percent with up to four decimals, as `30` or `0.5`: more than 0, at most 100. `None`: it is no such number.
    pub fn percent(text: &str) -> Option<Self> {
        let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || whole.len() > 3 || decimals.len() > 4 || !digits(whole) || !digits(decimals) {
            return None;
        }
        let parts = format!("{decimals:0<4}").parse::<u32>().ok()? + whole.parse::<u32>().ok()? * 10_000;
        (1..=1_000_000).contains(&parts).then_some(Self(parts))
    }

    /// In parts of a million.
    pub const fn parts(self) -> u32 {
        self.0
    }
}

impl Prefix {
    /// `ADDRESS` or `ADDRESS/BITS`. `None`: it is neither.
    pub fn parse(text: &str) -> Option<Self> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().ok()?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.map_or(Some(most), |bits| bits.parse().ok())?;
        (bits <= most).then_some(Self { address, bits })
    }

    /// Whether an address is one of them. IPv4 in IPv6 is IPv4.
    pub fn contains(self, address: IpAddr) -> bool {
        let number = |address| match address {
            IpAddr::V4(address) => (32, u128::from(u32::from(address))),
            IpAddr::V6(address) => (128, u128::from(address)),
        };
        let ((width, own), (other, theirs)) = (number(self.address), number(address.to_canonical()));
        let rest = width - u32::from(self.bits).min(width);
        width == other && (rest == 128 || own >> rest == theirs >> rest)
    }
}

impl Which {
    /// Whether a request of this network function and command is meant.
    pub fn is(self, netfn: u8, cmd: u8) -> bool {
        self.netfn == netfn & !1 && self.cmd.is_none_or(|own| own == cmd)
    }
}

/// As a whole number of milliseconds.
fn milliseconds(duration: Duration) -> u128 {
    duration.as_millis()
}

/// What follows the word `fault`, so that it reads back as the same.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.word())?;
        match self.kind {
            Kind::Delay { by, jitter } | Kind::Slow { by, jitter } => {
                write!(f, " {}", milliseconds(by))?;
                if !jitter.is_zero() {
                    write!(f, " jitter {}", milliseconds(jitter))?;
                }
            }
            Kind::Reorder { within } => write!(f, " {}", milliseconds(within))?,
            Kind::Code(code) => write!(f, " {code:#04x}")?,
            Kind::PowerFails { after } => write!(f, " {}", milliseconds(after))?,
            Kind::OfflineAfterReset { lasts } => write!(f, " {}", milliseconds(lasts))?,
            Kind::Clock { by } => write!(f, " {by}")?,
            Kind::SensorUnavailable { sensor: Some(sensor) } | Kind::SensorDisabled { sensor: Some(sensor) } => {
                write!(f, " sensor {sensor}")?;
            }
            _ => {}
        }
        self.scope.fmt(f)?;
        if self.chance != Chance::ALWAYS {
            write!(f, " chance {}", f64::from(self.chance.0) / 10_000.0)?;
        }
        if let Some(count) = self.count {
            write!(f, " count {count}")?;
        }
        match self.lasts {
            Some(lasts) => write!(f, " for {}", milliseconds(lasts)),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.way {
            Some(Way::In) => f.write_str(" in")?,
            Some(Way::Out) => f.write_str(" out")?,
            None => {}
        }
        if let Some(mc) = self.mc {
            write!(f, " mc {mc:#04x}")?;
        }
        if let Some(channel) = self.channel {
            write!(f, " channel {channel}")?;
        }
        if let Some(Prefix { address, bits }) = self.client {
            write!(f, " from {address}/{bits}")?;
        }
        match self.command {
            Some(Which { netfn, cmd: Some(cmd) }) => write!(f, " command {netfn:#04x}/{cmd:#04x}"),
            Some(Which { netfn, cmd: None }) => write!(f, " command {netfn:#04x}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chances_are_percent() {
        for (text, parts) in [("30", 300_000), ("0.5", 5_000), ("100", 1_000_000), ("0.0001", 1), ("99.9", 999_000)] {
            assert_eq!(Chance::percent(text).map(Chance::parts), Some(parts), "{text}");
        }
        for text in ["", "0", "0.0", "100.1", "101", "-1", "+1", "1e1", ".5", "1.23456", "1000"] {
            assert_eq!(Chance::percent(text), None, "{text}");
        }
    }

    #[test]
    fn prefixes_hold_their_addresses() {
        let contains = |prefix: &str, address: &str| Prefix::parse(prefix).unwrap().contains(address.parse().unwrap());
        for (prefix, address, is) in [
            ("127.0.0.1", "127.0.0.1", true),
            ("127.0.0.1", "127.0.0.2", false),
            ("127.0.0.1/8", "127.9.9.9", true),
            ("10.0.0.0/9", "10.128.0.1", false),
            ("0.0.0.0/0", "9.9.9.9", true),
            ("0.0.0.0/0", "::1", false),
            ("::/0", "::1", true),
            ("127.0.0.0/8", "::ffff:127.0.0.1", true),
            ("fd00::/16", "fd00:1::2", true),
            ("fd00::/16", "fd01::2", false),
        ] {
            assert_eq!(contains(prefix, address), is, "{prefix} {address}");
        }
        for text in ["", "localhost", "127.0.0.1/33", "::/129", "127.0.0.1/", "127.0.0.1/-1", "127.0.0"] {
            assert_eq!(Prefix::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_command_is_one_or_all_of_a_network_function() {
        let one = Which { netfn: 6, cmd: Some(1) };
        assert!(one.is(6, 1) && one.is(7, 1) && !one.is(6, 2) && !one.is(4, 1));
        let all = Which { netfn: 6, cmd: None };
        assert!(all.is(6, 1) && all.is(6, 2) && !all.is(4, 1));
    }
}
