//! What is counted of all systems of a loop, and of a system that is watched.

use super::*;
use crate::ipmi::LoginFailure;
use crate::lan::DropReason;
use crate::sim::{Answered, Histogram};
use crate::wire::session20::PayloadType;

/// A system whose calls are all counted from now on.
fn counted(conf: &str) -> Rig {
    let mut rig = Rig::new(conf, EMU);
    rig.save();
    rig.tally = Some(Box::default());
    rig
}

impl Rig {
    fn tally(&self) -> &Tally {
        self.tally.as_deref().expect("it comes back")
    }

    fn dropped(&self) -> Vec<(DropReason, u64)> {
        self.tally().dropped().filter(|(_, count)| *count > 0).collect()
    }
}

fn filled(histogram: &Histogram) -> Vec<(Option<Duration>, u64)> {
    histogram.buckets().filter(|(_, count)| *count > 0).collect()
}

#[test]
fn requests_and_sessions_are_counted() {
    let mut rig = counted(CONF);
    let mut client = Login20::suite(3).run(&mut rig).expect("login");
    assert_eq!(client.ask(&mut rig, 6, 0x3b, &[4]), [0, 4]);
    for _ in 0..3 {
        client.ask(&mut rig, 6, 1, &[]);
    }
    assert_eq!(client.ask(&mut rig, 6, 0x31, &[]), [0xd4]);
    // A resend is no other request.
    client.ask(&mut rig, 0, 2, &[1]);
    let again = client.again(0, 2, &[1]);
    rig.send(&again);
    let id = client.session.to_le_bytes();
    client.ask(&mut rig, 6, 0x3c, &id);
    let tally = rig.tally();
    let requests = tally.requests.iter().map(|(Answered { netfn, cmd, code }, count)| (netfn, cmd, code, count));
    assert_eq!(
        requests.collect::<Vec<_>>(),
        [(0, 2, 0, 1), (6, 1, 0, 3), (6, 0x31, 0xd4, 1), (6, 0x3b, 0, 1), (6, 0x3c, 0, 1)]
    );
    assert_eq!((tally.sessions_opened, tally.sessions_closed), (1, 1));
    assert_eq!((tally.datagrams_received, tally.datagrams_sent), (11, 11));
    assert_eq!(tally.waited.total(), 0);
    assert_eq!(rig.dropped(), []);
}

#[test]
fn what_is_dropped_is_counted_by_its_reason() {
    let mut rig = counted(CONF);
    let mut client = Login20::suite(3).run(&mut rig).expect("login");
    rig.send(&[6, 0]);
    rig.send(&[6, 0, 0xff, 7, 6, 0xc0, 0x78, 0x56, 0x34, 0x12, 1, 0, 0, 0, 0, 0]);
    let mut wrong_code = client.request(6, 1, &[]);
    *wrong_code.last_mut().unwrap() ^= 1;
    rig.send(&wrong_code);
    let late = client.request(6, 1, &[]);
    for _ in 0..40 {
        let next = client.request(6, 1, &[]);
        rig.send(&next);
    }
    rig.send(&late);
    let mut message = Vec::new();
    Message { to: 0x20, to_lun: 0, netfn: 6, from: 0x81, from_lun: 0, seq: 9, cmd: 1, data: &[] }.emit(&mut message);
    *message.last_mut().unwrap() ^= 1;
    let packet = client.packet(PayloadType::Ipmi, &message);
    rig.send(&packet);
    let one = |reason| (reason, 1);
    let expected =
        [DropReason::Malformed, DropReason::Checksum, DropReason::Code, DropReason::NoSession, DropReason::Replay];
    assert_eq!(rig.dropped(), expected.map(one));
}

#[test]
fn failed_logins_are_counted_by_their_reason() {
    let mut rig = counted(CONF);
    rig.sim.watch();
    assert!(Login15 { password: "wrong", ..Login15::default() }.run(&mut rig).is_err());
    assert!(Login20 { user: "nobody", ..Login20::suite(3) }.run(&mut rig).is_err());
    let handshake = Login20::suite(3).open(&mut rig).unwrap();
    rig.send(&handshake.rakp1());
    rig.now = rig.now + Duration::from_secs(11);
    rig.call(|sim, now, out| sim.handle(now, Input::Timeout, out));
    let reasons = [LoginFailure::NoSuchUser, LoginFailure::WrongPassword, LoginFailure::GivenUp];
    let failed: Vec<_> = rig.tally().failed_logins().filter(|(_, count)| *count > 0).collect();
    assert_eq!(failed, reasons.map(|reason| (reason, 1)));
    assert_eq!(rig.sim.counts().map(|counts| counts.failed_logins), Some(3));
}

#[test]
fn programs_and_whoever_waits_for_them_are_counted() {
    let mut rig = counted(WITH_SCRIPT);
    let mut client = Login20::suite(3).run(&mut rig).expect("login");
    client.ask(&mut rig, 6, 0x3b, &[4]);
    rig.save();
    for (seconds, status) in [(3, 0), (30, 0x100)] {
        let request = client.request(0, 2, &[1]);
        rig.send(&request);
        let (job, _) = rig.program_job();
        rig.now = rig.now + Duration::from_secs(seconds);
        let ended = ProgramEnd { status: Some(status), output: Vec::new(), complaints: Vec::new(), problem: None };
        rig.call(|sim, now, out| sim.handle(now, Input::WorkDone(WorkDone::Program(job, ended)), out));
    }
    let (five, minute) = (Some(Duration::from_secs(5)), Some(Duration::from_secs(60)));
    let tally = rig.tally();
    assert_eq!(filled(&tally.programs), [(five, 1), (minute, 1)]);
    assert_eq!(filled(&tally.waited), [(five, 1), (minute, 1)]);
    assert_eq!((tally.programs.sum(), tally.program_failures), (Duration::from_secs(33), 1));
}

#[test]
fn writes_of_state_are_counted() {
    let mut rig = counted(CONF);
    for result in [Ok(()), Err(SaveFailure::from("No space left on device"))] {
        rig.command("sel_add 0x20 0xe0 1 2 3 4 5 6 7 8 9 10 11 12 13");
        let job = rig.save_job();
        rig.call(|sim, now, out| sim.handle(now, Input::WorkDone(WorkDone::Saved(job, result)), out));
    }
    assert_eq!((rig.tally().state_writes, rig.tally().state_write_failures), (1, 1));
}

#[test]
fn bytes_of_serial_over_lan_are_counted_each_way() {
    let mut rig = counted(WITH_SOL);
    let mut client = Login20::suite(3).run(&mut rig).expect("login");
    client.ask(&mut rig, 6, 0x3b, &[4]);
    assert_eq!(client.ask(&mut rig, 6, 0x48, &[1, 1, 0xc0, 0, 0, 0])[0], 0);
    rig.call(|sim, now, out| sim.handle(now, Input::SolOpened(McAddress::BMC), out));
    rig.call(|sim, now, out| sim.handle(now, Input::SolData(McAddress::BMC, b"login: ".to_vec().into()), out));
    let keys = client.packet(PayloadType::Sol, &[1, 0, 0, 0, b'r', b'o']);
    rig.send(&keys);
    assert_eq!((rig.tally().sol_from_ports, rig.tally().sol_to_ports), (7, 2));
}

#[test]
fn a_system_counts_its_own_only_while_it_is_watched() {
    let mut rig = Rig::new(CONF, EMU);
    let mut client = administrator(&mut rig);
    assert!(rig.sim.counts().is_none());
    rig.sim.watch();
    assert!(rig.sim.counts().is_none(), "nothing has happened");
    client.ask(&mut rig, 6, 1, &[]);
    client.ask(&mut rig, 6, 0x3b, &[4]);
    let counts = rig.sim.counts().expect("two requests");
    assert_eq!((counts.requests.total(), counts.failed_logins), (2, 0));
}
