//! Setting a sensor up from an SDR (`commands-sensor-storage.md` section 5, IPMI 2.0
//! tables 43-1 and 43-2).

use super::{
    EventMask, EventSupport, Format, Hysteresis, Scale, Sensor, SensorId, Support, TemperatureRecord, Thresholds,
};
use crate::ipmi::McAddress;

/// Record type of a full sensor record.
const FULL_SENSOR: u8 = 0x01;
/// Record type of a compact sensor record.
const COMPACT_SENSOR: u8 = 0x02;
/// Shortest record body that is looked at.
const MIN_BODY: u8 = 20;

/// Offsets into a record, from its id; those behind 17 hold for full records unless said.
mod field {
    pub(super) const TYPE: usize = 3;
    pub(super) const LENGTH: usize = 4;
    pub(super) const OWNER: usize = 5;
    pub(super) const OWNER_LUN: usize = 6;
    pub(super) const NUMBER: usize = 7;
    /// Entity id, then its instance.
    pub(super) const ENTITY: usize = 8;
    pub(super) const INITIALIZATION: usize = 10;
    pub(super) const CAPABILITIES: usize = 11;
    pub(super) const SENSOR_TYPE: usize = 12;
    pub(super) const EVENT_READING_CODE: usize = 13;
    pub(super) const ASSERTIONS: usize = 14;
    pub(super) const DEASSERTIONS: usize = 16;
    /// Which thresholds can be read, then which can be set.
    pub(super) const READABLE_THRESHOLDS: usize = 18;
    pub(super) const SETTABLE_THRESHOLDS: usize = 19;
    /// How many sensors share a compact record, in bits 3-0.
    pub(super) const SHARING: usize = 23;
    /// Analog data format, in the same place in compact records.
    pub(super) const UNITS: usize = 20;
    pub(super) const LINEARIZATION: usize = 23;
    /// M, B, accuracy and exponents.
    pub(super) const FACTORS: usize = 24;
    /// Upper non-recoverable first, lower non-critical last.
    pub(super) const THRESHOLDS: usize = 36;
    pub(super) const FULL_HYSTERESIS: usize = 42;
    pub(super) const COMPACT_HYSTERESIS: usize = 25;
}

/// Sensor initialization bits, byte 10.
mod init {
    pub(super) const SCANNING_ON: u8 = 1 << 0;
    pub(super) const EVENTS_ON: u8 = 1 << 1;
    pub(super) const SENSOR_TYPE: u8 = 1 << 2;
    pub(super) const HYSTERESIS: u8 = 1 << 3;
    pub(super) const THRESHOLDS: u8 = 1 << 4;
    pub(super) const EVENTS: u8 = 1 << 5;
    pub(super) const SCANNING: u8 = 1 << 6;
}

fn byte(record: &[u8], offset: usize) -> u8 {
    record.get(offset).copied().unwrap_or(0)
}

fn word(record: &[u8], offset: usize) -> u16 {
    u16::from_le_bytes([byte(record, offset), byte(record, offset + 1)])
}

/// Whether a record is the full or compact record of this sensor, or a compact one that it shares.
pub(super) fn describes(record: &[u8], id: SensorId) -> bool {
    let sharing = id.number.checked_sub(byte(record, field::NUMBER));
    sharing.is_some_and(|index| index < sensors_of(record))
        && byte(record, field::OWNER) == id.mc.0
        && byte(record, field::OWNER_LUN) & 0x03 == id.lun
}

/// How many sensors this is the full or compact record of, 0 to 15: they have numbers in a row.
fn sensors_of(record: &[u8]) -> u8 {
    if byte(record, field::LENGTH) < MIN_BODY {
        return 0;
    }
    match byte(record, field::TYPE) {
        FULL_SENSOR => 1,
        COMPACT_SENSOR => (byte(record, field::SHARING) & 0x0f).max(1),
        _ => 0,
    }
}

/// The sensors whose full or compact record this is.
pub(super) fn described(record: &[u8]) -> impl Iterator<Item = SensorId> {
    let (mc, lun) = (McAddress(byte(record, field::OWNER)), byte(record, field::OWNER_LUN) & 0x03);
    let first = byte(record, field::NUMBER);
    (0..sensors_of(record)).filter_map(move |index| Some(SensorId { mc, lun, number: first.checked_add(index)? }))
}

/// The conversion factors of a full record; the direction, which shares a byte with the
/// accuracy, is none of them.
pub(super) fn factors(record: &[u8]) -> Option<[u8; 6]> {
    if byte(record, field::TYPE) != FULL_SENSOR {
        return None;
    }
    let mut factors: [u8; 6] = *record.get(field::FACTORS..)?.first_chunk()?;
    factors[4] &= 0xfc;
    Some(factors)
}

/// Sensor type of temperatures.
const TEMPERATURE: u8 = 0x01;

/// What a full or compact record says of a temperature sensor.
pub(super) fn temperature(record: &[u8]) -> Option<TemperatureRecord> {
    let sensor = described(record).next()?;
    let [entity, instance] = [byte(record, field::ENTITY), byte(record, field::ENTITY + 1)];
    (byte(record, field::SENSOR_TYPE) == TEMPERATURE).then(|| TemperatureRecord {
        id: word(record, 0),
        entity,
        instance,
        sensor,
    })
}

/// The number that a raw reading stands for: L[(M x + B 10^K1) 10^K2] of a full record.
/// `None` for a sensor without an analog reading, or where the formula has no value.
pub(super) fn value(record: &[u8], raw: u8) -> Option<f64> {
    /// The format of a sensor without an analog reading.
    const NONE: u8 = 3;
    let [m, m_high, b, b_high, _, exponents] = factors(record)?;
    let format = byte(record, field::UNITS) >> 6;
    if format == NONE {
        return None;
    }
    // Ten bits and four bits in two's complement.
    let ten = |low: u8, high: u8| f64::from(i16::from_le_bytes([low, high >> 6]) << 6 >> 6);
    let power = |nibble: u8| 10f64.powi(i32::from((nibble << 4) as i8) >> 4);
    let x = f64::from(Format::from_number(format).number(raw));
    let y = (ten(m, m_high) * x + ten(b, b_high) * power(exponents)) * power(exponents >> 4);
    let value = match byte(record, field::LINEARIZATION) & 0x7f {
        1 => y.ln(),
        2 => y.log10(),
        3 => y.log2(),
        4 => y.exp(),
        5 => 10f64.powf(y),
        6 => y.exp2(),
        RECIPROCAL => y.recip(),
        8 => y * y,
        9 => y * y * y,
        10 => y.sqrt(),
        11 => y.cbrt(),
        _ => y,
    };
    value.is_finite().then_some(value)
}

/// Byte 21 and the number of the base unit of a full record.
pub(super) fn unit(record: &[u8]) -> Option<[u8; 2]> {
    (byte(record, field::TYPE) == FULL_SENSOR).then(|| [byte(record, field::UNITS), byte(record, field::UNITS + 1)])
}

/// Linearization with the formula 1/x, IPMI 2.0 table 43-1 byte 24.
const RECIPROCAL: u8 = 7;

/// How the record orders readings.
///
/// Of the linearizations only 1/x turns the order round. The square does for arguments below
/// zero, which no sensor has that is of any use.
pub(super) fn scale(record: &[u8]) -> Scale {
    let format = Format::from_number(byte(record, field::UNITS) >> 6);
    if byte(record, field::TYPE) != FULL_SENSOR {
        return Scale { format, descending: false };
    }
    // M has ten bits in two's complement; the highest is its sign.
    let negative = byte(record, field::FACTORS + 1) & 0x80 != 0;
    let reciprocal = byte(record, field::LINEARIZATION) & 0x7f == RECIPROCAL;
    Scale { format, descending: negative != reciprocal }
}

/// What a record says about thresholds.
///
/// Its thresholds are those that the sensor has from the beginning: whether the initialization
/// agent also writes them ("init thresholds") makes no difference to who can read them.
fn thresholds(record: &[u8], before: &Thresholds) -> Thresholds {
    let (assertions, deassertions) = (word(record, field::ASSERTIONS), word(record, field::DEASSERTIONS));
    let support = Support::from_number(byte(record, field::CAPABILITIES) >> 2 & 0x03);
    // Bits 12 to 14 of the two words say which lower and upper thresholds are compared.
    let compared = (assertions >> 12 & 0x07) as u8 | ((deassertions >> 12 & 0x07) << 3) as u8;
    if byte(record, field::TYPE) != FULL_SENSOR {
        // A compact record has no values. The original goes by it only with "init thresholds".
        return match byte(record, field::INITIALIZATION) & init::THRESHOLDS {
            0 => *before,
            _ => Thresholds::of_mask(support, compared, before.values),
        };
    }
    let mut values: [u8; 6] = std::array::from_fn(|index| byte(record, field::THRESHOLDS + index));
    values.reverse();
    let (readable, settable) = match support {
        Support::None => return Thresholds { support, values, ..Thresholds::default() },
        // The reading masks of a record that has not filled them in, as the original reads it.
        _ if word(record, field::READABLE_THRESHOLDS) == 0 => (compared, compared),
        _ => (byte(record, field::READABLE_THRESHOLDS), byte(record, field::SETTABLE_THRESHOLDS)),
    };
    Thresholds { support, compared, readable: readable & ALL_THRESHOLDS, settable: settable & ALL_THRESHOLDS, values }
}

/// Bits of the six thresholds.
const ALL_THRESHOLDS: u8 = 0x3f;

/// Sets a new sensor up: what the record says it has, and how it is initialized. Bytes a short
/// record does not have count as 0.
pub(super) fn describe(sensor: &mut Sensor, record: &[u8]) {
    sensor.thresholds = thresholds(record, &sensor.thresholds);
    let hysteresis = hysteresis(record);
    if hysteresis.support != Support::None {
        sensor.hysteresis = hysteresis;
    }
    initialize(sensor, record);
}

fn hysteresis(record: &[u8]) -> Hysteresis {
    let full = byte(record, field::TYPE) == FULL_SENSOR;
    let offset = if full { field::FULL_HYSTERESIS } else { field::COMPACT_HYSTERESIS };
    Hysteresis {
        support: Support::from_number(byte(record, field::CAPABILITIES) >> 4 & 0x03),
        positive: byte(record, offset),
        negative: byte(record, offset + 1),
    }
}

/// Does what the initialization agent does for the sensor of a record.
pub(super) fn initialize(sensor: &mut Sensor, record: &[u8]) {
    let initialization = byte(record, field::INITIALIZATION);
    let capabilities = byte(record, field::CAPABILITIES);
    let assertions = word(record, field::ASSERTIONS);
    let deassertions = word(record, field::DEASSERTIONS);

    sensor.scale = scale(record);
    if initialization & init::SENSOR_TYPE != 0 {
        sensor.sensor_type = byte(record, field::SENSOR_TYPE);
        sensor.event_reading_code = byte(record, field::EVENT_READING_CODE);
    }
    if initialization & init::EVENTS != 0 {
        sensor.events_enabled = initialization & init::EVENTS_ON != 0;
    }
    if initialization & init::SCANNING != 0 {
        sensor.scanning_enabled = initialization & init::SCANNING_ON != 0;
    }
    sensor.event_support = EventSupport::from_number(capabilities & 0x03);
    sensor.assertions = EventMask { supported: assertions, enabled: assertions };
    sensor.deassertions = EventMask { supported: deassertions, enabled: deassertions };
    if initialization & init::THRESHOLDS != 0 {
        sensor.thresholds = thresholds(record, &sensor.thresholds);
    }
    if initialization & init::HYSTERESIS != 0 {
        sensor.hysteresis = hysteresis(record);
    }
}
