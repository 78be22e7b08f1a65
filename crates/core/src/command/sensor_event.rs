//! Sensor/Event commands: events, PEF, device SDRs and sensors
//! (`commands-sensor-storage.md` sections 3 to 7, IPMI 2.0 sections 29, 30 and 35).

mod device_sdr;
mod event;
mod pef;
mod sensor;

use super::{Context, Entry, always};
use crate::bmc::device_id::support;

fn generates_events(context: &Context<'_>) -> bool {
    context.controller_is(|controller| controller.device.supports(support::EVENT_GENERATOR))
}

fn has_device_sdrs(context: &Context<'_>) -> bool {
    context.controller_is(|controller| controller.device.has_device_sdrs)
}

/// The Sensor/Event commands, by number.
pub static COMMANDS: &[Entry] = &[
    Entry {
        cmd: 0x00,
        name: "Set Event Receiver",
        gate: generates_events,
        min_length: 2,
        handler: event::set_receiver,
    },
    Entry {
        cmd: 0x01,
        name: "Get Event Receiver",
        gate: generates_events,
        min_length: 0,
        handler: event::get_receiver,
    },
    Entry { cmd: 0x02, name: "Platform Event", gate: always, min_length: 7, handler: event::platform_event },
    Entry { cmd: 0x10, name: "Get PEF Capabilities", gate: always, min_length: 0, handler: pef::get_capabilities },
    Entry {
        cmd: 0x12,
        name: "Set PEF Configuration Parameters",
        gate: always,
        min_length: 2,
        handler: pef::set_parameter,
    },
    Entry {
        cmd: 0x13,
        name: "Get PEF Configuration Parameters",
        gate: always,
        min_length: 3,
        handler: pef::get_parameter,
    },
    Entry {
        cmd: 0x15,
        name: "Get Last Processed Event ID",
        gate: always,
        min_length: 0,
        handler: pef::get_last_processed,
    },
    Entry {
        cmd: 0x20,
        name: "Get Device SDR Info",
        gate: has_device_sdrs,
        min_length: 0,
        handler: device_sdr::get_info,
    },
    Entry { cmd: 0x21, name: "Get Device SDR", gate: has_device_sdrs, min_length: 6, handler: device_sdr::get },
    Entry {
        cmd: 0x22,
        name: "Reserve Device SDR Repository",
        gate: has_device_sdrs,
        min_length: 0,
        handler: device_sdr::reserve,
    },
    Entry {
        cmd: 0x23,
        name: "Get Sensor Reading Factors",
        gate: always,
        min_length: 2,
        handler: sensor::get_reading_factors,
    },
    Entry { cmd: 0x24, name: "Set Sensor Hysteresis", gate: always, min_length: 4, handler: sensor::set_hysteresis },
    Entry { cmd: 0x25, name: "Get Sensor Hysteresis", gate: always, min_length: 1, handler: sensor::get_hysteresis },
    Entry { cmd: 0x26, name: "Set Sensor Thresholds", gate: always, min_length: 8, handler: sensor::set_thresholds },
    Entry { cmd: 0x27, name: "Get Sensor Thresholds", gate: always, min_length: 1, handler: sensor::get_thresholds },
    Entry {
        cmd: 0x28,
        name: "Set Sensor Event Enable",
        gate: always,
        min_length: 2,
        handler: sensor::set_event_enable,
    },
    Entry {
        cmd: 0x29,
        name: "Get Sensor Event Enable",
        gate: always,
        min_length: 1,
        handler: sensor::get_event_enable,
    },
    Entry { cmd: 0x2a, name: "Rearm Sensor Events", gate: always, min_length: 2, handler: sensor::rearm },
    Entry {
        cmd: 0x2b,
        name: "Get Sensor Event Status",
        gate: always,
        min_length: 1,
        handler: sensor::get_event_status,
    },
    Entry { cmd: 0x2d, name: "Get Sensor Reading", gate: always, min_length: 1, handler: sensor::get_reading },
    Entry { cmd: 0x2f, name: "Get Sensor Type", gate: always, min_length: 1, handler: sensor::get_type },
];
