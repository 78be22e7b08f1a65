//! Messages in words, for people who watch the log: network functions, commands, fields and
//! completion codes by their names in the IPMI 2.0 specification.
//!
//! Names and fields of commands come from their rows; what has no fields there is shown as bytes.
//! What is secret is never shown:
//! passwords, keys, challenges, and the random numbers and codes of a login.

use std::fmt::Write;

use super::Commands;
use crate::ipmi::{McAddress, SEND_MESSAGE, netfn};
use crate::wire::ipmb;
use crate::wire::session20::PayloadType;

// Fields in the words of `Entry::fields`.

const LEVELS: &str = "level&0f{highest,callback,user,operator,admin,oem}";
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
pub const COMMUNITY: u8 = 16;
/// Get LAN Configuration Parameters, network function Transport.
pub const GET_LAN_PARAMETERS: u8 = 0x02;
/// How many bytes the community string has, padded with zeros (section 23.2, parameter 16).
const COMMUNITY_LENGTH: usize = 18;
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

/// Appends a request to the controller at `mc` in words: ` App Get Device ID (06 01)` and its fields.
pub fn request(commands: &Commands, mc: McAddress, function: u8, cmd: u8, data: &[u8], text: &mut String) {
    request_within(commands, mc, function, cmd, data, DEPTH, text);
}

fn request_within(
    commands: &Commands,
    mc: McAddress,
    function: u8,
    cmd: u8,
    data: &[u8],
    depth: u8,
    text: &mut String,
) {
    title(commands, mc, function, cmd, data, text);
    match (function, cmd, data) {
        (netfn::APP, SEND_MESSAGE, [channel, rest @ ..]) if depth > 0 => {
            let _ = write!(text, " channel={} tracking={}", channel & 0x0f, channel >> 6);
            // A broadcast has a 0 before the address.
            let message = rest.strip_prefix(&[0]).unwrap_or(rest);
            match ipmb::Message::parse_unchecked(message) {
                Ok(message) => {
                    let _ = write!(text, " [{:#04x} -> {:#04x} seq {}:", message.from, message.to, message.seq);
                    if message.is_response() {
                        answer(commands, message.from.into(), message.netfn, message.cmd, message.data, text);
                    } else {
                        request_within(
                            commands,
                            message.to.into(),
                            message.netfn,
                            message.cmd,
                            message.data,
                            depth - 1,
                            text,
                        );
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
        _ => match commands.row(mc, function, cmd, data).and_then(|entry| entry.fields) {
            Some(layout) => fields(layout.request, data, text),
            None => hex(data, text),
        },
    }
}

/// Appends a response of the controller at `mc` in words: name, completion code, fields. `bytes` begin with the
/// completion code.
pub fn answer(commands: &Commands, mc: McAddress, function: u8, cmd: u8, bytes: &[u8], text: &mut String) {
    title(commands, mc, function | 1, cmd, bytes.get(1..).unwrap_or_default(), text);
    let [code, data @ ..] = bytes else { return };
    let _ = write!(text, ": {code:02x} {}", completion(function, cmd, *code));
    if let (netfn::TRANSPORT, GET_LAN_PARAMETERS, [revision, value @ ..]) = (function & !1, cmd, data)
        && may_be_community(value)
    {
        let _ = write!(text, " revision={revision:02x}");
        return secret(value, text);
    }
    match commands.row(mc, function & !1, cmd, data).and_then(|entry| entry.fields) {
        Some(layout) => fields(layout.response, data, text),
        None => hex(data, text),
    }
}

/// Whether what Get LAN Configuration Parameters gives can be the community string: a response does not say which
/// parameter it is, so that another of this length is not shown either.
pub fn may_be_community(value: &[u8]) -> bool {
    value.len() == COMMUNITY_LENGTH
}

/// Appends a login message of RMCP+ in words; false if it is none.
pub fn login(payload: PayloadType, bytes: &[u8], text: &mut String) -> bool {
    let Some((_, name, layout)) = LOGIN.iter().find(|(number, _, _)| *number == payload) else { return false };
    text.push(' ');
    text.push_str(name);
    fields(&layout.replace('@', STATUS).replace('%', LEVELS), bytes, text);
    true
}

/// Appends the title of a message, whose data name the group of a group extension.
fn title(commands: &Commands, mc: McAddress, function: u8, cmd: u8, data: &[u8], text: &mut String) {
    // Where no group is named, as behind a completion code, it is taken for PICMG's.
    let data = if data.is_empty() { &[super::group_extension::picmg::GROUP] } else { data };
    let entry = commands.row(mc, function & !1, cmd, data);
    let name = entry.map_or("unknown command", |entry| entry.name);
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

    fn request(function: u8, cmd: u8, data: &[u8], text: &mut String) {
        super::request(&Commands::new(), McAddress::BMC, function, cmd, data, text);
    }

    fn answer(function: u8, cmd: u8, bytes: &[u8], text: &mut String) {
        super::answer(&Commands::new(), McAddress::BMC, function, cmd, bytes, text);
    }

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
        use crate::command::{app, group_extension, oem, table};
        let tables = (0..0x40).step_by(2).map(table);
        let others = [app::ELSEWHERE, group_extension::picmg::COMMANDS, group_extension::dcmi::COMMANDS, oem::HISTORY];
        for layout in tables.chain(others).flatten().filter_map(|entry| entry.fields) {
            for text in [layout.request, layout.response] {
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
                let found = super::super::find(function, entry.cmd, &[0]);
                assert_eq!(found.map(|found| found.name), Some(entry.name));
                assert!(!entry.name.is_empty());
            }
        }
        for code in 0..=255 {
            assert!(!completion(0x2c, 0, code).is_empty());
        }
    }
}
