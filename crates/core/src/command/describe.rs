//! Messages in words, for people who watch the log: network functions, commands, fields and
//! completion codes by their names in the IPMI 2.0 specification.
//!
//! Names of commands come from the tables they are registered in. Layouts are the fields of those
//! commands people look for; what has none is shown as bytes. What is secret is never shown:
//! passwords, keys, challenges, and the random numbers and codes of a login.

use std::fmt::Write;

use crate::ipmi::{SEND_MESSAGE, netfn};
use crate::wire::ipmb;
use crate::wire::session20::PayloadType;

/// Commands that are not in a table because the LAN channel or the simulator answers them.
const ELSEWHERE: [(u8, &str); 8] = [
    (SEND_MESSAGE, "Send Message"),
    (0x38, "Get Channel Authentication Capabilities"),
    (0x39, "Get Session Challenge"),
    (0x3a, "Activate Session"),
    (0x3b, "Set Session Privilege Level"),
    (0x3c, "Close Session"),
    (0x3d, "Get Session Info"),
    (0x54, "Get Channel Cipher Suites"),
];

/// The fields of one command.
struct Layout {
    netfn: u8,
    cmd: u8,
    request: &'static str,
    answer: &'static str,
}

const fn layout(netfn: u8, cmd: u8, request: &'static str, answer: &'static str) -> Layout {
    Layout { netfn, cmd, request, answer }
}

// Words are fields in their order: `name` one byte, `name:N` N bytes with the least significant first,
// `name:dN` the same in decimal, `name:xN` bytes as they are, `name:sN` text, `name:*` all that
// is left, `name:!N` and `name:!` secrets, `-:N` bytes that mean nothing. `a&0f|b&80` are parts of one
// byte; `{first,second}` names the values from 0 on.

const LEVELS: &str = "level&0f{highest,callback,user,operator,admin,oem}";
const READ_RECORD: &str = "reservation:2 record:2 offset:d1 count:d1";

const LAYOUTS: &[Layout] = &[
    layout(netfn::CHASSIS, 0x00, "", "flags fru_device sdr_device sel_device sm_device"),
    layout(netfn::CHASSIS, 0x01, "", "power&01{off,on}|fault&1e|policy&60{off,previous,on} last_event state"),
    layout(netfn::CHASSIS, 0x02, "control&0f{off,on,cycle,reset,diag,soft}", ""),
    layout(netfn::CHASSIS, 0x04, "seconds:d1 force&01{no,yes}", ""),
    layout(netfn::CHASSIS, 0x06, "policy&07{off,previous,on,unchanged}", "supported"),
    layout(netfn::CHASSIS, 0x07, "", "cause&0f"),
    layout(netfn::CHASSIS, 0x08, "parameter&7f|invalid&80 data:*", ""),
    layout(netfn::CHASSIS, 0x09, "parameter&7f set block", "version&0f parameter&7f|invalid&80 data:*"),
    layout(netfn::CHASSIS, 0x0f, "", "minutes_per_count:d1 count:d4"),
    layout(netfn::SENSOR_EVENT, 0x00, "address lun&03", ""),
    layout(netfn::SENSOR_EVENT, 0x01, "", "address lun&03"),
    layout(netfn::SENSOR_EVENT, 0x20, "", "sensors:d1 flags change:4"),
    layout(netfn::SENSOR_EVENT, 0x21, READ_RECORD, "next:2 data:*"),
    layout(netfn::SENSOR_EVENT, 0x22, "", "reservation:2"),
    layout(netfn::SENSOR_EVENT, 0x24, "sensor mask positive negative", ""),
    layout(netfn::SENSOR_EVENT, 0x25, "sensor mask", "positive negative"),
    layout(netfn::SENSOR_EVENT, 0x26, "sensor mask lnc lc lnr unc uc unr", ""),
    layout(netfn::SENSOR_EVENT, 0x27, "sensor", "readable lnc lc lnr unc uc unr"),
    layout(netfn::SENSOR_EVENT, 0x28, "sensor flags assert:2 deassert:2", ""),
    layout(netfn::SENSOR_EVENT, 0x29, "sensor", "flags assert:2 deassert:2"),
    layout(netfn::SENSOR_EVENT, 0x2d, "sensor", "reading flags states:x2"),
    layout(netfn::SENSOR_EVENT, 0x2f, "sensor", "type event_type"),
    layout(
        netfn::APP,
        0x01,
        "",
        "device revision&0f|sdrs&80 major&7f|updating&80 minor ipmi support manufacturer:d3 product:d2 aux:*",
    ),
    layout(netfn::APP, 0x04, "", "result detail"),
    layout(netfn::APP, 0x08, "", "guid:x16"),
    layout(netfn::APP, 0x09, "channel&0f", "luns functions:x16"),
    layout(netfn::APP, 0x0a, "channel&0f function&3f|upper&40 lun&03", "absent:x16"),
    layout(netfn::APP, 0x0c, "channel&0f function&3f|upper&40 lun&03", "configurable:x16"),
    layout(
        netfn::APP,
        0x24,
        "use&07{?,frb2,post,os_load,sms,oem}|go_on&40|no_log&80 action&07{none,reset,power_down,power_cycle}|\
         pre_interrupt&70 pre_seconds:d1 clear tenths:d2",
        "",
    ),
    layout(
        netfn::APP,
        0x25,
        "",
        "use&07{?,frb2,post,os_load,sms,oem}|runs&40|no_log&80 action&07{none,reset,power_down,power_cycle}|\
         pre_interrupt&70 pre_seconds:d1 expired tenths:d2 left:d2",
    ),
    layout(netfn::APP, 0x2e, "enables", ""),
    layout(netfn::APP, 0x2f, "", "enables"),
    layout(netfn::APP, 0x30, "flags", ""),
    layout(netfn::APP, 0x31, "", "flags"),
    // A message for the host may be Set User Password as well.
    layout(netfn::APP, 0x33, "", "channel&0f message:!"),
    layout(netfn::APP, 0x37, "", "guid:x16"),
    layout(
        netfn::APP,
        0x38,
        "channel&0f|extended&80 level&0f{?,callback,user,operator,admin,oem}",
        "channel types&3f|extended&80 status support oem:x4",
    ),
    layout(netfn::APP, 0x39, "type&0f name:s16", "session:4 challenge:!16"),
    layout(
        netfn::APP,
        0x3a,
        "type&0f level&0f{?,callback,user,operator,admin,oem} challenge:!16 sequence:4",
        "type&0f session:4 sequence:4 level&0f{?,callback,user,operator,admin,oem}",
    ),
    layout(
        netfn::APP,
        0x3b,
        "level&0f{same,callback,user,operator,admin,oem}",
        "level&0f{?,callback,user,operator,admin,oem}",
    ),
    layout(netfn::APP, 0x3c, "session:4 handle:d1", ""),
    layout(
        netfn::APP,
        0x3d,
        "index data:*",
        "handle:d1 possible:d1 active:d1 user:d1 level channel&0f|protocol&f0 data:*",
    ),
    layout(netfn::APP, 0x40, "channel&0f access level&0f|set_level&c0", ""),
    layout(netfn::APP, 0x41, "channel&0f which&c0{?,stored,present}", "access level&0f"),
    layout(netfn::APP, 0x42, "channel&0f", "channel&0f medium&7f protocol&1f sessions vendor:d3 aux:2"),
    layout(netfn::APP, 0x43, "channel&0f|messaging&10|link&20|callback&40|change&80 user:d1 level&0f sessions:d1", ""),
    layout(
        netfn::APP,
        0x44,
        "channel&0f user:d1",
        "users:d1 enabled&3f fixed:d1 level&0f|messaging&10|link&20|callback&40",
    ),
    layout(netfn::APP, 0x45, "user:d1 name:s16", ""),
    layout(netfn::APP, 0x46, "user:d1", "name:s16"),
    layout(netfn::APP, 0x47, "user&3f|twenty&80 operation&03{disable,enable,set,test} password:!", ""),
    layout(netfn::APP, 0x48, "payload instance aux:x4", "aux:x4 to_bmc:d2 from_bmc:d2 port:d2 vlan:2"),
    layout(netfn::APP, 0x49, "payload instance aux:x4", ""),
    layout(netfn::APP, 0x4a, "payload", "capacity:d1 active:x2"),
    layout(netfn::APP, 0x4b, "payload instance", "session:4 info:*"),
    layout(netfn::APP, 0x4c, "channel&0f user&3f|disable&40 payloads oem:x3", ""),
    layout(netfn::APP, 0x4d, "channel&0f user&3f", "payloads oem:x3"),
    layout(netfn::APP, 0x54, "channel&0f payload&3f index&3f|by_suite&80", "channel records:*"),
    // Set Channel Security Keys: K_R and K_G.
    layout(netfn::APP, 0x56, "channel&0f operation key_id key:!", "lock key:!"),
    layout(netfn::APP, 0x57, "interface&0f{ssif,kcs,smic}", "-:1 version data:*"),
    layout(netfn::APP, 0x58, "parameter:d1 data:*", ""),
    layout(netfn::APP, 0x59, "revision_only&80 parameter:d1 set:d1 block:d1", "revision data:*"),
    layout(netfn::APP, 0x61, "channel&0f function&3f|upper&40 lun&03", "enabled:x16"),
    layout(netfn::STORAGE, 0x10, "device", "size:d2 access"),
    layout(netfn::STORAGE, 0x11, "device offset:d2 count:d1", "count:d1 data:*"),
    layout(netfn::STORAGE, 0x12, "device offset:d2 data:*", "count:d1"),
    layout(netfn::STORAGE, 0x20, "", "version records:d2 free:d2 added:d4 erased:d4 support"),
    layout(netfn::STORAGE, 0x22, "", "reservation:2"),
    layout(netfn::STORAGE, 0x23, READ_RECORD, "next:2 data:*"),
    layout(netfn::STORAGE, 0x24, "data:*", "record:2"),
    layout(netfn::STORAGE, 0x25, "reservation:2 record:2 offset:d1 last data:*", "record:2"),
    layout(netfn::STORAGE, 0x26, "reservation:2 record:2", "record:2"),
    layout(netfn::STORAGE, 0x27, "reservation:2 clr:s3 operation", "progress&0f{erasing,done}"),
    layout(netfn::STORAGE, 0x28, "", "time:d4"),
    layout(netfn::STORAGE, 0x29, "time:d4", ""),
    layout(netfn::STORAGE, 0x40, "", "version entries:d2 free:d2 added:d4 erased:d4 support"),
    layout(netfn::STORAGE, 0x42, "", "reservation:2"),
    layout(netfn::STORAGE, 0x43, READ_RECORD, "next:2 record:2 data:*"),
    layout(netfn::STORAGE, 0x44, "data:*", "record:2"),
    layout(netfn::STORAGE, 0x46, "reservation:2 record:2", "record:2"),
    layout(netfn::STORAGE, 0x47, "reservation:2 clr:s3 operation", "progress&0f{erasing,done}"),
    layout(netfn::STORAGE, 0x48, "", "time:d4"),
    layout(netfn::STORAGE, 0x49, "time:d4", ""),
    layout(netfn::TRANSPORT, 0x01, "channel&0f parameter:d1 data:*", ""),
    layout(netfn::TRANSPORT, 0x02, "channel&0f|revision_only&80 parameter:d1 set block", "revision data:*"),
    layout(
        netfn::TRANSPORT,
        0x04,
        "channel&0f clear&01",
        "ip_received:d2 header_errors:d2 address_errors:d2 fragments:d2 ip_sent:d2 udp_received:d2 rmcp_received:d2 \
         proxy_received:d2 proxy_dropped:d2",
    ),
    layout(netfn::TRANSPORT, 0x21, "channel&0f parameter:d1 data:*", ""),
    layout(netfn::TRANSPORT, 0x22, "channel&0f|revision_only&80 parameter:d1 set block", "revision data:*"),
];

const STATUS: &str = "status{ok,no_resources,invalid_session,invalid_payload,invalid_authentication,invalid_integrity,\
                      no_authentication,no_integrity,inactive_session,invalid_role,unauthorized_role,\
                      no_resources_for_role,invalid_name_length,unauthorized_name,unauthorized_guid,\
                      wrong_integrity_check,invalid_confidentiality,no_such_cipher_suite,illegal_parameter}";

/// The login messages of RMCP+ (IPMI 2.0 sections 13.17 to 13.24): payload type, name, fields.
/// `@` is [`STATUS`].
const LOGIN: [(PayloadType, &str, &str); 6] = [
    (
        PayloadType::OpenSessionRequest,
        "Open Session Request",
        "tag % -:2 console:4 -:4 authentication&3f -:3 -:4 integrity&3f -:3 -:4 confidentiality&3f -:3",
    ),
    (
        PayloadType::OpenSessionResponse,
        "Open Session Response",
        "tag @ % -:1 console:4 session:4 -:4 authentication&3f -:3 -:4 integrity&3f -:3 -:4 confidentiality&3f -:3",
    ),
    (PayloadType::Rakp1, "RAKP Message 1", "tag -:3 session:4 random:!16 %|name_only&10 -:3 name:s*"),
    (PayloadType::Rakp2, "RAKP Message 2", "tag @ -:2 console:4 random:!16 guid:x16 code:!"),
    (PayloadType::Rakp3, "RAKP Message 3", "tag @ -:2 session:4 code:!"),
    (PayloadType::Rakp4, "RAKP Message 4", "tag @ -:2 console:4 code:!"),
];

/// The parameter that is a password of sorts: the community string of alerts, of Set LAN
/// Configuration Parameters.
const COMMUNITY: u8 = 16;
/// How deep a Send Message inside a Send Message is followed.
const DEPTH: u8 = 4;

/// Name of a network function; responses count as their requests.
pub fn network_function(function: u8) -> &'static str {
    match function & !1 {
        netfn::CHASSIS => "Chassis",
        netfn::BRIDGE => "Bridge",
        netfn::SENSOR_EVENT => "Sensor/Event",
        netfn::APP => "App",
        netfn::FIRMWARE => "Firmware",
        netfn::STORAGE => "Storage",
        netfn::TRANSPORT => "Transport",
        netfn::GROUP_EXTENSION => "Group",
        netfn::OEM_GROUP => "OEM/Group",
        0x30.. => "OEM",
        _ => "reserved",
    }
}

/// Name of a command; responses count as their requests.
pub fn command(function: u8, cmd: u8) -> &'static str {
    let function = function & !1;
    let elsewhere = ELSEWHERE.iter().find(|(number, _)| function == netfn::APP && *number == cmd);
    super::name(function, cmd).or(elsewhere.map(|(_, name)| *name)).unwrap_or("unknown command")
}

/// What a completion code says, IPMI 2.0 table 5-2 and the commands' own.
pub fn completion(function: u8, cmd: u8, code: u8) -> &'static str {
    match code {
        0x00 => "ok",
        0xc0 => "node busy",
        0xc1 => "invalid command",
        0xc2 => "invalid for this LUN",
        0xc3 => "timeout",
        0xc4 => "out of space",
        0xc5 => "reservation cancelled or invalid",
        0xc6 => "request data truncated",
        0xc7 => "request data length invalid",
        0xc8 => "request data field length limit exceeded",
        0xc9 => "parameter out of range",
        0xca => "cannot return so many bytes",
        0xcb => "requested sensor, data or record not present",
        0xcc => "invalid data field in request",
        0xcd => "illegal for this sensor or record type",
        0xce => "response could not be provided",
        0xcf => "cannot execute a duplicated request",
        0xd0 => "SDR repository in update mode",
        0xd1 => "firmware in update mode",
        0xd2 => "initialization in progress",
        0xd3 => "destination unavailable",
        0xd4 => "insufficient privilege",
        0xd5 => "not supported in the present state",
        0xd6 => "disabled",
        0xff => "unspecified error",
        _ => match (function & !1, cmd, code) {
            (netfn::APP, SEND_MESSAGE, 0x82) => "lost arbitration",
            (netfn::APP, SEND_MESSAGE, 0x83) => "NAK on write",
            (netfn::APP, 0x33, 0x80) => "no message",
            (netfn::APP, 0x39, 0x81) => "invalid user name",
            (netfn::APP, 0x39, 0x82) => "null user name not enabled",
            (netfn::APP, 0x3b, 0x80) => "level not available for this user",
            (netfn::APP, 0x3b, 0x81) => "level exceeds the limit",
            (netfn::APP, 0x3c, 0x87) => "invalid session id",
            (netfn::APP, 0x47, 0x80) => "password test failed",
            (netfn::APP, 0x47, 0x81) => "password test failed: wrong size",
            (netfn::APP, 0x48, 0x80) => "payload already active on another session",
            (netfn::APP, 0x48, 0x81) => "payload type is disabled",
            (netfn::APP, 0x49, 0x80) => "payload already deactivated",
            (netfn::CHASSIS | netfn::TRANSPORT, _, 0x80) | (netfn::APP, 0x58 | 0x59, 0x80) => "parameter not supported",
            (netfn::CHASSIS | netfn::TRANSPORT, _, 0x81) | (netfn::APP, 0x58, 0x81) => "set in progress",
            (netfn::CHASSIS | netfn::TRANSPORT, _, 0x82) => "parameter is read-only",
            (_, _, 0x80..=0xbe) => "command-specific code",
            (_, _, 0x01..=0x7e) => "OEM code",
            _ => "reserved code",
        },
    }
}

/// Appends a request in words: ` App Get Device ID (06 01)` and its fields.
pub fn request(function: u8, cmd: u8, data: &[u8], text: &mut String) {
    request_within(function, cmd, data, DEPTH, text);
}

fn request_within(function: u8, cmd: u8, data: &[u8], depth: u8, text: &mut String) {
    title(function, cmd, data.first().copied(), text);
    match (function, cmd, data) {
        (netfn::APP, SEND_MESSAGE, [channel, rest @ ..]) if depth > 0 => {
            let _ = write!(text, " channel={} tracking={}", channel & 0x0f, channel >> 6);
            // A broadcast has a 0 before the address.
            let message = rest.strip_prefix(&[0]).unwrap_or(rest);
            match ipmb::Message::parse_unchecked(message) {
                Ok(message) => {
                    let _ = write!(text, " [{:#04x} -> {:#04x} seq {}:", message.from, message.to, message.seq);
                    if message.is_response() {
                        answer_within(message.netfn, message.cmd, message.data, text);
                    } else {
                        request_within(message.netfn, message.cmd, message.data, depth - 1, text);
                    }
                    text.push(']');
                }
                Err(_) => secret(rest, text),
            }
        }
        (netfn::APP, SEND_MESSAGE, _) => secret(data, text),
        (netfn::TRANSPORT, 0x01, [channel, COMMUNITY, value @ ..]) => {
            fields("channel&0f parameter:d1", &[*channel, COMMUNITY], text);
            secret(value, text);
        }
        _ => match find(function, cmd) {
            Some(layout) => fields(layout.request, data, text),
            None => hex(data, text),
        },
    }
}

/// Appends an answer in words: name, completion code, fields. `bytes` begin with the completion
/// code.
pub fn answer(function: u8, cmd: u8, bytes: &[u8], text: &mut String) {
    answer_within(function, cmd, bytes, text);
}

fn answer_within(function: u8, cmd: u8, bytes: &[u8], text: &mut String) {
    title(function | 1, cmd, bytes.get(1).copied(), text);
    let [code, data @ ..] = bytes else { return };
    let _ = write!(text, ": {code:02x} {}", completion(function, cmd, *code));
    match find(function & !1, cmd) {
        Some(layout) => fields(layout.answer, data, text),
        None => hex(data, text),
    }
}

/// Appends a login message of RMCP+ in words; false if it is none.
pub fn login(payload: PayloadType, bytes: &[u8], text: &mut String) -> bool {
    let Some((_, name, layout)) = LOGIN.iter().find(|(number, _, _)| *number == payload) else { return false };
    text.push(' ');
    text.push_str(name);
    fields(&layout.replace('@', STATUS).replace('%', LEVELS), bytes, text);
    true
}

fn find(function: u8, cmd: u8) -> Option<&'static Layout> {
    LAYOUTS.iter().find(|layout| (layout.netfn, layout.cmd) == (function, cmd))
}

/// Appends the title of a message; `group` is the byte that names the group of a group extension.
fn title(function: u8, cmd: u8, group: Option<u8>, text: &mut String) {
    let name = match function & !1 {
        netfn::GROUP_EXTENSION => super::group_extension::name(group, cmd).unwrap_or("unknown command"),
        _ => command(function, cmd),
    };
    let _ = write!(text, " {} {name} ({function:02x} {cmd:02x})", network_function(function));
}

/// Bytes that are nobody's business: only how many.
fn secret(bytes: &[u8], text: &mut String) {
    if !bytes.is_empty() {
        let _ = write!(text, " ({} bytes not shown)", bytes.len());
    }
}

fn hex(bytes: &[u8], text: &mut String) {
    for byte in bytes {
        let _ = write!(text, " {byte:02x}");
    }
}

/// Appends what `layout` says of `data`. Bytes behind it are shown as they are; where bytes are
/// missing it ends.
fn fields(layout: &str, mut data: &[u8], text: &mut String) {
    for word in layout.split_whitespace() {
        if data.is_empty() {
            return;
        }
        let (name, kind) = word.split_once(':').unwrap_or((word, ""));
        let taken = match kind.trim_start_matches(|letter: char| !letter.is_ascii_digit()) {
            // A word without a kind is one byte; one without a number is all that is left.
            "" if kind.is_empty() => 1,
            "" => data.len(),
            number => number.parse().unwrap_or(1),
        };
        let Some((bytes, rest)) = data.split_at_checked(taken) else {
            // Not even half a secret.
            return if kind.starts_with('!') { secret(data, text) } else { hex(data, text) };
        };
        data = rest;
        match kind.chars().next() {
            _ if name == "-" => {}
            None => parts(word, bytes.first().copied().unwrap_or(0), text),
            Some('!') => {
                let _ = write!(text, " {name}=***");
            }
            Some('s') => {
                let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
                let _ = write!(text, " {name}=\"{}\"", bytes.get(..end).unwrap_or(bytes).escape_ascii());
            }
            Some('x' | '*') => {
                let _ = write!(text, " {name}=");
                for byte in bytes {
                    let _ = write!(text, "{byte:02x}");
                }
            }
            Some(kind) => {
                let value = bytes.iter().rev().fold(0u64, |value, byte| value << 8 | u64::from(*byte));
                let _ = match kind {
                    'd' => write!(text, " {name}={value}"),
                    _ => write!(text, " {name}={value:#0width$x}", width = 2 * bytes.len() + 2),
                };
            }
        }
    }
    if !data.is_empty() {
        text.push_str(" more:");
        hex(data, text);
    }
}

/// Appends the parts of one byte.
fn parts(word: &str, byte: u8, text: &mut String) {
    for part in word.split('|') {
        let (part, names) = part.split_once('{').map_or((part, None), |(part, names)| (part, Some(names)));
        let (name, mask) = part.split_once('&').unwrap_or((part, "ff"));
        let mask = u8::from_str_radix(mask, 16).unwrap_or(0xff);
        let value = (byte & mask) >> mask.trailing_zeros().min(7);
        let named = names.and_then(|names| names.trim_end_matches('}').split(',').nth(value.into()));
        let _ = match named {
            Some(named) => write!(text, " {name}={named}"),
            None if mask == 0xff => write!(text, " {name}={value:#04x}"),
            None => write!(text, " {name}={value}"),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(act: impl FnOnce(&mut String)) -> String {
        let mut text = String::new();
        act(&mut text);
        text
    }

    #[test]
    fn requests_and_answers_are_named_field_by_field() {
        for (function, cmd, data, expected) in [
            (0x06, 0x01, &[][..], " App Get Device ID (06 01)"),
            (
                0x0a,
                0x43,
                &[1, 2, 0xff, 0xff, 0, 16],
                " Storage Get SEL Entry (0a 43) reservation=0x0201 record=0xffff offset=0 count=16",
            ),
            (0x00, 0x02, &[3], " Chassis Chassis Control (00 02) control=reset"),
            (0x00, 0x02, &[9], " Chassis Chassis Control (00 02) control=9"),
            (
                0x06,
                0x38,
                &[0x8e, 4],
                " App Get Channel Authentication Capabilities (06 38) channel=14 extended=1 level=admin",
            ),
            (0x06, 0x45, b"\x02ad\nmin\0\0\0\0\0\0\0\0\0\0", " App Set User Name (06 45) user=2 name=\"ad\\nmin\""),
            (0x0a, 0x23, &[1, 2, 3], " Storage Get SDR (0a 23) reservation=0x0201 03"),
            (0x06, 0x3c, &[1, 0, 0, 0, 5, 6], " App Close Session (06 3c) session=0x00000001 handle=5 more: 06"),
            (0x3a, 0x77, &[1, 0xff], " OEM unknown command (3a 77) 01 ff"),
            (0x2c, 0x02, &[0xdc, 1, 0, 0], " Group Get Power Reading (2c 02) dc 01 00 00"),
            (0x2c, 0x01, &[0], " Group Get Address Info (2c 01) 00"),
        ] {
            assert_eq!(shown(|text| request(function, cmd, data, text)), expected);
        }
        for (function, cmd, bytes, expected) in [
            (
                0x06,
                0x01,
                &[0, 0x20, 0x81, 2, 0x10, 0x51, 0xbf, 0x91, 0x12, 0, 2, 0x0f, 1, 2, 3, 4][..],
                " App Get Device ID (07 01): 00 ok device=0x20 revision=1 sdrs=1 major=2 updating=0 minor=0x10 ipmi=0x51 \
                 support=0xbf manufacturer=4753 product=3842 aux=01020304",
            ),
            (0x0a, 0x43, &[0xcb], " Storage Get SEL Entry (0b 43): cb requested sensor, data or record not present"),
            (0x06, 0x3b, &[0x81], " App Set Session Privilege Level (07 3b): 81 level exceeds the limit"),
            (0x0c, 0x01, &[0x82], " Transport Set LAN Configuration Parameters (0d 01): 82 parameter is read-only"),
            (0x04, 0x2d, &[0x9b], " Sensor/Event Get Sensor Reading (05 2d): 9b command-specific code"),
            (
                0x00,
                0x01,
                &[0, 0x41, 0, 0],
                " Chassis Get Chassis Status (01 01): 00 ok power=on fault=0 policy=on last_event=0x00 state=0x00",
            ),
            (0x00, 0x01, &[], " Chassis Get Chassis Status (01 01)"),
        ] {
            assert_eq!(shown(|text| answer(function, cmd, bytes, text)), expected);
        }
    }

    #[test]
    fn secrets_are_not_shown_whole_or_in_part_direct_or_carried() {
        let mut password = vec![0x82, 2];
        password.extend_from_slice(b"hunter2hunter2hunter");
        let mut key = vec![1, 1, 1];
        key.extend_from_slice(b"hunter2hunter2hunter");
        let mut challenge = vec![2, 4];
        challenge.extend_from_slice(b"hunter2hunter2hu\x01\0\0\0");
        let mut community = vec![1, 16];
        community.extend_from_slice(b"hunter2");
        let secrets = [(0x06, 0x47, password), (0x06, 0x56, key), (0x06, 0x3a, challenge), (0x0c, 0x01, community)];
        for (function, cmd, data) in &secrets {
            for length in 0..=data.len() {
                let mut carried = vec![0x40];
                let message = |from, function, cmd, data: &[u8], out: &mut Vec<u8>| {
                    ipmb::Message { to: 0x20, to_lun: 0, netfn: function, from, from_lun: 0, seq: 1, cmd, data }
                        .emit(out);
                };
                message(0x81, *function, *cmd, &data[..length], &mut carried);
                let mut twice = vec![0x40];
                message(0x81, 0x06, SEND_MESSAGE, &carried, &mut twice);
                for text in [
                    shown(|text| request(*function, *cmd, &data[..length], text)),
                    shown(|text| request(0x06, SEND_MESSAGE, &carried, text)),
                    shown(|text| request(0x06, SEND_MESSAGE, &carried[..carried.len() - 1], text)),
                    shown(|text| request(0x06, SEND_MESSAGE, &twice, text)),
                ] {
                    for piece in ["hunter", "68 75", "6875"] {
                        assert!(!text.contains(piece), "{text}");
                    }
                }
            }
        }
        let text = shown(|text| answer(0x06, 0x39, b"\0\x01\0\0\0hunter2hunter2hu", text));
        assert_eq!(text, " App Get Session Challenge (07 39): 00 ok session=0x00000001 challenge=***");
    }

    #[test]
    fn a_carried_message_is_shown_as_such() {
        let mut carried = vec![0x40];
        ipmb::Message { to: 0x30, to_lun: 0, netfn: 6, from: 0x20, from_lun: 0, seq: 9, cmd: 1, data: &[] }
            .emit(&mut carried);
        assert_eq!(
            shown(|text| request(6, SEND_MESSAGE, &carried, text)),
            " App Send Message (06 34) channel=0 tracking=1 [0x20 -> 0x30 seq 9: App Get Device ID (06 01)]"
        );
    }

    #[test]
    fn a_login_is_told_without_its_random_numbers_and_codes() {
        let mut rakp1 = vec![8, 0, 0, 0, 4, 3, 2, 1];
        rakp1.extend_from_slice(&[0x77; 16]);
        rakp1.extend_from_slice(b"\x14\0\0\x05admin");
        let text = shown(|text| assert!(login(PayloadType::Rakp1, &rakp1, text)));
        assert_eq!(
            text,
            " RAKP Message 1 tag=0x08 session=0x01020304 random=*** level=admin name_only=1 name=\"admin\""
        );
        for length in 0..rakp1.len() {
            let text = shown(|text| assert!(login(PayloadType::Rakp1, &rakp1[..length], text)));
            assert!(!text.contains("77 77"), "{text}");
        }
        let text = shown(|text| assert!(login(PayloadType::Rakp4, &[9, 0x0d, 0, 0, 1, 0, 0, 0], text)));
        assert_eq!(text, " RAKP Message 4 tag=0x09 status=unauthorized_name console=0x00000001");
        assert!(!login(PayloadType::Sol, &[], &mut String::new()));
    }

    #[test]
    fn layouts_are_well_formed_and_of_commands_that_have_a_name() {
        for layout in LAYOUTS {
            let (function, cmd) = (layout.netfn, layout.cmd);
            if (function, cmd) != (netfn::APP, 0x56) {
                assert_ne!(command(function, cmd), "unknown command", "{function:02x} {cmd:02x}");
            }
            let twice = LAYOUTS.iter().filter(|other| (other.netfn, other.cmd) == (function, cmd)).count();
            assert_eq!(twice, 1, "{function:02x} {cmd:02x}");
            for text in [layout.request, layout.answer] {
                for word in text.split_whitespace() {
                    if let Some((_, kind)) = word.split_once(':') {
                        let number = kind.trim_start_matches(['d', 'x', 's', '!']);
                        assert!(
                            matches!(number, "*" | "") && !kind.is_empty() || number.parse::<u8>().is_ok(),
                            "{word}"
                        );
                    } else {
                        let masks = word.split('|').filter_map(|part| part.split('{').next()?.split_once('&'));
                        let mut seen = 0u8;
                        for (_, mask) in masks {
                            let mask = u8::from_str_radix(mask, 16).unwrap_or_else(|_| panic!("{word}"));
                            assert_eq!(seen & mask, 0, "{word}");
                            seen |= mask;
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn every_command_in_a_table_has_a_name_and_every_code_words() {
        for function in (0..0x40).step_by(2) {
            for entry in super::super::table(function) {
                assert_eq!(command(function, entry.cmd), entry.name);
                assert!(!entry.name.is_empty());
            }
        }
        for code in 0..=255 {
            assert!(!completion(0x2c, 0, code).is_empty());
        }
    }
}
