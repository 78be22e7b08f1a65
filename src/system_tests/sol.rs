//! SOL of a whole system: parameters that stay and come into force, the history and its backup.

use super::*;
use crate::bmc::external::FileWrite;
use crate::ipmi::McAddress;
use crate::sim::NoSolPort;
use crate::wire::session20::PayloadType;

const HISTORY: &str = "/dev/ttyS1\" 115200 history=20,backupfile=console.log readclear historyfru=9";

fn with_history() -> String {
    WITH_SOL.replace("/dev/ttyS1\" 115200", HISTORY)
}

fn console(rig: &mut Rig) -> Client {
    let mut client = administrator(rig);
    assert_eq!(client.ask(rig, 6, 0x48, &[1, 1, 0, 0, 0, 0])[0], 0);
    client
}

/// What the port says, as the client sees it at once.
fn says(rig: &mut Rig, client: &mut Client, text: &[u8]) -> Vec<Vec<u8>> {
    rig.sent.clear();
    rig.call(|sim, now, out| sim.handle(now, Input::SolData(McAddress::BMC, text.into()), out));
    packets(rig, client)
}

/// The SOL packets that were sent.
fn packets(rig: &mut Rig, client: &mut Client) -> Vec<Vec<u8>> {
    std::mem::take(&mut rig.sent)
        .iter()
        .map(|(_, datagram)| client.read(datagram))
        .filter(|(_, payload_type, _)| *payload_type == PayloadType::Sol)
        .map(|(_, _, packet)| packet)
        .collect()
}

/// Everything instance 2 has to say.
fn history(rig: &mut Rig, client: &mut Client) -> Vec<u8> {
    let activate = client.request(6, 0x48, &[1, 2, 0, 0, 0, 0]);
    rig.send(&activate);
    let all = packets(rig, client).iter().flat_map(|packet| packet[4..].to_vec()).collect();
    assert_eq!(client.ask(rig, 6, 0x49, &[1, 2, 0, 0, 0, 0]), [0]);
    all
}

#[test]
fn accumulate_and_retry_parameters_come_into_force_and_are_kept() {
    let mut rig = Rig::new(WITH_SOL, EMU);
    rig.call(|sim, now, out| sim.handle(now, Input::SolOpened(McAddress::BMC), out));
    let mut client = console(&mut rig);
    assert_eq!(says(&mut rig, &mut client, b"a").len(), 1, "at once, as from the original");
    rig.send(&client.packet(PayloadType::Sol, &[0, 1, 1, 0]));
    // 100 ms, 4 characters; two sends 50 ms apart.
    for (parameter, data) in [(3, [20, 4]), (4, [1, 5])] {
        let set = client.request(0x0c, 0x21, &[0x0e, parameter, data[0], data[1]]);
        rig.send(&set);
        let content = rig.save().remove("sol.mc20").expect("it was saved");
        assert!(content.starts_with(b"bitrate:i:0\nenabled:i:1\n"), "{}", String::from_utf8_lossy(&content));
    }
    assert!(says(&mut rig, &mut client, b"bcd").is_empty(), "it waits for more");
    let packet = says(&mut rig, &mut client, b"e").concat();
    assert_eq!(packet, b"\x02\0\0\0bcde");
    rig.send(&client.packet(PayloadType::Sol, &[0, 2, 4, 0]));
    let before = rig.now;
    assert!(says(&mut rig, &mut client, b"f").is_empty());
    let mut sent = Vec::new();
    while let Some(deadline) = rig.sim.deadline().filter(|deadline| *deadline < before + Duration::from_secs(1)) {
        rig.now = deadline;
        rig.call(|sim, now, out| sim.handle(now, Input::Timeout, out));
        sent.extend(
            packets(&mut rig, &mut client).into_iter().map(|packet| (deadline.since(before).as_millis(), packet)),
        );
    }
    let packet = b"\x03\0\0\0f".to_vec();
    assert_eq!(sent, [(100, packet.clone()), (150, packet)]);

    // The next life has them from the file; the original passes the names it does not know over.
    let file = BTreeMap::from([(
        "sol.mc20".to_owned(),
        b"bitrate:i:7\nenabled:i:1\nthreshold:i:4\naccumulate:i:20\nauthentication:i:131\nretries:i:9\n".to_vec(),
    )]);
    let mut rig = Rig::with_state(WITH_SOL, EMU, file);
    let mut client = administrator(&mut rig);
    for (parameter, data) in [(2, &[0x83][..]), (3, &[20, 4]), (4, &[1, 100]), (5, &[7]), (6, &[7]), (7, &[1])] {
        assert_eq!(client.ask(&mut rig, 0x0c, 0x22, &[0x0e, parameter, 0, 0]), [&[0, 0x11], data].concat());
    }
    // Encryption is demanded, and this is a session of suite 3.
    assert_eq!(client.ask(&mut rig, 6, 0x48, &[1, 1, 0, 0, 0, 0])[0], 0);
    rig.call(|sim, now, out| sim.handle(now, Input::SolOpened(McAddress::BMC), out));
    assert!(says(&mut rig, &mut client, b"abc").is_empty());
    assert_eq!(says(&mut rig, &mut client, b"d").len(), 1);
}

#[test]
fn the_history_is_read_at_start_and_written_at_the_end() {
    let mut rig = Rig::new(&with_history(), EMU);
    let job = rig.jobs().into_iter().find_map(|work| match work {
        Work::Read { job, read } if read.path == "console.log" && read.offset == 0 => Some(job),
        _ => None,
    });
    let job = job.expect("the backup is read");
    // Before it is read, it is not written.
    rig.effects.clear();
    rig.call(|sim, now, out| sim.handle(now, Input::SolData(McAddress::BMC, b"new".into()), out));
    rig.call(|sim, now, out| sim.handle(now, Input::End, out));
    assert!(rig.jobs().is_empty());
    rig.done(WorkDone::Read(job, Ok(b"much that is too old, and some that is not".to_vec())));
    rig.effects.clear();
    rig.call(|sim, now, out| sim.handle(now, Input::End, out));
    let jobs = rig.jobs();
    let [Work::Write { write, .. }] = jobs.as_slice() else { panic!("{jobs:?}") };
    let content = b" some that is notnew".to_vec();
    assert_eq!(*write, FileWrite::Replace { path: "console.log".into(), content });
}

#[test]
fn a_history_that_could_not_be_read_or_written_is_named() {
    let mut rig = Rig::new(&with_history(), EMU);
    for work in rig.jobs() {
        if let Work::Read { job, .. } = work {
            rig.done(WorkDone::Read(job, Err("No such file or directory".into())));
        }
    }
    let text = "The console history of MC 0x20 starts empty: console.log: No such file or directory";
    assert!(rig.logs().contains(&text), "{:?}", rig.logs());
    rig.effects.clear();
    rig.call(|sim, now, out| sim.handle(now, Input::End, out));
    assert!(rig.jobs().is_empty(), "an empty history is not written");
    rig.call(|sim, now, out| sim.handle(now, Input::SolData(McAddress::BMC, b"x".into()), out));
    rig.call(|sim, now, out| sim.handle(now, Input::End, out));
    let Work::Write { job, .. } = rig.jobs().remove(0) else { panic!("nothing is written") };
    rig.done(WorkDone::Written(job, Err("No space left on device".into())));
    let text = "Unable to write the console history of MC 0x20: No space left on device";
    assert!(rig.logs().contains(&text), "{:?}", rig.logs());
}

#[test]
fn readclear_empties_what_was_read() {
    let mut rig = Rig::new(&with_history(), EMU);
    rig.call(|sim, now, out| sim.handle(now, Input::SolData(McAddress::BMC, b"boot".into()), out));
    let mut client = administrator(&mut rig);
    assert_eq!(history(&mut rig, &mut client), b"boot\r\n<End Of History>\r\n");
    rig.call(|sim, now, out| sim.handle(now, Input::SolData(McAddress::BMC, b"more".into()), out));
    assert_eq!(history(&mut rig, &mut client), b"more\r\n<End Of History>\r\n");
    // As a FRU, too; the copy itself stays with the session.
    rig.call(|sim, now, out| sim.handle(now, Input::SolData(McAddress::BMC, b"last".into()), out));
    assert_eq!(client.ask(&mut rig, 0x0a, 0x10, &[9]), [0, 24, 0, 0]);
    assert_eq!(client.ask(&mut rig, 0x0a, 0x11, &[9, 0, 0, 4]), *b"\0\x04last");
    assert_eq!(history(&mut rig, &mut client), b"\r\n<End Of History>\r\n");
    // Without the word nothing is emptied.
    let mut rig = Rig::new(&with_history().replace("readclear ", ""), EMU);
    rig.call(|sim, now, out| sim.handle(now, Input::SolData(McAddress::BMC, b"boot".into()), out));
    let mut client = administrator(&mut rig);
    for _ in 0..2 {
        assert_eq!(history(&mut rig, &mut client), b"boot\r\n<End Of History>\r\n");
    }
}

/// Thirty clients take the console one from the other and vanish; the last one's dies with its session.
#[test]
fn sessions_that_vanish_at_the_console_leave_nothing() {
    let mut rig = Rig::new(WITH_SOL, EMU);
    rig.call(|sim, now, out| sim.handle(now, Input::SolOpened(McAddress::BMC), out));
    for round in 0..30 {
        let mut client = administrator(&mut rig);
        if round > 0 {
            assert_eq!(client.ask(&mut rig, 6, 0x48, &[1, 1, 0, 0, 0, 0]), [0x80]);
            let deactivate = client.request(6, 0x49, &[1, 1, 0, 0, 0, 0]);
            rig.send(&deactivate);
            assert_eq!(rig.sent.len(), 3, "the holder is told twice, and there is the answer");
        }
        assert_eq!(client.ask(&mut rig, 6, 0x48, &[1, 1, 0, 0, 0, 0])[0], 0);
        assert_eq!(says(&mut rig, &mut client, b"nobody acknowledges this").len(), 1);
    }
    assert_eq!(rig.sim.lan_channel(LAN).active_sessions(), 30);
    rig.wait(70);
    assert_eq!(rig.sim.lan_channel(LAN).active_sessions(), 0);
    assert_eq!(rig.sim.sol_deadline(McAddress::BMC), None, "nothing is sent again for nobody");
    let mut client = administrator(&mut rig);
    assert_eq!(client.ask(&mut rig, 6, 0x4a, &[1]), [0, 1, 0, 0]);
    assert_eq!(client.ask(&mut rig, 6, 0x48, &[1, 1, 0, 0, 0, 0])[0], 0);
    assert_eq!(says(&mut rig, &mut client, b"hello").concat(), b"\x01\0\0\0hello");
}

/// What the holder is shown, acknowledged as it comes.
fn shown(rig: &mut Rig, client: &mut Client) -> String {
    let mut text = Vec::new();
    loop {
        let sent = packets(rig, client);
        let Some(packet) = sent.iter().find(|packet| packet.len() > 4) else { break };
        text.extend(&packet[4..]);
        let (sequence, length) = (packet[0], packet.len() as u8 - 4);
        rig.send(&client.packet(PayloadType::Sol, &[0, sequence, length, 0]));
    }
    String::from_utf8(text).unwrap()
}

#[test]
fn whoever_looks_at_a_dead_port_is_told_why_and_when_it_lives() {
    let mut rig = Rig::new(&with_history(), EMU);
    let unavailable = |rig: &mut Rig, why: &str| {
        rig.call(|sim, now, out| sim.handle(now, Input::SolUnavailable(McAddress::BMC, why.into()), out));
    };
    unavailable(&mut rig, "Error opening SOL device /dev/ttyS1: No such file or directory");
    // Who comes is told, after the response: clients take the first packet for that.
    let mut client = administrator(&mut rig);
    let activate = client.request(6, 0x48, &[1, 1, 0, 0, 0, 0]);
    rig.send(&activate);
    assert_eq!(shown(&mut rig, &mut client), "");
    rig.wait(1);
    let missing = "\r\n[SOL: Error opening SOL device /dev/ttyS1: No such file or directory]\r\n";
    assert_eq!(shown(&mut rig, &mut client), missing);
    // So is who is there when there is another reason, and nobody's screen is moved by its words.
    unavailable(&mut rig, "SOL device \u{1b}[2J\u{e4}\n is already owned by process 7");
    let busy = "\r\n[SOL: SOL device \\u{1b}[2J\\u{e4}\\n is already owned by process 7]\r\n";
    assert_eq!(shown(&mut rig, &mut client), busy);
    rig.call(|sim, now, out| sim.handle(now, Input::SolOpened(McAddress::BMC), out));
    assert_eq!(shown(&mut rig, &mut client), "\r\n[SOL: the port is open now]\r\n");
    rig.call(|sim, now, out| sim.handle(now, Input::SolData(McAddress::BMC, b"login: ".into()), out));
    assert_eq!(shown(&mut rig, &mut client), "login: ");
    // A port that was lost and found within a moment is no news.
    rig.call(|sim, now, out| sim.handle(now, Input::SolClosed(McAddress::BMC), out));
    rig.call(|sim, now, out| sim.handle(now, Input::SolOpened(McAddress::BMC), out));
    assert_eq!(shown(&mut rig, &mut client), "");
    // A long reason is short.
    unavailable(&mut rig, &"x".repeat(1000));
    let long = shown(&mut rig, &mut client);
    assert!(long.starts_with("\r\n[SOL: xxx") && long.len() < 200, "{long}");
    // What the port did not say is no part of its history.
    assert_eq!(client.ask(&mut rig, 6, 0x49, &[1, 1, 0, 0, 0, 0]), [0]);
    assert!(history(&mut rig, &mut client).starts_with(b"login: "));
}

/// Behind NAT the socket's port is of no use to a client.
#[test]
fn another_port_is_told_where_lan_conf_says_so() {
    let conf = |port: &str| WITH_SOL.replace("guid a123", &format!("{port}\n  guid a123"));
    let mut rig = Rig::new(&conf("advertised_port 30623"), EMU);
    rig.call(|sim, now, out| sim.handle(now, Input::SolOpened(McAddress::BMC), out));
    rig.lan_opened("127.0.0.1:9001");
    let mut client = administrator(&mut rig);
    let told = |rig: &mut Rig, client: &mut Client| {
        let activated = client.ask(rig, 6, 0x48, &[1, 1, 0, 0, 0, 0]);
        assert_eq!(client.ask(rig, 6, 0x49, &[1, 1, 0, 0, 0, 0]), [0]);
        let parameter = client.ask(rig, 0x0c, 0x22, &[0x0e, 8, 0, 0]);
        let port = |bytes: &[u8]| u16::from_le_bytes([bytes[0], bytes[1]]);
        (port(&activated[9..]), port(&parameter[2..]), client.ask(rig, 0x0c, 0x02, &[0x0e, 8, 0, 0]))
    };
    assert_eq!(told(&mut rig, &mut client), (30623, 30623, vec![0, 0x11, 0x9f, 0x77]));
    assert_eq!(client.ask(&mut rig, 0x0c, 0x01, &[0x0e, 8, 1, 2]), [0x82]);
    // Those who watch the program see the socket.
    rig.command("status");
    assert!(rig.effects.iter().any(|effect| matches!(effect, Effect::Print { text, .. } if text.contains(":9001"))));

    let changed = |of: &str| format!("{of} of LAN channel 1 of MC 0x20 changed");
    for (line, port, parameter) in [("advertised_port 31000", 31000, vec![0, 0x11, 0x18, 0x79]), ("", 9001, vec![0x80])]
    {
        let config = Box::new(lan_conf::parse("lan.conf", conf(line).as_bytes()).0.unwrap());
        rig.call(|sim, now, out| sim.handle(now, Input::Reload { config, files: Default::default() }, out));
        let Some(Effect::Reloaded(changes)) = rig.effects.pop() else { panic!("nothing is told") };
        let texts: Vec<_> = changes.iter().map(ToString::to_string).collect();
        assert_eq!(texts, [changed("advertised_port")]);
        assert_eq!(told(&mut rig, &mut client), (port, port, parameter));
    }
}

/// What a tap has got since it was looked at last.
fn tapped(rig: &mut Rig) -> Vec<u8> {
    rig.sim.take_sol_output().into_iter().flat_map(|output| output.bytes).collect()
}

#[test]
fn who_looks_on_sees_what_the_port_says_with_and_without_a_client() {
    let mut rig = Rig::new(WITH_SOL, EMU);
    rig.call(|sim, now, out| sim.handle(now, Input::SolOpened(McAddress::BMC), out));
    assert_eq!(rig.sim.tap_sol(rig.now, McAddress(0x30)), Err(NoSolPort));
    let data = |rig: &mut Rig, text: &[u8]| {
        rig.call(|sim, now, out| sim.handle(now, Input::SolData(McAddress::BMC, text.into()), out));
    };
    data(&mut rig, b"before ");
    rig.sim.tap_sol(rig.now, McAddress::BMC).expect("a port");
    data(&mut rig, b"boot ");
    data(&mut rig, b"loader ");
    assert_eq!(tapped(&mut rig), b"boot loader ");
    assert_eq!(tapped(&mut rig), b"");
    let mut client = console(&mut rig);
    assert_eq!(says(&mut rig, &mut client, b"login: "), [b"\x01\x00\x00\x00login: "]);
    // Another one begins to look on: nothing is lost for the first.
    rig.sim.tap_sol(rig.now, McAddress::BMC).expect("a port");
    assert_eq!(tapped(&mut rig), b"login: ");
    rig.sim.untap_sol(McAddress::BMC);
    data(&mut rig, b"secret");
    assert_eq!(tapped(&mut rig), b"");
}

#[test]
fn a_tap_makes_a_slow_client_no_faster_and_nobody_slower() {
    let run = |tap: bool| {
        let mut rig = Rig::new(WITH_SOL, EMU);
        rig.call(|sim, now, out| sim.handle(now, Input::SolOpened(McAddress::BMC), out));
        if tap {
            rig.sim.tap_sol(rig.now, McAddress::BMC).expect("a port");
        }
        let _client = console(&mut rig);
        rig.effects.clear();
        for _ in 0..200 {
            rig.call(|sim, now, out| sim.handle(now, Input::SolData(McAddress::BMC, vec![b'x'; 200].into()), out));
        }
        rig.wait(2);
        assert!(rig.effects.contains(&Effect::SolRead { mc: McAddress::BMC, enabled: false }));
        rig.effects
    };
    assert_eq!(run(false), run(true));
}

#[test]
fn the_history_and_the_trouble_of_a_port_are_shown_and_stay() {
    let mut rig = Rig::new(&with_history(), EMU);
    let job = rig.jobs().into_iter().find_map(|work| if let Work::Read { job, .. } = work { Some(job) } else { None });
    rig.done(WorkDone::Read(job.expect("a backup file"), Err("No such file or directory".into())));
    rig.call(|sim, now, out| {
        sim.handle(now, Input::SolUnavailable(McAddress::BMC, "/dev/ttyS1: it is busy".into()), out);
    });
    let port = rig.sim.sol_port(McAddress::BMC).expect("a port");
    assert_eq!(port.trouble.as_deref(), Some("[SOL: /dev/ttyS1: it is busy]"));
    rig.call(|sim, now, out| sim.handle(now, Input::SolOpened(McAddress::BMC), out));
    rig.call(|sim, now, out| sim.handle(now, Input::SolData(McAddress::BMC, b"0123456789abcdefghijklmn".into()), out));
    for _ in 0..2 {
        // `readclear` is for clients.
        let port = rig.sim.sol_port(McAddress::BMC).expect("a port");
        assert_eq!((port.history.as_slice(), port.trouble), (b"456789abcdefghijklmn".as_slice(), None));
    }
    assert_eq!(rig.sim.sol_port(McAddress(0x30)), Err(NoSolPort));
}
