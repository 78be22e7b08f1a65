//! Byte examples of `serial.md` sections 4, 5, 7 and 10 to 13, and garbage.

use super::*;
use crate::ipmi::McAddress;
use hex_literal::hex;

const DEVICE_ID: [u8; 16] = hex!("00 00 03 09 08 02 9f 91 12 00 02 0f 00 00 00 00");

fn settings(codec: CodecKind) -> Settings {
    Settings { codec, oem: None, attention: Vec::new(), ipmb: McAddress(0), controller: McAddress::BMC }
}

fn line(settings: Settings) -> Line {
    let mut line = Line::new(settings);
    line.connected(&mut Vec::new());
    line
}

fn connected(codec: CodecKind) -> Line {
    line(settings(codec))
}

fn received(line: &mut Line, bytes: &[u8]) -> Vec<Inbound> {
    let mut inbound = Vec::new();
    line.receive(bytes, &mut inbound);
    inbound
}

/// A controller that knows Get Device ID and nothing else; what it writes, in the order
/// the simulator would.
fn exchange(line: &mut Line, bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for item in received(line, bytes) {
        match item {
            Inbound::Message { response_to, .. } => {
                let response = if response_to.netfn == 6 && response_to.cmd == 1 { &DEVICE_ID[..] } else { &[0xc1] };
                line.respond(&response_to, response, &mut out);
            }
            Inbound::Write(bytes) => out.extend(bytes),
            other => panic!("{other:?}"),
        }
    }
    out
}

fn faults(line: &mut Line, bytes: &[u8]) -> Vec<Fault> {
    received(line, bytes)
        .into_iter()
        .filter_map(|item| match item {
            Inbound::Fault(fault) => Some(fault),
            Inbound::Write(_) => None,
            other => panic!("{other:?}"),
        })
        .collect()
}

fn signals(line: &mut Line, signals: &[HostSignal]) -> Vec<u8> {
    let mut out = Vec::new();
    signals.iter().for_each(|signal| line.signal(*signal, &mut out));
    out
}

const ATTENTION: HostSignal = HostSignal::Attention { on: true, interrupt: false };
const ATTENTION_OFF: HostSignal = HostSignal::Attention { on: false, interrupt: false };

mod vm_protocol {
    use super::*;

    #[test]
    fn requests_and_responses() {
        let mut line = connected(CodecKind::Vm);
        for (request, response) in [
            (&hex!("01 18 01 e6 a0")[..], &hex!("01 1c 01 00 00 03 09 08 02 9f 91 12 00 02 0f 00 00 00 00 79 a0")[..]),
            (&hex!("aa b0 18 01 47 a0"), &hex!("aa b0 1c 01 00 00 03 09 08 02 9f 91 12 00 02 0f 00 00 00 00 da a0")),
            (&hex!("a6 18 ee 54 a0"), &hex!("a6 1c ee c1 8f a0")),
            (&hex!("00 18 01 e7 a0"), &hex!("00 1c 01 00 00 03 09 08 02 9f 91 12 00 02 0f 00 00 00 00 7a a0")),
        ] {
            assert_eq!(exchange(&mut line, request), response);
        }
        let both = exchange(&mut line, &hex!("01 18 01 e6 a0 02 18 01 e5 a0"));
        assert_eq!(both.iter().filter(|byte| **byte == 0xa0).count(), 2);
        assert_eq!(both[..3], hex!("01 1c 01"));
        assert_eq!(both[21..24], hex!("02 1c 01"));
    }

    #[test]
    fn messages_may_be_cut_anywhere() {
        let mut line = connected(CodecKind::Vm);
        let bytes = hex!("aa b0 18 01 47 a0 08 3f a1 02 18 2e 0e aa ba a0");
        let whole = received(&mut line, &bytes);
        assert_eq!(whole.len(), 3);
        for size in 1..bytes.len() {
            let mut inbound = Vec::new();
            bytes.chunks(size).for_each(|piece| line.receive(piece, &mut inbound));
            assert_eq!(inbound, whole, "in pieces of {size}");
        }
    }

    #[test]
    fn what_a_request_says_is_passed_on() {
        let mut line = connected(CodecKind::Vm);
        // LUN 2, then an odd network function: not judged here.
        assert_eq!(
            received(&mut line, &hex!("07 1a 01 de a0 07 1c 35 80 28 a0")),
            [
                Inbound::Message {
                    response_to: ResponseTo {
                        rs_addr: 0,
                        rq_addr: 0,
                        netfn: 6,
                        rs_lun: 2,
                        rq_lun: 0,
                        sequence: 7,
                        cmd: 1,
                        forwarded: false,
                        connection: 1,
                    },
                    data: vec![]
                },
                Inbound::Message {
                    response_to: ResponseTo {
                        rs_addr: 0,
                        rq_addr: 0,
                        netfn: 7,
                        rs_lun: 0,
                        rq_lun: 0,
                        sequence: 7,
                        cmd: 0x35,
                        forwarded: false,
                        connection: 1,
                    },
                    data: vec![0x80]
                },
            ]
        );
        assert_eq!(exchange(&mut line, &hex!("07 1a 01 de a0"))[..2], hex!("07 1c"), "the answer's LUN is 0");
    }

    #[test]
    fn any_byte_behind_an_escape_loses_bit_4() {
        let mut line = connected(CodecKind::Vm);
        assert_eq!(
            exchange(&mut line, &hex!("aa 11 18 01 e6 a0")),
            hex!("01 1c 01 00 00 03 09 08 02 9f 91 12 00 02 0f 00 00 00 00 79 a0")
        );
        // An escape in front of an escape is the same escape.
        for bytes in [&hex!("aa aa b1 18 ee 59 a0")[..], &hex!("aa aa aa b1 18 ee 59 a0")] {
            assert_eq!(exchange(&mut line, bytes), hex!("aa b1 1c ee c1 94 a0"));
        }
    }

    #[test]
    fn bad_frames_are_dropped_and_the_next_one_is_good() {
        let mut line = connected(CodecKind::Vm);
        let long = [0x55; 260];
        let framed = [&long[..], &[0xa0]].concat();
        for (bytes, expected) in [
            (&hex!("18 01 a0")[..], Some(Fault::TooShort)),
            (&hex!("01 18 01 e7 a0"), Some(Fault::Checksum)),
            (&hex!("01 18 01 e6 aa a0"), Some(Fault::EndedInEscape)),
            (&hex!("08 aa a1"), Some(Fault::EndedInEscape)),
            (&framed, Some(Fault::TooLong)),
            (&hex!("a0"), None),
            (&hex!("a1"), None),
            (&hex!("08 a1"), None),
            (&hex!("ff 01 a1"), None),
            (&hex!("77 a1"), None),
        ] {
            assert_eq!(faults(&mut line, bytes), expected.into_iter().collect::<Vec<_>>(), "{bytes:02x?}");
            // A sequence that an escape left over from the frame before would change.
            assert_eq!(exchange(&mut line, &hex!("16 18 ee e4 a0")), hex!("16 1c ee c1 1f a0"));
        }
        let texts = [
            (Fault::TooShort, "Message too short"),
            (Fault::Checksum, "Message checksum failure"),
            (Fault::TooLong, "Message too long"),
            (Fault::EndedInEscape, "Message ended in escape"),
            (Fault::InvalidEscape(0x41), "Invalid escape char: 0x41"),
        ];
        for (fault, text) in texts {
            assert_eq!(fault.to_string(), text);
        }
    }

    #[test]
    fn the_longest_message_has_259_bytes() {
        let mut line = connected(CodecKind::Vm);
        let mut message = vec![1, 0x18, 0xee];
        message.resize(258, 0x11);
        message.push(message.iter().fold(0u8, |sum, byte| sum.wrapping_sub(*byte)));
        message.push(0xa0);
        let inbound = received(&mut line, &message);
        assert!(matches!(&inbound[..], [Inbound::Message { data, .. }] if data.len() == 255));
    }

    #[test]
    fn the_host_says_what_it_can() {
        let mut line = connected(CodecKind::Vm);
        assert_eq!(
            received(&mut line, &hex!("ff 01 a1 08 3f a1 04 a1")),
            [Inbound::Capabilities(HostCapabilities { bits: 0x3f }), Inbound::HostReset]
        );
    }

    #[test]
    fn the_host_is_greeted_and_told() {
        let mut line = Line::new(settings(CodecKind::Vm));
        assert!(signals(&mut line, &[HostSignal::PowerOff]).is_empty(), "nobody is there");
        let mut out = Vec::new();
        line.connected(&mut out);
        line.signal(ATTENTION_OFF, &mut out);
        assert_eq!(out, hex!("ff 01 a1 00 a1"));
        received(&mut line, &hex!("08 3f a1"));
        assert_eq!(
            signals(
                &mut line,
                &[
                    ATTENTION,
                    HostSignal::Attention { on: true, interrupt: true },
                    HostSignal::PowerOff,
                    HostSignal::Reset,
                    HostSignal::MessageInterrupt(true),
                    HostSignal::MessageInterrupt(false),
                    HostSignal::Nmi,
                    HostSignal::GracefulShutdown,
                    HostSignal::Interface(false),
                    HostSignal::Interface(true),
                ]
            ),
            hex!("01 a1 02 a1 03 a1 04 a1 05 a1 06 a1 07 a1 09 a1 0a a1 0b a1")
        );
    }

    #[test]
    fn commands_and_responses_follow_each_other() {
        let mut line = connected(CodecKind::Vm);
        received(&mut line, &hex!("08 3f a1"));
        let inbound = received(&mut line, &hex!("0c 18 2e 0f 9f a0"));
        let [Inbound::Message { response_to, data }] = &inbound[..] else { panic!("{inbound:?}") };
        assert_eq!(data[..], [0x0f]);
        let mut out = signals(
            &mut line,
            &[HostSignal::MessageInterrupt(true), HostSignal::Attention { on: true, interrupt: true }],
        );
        line.respond(response_to, &[0], &mut out);
        assert_eq!(out, hex!("05 a1 02 a1 0c 1c 2e 00 aa ba a0"));
    }

    #[test]
    fn nothing_of_one_connection_reaches_the_next() {
        let mut line = connected(CodecKind::Vm);
        let inbound = received(&mut line, &hex!("01 18 01 e6 a0"));
        let [Inbound::Message { response_to, .. }] = &inbound[..] else { panic!() };
        assert!(received(&mut line, &hex!("01 18 aa")).is_empty());
        line.disconnected();
        let mut out = Vec::new();
        line.respond(response_to, &[0], &mut out);
        assert!(out.is_empty(), "who asked is gone");
        line.connected(&mut Vec::new());
        line.respond(response_to, &[0], &mut out);
        assert!(out.is_empty(), "somebody else is there");
        assert_eq!(exchange(&mut line, &hex!("a6 18 ee 54 a0")), hex!("a6 1c ee c1 8f a0"));
    }
}

mod direct_mode {
    use super::*;

    #[test]
    fn requests_responses_and_handshakes() {
        let mut line = connected(CodecKind::Direct);
        assert_eq!(
            exchange(&mut line, &hex!("a0 20 18 c8 81 14 01 6a a5")),
            hex!("a0 81 1c 63 20 14 01 00 00 03 09 08 02 9f 91 12 00 02 0f 00 00 00 00 62 a5 a6")
        );
        assert_eq!(
            exchange(&mut line, &hex!("a0 20 18 c8 aa b0 aa b0 01 bf a5")),
            hex!("a0 aa b0 1c 44 20 aa b0 01 00 00 03 09 08 02 9f 91 12 00 02 0f 00 00 00 00 d6 a5 a6")
        );
        // Both in one piece: each handshake behind its response.
        let two = exchange(&mut line, &hex!("a0 20 18 c8 81 14 ee 7d a5 a0 20 18 c8 81 18 ee 79 a5"));
        assert_eq!(two, hex!("a0 81 1c 63 20 14 ee c1 1d a5 a6 a0 81 1c 63 20 18 ee c1 19 a5 a6"));
    }

    #[test]
    fn addresses_and_luns_are_swapped() {
        let mut line = connected(CodecKind::Direct);
        assert_eq!(exchange(&mut line, &hex!("a0 24 1b c1 81 15 ee 7c a5")), hex!("a0 81 1d 62 24 17 ee c1 16 a5 a6"));
    }

    #[test]
    fn a_wrong_header_checksum_made_good_by_the_last_one_passes() {
        let mut line = connected(CodecKind::Direct);
        assert_eq!(received(&mut line, &hex!("a0 20 18 c9 81 14 01 69 a5")).len(), 2);
        assert_eq!(faults(&mut line, &hex!("a0 20 18 c8 81 14 01 69 a5")), [Fault::Checksum]);
    }

    #[test]
    fn every_stop_is_answered_with_a_handshake() {
        let mut line = connected(CodecKind::Direct);
        let handshake = Inbound::Write(vec![0xa6]);
        for (bytes, fault) in [
            (&hex!("a5")[..], Fault::Empty),
            (&hex!("a0 a5"), Fault::TooShort),
            (&hex!("61 62 a5"), Fault::Empty),
            (&hex!("a0 20 18 c8 81 14 6b a5"), Fault::TooShort),
            (&hex!("a0 20 18 c8 81 14 01 6a aa a5"), Fault::EndedInEscape),
        ] {
            assert_eq!(received(&mut line, bytes), [Inbound::Fault(fault), handshake.clone()], "{bytes:02x?}");
        }
        let long = [&[0xa0][..], &[0x11; 260], &[0xa5]].concat();
        assert_eq!(received(&mut line, &long), [Inbound::Fault(Fault::TooLong), handshake.clone()]);
        assert_eq!(
            received(&mut line, &hex!("a0 20 aa 41 18 c8 81 14 01 6a a5")),
            [Inbound::Fault(Fault::InvalidEscape(0x41)), Inbound::Fault(Fault::TooLong), handshake]
        );
    }

    #[test]
    fn a_start_starts_over() {
        let mut line = connected(CodecKind::Direct);
        let inbound = received(&mut line, &hex!("a0 20 18 a6 a0 20 18 c8 81 14 a6 01 6a a5"));
        assert!(
            matches!(&inbound[..], [Inbound::Fault(Fault::Restarted), Inbound::Message { .. }, Inbound::Write(_)]),
            "{inbound:?}"
        );
        assert!(received(&mut line, b"anything outside").is_empty());
    }

    #[test]
    fn attention_bytes_are_raw() {
        let mut line = line(Settings { attention: vec![0xa0, 1], ..settings(CodecKind::Direct) });
        assert_eq!(signals(&mut line, &[ATTENTION, ATTENTION_OFF, HostSignal::Reset]), [0xa0, 1]);
        assert!(signals(&mut connected(CodecKind::Direct), &[ATTENTION]).is_empty());
    }
}

mod terminal_mode_codec {
    use super::*;

    const ANSWER: &[u8] = b"[1C040100 00 03 09 08 02 9F 91 12 00 02 0F 00 00 00 00]\n";

    #[test]
    fn requests_and_responses() {
        let mut line = connected(CodecKind::TerminalMode);
        for request in ["[18 04 01]", "[180401]", "[18 07 01]", "[19 04 01]", "noise [ 18\t04\r\n 01 ] noise"] {
            assert_eq!(exchange(&mut line, request.as_bytes()), ANSWER, "{request}");
        }
        assert_eq!(exchange(&mut line, b"[18 04 EE]"), b"[1C04EEC1]\n");
        assert_eq!(exchange(&mut line, b"[18 04 ee][18 08 ee]"), b"[1C04EEC1]\n[1C08EEC1]\n");
    }

    #[test]
    fn bad_lines_are_dropped_in_silence() {
        let mut line = connected(CodecKind::TerminalMode);
        for text in ["[]", "[18 04]", "[18 04 0]", "[1 804 01]", "[18 04 0x]", "[SYS]"] {
            assert_eq!(received(&mut line, text.as_bytes()), [Inbound::Fault(Fault::BadInput)], "{text}");
        }
        let long = format!("[{}]", "11".repeat(256));
        assert_eq!(faults(&mut line, long.as_bytes()), [Fault::BadInput]);
        let longest = format!("[{}]", "11".repeat(255));
        assert!(matches!(&received(&mut line, longest.as_bytes())[..], [Inbound::Message { .. }]));
        let endless = format!("[{}]", "1".repeat(773));
        assert_eq!(faults(&mut line, endless.as_bytes()), [Fault::Overrun]);
        let inbound = received(&mut line, b"[18 04[18 04 01]");
        assert!(matches!(&inbound[..], [Inbound::Fault(Fault::Restarted), Inbound::Message { .. }]));
    }

    #[test]
    fn attention_bytes_are_raw() {
        let mut line = line(Settings { attention: b"!".to_vec(), ..settings(CodecKind::TerminalMode) });
        assert_eq!(signals(&mut line, &[ATTENTION, ATTENTION_OFF]), b"!");
    }
}

mod radisys_ascii_codec {
    use super::*;

    #[test]
    fn requests_and_responses() {
        let mut line = connected(CodecKind::RadisysAscii);
        assert_eq!(exchange(&mut line, b"2018C88114016A\r"), b"811C632014010000030908029F911200020F0000000062\r");
        assert_eq!(exchange(&mut line, b"0118e78114016a\r"), b"811C630114010000030908029F911200020F0000000081\r");
        // CR LF is forgiven.
        assert_eq!(
            exchange(&mut line, b"2018C88114EE7D\r\n2018C88114EE7D\r\n"),
            b"811C632014EEC11D\r811C632014EEC11D\r"
        );
    }

    #[test]
    fn bad_lines_are_dropped_in_silence() {
        let mut line = connected(CodecKind::RadisysAscii);
        for (text, fault) in [
            ("\r", Fault::BadInput),
            ("2018C\r", Fault::BadInput),
            ("20 18 C8 81 14 01 6A\r", Fault::BadInput),
            ("2018\nC88114016A\r", Fault::BadInput),
            ("2018C881146B\r", Fault::TooShort),
            ("2018C88114016B\r", Fault::Checksum),
        ] {
            assert_eq!(faults(&mut line, text.as_bytes()), [fault], "{text:?}");
        }
        for own in ["20", "01", "24"] {
            let long = format!("{}\r", own.repeat(260));
            assert_eq!(faults(&mut line, long.as_bytes()), [Fault::TooLong]);
        }
        let endless = format!("{}\r", "2".repeat(773));
        assert_eq!(faults(&mut line, endless.as_bytes()), [Fault::Overrun]);
    }

    #[test]
    fn messages_for_others_are_passed_on() {
        let mut line = connected(CodecKind::RadisysAscii);
        let inbound = received(&mut line, b"2418C48114016A\r");
        let [Inbound::Message { response_to, data }] = &inbound[..] else { panic!("{inbound:?}") };
        assert_eq!((response_to.netfn, response_to.cmd, response_to.forwarded), (6, 0x34, true));
        assert_eq!(data[..], hex!("00 24 18 c4 81 14 01 6a"));
        let mut out = Vec::new();
        line.respond(response_to, &[0x83], &mut out);
        assert_eq!(out, b"011CE30100348348\r");
        out.clear();
        line.respond(response_to, &[0], &mut out);
        assert!(out.is_empty(), "the other controller answers");
        line.bridged_response(&hex!("81 1c 63 24 14 01 00 c7"), &mut out);
        assert_eq!(out, b"811C6324140100C7\r");
        out.clear();
        connected(CodecKind::Vm).bridged_response(&[1], &mut out);
        assert!(out.is_empty());
    }

    #[test]
    fn there_is_no_attention() {
        let mut line = line(Settings { attention: vec![1], ..settings(CodecKind::RadisysAscii) });
        assert!(signals(&mut line, &[ATTENTION]).is_empty());
    }
}

mod oem_handlers {
    use super::*;

    fn pigeon_point() -> Line {
        line(Settings { oem: Some(SerialOem::PigeonPoint), ..settings(CodecKind::TerminalMode) })
    }

    #[test]
    fn pigeon_point_serial_interface() {
        let mut line = pigeon_point();
        for (request, response) in [
            ("[B8 00 01 00 40 0A 01]", "[BC000100 00 40 0A 01]\n"),
            ("[B8 00 01 00 40 0A 00]", "[BC000100 00 40 0A 00]\n"),
            ("[B8 00 02 00 40 0A 01 00]", "[BC000200 00 40 0A]\n"),
            ("[B8 00 01 00 40 0A 01]", "[BC000100 00 40 0A 00]\n"),
            ("[B8 00 02 00 40 0A 01 FF]", "[BC000200 00 40 0A]\n"),
            ("[B8 00 01 00 40 0A 01]", "[BC000100 00 40 0A 01]\n"),
            ("[B8 00 02 00 40 0A 01]", "[BC0002CC 00 40 0A]\n"),
            ("[B8 00 02 00 40 0A 02 01]", "[BC0002CC 00 40 0A]\n"),
            ("[B8 00 01 00 40 0A]", "[BC0001C7 00 40 0A]\n"),
        ] {
            let [Inbound::Write(written)] = &received(&mut line, request.as_bytes())[..] else { panic!("{request}") };
            assert_eq!(String::from_utf8_lossy(written), response, "{request}");
        }
    }

    #[test]
    fn other_commands_go_to_the_controller() {
        for text in ["[B8 00 03 00 40 0A 01]", "[B8 00 01 01 40 0A 01]", "[B8 00 01]", "[18 00 01 00 40 0A 01]"] {
            let inbound = received(&mut pigeon_point(), text.as_bytes());
            assert!(matches!(&inbound[..], [Inbound::Message { .. }]), "{text}");
        }
        let inbound = received(&mut connected(CodecKind::TerminalMode), b"[B8 00 01 00 40 0A 01]");
        assert!(matches!(&inbound[..], [Inbound::Message { .. }]));
    }

    #[test]
    fn radisys() {
        let mut line = line(Settings {
            oem: Some(SerialOem::Radisys),
            ipmb: McAddress(0x7c),
            ..settings(CodecKind::RadisysAscii)
        });
        assert_eq!(exchange(&mut line, b"20F8E881141259\r"), b"81FC83201412007C3E\r");
        assert_eq!(received(&mut line, b"2018C88114313A\r"), [Inbound::Write(b"811C63201431C1DA\r".to_vec())]);
    }

    #[test]
    fn answers_keep_their_place() {
        let mut line = line(Settings { oem: Some(SerialOem::Radisys), ..settings(CodecKind::Vm) });
        assert_eq!(
            exchange(&mut line, &hex!("01 18 ee f9 a0 02 18 31 b5 a0 03 18 ee f7 a0")),
            hex!("01 1c ee c1 34 a0 02 1c 31 c1 f0 a0 03 1c ee c1 32 a0")
        );
    }
}

#[test]
fn garbage_never_harms() {
    const INTERESTING: &[u8] =
        &[0xa0, 0xa1, 0xa5, 0xa6, 0xaa, 0x1b, b'[', b']', b'\r', b'0', b'8', b'C', b' ', 0xff, 8, 4];
    let mut state = 42u64;
    let mut roll = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize
    };
    for codec in [CodecKind::Vm, CodecKind::Direct, CodecKind::TerminalMode, CodecKind::RadisysAscii] {
        for oem in [None, Some(SerialOem::PigeonPoint), Some(SerialOem::Radisys)] {
            let mut line = line(Settings { oem, ..settings(codec) });
            let mut items = 0;
            for round in 0..2_000 {
                let bytes: Vec<u8> = (0..roll() % 600)
                    .map(|_| if roll() % 3 == 0 { roll() as u8 } else { INTERESTING[roll() % INTERESTING.len()] })
                    .collect();
                let mut out = Vec::new();
                for item in received(&mut line, &bytes) {
                    items += 1;
                    if let Inbound::Message { response_to, data } = item {
                        assert!(data.len() <= 260);
                        line.respond(&response_to, &data, &mut out);
                    }
                }
                if round % 100 == 0 {
                    line.disconnected();
                    line.connected(&mut out);
                }
            }
            assert!(items > 100, "{codec:?} sees frames");
            // And it still works.
            line.connected(&mut Vec::new());
            let request = match codec {
                CodecKind::Vm => &hex!("01 18 01 e6 a0")[..],
                CodecKind::Direct => &hex!("a0 20 18 c8 81 14 01 6a a5"),
                CodecKind::TerminalMode => b"[18 04 01]",
                CodecKind::RadisysAscii => b"2018C88114016A\r",
            };
            assert!(exchange(&mut line, request).len() > 16);
        }
    }
}
