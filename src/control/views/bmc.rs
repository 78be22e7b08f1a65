//! A BMC: in short in a list, in full by itself.

use std::net::SocketAddr;
use std::sync::Arc;

use serde::Serialize;

use super::word::{self, BOOTS, DEVICES, LEVELS};
use crate::bmc::boot::{Boots, Device};
use crate::bmc::chassis::PowerState;
use crate::runtime::door::{Entry, State};
use crate::sim::{ControllerView, FaultView, LanView, LogUse, SessionView, Simulator, SolHeld, View, WatchdogView};

/// In short.
#[derive(Debug, Serialize)]
pub(in crate::control) struct Summary {
    pub(in crate::control) name: Arc<str>,
    state: &'static str,
    power: &'static str,
    sessions: usize,
    alarms: usize,
    sel_records: usize,
    faults: usize,
    addresses: Vec<SocketAddr>,
}

impl Summary {
    /// Of a BMC.
    pub(in crate::control) fn of(entry: &Entry<'_>) -> Self {
        let overview = entry.system().overview();
        let mut addresses: Vec<SocketAddr> = entry.places().map(|(_, place)| place).collect();
        addresses.sort_unstable();
        Self {
            name: Arc::clone(entry.name()),
            state: match entry.state() {
                State::Starting => "starting",
                State::Running => "running",
                State::Leaving => "leaving",
            },
            power: power(overview.power),
            sessions: overview.sessions,
            alarms: overview.alarms,
            sel_records: overview.log_records,
            faults: overview.faults,
            addresses,
        }
    }
}

/// The word for a power state.
pub(in crate::control) fn power(state: PowerState) -> &'static str {
    match state {
        PowerState::On => "on",
        PowerState::Off => "off",
        PowerState::Unknown => "unknown",
    }
}

/// In full.
#[derive(Debug, Serialize)]
pub(in crate::control) struct Bmc {
    #[serde(flatten)]
    summary: Summary,
    index: usize,
    boot: Boot,
    controllers: Vec<Controller>,
    lan: Vec<Lan>,
    sessions_open: Vec<Session>,
    counts: Counts,
    faults_in_force: Vec<Fault>,
}

impl Bmc {
    /// Of a BMC.
    pub(in crate::control) fn of(entry: &Entry<'_>) -> Self {
        let View { boot, controllers, lans, sessions, .. } = entry.system().view(entry.now());
        Self {
            summary: Summary::of(entry),
            index: entry.index(),
            boot: Boot::of(boot),
            controllers: controllers.into_iter().map(Controller::of).collect(),
            lan: lans.into_iter().map(Lan::of).collect(),
            sessions_open: sessions.into_iter().map(Session::of).collect(),
            counts: Counts::of(entry.system()),
            faults_in_force: entry.system().faults(entry.now()).into_iter().map(Fault::of).collect(),
        }
    }
}

/// What the machine is to boot from.
#[derive(Debug, Serialize)]
pub(in crate::control) struct Boot {
    device: &'static str,
    boots: Option<&'static str>,
}

impl Boot {
    /// Of what is set, if something is.
    pub(in crate::control) fn of(boot: Option<(Device, Boots)>) -> Self {
        match boot {
            Some((device, boots)) => {
                Self { device: word::of(&DEVICES, &device), boots: Some(word::of(&BOOTS, &boots)) }
            }
            None => Self { device: "none", boots: None },
        }
    }
}

/// What goes wrong on purpose.
#[derive(Debug, Serialize)]
struct Fault {
    number: u32,
    kind: &'static str,
    fault: String,
    struck: u64,
    remaining_seconds: Option<f64>,
}

impl Fault {
    fn of(FaultView { number, fault, struck, left }: FaultView) -> Self {
        let (kind, text) = (fault.kind.word(), fault.to_string());
        Self { number, kind, fault: text, struck, remaining_seconds: left.map(|left| left.as_secs_f64()) }
    }
}

#[derive(Debug, Serialize)]
struct Counts {
    requests: u64,
    failed_logins: u64,
}

impl Counts {
    fn of(system: &Simulator) -> Self {
        let counts = system.counts();
        Self {
            requests: counts.map_or(0, |counts| counts.requests.total()),
            failed_logins: counts.map_or(0, |counts| counts.failed_logins),
        }
    }
}

#[derive(Debug, Serialize)]
struct Controller {
    mc: u8,
    is_bmc: bool,
    enabled: bool,
    device_id: u8,
    firmware: String,
    ipmi_version: String,
    manufacturer_id: u32,
    product_id: u16,
    guid: Option<String>,
    sensors: usize,
    sel: Option<Log>,
    fru_devices: Vec<u8>,
    watchdog: Option<Watchdog>,
}

#[derive(Debug, Serialize)]
struct Log {
    used: usize,
    room: u32,
}

#[derive(Debug, Serialize)]
struct Watchdog {
    running: bool,
    remaining_seconds: Option<f64>,
}

impl Controller {
    fn of(view: ControllerView) -> Self {
        let (major, minor) = view.ipmi_version;
        Self {
            mc: view.mc.0,
            is_bmc: view.is_bmc,
            enabled: view.added && view.enabled,
            device_id: view.device_id,
            firmware: format!("{}.{:02x}", view.firmware_major, view.firmware_minor),
            ipmi_version: format!("{major}.{minor}"),
            manufacturer_id: view.manufacturer,
            product_id: view.product,
            guid: view.guid.map(|guid| super::hex(&guid)),
            sensors: view.sensors,
            sel: view.log.map(|LogUse { used, room }| Log { used, room }),
            fru_devices: view.fru_devices,
            watchdog: view.watchdog.map(|WatchdogView { remaining }| Watchdog {
                running: remaining.is_some(),
                remaining_seconds: remaining.map(|left| left.as_secs_f64()),
            }),
        }
    }
}

#[derive(Debug, Serialize)]
struct Lan {
    mc: u8,
    channel: u8,
    address: Option<String>,
    open: bool,
    sessions: usize,
}

impl Lan {
    fn of(view: LanView) -> Self {
        Self {
            mc: view.mc.0,
            channel: view.channel.get(),
            address: view.address.map(|address| address.to_string()),
            open: view.open,
            sessions: view.sessions,
        }
    }
}

#[derive(Debug, Serialize)]
struct Session {
    mc: u8,
    channel: u8,
    handle: u8,
    user: u8,
    user_name: String,
    privilege: &'static str,
    client: SocketAddr,
    ipmi_version: &'static str,
    idle_seconds: f64,
    sol: bool,
}

impl Session {
    fn of(view: SessionView) -> Self {
        Self {
            mc: view.mc.0,
            channel: view.channel.get(),
            handle: view.handle,
            user: view.user.get(),
            user_name: view.user_name,
            privilege: word::of(&LEVELS, &view.privilege),
            client: view.client,
            ipmi_version: view.ipmi_version.name(),
            idle_seconds: view.idle.as_secs_f64(),
            sol: view.sol != SolHeld::Nothing,
        }
    }
}
