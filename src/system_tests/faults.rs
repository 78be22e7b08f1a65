//! Faults on purpose, in virtual time: what each does, to whom, and that nothing is left of it.

use super::*;
use crate::bmc::watch::Event;
use crate::wire::session20::PayloadType;

/// A logged-in client and a system without saves under way.
fn ready() -> (Rig, Client) {
    let mut rig = Rig::new(CONF, EMU);
    let client = administrator(&mut rig);
    rig.save();
    rig.tally = Some(Box::default());
    (rig, client)
}

impl Rig {
    fn fault(&mut self, text: &str) {
        self.command(&format!("fault {text}"));
        assert_eq!(self.faults, Vec::<String>::new(), "{text}");
    }

    /// How often faults have struck, by kind.
    fn struck(&self) -> Vec<(&'static str, u64)> {
        self.tally.as_ref().unwrap().faults_struck().filter(|(_, count)| *count > 0).collect()
    }

    /// Lets time run until something is sent, at most this long: when, and what.
    fn sent_within(&mut self, most: u64) -> Option<(Duration, Vec<Vec<u8>>)> {
        let (begun, end) = (self.now, self.now + Duration::from_millis(most));
        while let Some(due) = self.sim.deadline().filter(|due| *due <= end) {
            self.now = due.max(self.now);
            self.call(|sim, now, out| sim.handle(now, Input::Timeout, out));
            if !self.sent.is_empty() {
                let sent = self.sent.iter().map(|(_, bytes)| bytes.clone()).collect();
                return Some((self.now.since(begun), sent));
            }
        }
        self.now = end;
        None
    }

    fn printed(&mut self, line: &str) -> String {
        self.effects.clear();
        self.command(line);
        let text = |effect: &Effect| match effect {
            Effect::Print { text, .. } => Some(text.clone()),
            _ => None,
        };
        self.effects.iter().filter_map(text).collect()
    }
}

const OK: u8 = 0;

/// Get Device ID.
fn device_id(client: &mut Client) -> Vec<u8> {
    client.request(6, 1, &[])
}

fn milliseconds(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

#[test]
fn a_lost_request_is_not_seen_and_a_lost_response_is_sent_again() {
    let (mut rig, mut client) = ready();
    rig.fault("lose in count 1");
    let request = device_id(&mut client);
    assert!(rig.send(&request).is_empty());
    assert_eq!(rig.sim.fault_count(), 0, "it has struck once");
    assert_eq!(rig.send(&request).len(), 1, "the same datagram is none that came before");
    rig.fault("lose out count 1");
    let on = client.request(0, 2, &[1]);
    assert!(rig.send(&on).is_empty());
    let again = client.again(0, 2, &[1]);
    rig.send(&again);
    assert_eq!(rig.sent_messages(&mut client).len(), 1);
    let asked: Vec<_> = rig.tally.as_ref().unwrap().requests.iter().filter(|(of, _)| of.cmd == 2).collect();
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].1, 1, "executed once");
    assert_eq!(rig.struck(), [("lose", 2)]);
}

#[test]
fn a_delay_is_kept_to_the_millisecond_each_way() {
    for (fault, expected) in [("delay 200 in", 200), ("delay 300 out", 300), ("delay 100", 200)] {
        let (mut rig, mut client) = ready();
        rig.fault(fault);
        let request = device_id(&mut client);
        assert!(rig.send(&request).is_empty(), "{fault}");
        // Both ways: once in, once out.
        let (waited, sent) = rig.sent_within(1000).expect(fault);
        assert_eq!((waited, sent.len()), (milliseconds(expected), 1), "{fault}");
        assert_eq!(Message::parse(&client.read(&sent[0]).2).unwrap().data[0], OK);
    }
}

#[test]
fn a_jitter_spreads_delays() {
    let (mut rig, mut client) = ready();
    rig.fault("delay 100 jitter 100 out");
    let mut delays: Vec<Duration> = (0..50)
        .map(|_| {
            let request = device_id(&mut client);
            assert!(rig.send(&request).is_empty());
            rig.sent_within(1000).unwrap().0
        })
        .collect();
    delays.sort();
    assert!(delays[0] >= milliseconds(100) && delays[49] <= milliseconds(200), "{delays:?}");
    assert!(delays[0] < milliseconds(120) && delays[49] > milliseconds(180), "{delays:?}");
}

#[test]
fn doubled_datagrams_are_executed_once() {
    let (mut rig, mut client) = ready();
    rig.fault("duplicate in");
    let request = client.request(0x0a, 0x44, &[0, 0, 0xc0, 1, 2, 3, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7]);
    rig.send(&request);
    rig.save();
    let records = rig.sim.overview().log_records;
    assert_eq!(records, 1);
    rig.fault("end all");
    rig.fault("duplicate out");
    let request = device_id(&mut client);
    let sent = rig.send(&request);
    assert_eq!(sent.len(), 2);
    assert_eq!(sent[0], sent[1]);
}

#[test]
fn a_datagram_is_overtaken_by_the_next_or_late() {
    let (mut rig, mut client) = ready();
    rig.fault("reorder 500 out count 1");
    let (first, second) = (device_id(&mut client), device_id(&mut client));
    assert!(rig.send(&first).is_empty());
    rig.send(&second);
    let seqs: Vec<u32> =
        rig.sent.iter().map(|(_, bytes)| u32::from_le_bytes(bytes[10..14].try_into().unwrap())).collect();
    assert_eq!(seqs.len(), 2);
    assert!(seqs[0] > seqs[1], "{seqs:?}");
    rig.fault("reorder 500 in count 1");
    let alone = device_id(&mut client);
    assert!(rig.send(&alone).is_empty());
    assert_eq!(rig.sent_within(1000).unwrap().0, milliseconds(500));
}

#[test]
fn changed_datagrams_are_dropped_like_any_others() {
    let (mut rig, mut client) = ready();
    for (fault, wrong) in [("corrupt in", 6), ("truncate in", 6)] {
        rig.fault(fault);
        for _ in 0..wrong {
            let request = device_id(&mut client);
            assert!(rig.send(&request).is_empty(), "{fault}");
        }
        rig.fault("end all");
        let request = device_id(&mut client);
        assert_eq!(rig.send(&request).len(), 1, "{fault} is over");
    }
    let request = device_id(&mut client);
    let whole = rig.send(&request)[0].len();
    rig.fault("truncate out");
    let request = device_id(&mut client);
    let cut = rig.send(&request)[0].len();
    assert!(cut >= 1 && cut < whole, "{cut} of {whole}");
    assert_eq!(rig.struck(), [("corrupt", 6), ("truncate", 7)]);
}

#[test]
fn the_code_of_a_session_is_wrong_and_nothing_else() {
    let (mut rig, mut client) = ready();
    rig.fault("wrong_code");
    let request = device_id(&mut client);
    let sent = rig.send(&request).remove(0);
    rig.fault("end all");
    // What has no code is as ever.
    assert!(Login20::suite(3).run(&mut rig).is_ok());
    let again = client.again(6, 1, &[]);
    let right = rig.send(&again).remove(0);
    assert_eq!(sent.len(), right.len());
    let broken = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| client.read(&sent)));
    assert!(broken.is_err(), "the client checks it");
    let mut old = Login15::default().run(&mut rig).unwrap();
    rig.fault("wrong_code");
    let request = old.request(6, 1, &[]);
    let sent = rig.send(&request).remove(0);
    let broken = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| old.read(&sent)));
    assert!(broken.is_err(), "IPMI 1.5, too");
}

#[test]
fn what_hangs_takes_everything_and_is_there_again_afterwards() {
    let (mut rig, mut client) = ready();
    rig.fault("hang for 10000");
    for _ in 0..3 {
        let request = device_id(&mut client);
        assert!(rig.send(&request).is_empty());
    }
    let request = device_id(&mut client);
    assert!(rig.send(&request).is_empty());
    rig.wait(10);
    assert_eq!(rig.sim.fault_count(), 0);
    assert_eq!(rig.send(&request).len(), 1, "sent again");
}

#[test]
fn a_command_hangs_while_others_do_not() {
    let (mut rig, mut client) = ready();
    rig.fault("hang command 0x00/0x02 count 1");
    let on = client.request(0, 2, &[1]);
    assert!(rig.send(&on).is_empty());
    assert_eq!(client.ask(&mut rig, 0, 1, &[])[..2], [0, 0], "it was not executed");
    assert_eq!(client.ask(&mut rig, 0, 2, &[1]), [OK]);
    // The same request once more, under a new session sequence number, is another.
    rig.fault("hang command 0x00/0x02 count 1");
    let off = client.request(0, 2, &[0]);
    assert!(rig.send(&off).is_empty());
    let again = client.again(0, 2, &[0]);
    rig.send(&again);
    assert_eq!(rig.sent_messages(&mut client).len(), 1);
    assert_eq!(client.ask(&mut rig, 0, 1, &[])[..2], [0, 0]);
}

#[test]
fn a_completion_code_comes_the_next_times_and_nothing_is_executed() {
    let (mut rig, mut client) = ready();
    rig.fault("code 0xc0 command 0x00/0x02 count 2");
    for _ in 0..2 {
        assert_eq!(client.ask(&mut rig, 6, 1, &[])[0], OK, "another command");
        assert_eq!(client.ask(&mut rig, 0, 2, &[1]), [0xc0]);
    }
    assert_eq!(client.ask(&mut rig, 0, 1, &[])[1] & 1, 0);
    assert_eq!(client.ask(&mut rig, 0, 2, &[1]), [OK]);
    assert_eq!(rig.struck(), [("code", 2)]);
    rig.fault("code 0xff command 0x0a");
    assert_eq!(client.ask(&mut rig, 0x0a, 0x40, &[]), [0xff]);
    assert_eq!(client.ask(&mut rig, 0x0a, 0x10, &[0]), [0xff]);
}

#[test]
fn a_slow_command_holds_up_no_other() {
    let (mut rig, mut client) = ready();
    rig.fault("slow 2000 command 0x06/0x01");
    let slow = device_id(&mut client);
    assert!(rig.send(&slow).is_empty());
    assert_eq!(client.ask(&mut rig, 0, 1, &[])[0], OK);
    let again = client.again(0, 1, &[]);
    assert_eq!(rig.send(&again).len(), 1);
    let (after, sent) = rig.sent_within(5000).unwrap();
    assert_eq!((after, sent.len()), (milliseconds(2000), 1));
    // A code comes late, too.
    rig.fault("code 0xc3 command 0x06/0x01");
    let failed = device_id(&mut client);
    assert!(rig.send(&failed).is_empty());
    let (after, sent) = rig.sent_within(5000).unwrap();
    assert_eq!((after, sent.len()), (milliseconds(2000), 1));
    assert_eq!(Message::parse(&client.read(&sent[0]).2).unwrap().data, [0xc3]);
}

#[test]
fn a_slow_response_is_sent_when_the_fault_is_over() {
    let (mut rig, mut client) = ready();
    rig.fault("slow 3000 for 1000");
    let slow = device_id(&mut client);
    assert!(rig.send(&slow).is_empty());
    rig.fault("end all");
    assert_eq!(rig.sent_within(5000).unwrap().0, milliseconds(3000));
    assert_eq!(client.ask(&mut rig, 6, 1, &[])[0], OK);
}

#[test]
fn power_is_acknowledged_and_stays() {
    let (mut rig, mut client) = ready();
    rig.fault("profile stuck-power");
    assert_eq!(client.ask(&mut rig, 0, 2, &[1]), [OK]);
    assert_eq!(client.ask(&mut rig, 0, 1, &[])[1] & 1, 0);
    rig.fault("end all");
    assert_eq!(client.ask(&mut rig, 0, 2, &[1]), [OK]);
    assert_eq!(client.ask(&mut rig, 0, 1, &[])[1] & 1, 1);
}

#[test]
fn a_session_is_dropped_and_another_can_be_opened() {
    let (mut rig, mut client) = ready();
    rig.fault("drop_session count 1");
    let request = device_id(&mut client);
    assert!(rig.send(&request).is_empty());
    assert_eq!(rig.sim.overview().sessions, 0);
    let request = device_id(&mut client);
    assert!(rig.send(&request).is_empty());
    let mut next = administrator(&mut rig);
    assert_eq!(next.ask(&mut rig, 6, 1, &[])[0], OK);
}

#[test]
fn a_fault_is_for_those_that_it_names() {
    let whole = |fault: &str| {
        let (mut rig, mut client) = ready();
        rig.fault(fault);
        let request = device_id(&mut client);
        !rig.send(&request).is_empty()
    };
    let (rig, _) = ready();
    let me = rig.sim.view(rig.now).sessions[0].client.ip();
    for (fault, answered) in [
        ("lose mc 0x30".to_owned(), true),
        ("lose mc 0x20".into(), false),
        ("lose channel 2".into(), true),
        ("lose channel 1".into(), false),
        (format!("lose from {me}"), false),
        (format!("lose from {me}/8"), false),
        ("lose from 203.0.113.0/24".into(), true),
        ("lose command 6/2".into(), true),
        ("lose command 6/1".into(), false),
        ("lose out command 6/1".into(), false),
        ("lose out command 0".into(), true),
        (format!("code 0xc0 from {me}/24 mc 0x30"), true),
    ] {
        assert_eq!(whole(&fault), answered, "{fault}");
    }
    let mut rig = Rig::new(CONF, EMU);
    rig.command("fault lose mc 0x44");
    assert_eq!(rig.faults, ["there is no MC 0x44"]);
}

#[test]
fn faults_are_listed_told_and_bounded() {
    let (mut rig, mut client) = ready();
    rig.sim.watch();
    assert_eq!(rig.printed("faults"), "No fault is in force\n");
    assert_eq!(rig.printed("fault lose out count 2 for 5000"), "Fault 1: lose out count 2 for 5000\n");
    rig.fault("code 0xc1 mc 0x30");
    let request = device_id(&mut client);
    assert!(rig.send(&request).is_empty());
    rig.wait(2);
    let listed = "1: lose out count 2 for 5000; struck 1 times, 3.0 s left\n2: code 0xc1 mc 0x30; struck 0 times\n";
    assert_eq!(rig.printed("faults"), listed);
    assert_eq!(rig.sim.overview().faults, 2);
    // A number alone is milliseconds, and what is left of a second as well.
    rig.now = rig.now + milliseconds(2500);
    assert!(rig.printed("faults").contains("struck 1 times, 500 ms left\n"));
    rig.now = Moment::new(rig.now.since_boot() - milliseconds(2500));
    rig.command("fault end 7");
    assert_eq!(rig.faults, ["there is no such fault; faults lists those in force"]);
    rig.faults.clear();
    rig.fault("end 2");
    rig.wait(4);
    assert_eq!(rig.sim.overview().faults, 0);
    rig.fault("end all");
    let told = rig.sim.take_events();
    let faults: Vec<(bool, u8, u32)> = told
        .iter()
        .filter_map(|event| match event {
            Event::FaultSet { mc, number, .. } => Some((true, mc.0, *number)),
            Event::FaultEnded { mc, number, .. } => Some((false, mc.0, *number)),
            _ => None,
        })
        .collect();
    assert_eq!(faults, [(true, 0x20, 1), (true, 0x30, 2), (false, 0x30, 2), (false, 0x20, 1)]);
    (0..64).for_each(|_| rig.fault("hang"));
    rig.command("fault hang");
    assert_eq!(rig.faults, ["64 faults are in force, and there is no room for more"]);
}

/// Losses are as independent draws have them, which is what the kernel's network emulation does by its documentation: how many of ten are
/// lost is distributed as the binomial says (Pearson's test), and one that is lost says nothing about the next.
#[test]
fn losses_are_distributed_as_independent_draws() {
    const ROUNDS: usize = 2000;
    const OF: usize = 10;
    // What 1 of 1,000 samples exceeds, with seven degrees of freedom.
    const LIMIT: f64 = 24.32;
    let ping = [6, 0, 0xff, 6, 0, 0, 0x11, 0xbe, 0x80, 1, 0, 0];
    for (way, percent) in [("in", 30), ("out", 30), ("in", 10), ("out", 55)] {
        let (mut rig, _) = ready();
        rig.command("seed 1");
        rig.fault(&format!("lose {way} chance {percent}"));
        let lost: Vec<bool> = (0..ROUNDS * OF).map(|_| rig.send(&ping).is_empty()).collect();
        let chance = f64::from(percent) / 100.0;
        let mut counts = [0.0; OF + 1];
        lost.chunks(OF).for_each(|round| counts[round.iter().filter(|lost| **lost).count()] += 1.0);
        let binomial = |count: usize| {
            let ways = (0..count).fold(1.0, |ways, one| ways * (OF - one) as f64 / (one + 1) as f64);
            ways * chance.powi(count as i32) * (1.0 - chance).powi((OF - count) as i32) * ROUNDS as f64
        };
        // Bins that are too small are one.
        let (mut statistic, mut rest, mut bins) = (0.0, (0.0, 0.0), 0);
        for (count, found) in counts.iter().enumerate() {
            let expected = binomial(count);
            if expected < 10.0 {
                rest = (rest.0 + found, rest.1 + expected);
            } else {
                statistic += (found - expected).powi(2) / expected;
                bins += 1;
            }
        }
        statistic += (rest.0 - rest.1).powi(2) / rest.1;
        assert!(
            statistic < LIMIT && (5..=8).contains(&bins),
            "{way} {percent}: {statistic} in {bins} bins: {counts:?}"
        );
        let pairs = lost.windows(2).filter(|pair| pair[0] && pair[1]).count() as f64;
        let (expected, all) = (chance * chance, (ROUNDS * OF - 1) as f64);
        // Pairs that overlap vary a little more than others.
        let deviation = (all * expected * (1.0 - expected) * (1.0 + 2.0 * chance)).sqrt();
        assert!((pairs - all * expected).abs() < 3.3 * deviation, "{way} {percent}: {pairs} of {}", all * expected);
    }
}

/// What a LAN channel answers by itself in clear is a command for what happens to datagrams.
#[test]
fn commands_without_a_session_are_struck_on_their_way() {
    // Get Channel Authentication Capabilities, IPMI 1.5 without a session.
    let ask = |rig: &mut Rig| {
        let message = [0x20, 0x18, 0xc8, 0x81, 0x04, 0x38, 0x0e, 0x04, 0x31];
        let header = [6, 0, 0xff, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, message.len() as u8];
        let sent = rig.send(&[&header[..], &message].concat());
        sent.len()
    };
    let struck = |fault: &str| {
        let (mut rig, mut client) = ready();
        rig.fault(fault);
        let answered = ask(&mut rig);
        let request = device_id(&mut client);
        assert_eq!(rig.send(&request).len(), 1, "{fault}: another command");
        answered
    };
    assert_eq!(struck("lose mc 0x30"), 1);
    for fault in ["lose", "lose in", "lose out", "hang", "delay 1000", "delay 1000 out"] {
        assert_eq!(struck(&format!("{fault} command 0x06/0x38")), 0, "{fault}");
    }
    assert_eq!(struck("duplicate out command 0x06/0x38"), 2);
    for fault in ["lose command 0x06/0x39", "code 0xc0 command 0x06/0x38", "lose command 0x04"] {
        assert_eq!(struck(fault), 1, "{fault}");
    }
}

/// A controller that is taken away and made anew is no way out of a fault.
#[test]
fn what_holds_all_the_time_holds_for_a_controller_that_is_made_anew() {
    let (mut rig, _) = ready();
    rig.fault("sel_full");
    rig.fault("clock -3600");
    let full = |rig: &mut Rig| {
        let printed = rig.printed("sel_add 0x30 2 1 2 3 4 0x20 0 4 1 1 1 0x57 1 2");
        (printed, std::mem::take(&mut rig.faults).len())
    };
    for line in ["mc_delete 0x30", "mc_add 0x30 0 no-device-sdrs 0 0 0 0x1f 0 0", "sel_enable 0x30 100 0"] {
        rig.command(line);
        assert_eq!(rig.faults, Vec::<String>::new(), "{line}");
    }
    assert_eq!(full(&mut rig).1, 1, "it has no room");
    let time = |rig: &Rig, mc| rig.sim.machine().controller(McAddress(mc)).unwrap().sel.time(rig.now);
    let wall = time(&rig, 0x20);
    assert!(time(&rig, 0x30).abs_diff(wall) < 2, "{} and {wall}", time(&rig, 0x30));
    rig.fault("end all");
    assert_eq!(full(&mut rig).1, 0);
    assert!(time(&rig, 0x30).abs_diff(time(&rig, 0x20)) < 2);
}

#[test]
fn where_nothing_is_wrong_nobody_waits_for_anything() {
    let (mut rig, _) = ready();
    let before = rig.sim.deadline();
    rig.fault("lose for 1000");
    assert_eq!(rig.sim.deadline(), Some(rig.now + milliseconds(1000)));
    rig.fault("end all");
    assert_eq!(rig.sim.deadline(), before);
}

#[test]
fn serial_over_lan_outlives_a_bad_network() {
    let mut rig = Rig::new(WITH_SOL, EMU);
    rig.call(|sim, now, out| sim.handle(now, Input::SolOpened(McAddress::BMC), out));
    let mut client = administrator(&mut rig);
    assert_eq!(client.ask(&mut rig, 6, 0x48, &[1, 1, 0, 0, 0, 0])[0], OK);
    rig.fault("lose out count 1");
    rig.call(|sim, now, out| sim.handle(now, Input::SolData(McAddress::BMC, b"login: ".into()), out));
    assert!(rig.sent.is_empty());
    let (_, sent) = rig.sent_within(2000).expect("sent again");
    let (_, payload_type, packet) = client.read(&sent[0]);
    assert_eq!((payload_type, &packet[4..]), (PayloadType::Sol, b"login: ".as_slice()));
}

/// What is sent in a minute of a client that sends each second, with its moments.
fn minute(seed: u64) -> Vec<(Moment, Vec<u8>)> {
    let (mut rig, mut client) = ready();
    rig.command(&format!("seed {seed}"));
    rig.fault("profile flaky-network");
    let mut all = Vec::new();
    for _ in 0..60 {
        let request = device_id(&mut client);
        all.extend(rig.send(&request).into_iter().map(|bytes| (rig.now, bytes)));
        let end = rig.now + milliseconds(1000);
        while let Some((_, sent)) = rig.sent_within(u64::try_from(end.since(rig.now).as_millis()).unwrap()) {
            all.extend(sent.into_iter().map(|bytes| (rig.now, bytes)));
        }
        rig.now = end;
    }
    all
}

#[test]
fn the_same_seed_has_the_same_packets() {
    let (one, again, other) = (minute(1), minute(1), minute(2));
    assert_eq!(one, again);
    assert_ne!(one, other, "another seed");
    assert!((35..60).contains(&one.len()), "{}", one.len());
}

/// Get Sensor Reading of a sensor: its flags.
fn reading_flags(rig: &mut Rig, client: &mut Client, sensor: u8) -> u8 {
    client.ask(rig, 4, 0x2d, &[sensor])[2]
}

#[test]
fn power_that_fails_takes_its_time_and_does_nothing() {
    let (mut rig, mut client) = ready();
    rig.fault("power_fails 3000 count 1");
    let on = client.request(0, 2, &[1]);
    assert!(rig.send(&on).is_empty());
    let (after, sent) = rig.sent_within(5000).unwrap();
    assert_eq!(after, milliseconds(3000));
    assert_eq!(Message::parse(&client.read(&sent[0]).2).unwrap().data, [0xff]);
    assert_eq!(client.ask(&mut rig, 0, 1, &[])[1] & 1, 0);
    assert_eq!(client.ask(&mut rig, 0, 2, &[1]), [OK]);
}

#[test]
fn sessions_are_refused_for_want_of_resources_and_those_there_are_stay() {
    let (mut rig, mut client) = ready();
    rig.fault("refuse_session count 2");
    assert_eq!(Login20::suite(3).run(&mut rig).err(), Some(crate::wire::rakp::Status::INSUFFICIENT_RESOURCES));
    assert_eq!(client.ask(&mut rig, 6, 1, &[])[0], OK);
    assert_eq!(Login15::default().run(&mut rig).err(), Some(Some(0x81)));
    assert_eq!(rig.struck(), [("refuse_session", 2)]);
    assert!(Login20::suite(3).run(&mut rig).is_ok() && Login15::default().run(&mut rig).is_ok());
}

#[test]
fn after_a_cold_reset_nobody_is_there_for_a_while() {
    let (mut rig, mut client) = ready();
    rig.fault("profile rebooting-bmc");
    assert_eq!(client.ask(&mut rig, 6, 2, &[]), [OK]);
    assert_eq!(rig.sim.overview().sessions, 0);
    assert!(rig.printed("faults").contains("hang mc 0x20 for 60000"));
    let open = Login20::suite(3).open_request(4);
    for _ in 0..2 {
        assert!(rig.send(&open).is_empty());
        rig.wait(29);
    }
    rig.wait(3);
    let mut next = administrator(&mut rig);
    assert_eq!(next.ask(&mut rig, 6, 1, &[])[0], OK);
}

#[test]
fn a_log_is_full_until_it_is_not() {
    let (mut rig, mut client) = ready();
    let event = [0, 0, 0xc0, 1, 2, 3, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7];
    rig.fault("sel_full for 5000");
    assert_eq!(client.ask(&mut rig, 0x0a, 0x44, &event)[0], 0xc4);
    let info = client.ask(&mut rig, 0x0a, 0x40, &[]);
    assert_eq!((&info[4..6], info[14] & 0x80), ([0, 0].as_slice(), 0x80), "no room, overflow");
    rig.command("sensor_set_bit 0x20 0 0 1 1 1");
    assert_eq!(rig.sim.overview().log_records, 0, "events are lost");
    rig.wait(5);
    let request = client.request(0x0a, 0x44, &event);
    rig.send(&request);
    rig.save();
    assert_eq!(rig.sim.overview().log_records, 1);
}

#[test]
fn reservations_of_records_are_cancelled() {
    let (mut rig, mut client) = ready();
    rig.command("main_sdr_add 0x20 1 0 0x51 0xc0 3 1 2 3");
    let reservation = client.ask(&mut rig, 0x0a, 0x22, &[]);
    let get = [reservation[1], reservation[2], 0, 0, 0, 0xff];
    assert_eq!(client.ask(&mut rig, 0x0a, 0x23, &get)[0], OK);
    rig.fault("sdr_busy count 1");
    assert_eq!(client.ask(&mut rig, 0x0a, 0x23, &get), [0xc5]);
    let reservation = client.ask(&mut rig, 0x0a, 0x22, &[]);
    assert_eq!(client.ask(&mut rig, 0x0a, 0x23, &[reservation[1], reservation[2], 0, 0, 0, 0xff])[0], OK);
}

#[test]
fn readings_are_unavailable_or_disabled() {
    let (mut rig, mut client) = ready();
    for sensor in [1, 2] {
        rig.command(&format!("sensor_add 0x20 0 {sensor} 1 1"));
        rig.command(&format!(
            "sensor_set_event_support 0x20 0 {sensor} enable scanning none 000000000000000 000000000000000 000000000000000 000000000000000"
        ));
        rig.command(&format!("sensor_set_value 0x20 0 {sensor} 50 0"));
    }
    let before = reading_flags(&mut rig, &mut client, 1);
    assert_eq!(before & 0x60, 0x40);
    rig.fault("sensor_unavailable sensor 1");
    assert_eq!(reading_flags(&mut rig, &mut client, 1) & 0x60, 0x60);
    assert_eq!(reading_flags(&mut rig, &mut client, 2) & 0x60, 0x40);
    rig.fault("sensor_disabled");
    assert_eq!(reading_flags(&mut rig, &mut client, 2) & 0x60, 0x20);
    rig.fault("end all");
    assert_eq!(reading_flags(&mut rig, &mut client, 1), before);
}

#[test]
fn clocks_jump_and_jump_back() {
    let (mut rig, mut client) = ready();
    let time = |rig: &mut Rig, client: &mut Client| {
        let told = client.ask(rig, 0x0a, 0x48, &[]);
        i64::from(u32::from_le_bytes(told[1..5].try_into().unwrap()))
    };
    let before = time(&mut rig, &mut client);
    for by in [3600, -60] {
        rig.fault(&format!("clock {by} for 10000"));
        assert_eq!(time(&mut rig, &mut client), before + by);
        rig.fault("end all");
        assert_eq!(time(&mut rig, &mut client), before);
    }
}

/// A port of serial over LAN that is open, and the session that has it.
fn console() -> (Rig, Client) {
    let mut rig = Rig::new(WITH_SOL, EMU);
    rig.call(|sim, now, out| sim.handle(now, Input::SolOpened(McAddress::BMC), out));
    let mut client = administrator(&mut rig);
    assert_eq!(client.ask(&mut rig, 6, 0x48, &[1, 1, 0, 0, 0, 0])[0], OK);
    (rig, client)
}

impl Rig {
    /// The port says something: what the session is sent.
    fn says(&mut self, client: &mut Client, text: &[u8]) -> Vec<u8> {
        self.call(|sim, now, out| sim.handle(now, Input::SolData(McAddress::BMC, text.into()), out));
        self.heard(client)
    }

    fn heard(&mut self, client: &mut Client) -> Vec<u8> {
        self.sent.iter().flat_map(|(_, bytes)| client.read(bytes).2.split_off(4)).collect()
    }
}

#[test]
fn what_a_console_says_is_lost_doubled_or_waits() {
    for (fault, heard) in [("sol_lose count 1", b"".as_slice()), ("sol_duplicate count 1", b"ab".as_slice())] {
        let (mut rig, mut client) = console();
        rig.fault(fault);
        let said = rig.says(&mut client, if fault.contains("lose") { b"ab" } else { b"a" });
        let expected: &[u8] = if fault.contains("lose") { heard } else { b"aa" };
        assert_eq!(said, expected, "{fault}");
    }
    let (mut rig, mut client) = console();
    rig.fault("sol_stall for 3000");
    assert_eq!(rig.says(&mut client, b"one "), b"");
    assert_eq!(rig.says(&mut client, b"two"), b"");
    let (after, sent) = rig.sent_within(5000).unwrap();
    assert_eq!(after, milliseconds(3000));
    assert_eq!(client.read(&sent[0]).2[4..], *b"one two");
}
