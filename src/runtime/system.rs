//! The simulator as the driver sees it, so that the driver can be tested with another.

use std::net::SocketAddr;

use super::statement::{self, StatementOutcome};
use crate::bmc::ipv6_parameters::Served;
use crate::bmc::vm_process::Identity;
use crate::config::command::Statement;
use crate::config::model::{Address, Config};
use crate::ipmi::{Moment, Peer};
use crate::sim::{Change, ConsoleId, Effects, IpmbId, LanId, Login, OnDisk, SerialId, Simulator, WorkDone};
use crate::sol::LineEvent;

macro_rules! system {
    ($($(#[$doc:meta])* fn $name:ident(&mut self, $($argument:ident: $type:ty),*) $(-> $result:ty)?;)*) => {
        /// One simulated system. See [`Simulator`] for what the calls mean.
        pub trait System {
            $($(#[$doc])* fn $name(&mut self, $($argument: $type),*) $(-> $result)?;)*

            /// When [`timeout`](Self::timeout) wants to be called next.
            fn deadline(&self) -> Option<Moment>;

            /// Executes one statement.
            fn statement(
                &mut self,
                now: Moment,
                console: Option<ConsoleId>,
                statement: &Statement,
                out: &mut Effects,
            ) -> StatementOutcome;
        }

        impl System for Simulator {
            $(fn $name(&mut self, $($argument: $type),*) $(-> $result)? {
                Simulator::$name(self, $($argument),*)
            })*

            fn deadline(&self) -> Option<Moment> {
                Simulator::deadline(self)
            }

            fn statement(
                &mut self,
                now: Moment,
                console: Option<ConsoleId>,
                statement: &Statement,
                out: &mut Effects,
            ) -> StatementOutcome {
                statement::execute(self, now, console, statement, out)
            }
        }
    };
}

system! {
    /// What the wall clock shows, in seconds since 1970.
    fn wall_clock(&mut self, now: Moment, wall: i64);
    /// The start, before the command file.
    fn begin(&mut self, now: Moment, out: &mut Effects);
    /// Command file and `-x` are done.
    fn started(&mut self, now: Moment, out: &mut Effects) -> Result<(), String>;
    /// A LAN channel has its socket.
    fn lan_opened(&mut self, lan: LanId, local: SocketAddr);
    /// Where a LAN channel is reached.
    fn lan_served(&mut self, lan: LanId, served: Served);
    /// The socket of a LAN channel could not be moved.
    fn lan_stays(&mut self, lan: LanId, address: Option<Address>);
    /// lan.conf and the state files of settings were read again.
    fn reload(&mut self, now: Moment, config: Config, files: &OnDisk, out: &mut Effects) -> Vec<Change>;
    /// A datagram came in.
    fn datagram(&mut self, now: Moment, lan: LanId, from: Peer, bytes: &mut [u8], out: &mut Effects);
    /// The peer of a serial channel connected.
    fn serial_connected(&mut self, now: Moment, serial: SerialId, out: &mut Effects);
    /// The peer of a serial channel is gone.
    fn serial_disconnected(&mut self, now: Moment, serial: SerialId, out: &mut Effects);
    /// Bytes from the peer of a serial channel.
    fn serial_data(&mut self, now: Moment, serial: SerialId, bytes: &[u8], out: &mut Effects);
    /// A message from an IPMB device.
    fn ipmb_data(&mut self, now: Moment, ipmb: IpmbId, bytes: &[u8], out: &mut Effects);
    /// A SOL port is open.
    fn sol_opened(&mut self, now: Moment, mc: u8, out: &mut Effects);
    /// A SOL port is lost.
    fn sol_closed(&mut self, now: Moment, mc: u8, out: &mut Effects);
    /// A SOL port cannot be opened.
    fn sol_unavailable(&mut self, now: Moment, mc: u8, why: &str, out: &mut Effects);
    /// Something else from a SOL port.
    fn sol_line(&mut self, now: Moment, mc: u8, event: LineEvent, out: &mut Effects);
    /// Bytes from a SOL port.
    fn sol_data(&mut self, now: Moment, mc: u8, bytes: &[u8], out: &mut Effects);
    /// A SOL port took bytes.
    fn sol_written(&mut self, now: Moment, mc: u8, count: usize, out: &mut Effects);
    /// Slow work is done.
    fn work_done(&mut self, now: Moment, done: WorkDone, out: &mut Effects);
    /// A start command runs.
    fn process_started(&mut self, now: Moment, mc: u8, identity: Option<Identity>, out: &mut Effects);
    /// A start command ended with this raw wait status, or could not be started.
    fn process_exited(&mut self, now: Moment, mc: u8, status: Option<i32>, out: &mut Effects);
    /// The end is near: what must be kept is handed out.
    fn end(&mut self, now: Moment, out: &mut Effects);
    /// Who can log in.
    fn logins(&mut self,) -> Vec<Login>;
    /// Something is due.
    fn timeout(&mut self, now: Moment, out: &mut Effects);
}
