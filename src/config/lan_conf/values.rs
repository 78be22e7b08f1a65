//! Arguments of lan.conf statements as values (`lan-conf.md` sections 2 and 3).

use std::net::Ipv6Addr;
use std::ops::Range;

use super::{Place, channel_number};
use crate::config::Span;
use crate::config::arguments::{Arguments, Fault, Found};
use crate::config::grammar::Rule;
use crate::config::number;
use crate::config::play;
use crate::config::suggest::nearest;
use crate::config::text::quote;
use crate::ipmi::{AuthTypes, ChannelNumber, Privilege};
use crate::settings::model::{Address, Port, SerialInterface, SolConfig, SolTarget};

/// Most attention bytes.
const ATTENTION_MAX: usize = 8;

pub(super) fn expected<const N: usize>(lead: &str, word: &Found<'_>, known: [&str; N]) -> String {
    let hint = nearest(word.text, known).map(|name| format!(", did you mean '{name}'?")).unwrap_or_default();
    format!("{lead}: found {}, expected one of {}{hint}", word.quoted(), known.join(", "))
}

/// An integer modulo 2^64 as the C library reads it.
pub(super) fn integer(word: &Found<'_>) -> Result<u64, Fault> {
    word.number().ok_or_else(|| word.not_a_number("Invalid integer value"))
}

/// The next argument as an integer, and its place.
pub(super) fn uint<'a>(a: &mut Arguments<'a>, what: &str) -> Result<(u32, Found<'a>), Fault> {
    let word = a.next().map_err(|missing| missing.fault(format!("No integer value given: expected {what}")))?;
    Ok((number::u32_of(integer(&word)?), word))
}

/// The same modulo 2^64.
pub(super) fn integer_at<'a>(a: &mut Arguments<'a>, what: &str) -> Result<(u64, Found<'a>), Fault> {
    let word = a.next().map_err(|missing| missing.fault(format!("No integer value given: expected {what}")))?;
    Ok((integer(&word)?, word))
}

pub(super) fn unsigned(a: &mut Arguments<'_>, what: &str) -> Result<u64, Fault> {
    integer_at(a, what).map(|(value, _)| value)
}

/// A port number that clients can be told.
pub(super) fn udp_port(a: &mut Arguments<'_>) -> Result<u16, Fault> {
    const EXPECTED: &str = "expected a port number from 1 to 65535";
    let word = a.next().map_err(|missing| missing.fault(format!("No port given: {EXPECTED}")))?;
    let port = port_value(word.text).and_then(|value| u16::try_from(value).ok()).filter(|port| *port > 0);
    port.ok_or_else(|| word.fault(format!("Invalid port: found {}, {EXPECTED}", word.quoted())))
}

pub(super) fn boolean(a: &mut Arguments<'_>) -> Result<bool, Fault> {
    let word = a.next().map_err(|missing| missing.fault("No boolean value given: expected true or false"))?;
    match word.rule {
        Rule::true_word => Ok(true),
        Rule::false_word => Ok(false),
        _ => Err(word
            .fault(format!("Invalid boolean value, must be 'true', 'on', 'false', or 'off': found {}", word.quoted()))),
    }
}

pub(super) fn privilege(a: &mut Arguments<'_>) -> Result<Privilege, Fault> {
    const LIST: &str = "must be 'callback', 'user', 'operator', or 'admin'";
    let word = a.next().map_err(|missing| missing.fault(format!("No privilege specified, {LIST}")))?;
    match word.text {
        "callback" => Ok(Privilege::Callback),
        "user" => Ok(Privilege::User),
        "operator" => Ok(Privilege::Operator),
        "admin" => Ok(Privilege::Administrator),
        _ => {
            let known = ["callback", "user", "operator", "admin"];
            let hint = match word.text.to_ascii_lowercase().as_str() {
                "administrator" => Some("admin"),
                _ => nearest(word.text, known),
            };
            let hint = hint.map(|name| format!(", did you mean '{name}'?")).unwrap_or_default();
            Err(word.fault(format!("Invalid privilege specified, {LIST}: found {}{hint}", word.quoted())))
        }
    }
}

pub(super) fn auth_named(word: &str) -> Option<AuthTypes> {
    match word {
        "none" => Some(AuthTypes::NONE),
        "md2" => Some(AuthTypes::MD2),
        "md5" => Some(AuthTypes::MD5),
        "straight" => Some(AuthTypes::STRAIGHT),
        _ => None,
    }
}

/// Authentication types up to the end of the line.
pub(super) fn auths(a: &mut Arguments<'_>) -> Result<AuthTypes, Fault> {
    let mut auths = AuthTypes::default();
    while let Some(word) = a.next_if_any() {
        match auth_named(word.text) {
            Some(auth) => auths.0 |= auth.0,
            None => {
                let hint = match word.text {
                    text if text.starts_with('#') => "; a comment must be on a line of its own".into(),
                    text if text.contains(',') => "; expected blanks between them".into(),
                    text => nearest(text, ["none", "md2", "md5", "straight"])
                        .map(|name| format!(", did you mean '{name}'?"))
                        .unwrap_or_default(),
                };
                return Err(word.fault(format!(
                    "Invalid authorization type, must be 'none', 'md2', 'md5', or 'straight': found {}{hint}",
                    word.quoted()
                )));
            }
        }
    }
    Ok(auths)
}

/// `HOST [PORT]`; the port may be left out only if there is a default. The second value is a warning.
pub(super) fn address(
    place: Place<'_>,
    a: &mut Arguments<'_>,
    default_port: Option<u16>,
) -> Result<(Address, Option<Fault>), Fault> {
    let host_word =
        a.next().map_err(|missing| missing.fault("No IP address specified: expected a host name or address"))?;
    let (port_word, default_port) = match (a.next(), default_port) {
        (Ok(word), _) => (Some(word), 0),
        (Err(_), Some(port)) => (None, port),
        (Err(missing), None) => return Err(missing.fault("No port specified: expected a port number or service name")),
    };
    let host = host(&host_word)?;
    let port = port_word.as_ref().map_or(Ok(Port::Number(default_port)), port)?;
    let cut = match (&port_word, &port) {
        (Some(word), Port::Number(number)) if port_value(word.text) > Some(u16::MAX.into()) => Some(word.fault(
            format!("port {} is above 65535: it is taken modulo 65536, so it becomes port {number}", word.quoted()),
        )),
        _ => None,
    };
    let end = port_word.map_or(host_word.range.end, |word| word.range.end);
    Ok((Address { host, port, span: place.span(host_word.range.start..end), other_family: None }, cut))
}

/// Whether a host made of digits and dots is an address as `inet_aton(3)` reads it: one to four numbers,
/// the last of which fills what is left of 32 bits.
fn is_numeric_address(text: &str) -> bool {
    let numbers: Option<Vec<u64>> = text
        .split('.')
        .map(|part| match part.strip_prefix('0') {
            _ if part.is_empty() => None,
            Some(octal) if !octal.is_empty() => u64::from_str_radix(octal, 8).ok(),
            _ => part.parse().ok(),
        })
        .collect();
    let Some((last, first)) = numbers.as_deref().and_then(<[u64]>::split_last) else { return false };
    first.len() <= 3 && first.iter().all(|number| *number <= 255) && *last < 1 << (8 * (4 - first.len()))
}

/// The value of a port given by decimal digits.
fn port_value(text: &str) -> Option<u64> {
    let digits = text.strip_prefix('+').unwrap_or(text);
    let decimal = !digits.is_empty() && digits.chars().all(|c| c.is_ascii_digit());
    decimal.then(|| {
        digits.chars().fold(0u64, |value, c| {
            value.saturating_mul(10).saturating_add(u64::from(c.to_digit(10).unwrap_or_default()))
        })
    })
}

fn host(word: &Found<'_>) -> Result<String, Fault> {
    let text = word.text;
    let fault = |why: &str| Err(word.fault(format!("getaddrinfo err: {} is not a host: {why}", word.quoted())));
    if text.contains(['"', '\'']) {
        return fault("expected no quotes");
    }
    if text.starts_with('[') {
        return fault("expected no brackets");
    }
    if text.starts_with('#') {
        return fault("a comment must be on a line of its own");
    }
    if text.contains(':') {
        // An IPv6 address may name a network interface after '%'.
        let address = text.split_once('%').map_or(text, |(address, _)| address);
        if address.parse::<Ipv6Addr>().is_err() {
            return fault("expected an IPv6 address, or the port as a word of its own");
        }
    } else if text.is_empty()
        || text.contains(|c: char| c.is_ascii() && !c.is_ascii_alphanumeric() && !"-._*%".contains(c))
    {
        return fault("expected a host name, an address or *");
    } else if text.chars().all(|c| c.is_ascii_digit() || c == '.') && !is_numeric_address(text) {
        return fault("expected an IPv4 address like 127.0.0.1");
    }
    Ok(text.to_string())
}

fn port(word: &Found<'_>) -> Result<Port, Fault> {
    let text = word.text;
    let fault = |why: &str| Err(word.fault(format!("getaddrinfo err: {} is not a port: {why}", word.quoted())));
    if let Some(value) = port_value(text) {
        return Ok(Port::Number(value as u16));
    }
    if text.starts_with('#') {
        return fault("a comment must be on a line of its own");
    }
    if text.starts_with("0x") || text.starts_with("0X") {
        return fault("expected a decimal number");
    }
    let service = |c: char| c.is_ascii_alphanumeric() || "-_.+/*".contains(c);
    if !text.chars().all(service) || !text.chars().any(|c| c.is_ascii_alphabetic()) {
        return fault("expected a decimal number or a service name");
    }
    Ok(Port::Service(text.to_string()))
}

/// What a `serial` line stands for, and its channel number.
pub(super) fn interface(word: &Found<'_>) -> Result<(SerialInterface, ChannelNumber), Fault> {
    const KNOWN: &str = "expected a number from 1 to 15, or kcs, bt, smic, ssif, also with a number as in kcs-3";
    let out_of_range = |number: u64| {
        channel_number(number)
            .ok_or_else(|| word.fault(format!("Invalid channel number: {} is out of range, {KNOWN}", word.quoted())))
    };
    if let Some(number) = word.number() {
        return Ok((SerialInterface::Rs232, out_of_range(number)?));
    }
    let (name, suffix) = word.text.split_once('-').map_or((word.text, None), |(name, number)| (name, Some(number)));
    let interface = match (word.rule, name) {
        (Rule::interface_name, "kcs") => SerialInterface::Kcs,
        (Rule::interface_name, "bt") => SerialInterface::Bt,
        (Rule::interface_name, "smic") => SerialInterface::Smic,
        (Rule::interface_name, "ssif") => SerialInterface::Ssif,
        _ if ["kcs", "bt", "smic", "ssif"].iter().any(|name| word.text.starts_with(name)) => {
            return Err(word.fault(format!("Invalid channel number: found {}, {KNOWN}", word.quoted())));
        }
        _ => return Err(word.fault(format!("Channel not a valid number: found {}, {KNOWN}", word.quoted()))),
    };
    let channel = match suffix {
        None => ChannelNumber::SYSTEM_INTERFACE,
        Some(text) => {
            let at = word.text.len() - text.len();
            let number = if text.is_empty() { Some(0) } else { number::unsigned(text) };
            let number = number.ok_or_else(|| {
                word.fault_at(at..word.text.len(), format!("Invalid channel number: {}", number::complaint(text)))
            })?;
            out_of_range(number)?
        }
    };
    Ok((interface, channel))
}

/// `attn` of a `serial` line; empty items are skipped.
pub(super) fn attention_bytes(word: &Found<'_>) -> Result<Vec<u8>, Fault> {
    let mut bytes = Vec::new();
    for item in word.parts(Rule::attention).iter().filter(|item| !item.as_str().is_empty()) {
        let place = item.as_span().start()..item.as_span().end();
        let number = number::unsigned(item.as_str()).ok_or_else(|| {
            word.fault_at(place.clone(), format!("Invalid attn value: {}", number::complaint(item.as_str())))
        })?;
        if bytes.len() == ATTENTION_MAX {
            return Err(word.fault_at(place, format!("Too many attn characters, expected at most {ATTENTION_MAX}")));
        }
        bytes.push(number::u8_of(number));
    }
    Ok(bytes)
}

/// A `sol` line, and where its device stands.
pub(super) fn sol(span: Span, a: &mut Arguments<'_>) -> Result<(SolConfig, Range<usize>), Fault> {
    let (device, range) = a.string()?;
    let device_place = range.clone();
    if let Some(text) = device.strip_prefix("play:") {
        let play = play::play(text).map_err(|fault| {
            // A text of one piece stands there as it is, between its quotes.
            let first = range.start + 1 + "play:".len();
            let whole = range.len() == device.len() + 2 && !a.source_text(range.clone()).contains('$');
            let place = if whole { first + fault.range.start..first + fault.range.end } else { range.clone() };
            Fault::new(place, fault.message)
        })?;
        return Ok((sol_line(SolTarget::Play(play.into()), span, a)?, device_place));
    }
    let tcp = device.strip_prefix("tcp:").map(|rest| (rest, false));
    let telnet = device.strip_prefix("telnet:").map(|rest| (rest, true));
    let target = match tcp.or(telnet) {
        None => SolTarget::Device(device),
        Some((rest, escaped)) => {
            let Some((host, port)) = rest.split_once(':') else {
                let scheme = if escaped { "telnet" } else { "tcp" };
                return Err(Fault::new(
                    range,
                    format!("No port specified in sol tcp connection: expected \"{scheme}:HOST:PORT\""),
                ));
            };
            let (host, port) = (host.to_string(), port.to_string());
            if escaped { SolTarget::Telnet { host, port } } else { SolTarget::Tcp { host, port } }
        }
    };
    Ok((sol_line(target, span, a)?, device_place))
}

/// What follows the device of a `sol` line.
fn sol_line(target: SolTarget, span: Span, a: &mut Arguments<'_>) -> Result<SolConfig, Fault> {
    let (bit_rate, word) = uint(a, "the bit rate")?;
    if ![9600, 19_200, 38_400, 57_600, 115_200].contains(&bit_rate) {
        return Err(word
            .fault(format!("Invalid bitrate, must be 9600, 19200, 38400, 57600, or 115200: found {}", word.quoted())));
    }
    let mut sol = SolConfig {
        target,
        bit_rate,
        history: 0,
        backup_file: None,
        history_fru: None,
        rts_cts: true,
        read_clear: false,
        span,
    };
    while let Some(option) = a.next_if_any() {
        match option.rule {
            Rule::history => sol_history(&mut sol, &option)?,
            Rule::history_fru => {
                let parts = option.parts(Rule::history_fru);
                let text = parts.first().map_or("", |part| part.as_str());
                let at = option.text.len() - text.len()..option.text.len();
                let number = if text.is_empty() { Some(0) } else { number::unsigned(text) };
                let number = number.ok_or_else(|| {
                    option.fault_at(at.clone(), format!("Invalid history FRU value: {}", number::complaint(text)))
                })?;
                match u8::try_from(number).ok().filter(|number| *number < 0xff) {
                    Some(number) => sol.history_fru = Some(number),
                    None => {
                        return Err(
                            option.fault_at(at, format!("history FRU value must be < 0xff: found {}", quote(text)))
                        );
                    }
                }
            }
            Rule::no_rts_cts => sol.rts_cts = false,
            Rule::read_clear => sol.read_clear = true,
            _ => {
                let known = ["history=", "historyfru=", "nortscts", "readclear"];
                return Err(option.fault(expected("Invalid item", &option, known)));
            }
        }
    }
    Ok(sol)
}

/// `history=N[,backupfile=PATH]`
fn sol_history(sol: &mut SolConfig, option: &Found<'_>) -> Result<(), Fault> {
    for part in option.parts(Rule::history) {
        let place = part.as_span().start()..part.as_span().end();
        match part.as_rule() {
            Rule::sol_value if part.as_str().is_empty() => sol.history = 0,
            Rule::sol_value => {
                let number = number::unsigned(part.as_str()).ok_or_else(|| {
                    option.fault_at(place, format!("Invalid history value: {}", number::complaint(part.as_str())))
                })?;
                sol.history = number::u32_of(number) as usize;
            }
            Rule::backup_file => {
                let path = part.into_inner().next().map_or("", |value| value.as_str());
                sol.backup_file = Some(path.to_string()).filter(|path| !path.is_empty());
            }
            _ => {
                return Err(option.fault_at(
                    place,
                    format!("Unknown history option: found {}, expected backupfile=PATH", quote(part.as_str())),
                ));
            }
        }
    }
    Ok(())
}
