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

use super::{Entry, always, has_sol};

/// The App commands, by number.
pub static COMMANDS: &[Entry] = &[
    Entry { cmd: 0x01, name: "Get Device ID", gate: always, min_length: 0, handler: device::get_device_id },
    Entry { cmd: 0x02, name: "Cold Reset", gate: always, min_length: 0, handler: device::cold_reset },
    Entry { cmd: 0x03, name: "Warm Reset", gate: always, min_length: 0, handler: device::warm_reset },
    Entry { cmd: 0x04, name: "Get Self Test Results", gate: always, min_length: 0, handler: device::get_self_test },
    Entry { cmd: 0x06, name: "Set ACPI Power State", gate: always, min_length: 2, handler: device::set_acpi_state },
    Entry {
        cmd: 0x07,
        name: "Get ACPI Power State",
        gate: device::has_acpi_state,
        min_length: 0,
        handler: device::get_acpi_state,
    },
    Entry { cmd: 0x08, name: "Get Device GUID", gate: device::has_guid, min_length: 0, handler: device::get_guid },
    Entry { cmd: 0x09, name: "Get NetFn Support", gate: always, min_length: 1, handler: firewall::get_netfn_support },
    Entry {
        cmd: 0x0a,
        name: "Get Command Support",
        gate: always,
        min_length: 3,
        handler: firewall::get_command_support,
    },
    Entry {
        cmd: 0x0c,
        name: "Get Configurable Commands",
        gate: always,
        min_length: 3,
        handler: firewall::get_configurable_commands,
    },
    Entry {
        cmd: 0x22,
        name: "Reset Watchdog Timer",
        gate: watchdog::exists,
        min_length: 0,
        handler: watchdog::reset_timer,
    },
    Entry {
        cmd: 0x24,
        name: "Set Watchdog Timer",
        gate: watchdog::exists,
        min_length: 6,
        handler: watchdog::set_timer,
    },
    Entry {
        cmd: 0x25,
        name: "Get Watchdog Timer",
        gate: watchdog::exists,
        min_length: 0,
        handler: watchdog::get_timer,
    },
    Entry { cmd: 0x2e, name: "Set BMC Global Enables", gate: always, min_length: 1, handler: messaging::set_enables },
    Entry { cmd: 0x2f, name: "Get BMC Global Enables", gate: always, min_length: 0, handler: messaging::get_enables },
    Entry { cmd: 0x30, name: "Clear Message Flags", gate: always, min_length: 1, handler: messaging::clear_flags },
    Entry { cmd: 0x31, name: "Get Message Flags", gate: always, min_length: 0, handler: messaging::get_flags },
    Entry { cmd: 0x33, name: "Get Message", gate: always, min_length: 0, handler: messaging::get_message },
    Entry {
        cmd: 0x35,
        name: "Read Event Message Buffer",
        gate: always,
        min_length: 0,
        handler: messaging::read_event_buffer,
    },
    Entry {
        cmd: 0x36,
        name: "Get BT Interface Capabilities",
        gate: device::has_bt,
        min_length: 0,
        handler: device::get_bt_capabilities,
    },
    Entry {
        cmd: 0x37,
        name: "Get System GUID",
        gate: device::has_system_guid,
        min_length: 0,
        handler: device::get_system_guid,
    },
    Entry { cmd: 0x40, name: "Set Channel Access", gate: always, min_length: 3, handler: channel::set_access },
    Entry { cmd: 0x41, name: "Get Channel Access", gate: always, min_length: 2, handler: channel::get_access },
    Entry { cmd: 0x42, name: "Get Channel Info", gate: always, min_length: 1, handler: channel::get_info },
    Entry { cmd: 0x43, name: "Set User Access", gate: always, min_length: 3, handler: user::set_access },
    Entry { cmd: 0x44, name: "Get User Access", gate: always, min_length: 2, handler: user::get_access },
    Entry { cmd: 0x45, name: "Set User Name", gate: always, min_length: 17, handler: user::set_name },
    Entry { cmd: 0x46, name: "Get User Name", gate: always, min_length: 1, handler: user::get_name },
    Entry { cmd: 0x47, name: "Set User Password", gate: always, min_length: 2, handler: user::set_password },
    Entry { cmd: 0x48, name: "Activate Payload", gate: payload::in_session, min_length: 6, handler: payload::activate },
    Entry {
        cmd: 0x49,
        name: "Deactivate Payload",
        gate: payload::in_session,
        min_length: 6,
        handler: payload::deactivate,
    },
    Entry {
        cmd: 0x4a,
        name: "Get Payload Activation Status",
        gate: payload::over_lan,
        min_length: 1,
        handler: payload::get_activation_status,
    },
    Entry {
        cmd: 0x4b,
        name: "Get Payload Instance Info",
        gate: always,
        min_length: 2,
        handler: payload::get_instance_info,
    },
    Entry {
        cmd: 0x4c,
        name: "Set User Payload Access",
        gate: has_sol,
        min_length: 6,
        handler: payload::set_user_access,
    },
    Entry {
        cmd: 0x4d,
        name: "Get User Payload Access",
        gate: has_sol,
        min_length: 2,
        handler: payload::get_user_access,
    },
    Entry {
        cmd: 0x4e,
        name: "Get Channel Payload Support",
        gate: always,
        min_length: 1,
        handler: payload::get_channel_support,
    },
    Entry {
        cmd: 0x4f,
        name: "Get Channel Payload Version",
        gate: always,
        min_length: 2,
        handler: payload::get_channel_version,
    },
    Entry {
        cmd: 0x56,
        name: "Set Channel Security Keys",
        gate: always,
        min_length: 3,
        handler: channel::security_keys,
    },
    Entry {
        cmd: 0x57,
        name: "Get System Interface Capabilities",
        gate: device::has_system_interface,
        min_length: 1,
        handler: device::get_interface_capabilities,
    },
    Entry { cmd: 0x58, name: "Set System Info Parameters", gate: always, min_length: 1, handler: system_info::set },
    Entry { cmd: 0x59, name: "Get System Info Parameters", gate: always, min_length: 1, handler: system_info::get },
    Entry {
        cmd: 0x61,
        name: "Get Command Enables",
        gate: always,
        min_length: 3,
        handler: firewall::get_command_enables,
    },
];
