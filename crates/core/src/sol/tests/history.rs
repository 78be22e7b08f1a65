//! Instance 2, the copy of the history: `sol.md` sections 9, 10 and 14.

use super::bench::*;
use hex_literal::hex;

const SHORT: &[u8] = b"boot messages\r\n\r\n<End Of History>\r\n";

fn long() -> Vec<u8> {
    (0..200u32).map(|i| i as u8).collect()
}

#[test]
fn a_short_history_is_one_packet() {
    let mut bench = Bench::idle(WITH_HISTORY);
    bench.activate_history(SESSION, SHORT);
    assert_eq!(bench.sent(), [packet([1, 0, 0, 0x40], SHORT)]);
    bench.console(&hex!("00 01 23 00"));
    bench.wait_s(60);
    assert!(bench.sent().is_empty());
    assert_eq!(bench.engine.deadline(), None);
}

#[test]
fn a_long_one_is_sent_in_packets_of_64() {
    let mut bench = Bench::idle(WITH_HISTORY);
    let history = long();
    bench.activate_history(SESSION, &history);
    for (number, piece) in history.chunks(64).enumerate() {
        let number = number as u8 + 1;
        assert_eq!(bench.sent(), [packet([number, 0, 0, 0x40], piece)]);
        // Readers count carelessly: the whole packet is taken.
        bench.console(&[0, number, 0, 0]);
    }
    assert!(bench.sent().is_empty());
}

#[test]
fn every_packet_is_sent_six_times_also_after_an_acknowledgement() {
    let mut bench = Bench::idle(WITH_HISTORY);
    let history = long();
    bench.activate_history(SESSION, &history);
    bench.sent();
    bench.console(&hex!("00 01 40 00"));
    bench.wait_ms(5_999);
    assert_eq!(bench.sent(), vec![packet([2, 0, 0, 0x40], &history[64..128]); 6]);
    bench.wait_ms(1);
    assert_eq!(bench.sent(), [packet([3, 0, 0, 0x40], &history[128..192])]);
    bench.wait_s(60);
    bench.sent();
    assert_eq!(bench.engine.deadline(), None);
}

#[test]
fn nack_does_not_stall_it() {
    let mut bench = Bench::idle(WITH_HISTORY);
    bench.activate_history(SESSION, SHORT);
    bench.sent();
    bench.console(&hex!("00 01 00 40"));
    bench.wait_s(5);
    assert!(bench.sent().is_empty());
    bench.console(&hex!("00 01 00 00"));
    assert_eq!(bench.sent(), [packet([2, 0, 0, 0x40], SHORT)]);
}

#[test]
fn input_is_acknowledged_and_thrown_away() {
    let mut bench = Bench::idle(WITH_HISTORY);
    bench.activate_history(SESSION, SHORT);
    bench.sent();
    assert_eq!(bench.types(1, b"abc"), [hex!("00 01 03 40")]);
    assert_eq!(bench.types(1, b"abc"), [hex!("00 01 03 40")]);
    assert!(bench.types(0, b"abc").is_empty());
    assert!(bench.written.is_empty());
}

#[test]
fn leaving_with_a_packet_outstanding_is_harmless() {
    let mut bench = Bench::idle(WITH_HISTORY);
    bench.activate_history(SESSION, &long());
    bench.sent();
    bench.engine.deactivate_history();
    bench.wait_s(60);
    assert!(bench.sent().is_empty());
    bench.activate_history(SESSION, SHORT);
    assert_eq!(bench.sent(), [packet([1, 0, 0, 0x40], SHORT)]);
}

#[test]
fn two_sessions_hold_one_instance_each() {
    let mut bench = Bench::idle(WITH_HISTORY);
    bench.activate(SESSION);
    bench.activate_history(OTHER, SHORT);
    bench.port_says(b"live");
    let packets = std::mem::take(&mut bench.packets);
    assert_eq!(packets, [(OTHER, packet([1, 0, 0, 0x40], SHORT)), (SESSION, packet([1, 0, 0, 0], b"live"))]);
    bench.console_of(OTHER, &hex!("00 01 23 00"));
    bench.console_of(OTHER, &hex!("01 00 00 00 78"));
    assert_eq!(std::mem::take(&mut bench.packets), [(OTHER, hex!("00 01 01 40").to_vec())]);
    assert!(bench.written.is_empty());
    bench.wait_s(1);
    assert_eq!(bench.sent(), [packet([1, 0, 0, 0], b"live")]);
}

#[test]
fn one_session_with_both_gets_everything_under_distinct_numbers() {
    let mut bench = Bench::idle(WITH_HISTORY);
    bench.activate(SESSION);
    bench.port_says(b"live 1");
    bench.activate_history(SESSION, &long());
    bench.port_says(b"live 2");
    let (mut live, mut history, mut numbers) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..10 {
        let sent = bench.sent();
        assert!(sent.len() <= 1, "one outstanding");
        for packet in sent {
            numbers.push(packet[0]);
            let target = if packet[3] == 0x40 { &mut history } else { &mut live };
            target.extend_from_slice(&packet[4..]);
            bench.acknowledges(packet[0], (packet.len() - 4) as u8);
        }
    }
    assert_eq!(history, long());
    assert_eq!(live, b"live 1live 2");
    assert_eq!(numbers, [1, 2, 3, 4, 5, 6]);
}

#[test]
fn leaving_one_of_both_lets_the_other_go_on() {
    let mut bench = Bench::idle(WITH_HISTORY);
    bench.activate_history(SESSION, &long());
    bench.activate(SESSION);
    bench.port_says(b"live");
    bench.sent();
    bench.engine.deactivate_history();
    bench.wait_ms(0);
    assert_eq!(bench.sent(), [packet([2, 0, 0, 0], b"live")]);
    bench.activate_history(SESSION, SHORT);
    assert!(bench.sent().is_empty());
    bench.deactivate();
    bench.wait_ms(0);
    assert_eq!(bench.sent(), [packet([1, 0, 0, 0x40], SHORT)]);
}
