//! What `status`, `sessions`, `sensors`, `sel` and `power` show at a console: texts for people, made of
//! the live state.
//!
//! Changes nothing, asks nobody, runs no program, and shows no secret. What names hold cannot move the
//! cursor of whoever reads them.

use std::fmt::Write;
use std::time::Duration;

use super::Simulator;
use super::faults::FaultView;
use super::operations::{LanView, LogRecord, PowerMeterState, SensorState, SolHeld, WITHOUT_TIME};
use crate::bmc::chassis::PowerState;
use crate::bmc::fill::Progress;
use crate::bmc::{Controller, Machine, boot, chassis};
use crate::ipmi::Moment;
use crate::settings::text::printable;

/// How many records of the event log are shown.
const NEWEST: usize = 50;

/// `faults`: a line for each fault on purpose.
pub(super) fn faults(faults: &[FaultView]) -> String {
    let line = |FaultView { number, fault, struck, left }: &FaultView| {
        let text = |left: Duration| match left.as_millis() {
            short @ ..1000 => format!(", {short} ms left"),
            _ => format!(", {:.1} s left", left.as_secs_f64()),
        };
        let left = left.map(text).unwrap_or_default();
        format!("{number}: {fault}; struck {struck} times{left}\n")
    };
    match faults {
        [] => "No fault is in force\n".into(),
        some => some.iter().map(line).collect(),
    }
}

/// `sel_fills`: a line for each event log that fills, or has been filled.
pub(super) fn fills(now: Moment, machine: &Machine) -> String {
    let line = |controller: &Controller| {
        let Progress { done, lost, total, next } = controller.fill.as_ref()?.progress(now);
        let of = total.map(|total| format!(" of {total}")).unwrap_or_default();
        let next = next.map_or("the last was that".into(), |next| format!("the next in {:.3} s", next.as_secs_f64()));
        Some(format!(
            "MC {:#04x}: {done}{of} records came, {lost} were lost to a full log; {next}\n",
            controller.address
        ))
    };
    let lines: String = machine.controllers().filter_map(line).collect();
    if lines.is_empty() { "No event log fills\n".into() } else { lines }
}

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
        let view = self.controller_view(now, controller);
        let mc = view.mc;
        let role = if view.is_bmc { " (BMC)" } else { "" };
        let state = match (view.added, view.enabled) {
            (false, _) => "not added",
            (true, false) => "disabled",
            (true, true) => "enabled",
        };
        let (power, device) = (power_text(controller), boot_device(controller));
        let _ = writeln!(text, "MC {mc:#04x}{role}: {state}, power {power}, boot device {device}");
        for lan in self.lan_views_of(mc) {
            let sessions = plural(lan.sessions, "session");
            let _ = writeln!(text, "  LAN channel {}: {}, {sessions}", lan.channel, lan_place(&lan));
        }
        if let Some(watchdog) = view.watchdog {
            let _ = match watchdog.remaining {
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
        if let Some(log) = view.log {
            let _ = writeln!(text, "  SEL: {} of {} records", log.used, log.room);
        }
    }

    /// `sessions`: who is logged in to the LAN channels of a controller.
    pub(super) fn show_sessions(&self, now: Moment, controller: &Controller) -> String {
        let mut text = String::new();
        for session in self.session_views(now, controller.address) {
            let _ = writeln!(
                text,
                "channel {}: user {} \"{}\", {}, from {}, IPMI {}, idle {} s{}",
                session.channel,
                session.user,
                safe(&session.user_name),
                session.privilege.name(),
                session.client,
                session.ipmi_version.name(),
                session.idle.as_secs(),
                match session.sol {
                    SolHeld::Port => ", SOL active",
                    SolHeld::History => ", SOL history",
                    SolHeld::Nothing => "",
                },
            );
        }
        match text.is_empty() {
            true => format!("MC {:#04x} has no sessions\n", controller.address),
            false => text,
        }
    }

    /// `sensors`: a line for each sensor of a controller.
    pub(super) fn show_sensors(&self, controller: &Controller) -> String {
        let mc = controller.address;
        let mut text = String::new();
        for sensor in self.sensors_of(mc).unwrap_or_default() {
            let name = sensor.name.as_ref().map(|name| format!(" \"{}\"", safe(name))).unwrap_or_default();
            let _ = writeln!(text, "LUN {} sensor {}{name}: {}", sensor.lun, sensor.number, reading(&sensor));
        }
        match text.is_empty() {
            true => format!("MC {mc:#04x} has no sensors\n"),
            false => text,
        }
    }
}

/// Where a LAN channel is: its address as lan.conf has it, with the port that it has got.
fn lan_place(lan: &LanView) -> String {
    let Some(address) = &lan.address else { return "no address".into() };
    format!("{}{}", safe(&address.to_string()), if lan.open { "" } else { " (not open)" })
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
fn power_text(controller: &Controller) -> &'static str {
    match (chassis::backend(controller), chassis::power_state(controller)) {
        (chassis::Backend::Program, PowerState::On) => "on when last asked",
        (chassis::Backend::Program, PowerState::Off) => "off when last asked",
        (_, PowerState::Unknown) => "not seen on yet",
        (_, PowerState::On) => "on",
        (_, PowerState::Off) => "off",
    }
}

/// `power`: whether the power of a controller's machine is on. A program is not asked.
pub(super) fn power(controller: &Controller) -> String {
    let mut text = format!("MC {:#04x}: power {}\n", controller.address, power_text(controller));
    if chassis::backend(controller) == chassis::Backend::Program {
        text.push_str("    chassis_control decides; the program is asked when a client asks, not here\n");
    }
    text
}

/// What the power meter tells.
pub(super) fn power_meter(meter: &PowerMeterState) -> String {
    let PowerMeterState { reading, energy } = meter;
    let (low, high, average) = (reading.minimum, reading.maximum, reading.average);
    let period = reading.period.as_secs();
    format!(
        "    {} W now, {low} to {high} W and {average} W on average in {period} s, {} Wh since the start\n",
        reading.current,
        decimal(energy / 3600.0)
    )
}

/// What a sensor reads and which states hold.
fn reading(sensor: &SensorState) -> String {
    if !sensor.present {
        return "not there".into();
    }
    if sensor.event_only {
        return "only makes events".into();
    }
    let Some(raw) = sensor.raw else { return "no reading yet".into() };
    let mut parts = Vec::new();
    if let Some(value) = sensor.value {
        let unit = sensor.unit.as_ref().map(|unit| format!(" {unit}")).unwrap_or_default();
        parts.push(format!("{}{unit}", decimal(value)));
    }
    parts.push(format!("raw {raw:#04x}"));
    parts.push(states(sensor));
    if let Some(signal) = &sensor.follows {
        parts.push(format!("follows {signal}"));
    }
    if !sensor.scanning {
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

/// The states that hold, in words.
fn states(sensor: &SensorState) -> String {
    let list: Vec<String> = match sensor.has_thresholds() {
        true => sensor.crossed().map(|threshold| threshold.name().into()).collect(),
        false => sensor.discrete_states().map(|state| format!("state {state}")).collect(),
    };
    match (list.is_empty(), sensor.has_thresholds()) {
        (true, true) => "ok".into(),
        (true, false) => "no state".into(),
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
    let LogRecord { id, record_type, time, event, bytes } = LogRecord::new(*record);
    let shown = time.map_or_else(|| "no time".into(), time_text);
    let Some(event) = event else {
        let data = hex(if record_type < WITHOUT_TIME { &bytes[7..] } else { &bytes[3..] });
        return format!("{id:5} {shown}: type {record_type:#04x}, data {data}");
    };
    let [address, place] = event.generator.to_le_bytes();
    format!(
        "{id:5} {shown} from {address:02x} LUN {}: sensor {}, sensor type {:#04x}, {}, event type {:#04x}, data {}",
        place & 0x03,
        event.sensor,
        event.sensor_type,
        if event.asserted { "asserted" } else { "deasserted" },
        event.event_type,
        hex(&event.data),
    )
}

/// A time of the log's clock (IPMI 2.0 section 37): small ones count from the start.
fn time_text(time: u32) -> String {
    /// The first time that is a date.
    const FIRST_DATE: u32 = 0x2000_0000;
    if time <= FIRST_DATE {
        return format!("{time} s after the start");
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
    }
}
