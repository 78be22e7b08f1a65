//! What `status`, `sessions`, `sensors`, `sel` and `power` show at a console: texts for people, made of
//! the live state.
//!
//! Changes nothing, asks nobody, runs no program, and shows no secret. What names hold cannot move the
//! cursor of whoever reads them.

use std::fmt::Write;

use super::Simulator;
use super::lan_channels::LanSlot;
use crate::bmc::sensor::{Place, Sensor, SensorId, THRESHOLD_CODE, Threshold};
use crate::bmc::{Controller, Machine, boot, chassis, sensor, sol_parameters};
use crate::ipmi::{Moment, SessionId};
use crate::settings::model::{Address, Port};
use crate::settings::text::{decode, printable};

/// How many records of the event log are shown.
const NEWEST: usize = 50;

/// A name that came from outside, on one line.
fn safe(name: &str) -> String {
    name.chars().map(|c| if c == '\t' { '\u{2409}' } else { printable(c) }).collect()
}

fn plural(count: usize, one: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{count} {one}s") }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ")
}

impl Simulator {
    /// `status`: what is served, and how each controller is.
    pub(super) fn show_status(&self, now: Moment) -> String {
        let mut text = format!("ipmi_sim {}, name \"{}\"\n", env!("CARGO_PKG_VERSION"), safe(self.configured.name()));
        for controller in self.machine.controllers() {
            self.show_controller(now, controller, &mut text);
        }
        text
    }

    fn show_controller(&self, now: Moment, controller: &Controller, text: &mut String) {
        let mc = controller.address;
        let role = if self.machine.bmc == Some(mc) { " (BMC)" } else { "" };
        let state = match (controller.added, controller.enabled) {
            (false, _) => "not added",
            (true, false) => "disabled",
            (true, true) => "enabled",
        };
        let (power, device) = (power_state(now, controller), boot_device(controller));
        let _ = writeln!(text, "MC {mc:#04x}{role}: {state}, power {power}, boot device {device}");
        let mut slots: Vec<_> = self.lans.of(mc).collect();
        slots.sort_by_key(|slot| slot.id().channel);
        for slot in slots {
            let place = lan_place(slot);
            let sessions = plural(slot.channel().active_sessions(), "session");
            let _ = writeln!(text, "  LAN channel {}: {place}, {sessions}", slot.id().channel);
        }
        if let Some(watchdog) = &controller.watchdog {
            let _ = match watchdog.remaining(now) {
                Some(left) => writeln!(text, "  watchdog: running, {:.1} s left", left.as_secs_f64()),
                None => writeln!(text, "  watchdog: not running"),
            };
        }
        if controller.vm.start_command.is_some() {
            let state = match (controller.vm.exists(), controller.vm.is_ending()) {
                (true, true) => "running, told to end",
                (true, false) => "running",
                (false, _) => "not running",
            };
            let _ = writeln!(text, "  start command: {state}");
        }
        if let Some(host) = controller.channels.vm_host() {
            let _ = writeln!(text, "  VM: {}", if host.connected { "connected" } else { "not connected" });
        }
        let log = &controller.sel;
        if log.max_records() > 0 || log.records().len() > 0 {
            let _ = writeln!(text, "  SEL: {} of {} records", log.records().len(), log.max_records());
        }
    }

    /// `sessions`: who is logged in to the LAN channels of a controller.
    pub(super) fn show_sessions(&self, now: Moment, controller: &Controller) -> String {
        let mut text = String::new();
        let mut slots: Vec<_> = self.lans.of(controller.address).collect();
        slots.sort_by_key(|slot| slot.id().channel);
        for slot in slots {
            let mut sessions: Vec<_> = slot.channel().sessions().collect();
            sessions.sort_by_key(|session| (session.handle, session.id));
            for session in sessions {
                let user = controller.users.get(session.user).map(|user| shown_name(&user.name)).unwrap_or_default();
                let version = if session.rmcp_plus { "2.0" } else { "1.5" };
                let _ = writeln!(
                    text,
                    "channel {}: user {} {user}, {}, from {}, IPMI {version}, idle {} s{}",
                    slot.id().channel,
                    session.user,
                    session.privilege.name(),
                    session.peer.address,
                    now.since(session.last_used).as_secs(),
                    self.sol_of(session.id),
                );
            }
        }
        match text.is_empty() {
            true => format!("MC {:#04x} has no sessions\n", controller.address),
            false => text,
        }
    }

    /// What serial over LAN a session holds.
    fn sol_of(&self, session: SessionId) -> &'static str {
        let holds = |instance| {
            let mut sols = self.machine.controllers().filter_map(|controller| controller.sol.as_ref());
            sols.any(|sol| sol.owner(instance) == Some(session))
        };
        match (holds(sol_parameters::INSTANCE_PORT), holds(sol_parameters::INSTANCE_HISTORY)) {
            (true, _) => ", SOL active",
            (false, true) => ", SOL history",
            (false, false) => "",
        }
    }
}

/// A user name in quotes; the anonymous user has none.
fn shown_name(name: &[u8; 16]) -> String {
    let end = name.iter().position(|byte| *byte == 0).unwrap_or(name.len());
    format!("\"{}\"", safe(&decode(name.get(..end).unwrap_or_default())))
}

/// Where a LAN channel is: its address as lan.conf has it, with the port that it has got.
fn lan_place(slot: &LanSlot) -> String {
    let Some(Address { host, port, .. }) = &slot.config().address else { return "no address".into() };
    let host = if host.contains(':') { format!("[{}]", safe(host)) } else { safe(host) };
    let port = match (slot.is_open(), port) {
        (true, _) => slot.channel().settings().udp_port.to_string(),
        (false, Port::Number(number)) => number.to_string(),
        (false, Port::Service(name)) => safe(name),
    };
    format!("{host}:{port}{}", if slot.is_open() { "" } else { " (not open)" })
}

/// The device of the boot flags (IPMI 2.0 table 28-14) and for which boots.
fn boot_device(controller: &Controller) -> String {
    let flags = controller.chassis.boot.flags();
    let device = boot::device(&flags);
    let name = match device {
        0 => return "default".into(),
        1 => "PXE",
        2 => "disk",
        3 => "disk in safe mode",
        4 => "diagnostic partition",
        5 => "CD/DVD",
        6 => "BIOS setup",
        7 => "remote floppy",
        8 => "remote CD/DVD",
        9 => "primary remote media",
        11 => "remote disk",
        15 => "floppy",
        _ => return format!("{device:#x}"),
    };
    let when = match (flags[0] & boot::VALID != 0, flags[0] & boot::PERSISTENT != 0) {
        (true, true) => " for all boots",
        (true, false) => " for the next boot",
        (false, _) if controller.chassis.program.is_some() => "",
        (false, _) => " (no longer valid)",
    };
    format!("{name}{when}")
}

/// On or off; behind a program, what it said last.
fn power_state(now: Moment, controller: &Controller) -> &'static str {
    let seen = !controller.chassis.power_on_time(now).is_zero();
    match (chassis::backend(controller), chassis::known_power(controller)) {
        (chassis::Backend::Program, true) => "on when last asked",
        (chassis::Backend::Program, false) if seen => "off when last asked",
        (chassis::Backend::Program, false) => "not seen on yet",
        (_, true) => "on",
        (_, false) => "off",
    }
}

/// `power`: whether the power of a controller's machine is on. A program is not asked.
pub(super) fn power(now: Moment, controller: &Controller) -> String {
    let mut text = format!("MC {:#04x}: power {}\n", controller.address, power_state(now, controller));
    if chassis::backend(controller) == chassis::Backend::Program {
        text.push_str("    chassis_control decides; the program is asked when a client asks, not here\n");
    }
    text
}

/// `sensors`: a line for each sensor of a controller.
pub(super) fn sensors(machine: &Machine, controller: &Controller) -> String {
    let mc = controller.address;
    let mut text = String::new();
    for (place, sensor) in controller.sensors.iter() {
        let (id, Place { lun, number }) = (place.of(mc), place);
        let name = sensor::name(machine, id).map(|name| format!(" \"{}\"", safe(&name))).unwrap_or_default();
        let _ = writeln!(text, "LUN {lun} sensor {number}{name}: {}", reading(machine, id, sensor));
    }
    match text.is_empty() {
        true => format!("MC {mc:#04x} has no sensors\n"),
        false => text,
    }
}

/// What a sensor reads and which states hold.
fn reading(machine: &Machine, id: SensorId, sensor: &Sensor) -> String {
    if !sensor.enabled {
        return "not there".into();
    }
    if sensor.event_only {
        return "only makes events".into();
    }
    if !sensor.has_value {
        return "no reading yet".into();
    }
    let mut parts = Vec::new();
    if let Some(value) = sensor::reading(machine, id) {
        parts.push(format!("{}{}", decimal(value), unit(sensor::unit(machine, id).unwrap_or_default())));
    }
    parts.push(format!("raw {:#04x}", sensor.value));
    parts.push(states(sensor));
    if !sensor.scanning_enabled {
        parts.push("scanning is off".into());
    }
    parts.join(", ")
}

/// At most three decimals.
fn decimal(value: f64) -> String {
    let text = format!("{value:.3}");
    let short = text.trim_end_matches('0').trim_end_matches('.');
    if short == "-0" { "0".into() } else { short.into() }
}

/// Byte 21 and the base unit of a record as words; of the units, those that are common.
fn unit([units, base]: [u8; 2]) -> String {
    let name = match base {
        0 => "",
        1 => " degrees C",
        2 => " degrees F",
        3 => " K",
        4 => " V",
        5 => " A",
        6 => " W",
        7 => " J",
        18 => " RPM",
        19 => " Hz",
        other => return format!(" (unit {other})"),
    };
    format!("{}{name}", if units & 1 != 0 { " %" } else { "" })
}

/// The states that hold, in words.
fn states(sensor: &Sensor) -> String {
    let list: Vec<String> = match sensor.event_reading_code {
        THRESHOLD_CODE => {
            let crossed = |threshold: &&Threshold| sensor.status & u16::from(threshold.bit()) != 0;
            Threshold::ALL.iter().filter(crossed).map(|threshold| threshold.name().into()).collect()
        }
        _ => (0..15).filter(|bit| sensor.status & 1 << bit != 0).map(|bit| format!("state {bit}")).collect(),
    };
    match (list.is_empty(), sensor.event_reading_code) {
        (true, THRESHOLD_CODE) => "ok".into(),
        (true, _) => "no state".into(),
        (false, _) => list.join(", "),
    }
}

/// `sel`: the newest records of a controller's event log, oldest first.
pub(super) fn event_log(controller: &Controller) -> String {
    let (mc, log) = (controller.address, &controller.sel);
    let count = log.records().len();
    if count == 0 {
        return match log.max_records() {
            0 => format!("MC {mc:#04x} has no event log\n"),
            room => format!("MC {mc:#04x}: the event log is empty, with room for {room} records\n"),
        };
    }
    let left_out = count.saturating_sub(NEWEST);
    let mut text = String::new();
    if left_out > 0 {
        let _ = writeln!(text, "({} left out)", plural(left_out, "older record"));
    }
    for record in log.records().skip(left_out) {
        let _ = writeln!(text, "{}", event(record));
    }
    text
}

/// A record of the event log (IPMI 2.0 tables 32-1 to 32-3) in short.
fn event(record: &[u8; 16]) -> String {
    let [id0, id1, kind, t0, t1, t2, t3, g0, g1, rest @ ..] = *record;
    let id = u16::from_le_bytes([id0, id1]);
    let time = time_text(u32::from_le_bytes([t0, t1, t2, t3]));
    match kind {
        0x02 => {
            let [_, sensor_type, number, code, data @ ..] = rest;
            let direction = if code & 0x80 == 0 { "asserted" } else { "deasserted" };
            format!(
                "{id:5} {time} from {g0:02x} LUN {}: sensor {number}, sensor type {sensor_type:#04x}, {direction}, event type {:#04x}, data {}",
                g1 & 0x03,
                code & 0x7f,
                hex(&data),
            )
        }
        0xe0.. => format!("{id:5} no time: type {kind:#04x}, data {}", hex(&record[3..])),
        _ => format!("{id:5} {time}: type {kind:#04x}, data {}", hex(&record[7..])),
    }
}

/// A time of the log's clock (IPMI 2.0 section 37): small ones count from the start.
fn time_text(time: u32) -> String {
    /// The first time that is a date.
    const FIRST_DATE: u32 = 0x2000_0000;
    match time {
        u32::MAX => return "no time".into(),
        0..=FIRST_DATE => return format!("{time} s after the start"),
        _ => {}
    }
    let (mut days, seconds) = (time / 86_400, time % 86_400);
    let leap = |year: u32| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let (mut year, mut month) = (1970, 1);
    loop {
        let length = if leap(year) { 366 } else { 365 };
        if days < length {
            break;
        }
        days -= length;
        year += 1;
    }
    for length in [31, if leap(year) { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30] {
        if days < length {
            break;
        }
        days -= length;
        month += 1;
    }
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!("{year}-{month:02}-{:02} {hour:02}:{minute:02}:{second:02}", days + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_the_log_are_dates() {
        for (time, expected) in [
            (0, "0 s after the start"),
            (0x2000_0000, "536870912 s after the start"),
            (951_782_399, "2000-02-28 23:59:59"),
            (951_782_400, "2000-02-29 00:00:00"),
            (1_735_689_599, "2024-12-31 23:59:59"),
            (1_735_689_600, "2025-01-01 00:00:00"),
            (4_107_542_400, "2100-03-01 00:00:00"),
            (u32::MAX - 1, "2106-02-07 06:28:14"),
            (u32::MAX, "no time"),
        ] {
            assert_eq!(time_text(time), expected, "{time}");
        }
    }

    #[test]
    fn records_are_shown_in_short() {
        let shown = |bytes: [u8; 16]| event(&bytes);
        let standard = [1, 0, 2, 0x80, 0x43, 0x6d, 0x38, 0x20, 0, 4, 1, 0x30, 0x01, 0x57, 0x60, 0x64];
        assert_eq!(
            shown(standard),
            "    1 2000-01-01 00:00:00 from 20 LUN 0: sensor 48, sensor type 0x01, asserted, event type 0x01, data 57 60 64"
        );
        let left = [0xff, 0xfe, 2, 5, 0, 0, 0, 0x30, 3, 4, 8, 9, 0xef, 1, 0xff, 0xff];
        assert_eq!(
            shown(left),
            "65279 5 s after the start from 30 LUN 3: sensor 9, sensor type 0x08, deasserted, event type 0x6f, data 01 ff ff"
        );
        let oem = |kind| [2, 0, kind, 5, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9];
        assert_eq!(shown(oem(0xc0)), "    2 5 s after the start: type 0xc0, data 01 02 03 04 05 06 07 08 09");
        assert_eq!(shown(oem(0xe0)), "    2 no time: type 0xe0, data 05 00 00 00 01 02 03 04 05 06 07 08 09");
    }

    #[test]
    fn numbers_have_no_more_decimals_than_needed() {
        for (value, expected) in [(12.0, "12"), (1.005_5, "1.006"), (-0.000_1, "0"), (-5.5, "-5.5"), (100.0, "100")] {
            assert_eq!(decimal(value), expected);
        }
        assert_eq!(
            [unit([0, 1]), unit([1, 0]), unit([0, 18]), unit([0, 80])],
            [" degrees C", " %", " RPM", " (unit 80)"]
        );
    }
}
