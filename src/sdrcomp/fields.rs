//! The fields of each record type: name, place, kind (`sdrcomp.md` section 6).
//!
//! Owns the layout and nothing else. Byte numbers count from 1, as in the tables of IPMI 2.0
//! chapter 43; bytes 1 to 5 are the header. Several fields may have the same bits; their values are
//! joined.

use super::names::{
    ACCESS, ANALOG, DIRECTION, ENTITY, EVENT_CTRL, GEN_EVENTS, ID_MODIFIER, LINEAR, MODIFIER, Names, RATE, SENSOR_TYPE,
    UNIT,
};

/// What a field takes, and how it is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A number from 0 that fits into the bits, or one of the names.
    Unsigned(Names),
    /// A number in two's complement.
    Signed,
    /// A number in two's complement, its lower bits in the field's place, its upper ones here.
    Split(Place),
    /// The same; what is above the largest signed number is taken for the unsigned one that it is.
    SplitEither(Place),
    /// Yes or no: one bit.
    Flag,
    /// A reading as people write it, made a raw one with the factors of the record.
    Reading,
    /// A difference of readings.
    Difference,
}

/// Bits of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Number of the byte, from 1.
    pub byte: u8,
    /// Highest bit.
    pub high: u8,
    /// Lowest bit.
    pub low: u8,
}

impl Place {
    /// How many bits.
    pub const fn width(self) -> u8 {
        self.high - self.low + 1
    }

    /// The bits, in their place in the byte.
    pub const fn mask(self) -> u8 {
        (0xff >> (8 - self.width())) << self.low
    }
}

/// A field of a record.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// Its name in the source.
    pub name: &'static str,
    /// Where it is stored.
    pub place: Place,
    /// What it takes.
    pub kind: Kind,
    /// Whether a record without it is a fault.
    pub required: bool,
}

impl Field {
    const fn new(name: &'static str, byte: u8, high: u8, low: u8, kind: Kind) -> Self {
        Self { name, place: Place { byte, high, low }, kind, required: false }
    }

    const fn required(self) -> Self {
        Self { required: true, ..self }
    }

    const fn named(self, names: Names) -> Self {
        Self { kind: Kind::Unsigned(names), ..self }
    }
}

const fn uint(name: &'static str, byte: u8, high: u8, low: u8) -> Field {
    Field::new(name, byte, high, low, Kind::Unsigned(&[]))
}

const fn byte(name: &'static str, byte: u8) -> Field {
    uint(name, byte, 7, 0)
}

const fn flag(name: &'static str, byte: u8, bit: u8) -> Field {
    Field::new(name, byte, bit, bit, Kind::Flag)
}

const fn reading(name: &'static str, byte: u8) -> Field {
    Field::new(name, byte, 7, 0, Kind::Reading)
}

const fn difference(name: &'static str, byte: u8) -> Field {
    Field::new(name, byte, 7, 0, Kind::Difference)
}

/// Which names a record's event masks go by when it is turned back into text.
#[derive(Clone, Copy, Debug)]
pub enum Block {
    /// Always.
    Always(&'static [Field]),
    /// By the thresholds: first for threshold sensors, last for others.
    Thresholds(&'static [Field]),
    /// By event offsets: the other way round.
    Events(&'static [Field]),
}

impl Block {
    /// The fields, whatever they are for.
    pub const fn fields(self) -> &'static [Field] {
        match self {
            Self::Always(fields) | Self::Thresholds(fields) | Self::Events(fields) => fields,
        }
    }
}

/// A record type.
#[derive(Clone, Copy, Debug)]
pub struct RecordType {
    /// Its number, byte 4 of the record.
    pub number: u8,
    /// The fields, in the order of the bytes as far as possible.
    pub blocks: &'static [Block],
    /// Bytes before the characters of the name.
    pub length: u8,
    /// Whether the last of these bytes is the type and length of a name.
    pub named: bool,
    /// Bits that are always set: byte number and value.
    pub preset: Option<(u8, u8)>,
}

impl RecordType {
    /// The type with a number.
    pub fn find(number: u32) -> Option<&'static Self> {
        TYPES.iter().find(|known| u32::from(known.number) == number)
    }

    /// All fields but the name.
    pub fn fields(&self) -> impl Iterator<Item = &'static Field> {
        self.blocks.iter().flat_map(|block| block.fields())
    }
}

/// The name of the name.
pub const ID_STRING: &str = "id_string";

/// All record types.
pub static TYPES: &[RecordType] = &[
    RecordType {
        number: 0x01,
        blocks: &[
            Block::Always(SENSOR_KEY),
            Block::Always(SENSOR_SETUP),
            Block::Always(INIT_HYSTERESIS),
            Block::Thresholds(FULL_THRESHOLD_RETURN),
            Block::Thresholds(THRESHOLD_MASKS),
            Block::Events(EVENT_MASKS),
            Block::Always(FULL_UNITS),
            Block::Always(FULL),
        ],
        length: 48,
        named: true,
        preset: None,
    },
    RecordType {
        number: 0x02,
        blocks: &[
            Block::Always(SENSOR_KEY),
            Block::Always(SENSOR_SETUP),
            Block::Always(INIT_HYSTERESIS),
            Block::Always(INIT_SYSTERESIS),
            Block::Thresholds(COMPACT_THRESHOLD_RETURN),
            Block::Thresholds(THRESHOLD_MASKS),
            Block::Events(EVENT_MASKS),
            Block::Always(UNITS),
            Block::Always(COMPACT),
        ],
        length: 32,
        named: true,
        // No analog reading.
        preset: Some((21, 0xc0)),
    },
    RecordType {
        number: 0x03,
        blocks: &[Block::Always(SENSOR_KEY), Block::Always(EVENT_ONLY)],
        length: 17,
        named: true,
        preset: None,
    },
    RecordType { number: 0x08, blocks: &[Block::Always(ASSOCIATION)], length: 16, named: false, preset: None },
    RecordType { number: 0x09, blocks: &[Block::Always(DEVICE_ASSOCIATION)], length: 32, named: false, preset: None },
    RecordType { number: 0x10, blocks: &[Block::Always(GENERIC_LOCATOR)], length: 16, named: true, preset: None },
    RecordType { number: 0x11, blocks: &[Block::Always(FRU_LOCATOR)], length: 16, named: true, preset: None },
    RecordType { number: 0x12, blocks: &[Block::Always(CONTROLLER_LOCATOR)], length: 16, named: true, preset: None },
];

/// Which sensor it is, and of what.
static SENSOR_KEY: &[Field] = &[
    byte("sensor_owner_id", 6).required(),
    uint("channel_number", 7, 7, 4).required(),
    uint("sensor_owner_lun", 7, 1, 0).required(),
    byte("sensor_number", 8).required(),
    byte("entity_id", 9).named(ENTITY).required(),
    flag("logical_entity", 10, 7),
    byte("entity_instance", 10).required(),
];

/// Initialization and capabilities of sensors that can be read.
static SENSOR_SETUP: &[Field] = &[
    flag("init_scanning", 11, 6),
    flag("init_events", 11, 5),
    flag("init_thresholds", 11, 4),
    flag("init_sensor_type", 11, 2),
    flag("default_event_gen_on", 11, 1),
    flag("default_sensor_scan_on", 11, 0),
    flag("ignore_if_no_entity", 12, 7),
    flag("sensor_auto_rearm", 12, 6),
    uint("sensor_hysteresis", 12, 5, 4).named(ACCESS),
    uint("sensor_threshold_access", 12, 3, 2).named(ACCESS),
    uint("sensor_event_msg_ctrl", 12, 1, 0).named(EVENT_CTRL),
    byte("sensor_type", 13).named(SENSOR_TYPE).required(),
    byte("event_reading_type_code", 14).required(),
];

static INIT_HYSTERESIS: &[Field] = &[flag("init_hysteresis", 11, 3)];
/// What the original calls it in compact records.
static INIT_SYSTERESIS: &[Field] = &[flag("init_systeresis", 11, 3)];

/// Which threshold comparisons are returned, as named in full records.
static FULL_THRESHOLD_RETURN: &[Field] = &[
    flag("return_lnr", 16, 6),
    flag("return_lc", 16, 5),
    flag("return_lnc", 16, 4),
    flag("return_unr", 18, 6),
    flag("return_uc", 18, 5),
    flag("return_unc", 18, 4),
];

/// The same bits, as named in compact records.
static COMPACT_THRESHOLD_RETURN: &[Field] = &[
    flag("assert_lnr", 16, 6),
    flag("assert_lc", 16, 5),
    flag("assert_lnc", 16, 4),
    flag("deassert_lnr", 18, 6),
    flag("deassert_lc", 18, 5),
    flag("deassert_lnc", 18, 4),
];

/// Events and access of thresholds: lower and upper; non-critical, critical, non-recoverable; going
/// low and going high.
static THRESHOLD_MASKS: &[Field] = &[
    flag("assert_unrgh", 16, 3),
    flag("assert_unrgl", 16, 2),
    flag("assert_ucgh", 16, 1),
    flag("assert_ucgl", 16, 0),
    flag("assert_uncgh", 15, 7),
    flag("assert_uncgl", 15, 6),
    flag("assert_lnrgh", 15, 5),
    flag("assert_lnrgl", 15, 4),
    flag("assert_lcgh", 15, 3),
    flag("assert_lcgl", 15, 2),
    flag("assert_lncgh", 15, 1),
    flag("assert_lncgl", 15, 0),
    flag("deassert_unrgh", 18, 3),
    flag("deassert_unrgl", 18, 2),
    flag("deassert_ucgh", 18, 1),
    flag("deassert_ucgl", 18, 0),
    flag("deassert_uncgh", 17, 7),
    flag("deassert_uncgl", 17, 6),
    flag("deassert_lnrgh", 17, 5),
    flag("deassert_lnrgl", 17, 4),
    flag("deassert_lcgh", 17, 3),
    flag("deassert_lcgl", 17, 2),
    flag("deassert_lncgh", 17, 1),
    flag("deassert_lncgl", 17, 0),
    flag("unr_thrsh_settable", 20, 5),
    flag("uc_thrsh_settable", 20, 4),
    flag("unc_thrsh_settable", 20, 3),
    flag("lnr_thrsh_settable", 20, 2),
    flag("lc_thrsh_settable", 20, 1),
    flag("lnc_thrsh_settable", 20, 0),
    flag("unr_thrsh_readable", 19, 5),
    flag("uc_thrsh_readable", 19, 4),
    flag("unc_thrsh_readable", 19, 3),
    flag("lnr_thrsh_readable", 19, 2),
    flag("lc_thrsh_readable", 19, 1),
    flag("lnc_thrsh_readable", 19, 0),
];

/// Events and states by their offset.
static EVENT_MASKS: &[Field] = &[
    flag("assert_event14", 16, 6),
    flag("assert_event13", 16, 5),
    flag("assert_event12", 16, 4),
    flag("assert_event11", 16, 3),
    flag("assert_event10", 16, 2),
    flag("assert_event9", 16, 1),
    flag("assert_event8", 16, 0),
    flag("assert_event7", 15, 7),
    flag("assert_event6", 15, 6),
    flag("assert_event5", 15, 5),
    flag("assert_event4", 15, 4),
    flag("assert_event3", 15, 3),
    flag("assert_event2", 15, 2),
    flag("assert_event1", 15, 1),
    flag("assert_event0", 15, 0),
    flag("deassert_event14", 18, 6),
    flag("deassert_event13", 18, 5),
    flag("deassert_event12", 18, 4),
    flag("deassert_event11", 18, 3),
    flag("deassert_event10", 18, 2),
    flag("deassert_event9", 18, 1),
    flag("deassert_event8", 18, 0),
    flag("deassert_event7", 17, 7),
    flag("deassert_event6", 17, 6),
    flag("deassert_event5", 17, 5),
    flag("deassert_event4", 17, 4),
    flag("deassert_event3", 17, 3),
    flag("deassert_event2", 17, 2),
    flag("deassert_event1", 17, 1),
    flag("deassert_event0", 17, 0),
    flag("event14_state_ret", 20, 6),
    flag("event13_state_ret", 20, 5),
    flag("event12_state_ret", 20, 4),
    flag("event11_state_ret", 20, 3),
    flag("event10_state_ret", 20, 2),
    flag("event9_state_ret", 20, 1),
    flag("event8_state_ret", 20, 0),
    flag("event7_state_ret", 19, 7),
    flag("event6_state_ret", 19, 6),
    flag("event5_state_ret", 19, 5),
    flag("event4_state_ret", 19, 4),
    flag("event3_state_ret", 19, 3),
    flag("event2_state_ret", 19, 2),
    flag("event1_state_ret", 19, 1),
    flag("event0_state_ret", 19, 0),
];

static FULL_UNITS: &[Field] = &[
    uint("analog_data_format", 21, 7, 6).named(ANALOG),
    uint("rate_unit", 21, 5, 3).named(RATE),
    uint("modifier_unit", 21, 2, 1).named(MODIFIER),
    flag("percentage", 21, 0),
    byte("base_unit", 22).named(UNIT),
    byte("modifier_unit_code", 23).named(UNIT),
];

/// The units of compact records, whose readings are not analog.
static UNITS: &[Field] = &[
    uint("rate_unit", 21, 5, 3).named(RATE),
    uint("modifier_unit", 21, 2, 1).named(MODIFIER),
    flag("percentage", 21, 0),
    byte("base_unit", 22).named(UNIT),
    byte("modifier_unit_code", 23).named(UNIT),
];

/// The rest of a full sensor record.
static FULL: &[Field] = &[
    uint("linearization", 24, 6, 0).named(LINEAR),
    Field::new("m", 25, 7, 0, Kind::Split(Place { byte: 26, high: 7, low: 6 })),
    uint("tolerance", 26, 5, 0),
    Field::new("b", 27, 7, 0, Kind::Split(Place { byte: 28, high: 7, low: 6 })),
    Field::new("accuracy", 28, 5, 0, Kind::SplitEither(Place { byte: 29, high: 7, low: 4 })),
    uint("accuracy_exp", 29, 3, 2),
    uint("sensor_direction", 29, 1, 0).named(DIRECTION),
    Field::new("r_exp", 30, 7, 4, Kind::Signed),
    Field::new("b_exp", 30, 3, 0, Kind::Signed),
    flag("normal_min_specified", 31, 2),
    flag("normal_max_specified", 31, 1),
    flag("nominal_specified", 31, 0),
    byte("nominal_reading", 32),
    reading("nominal_freading", 32),
    byte("normal_maximum", 33),
    reading("normal_fmaximum", 33),
    byte("normal_minimum", 34),
    reading("normal_fminimum", 34),
    byte("sensor_maximum", 35),
    byte("sensor_minimum", 36),
    byte("unr_thresh", 37),
    byte("uc_thresh", 38),
    byte("unc_thresh", 39),
    byte("lnr_thresh", 40),
    byte("lc_thresh", 41),
    byte("lnc_thresh", 42),
    reading("unr_fthresh", 37),
    reading("uc_fthresh", 38),
    reading("unc_fthresh", 39),
    reading("lnr_fthresh", 40),
    reading("lc_fthresh", 41),
    reading("lnc_fthresh", 42),
    byte("positive_hysteresis", 43),
    difference("positive_fhysteresis", 43),
    byte("negative_hysteresis", 44),
    difference("negative_fhysteresis", 44),
    byte("oem", 47),
];

/// The rest of a compact sensor record.
static COMPACT: &[Field] = &[
    uint("sensor_direction", 24, 7, 6).named(DIRECTION),
    uint("id_string_modifier", 24, 5, 4).named(ID_MODIFIER),
    uint("share_count", 24, 3, 0),
    flag("entity_instance_incr", 25, 7),
    uint("instance_modifier_off", 25, 6, 0),
    byte("positive_hysteresis", 26),
    byte("negative_hysteresis", 27),
    byte("oem", 31),
];

/// The rest of an event-only record.
static EVENT_ONLY: &[Field] = &[
    byte("sensor_type", 11).named(SENSOR_TYPE).required(),
    byte("event_reading_type_code", 12).required(),
    uint("sensor_direction", 13, 7, 6).named(DIRECTION),
    uint("id_string_modifier", 13, 5, 4).named(ID_MODIFIER),
    uint("share_count", 13, 3, 0),
    flag("entity_instance_incr", 14, 7),
    uint("instance_modifier_off", 14, 6, 0),
    byte("oem", 16),
];

/// An entity association record.
static ASSOCIATION: &[Field] = &[
    byte("container_entity_id", 6).named(ENTITY).required(),
    byte("container_entity_inst", 7).required(),
    flag("entities_are_range", 8, 7),
    flag("linked_ears", 8, 6),
    flag("presence_sensor_always_there", 8, 5),
    byte("entity_1_id", 9).named(ENTITY).required(),
    byte("entity_1_inst", 10).required(),
    byte("entity_2_id", 11).named(ENTITY),
    byte("entity_2_inst", 12),
    byte("entity_3_id", 13).named(ENTITY),
    byte("entity_3_inst", 14),
    byte("entity_4_id", 15).named(ENTITY),
    byte("entity_4_inst", 16),
];

/// A device-relative entity association record.
static DEVICE_ASSOCIATION: &[Field] = &[
    byte("container_entity_id", 6).named(ENTITY).required(),
    byte("container_entity_inst", 7).required(),
    byte("container_entity_dev_addr", 8).required(),
    byte("container_entity_dev_chan", 9).required(),
    flag("entities_are_range", 10, 7),
    flag("linked_ears", 10, 6),
    flag("presence_sensor_always_there", 10, 5),
    byte("entity_1_dev_addr", 11).required(),
    byte("entity_1_dev_chan", 12).required(),
    byte("entity_1_id", 13).named(ENTITY).required(),
    byte("entity_1_inst", 14).required(),
    byte("entity_2_dev_addr", 15),
    byte("entity_2_dev_chan", 16),
    byte("entity_2_id", 17).named(ENTITY),
    byte("entity_2_inst", 18),
    byte("entity_3_dev_addr", 19),
    byte("entity_3_dev_chan", 20),
    byte("entity_3_id", 21).named(ENTITY),
    byte("entity_3_inst", 22),
    byte("entity_4_dev_addr", 23),
    byte("entity_4_dev_chan", 24),
    byte("entity_4_id", 25).named(ENTITY),
    byte("entity_4_inst", 26),
];

/// A generic device locator record.
static GENERIC_LOCATOR: &[Field] = &[
    byte("device_access_address", 6).required(),
    byte("device_slave_address", 7).required(),
    uint("channel_number", 8, 7, 5),
    uint("lun", 8, 4, 3),
    uint("private_bus_id", 8, 2, 0),
    uint("address_span", 9, 2, 0),
    byte("device_type", 11).required(),
    byte("device_type_modifier", 12).required(),
    byte("entity_id", 13).named(ENTITY).required(),
    byte("entity_instance", 14).required(),
    byte("oem", 15),
];

/// A FRU device locator record.
static FRU_LOCATOR: &[Field] = &[
    byte("device_access_address", 6).required(),
    byte("fru_device_address", 7).required(),
    flag("logical_fru", 8, 7),
    uint("lun", 8, 4, 3),
    uint("private_bus_id", 8, 2, 0),
    uint("channel_number", 9, 7, 4),
    byte("device_type", 11).required(),
    byte("device_type_modifier", 12).required(),
    byte("fru_entity_id", 13).named(ENTITY).required(),
    byte("fru_entity_instance", 14).required(),
    byte("oem", 15),
];

/// A management controller device locator record.
static CONTROLLER_LOCATOR: &[Field] = &[
    byte("device_slave_address", 6).required(),
    uint("device_channel_number", 7, 3, 0).required(),
    flag("ACPI_sys_power_state", 8, 7),
    flag("ACPI_dev_power_state", 8, 6),
    flag("static_controller", 8, 5),
    flag("controller_logs_init", 8, 3),
    flag("log_init", 8, 2),
    uint("gen_events", 8, 1, 0).named(GEN_EVENTS),
    flag("chassis", 9, 7),
    flag("bridge", 9, 6),
    flag("ipmb_event_gen", 9, 5),
    flag("ipmb_event_recv", 9, 4),
    flag("fru_inventory", 9, 3),
    flag("sel", 9, 2),
    flag("sdr", 9, 1),
    flag("sensor", 9, 0),
    byte("entity_id", 13).named(ENTITY).required(),
    byte("entity_instance", 14).required(),
    byte("oem", 15),
];

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_field_lies_inside_its_record_behind_the_header() {
        for kind in TYPES {
            let name = u8::from(kind.named);
            let mut names = HashSet::new();
            for field in kind.fields() {
                let mut places = vec![field.place];
                if let Kind::Split(place) | Kind::SplitEither(place) = field.kind {
                    places.push(place);
                }
                for place in places {
                    assert!(place.byte > 5 && place.byte <= kind.length - name, "{field:?}");
                    assert!(place.low <= place.high && place.high < 8, "{field:?}");
                }
                assert!(names.insert(field.name), "{} twice in type {}", field.name, kind.number);
                if let Kind::Unsigned(names) = field.kind {
                    for (name, value) in names {
                        assert!(u16::from(*value) < 1 << field.place.width(), "{name} in {field:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn masks_lie_where_they_should() {
        assert_eq!(Place { byte: 6, high: 7, low: 0 }.mask(), 0xff);
        assert_eq!(Place { byte: 6, high: 5, low: 4 }.mask(), 0x30);
        assert_eq!(Place { byte: 6, high: 0, low: 0 }.mask(), 0x01);
    }
}
