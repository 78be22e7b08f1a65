//! Sensor/Event commands: events, PEF, device SDRs and sensors
//! (`commands-sensor-storage.md` sections 3 to 7, IPMI 2.0 sections 29, 30 and 35).

mod device_sdr;
mod event;
mod pef;
mod sensor;

use super::{Context, Entry, READ_RECORD};
use crate::bmc::device_id::support;

fn generates_events(context: &Context<'_>) -> bool {
    context.controller_is(|controller| controller.device.supports(support::EVENT_GENERATOR))
}

fn has_device_sdrs(context: &Context<'_>) -> bool {
    context.controller_is(|controller| controller.device.has_device_sdrs)
}

/// The Sensor/Event commands, by number. What can bring a sensor to log an event changes what is kept.
#[rustfmt::skip]
pub static COMMANDS: &[Entry] = &[
    Entry::new(0x00, "Set Event Receiver", event::set_receiver).gate(generates_events).at_least(2).administrator()
        .fields("address lun&03", ""),
    Entry::new(0x01, "Get Event Receiver", event::get_receiver).gate(generates_events).user().reads()
        .fields("", "address lun&03"),
    Entry::new(0x02, "Platform Event", event::platform_event).at_least(7).operator().acts().keeps(),
    Entry::new(0x10, "Get PEF Capabilities", pef::get_capabilities).user().reads(),
    Entry::new(0x11, "Arm PEF Postpone Timer", pef::arm_postpone_timer).at_least(1).administrator().ours()
        .fields("seconds:d1", "seconds:d1"),
    Entry::new(0x12, "Set PEF Configuration Parameters", pef::set_parameter).at_least(2).administrator().keeps()
        .fields("parameter:d1 data:*", ""),
    Entry::new(0x13, "Get PEF Configuration Parameters", pef::get_parameter).at_least(3).operator().reads(),
    Entry::new(0x14, "Set Last Processed Event ID", pef::set_last_processed).at_least(3).administrator().keeps()
        .ours().fields("by_bmc&01 record:2", ""),
    Entry::new(0x15, "Get Last Processed Event ID", pef::get_last_processed).administrator().reads().ours(),
    Entry::new(0x16, "Alert Immediate", pef::alert_immediate).at_least(3).administrator().acts().ours()
        .fields("channel&0f destination&0f|operation&c0 string&7f|send_string&80 event:*", "status"),
    Entry::new(0x17, "PET Acknowledge", pef::acknowledge).at_least(12).any_level().ours()
        .fields("sequence:2 time:4 source sensor_device sensor data:x3", ""),
    Entry::new(0x20, "Get Device SDR Info", device_sdr::get_info).gate(has_device_sdrs).user().reads()
        .fields("", "sensors:d1 flags change:4"),
    Entry::new(0x21, "Get Device SDR", device_sdr::get).gate(has_device_sdrs).at_least(6).user().reads()
        .fields(READ_RECORD, "next:2 data:*"),
    Entry::new(0x22, "Reserve Device SDR Repository", device_sdr::reserve).gate(has_device_sdrs).user().reads()
        .fields("", "reservation:2"),
    Entry::new(0x23, "Get Sensor Reading Factors", sensor::get_reading_factors).at_least(2).user().reads().ours(),
    Entry::new(0x24, "Set Sensor Hysteresis", sensor::set_hysteresis).at_least(4).operator().keeps()
        .fields("sensor mask positive negative", ""),
    Entry::new(0x25, "Get Sensor Hysteresis", sensor::get_hysteresis).at_least(1).user().reads()
        .fields("sensor mask", "positive negative"),
    Entry::new(0x26, "Set Sensor Thresholds", sensor::set_thresholds).at_least(8).operator().keeps()
        .fields("sensor mask lnc lc lnr unc uc unr", ""),
    Entry::new(0x27, "Get Sensor Thresholds", sensor::get_thresholds).at_least(1).user().reads()
        .fields("sensor", "readable lnc lc lnr unc uc unr"),
    Entry::new(0x28, "Set Sensor Event Enable", sensor::set_event_enable).at_least(2).operator().keeps()
        .fields("sensor flags assert:2 deassert:2", ""),
    Entry::new(0x29, "Get Sensor Event Enable", sensor::get_event_enable).at_least(1).user().reads()
        .fields("sensor", "flags assert:2 deassert:2"),
    Entry::new(0x2a, "Rearm Sensor Events", sensor::rearm).at_least(2).operator().keeps(),
    Entry::new(0x2b, "Get Sensor Event Status", sensor::get_event_status).at_least(1).user().reads().ours(),
    Entry::new(0x2d, "Get Sensor Reading", sensor::get_reading).at_least(1).user().reads()
        .fields("sensor", "reading flags states:x2"),
    Entry::new(0x2f, "Get Sensor Type", sensor::get_type).at_least(1).user().reads()
        .fields("sensor", "type event_type"),
];
