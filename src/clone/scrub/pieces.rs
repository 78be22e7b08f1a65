//! Where a machine's values are that tell it from others of its kind, and where they may turn up besides.

use std::collections::BTreeMap;

use super::disguise::Kind;
use super::forms::Form;
use super::fru::{Part, visit};
use crate::bmc::lan_parameters::number;
use crate::clone::bytes::Bytes;
use crate::clone::model::{Machine, Request, Response};
use crate::clone::reads::Read;

/// A value where it stands.
#[derive(Debug)]
pub enum Piece<'a> {
    /// Characters in a form.
    Text(Kind, Form, &'a mut [u8]),
    /// A name, a URL or an address as characters of 8 bits, which NULs may follow.
    Name(&'a mut [u8]),
    /// The same without bounds.
    FreeName(&'a mut String),
    /// Bytes that are no characters.
    Bytes(Kind, &'a mut [u8]),
    /// Six bytes.
    Mac(&'a mut [u8]),
    /// Four bytes.
    Address(&'a mut [u8]),
    /// Sixteen bytes.
    Address6(&'a mut [u8]),
    /// Characters that are kept unless they hold what is replaced elsewhere.
    KeptText(Form, &'a mut [u8]),
    /// The same without bounds.
    FreeText(&'a mut String),
    /// Bytes that only their maker understands, kept unless they hold what is replaced elsewhere, and what they are.
    Opaque(String, &'a mut [u8]),
}

/// Shows each piece of a machine.
pub fn each(machine: &mut Machine, see: &mut dyn FnMut(Piece<'_>)) {
    see(Piece::FreeName(&mut machine.name));
    exchanges(machine, see);
    for controller in &mut machine.controllers {
        let mc = controller.address;
        for fru in &mut controller.frus {
            inventory(mc, fru.device, &mut fru.data.0, see);
        }
        let records = controller.repository.iter_mut().chain(controller.device_sdrs.values_mut()).flatten();
        records.for_each(|record| sdr(mc, &mut record.0, see));
        for sensor in &mut controller.sensors {
            see(Piece::FreeText(&mut sensor.name));
        }
        if let Some(sel) = &mut controller.sel {
            sel.records.iter_mut().for_each(|record| sel_record(mc, &mut record.0, see));
            last_words(mc, &mut sel.records, see);
        }
    }
    for unread in &mut machine.unread {
        see(Piece::FreeText(&mut unread.what));
        see(Piece::FreeText(&mut unread.why));
    }
}

fn inventory(mc: u8, device: u8, image: &mut [u8], see: &mut dyn FnMut(Piece<'_>)) {
    visit(image, &mut |part, bytes| match part {
        Part::Head(_) => {}
        Part::Field { kind: Some(kind), form: Form::Binary, .. } => see(Piece::Bytes(kind, bytes)),
        Part::Field { kind: None, form: Form::Binary, .. } => {
            see(Piece::Opaque(format!("bytes in fields of inventory {device} at {mc:#04x}"), bytes));
        }
        Part::Field { kind: Some(kind), form, .. } => see(Piece::Text(kind, form, bytes)),
        Part::Field { kind: None, form, .. } => see(Piece::KeptText(form, bytes)),
        Part::Access(Kind::Guid) => see(Piece::Bytes(Kind::Guid, bytes)),
        Part::Access(_) => see(Piece::Name(bytes)),
        Part::Record(kind) => {
            see(Piece::Opaque(format!("records of type {kind:02x}h of inventory {device} at {mc:#04x}"), bytes));
        }
        Part::Unknown => {
            see(Piece::Opaque(format!("the internal or unknown area of inventory {device} at {mc:#04x}"), bytes));
        }
    });
}

/// Where the type/length byte of a record's name is, by record type (IPMI 2.0 section 43).
fn name_at(record_type: u8) -> Option<usize> {
    Some(match record_type {
        0x01 => 47,
        0x02 => 31,
        0x03 => 16,
        0x10..=0x12 => 15,
        _ => return None,
    })
}

fn sdr(mc: u8, record: &mut [u8], see: &mut dyn FnMut(Piece<'_>)) {
    let Some(&[_, _, _, kind, _]) = record.first_chunk() else { return };
    if let Some((type_length, name)) =
        name_at(kind).and_then(|at| record.get_mut(at..)).and_then(<[u8]>::split_first_mut)
    {
        see(Piece::KeptText(Form::of_record(*type_length), name));
    } else if kind == 0x13 {
        // Management controller confirmation, section 43.10.
        if let Some(guid) = record.get_mut(16..32) {
            see(Piece::Bytes(Kind::Guid, guid));
        }
    } else if kind >= 0xc0
        && let Some(bytes) = record.get_mut(5..)
    {
        see(Piece::Opaque(format!("OEM records of the sensor data repository at {mc:#04x}"), bytes));
    }
}

fn sel_record(mc: u8, record: &mut [u8], see: &mut dyn FnMut(Piece<'_>)) {
    // Of OEM records with a time, what is behind it (section 32.2); of those without, what is behind the type (32.3).
    let from = match record.get(2) {
        Some(0xc0..=0xdf) => 7,
        Some(0xe0..) => 3,
        _ => return,
    };
    if let Some(bytes) = record.get_mut(from..) {
        see(Piece::Opaque(format!("OEM records of the event log at {mc:#04x}"), bytes));
    }
}

/// What Linux writes into the log when it dies: records of type F0h with 11 characters each, behind address and number.
fn last_words(mc: u8, records: &mut [Bytes], see: &mut dyn FnMut(Piece<'_>)) {
    const TYPE: u8 = 0xf0;
    const TEXT: usize = 5;
    let is_one = |record: &Bytes| record.get(2) == Some(&TYPE) && record.len() > TEXT;
    for row in records.chunk_by_mut(|one, next| is_one(one) && is_one(next)).filter(|row| row.len() > 1) {
        let mut text: Vec<u8> = row.iter().flat_map(|record| record.iter().skip(TEXT)).copied().collect();
        see(Piece::Opaque(format!("texts over several records of the event log at {mc:#04x}"), &mut text));
        let places = row.iter_mut().flat_map(|record| record.0.iter_mut().skip(TEXT));
        places.zip(text).for_each(|(to, from)| *to = from);
    }
}

fn exchanges(machine: &mut Machine, see: &mut dyn FnMut(Piece<'_>)) {
    for (request, response) in machine.exchanges.iter_mut().filter(|(_, response)| response.code == 0) {
        exchange(request, &mut response.data.0, see);
    }
    for mc in machine.controllers.iter().map(|controller| controller.address).collect::<Vec<_>>() {
        for (read, kind) in [(Read::DcmiAssetTag, Kind::AssetTag), (Read::DcmiIdentifier, Kind::Name)] {
            let place = |request: &Request| Some((0, usize::from(*request.data.get(1)?), 2));
            in_parts(machine, mc, read, place, &mut |_, text| match kind {
                Kind::Name => see(Piece::Name(text)),
                _ => see(Piece::Text(kind, Form::EightBit, text)),
            });
        }
        in_parts(machine, mc, Read::SystemInfo, system_info_place, &mut |parameter, text| {
            // The first two bytes are encoding and length.
            let Some(([encoding, _], text)) = text.split_first_chunk_mut() else { return };
            match (parameter, *encoding) {
                (2, 2) => see(Piece::Text(Kind::Name, Form::Unicode, text)),
                (2 | 6 | 7, _) => see(Piece::Name(text)),
                (_, 2) => see(Piece::KeptText(Form::Unicode, text)),
                _ => see(Piece::KeptText(Form::EightBit, text)),
            }
        });
    }
}

/// What is in one place of a response.
#[derive(Clone, Copy)]
enum What {
    Guid,
    Mac,
    Address,
    Address6,
    User,
    Community,
    Alert,
    Duid,
}

impl What {
    fn piece(self, bytes: &mut [u8]) -> Piece<'_> {
        match self {
            Self::Guid => Piece::Bytes(Kind::Guid, bytes),
            Self::Mac => Piece::Mac(bytes),
            Self::Address => Piece::Address(bytes),
            Self::Address6 => Piece::Address6(bytes),
            Self::User => Piece::Text(Kind::User, Form::EightBit, bytes),
            Self::Community => Piece::Text(Kind::Secret, Form::EightBit, bytes),
            Self::Alert => Piece::KeptText(Form::EightBit, bytes),
            Self::Duid => Piece::Opaque("DHCP unique identifiers of LAN channels".into(), bytes),
        }
    }
}

/// A response that means something alone.
fn exchange(request: &Request, data: &mut [u8], see: &mut dyn FnMut(Piece<'_>)) {
    let mc = request.mc;
    let parameter = request.data.get(1).copied().unwrap_or_default();
    let place = match request.read() {
        Some(Read::DeviceGuid | Read::SystemGuid) => Some((0..16, What::Guid)),
        Some(Read::UserName) => Some((0..16, What::User)),
        // System GUID, alert strings (table 30-6).
        Some(Read::PefParameters) => match request.data.first().map(|selector| selector & 0x7f) {
            Some(10) => Some((2..18, What::Guid)),
            Some(13) => Some((3..19, What::Alert)),
            _ => None,
        },
        Some(Read::LanParameters) if parameter == number::DESTINATION_ADDRESSES => return destination(data, see),
        Some(Read::LanParameters) if parameter >= 192 => {
            let bytes = data.get_mut(1..).unwrap_or_default();
            return see(Piece::Opaque(format!("OEM parameters of LAN channels at {mc:#04x}"), bytes));
        }
        Some(Read::LanParameters) => lan_parameter(parameter),
        None => return see(Piece::Opaque(format!("recorded responses of OEM commands at {mc:#04x}"), data)),
        Some(_) => None,
    };
    if let Some((range, what)) = place
        && let Some(bytes) = data.get_mut(range)
    {
        see(what.piece(bytes));
    }
}

/// Revision, destination, format, and by that gateway, IPv4 and MAC address, or an IPv6 address (table 23-4, parameter 19).
fn destination(data: &mut [u8], see: &mut dyn FnMut(Piece<'_>)) {
    let Some((&mut [_, _, format], rest)) = data.split_first_chunk_mut() else { return };
    if format >> 4 == 1 {
        return rest.get_mut(..16).into_iter().for_each(|bytes| see(Piece::Address6(bytes)));
    }
    rest.get_mut(1..5).into_iter().for_each(|bytes| see(Piece::Address(bytes)));
    rest.get_mut(5..11).into_iter().for_each(|bytes| see(Piece::Mac(bytes)));
}

/// Where in the response a LAN parameter has what tells machines apart (table 23-4). Byte 0 is the revision.
fn lan_parameter(parameter: u8) -> Option<(std::ops::Range<usize>, What)> {
    Some(match parameter {
        number::IP_ADDRESS | number::GATEWAY | number::BACKUP_GATEWAY => (1..5, What::Address),
        number::MAC_ADDRESS | number::GATEWAY_MAC | number::BACKUP_GATEWAY_MAC => (1..7, What::Mac),
        number::COMMUNITY => (1..19, What::Community),
        // Set, source; an IPv6 address that is set, or one in use.
        56 | 59 => (3..19, What::Address6),
        // Of routers that are set: address or prefix, MAC address.
        65 | 68 | 69 | 72 => (1..17, What::Address6),
        66 | 70 => (1..7, What::Mac),
        // Set; of routers that were heard.
        74 | 77 => (2..18, What::Address6),
        75 => (2..8, What::Mac),
        // Set, block; it may hold a MAC address.
        58 | 61 => (3..19, What::Duid),
        _ => return None,
    })
}

/// Of a system info parameter: parameter, where in its text (with encoding and length) the block begins, bytes before it in the
/// response (table 22-16).
fn system_info_place(request: &Request) -> Option<(u8, usize, usize)> {
    let (parameter, set) = (*request.data.get(1)?, usize::from(*request.data.get(2)?));
    Some((parameter, set * 16, 2))
}

/// Shows a text that several responses have parts of. `place`: whose text, where in it, bytes before it in the response.
fn in_parts(
    machine: &mut Machine,
    mc: u8,
    read: Read,
    place: impl Fn(&Request) -> Option<(u8, usize, usize)>,
    see: &mut dyn FnMut(u8, &mut [u8]),
) {
    let is_part = |request: &Request, response: &Response| request.mc == mc && request.is(read) && response.code == 0;
    let mut texts: BTreeMap<u8, Vec<u8>> = BTreeMap::new();
    for (request, response) in machine.exchanges.iter().filter(|(request, response)| is_part(request, response)) {
        if let Some((whose, start, head)) = place(request) {
            let (text, part) = (texts.entry(whose).or_default(), response.data.get(head..).unwrap_or_default());
            text.resize(text.len().max(start + part.len()), 0);
            text.iter_mut().skip(start).zip(part).for_each(|(to, from)| *to = *from);
        }
    }
    texts.iter_mut().for_each(|(whose, text)| see(*whose, text));
    for (request, response) in machine.exchanges.iter_mut().filter(|(request, response)| is_part(request, response)) {
        if let Some((whose, start, head)) = place(request) {
            let text = texts.get(&whose).map(Vec::as_slice).unwrap_or_default();
            response.data.0.iter_mut().skip(head).zip(text.iter().skip(start)).for_each(|(to, from)| *to = *from);
        }
    }
}
