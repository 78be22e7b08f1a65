//! Sequence numbers and acknowledgements both ways: `sol.md` sections 5, 6 and 14.

use super::bench::*;
use hex_literal::hex;

#[test]
fn port_data_go_out_one_packet_at_a_time_and_partial_acknowledgements_count() {
    let mut bench = Bench::new(PLAIN);
    bench.port_says(b"A");
    assert_eq!(bench.sent(), [hex!("01 00 00 00 41")]);
    bench.acknowledges(1, 1);
    bench.port_says(b"B");
    assert_eq!(bench.sent(), [hex!("02 00 00 00 42")]);
    bench.port_says(b"CDE");
    assert!(bench.sent().is_empty());
    bench.acknowledges(2, 1);
    assert_eq!(bench.sent(), [hex!("03 00 00 00 43 44 45")]);
    bench.acknowledges(3, 2);
    assert_eq!(bench.sent(), [hex!("04 00 00 00 45")]);
    bench.acknowledges(4, 1);
    assert!(bench.sent().is_empty());
    assert_eq!(bench.engine.deadline(), None);
}

#[test]
fn console_data_are_acknowledged_and_written() {
    let mut bench = Bench::new(PLAIN);
    assert_eq!(bench.types(1, b"hello"), [hex!("00 01 05 00")]);
    assert_eq!(bench.written, b"hello");
    // The same number again is the same packet, whatever it holds.
    assert_eq!(bench.types(1, b"other"), [hex!("00 01 05 00")]);
    assert_eq!(bench.written, b"hello");
    // Numbers may jump.
    assert_eq!(bench.types(9, b"nine"), [hex!("00 09 04 00")]);
    assert_eq!(bench.types(3, b""), [hex!("00 03 00 00")]);
    // Data without a number are not taken.
    assert!(bench.types(0, b"zero").is_empty());
    assert_eq!(bench.written, b"hellonine");
}

#[test]
fn a_full_packet_is_taken_in_one_piece() {
    let mut bench = Bench::new(PLAIN);
    let data = [b'x'; 255];
    assert_eq!(bench.types(8, &data), [hex!("00 08 ff 00")]);
    assert_eq!(bench.written, data);
    // No more than an acknowledgement can count.
    let longer = [b'y'; 300];
    assert_eq!(bench.types(9, &longer), [hex!("00 09 ff 00")]);
    assert_eq!(bench.written.len(), 510);
}

#[test]
fn the_acknowledgement_rides_on_a_data_packet() {
    let mut bench = Bench::new(PLAIN);
    bench.port_says(b"one");
    bench.port_says(b"two");
    bench.sent();
    // Acknowledges and types at once: the next data and the response come in one packet.
    bench.console(&hex!("05 01 03 00 68 69"));
    assert_eq!(bench.sent(), [packet([2, 5, 2, 0], b"two")]);
    // Later data do not say it again.
    bench.acknowledges(2, 3);
    bench.port_says(b"x");
    assert_eq!(bench.sent(), [hex!("03 00 00 00 78")]);
}

#[test]
fn numbers_go_from_1_to_15_and_round() {
    let mut bench = Bench::new(PLAIN);
    for number in (1..=15).chain(1..=3) {
        bench.port_says(b"x");
        assert_eq!(bench.sent(), [packet([number, 0, 0, 0], b"x")]);
        bench.acknowledges(number, 1);
    }
}

#[test]
fn acknowledgements_of_other_numbers_are_ignored() {
    let mut bench = Bench::new(PLAIN);
    bench.acknowledges(1, 1);
    bench.port_says(b"abc");
    bench.port_says(b"def");
    bench.sent();
    for number in [0, 2, 15] {
        bench.acknowledges(number, 3);
        assert!(bench.sent().is_empty());
    }
    // More than was sent is all that was sent.
    bench.acknowledges(1, 200);
    assert_eq!(bench.sent(), [packet([2, 0, 0, 0], b"def")]);
}

#[test]
fn a_packet_holds_255_bytes() {
    let mut bench = Bench::new(PLAIN);
    let text: Vec<u8> = (0..600u32).map(|i| i as u8).collect();
    bench.port_says(&text);
    assert_eq!(bench.sent(), [packet([1, 0, 0, 0], &text[..255])]);
    bench.acknowledges(1, 255);
    assert_eq!(bench.sent(), [packet([2, 0, 0, 0], &text[255..510])]);
    bench.acknowledges(2, 255);
    assert_eq!(bench.sent(), [packet([3, 0, 0, 0], &text[510..])]);
}

#[test]
fn every_session_starts_clean() {
    let mut bench = Bench::new(PLAIN);
    assert_eq!(bench.types(1, b"k"), [hex!("00 01 01 00")]);
    bench.port_says(b"left over");
    bench.port_says(b" and more");
    bench.sent();
    bench.deactivate();
    bench.wait_s(10);
    assert!(bench.sent().is_empty());
    bench.activate(SESSION);
    bench.wait_s(10);
    assert!(bench.sent().is_empty(), "no numbered empty packets, nothing of the session before");
    // The first keystroke has the number the session before used last, and is taken.
    assert_eq!(bench.types(1, b"k"), [hex!("00 01 01 00")]);
    assert_eq!(bench.written, b"kk");
    bench.port_says(b"new");
    assert_eq!(bench.sent(), [packet([1, 0, 0, 0], b"new")]);
}

#[test]
fn only_the_holder_is_listened_to() {
    let mut bench = Bench::new(PLAIN);
    bench.port_says(b"abc");
    bench.sent();
    bench.console_of(OTHER, &hex!("01 01 03 00 78"));
    assert!(bench.packets.is_empty() && bench.written.is_empty());
    bench.wait_s(1);
    assert_eq!(bench.sent().len(), 1, "still not acknowledged");
    bench.deactivate();
    bench.console(&hex!("02 00 00 00 78"));
    assert!(bench.packets.is_empty() && bench.written.is_empty());
}

#[test]
fn garbage_is_ignored() {
    let mut bench = Bench::new(PLAIN);
    for payload in [&[][..], &[1], &[1, 0, 0]] {
        bench.console(payload);
        assert!(bench.packets.is_empty());
    }
    let mut state = 1u32;
    for _ in 0..20_000 {
        let mut payload = Vec::new();
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        for _ in 0..state >> 26 {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            payload.push((state >> 24) as u8);
        }
        bench.console(&payload);
        bench.port_says(&payload);
        if state & 0x1000 == 0 {
            bench.wait_ms(u64::from(state >> 20));
        }
        assert!(bench.packets.iter().all(|(_, packet)| packet.len() >= 4 && packet.len() <= 259));
        assert!(bench.packets.iter().all(|(_, packet)| packet[0] == 0 || packet.len() > 4), "no empty numbered packet");
        bench.packets.clear();
    }
}

#[test]
fn an_acknowledged_packet_that_comes_late_once_more_is_not_typed_again() {
    let mut bench = Bench::new(PLAIN);
    bench.types(1, b"a");
    bench.types(2, b"b");
    assert_eq!(bench.types(1, b"a"), [hex!("00 01 01 00")]);
    assert_eq!(bench.written, b"ab");
    assert_eq!(bench.types(3, b"c"), [hex!("00 03 01 00")]);
}

#[test]
fn the_holder_can_be_told_that_it_loses_the_port() {
    let mut bench = Bench::new(PLAIN);
    assert_eq!(bench.engine.session(), Some(SESSION));
    bench.announce_deactivation();
    bench.deactivate();
    assert_eq!(bench.sent(), [hex!("00 00 00 10")]);
    assert_eq!(bench.engine.session(), None);
    bench.announce_deactivation();
    assert!(bench.sent().is_empty());
}
