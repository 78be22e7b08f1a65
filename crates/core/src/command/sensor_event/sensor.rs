//! Sensors of the LUN a request is for (IPMI 2.0 sections 35.5 to 35.17). The first data
//! byte is always the sensor number; a sensor that is not there is CBh, which clients skip.

use super::super::{Context, Outcome};
use crate::bmc::sensor::{self, EventSupport, Place, Sensor, Support, THRESHOLD_CODE, Threshold};
use crate::ipmi::{CompletionCode, Request, Response};

/// Events enabled, in the flags of event enable commands and of a reading.
const EVENTS_ENABLED: u8 = 0x80;
/// Scanning enabled, same places.
const SCANNING_ENABLED: u8 = 0x40;
/// Reading or state unavailable, in the flags of a reading (IPMI 2.0 section 35.14).
const READING_UNAVAILABLE: u8 = 0x20;
/// Thresholds a mask can name.
const THRESHOLD_MASK: u8 = 0x3f;
/// Rearm all events.
const REARM_ALL: u8 = 0x80;

fn place(request: &Request<'_>) -> Result<Place, CompletionCode> {
    let number = *request.data.first().ok_or(CompletionCode::INVALID_LENGTH)?;
    Ok(Place { lun: request.lun, number })
}

/// The sensor, its reading brought up to now.
fn find<'a>(context: &'a mut Context<'_>, request: &Request<'_>) -> Result<&'a Sensor, CompletionCode> {
    let (now, place) = (context.now, place(request)?);
    sensor::look(&mut context.at()?, now, place);
    context.controller()?.sensors.get(place).ok_or(CompletionCode::NOT_PRESENT)
}

/// The sensor, to be changed.
fn change<'a>(context: &'a mut Context<'_>, place: Place) -> Result<&'a mut Sensor, CompletionCode> {
    context.controller()?.sensors.get_mut(place).ok_or(CompletionCode::NOT_PRESENT)
}

/// Assertion and deassertion masks from `[assert 2][deassert 2]`; missing bytes count as 0.
fn masks(data: &[u8]) -> (u16, u16) {
    let byte = |index: usize| data.get(index).copied().unwrap_or(0);
    (u16::from_le_bytes([byte(0), byte(1)]), u16::from_le_bytes([byte(2), byte(3)]))
}

fn flags(sensor: &Sensor) -> u8 {
    let events = if sensor.events_enabled { EVENTS_ENABLED } else { 0 };
    let scanning = if sensor.scanning_enabled && sensor.enabled { SCANNING_ENABLED } else { 0 };
    events | scanning
}

/// No other factors follow for a higher reading.
const LAST_READING: u8 = 0xff;

/// `[number][reading]`; answer `[next reading][M 2][B 2][accuracy][exponents]`. The factors of
/// a record hold for every reading. Without a full record there are none, and the response is
/// the original's, C1h.
pub(super) fn get_reading_factors(
    context: &mut Context<'_>,
    request: &Request<'_>,
    response: &mut Response,
) -> Result<Outcome, CompletionCode> {
    find(context, request)?;
    let id = place(request)?.of(context.mc);
    let factors = sensor::reading_factors(context.machine, id).ok_or(CompletionCode::INVALID_COMMAND)?;
    response.put(&[LAST_READING])?;
    response.put(&factors)?;
    Ok(Outcome::Done)
}

/// `[number]`; answer `[flags][assertions 2][deassertions 2]`.
pub(super) fn get_event_status(
    context: &mut Context<'_>,
    request: &Request<'_>,
    response: &mut Response,
) -> Result<Outcome, CompletionCode> {
    let sensor = find(context, request)?;
    let (assertions, deassertions) = sensor.event_status();
    response.put(&[flags(sensor)])?;
    response.put(&assertions.to_le_bytes())?;
    response.put(&deassertions.to_le_bytes())?;
    Ok(Outcome::Done)
}

/// `[number][mask][positive][negative]`; the mask is ignored.
pub(super) fn set_hysteresis(
    context: &mut Context<'_>,
    request: &Request<'_>,
    _reply: &mut Response,
) -> Result<Outcome, CompletionCode> {
    if find(context, request)?.hysteresis.support != Support::Settable {
        return Err(CompletionCode::INVALID_COMMAND);
    }
    let sensor = change(context, place(request)?)?;
    sensor.hysteresis.positive = request.data[2];
    sensor.hysteresis.negative = request.data[3];
    Ok(Outcome::Done)
}

/// `[number]`; answer `[positive][negative]`.
pub(super) fn get_hysteresis(
    context: &mut Context<'_>,
    request: &Request<'_>,
    response: &mut Response,
) -> Result<Outcome, CompletionCode> {
    let hysteresis = find(context, request)?.hysteresis;
    if !hysteresis.support.readable() {
        return Err(CompletionCode::INVALID_COMMAND);
    }
    response.put(&[hysteresis.positive, hysteresis.negative])?;
    Ok(Outcome::Done)
}

/// `[number][mask][LNC LC LNR UNC UC UNR]`: nothing changes when one in the mask cannot be
/// set. The reading is compared at once.
pub(super) fn set_thresholds(
    context: &mut Context<'_>,
    request: &Request<'_>,
    _reply: &mut Response,
) -> Result<Outcome, CompletionCode> {
    let sensor = find(context, request)?;
    if sensor.event_reading_code != THRESHOLD_CODE || sensor.thresholds.support != Support::Settable {
        return Err(CompletionCode::INVALID_COMMAND);
    }
    let mask = request.data[1] & THRESHOLD_MASK;
    if mask & !sensor.thresholds.settable != 0 {
        return Err(CompletionCode::INVALID_FIELD);
    }
    let values: &[u8; 6] = request.data[2..].first_chunk().ok_or(CompletionCode::INVALID_LENGTH)?;
    let (now, place) = (context.now, place(request)?);
    sensor::change_thresholds(&mut context.at()?, now, place, mask, *values)
        .map_err(|_| CompletionCode::NOT_PRESENT)?;
    Ok(Outcome::Done)
}

/// `[number]`; answer `[mask][LNC LC LNR UNC UC UNR]`, 0 for those that cannot be read.
pub(super) fn get_thresholds(
    context: &mut Context<'_>,
    request: &Request<'_>,
    response: &mut Response,
) -> Result<Outcome, CompletionCode> {
    let sensor = find(context, request)?;
    let thresholds = &sensor.thresholds;
    if sensor.event_reading_code != THRESHOLD_CODE || !thresholds.support.readable() {
        return Err(CompletionCode::INVALID_COMMAND);
    }
    response.put(&[thresholds.readable & THRESHOLD_MASK])?;
    response.put(&Threshold::ALL.map(|threshold| match thresholds.readable & threshold.bit() {
        0 => 0,
        _ => thresholds.values[threshold.index()],
    }))?;
    Ok(Outcome::Done)
}

/// What Set Sensor Event Enable does with the masks.
#[derive(Clone, Copy)]
enum MaskOperation {
    Nothing,
    Enable,
    Disable,
}

/// `[number][flags][assert 2][deassert 2]`. A polled sensor whose scanning is enabled is
/// polled before the masks take effect and before the response.
pub(super) fn set_event_enable(
    context: &mut Context<'_>,
    request: &Request<'_>,
    _reply: &mut Response,
) -> Result<Outcome, CompletionCode> {
    let flags = request.data[1];
    let sensor = find(context, request)?;
    if !sensor.event_support.switchable() {
        return Err(CompletionCode::INVALID_COMMAND);
    }
    let operation = match flags >> 4 & 0x03 {
        0 => MaskOperation::Nothing,
        _ if sensor.event_support == EventSupport::EntireSensor => return Err(CompletionCode::INVALID_FIELD),
        1 => MaskOperation::Enable,
        2 => MaskOperation::Disable,
        _ => return Err(CompletionCode::INVALID_FIELD),
    };
    let (now, place) = (context.now, place(request)?);
    let sensor = change(context, place)?;
    sensor.events_enabled = flags & EVENTS_ENABLED != 0;
    sensor.scanning_enabled = flags & SCANNING_ENABLED != 0;
    let scanning = sensor.scanning_enabled;
    let masks = masks(&request.data[2..]);
    if scanning && let Some((read, ticket)) = sensor::begin_poll(&mut context.at()?, now, place) {
        return Ok(Outcome::read(read, move |context, content, _reply| {
            let now = context.now;
            sensor::finish_poll(&mut context.at()?, now, place, ticket, content);
            change_masks(context, place, operation, masks)
        }));
    }
    change_masks(context, place, operation, masks)
}

fn change_masks(
    context: &mut Context<'_>,
    place: Place,
    operation: MaskOperation,
    (assertions, deassertions): (u16, u16),
) -> Result<Outcome, CompletionCode> {
    let sensor = change(context, place)?;
    match operation {
        MaskOperation::Nothing => {}
        MaskOperation::Enable => {
            sensor.assertions.enable(assertions);
            sensor.deassertions.enable(deassertions);
        }
        MaskOperation::Disable => {
            sensor.assertions.disable(assertions);
            sensor.deassertions.disable(deassertions);
        }
    }
    Ok(Outcome::Done)
}

/// `[number]`; answer `[flags][assert 2][deassert 2]`, only the flags if events can be
/// enabled only for the sensor as a whole.
pub(super) fn get_event_enable(
    context: &mut Context<'_>,
    request: &Request<'_>,
    response: &mut Response,
) -> Result<Outcome, CompletionCode> {
    let sensor = find(context, request)?;
    if !sensor.event_support.switchable() {
        return Err(CompletionCode::INVALID_COMMAND);
    }
    response.put(&[flags(sensor)])?;
    if sensor.event_support != EventSupport::EntireSensor {
        response.put(&sensor.assertions.enabled.to_le_bytes())?;
        response.put(&sensor.deassertions.enabled.to_le_bytes())?;
    }
    Ok(Outcome::Done)
}

/// `[number][flags][assert 2][deassert 2]`
pub(super) fn rearm(
    context: &mut Context<'_>,
    request: &Request<'_>,
    _reply: &mut Response,
) -> Result<Outcome, CompletionCode> {
    let (now, place) = (context.now, place(request)?);
    let (assertions, deassertions) = match request.data[1] & REARM_ALL {
        0 => masks(&request.data[2..]),
        _ => (sensor::STATES, sensor::STATES),
    };
    sensor::rearm(&mut context.at()?, now, place, assertions, deassertions).map_err(|_| CompletionCode::NOT_PRESENT)?;
    Ok(Outcome::Done)
}

/// `[number]`; answer `[value][flags][states 7:0][states 14:8]`. CCh without a reading by
/// nature; while there is none yet, zeros and the flag that says so: clients that list sensors
/// end at the first one that fails.
pub(super) fn get_reading(
    context: &mut Context<'_>,
    request: &Request<'_>,
    response: &mut Response,
) -> Result<Outcome, CompletionCode> {
    let sensor = find(context, request)?;
    if sensor.event_only {
        return Err(CompletionCode::INVALID_FIELD);
    }
    if !sensor.has_value {
        response.put(&[0, flags(sensor) | READING_UNAVAILABLE, 0, 0])?;
        return Ok(Outcome::Done);
    }
    let [low, high] = (sensor.status & sensor::STATES).to_le_bytes();
    response.put(&[sensor.value, flags(sensor), low, high])?;
    Ok(Outcome::Done)
}

/// `[number]`; answer `[type][event/reading code]`.
pub(super) fn get_type(
    context: &mut Context<'_>,
    request: &Request<'_>,
    response: &mut Response,
) -> Result<Outcome, CompletionCode> {
    let sensor = find(context, request)?;
    response.put(&[sensor.sensor_type, sensor.event_reading_code])?;
    Ok(Outcome::Done)
}
