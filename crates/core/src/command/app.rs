//! App commands.
//!
//! Session commands (37h to 3Dh, 54h) are answered inside sessions by the LAN channel;
//! here they exist only as far as a host or a bridged request may send them. Send Message
//! (34h) is routed by the simulator.

mod channel;
mod device;
mod firewall;
mod messaging;
mod payload;
mod system_info;
mod user;
mod watchdog;

use super::{Entry, has_sol};

/// The App commands, by number.
#[rustfmt::skip]
pub static COMMANDS: &[Entry] = &[
    Entry::new(0x01, "Get Device ID", device::get_device_id).user().reads()
        .fields(
            "",
            "device revision&0f|sdrs&80 major&7f|updating&80 minor ipmi support manufacturer:d3 product:d2 aux:*",
        ),
    Entry::new(0x02, "Cold Reset", device::cold_reset).administrator().acts().ours(),
    Entry::new(0x03, "Warm Reset", device::warm_reset).administrator().acts().ours(),
    Entry::new(0x04, "Get Self Test Results", device::get_self_test).user().reads().ours().fields("", "result detail"),
    Entry::new(0x06, "Set ACPI Power State", device::set_acpi_state).at_least(2).administrator().ours(),
    Entry::new(0x07, "Get ACPI Power State", device::get_acpi_state).gate(device::has_acpi_state).user().reads().ours(),
    Entry::new(0x08, "Get Device GUID", device::get_guid).gate(device::has_guid).user().reads().ours()
        .fields("", "guid:x16"),
    Entry::new(0x09, "Get NetFn Support", firewall::get_netfn_support).at_least(1).administrator().reads().ours()
        .fields("channel&0f", "luns functions:x16"),
    Entry::new(0x0a, "Get Command Support", firewall::get_command_support).at_least(3).administrator().reads().ours()
        .fields("channel&0f function&3f|upper&40 lun&03", "absent:x16"),
    Entry::new(0x0c, "Get Configurable Commands", firewall::get_configurable_commands).at_least(3)
        .administrator().reads().ours().fields("channel&0f function&3f|upper&40 lun&03", "configurable:x16"),
    Entry::new(0x22, "Reset Watchdog Timer", watchdog::reset_timer).gate(watchdog::exists).operator(),
    Entry::new(0x24, "Set Watchdog Timer", watchdog::set_timer).gate(watchdog::exists).at_least(6).operator()
        .fields(
            "use&07{?,frb2,post,os_load,sms,oem}|go_on&40|no_log&80 \
             action&07{none,reset,power_down,power_cycle}|pre_interrupt&70 pre_seconds:d1 clear tenths:d2",
            "",
        ),
    Entry::new(0x25, "Get Watchdog Timer", watchdog::get_timer).gate(watchdog::exists).user().reads()
        .fields(
            "",
            "use&07{?,frb2,post,os_load,sms,oem}|runs&40|no_log&80 action&07{none,reset,power_down,power_cycle}|\
             pre_interrupt&70 pre_seconds:d1 expired tenths:d2 left:d2",
        ),
    Entry::new(0x2e, "Set BMC Global Enables", messaging::set_enables).at_least(1).system_interface()
        .fields("enables", ""),
    Entry::new(0x2f, "Get BMC Global Enables", messaging::get_enables).user().reads().fields("", "enables"),
    Entry::new(0x30, "Clear Message Flags", messaging::clear_flags).at_least(1).system_interface().fields("flags", ""),
    Entry::new(0x31, "Get Message Flags", messaging::get_flags).system_interface().reads().fields("", "flags"),
    // A message for the host may be Set User Password as well.
    Entry::new(0x33, "Get Message", messaging::get_message).system_interface().acts()
        .fields("", "channel&0f message:!"),
    Entry::new(0x35, "Read Event Message Buffer", messaging::read_event_buffer).system_interface().acts(),
    Entry::new(0x36, "Get BT Interface Capabilities", device::get_bt_capabilities).gate(device::has_bt).user().reads(),
    Entry::new(0x37, "Get System GUID", device::get_system_guid).gate(device::has_system_guid).any_level().reads()
        .fields("", "guid:x16"),
    Entry::new(0x40, "Set Channel Access", channel::set_access).at_least(3).administrator().keeps()
        .fields("channel&0f access level&0f|set_level&c0", ""),
    Entry::new(0x41, "Get Channel Access", channel::get_access).at_least(2).user().reads()
        .fields("channel&0f which&c0{?,stored,present}", "access level&0f"),
    Entry::new(0x42, "Get Channel Info", channel::get_info).at_least(1).user().reads()
        .fields("channel&0f", "channel&0f medium&7f protocol&1f sessions vendor:d3 aux:2"),
    Entry::new(0x43, "Set User Access", user::set_access).at_least(3).administrator().keeps()
        .fields("channel&0f|messaging&10|link&20|callback&40|change&80 user:d1 level&0f sessions:d1", ""),
    Entry::new(0x44, "Get User Access", user::get_access).at_least(2).operator().reads()
        .fields("channel&0f user:d1", "users:d1 enabled&3f fixed:d1 level&0f|messaging&10|link&20|callback&40"),
    Entry::new(0x45, "Set User Name", user::set_name).at_least(17).administrator().keeps()
        .fields("user:d1 name:s16", ""),
    Entry::new(0x46, "Get User Name", user::get_name).at_least(1).operator().reads().fields("user:d1", "name:s16"),
    Entry::new(0x47, "Set User Password", user::set_password).at_least(2).administrator().keeps()
        .fields("user&3f|twenty&80 operation&03{disable,enable,set,test} password:!", ""),
    Entry::new(0x48, "Activate Payload", payload::activate).gate(payload::in_session).at_least(6).any_level()
        .fields("payload instance aux:x4", "aux:x4 to_bmc:d2 from_bmc:d2 port:d2 vlan:2"),
    Entry::new(0x49, "Deactivate Payload", payload::deactivate).gate(payload::in_session).at_least(6).any_level()
        .fields("payload instance aux:x4", ""),
    Entry::new(0x4a, "Get Payload Activation Status", payload::get_activation_status)
        .gate(payload::over_lan).at_least(1)
        .user().reads().fields("payload", "capacity:d1 active:x2"),
    Entry::new(0x4b, "Get Payload Instance Info", payload::get_instance_info).at_least(2).user().reads()
        .fields("payload instance", "session:4 info:*"),
    Entry::new(0x4c, "Set User Payload Access", payload::set_user_access).gate(has_sol).at_least(6)
        .administrator().keeps().ours().fields("channel&0f user&3f|disable&40 payloads oem:x3", ""),
    Entry::new(0x4d, "Get User Payload Access", payload::get_user_access).gate(has_sol).at_least(2)
        .operator().reads().ours().fields("channel&0f user&3f", "payloads oem:x3"),
    Entry::new(0x4e, "Get Channel Payload Support", payload::get_channel_support).at_least(1).user().reads(),
    Entry::new(0x4f, "Get Channel Payload Version", payload::get_channel_version).at_least(2).user().reads().ours(),
    // K_R and K_G.
    Entry::new(0x56, "Set Channel Security Keys", channel::security_keys).at_least(3).administrator().keeps().ours()
        .fields("channel&0f operation key_id key:!", "lock key:!"),
    Entry::new(0x57, "Get System Interface Capabilities", device::get_interface_capabilities)
        .gate(device::has_system_interface).at_least(1).user().reads().ours().fields("interface&0f{ssif,kcs,smic}", "-:1 version data:*"),
    Entry::new(0x58, "Set System Info Parameters", system_info::set).at_least(1).administrator().keeps().ours()
        .fields("parameter:d1 data:*", ""),
    // Beyond the original's levels, which stop a client at user level (freeipmi's bmc-info) for a lack of privilege;
    // IPMI 2.0 table G-1: user.
    Entry::new(0x59, "Get System Info Parameters", system_info::get).at_least(1).user().reads().ours()
        .fields("revision_only&80 parameter:d1 set:d1 block:d1", "revision data:*"),
    Entry::new(0x61, "Get Command Enables", firewall::get_command_enables).at_least(3).administrator().reads().ours()
        .fields("channel&0f function&3f|upper&40 lun&03", "enabled:x16"),
];

/// What the simulator (Send Message) and the LAN channel (the others) answer themselves, by number.
#[rustfmt::skip]
pub static ELSEWHERE: &[Entry] = &[
    Entry::elsewhere(0x34, "Send Message").user(),
    Entry::elsewhere(0x38, "Get Channel Authentication Capabilities").any_level().reads()
        .fields(
            "channel&0f|extended&80 level&0f{?,callback,user,operator,admin,oem}",
            "channel types&3f|extended&80 status support oem:x4",
        ),
    Entry::elsewhere(0x39, "Get Session Challenge").any_level().fields("type&0f name:s16", "session:4 challenge:!16"),
    Entry::elsewhere(0x3a, "Activate Session").any_level()
        .fields(
            "type&0f level&0f{?,callback,user,operator,admin,oem} challenge:!16 sequence:4",
            "type&0f session:4 sequence:4 level&0f{?,callback,user,operator,admin,oem}",
        ),
    Entry::elsewhere(0x3b, "Set Session Privilege Level").user()
        .fields("level&0f{same,callback,user,operator,admin,oem}", "level&0f{?,callback,user,operator,admin,oem}"),
    Entry::elsewhere(0x3c, "Close Session").any_level().fields("session:4 handle:d1", ""),
    Entry::elsewhere(0x3d, "Get Session Info").user().reads()
        .fields("index data:*", "handle:d1 possible:d1 active:d1 user:d1 level channel&0f|protocol&f0 data:*"),
    Entry::elsewhere(0x54, "Get Channel Cipher Suites").any_level().reads()
        .fields("channel&0f payload&3f index&3f|by_suite&80", "channel records:*"),
];
