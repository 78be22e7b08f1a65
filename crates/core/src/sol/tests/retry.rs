//! What happens when the console does not answer, or says no: `sol.md` section 6.

use std::time::Duration;

use super::bench::*;
use crate::sol::Timing;
use hex_literal::hex;

#[test]
fn six_sends_one_second_apart_then_the_packet_is_dropped() {
    let mut bench = Bench::new(PLAIN);
    for _ in 0..4 {
        bench.port_says(b"x");
        let number = bench.sent()[0][0];
        bench.acknowledges(number, 1);
    }
    bench.port_says(b"retry");
    let expected = packet([5, 0, 0, 0], b"retry");
    assert_eq!(bench.sent(), std::slice::from_ref(&expected));
    for _ in 0..5 {
        bench.wait_ms(999);
        assert!(bench.sent().is_empty());
        bench.wait_ms(1);
        assert_eq!(bench.sent(), std::slice::from_ref(&expected));
    }
    bench.wait_s(60);
    assert!(bench.sent().is_empty());
    assert_eq!(bench.engine.deadline(), None);
    bench.port_says(b"next");
    assert_eq!(bench.sent(), [packet([6, 0, 0, 0], b"next")]);
}

#[test]
fn giving_up_drops_one_packet_and_no_more() {
    let mut bench = Bench::new(PLAIN);
    bench.port_says(&[b'a'; 255]);
    bench.port_says(b"kept");
    bench.sent();
    bench.wait_ms(5_999);
    bench.sent();
    bench.wait_ms(1);
    assert_eq!(bench.sent(), [packet([2, 0, 0, 0], b"kept")]);
}

#[test]
fn what_is_sent_again_is_what_was_sent_first() {
    let mut bench = Bench::new(PLAIN);
    bench.port_says(b"one");
    bench.wait_ms(500);
    bench.port_says(b"two");
    bench.wait_ms(500);
    bench.port_says(b"three");
    assert_eq!(bench.sent(), [packet([1, 0, 0, 0], b"one"), packet([1, 0, 0, 0], b"one")]);
    bench.acknowledges(1, 3);
    assert_eq!(bench.sent(), [packet([2, 0, 0, 0], b"twothree")]);
}

#[test]
fn every_packet_has_its_own_six_sends() {
    let mut bench = Bench::new(PLAIN);
    for round in 0..20u8 {
        bench.port_says(&[round]);
        bench.wait_ms(3_500);
        let sent = bench.sent();
        assert_eq!(sent, vec![packet([round % 15 + 1, 0, 0, 0], &[round]); 4]);
        bench.acknowledges(round % 15 + 1, 1);
    }
}

#[test]
fn a_packet_that_is_sent_again_repeats_the_acknowledgement() {
    let mut bench = Bench::new(PLAIN);
    bench.port_says(b"one");
    bench.port_says(b"two");
    bench.sent();
    bench.console(&hex!("05 01 03 00 68 69"));
    assert_eq!(bench.sent(), [packet([2, 5, 2, 0], b"two")]);
    bench.wait_s(1);
    assert_eq!(bench.sent(), [packet([2, 5, 2, 0], b"two")]);
}

#[test]
fn nack_pauses_and_keeps_what_was_not_accepted() {
    let mut bench = Bench::new(PLAIN);
    bench.port_says(b"abcdef");
    bench.sent();
    bench.console(&hex!("00 01 02 40"));
    bench.port_says(b"ghi");
    bench.wait_s(5);
    assert!(bench.sent().is_empty());
    bench.console(&hex!("00 01 02 00"));
    assert_eq!(bench.sent(), [packet([2, 0, 0, 0], b"cdefghi")]);
}

#[test]
fn typing_ends_a_pause_too() {
    let mut bench = Bench::new(PLAIN);
    bench.port_says(b"abc");
    bench.sent();
    bench.console(&hex!("00 01 00 40"));
    assert_eq!(bench.types(1, b"x"), [packet([2, 1, 1, 0], b"abc")]);
}

#[test]
fn nack_of_the_packet_acknowledged_last_pauses_too() {
    let mut bench = Bench::new(PLAIN);
    bench.port_says(b"a");
    bench.acknowledges(1, 1);
    bench.console(&hex!("00 01 01 40"));
    bench.sent();
    bench.port_says(b"b");
    assert!(bench.sent().is_empty());
    bench.acknowledges(1, 1);
    assert_eq!(bench.sent(), [hex!("02 00 00 00 62")]);
    // A NACK of anything else says nothing.
    bench.console(&hex!("00 07 00 40"));
    bench.acknowledges(2, 1);
    bench.console(&hex!("00 07 00 40"));
    bench.port_says(b"c");
    assert_eq!(bench.sent(), [hex!("03 00 00 00 63")]);
}

#[test]
fn a_console_that_never_says_go_on_is_asked_again() {
    let mut bench = Bench::new(PLAIN);
    bench.port_says(b"abc");
    bench.sent();
    bench.console(&hex!("00 01 00 40"));
    bench.wait_ms(9_999);
    assert!(bench.sent().is_empty());
    bench.wait_ms(1);
    assert_eq!(bench.sent(), [packet([2, 0, 0, 0], b"abc")]);
}

#[test]
fn a_pause_does_not_outlive_its_session() {
    let mut bench = Bench::new(PLAIN);
    bench.port_says(b"abc");
    bench.console(&hex!("00 01 00 40"));
    bench.deactivate();
    bench.activate(SESSION);
    bench.sent();
    bench.port_says(b"d");
    assert_eq!(bench.sent(), [hex!("01 00 00 00 64")]);
}

#[test]
fn nothing_accepted_without_nack_is_sent_again_a_second_later() {
    let mut bench = Bench::new(PLAIN);
    bench.port_says(b"abc");
    bench.sent();
    bench.acknowledges(1, 0);
    assert!(bench.sent().is_empty());
    bench.wait_ms(1_000);
    assert_eq!(bench.sent(), [packet([2, 0, 0, 0], b"abc")]);
}

#[test]
fn characters_can_be_accumulated() {
    let mut bench = Bench::new(PLAIN);
    bench.set_timing(Timing { accumulate: Duration::from_millis(60), threshold: 10, ..Timing::default() });
    bench.port_says(b"abc");
    bench.wait_ms(30);
    bench.port_says(b"def");
    bench.wait_ms(29);
    assert!(bench.sent().is_empty());
    bench.wait_ms(1);
    assert_eq!(bench.sent(), [packet([1, 0, 0, 0], b"abcdef")]);
    bench.acknowledges(1, 6);
    bench.port_says(b"0123456789");
    assert_eq!(bench.sent(), [packet([2, 0, 0, 0], b"0123456789")], "the threshold is reached");
    bench.port_says(b"rest");
    bench.acknowledges(2, 10);
    assert!(bench.sent().is_empty());
    bench.wait_ms(60);
    assert_eq!(bench.sent(), [packet([3, 0, 0, 0], b"rest")]);
}

#[test]
fn retries_and_interval_can_be_set() {
    let mut bench = Bench::new(PLAIN);
    bench.set_timing(Timing { retries: 2, retry_interval: Duration::from_millis(100), ..Timing::default() });
    bench.port_says(b"a");
    bench.wait_ms(10_000);
    assert_eq!(bench.sent(), vec![packet([1, 0, 0, 0], b"a"); 3]);
    bench.set_timing(Timing { retries: 0, ..Timing::default() });
    bench.port_says(b"b");
    bench.wait_ms(10_000);
    assert_eq!(bench.sent(), [packet([2, 0, 0, 0], b"b")]);
}
