//! What people and programs around a system do with its devices: typed values in and out, for whoever embeds a BMC
//! and for the control door.
//!
//! The same functions of `bmc` carry these out as carry out a client's commands; what they want done outside is
//! appended to the effects, in order, as [`Simulator::handle`] does. What takes time ends with a call of what was given for
//! it ([`Done`]). Writes no text for people, which [`show`](super::show) does of these values, and no JSON.

mod accounts;
mod log;
mod overview;
mod power;
mod repositories;
mod sensors;

pub use accounts::{Password, UserAccount, UserChange, UserFault, UserLimit};
pub(super) use log::WITHOUT_TIME;
pub use log::{LogEntry, LogFault, LogPage, LogRecord, SensorEvent};
pub use overview::{
    ControllerView, IpmiVersion, LanAddress, LanView, LogUse, Overview, SessionView, SolHeld, View, WatchdogView,
};
pub(super) use power::Starting;
pub use power::{ControlFailed, PowerDone, PowerMeterState};
pub use repositories::{FruContent, FruDevice, SdrPlace, SdrRecord};
pub use sensors::{SensorFault, SensorState, ThresholdState};

use super::Simulator;
use crate::bmc::Controller;
use crate::bmc::watch::{Event, tell_power};
use crate::ipmi::McAddress;
use crate::settings::text::decode;

/// What is called when something that takes time has been done or has failed; at once where nothing has to be waited
/// for. Dropped uncalled when the system goes first.
pub type Done<T, E> = Box<dyn FnOnce(Result<T, E>) + Send>;

impl Simulator {
    /// IPMB address of the BMC; 20h while nobody gave it another one.
    pub fn bmc_address(&self) -> McAddress {
        self.machine.bmc.unwrap_or(McAddress::BMC)
    }

    fn bmc(&self) -> Option<&Controller> {
        self.machine.controller(self.bmc_address())
    }

    /// Begins to keep what happens, for [`take_events`](Self::take_events).
    pub fn watch(&mut self) {
        self.machine.watch.begin();
        // What is so now is no news.
        tell_power(&mut self.machine);
    }

    /// What happened since the last call, in order; nothing before [`watch`](Self::watch).
    pub fn take_events(&mut self) -> Vec<Event> {
        self.machine.watch.take()
    }
}

/// The text of a name that zeros fill up.
fn text_of(name: &[u8]) -> String {
    let end = name.iter().position(|byte| *byte == 0).unwrap_or(name.len());
    decode(name.get(..end).unwrap_or_default())
}
