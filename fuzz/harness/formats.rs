//! Decoders of packets and of serial framings: whatever was read can be written, and reads
//! as the same again.

use ipmi_sim::ipmi::{HostSignal, McAddress, capability};
use ipmi_sim::serial::{Inbound, Line, Settings};
use ipmi_sim::settings::model::{CodecKind, SerialOem};
use ipmi_sim::wire::{asf, ipmb, rakp, rmcp, session15, session20, sol, vm};

use super::input::FuzzData;

/// One decoder of `wire`, chosen by the first byte.
pub fn wire(data: &[u8]) {
    let Some((which, bytes)) = data.split_first() else { return };
    let mut out = Vec::new();
    match which % 18 {
        0 => {
            if let Ok(read) = rmcp::Repr::parse(bytes) {
                read.emit(&mut out);
                assert_eq!(rmcp::Repr::parse(&out), Ok(read));
            }
        }
        1 => {
            if let Ok(read) = asf::Ping::parse(bytes) {
                read.emit(&mut out);
                assert_eq!(asf::Ping::parse(&out), Ok(read));
            }
        }
        2 => {
            if let Ok(read) = ipmb::Message::parse(bytes) {
                read.emit(&mut out);
                assert_eq!(out, bytes);
                assert_eq!(read.length(), bytes.len());
            }
        }
        3 => {
            if let Ok(read) = ipmb::Message::parse_unchecked(bytes) {
                read.emit(&mut out);
                assert_eq!(ipmb::Message::parse(&out), Ok(read));
                assert_eq!(out.len(), bytes.len());
                let answer = read.response(&[0]);
                assert_eq!((answer.to, answer.from, answer.seq), (read.from, read.to, read.seq));
            }
        }
        4 => {
            if let Ok(read) = session15::Packet::parse(bytes) {
                read.emit(&mut out);
                assert_eq!(bytes.get(..out.len()), Some(out.as_slice()));
            }
        }
        5 => {
            if let Ok(read) = session20::Header::parse(bytes) {
                assert!(read.payload_end() <= bytes.len());
                read.emit(&mut out);
                out.extend_from_slice(&bytes[session20::HEADER_LENGTH..]);
                assert_eq!(session20::Header::parse(&out), Ok(read));
            }
        }
        6 => {
            if let Ok(read) = rakp::OpenSessionRequest::parse(bytes) {
                read.emit(&mut out);
                if read.algorithms.is_ok() {
                    assert_eq!(rakp::OpenSessionRequest::parse(&out), Ok(read));
                }
            }
        }
        7 => {
            if let Ok(Ok(read)) = rakp::OpenSessionResponse::parse(bytes) {
                read.emit(&mut out);
                assert_eq!(rakp::OpenSessionResponse::parse(&out), Ok(Ok(read)));
            }
        }
        8 => {
            if let Ok(read) = rakp::Rakp1::parse(bytes) {
                read.emit(&mut out);
                let again = rakp::Rakp1::parse(&out).expect("what was written");
                assert_eq!((again.tag, again.bmc_id, again.role), (read.tag, read.bmc_id, read.role));
                assert_eq!(again.name, Ok(read.name.unwrap_or_default()));
            }
        }
        9 => {
            if let Ok(Ok(read)) = rakp::Rakp2::parse(bytes) {
                read.emit(&mut out);
                assert_eq!(rakp::Rakp2::parse(&out), Ok(Ok(read)));
            }
        }
        10 => {
            if let Ok(read) = rakp::Rakp3::parse(bytes) {
                read.emit(&mut out);
                assert_eq!(rakp::Rakp3::parse(&out), Ok(read));
            }
        }
        11 => {
            if let Ok(Ok(read)) = rakp::Rakp4::parse(bytes) {
                read.emit(&mut out);
                assert_eq!(rakp::Rakp4::parse(&out), Ok(Ok(read)));
            }
        }
        12 => {
            if let Ok(read) = sol::Packet::parse(bytes) {
                read.emit(&mut out);
                assert_eq!(sol::Packet::parse(&out), Ok(read));
            }
        }
        13 => {
            if let Ok(read) = vm::Message::parse(bytes) {
                read.emit(&mut out);
                assert_eq!(out.pop(), Some(vm::END_MESSAGE));
                let frame = without_escapes(&out);
                assert_eq!(frame, bytes);
            }
        }
        14 => {
            if let Some(read) = vm::HostCommand::parse(bytes) {
                read.emit(&mut out);
                assert_eq!(out.pop(), Some(vm::END_COMMAND));
                assert_eq!(vm::HostCommand::parse(&without_escapes(&out)), Some(read));
            }
        }
        15 => {
            if let Some(read) = vm::BmcCommand::parse(bytes) {
                read.emit(&mut out);
                assert_eq!(out.pop(), Some(vm::END_COMMAND));
                assert_eq!(vm::BmcCommand::parse(&without_escapes(&out)), Some(read));
            }
        }
        16 => {
            let mut packet = bytes.to_vec();
            session20::set_payload_length(&mut packet);
            session20::emit_trailer(bytes.len(), &mut packet);
            assert_eq!(packet[..session20::HEADER_LENGTH.min(bytes.len())].len(), bytes.len().min(12));
        }
        _ => assert_eq!(bytes.iter().fold(ipmb::checksum(bytes), |sum, byte| sum.wrapping_add(*byte)), 0),
    }
}

fn without_escapes(bytes: &[u8]) -> Vec<u8> {
    let mut frame = Vec::new();
    let mut bytes = bytes.iter();
    while let Some(byte) = bytes.next() {
        match *byte {
            vm::ESCAPE => frame.push(vm::unescape(*bytes.next().expect("a byte behind an escape"))),
            vm::END_MESSAGE | vm::END_COMMAND => panic!("an end inside a frame"),
            byte => frame.push(byte),
        }
    }
    frame
}

/// A serial line of the framing that the first byte says. Its bytes are the rest, in
/// pieces: how they are cut must make no difference.
pub fn serial(data: &[u8]) {
    let mut input = FuzzData::new(data);
    let kind = input.byte();
    let settings = Settings {
        codec: [CodecKind::Vm, CodecKind::Direct, CodecKind::TerminalMode, CodecKind::RadisysAscii]
            [usize::from(kind & 3)],
        oem: [None, Some(SerialOem::PigeonPoint), Some(SerialOem::Radisys)][usize::from(kind >> 2) % 3],
        attention: vec![7],
        ipmb: McAddress(input.byte()),
        controller: McAddress(0x20),
    };
    let mut pieces = Line::new(settings.clone());
    let mut whole = Line::new(settings.clone());
    let mut written = Vec::new();
    pieces.connected(&mut written);
    whole.connected(&mut written);
    let mut bytes = Vec::new();
    let mut in_pieces = Vec::new();
    while !input.is_empty() {
        let piece = input.piece();
        bytes.extend_from_slice(piece);
        pieces.receive(piece, &mut in_pieces);
    }
    let mut at_once = Vec::new();
    whole.receive(&bytes, &mut at_once);
    assert_eq!(in_pieces, at_once);
    for item in &at_once {
        let Inbound::Message { response_to, data } = item else { continue };
        assert!(data.len() <= bytes.len());
        written.clear();
        let mut answer = vec![0];
        answer.extend_from_slice(data);
        whole.respond(response_to, &answer, &mut written);
        // What is written has no more ends of frames than one.
        if settings.codec == CodecKind::Vm {
            assert_eq!(written.iter().filter(|byte| **byte == vm::END_MESSAGE).count(), 1);
        }
        whole.bridged_response(data, &mut written);
    }
    for bits in [0, capability::MESSAGE_INTERRUPT] {
        whole.signal(HostSignal::MessageInterrupt(bits != 0), &mut written);
        whole.signal(HostSignal::Attention { on: bits == 0, interrupt: false }, &mut written);
    }
    whole.disconnected();
}
