//! What the port is told and how it is protected: `sol.md` sections 5, 7 and 8.

use super::bench::*;
use crate::sol::LineEvent;
use crate::sol::Settings;
use hex_literal::hex;

/// A bench whose port takes nothing and whose console is held. The last packet had number
/// 4; one packet is under way.
fn held() -> Bench {
    let mut bench = Bench::new(PLAIN);
    bench.port = PortBehaviour::Stuck;
    // Twelve packets, so that the four to look at have numbers 1 to 4.
    for number in 4..=15 {
        assert_eq!(bench.types(number, &[b'0'; 255]), [[0, number, 255, 0]]);
    }
    for number in 1..=3 {
        assert_eq!(bench.types(number, &[b'0' + number; 255]), [[0, number, 255, 0]]);
    }
    assert_eq!(bench.types(4, &[b'4'; 255]), [[0, 4, 255, 0x40]], "taken, but enough for now");
    bench
}

/// What is behind the packet under way of [`held`].
const WAITING: usize = 15 * 255;

#[test]
fn a_port_that_takes_nothing_holds_the_console() {
    let mut bench = held();
    bench.port_takes(254);
    assert!(bench.sent().is_empty());
    bench.port_takes(1);
    assert_eq!(bench.sent(), [hex!("00 04 ff 00")], "go on");
    assert_eq!(bench.types(5, b"five"), [hex!("00 05 04 00")]);
    bench.port = PortBehaviour::Eager;
    bench.port_takes(WAITING);
    assert!(bench.sent().is_empty());
    let expected = [&[b'0'; 12 * 255][..], &[b'1'; 255], &[b'2'; 255], &[b'3'; 255], &[b'4'; 255], b"five"].concat();
    assert_eq!(bench.written, expected);
}

#[test]
fn what_comes_during_a_hold_is_answered_when_the_port_goes_on() {
    let mut bench = held();
    assert!(bench.types(5, b"five").is_empty());
    bench.wait_ms(500);
    bench.port_takes(255);
    assert_eq!(bench.sent(), [hex!("00 05 04 00")]);
    assert_eq!(bench.types(5, b"five"), [hex!("00 05 04 00")], "that was it");
    bench.port = PortBehaviour::Eager;
    bench.port_takes(WAITING);
    assert!(bench.written.ends_with(b"4five"));
}

#[test]
fn what_a_console_has_given_up_is_not_typed() {
    let mut bench = held();
    assert!(bench.types(5, b"five").is_empty());
    bench.wait_ms(501);
    bench.port_takes(255);
    assert_eq!(bench.sent(), [hex!("00 04 ff 00")]);
    // ipmitool sends it under the next number.
    assert_eq!(bench.types(6, b"five"), [hex!("00 06 04 00")]);
    bench.port = PortBehaviour::Eager;
    bench.port_takes(WAITING);
    assert!(bench.written.ends_with(b"4five"));
}

#[test]
fn a_console_that_goes_on_without_an_answer_loses_nothing() {
    let mut bench = held();
    assert!(bench.types(5, b"five").is_empty());
    assert!(bench.types(6, b"six").is_empty());
    // The same under another number is the same again.
    assert!(bench.types(7, b"six").is_empty());
    bench.port = PortBehaviour::Eager;
    bench.port_takes(255);
    assert_eq!(bench.sent(), [hex!("00 07 03 00")]);
    assert!(bench.written.ends_with(b"4fivesix"));
}

#[test]
fn a_console_that_never_waits_does_not_fill_the_memory() {
    let mut bench = held();
    for round in 0..1000u32 {
        bench.types((round % 15) as u8 + 1, &[round as u8; 255]);
    }
    bench.port = PortBehaviour::Eager;
    bench.port_takes(255);
    assert!(bench.written.len() < 10_000);
}

#[test]
fn a_console_that_repeats_itself_during_a_hold_is_answered_once() {
    let mut bench = held();
    assert!(bench.types(5, b"fi").is_empty());
    for _ in 0..4 {
        assert!(bench.types(5, b"five").is_empty());
        bench.wait_ms(400);
    }
    bench.port = PortBehaviour::Eager;
    bench.port_takes(255);
    assert_eq!(bench.sent(), [hex!("00 05 04 00")]);
    assert!(bench.written.ends_with(b"4five"));
}

#[test]
fn packets_without_characters_are_answered_during_a_hold() {
    let mut bench = held();
    assert_eq!(bench.types(5, b""), [hex!("00 05 00 40")]);
    assert_eq!(bench.types(4, &[b'4'; 255]), [hex!("00 04 ff 40")], "its answer got lost");
}

#[test]
fn a_hold_ends_with_the_port() {
    let mut bench = held();
    assert!(bench.types(5, b"y").is_empty());
    bench.close_port();
    assert_eq!(bench.sent(), [hex!("00 04 ff 20")]);
    // Without a port everything is acknowledged and dropped, and the status says so.
    let before = bench.written.len();
    assert_eq!(bench.types(5, b"y"), [hex!("00 05 01 20")]);
    assert_eq!(bench.types(6, b"yyy"), [hex!("00 06 03 20")]);
    assert_eq!(bench.written.len(), before);
    bench.open_port();
    assert_eq!(bench.sent(), [hex!("00 00 00 00")]);
    bench.port = PortBehaviour::Eager;
    assert_eq!(bench.types(7, b"z"), [hex!("00 07 01 00")]);
    assert_eq!(bench.written[before..], *b"z");
}

#[test]
fn a_parked_packet_does_not_outlive_its_session() {
    let mut bench = held();
    bench.types(5, b"five");
    bench.deactivate();
    bench.activate(SESSION);
    bench.port_takes(255);
    assert!(bench.sent().is_empty());
    bench.port = PortBehaviour::Eager;
    bench.port_takes(WAITING);
    assert!(bench.written.ends_with(b"4"));
}

#[test]
fn the_session_survives_the_port() {
    let mut bench = Bench::new(PLAIN);
    bench.port_says(b"last words");
    bench.sent();
    bench.close_port();
    assert_eq!(bench.sent(), [hex!("00 00 00 20")], "characters cannot be passed on");
    bench.acknowledges(1, 10);
    bench.open_port();
    assert_eq!(bench.sent(), [hex!("00 00 00 00")], "now they can");
    bench.wait_s(20);
    assert!(bench.sent().is_empty(), "no empty packet with a number");
    bench.port_says(b"hello");
    assert_eq!(bench.sent(), [packet([2, 0, 0, 0], b"hello")]);
}

#[test]
fn what_was_acknowledged_reaches_the_port_after_the_session() {
    let mut bench = Bench::new(PLAIN);
    bench.port = PortBehaviour::Stuck;
    bench.types(1, b"exit");
    bench.types(2, b"\r");
    bench.deactivate();
    bench.activate(OTHER);
    bench.port_takes(4);
    assert_eq!(bench.written, b"exit\r");
}

#[test]
fn nothing_is_lost_to_a_slow_console() {
    let mut bench = Bench::new(PLAIN);
    let text: Vec<u8> = (0..80_000u32).map(|i| (i / 7) as u8).collect();
    let mut unread = &text[..];
    let mut seen = Vec::new();
    while seen.len() < text.len() {
        while bench.engine.wants_port_data() && !unread.is_empty() {
            let (piece, rest) = unread.split_at(unread.len().min(1000));
            bench.port_says(piece);
            unread = rest;
        }
        bench.wait_ms(10);
        for packet in bench.sent() {
            seen.extend_from_slice(&packet[4..]);
            bench.acknowledges(packet[0], (packet.len() - 4) as u8);
        }
    }
    assert_eq!(seen, text);
}

#[test]
fn giving_up_does_not_leave_reading_switched_off() {
    let mut bench = Bench::new(PLAIN);
    while bench.engine.wants_port_data() {
        bench.port_says(&[b'x'; 1024]);
    }
    assert!(!bench.engine.wants_port_data());
    bench.wait_s(7);
    assert!(bench.engine.wants_port_data());
    bench.port_says(&[b'x'; 1024]);
    assert!(!bench.engine.wants_port_data());
    bench.deactivate();
    assert!(bench.engine.wants_port_data(), "nobody is there: read and drop");
}

#[test]
fn with_a_history_the_port_is_always_read_and_losses_are_reported() {
    let mut bench = Bench::new(WITH_HISTORY);
    let text: Vec<u8> = (0..70_000u32).map(|i| (i / 5) as u8).collect();
    for piece in text.chunks(1000) {
        assert!(bench.engine.wants_port_data());
        assert_eq!(bench.port_says(piece), piece, "the history gets everything");
    }
    let mut seen = Vec::new();
    let mut overruns = 0;
    loop {
        let sent = bench.sent();
        if sent.is_empty() {
            break;
        }
        for packet in sent {
            overruns += usize::from(packet[3] == 0x08);
            seen.extend_from_slice(&packet[4..]);
            bench.acknowledges(packet[0], (packet.len() - 4) as u8);
        }
    }
    assert_eq!(seen, text[..65_536]);
    assert_eq!(overruns, 1);
}

#[test]
fn without_a_session_the_history_gets_the_bytes_all_the_same() {
    let mut bench = Bench::idle(WITH_HISTORY);
    assert_eq!(bench.port_says(b"boot"), b"boot");
    bench.activate(SESSION);
    assert!(bench.sent().is_empty());
}

#[test]
fn flushes() {
    let mut bench = Bench::new(PLAIN);
    bench.port_says(b"long output");
    bench.port_says(b" and more");
    bench.sent();
    // Flush outbound.
    bench.console(&hex!("00 00 00 01"));
    bench.wait_s(10);
    assert!(bench.sent().is_empty());
    bench.port_says(b"new");
    assert_eq!(bench.sent(), [packet([2, 0, 0, 0], b"new")]);

    // Flush inbound: what is under way cannot be called back.
    let mut bench = held();
    assert!(bench.types(5, b"c").is_empty());
    bench.console(&hex!("00 00 00 02"));
    assert_eq!(bench.sent(), [hex!("00 04 ff 00")], "it was full: go on");
    bench.types(6, b"d");
    for round in 7..=21u8 {
        bench.types(round % 15 + 1, &[round; 255]);
    }
    bench.port = PortBehaviour::Eager;
    bench.port_takes(255);
    assert_eq!(bench.sent().last(), Some(&vec![0, 7, 255, 0]));
    assert!(bench.written.starts_with(&[&[b'0'; 255][..], b"d", &[7; 255], &[8; 255]].concat()));
    assert!(!bench.written.contains(&b'c'));
}

#[test]
fn a_repeated_packet_does_not_repeat_its_operations() {
    let mut bench = Bench::new(TTY);
    bench.lines.clear();
    bench.console(&hex!("01 00 00 10 61"));
    bench.console(&hex!("01 00 00 10 61"));
    assert_eq!(bench.lines, [Line::Break]);
    // Without a number each one counts, also before any data came.
    bench.activate(SESSION);
    bench.console(&hex!("00 00 00 10"));
    bench.console(&hex!("00 00 00 10"));
    assert_eq!(bench.lines, [Line::Break; 3]);
}

#[test]
fn a_break_is_real_on_a_tty_a_command_in_telnet_and_nothing_on_tcp() {
    for (settings, lines, written) in
        [(TTY, &[Line::Break][..], &b""[..]), (TELNET, &[], &[0xff, 0xf3]), (PLAIN, &[], b"")]
    {
        let mut bench = Bench::new(settings);
        bench.lines.clear();
        bench.written.clear();
        bench.console(&hex!("00 00 00 10"));
        assert_eq!(bench.lines, lines, "{settings:?}");
        assert_eq!(bench.written, written, "{settings:?}");
        assert!(bench.sent().is_empty());
    }
}

#[test]
fn modem_lines_follow_the_console() {
    let mut bench = Bench::idle(TTY);
    assert_eq!(bench.lines, [Line::Modem { rts: true, dtr: true }], "set when the port is open");
    bench.lines.clear();
    bench.activate(SESSION);
    assert!(bench.lines.is_empty(), "they are raised already");
    // What ipmitool and freeipmi always ask for.
    bench.activate_with(SESSION, 0xc6);
    assert!(bench.lines.is_empty());
    bench.console(&hex!("00 00 00 08"));
    bench.console(&hex!("00 00 00 0c"));
    bench.console(&hex!("00 00 00 0c"));
    bench.console(&hex!("00 00 00 00"));
    bench.deactivate();
    bench.activate_with(SESSION, 0x01);
    bench.console(&hex!("00 00 00 00"));
    assert_eq!(
        bench.lines,
        [
            Line::Modem { rts: false, dtr: true },
            Line::Modem { rts: false, dtr: false },
            Line::Modem { rts: true, dtr: true },
            Line::Modem { rts: false, dtr: false },
            Line::Modem { rts: true, dtr: true },
        ]
    );
    // A port that comes back is set as it should be.
    bench.deactivate();
    bench.lines.clear();
    bench.close_port();
    bench.open_port();
    assert_eq!(bench.lines, [Line::Modem { rts: false, dtr: false }]);
}

#[test]
fn with_a_history_modem_lines_stay_raised() {
    let mut bench = Bench::new(Settings { tty: true, history: true, telnet: false });
    bench.console(&hex!("00 00 00 0c"));
    bench.deactivate();
    assert_eq!(bench.lines, [Line::Modem { rts: true, dtr: true }]);
}

#[test]
fn telnet_greets_hides_and_doubles() {
    let mut bench = Bench::new(TELNET);
    assert_eq!(bench.written, hex!("ff fd 00 ff fb 00 ff fe 01 ff fc 01"));
    bench.written.clear();
    assert_eq!(bench.port_says(&hex!("63 ff fb 01 64 ff fd 03 65 ff f9 66 ff fa 18 00 66 6f 6f ff f0 67")), b"cdefg");
    assert_eq!(bench.sent(), [packet([1, 0, 0, 0], b"cdefg")]);
    bench.acknowledges(1, 5);
    // Nothing but negotiation makes no packet.
    assert!(bench.port_says(&hex!("ff fb 01")).is_empty());
    assert!(bench.sent().is_empty());
    bench.written.clear();
    assert_eq!(bench.types(1, &hex!("61 ff 62")), [hex!("00 01 03 00")]);
    assert_eq!(bench.written, hex!("61 ff ff 62"));
}

/// The original reports neither.
#[test]
fn breaks_and_a_dropped_line_are_reported() {
    let mut bench = Bench::new(TTY);
    bench.line(LineEvent::Break);
    assert_eq!(bench.sent(), [hex!("00 00 00 04")], "in a packet of its own");
    // A flood of breaks is no flood of packets; the next packet tells of them once more.
    for _ in 0..100 {
        bench.line(LineEvent::Break);
    }
    assert!(bench.sent().is_empty());
    bench.port_says(b"x");
    bench.acknowledges(1, 1);
    bench.port_says(b"y");
    assert_eq!(bench.sent(), [packet([1, 0, 0, 4], b"x"), packet([2, 0, 0, 0], b"y")]);
    bench.acknowledges(2, 1);
    bench.wait_ms(100);
    bench.line(LineEvent::Break);
    assert_eq!(bench.sent(), [hex!("00 00 00 04")]);

    bench.line(LineEvent::NotReady);
    bench.line(LineEvent::NotReady);
    assert_eq!(bench.sent(), [hex!("00 00 00 20")]);
    assert_eq!(bench.types(1, b"k"), [hex!("00 01 01 20")], "the line may hold it: it is passed on");
    bench.line(LineEvent::Ready);
    assert_eq!(bench.sent(), [hex!("00 00 00 00")]);
    // Nobody is told when nobody is there, and a new session does not hear of old breaks.
    bench.deactivate();
    bench.line(LineEvent::Break);
    bench.line(LineEvent::NotReady);
    assert!(bench.sent().is_empty());
    bench.activate(SESSION);
    assert_eq!(bench.types(1, b"k"), [hex!("00 01 01 20")]);
    // A port that was opened anew is there until it says otherwise.
    bench.close_port();
    bench.open_port();
    assert_eq!(bench.sent().last(), Some(&hex!("00 00 00 00").to_vec()));
}

#[test]
fn a_console_server_behind_telnet_is_controlled() {
    let mut bench = Bench::new(TELNET);
    bench.console(&hex!("00 00 00 08"));
    bench.console(&hex!("00 00 00 00"));
    bench.written.clear();
    bench.port_says(&hex!("ff fd 2c"));
    assert_eq!(bench.written, hex!("ff fb 2c ff fa 2c 0a 10 ff f0 ff fa 2c 0b aa ff f0"));
    bench.written.clear();
    bench.console(&hex!("00 00 00 0c"));
    assert_eq!(bench.written, hex!("ff fa 2c 05 0c ff f0 ff fa 2c 05 09 ff f0"));
    bench.sent();
    bench.port_says(&hex!("ff fa 2c 6a 10 ff f0"));
    assert_eq!(bench.sent(), [hex!("00 00 00 04")]);
    bench.port_says(&hex!("ff fa 2c 6b 0a ff f0"));
    assert_eq!(bench.sent(), [hex!("00 00 00 20")]);
    bench.written.clear();
    bench.set_bit_rate(9600);
    assert_eq!(bench.written, hex!("ff fa 2c 01 00 00 25 80 ff f0"));
    // Another connection is another console server.
    bench.close_port();
    bench.open_port();
    bench.written.clear();
    bench.set_bit_rate(9600);
    assert!(bench.written.is_empty());
}

#[test]
fn telnet_state_starts_anew_with_each_connection() {
    let mut bench = Bench::new(TELNET);
    bench.port_says(&hex!("ff fa 18"));
    bench.close_port();
    bench.open_port();
    assert_eq!(bench.port_says(b"login:"), b"login:");
}

#[test]
fn telnet_takes_packets_whole() {
    let mut bench = Bench::new(TELNET);
    bench.written.clear();
    bench.port = PortBehaviour::Stuck;
    for number in 1..=7 {
        assert_eq!(bench.types(number, &[0xff; 255]), [[0, number, 255, 0]]);
    }
    assert_eq!(bench.types(8, &[0xff; 254]), [[0, 8, 254, 0]]);
    assert_eq!(bench.types(9, &[0xff; 255]), [[0, 9, 255, 0x40]]);
    // A break gets through all the same.
    bench.console(&hex!("00 00 00 10"));
    assert!(bench.types(10, &[0xff; 55]).is_empty());
    bench.port = PortBehaviour::Eager;
    bench.port_takes(510);
    assert_eq!(bench.sent(), [[0, 10, 55, 0]]);
    let escaped = 2 * (8 * 255 + 254);
    assert_eq!(bench.written, [vec![0xff; escaped], vec![0xff, 0xf3], vec![0xff; 110]].concat());
}

#[test]
fn endless_breaks_do_not_fill_the_memory() {
    let mut bench = Bench::new(TELNET);
    bench.port = PortBehaviour::Stuck;
    bench.types(1, b"x");
    bench.written.clear();
    for _ in 0..10_000 {
        bench.console(&hex!("00 00 00 10"));
    }
    bench.port_takes(1);
    assert!(bench.written.len() < 10_000);
}
