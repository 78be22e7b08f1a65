//! Faults of devices: what is wrong with logs, records, readings, clocks, consoles, resets and logins.

use std::time::Duration;

use super::super::Simulator;
use super::super::effect::{Effects, LanId};
use super::{Faults, Occasion, Odd};
use crate::bmc::sel::Fullness;
use crate::ipmi::{CompletionCode, McAddress, Moment, Peer, Response, netfn};
use crate::settings::fault::{Chance, Fault, Kind, Scope};

/// Cold Reset (IPMI 2.0 section 20.2), of the network function App.
const COLD_RESET: u8 = 0x02;
/// Get SDR (IPMI 2.0 section 33.12), of the network function Storage.
const GET_SDR: u8 = 0x23;
/// Get Sensor Reading (IPMI 2.0 section 35.14), of the network function Sensor/Event.
const GET_SENSOR_READING: u8 = 0x2d;
/// Where the flags of a reading are.
const FLAGS: usize = 1;
/// Scanning enabled.
const SCANNING: u8 = 0x40;
/// Reading or state unavailable.
const UNAVAILABLE: u8 = 0x20;
/// Most bytes of a SOL port that wait.
const MOST_STALLED: usize = 64 << 10;

/// What is not as it should be in the flags of a reading.
#[derive(Clone, Copy, Default)]
pub(super) struct Flags {
    unavailable: bool,
    disabled: bool,
}

impl Flags {
    /// What a fault makes of them.
    pub(super) fn take(&mut self, kind: Kind) {
        self.unavailable |= matches!(kind, Kind::SensorUnavailable { .. });
        self.disabled |= matches!(kind, Kind::SensorDisabled { .. });
    }
}

impl Odd {
    /// Changes a response to a request that was executed.
    pub(in super::super) fn change(&self, response: &mut Response) {
        if response.code() != CompletionCode::OK {
            return;
        }
        let Flags { unavailable, disabled } = self.flags;
        if let Some(flags) = response.data_mut().get_mut(FLAGS).filter(|_| unavailable || disabled) {
            *flags |= UNAVAILABLE;
            if disabled {
                *flags &= !SCANNING;
            }
        }
    }
}

/// Whether a fault begins or ends.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    Begins,
    Ends,
}

/// Whether a request is one that a fault of a device strikes.
pub(super) fn concerns(kind: Kind, asked: (u8, u8), data: &[u8]) -> bool {
    match kind {
        Kind::OfflineAfterReset { .. } => asked == (netfn::APP, COLD_RESET),
        Kind::SdrBusy => asked == (netfn::STORAGE, GET_SDR),
        Kind::SensorUnavailable { sensor } | Kind::SensorDisabled { sensor } => {
            let is_meant = |number| sensor.is_none_or(|sensor| sensor == number);
            asked == (netfn::SENSOR_EVENT, GET_SENSOR_READING) && data.first().copied().is_some_and(is_meant)
        }
        _ => false,
    }
}

/// Whether a datagram asks for a session: an RMCP+ Open Session Request, or Activate Session.
fn opens_session(datagram: &[u8]) -> bool {
    /// Behind header, code and the addresses of the message: network function, and the command.
    fn activates(datagram: &[u8], header: usize) -> bool {
        let byte = |index: usize| datagram.get(header + index).copied();
        byte(1).is_some_and(|netfn| netfn >> 2 == netfn::APP) && byte(5) == Some(0x3a)
    }
    match datagram.get(4..6) {
        Some([6, 0x10]) => true,
        Some([6, _]) | None => false,
        Some([0, _]) => activates(datagram, 14),
        Some(_) => activates(datagram, 30),
    }
}

/// The command of a message that a LAN channel answers by itself and that is in clear, a request or a response: Get Channel
/// Authentication Capabilities, Get Session Challenge, and Activate Session of IPMI 1.5. `None`: it is something else.
pub(super) fn without_session(datagram: &[u8]) -> Option<(u8, u8)> {
    const ACTIVATE_SESSION: u8 = 0x3a;
    let byte = |index: usize| datagram.get(index).copied();
    // Header of RMCP, then that of the session (tables 13-8); the id of the session is 0 where there is none.
    let (header, id) = match (byte(3)?, byte(4)?, byte(5)?) {
        (7, 6, 0) => (16, 6),
        (7, 6, _) => return None,
        (7, 0, _) => (14, 9),
        (7, ..) => (30, 9),
        _ => return None,
    };
    let (netfn, cmd) = (byte(header + 1)? >> 2 & !1, byte(header + 5)?);
    let outside = datagram.get(id..id + 4)?.iter().all(|byte| *byte == 0);
    let is_one = netfn == netfn::APP && (0x38..=ACTIVATE_SESSION).contains(&cmd);
    (is_one && (outside || cmd == ACTIVATE_SESSION)).then_some((netfn, cmd))
}

impl Faults {
    /// Whether a fault that holds all the time is in force for a controller.
    fn holds(&self, now: Moment, mc: McAddress, is: impl Fn(Kind) -> bool) -> bool {
        let is_for = |scope: &Scope| scope.mc.is_none_or(|own| own == mc);
        self.list.iter().any(|one| is(one.fault.kind) && is_for(&one.fault.scope) && !one.is_over(now))
    }
}

impl Simulator {
    /// Whether a datagram asks for a session that is refused.
    pub(in super::super) fn refuses_session(&mut self, now: Moment, lan: LanId, from: Peer, datagram: &[u8]) -> bool {
        let Some(faults) = self.faults.as_deref_mut().filter(|_| opens_session(datagram)) else { return false };
        let (channel, client) = (Some(lan.channel), Some(from.ip()));
        let occasion = Occasion { mc: lan.mc, channel, client, command: None, way: None };
        !faults.strike(now, &occasion, |fault| fault.kind == Kind::RefuseSession).is_empty()
    }

    /// After a cold reset nobody is served.
    pub(in super::super) fn go_offline(&mut self, now: Moment, mc: McAddress, lasts: Duration, out: &mut Effects) {
        self.end_sessions(now, mc, out);
        let scope = Scope { mc: Some(mc), ..Scope::default() };
        let fault = Fault { kind: Kind::Hang, scope, chance: Chance::ALWAYS, count: None, lasts: Some(lasts) };
        // Where there is no room for it, there is enough that goes wrong.
        let _ = self.set_fault(now, &fault, out);
    }

    /// Somebody else reserves the SDR repository.
    pub(super) fn reserve_sdrs(&mut self, mc: McAddress) {
        if let Some(controller) = self.machine.controller_mut(mc) {
            controller.sdr.reserve();
        }
    }

    /// What holds all the time begins or ends with its fault.
    pub(super) fn states_change(&mut self, now: Moment, fault: &Fault, change: Change) {
        let Self { machine, faults, .. } = self;
        let faults = faults.as_deref();
        for controller in machine.controllers_mut() {
            let mc = controller.address;
            if fault.scope.mc.is_some_and(|own| own != mc) {
                continue;
            }
            match fault.kind {
                Kind::SelFull => {
                    let full = faults.is_some_and(|faults| faults.holds(now, mc, |kind| kind == Kind::SelFull));
                    controller.sel.set_full(if full { Fullness::OnPurpose } else { Fullness::ByRecords });
                }
                Kind::Clock { by } => {
                    let by = if change == Change::Begins { by } else { by.wrapping_neg() };
                    let (log, records) = (controller.sel.time(now), controller.sdr.time(now));
                    controller.sel.set_time(now, log.wrapping_add_signed(by));
                    controller.sdr.set_time(now, records.wrapping_add_signed(by));
                }
                _ => return,
            }
        }
    }

    /// A controller was made anew: what holds all the time holds for it, too.
    pub(in super::super) fn hold_for_new(&mut self, now: Moment, mc: McAddress) {
        let Self { machine, faults, .. } = self;
        let (Some(faults), Some(controller)) = (faults.as_deref(), machine.controller_mut(mc)) else { return };
        if faults.holds(now, mc, |kind| kind == Kind::SelFull) {
            controller.sel.set_full(Fullness::OnPurpose);
        }
        let is_for = |scope: &Scope| scope.mc.is_none_or(|own| own == mc);
        let jumps = faults.list.iter().filter(|one| is_for(&one.fault.scope) && !one.is_over(now));
        let by = jumps.fold(0_i32, |sum, one| match one.fault.kind {
            Kind::Clock { by } => sum.wrapping_add(by),
            _ => sum,
        });
        let (log, records) = (controller.sel.time(now), controller.sdr.time(now));
        controller.sel.set_time(now, log.wrapping_add_signed(by));
        controller.sdr.set_time(now, records.wrapping_add_signed(by));
    }

    /// Bytes came from the SOL port of an MC, and are heard or not.
    pub(in super::super) fn faulty_sol_data(&mut self, now: Moment, mc: McAddress, bytes: &[u8], out: &mut Effects) {
        let Some(faults) = self.faults.as_deref_mut() else { return };
        let occasion = Occasion { mc, channel: None, client: None, command: None, way: None };
        let struck = faults.strike(now, &occasion, |fault| matches!(fault.kind, Kind::SolLose | Kind::SolDuplicate));
        let is = |wanted| struck.iter().any(|(kind, _)| *kind == wanted);
        if is(Kind::SolLose) {
            return;
        }
        let bytes = bytes.repeat(if is(Kind::SolDuplicate) { 2 } else { 1 });
        if !faults.holds(now, mc, |kind| kind == Kind::SolStall) {
            return self.sol_arrived(now, mc, &bytes, out);
        }
        match faults.stalled.iter_mut().find(|(of, _)| *of == mc) {
            Some((_, before)) => before.extend(bytes.iter().take(MOST_STALLED.saturating_sub(before.len()))),
            None => faults.stalled.push((mc, bytes)),
        }
    }

    /// What SOL ports have said is heard when nothing stalls it any more.
    pub(super) fn release_sol(&mut self, now: Moment, out: &mut Effects) {
        let Some(faults) = self.faults.as_deref_mut().filter(|faults| !faults.stalled.is_empty()) else { return };
        let (still, over): (Vec<_>, Vec<_>) = std::mem::take(&mut faults.stalled)
            .into_iter()
            .partition(|(mc, _)| faults.holds(now, *mc, |kind| kind == Kind::SolStall));
        faults.stalled = still;
        over.iter().for_each(|(mc, bytes)| self.sol_arrived(now, *mc, bytes, out));
    }
}
