//! Those who mean no good: what a session, a host or a flood must not get out of a
//! system, however it asks.

use super::*;
use crate::bmc::external::FileWrite;
use crate::command::{privilege, table};
use crate::ipmi::{McAddress, netfn::GROUP_EXTENSION};
use crate::ipmi::{Privilege, Random};
use crate::wire::session20::PayloadType;

/// A client at a level, in a session whose packets cost little.
fn cheap_client(rig: &mut Rig, level: u8) -> Client {
    let mut client = Login20 { suite: 1, role: 0x10 | level, ..Login20::default() }.run(rig).expect("login");
    if level > 2 {
        assert_eq!(client.ask(rig, 6, 0x3b, &[level]), [0, level]);
    }
    client
}

/// The completion codes that came, in order, of responses to (netfn, cmd).
fn codes(rig: &Rig, client: &mut Client, netfn: u8, cmd: u8) -> Vec<u8> {
    rig.sent_messages(client)
        .iter()
        .map(|message| Message::parse(message).expect("a message"))
        .filter(|message| (message.netfn, message.cmd) == (netfn | 1, cmd))
        .map(|message| message.data[0])
        .collect()
}

/// Every command the tables name, and of every network function a few.
fn commands() -> impl Iterator<Item = (u8, u8)> {
    let registered = (0x0e..=0x3e).step_by(2).flat_map(|netfn| table(netfn).iter().map(move |it| (netfn, it.cmd)));
    let named = (0..=0x0c).step_by(2).flat_map(|netfn| (0..=0xff).map(move |cmd| (netfn, cmd)));
    let others = (0x0e..=0x3e).step_by(2).flat_map(|netfn| [0, 1, 2, 0x34, 0x43, 0xff].map(move |cmd| (netfn, cmd)));
    named.chain(others).chain(registered)
}

#[test]
fn nothing_gets_more_than_the_table_allows_whichever_way_it_comes() {
    for level in 1..=4 {
        let mut rig = Rig::new(WITH_HOST, EMU);
        rig.call(|sim, now, out| sim.handle(now, Input::SerialConnected(HOST), out));
        let mut client = cheap_client(&mut rig, level);
        let privilege = Privilege::from_wire(level).expect("1 to 4");
        for (netfn, cmd) in commands() {
            if privilege::permitted(netfn, cmd, privilege) {
                continue;
            }
            let at = format!("{netfn:02x} {cmd:02x} at level {level}");
            assert_eq!(client.ask(&mut rig, netfn, cmd, &[]), [0xd4], "{at}");
            // A group extension that is not there is not there at each level.
            let long = if netfn == GROUP_EXTENSION { 0xc1 } else { 0xd4 };
            assert_eq!(client.ask(&mut rig, netfn, cmd, &[0; 20]), [long], "{at}");
            // For the host.
            let seq = client.rq_seq;
            let mut message = Vec::new();
            Message { to: 0x20, to_lun: 2, netfn, from: 0x81, from_lun: 0, seq, cmd, data: &[] }.emit(&mut message);
            client.rq_seq = (seq + 1) % 64;
            let packet = client.packet(PayloadType::Ipmi, &message);
            rig.send(&packet);
            assert_eq!(codes(&rig, &mut client, netfn, cmd), [0xd4], "{at}, for the host");
            // Bridged, also in the broadcast form, and through another controller.
            for to in [0x20, 0x30] {
                let plain = carried(to, netfn, cmd, &[0; 20]);
                let mut broadcast = plain.clone();
                broadcast.insert(1, 0);
                for carried in [plain, broadcast] {
                    let packet = client.request(6, 0x34, &carried);
                    rig.send(&packet);
                    let responses = codes(&rig, &mut client, 6, 0x34);
                    // What is not there is carried to who says so.
                    let carried = netfn == GROUP_EXTENSION && level > 1;
                    assert_eq!(responses, [if carried { 0 } else { 0xd4 }], "{at}, bridged to {to:02x}");
                }
                if level > 1 {
                    let packet = client.request(6, 0x34, &carried(0x30, 6, 0x34, &carried(to, netfn, cmd, &[])));
                    rig.send(&packet);
                    let responses = codes(&rig, &mut client, 6, 0x34);
                    assert_eq!(responses, [0, 0xd4], "{at}, bridged twice to {to:02x}");
                }
            }
        }
        assert!(rig.jobs().is_empty(), "something was carried out");
    }
}

#[test]
fn what_the_table_allows_is_not_refused_for_a_lack_of_privilege() {
    for level in 1..=4 {
        let mut rig = Rig::new(CONF, EMU);
        let mut client = cheap_client(&mut rig, level);
        let privilege = Privilege::from_wire(level).expect("1 to 4");
        for (netfn, cmd) in commands().filter(|(netfn, cmd)| privilege::permitted(*netfn, *cmd, privilege)) {
            let packet = client.request(netfn, cmd, &[]);
            rig.send(&packet);
            assert!(!codes(&rig, &mut client, netfn, cmd).contains(&0xd4), "{netfn:02x} {cmd:02x} at level {level}");
            rig.jobs();
        }
    }
}

#[test]
fn a_flood_of_slow_commands_waits_only_so_long() {
    let mut rig = Rig::new(WITH_SCRIPT, EMU);
    rig.save();
    let mut client = administrator(&mut rig);
    let mut refused = 0;
    for round in 0..5000 {
        // Each is a little different, so that none counts as a copy of another.
        let packet = client.request(0, 2, &[1, round as u8, (round >> 8) as u8]);
        rig.send(&packet);
        refused += codes(&rig, &mut client, 0, 2).iter().filter(|code| **code == 0xc0).count();
    }
    assert_eq!(refused, 5000 - 32);
    // Others go on, and so does the client once it has its responses.
    let mut other = administrator(&mut rig);
    assert_eq!(other.ask(&mut rig, 6, 1, &[])[0], 0);
    let mut ran = 0;
    while let Some(Work::Program { job, .. }) = rig.jobs().pop() {
        rig.shell(job, 0, "");
        ran += 1;
    }
    assert_eq!(ran, 32);
    assert_eq!(client.ask(&mut rig, 6, 1, &[])[0], 0);
}

#[test]
fn a_flood_of_changes_keeps_one_write_under_way_and_one_to_come() {
    let mut rig = Rig::new(CONF, EMU);
    let mut client = administrator(&mut rig);
    for number in 0..20 {
        let mut record = [number; 16];
        record[2] = 2;
        let packet = client.request(0x0a, 0x44, &record);
        assert!(rig.send(&packet).is_empty(), "nothing is safe yet");
    }
    for (written, safe) in [(1, 1), (20, 19)] {
        let jobs = rig.jobs();
        let [Work::Save { job, name, content }] = jobs.as_slice() else { panic!("{}", jobs.len()) };
        assert_eq!(name, "sel.20");
        assert_eq!(content.windows(3).filter(|piece| *piece == b":d:").count(), written);
        rig.saved(*job, Ok(()));
        assert_eq!(codes(&rig, &mut client, 0x0a, 0x44), vec![0; safe]);
    }
    assert!(rig.jobs().is_empty(), "nothing is left to be written");
}

/// A log of megabytes is written whole by every change: after each write it rests, and what changes
/// meanwhile is written, and acknowledged, together.
#[test]
fn a_large_file_rests_between_writes() {
    let entry = |id: usize| {
        let (low, high) = (id & 0xff, id >> 8);
        format!("{id}:d:\\{low:02x}\\{high:02x}\\02\\00\\00\\00\\00 \\00\\04\\01\\01\\01W\\00\\00\n")
    };
    for (count, megabytes) in [(1000, 0), (60_000, 2)] {
        let file: String = (1..=count).rev().map(entry).collect();
        let state = BTreeMap::from([("sel.20".to_owned(), file.into_bytes())]);
        let mut rig = Rig::with_state(CONF, &EMU.replace("sel_enable 0x20 100", "sel_enable 0x20 65000"), state);
        rig.jobs();
        let mut client = administrator(&mut rig);
        let (mut writes, mut answered) = (0, 0);
        let began = rig.now;
        let mut record = [9; 16];
        record[2] = 2;
        // A client that adds one after the other, for a second.
        for _ in 0..10_000 {
            let packet = client.request(0x0a, 0x44, &record);
            assert!(rig.send(&packet).is_empty());
            let asked = rig.now;
            loop {
                let jobs = rig.jobs();
                let Some(Work::Save { job, content, .. }) = jobs.first() else {
                    let due = rig.sim.deadline().expect("it rests");
                    rig.now = due;
                    rig.call(|sim, now, out| sim.handle(now, Input::Timeout, out));
                    continue;
                };
                writes += 1;
                assert_eq!(content.len() >> 20, megabytes);
                // The disk takes a millisecond.
                rig.now = rig.now + Duration::from_millis(1);
                rig.saved(*job, Ok(()));
                break;
            }
            answered += codes(&rig, &mut client, 0x0a, 0x44).len();
            let waited = rig.now.since(asked);
            assert!(waited <= Duration::from_millis(501), "{waited:?}");
            if rig.now.since(began) > Duration::from_secs(1) || answered == 40 {
                break;
            }
        }
        assert_eq!(answered, writes);
        if megabytes > 0 {
            assert!((2..=4).contains(&writes), "{writes} writes in a second");
        } else {
            assert_eq!(answered, 40, "a small file does not rest");
        }
        // Many at a time share one write, and the end does not wait.
        for _ in 0..10 {
            let packet = client.request(0x0a, 0x44, &record);
            assert!(rig.send(&packet).is_empty());
        }
        let before = rig.jobs().len();
        rig.call(|sim, now, out| sim.handle(now, Input::End, out));
        assert_eq!(before + rig.jobs().len(), 1);
    }
}

#[test]
fn a_session_does_not_answer_for_the_host() {
    let mut rig = Rig::new(WITH_HOST, EMU);
    rig.call(|sim, now, out| sim.handle(now, Input::SerialConnected(HOST), out));
    let mut client = administrator(&mut rig);
    let mut message = Vec::new();
    Message { to: 0x20, to_lun: 2, netfn: 0x30, from: 0x81, from_lun: 0, seq: 21, cmd: 0x99, data: &[1] }
        .emit(&mut message);
    let packet = client.packet(PayloadType::Ipmi, &message);
    assert!(rig.send(&packet).is_empty(), "it waits for the host");
    let mut forger = cheap_client(&mut rig, 2);
    // A response in the host's place, and a request to the other session.
    for (netfn, seq) in (0..64).map(|seq| (0x31, seq)).chain([(0x30, 0)]) {
        let mut forged = vec![0x41, 1];
        Message { to: 0x81, to_lun: 0, netfn, from: 0x20, from_lun: 2, seq, cmd: 0x99, data: &[0, 6, 6, 6] }
            .emit(&mut forged);
        let packet = forger.request(6, 0x34, &forged);
        rig.send(&packet);
        assert_eq!(codes(&rig, &mut forger, 6, 0x34), [0xcb]);
    }
}

#[test]
fn faults_of_a_line_do_not_fill_the_log() {
    let mut rig = Rig::new(WITH_HOST, EMU);
    rig.call(|sim, now, out| sim.handle(now, Input::SerialConnected(HOST), out));
    rig.effects.clear();
    for _ in 0..1000 {
        rig.call(|sim, now, out| sim.handle(now, Input::SerialData(HOST, b"x\xa0".repeat(100).into()), out));
    }
    let lines = rig.logs().len();
    assert!((1..=20).contains(&lines), "{lines} lines");
    rig.effects.clear();
    rig.wait(1);
    rig.call(|sim, now, out| sim.handle(now, Input::SerialData(HOST, b"x\xa0".into()), out));
    assert_eq!(rig.logs(), ["Serial channel 15 of MC 0x20: Message too short (99980 such lines were left out before)"]);
}

#[test]
fn a_state_file_full_of_garbage_gives_a_few_warnings() {
    let garbage = |line: &str| line.repeat(1000).into_bytes();
    let mut entries = garbage("7:d:short\n");
    entries.extend(garbage("no item\n"));
    let state = BTreeMap::from([("sel.20".to_owned(), entries), ("users.mc20".to_owned(), garbage("2.valid:i:x\n"))]);
    let rig = Rig::with_state(CONF, EMU, state);
    let logs = rig.logs();
    assert!(logs.len() < 40, "{} lines", logs.len());
    assert_eq!(logs.iter().filter(|line| **line == "sel.20: 992 more like these").count(), 2);
    assert_eq!(logs.iter().filter(|line| **line == "users.mc20: 992 more like these").count(), 1);
}

const EVERYTHING: &str = r#"
name "test"
user 1 true "" "test" user 10 md5
user 2 true "ipmiusr" "test" admin 10 md5
serial 15 127.0.0.1 9002 codec VM
chassis_control "./control 0x20"
sol "tcp:127.0.0.1:9003" 115200 history=4000 historyfru=10
startlan 1
  addr 127.0.0.1 9001
  allowed_auths_admin md5
  allowed_auths_user md5
  guid a123456789abcdefa123456789abcdef
  lan_config_program "./lan 0x20"
endlan
"#;

#[test]
fn lines_of_every_framing_take_anything() {
    // Bytes that mean something in one of the framings are more likely than others.
    const TELLING: &[u8] = b"\xa0\xa1\xa5\xa6\xaa\xb0\xb5\xb6\xba\x1b\r\n[] 0123456789abcdefABCDEFx\x20\x18\x00\xff";
    for codec in ["VM", "Direct", "TerminalMode", "RadisysAscii"] {
        for oem in ["", "oem PigeonPoint", "oem Radisys"] {
            let line = format!("serial 15 127.0.0.1 9002 codec {codec} {oem}");
            let conf = WITH_HOST.replace("serial 15 127.0.0.1 9002 codec VM", &line);
            let mut rig = Rig::new(&conf, EMU);
            rig.call(|sim, now, out| sim.handle(now, Input::SerialConnected(HOST), out));
            let mut dice = Dice(1);
            for round in 0..2000 {
                let mut bytes = vec![0; dice.below(80)];
                dice.fill(&mut bytes);
                for byte in &mut bytes {
                    if dice.below(4) != 0 {
                        *byte = TELLING[dice.below(TELLING.len())];
                    }
                }
                rig.call(|sim, now, out| sim.handle(now, Input::SerialData(HOST, (&bytes).into()), out));
                if round % 100 == 0 {
                    rig.effects.clear();
                    rig.call(|sim, now, out| sim.handle(now, Input::SerialDisconnected(HOST), out));
                    rig.call(|sim, now, out| sim.handle(now, Input::SerialConnected(HOST), out));
                }
            }
            let mut client = administrator(&mut rig);
            assert_eq!(client.ask(&mut rig, 6, 1, &[])[0], 0, "{line}");
        }
    }
}

/// Ends every job that waits, well or badly.
fn end_jobs(rig: &mut Rig, dice: &mut Dice) {
    for work in rig.jobs() {
        let good = dice.below(4) != 0;
        let done = match work {
            Work::Save { job, .. } => WorkDone::Saved(job, if good { Ok(()) } else { Err("no".into()) }),
            Work::Read { job, read } => {
                WorkDone::Read(job, if good { Ok(vec![b'7'; dice.below(read.length + 2)]) } else { Err("no".into()) })
            }
            Work::Write { job, write: FileWrite::At { data, .. } | FileWrite::Replace { content: data, .. } } => {
                WorkDone::Written(job, if good { Ok(data.len()) } else { Err("no".into()) })
            }
            Work::Program { job, .. } => {
                let mut output = b"power:1\nboot:pxe\nip_addr:1.2.3.4\nsubnet_mask:255.0.0.0\n".to_vec();
                output.truncate(dice.below(output.len() + 1));
                let status = Some(i32::from(!good));
                WorkDone::Program(job, ProgramEnd { status, output, complaints: Vec::new(), problem: None })
            }
        };
        rig.done(done);
    }
}

fn wild_data(dice: &mut Dice) -> Vec<u8> {
    let most = if dice.below(8) == 0 { 250 } else { 24 };
    let mut data = vec![0; dice.below(most)];
    dice.fill(&mut data);
    // Small numbers find more doors than large ones.
    if dice.below(2) == 0 {
        data.iter_mut().for_each(|byte| *byte &= 0x0f);
    }
    if dice.below(4) == 0 {
        data.iter_mut().for_each(|byte| *byte = if *byte & 1 == 0 { 0 } else { 0xff });
    }
    data
}

#[test]
fn wild_requests_of_an_administrator_and_a_host_break_nothing() {
    let mut rig = Rig::new(EVERYTHING, EMU);
    assert_eq!(rig.faults, Vec::<String>::new());
    rig.command("mc_add_fru_data 0x20 0 16 data 1 2 3 4 5 6 7 8");
    rig.command("sensor_add 0x20 0 1 1 1 poll 500 file \"/nothing\" ascii");
    rig.command("sensor_add 0x20 0 2 1 1");
    rig.command("sensor_set_threshold 0x20 0 2 settable 111111 9 8 7 3 2 1");
    rig.command("sensor_set_hysteresis 0x20 0 2 settable 200 200");
    let mut dice = Dice(20_260_220);
    let mut client = cheap_client(&mut rig, 4);
    for round in 0..40_000 {
        let netfn = [0, 2, 4, 6, 6, 0x0a, 0x0c, 0x2c, 0x2e, 0x30][dice.below(10)];
        let most = if dice.below(4) == 0 { 256 } else { 0x60 };
        let cmd = dice.below(most) as u8;
        let data = wild_data(&mut dice);
        match dice.below(8) {
            0 => {
                let packet = client.packet(PayloadType::Sol, &data);
                rig.send(&packet);
            }
            1 => rig.call(|sim, now, out| sim.handle(now, Input::SolData(McAddress::BMC, (&data).into()), out)),
            2 => {
                let mut frame = vec![round as u8, netfn << 2 | dice.below(4) as u8, cmd];
                frame.extend_from_slice(&data);
                frame.push(frame.iter().fold(0u8, |sum, byte| sum.wrapping_sub(*byte)));
                let mut bytes = Vec::new();
                for byte in frame {
                    match byte {
                        0xa0 | 0xa1 | 0xaa => bytes.extend([0xaa, byte | 0x10]),
                        _ => bytes.push(byte),
                    }
                }
                bytes.push(0xa0);
                rig.call(|sim, now, out| sim.handle(now, Input::SerialData(HOST, (&bytes).into()), out));
            }
            3 => {
                let to = [0x20, 0x30, 0x40][dice.below(3)];
                let packet = client.request(6, 0x34, &carried(to, netfn, cmd, &data));
                rig.send(&packet);
            }
            _ => {
                let packet = client.request(netfn, cmd, &data);
                rig.send(&packet);
            }
        }
        match dice.below(64) {
            0 => rig.call(|sim, now, out| sim.handle(now, Input::SerialConnected(HOST), out)),
            1 => rig.call(|sim, now, out| sim.handle(now, Input::SerialDisconnected(HOST), out)),
            2 => rig.call(|sim, now, out| sim.handle(now, Input::SolOpened(McAddress::BMC), out)),
            3 => rig.call(|sim, now, out| sim.handle(now, Input::SolClosed(McAddress::BMC), out)),
            4 => rig.wait(1),
            5..20 => end_jobs(&mut rig, &mut dice),
            _ => {}
        }
        rig.effects.retain(|effect| matches!(effect, Effect::Run(_)));
        // The session may have ended itself, its user, or its user's password.
        if rig.sim.lan_channel(LAN).session(client.session).is_none_or(|session| session.privilege.wire() < 4) {
            match (Login20 { suite: 1, ..Login20::default() }).run(&mut rig) {
                Ok(again) => {
                    client = again;
                    let raise = client.request(6, 0x3b, &[4]);
                    rig.send(&raise);
                }
                Err(_) => {
                    // Locked out for good: a new system.
                    rig = Rig::new(EVERYTHING, EMU);
                    client = cheap_client(&mut rig, 4);
                }
            }
        }
    }
}
