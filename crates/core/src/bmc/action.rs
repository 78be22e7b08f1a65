//! What devices want done outside: values, handed to the simulator.

use std::net::SocketAddrV4;

use super::unsaved::Changed;
use crate::ipmi::{ChannelNumber, HostSignal, McAddress, SessionId, UserNumber};

/// Something a device wants done outside of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Tell the host on the system interface (VM channel 15) of an MC.
    Host {
        /// IPMB address of the MC.
        mc: McAddress,
        /// What to tell.
        signal: HostSignal,
    },
    /// Start the start command of an MC.
    StartProcess {
        /// IPMB address of the MC.
        mc: McAddress,
    },
    /// Send a signal to the start-command process of an MC.
    SignalProcess {
        /// IPMB address of the MC.
        mc: McAddress,
        /// SIGKILL instead of SIGTERM.
        kill: bool,
    },
    /// The content of a state file has changed and must be kept.
    Save(Changed),
    /// A line for the log. No console shows it: programs read consoles, and expect nothing there
    /// that the original does not print.
    Log {
        /// How important.
        level: LogLevel,
        /// One line of text.
        text: String,
    },
    /// A line for the log that the original has, too, and shows on all consoles.
    ConsoleLog {
        /// How important.
        level: LogLevel,
        /// One line of text.
        text: String,
    },
    /// A client changed a user.
    UserChanged {
        /// IPMB address of the MC.
        mc: McAddress,
        /// User number.
        user: UserNumber,
        /// What was set.
        change: super::user::Change,
        /// Something that sessions stand on is another one now: those of the user end.
        ends_sessions: bool,
    },
    /// The volatile SOL bit rate changed (bits per second).
    SolBitRate {
        /// IPMB address of the MC.
        mc: McAddress,
        /// Bits per second.
        bits_per_second: u32,
    },
    /// Accumulate interval, send threshold or retries of SOL changed.
    SolTiming {
        /// IPMB address of the MC.
        mc: McAddress,
    },
    /// A SOL instance was activated by a session (Activate Payload succeeded).
    SolActivated {
        /// IPMB address of the MC.
        mc: McAddress,
        /// 1 the port, 2 the history.
        instance: u8,
        /// The BMC's session id.
        session: SessionId,
        /// First auxiliary byte of Activate Payload.
        auxiliary: u8,
    },
    /// Send a Platform Event Trap from the socket of a LAN channel.
    Trap {
        /// IPMB address of the MC.
        mc: McAddress,
        /// Channel number.
        channel: ChannelNumber,
        /// Where to.
        to: SocketAddrV4,
        /// The whole datagram.
        bytes: Vec<u8>,
    },
    /// A SOL instance was deactivated.
    SolDeactivated {
        /// IPMB address of the MC.
        mc: McAddress,
        /// 1 the port, 2 the history.
        instance: u8,
        /// The session that asked for it; the holder's own when it ended.
        by: Option<SessionId>,
    },
}

#[cfg(any(test, feature = "testing"))]
impl Action {
    /// [`Save`](Self::Save) of a file, to compare with or to begin with.
    pub const fn save(file: StateFile) -> Self {
        Self::Save(Changed::of(file))
    }
}

/// A state file, by what it holds (`persistence.md` section 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum StateFile {
    /// `users.mcXX`
    Users(McAddress),
    /// `sol.mcXX`
    Sol(McAddress),
    /// `sel.XX`
    Sel(McAddress),
    /// `sdr.XX.main`
    Sdr(McAddress),
    /// `chassis.mcXX`, which the original does not have: settings of a chassis.
    Chassis(McAddress),
    /// `sysinfo.mcXX`, which the original does not have: system info parameters.
    SystemInfo(McAddress),
    /// `dcmi.mcXX`, which the original does not have: what DCMI keeps.
    Dcmi(McAddress),
    /// `pef.mcXX`, which the original does not have: platform event filtering.
    Pef(McAddress),
    /// `process.mcXX`, which the original does not have: the process of the start command.
    Process(McAddress),
    /// `lanparm.mc20.N` of the LAN channel N of an MC.
    Lan {
        /// IPMB address of the MC.
        mc: McAddress,
        /// Channel number.
        channel: ChannelNumber,
    },
}

/// How important a log line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LogLevel {
    /// Something does not work.
    Error,
    /// Something may not be meant so.
    Warning,
    /// Sessions, power, start and end.
    Info,
    /// Message dumps.
    Debug,
}
