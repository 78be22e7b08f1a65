//! DCMI commands, group DCh: the Data Center Manageability Interface 1.5.
//!
//! Every request starts with the group byte, and every good answer carries it behind the
//! completion code.

use std::time::Duration;

use super::super::{Context, Entry, Outcome};
use crate::bmc::channel::medium;
use crate::bmc::dcmi::{self, Dhcp, MOST_TEXT, PowerLimit, Temperature, write_text};
use crate::bmc::sensor;
use crate::bmc::{Controller, chassis};
use crate::ipmi::{CompletionCode, Request, Response};

/// The group: DCMI.
pub const GROUP: u8 = 0xdc;

/// The DCMI commands, by number. Minimum lengths count the group byte; levels are those of DCMI 1.5 table 5-1.
#[rustfmt::skip]
pub static COMMANDS: &[Entry] = &[
    Entry::new(0x01, "Get DCMI Capabilities Info", get_capabilities).at_least(2).user().reads(),
    Entry::new(0x02, "Get Power Reading", get_power_reading).at_least(4).user().reads(),
    Entry::new(0x03, "Get Power Limit", get_power_limit).at_least(3).user().reads(),
    Entry::new(0x04, "Set Power Limit", set_power_limit).at_least(15).operator().keeps(),
    Entry::new(0x05, "Activate/Deactivate Power Limit", activate_power_limit).at_least(2).operator().keeps(),
    Entry::new(0x06, "Get Asset Tag", get_asset_tag).at_least(3).user().reads(),
    Entry::new(0x07, "Get DCMI Sensor Info", get_sensor_info).at_least(5).user().reads(),
    Entry::new(0x08, "Set Asset Tag", set_asset_tag).at_least(3).operator().keeps(),
    Entry::new(0x09, "Get Management Controller Identifier String", get_identifier).at_least(3).user().reads(),
    Entry::new(0x0a, "Set Management Controller Identifier String", set_identifier).at_least(3).administrator().keeps(),
    Entry::new(0x0b, "Set Thermal Limit", set_thermal_limit).at_least(7).operator().keeps(),
    Entry::new(0x0c, "Get Thermal Limit", get_thermal_limit).at_least(3).user().reads(),
    Entry::new(0x10, "Get Temperature Readings", get_temperatures).at_least(5).user().reads(),
    Entry::new(0x12, "Set DCMI Configuration Parameters", set_parameter).at_least(4).administrator().keeps(),
    Entry::new(0x13, "Get DCMI Configuration Parameters", get_parameter).at_least(3).user().reads(),
];

/// Get DCMI Capabilities Info.
const GET_CAPABILITIES: u8 = 0x01;
/// Conformance with DCMI 1.5, parameter revision 2.
const CONFORMANCE: [u8; 3] = [1, 5, 2];
/// Most bytes of a text that are read or written at once.
const MOST_BYTES: u8 = 16;
/// Most record ids, and temperatures, of one response.
const MOST_INSTANCES: usize = 8;
/// Sensor type: temperature.
const TEMPERATURE: u8 = 0x01;
/// Seconds between readings of temperature sensors: they are read when somebody asks.
const SAMPLING: u8 = 1;
/// Power reading state: measurement is active.
const MEASURED: u8 = 0x40;

/// Averaging periods of the enhanced statistics: bits 7-6 the unit (seconds, minutes, hours,
/// days), bits 5-0 how many. 5, 15, 30 s, 1, 3, 7, 15, 30 min, 1 h.
const PERIODS: [u8; 9] = [0x05, 0x0f, 0x1e, 0x41, 0x43, 0x47, 0x4f, 0x5e, 0x81];

fn period(code: u8) -> Duration {
    const UNITS: [u64; 4] = [1, 60, 3600, 86400];
    let unit = UNITS.get(usize::from(code >> 6)).copied().unwrap_or(1);
    Duration::from_secs(unit * u64::from(code & 0x3f))
}

fn byte(request: &Request<'_>, at: usize) -> Result<u8, CompletionCode> {
    request.data.get(at).copied().ok_or(CompletionCode::INVALID_LENGTH)
}

fn word(request: &Request<'_>, at: usize) -> Result<u16, CompletionCode> {
    Ok(u16::from_le_bytes([byte(request, at)?, byte(request, at + 1)?]))
}

/// Request: parameter. Response: conformance, revision, data. CCh for an unknown parameter.
fn get_capabilities(
    context: &mut Context<'_>,
    request: &Request<'_>,
    response: &mut Response,
) -> Result<Outcome, CompletionCode> {
    capabilities(context.controller()?, byte(request, 1)?, response)?;
    Ok(Outcome::Done)
}

/// What Get DCMI Capabilities Info answers by a LAN channel of a controller to whoever has no session
/// yet (DCMI 1.5 section 6.1); D5h to any other request, and where there is no DCMI.
pub fn before_login(
    controller: &Controller,
    cmd: u8,
    data: &[u8],
    response: &mut Response,
) -> Result<(), CompletionCode> {
    match data {
        [GROUP, rest @ ..] if cmd == GET_CAPABILITIES && !controller.dcmi.disabled => {
            capabilities(controller, *rest.first().ok_or(CompletionCode::INVALID_LENGTH)?, response)
        }
        _ => Err(CompletionCode::NOT_IN_PRESENT_STATE),
    }
}

fn capabilities(controller: &Controller, parameter: u8, response: &mut Response) -> Result<(), CompletionCode> {
    let mut lans = controller.channels.lans().map(|(number, _)| number.get());
    let (primary, secondary) = (lans.next(), lans.next());
    let absent = 0xff;
    response.put(&[GROUP])?;
    match parameter {
        // Power management; system interface, terminal mode, secondary LAN channel. What is
        // mandatory is reserved since DCMI 1.1.
        1 => {
            let host = controller.channels.host().is_some();
            let terminal = controller.channels.iter().any(|(_, channel)| channel.medium == medium::RS232);
            let access = u8::from(host) | u8::from(terminal) << 1 | u8::from(secondary.is_some()) << 2;
            response.put(&CONFORMANCE)?;
            response.put(&[0x00, 0x01, access])?;
        }
        // Entries of the log, which does not roll over; GUID, asset tag; temperatures of inlet,
        // processor, baseboard, and how often they are read.
        2 => {
            let entries = (controller.sel.max_records().min(0x0fff) as u16).to_le_bytes();
            response.put(&CONFORMANCE)?;
            response.put(&entries)?;
            response.put(&[0x05, 0x07, SAMPLING])?;
        }
        // Power is managed by this controller, on the primary channel.
        3 => {
            response.put(&CONFORMANCE)?;
            response.put(&[controller.address.0, 0x01])?;
        }
        4 => {
            response.put(&CONFORMANCE)?;
            response.put(&[primary.unwrap_or(absent), secondary.unwrap_or(absent), absent])?;
        }
        5 => {
            response.put(&CONFORMANCE)?;
            response.put(&[PERIODS.len() as u8])?;
            response.put(&PERIODS)?;
        }
        _ => return Err(CompletionCode::INVALID_FIELD),
    }
    Ok(())
}

/// Request: 1, or 2 and an averaging period. Response: present, lowest, highest, average power in
/// watts, time, period (milliseconds, or the averaging period), state. CBh while a sensor that
/// tells the power has never had a reading.
fn get_power_reading(
    context: &mut Context<'_>,
    request: &Request<'_>,
    response: &mut Response,
) -> Result<Outcome, CompletionCode> {
    let code = byte(request, 2)?;
    let window = match byte(request, 1)? {
        1 => None,
        2 if PERIODS.contains(&code) => Some(period(code)),
        _ => return Err(CompletionCode::INVALID_FIELD),
    };
    let told = context.controller()?.power_meter.sensor.is_some();
    let now = context.now;
    match chassis::power(&mut context.at()?, now) {
        // What the model says depends on the power, which the program knows.
        chassis::Power::Ask(call) if !told => Ok(Outcome::program(call, move |context, result, response| {
            let now = context.now;
            chassis::observed(&mut context.at()?, now, &result);
            put_power_reading(context, window, code, response)
        })),
        _ => put_power_reading(context, window, code, response),
    }
}

fn put_power_reading(
    context: &mut Context<'_>,
    window: Option<Duration>,
    code: u8,
    response: &mut Response,
) -> Result<Outcome, CompletionCode> {
    let now = context.now;
    let mut at = context.at()?;
    let reading = dcmi::power(&mut at, now, window).ok_or(CompletionCode::NOT_PRESENT)?;
    let time = at.sel.time(now);
    let period = match window {
        Some(_) => code.into(),
        None => u32::try_from(reading.period.as_millis()).unwrap_or(u32::MAX),
    };
    response.put(&[GROUP])?;
    for watts in [reading.current, reading.minimum, reading.maximum, reading.average] {
        response.put(&watts.to_le_bytes())?;
    }
    response.put(&time.to_le_bytes())?;
    response.put(&period.to_le_bytes())?;
    response.put(&[MEASURED])?;
    Ok(Outcome::Done)
}

/// Response: exception action, watts, correction time, sampling period. 80h, with the data behind
/// it, while no limit is active.
fn get_power_limit(
    context: &mut Context<'_>,
    _: &Request<'_>,
    response: &mut Response,
) -> Result<Outcome, CompletionCode> {
    let PowerLimit { action, watts, correction, sampling, active } = context.controller()?.dcmi.settings.limit;
    response.put(&[GROUP, 0, 0, action])?;
    response.put(&watts.to_le_bytes())?;
    response.put(&correction.to_le_bytes())?;
    response.put(&[0, 0])?;
    response.put(&sampling.to_le_bytes())?;
    if !active {
        response.set_code(CompletionCode::COMMAND_SPECIFIC_80);
    }
    Ok(Outcome::Done)
}

/// Request: 3 reserved bytes, exception action, watts, correction time, 2 reserved bytes, sampling
/// period. The statistics begin anew. A limit of 0 W is none, as it is before anybody has set one:
/// freeipmi's `ipmi-config` writes back what it read.
fn set_power_limit(
    context: &mut Context<'_>,
    request: &Request<'_>,
    response: &mut Response,
) -> Result<Outcome, CompletionCode> {
    let (action, watts, sampling) = (byte(request, 4)?, word(request, 5)?, word(request, 13)?);
    let correction = u32::from(word(request, 7)?) | u32::from(word(request, 9)?) << 16;
    if action > 0x11 {
        return Err(CompletionCode::INVALID_FIELD);
    }
    let now = context.now;
    let mut at = context.at()?;
    dcmi::change(&mut at, |settings| {
        let active = settings.limit.active && watts != 0;
        settings.limit = PowerLimit { action, watts, correction, sampling, active };
    });
    dcmi::reset_statistics(&mut at, now);
    response.put(&[GROUP])?;
    Ok(Outcome::Done)
}

/// Request: 1 to activate the limit, 0 to deactivate it.
fn activate_power_limit(
    context: &mut Context<'_>,
    request: &Request<'_>,
    response: &mut Response,
) -> Result<Outcome, CompletionCode> {
    let active = match byte(request, 1)? {
        0 => false,
        // There has to be one.
        1 if context.controller()?.dcmi.settings.limit.watts != 0 => true,
        1 => return Err(CompletionCode::NOT_IN_PRESENT_STATE),
        _ => return Err(CompletionCode::INVALID_FIELD),
    };
    let now = context.now;
    let mut at = context.at()?;
    dcmi::look(&mut at, now);
    dcmi::change(&mut at, |settings| settings.limit.active = active);
    dcmi::look(&mut at, now);
    response.put(&[GROUP])?;
    Ok(Outcome::Done)
}

/// Request: offset, count, at most 16. Response: length of the whole text, the bytes there are.
fn read_text(text: &[u8], request: &Request<'_>, response: &mut Response) -> Result<Outcome, CompletionCode> {
    let (offset, count) = (byte(request, 1)?, byte(request, 2)?);
    let rest = text.get(usize::from(offset)..).ok_or(CompletionCode::OUT_OF_RANGE)?;
    if count > MOST_BYTES {
        return Err(CompletionCode::OUT_OF_RANGE);
    }
    response.put(&[GROUP, text.len() as u8])?;
    response.put(rest.get(..usize::from(count)).unwrap_or(rest))?;
    Ok(Outcome::Done)
}

/// Request: offset, count, at most 16, the bytes.
fn given_text<'r>(request: &Request<'r>) -> Result<(usize, &'r [u8]), CompletionCode> {
    let (offset, count) = (byte(request, 1)?, byte(request, 2)?);
    if count > MOST_BYTES {
        return Err(CompletionCode::OUT_OF_RANGE);
    }
    let data = request.data.get(3..).unwrap_or_default();
    if data.len() != usize::from(count) {
        return Err(CompletionCode::INVALID_LENGTH);
    }
    Ok((offset.into(), data))
}

fn get_asset_tag(
    context: &mut Context<'_>,
    request: &Request<'_>,
    response: &mut Response,
) -> Result<Outcome, CompletionCode> {
    read_text(&context.controller()?.dcmi.settings.asset_tag, request, response)
}

/// Response: length of the whole tag, which ends behind what was written.
fn set_asset_tag(
    context: &mut Context<'_>,
    request: &Request<'_>,
    response: &mut Response,
) -> Result<Outcome, CompletionCode> {
    let (offset, data) = given_text(request)?;
    let tag = write_text(&context.controller()?.dcmi.settings.asset_tag, offset, data, MOST_TEXT)
        .ok_or(CompletionCode::OUT_OF_RANGE)?;
    response.put(&[GROUP, tag.len() as u8])?;
    dcmi::change(&mut context.at()?, |settings| settings.asset_tag = tag);
    Ok(Outcome::Done)
}

/// The string before anybody has set it: DCMI and the MAC address of the first LAN channel.
fn default_identifier(context: &mut Context<'_>) -> Result<String, CompletionCode> {
    let lan = context.controller()?.channels.lans().next().map(|(_, lan)| lan.parameters.mac_address());
    let mac = lan.flatten().unwrap_or_default();
    Ok(mac.iter().fold("DCMI".to_owned(), |text, byte| format!("{text}{byte:02X}")))
}

fn get_identifier(
    context: &mut Context<'_>,
    request: &Request<'_>,
    response: &mut Response,
) -> Result<Outcome, CompletionCode> {
    let default = default_identifier(context)?;
    match &context.controller()?.dcmi.settings.identifier[..] {
        [] => read_text(default.as_bytes(), request, response),
        identifier => read_text(identifier, request, response),
    }
}

/// Response: length of the string so far. A NUL ends it; clients send one with the last bytes.
fn set_identifier(
    context: &mut Context<'_>,
    request: &Request<'_>,
    response: &mut Response,
) -> Result<Outcome, CompletionCode> {
    let (offset, data) = given_text(request)?;
    let written = write_text(&context.controller()?.dcmi.settings.identifier, offset, data, MOST_TEXT + 1)
        .ok_or(CompletionCode::OUT_OF_RANGE)?;
    let end = written.iter().position(|byte| *byte == 0).unwrap_or(written.len());
    if end > MOST_TEXT {
        return Err(CompletionCode::OUT_OF_RANGE);
    }
    response.put(&[GROUP, written.len() as u8])?;
    let identifier = written.get(..end).unwrap_or(&written).to_vec();
    dcmi::change(&mut context.at()?, |settings| settings.identifier = identifier);
    Ok(Outcome::Done)
}

/// The temperature sensors a request means: type, entity, instance or 0, first instance. Which of
/// them, and how many the entity has.
fn asked_temperatures(context: &Context<'_>, request: &Request<'_>) -> Result<(Vec<Temperature>, u8), CompletionCode> {
    let (entity, instance, first) = (byte(request, 2)?, byte(request, 3)?, byte(request, 4)?);
    if byte(request, 1)? != TEMPERATURE {
        return Err(CompletionCode::INVALID_FIELD);
    }
    let mut found = dcmi::temperatures(context.executing().ok_or(CompletionCode::NO_RESPONSE)?, entity);
    let total = u8::try_from(found.len()).unwrap_or(u8::MAX);
    match instance {
        0 => found.retain(|temperature| temperature.instance >= first),
        _ => found.retain(|temperature| temperature.instance == instance),
    }
    Ok((found, total))
}

/// Response: instances of the entity, how many are in the response, their record ids.
fn get_sensor_info(
    context: &mut Context<'_>,
    request: &Request<'_>,
    response: &mut Response,
) -> Result<Outcome, CompletionCode> {
    let (found, total) = asked_temperatures(context, request)?;
    let shown = found.get(..MOST_INSTANCES).unwrap_or(&found);
    response.put(&[GROUP, total, shown.len() as u8])?;
    for temperature in shown {
        response.put(&temperature.record.to_le_bytes())?;
    }
    Ok(Outcome::Done)
}

/// Response: instances of the entity, how many are in the response; of each the temperature, bit 7 its
/// sign, in degrees, and the instance.
fn get_temperatures(
    context: &mut Context<'_>,
    request: &Request<'_>,
    response: &mut Response,
) -> Result<Outcome, CompletionCode> {
    let (found, total) = asked_temperatures(context, request)?;
    for Temperature { sensor, .. } in &found {
        if let Some(mut at) = context.machine.at(sensor.mc) {
            sensor::look(&mut at, context.now, sensor.place());
        }
    }
    let read =
        |temperature: &Temperature| Some((sensor::reading(context.machine, temperature.sensor)?, temperature.instance));
    let readings: Vec<_> = found.iter().filter_map(read).take(MOST_INSTANCES).collect();
    response.put(&[GROUP, total, readings.len() as u8])?;
    for (degrees, instance) in readings {
        let degrees = degrees.round().clamp(-127.0, 127.0) as i8;
        response.put(&[u8::from(degrees < 0) << 7 | degrees.unsigned_abs(), instance])?;
    }
    Ok(Outcome::Done)
}

/// Request: entity, instance, exception actions, degrees, exception time in seconds. It is kept;
/// nothing is switched off for it.
fn set_thermal_limit(
    context: &mut Context<'_>,
    request: &Request<'_>,
    response: &mut Response,
) -> Result<Outcome, CompletionCode> {
    let place = thermal_place(context, request)?;
    let limit = *request.data.get(3..).and_then(|data| data.first_chunk()).ok_or(CompletionCode::INVALID_LENGTH)?;
    dcmi::change(&mut context.at()?, |settings| {
        settings.thermal.insert(place, limit);
    });
    response.put(&[GROUP])?;
    Ok(Outcome::Done)
}

/// Response: exception actions, degrees, exception time; zeros for one that nobody has set.
fn get_thermal_limit(
    context: &mut Context<'_>,
    request: &Request<'_>,
    response: &mut Response,
) -> Result<Outcome, CompletionCode> {
    let place = thermal_place(context, request)?;
    let limit = context.controller()?.dcmi.settings.thermal.get(&place).copied().unwrap_or_default();
    response.put(&[GROUP])?;
    response.put(&limit)?;
    Ok(Outcome::Done)
}

/// Entity and instance of a thermal limit: there is one for each instance of the air inlet. CBh for
/// other entities.
fn thermal_place(context: &Context<'_>, request: &Request<'_>) -> Result<(u8, u8), CompletionCode> {
    const INLET: [u8; 2] = [0x37, 0x40];
    let (entity, instance) = (byte(request, 1)?, byte(request, 2)?);
    let found = dcmi::temperatures(context.executing().ok_or(CompletionCode::NO_RESPONSE)?, entity);
    let known = INLET.contains(&entity) || found.iter().any(|temperature| temperature.instance == instance);
    if known { Ok((entity, instance)) } else { Err(CompletionCode::NOT_PRESENT) }
}

/// Request: parameter, set, data. 80h no such parameter. Parameter 1 would begin DHCP, which is
/// the operating system's.
fn set_parameter(
    context: &mut Context<'_>,
    request: &Request<'_>,
    response: &mut Response,
) -> Result<Outcome, CompletionCode> {
    let mut dhcp = context.controller()?.dcmi.settings.dhcp;
    match byte(request, 1)? {
        1 => {}
        2 => dhcp.discovery = byte(request, 3)?,
        3 => dhcp.initial_timeout = byte(request, 3)?,
        4 => dhcp.server_timeout = word(request, 3)?,
        5 => dhcp.retry_interval = word(request, 3)?,
        _ => return Err(CompletionCode::COMMAND_SPECIFIC_80),
    }
    dcmi::change(&mut context.at()?, |settings| settings.dhcp = dhcp);
    response.put(&[GROUP])?;
    Ok(Outcome::Done)
}

/// Request: parameter, set. Response: conformance, revision, data. 80h no such parameter.
fn get_parameter(
    context: &mut Context<'_>,
    request: &Request<'_>,
    response: &mut Response,
) -> Result<Outcome, CompletionCode> {
    let Dhcp { discovery, initial_timeout, server_timeout, retry_interval } = context.controller()?.dcmi.settings.dhcp;
    let (first, second) = match byte(request, 1)? {
        1 => (0, None),
        2 => (discovery, None),
        3 => (initial_timeout, None),
        parameter @ (4 | 5) => {
            let [low, high] = if parameter == 4 { server_timeout } else { retry_interval }.to_le_bytes();
            (low, Some(high))
        }
        _ => return Err(CompletionCode::COMMAND_SPECIFIC_80),
    };
    response.put(&[GROUP])?;
    response.put(&CONFORMANCE)?;
    response.put(&[first])?;
    response.put(second.as_slice())?;
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests {
    use crate::ipmi::ChannelNumber;
    use std::time::Duration;

    use crate::bmc::channel::Channel;
    use crate::bmc::device_id::support;
    use crate::bmc::external::{ProgramFailure, Value};
    use crate::bmc::sensor::{Description, Place, Reporting, SensorId};
    use crate::bmc::{Action, StateFile, sdr};
    use crate::command::testing::{BMC, Rig, SATELLITE};

    const SAVE: Action = Action::save(StateFile::Dcmi(BMC));

    /// A rig with a chassis of its own, that is switched off.
    fn rig() -> Rig {
        let mut rig = Rig::new();
        rig.machine.ensure(BMC).channels.set(ChannelNumber::SYSTEM_INTERFACE, Channel::system_interface());
        rig
    }

    /// A full record of a sensor: entity and instance, type and unit, M, and the exponent of the result.
    fn record(number: u8, (entity, instance): (u8, u8), kind: u8, (format, m, exponent): (u8, u8, u8)) -> Vec<u8> {
        let mut record = vec![0; 48];
        record[2..10].copy_from_slice(&[0x51, 1, 43, BMC.0, 0, number, entity, instance]);
        record[12] = kind;
        record[13] = 1;
        record[20] = format << 6;
        record[24] = m;
        record[29] = exponent << 4;
        record
    }

    fn sensor(rig: &mut Rig, record: &[u8]) -> SensorId {
        let id = SensorId { mc: BMC, lun: 0, number: record[7] };
        rig.machine.ensure(BMC).device.device_support = support::SDR_REPOSITORY;
        sdr::add_main(&mut rig.machine.found(BMC), rig.now, record).expect("room");
        let description = Description { sensor_type: record[12], event_reading_code: 1, ..Description::default() };
        crate::bmc::sensor::add(&mut rig.machine.found(BMC), rig.now, id.place(), description).expect("new");
        id
    }

    fn value(rig: &mut Rig, id: SensorId, value: u8) {
        crate::bmc::sensor::set_value(&mut rig.machine.found(BMC), rig.now, id.place(), value, Reporting::Silent)
            .expect("exists");
    }

    #[test]
    fn capabilities_say_what_there_is() {
        let mut rig = rig();
        rig.machine.ensure(BMC).sel.enable(0x123, 0);
        rig.expect(
            "2c 01 dc -> c7
             2c 01 dc 00 -> cc
             2c 01 dc 01 -> 00 dc 01 05 02 00 01 01
             2c 01 dc 02 -> 00 dc 01 05 02 23 01 05 07 01
             2c 01 dc 03 -> 00 dc 01 05 02 20 01
             2c 01 dc 04 -> 00 dc 01 05 02 01 ff ff
             2c 01 dc 05 -> 00 dc 01 05 02 09 05 0f 1e 41 43 47 4f 5e 81
             2c 01 dc 06 -> cc
             2c 0d dc 00 -> c1",
        );
        rig.machine.ensure(BMC).dcmi.disabled = true;
        rig.expect("2c 01 dc 01 -> c1\n 2c 02 dc 01 00 00 -> c1");
        rig.mc = SATELLITE;
        rig.expect("2c 01 dc 01 -> c1");
    }

    #[test]
    fn the_power_is_modelled_where_no_sensor_tells_it() {
        let mut rig = rig();
        let time = format!("{:02x} {:02x} 00 00", 1000 % 256, 1000 / 256);
        rig.expect(&format!("2c 02 dc 01 00 00 -> 00 dc 08 00 08 00 08 00 08 00 {time} 00 00 00 00 40"));
        rig.wait(Duration::from_secs(10));
        rig.expect("00 02 01 -> 00");
        rig.wait(Duration::from_secs(10));
        // 120 W now, 8 to 120 W over 20 seconds, 64 W on average.
        rig.expect(
            "2c 02 dc 01 00 00 -> 00 dc 78 00 08 00 78 00 40 00 fc 03 00 00 20 4e 00 00 40
             2c 02 dc 02 05 00 -> 00 dc 78 00 78 00 78 00 78 00 fc 03 00 00 05 00 00 00 40
             2c 02 dc 02 41 00 -> 00 dc 78 00 08 00 78 00 40 00 fc 03 00 00 41 00 00 00 40
             2c 02 dc 02 42 00 -> cc
             2c 02 dc 00 00 00 -> cc
             2c 02 dc 03 00 00 -> cc
             2c 02 dc 01 00 -> c7
             06 02 -> 00
             2c 02 dc 01 00 00 -> 00 dc 78 00 78 00 78 00 78 00 fc 03 00 00 00 00 00 00 40",
        );
    }

    #[test]
    fn a_sensor_tells_the_power_with_its_statistics() {
        let mut rig = rig();
        // Two watts a count.
        let id = sensor(&mut rig, &record(9, (0x13, 1), 0x0b, (0, 2, 0)));
        crate::bmc::dcmi::set_sensor(&mut rig.machine.found(BMC), rig.now, Place { lun: 0, number: 9 });
        rig.expect("2c 02 dc 01 00 00 -> cb");
        value(&mut rig, id, 100);
        rig.wait(Duration::from_secs(3));
        value(&mut rig, id, 200);
        rig.wait(Duration::from_secs(1));
        rig.expect("2c 02 dc 01 00 00 -> 00 dc 90 01 c8 00 90 01 fa 00 ec 03 00 00 a0 0f 00 00 40");
        // What it told before is forgotten with a new limit; nobody holds a sensor to it.
        rig.expect("2c 04 dc 00 00 00 00 64 00 00 00 00 00 00 00 05 00 -> 00 dc\n 2c 05 dc 01 00 00 -> 00 dc");
        rig.expect("2c 02 dc 01 00 00 -> 00 dc 90 01 90 01 90 01 90 01 ec 03 00 00 00 00 00 00 40");
    }

    #[test]
    fn the_power_limit_is_kept_and_says_whether_it_is_active() {
        let mut rig = rig();
        rig.expect(
            "2c 03 dc 00 00 -> 80 dc 00 00 00 00 00 00 00 00 00 00 00 00 00
             2c 05 dc 01 00 00 -> d5
             2c 05 dc 02 00 00 -> cc
             2c 04 dc 00 00 00 11 2c 01 e8 03 00 00 00 00 0a -> c7
             2c 04 dc 00 00 00 12 2c 01 e8 03 00 00 00 00 0a 00 -> cc
             2c 04 dc 00 00 00 00 00 00 00 00 00 00 00 00 00 00 -> 00 dc
             2c 05 dc 01 00 00 -> d5",
        );
        assert!(rig.machine.actions.is_empty());
        rig.expect(
            "2c 04 dc 00 00 00 11 32 00 e8 03 00 00 00 00 0a 00 -> 00 dc
             2c 03 dc 00 00 -> 80 dc 00 00 11 32 00 e8 03 00 00 00 00 0a 00
             2c 05 dc 01 00 00 -> 00 dc
             2c 03 dc 00 00 -> 00 dc 00 00 11 32 00 e8 03 00 00 00 00 0a 00",
        );
        assert_eq!(rig.machine.actions, [SAVE, SAVE]);
        rig.expect("00 02 01 -> 00");
        assert!(rig.ask("2c 02 dc 01 00 00").starts_with("00 dc 32 00"), "the modelled power obeys it");
        rig.expect("2c 05 dc 00 00 00 -> 00 dc");
        assert!(rig.ask("2c 02 dc 01 00 00").starts_with("00 dc 78 00"));
        rig.expect(
            "2c 05 dc 01 00 00 -> 00 dc
             2c 04 dc 00 00 00 00 00 00 00 00 00 00 00 00 00 00 -> 00 dc
             2c 03 dc 00 00 -> 80 dc 00 00 00 00 00 00 00 00 00 00 00 00 00",
        );
    }

    #[test]
    fn a_chassis_program_is_asked_whether_the_modelled_power_is_on() {
        let mut rig = rig();
        rig.machine.ensure(BMC).chassis.program = Some("prog".into());
        rig.script = Box::new(|_| Ok(vec![Value::Integer(1)]));
        assert!(rig.ask("2c 02 dc 01 00 00").starts_with("00 dc 78 00"));
        assert_eq!(rig.calls, ["get power"]);
        // It knows nothing any more: as it was seen last.
        rig.script = Box::new(|_| Err(ProgramFailure));
        assert!(rig.ask("2c 02 dc 01 00 00").starts_with("00 dc 78 00"));
    }

    #[test]
    fn asset_tag_and_identifier_are_written_in_parts() {
        let mut rig = rig();
        rig.expect(
            "2c 06 dc 00 00 -> 00 dc 00
             2c 06 dc 00 10 -> 00 dc 00
             2c 06 dc 01 10 -> c9
             2c 06 dc 00 11 -> c9
             2c 08 dc 00 03 61 62 63 -> 00 dc 03
             2c 08 dc 03 02 64 65 -> 00 dc 05
             2c 06 dc 01 10 -> 00 dc 05 62 63 64 65
             2c 08 dc 07 01 66 -> c9
             2c 08 dc 00 02 61 -> c7
             2c 08 dc 00 01 61 62 -> c7
             2c 08 dc 00 00 -> 00 dc 00
             2c 09 dc 00 10 -> 00 dc 10 44 43 4d 49 30 30 30 30 30 30 30 30 30 30 30 30
             2c 0a dc 00 05 68 6f 73 74 00 -> 00 dc 05
             2c 09 dc 00 10 -> 00 dc 04 68 6f 73 74
             2c 09 dc 05 01 -> c9",
        );
        let last = std::iter::repeat_n("61 ", 16).collect::<String>();
        for part in 0..4 {
            let (offset, length) = (part * 16, (part + 1) * 16);
            let response = if part == 3 { "c9".to_owned() } else { format!("00 dc {length:02x}") };
            rig.expect(&format!("2c 0a dc {offset:02x} 10 {last} -> {response}"));
        }
        // 63 characters and the NUL that ends them.
        rig.expect(&format!("2c 0a dc 30 10 {} 00 -> 00 dc 40\n 2c 09 dc 3e 10 -> 00 dc 3f 61", &last[..45]));
    }

    #[test]
    fn temperatures_are_found_by_their_entity() {
        let mut rig = rig();
        let inlet = sensor(&mut rig, &record(1, (0x37, 1), 1, (2, 1, 0)));
        let other = sensor(&mut rig, &record(2, (0x40, 2), 1, (0, 5, 0x0f)));
        sensor(&mut rig, &record(3, (0x41, 1), 1, (0, 1, 0)));
        sensor(&mut rig, &record(4, (0x37, 3), 2, (0, 1, 0)));
        value(&mut rig, inlet, 0xfb);
        value(&mut rig, other, 50);
        rig.expect(
            "2c 07 dc 01 40 00 00 -> 00 dc 02 02 01 00 02 00
             2c 07 dc 01 37 00 02 -> 00 dc 02 01 02 00
             2c 07 dc 01 40 01 00 -> 00 dc 02 01 01 00
             2c 07 dc 01 42 00 00 -> 00 dc 00 00
             2c 07 dc 02 40 00 00 -> cc
             2c 07 dc 01 40 00 -> c7
             2c 10 dc 01 40 00 00 -> 00 dc 02 02 85 01 19 02
             2c 10 dc 01 40 02 00 -> 00 dc 02 01 19 02
             2c 10 dc 01 41 00 00 -> 00 dc 01 00
             2c 10 dc 04 41 00 00 -> cc",
        );
        for number in 10..20 {
            let id = sensor(&mut rig, &record(number, (0x07, number), 1, (0, 1, 0)));
            value(&mut rig, id, number);
        }
        assert!(rig.ask("2c 07 dc 01 42 00 00").starts_with("00 dc 0a 08 05 00"), "8 at a time");
        rig.expect("2c 10 dc 01 42 00 12 -> 00 dc 0a 02 12 12 13 13");
    }

    #[test]
    fn thermal_limits_and_dhcp_parameters_are_kept() {
        let mut rig = rig();
        rig.expect(
            "2c 0c dc 40 01 -> 00 dc 00 00 00 00
             2c 0c dc 42 01 -> cb
             2c 0b dc 40 01 20 46 3c -> c7
             2c 0b dc 40 01 20 46 3c 00 -> 00 dc
             2c 0c dc 40 01 -> 00 dc 20 46 3c 00
             2c 13 dc 01 00 -> 00 dc 01 05 02 00
             2c 13 dc 02 00 -> 00 dc 01 05 02 00
             2c 13 dc 03 00 -> 00 dc 01 05 02 04
             2c 13 dc 04 00 -> 00 dc 01 05 02 78 00
             2c 13 dc 05 00 -> 00 dc 01 05 02 40 00
             2c 13 dc 06 00 -> 80
             2c 12 dc 06 00 00 -> 80
             2c 12 dc 04 00 01 -> c7
             2c 12 dc 01 00 01 -> 00 dc
             2c 12 dc 02 00 01 -> 00 dc
             2c 12 dc 05 00 01 02 -> 00 dc
             2c 13 dc 02 00 -> 00 dc 01 05 02 01
             2c 13 dc 05 00 -> 00 dc 01 05 02 01 02",
        );
        assert_eq!(rig.machine.actions, [SAVE, SAVE, SAVE]);
    }
}
