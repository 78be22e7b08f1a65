//! What requests are about, and what their responses say.

use std::net::Ipv4Addr;

use super::{Class, Value, hexadecimal};
use crate::bmc::lan_parameters::number;
use crate::clone::model::{DeviceId, Request};
use crate::clone::reads::Read;

/// Names of the levels of privilege from 0.
const LEVELS: [&str; 6] = ["unspecified", "callback", "user", "operator", "administrator", "OEM"];

/// What a request asks about, without its controller.
pub(super) fn subject(request: &Request) -> String {
    let byte = |at: usize| request.data.get(at).copied().unwrap_or_default();
    let Some(read) = request.read() else {
        return format!("OEM command {:02x}h {:02x}h {}", request.netfn, request.cmd, hexadecimal(&request.data));
    };
    match read {
        Read::UserName => format!("user {}", byte(0) & 0x3f),
        Read::UserAccess | Read::UserPayloadAccess => format!("user {} on channel {}", byte(1) & 0x3f, byte(0) & 0x0f),
        Read::LanParameters => format!("LAN channel {}", byte(0) & 0x0f),
        Read::SolParameters => format!("SOL channel {}", byte(0) & 0x0f),
        Read::ChannelAccess | Read::ChannelInfo | Read::ChannelPayloadSupport | Read::ChannelPayloadVersion => {
            format!("channel {}", byte(0) & 0x0f)
        }
        Read::AuthenticationCapabilities | Read::CipherSuites => format!("channel {}", byte(0) & 0x0f),
        Read::PefParameters => "PEF".into(),
        Read::BootOptions => "boot options".into(),
        Read::SystemInfo => "system info".into(),
        Read::SystemGuid => "system".into(),
        Read::DeviceId | Read::DeviceGuid => "device".into(),
        _ => read.name().trim_start_matches("Get ").into(),
    }
}

/// What a response to a request says. Each value is compared by what it is.
pub(super) fn values(request: &Request, data: &[u8]) -> Vec<Value> {
    let Some(read) = request.read() else {
        return vec![Value::new("response", hexadecimal(data), Class::Settings)];
    };
    match read {
        Read::DeviceId => device_id(data),
        Read::DeviceGuid | Read::SystemGuid => vec![Value::new("GUID", hexadecimal(data), Class::Guid)],
        Read::UserName => vec![Value::new("name", text(data), Class::Settings)],
        Read::UserAccess => user_access(request, data),
        Read::ChassisStatus => chassis_status(data),
        Read::LanParameters => vec![lan_parameter(request, data)],
        Read::PefParameters => {
            let parameter = request.data.first().map_or(0, |selector| selector & 0x7f);
            let class = if parameter == 10 { Class::Guid } else { Class::Settings };
            vec![Value::new(with_sets(format!("parameter {parameter}"), request.data.get(1..)), value(data), class)]
        }
        Read::SolParameters | Read::SystemInfo => {
            let parameter = request.data.get(1).copied().unwrap_or_default();
            let class = if read == Read::SystemInfo && matches!(parameter, 2 | 6 | 7) {
                Class::Identity
            } else {
                Class::Settings
            };
            vec![Value::new(with_sets(format!("parameter {parameter}"), request.data.get(2..)), value(data), class)]
        }
        Read::BootOptions => {
            let parameter = request.data.first().map_or(0, |selector| selector & 0x7f);
            vec![Value::new(
                with_sets(format!("parameter {parameter}"), request.data.get(1..)),
                hexadecimal(data),
                Class::Settings,
            )]
        }
        Read::Watchdog => {
            let (settings, countdown) = data.split_at(data.len().min(6));
            vec![
                Value::new("settings", hexadecimal(settings), Class::Settings),
                Value::new("countdown", hexadecimal(countdown), Class::Time),
            ]
        }
        _ => vec![Value::new(with_data(read, request), hexadecimal(data), class(read))],
    }
}

fn class(read: Read) -> Class {
    match read {
        Read::PowerOnHours | Read::SelUtcOffset => Class::Time,
        Read::EventStatus | Read::SensorReading => Class::Readings,
        Read::SelAllocation => Class::Log,
        Read::DcmiAssetTag | Read::DcmiIdentifier => Class::Identity,
        _ => Class::Settings,
    }
}

/// What a response as a whole is: the name of the command without its verb, and what was asked for.
pub(super) fn name(request: &Request) -> String {
    request.read().map_or_else(|| "response".into(), |read| with_data(read, request))
}

fn with_data(read: Read, request: &Request) -> String {
    let name = read.name().trim_start_matches("Get ");
    if request.data.is_empty() { name.into() } else { format!("{name} {}", hexadecimal(&request.data)) }
}

/// A parameter with its set and block selectors, where they are not 0.
fn with_sets(name: String, selectors: Option<&[u8]>) -> String {
    match selectors {
        Some([set, block, ..]) if *block != 0 => format!("{name} set {set} block {block}"),
        Some([set, ..]) if *set != 0 => format!("{name} set {set}"),
        _ => name,
    }
}

/// The value of a parameter, without the revision in front of it.
fn value(data: &[u8]) -> String {
    hexadecimal(data.get(1..).unwrap_or_default())
}

fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    bytes.get(..end).unwrap_or_default().iter().copied().map(char::from).collect()
}

fn device_id(data: &[u8]) -> Vec<Value> {
    let Some(id) = DeviceId::parse(data) else {
        return vec![Value::new("device id", hexadecimal(data), Class::Settings)];
    };
    let values = [
        ("device id", format!("{:02x}h", id.id)),
        ("device revision", format!("{:02x}h", id.revision)),
        ("firmware revision", format!("{}.{:02x}", id.major & 0x7f, id.minor)),
        ("availability", if id.major & 0x80 == 0 { "normal".into() } else { "update in progress".to_owned() }),
        ("IPMI version", format!("{}.{}", id.version & 0x0f, id.version >> 4)),
        ("device support", format!("{:02x}h", id.support)),
        ("manufacturer", id.manufacturer.to_string()),
        ("product", format!("{} ({:04x}h)", id.product, id.product)),
        ("auxiliary firmware revision", id.auxiliary.map_or("none".into(), |bytes| hexadecimal(&bytes))),
    ];
    values.into_iter().map(|(what, shown)| Value::new(what, shown, Class::Settings)).collect()
}

/// Most users, enabled users with the state of this one, users with fixed names, access (section 22.27).
fn user_access(request: &Request, data: &[u8]) -> Vec<Value> {
    let byte = |at: usize| data.get(at).copied().unwrap_or_default();
    let level = usize::from(byte(3) & 0x0f);
    let level = LEVELS
        .get(level)
        .map_or_else(|| if level == 15 { "no access".into() } else { level.to_string() }, ToString::to_string);
    let state = ["not told", "enabled", "disabled", "reserved"][usize::from(byte(1) >> 6)];
    let mut values =
        vec![("state", state.into()), ("privilege limit", level), ("access flags", format!("{:02x}h", byte(3) & 0xf0))];
    // What is of the whole channel is compared once.
    if request.data.get(1).is_some_and(|user| user & 0x3f == 1) {
        values.push(("most users of the channel", byte(0).to_string()));
        values.push(("enabled users of the channel", (byte(1) & 0x3f).to_string()));
        values.push(("fixed names of the channel", (byte(2) & 0x3f).to_string()));
    }
    values.into_iter().map(|(what, shown)| Value::new(what, shown, Class::Settings)).collect()
}

/// Whether a response is that of a user that nobody has set up.
pub(super) fn is_nobody(request: &Request, data: &[u8]) -> bool {
    match request.read() {
        Some(Read::UserName) => data.iter().all(|byte| *byte == 0),
        // It is not enabled.
        Some(Read::UserAccess) => data.get(1).is_some_and(|state| state >> 6 != 1),
        Some(Read::UserPayloadAccess) => true,
        _ => false,
    }
}

/// Power state, last power event, other state, front panel (section 28.2).
fn chassis_status(data: &[u8]) -> Vec<Value> {
    let byte = |at: usize| data.get(at).copied().unwrap_or_default();
    let policy = ["always off", "previous", "always on", "unknown"][usize::from(byte(0) >> 5 & 0x03)];
    let values = [
        ("power", if byte(0) & 1 != 0 { "on".into() } else { "off".to_owned() }),
        ("power restore policy", policy.into()),
        ("power faults", format!("{:02x}h", byte(0) & 0x9e)),
        ("last power event", format!("{:02x}h", byte(1))),
        ("other state", format!("{:02x}h", byte(2))),
        ("front panel", data.get(3).map_or("not told".into(), |byte| format!("{byte:02x}h"))),
    ];
    values.into_iter().map(|(what, shown)| Value::new(what, shown, Class::Settings)).collect()
}

fn lan_parameter(request: &Request, data: &[u8]) -> Value {
    let parameter = request.data.get(1).copied().unwrap_or_default();
    let known = known_parameter(parameter);
    let name = known.map_or_else(
        || format!("parameter {parameter}"),
        |(name, ..)| if parameter < 50 { name.to_owned() } else { format!("{name} (parameter {parameter})") },
    );
    let (form, class) = known.map_or((Form::Hexadecimal, Class::Settings), |(_, form, class)| (form, class));
    let bytes = data.get(1..).unwrap_or_default();
    let shown = match (form, bytes.first_chunk::<4>()) {
        (Form::Address, Some(octets)) if bytes.len() == 4 => Ipv4Addr::from(*octets).to_string(),
        (Form::Mac, _) => bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(":"),
        (Form::Text, _) => text(bytes),
        _ => hexadecimal(bytes),
    };
    Value::new(with_sets(name, request.data.get(2..)), shown, class)
}

#[derive(Clone, Copy)]
enum Form {
    Address,
    Mac,
    Text,
    Hexadecimal,
}

/// LAN parameters (table 23-4).
fn known_parameter(parameter: u8) -> Option<(&'static str, Form, Class)> {
    use Class::{Identity, Settings};
    use Form::{Address, Hexadecimal, Mac, Text};
    Some(match parameter {
        number::AUTH_SUPPORT => ("authentication type support", Hexadecimal, Settings),
        number::AUTH_ENABLES => ("authentication type enables", Hexadecimal, Settings),
        number::IP_ADDRESS => ("IP address", Address, Identity),
        number::IP_SOURCE => ("IP address source", Hexadecimal, Settings),
        number::MAC_ADDRESS => ("MAC address", Mac, Identity),
        number::SUBNET_MASK => ("subnet mask", Address, Settings),
        number::GATEWAY => ("gateway", Address, Identity),
        number::GATEWAY_MAC => ("gateway's MAC address", Mac, Identity),
        number::BACKUP_GATEWAY => ("backup gateway", Address, Identity),
        number::BACKUP_GATEWAY_MAC => ("backup gateway's MAC address", Mac, Identity),
        number::COMMUNITY => ("community string", Text, Settings),
        number::DESTINATION_TYPE => ("alert destination type", Hexadecimal, Settings),
        number::DESTINATION_ADDRESSES => ("alert destination", Hexadecimal, Identity),
        number::VLAN_ID => ("VLAN id", Hexadecimal, Settings),
        number::CIPHER_SUITES => ("cipher suites", Hexadecimal, Settings),
        number::CIPHER_PRIVILEGES => ("cipher suite privileges", Hexadecimal, Settings),
        56 => ("static IPv6 address", Hexadecimal, Identity),
        59 => ("dynamic IPv6 address", Hexadecimal, Identity),
        65 | 66 | 68..=70 | 72 | 74 | 75 | 77 => ("IPv6 router", Hexadecimal, Identity),
        _ => return None,
    })
}
