//! What happens to a system: everything that comes in.

use std::borrow::Cow;
use std::net::SocketAddr;

use super::effect::{ConsoleId, IpmbId, LanId, SerialId, WorkDone};
use super::reload::OnDisk;
use crate::bmc::ipv6_parameters::Served;
use crate::bmc::vm_process::Identity;
use crate::ipmi::{McAddress, Peer};
use crate::settings::command::Command;
use crate::settings::model::{Address, Config};
use crate::sol::LineEvent;

/// Something that happens to a system. Whoever carries its [`Effect`](super::Effect)s out tells it so what
/// came of them; what arrives from outside comes the same way.
#[derive(Debug)]
pub enum Input<'a> {
    /// Start of life, before any command. It comes once and first, but for [`WallClock`](Self::WallClock).
    Begin,
    /// The commands of the start are done.
    Started,
    /// What the wall clock shows, in seconds since 1970. It may be told before anything else.
    WallClock(i64),
    /// Something may be due, see [`Simulator::deadline`](super::Simulator::deadline).
    Timeout,
    /// A datagram came in on a LAN channel. It is decrypted in place.
    Datagram {
        /// The channel.
        lan: LanId,
        /// Who sent it, and to which address of ours.
        from: Peer,
        /// The datagram.
        bytes: &'a mut [u8],
    },
    /// The port of a LAN channel is open at this address; where the channel is reached, all in all.
    LanOpened(LanId, SocketAddr, Served),
    /// The port of a LAN channel could not be moved from here.
    LanStays(LanId, Option<Address>),
    /// A peer connected to a serial channel.
    SerialConnected(SerialId),
    /// The peer of a serial channel is gone.
    SerialDisconnected(SerialId),
    /// Bytes from the peer of a serial channel.
    SerialData(SerialId, Cow<'a, [u8]>),
    /// A message from an IPMB device, with its length byte.
    IpmbData(IpmbId, Cow<'a, [u8]>),
    /// The SOL port of the MC at this IPMB address is open.
    SolOpened(McAddress),
    /// The SOL port of an MC is lost.
    SolClosed(McAddress),
    /// The SOL port of an MC cannot be opened, for this reason, which is another than before.
    SolUnavailable(McAddress, String),
    /// Bytes from the SOL port of an MC.
    SolData(McAddress, Cow<'a, [u8]>),
    /// Something else from the SOL port of an MC.
    SolLine(McAddress, LineEvent),
    /// The SOL port of an MC took so many bytes of what it was given.
    SolWritten(McAddress, usize),
    /// Slow work is done.
    WorkDone(WorkDone),
    /// The start command of the MC at this IPMB address runs, as this process if that is known.
    ProcessStarted(McAddress, Option<Identity>),
    /// The start command of an MC ended with this raw wait status, or could not be started.
    ProcessExited(McAddress, Option<i32>),
    /// A command of the command language, from a command file or a console.
    /// [`Effect::Refused`](super::Effect::Refused) comes last when it is not carried out.
    Command {
        /// Who gets what it prints; `None` is standard output.
        console: Option<ConsoleId>,
        /// The command.
        command: &'a Command,
    },
    /// The configuration and the state files of settings were read again.
    /// [`Effect::Reloaded`](super::Effect::Reloaded) says what is different.
    Reload {
        /// lan.conf.
        config: Box<Config>,
        /// The state files.
        files: OnDisk,
    },
    /// The end is near: what must be kept is handed out.
    End,
}
