//! Work that takes its time: who may have how much of it wait, whose turn it is, and what becomes
//! of it when nobody waits for it any more.

use super::*;
use crate::ipmi::McAddress;

const BOARD: &str = r#"
name "test"
user 2 true "ipmiusr" "test" admin 10 md5
user 3 true "monitor" "test" user 10 md5
user 4 true "ops" "test" operator 10 md5
user 5 true "others" "test" operator 10 md5
chassis_control "./control"
serial 15 127.0.0.1 9002 codec VM
startlan 1
  addr 127.0.0.1 9001
  allowed_auths_admin md5
  guid a123456789abcdefa123456789abcdef
endlan
"#;

fn board() -> Rig {
    let mut rig = Rig::new(BOARD, EMU);
    assert_eq!(rig.faults, Vec::<String>::new());
    rig.call(|sim, now, out| sim.handle(now, Input::SerialConnected(HOST), out));
    rig.save();
    rig.effects.clear();
    rig
}

/// A session whose packets cost little, at the highest level of its user.
fn session_of(rig: &mut Rig, user: &'static str) -> Client {
    let level = match user {
        "monitor" => 2,
        "ipmiusr" => 4,
        _ => 3,
    };
    let mut client = Login20 { suite: 1, role: 0x10 | level, user, ..Login20::default() }.run(rig).expect("login");
    if level > 2 {
        assert_eq!(client.ask(rig, 6, 0x3b, &[level]), [0, level]);
    }
    client
}

/// Sends a request and gives the completion code, if a response came at once.
fn send(rig: &mut Rig, client: &mut Client, netfn: u8, cmd: u8, data: &[u8]) -> Option<u8> {
    let packet = client.request(netfn, cmd, data);
    rig.send(&packet).first().map(|datagram| client.answer(datagram)[0])
}

/// The program that runs, without its name, and its job. There is never more than one.
fn running(rig: &mut Rig) -> Option<(ProgramJob, String)> {
    let mut jobs = rig.jobs();
    assert!(jobs.len() <= 1, "{jobs:?}");
    let Work::Program { job, line, lane: McAddress::BMC } = jobs.pop()? else { panic!("no program") };
    Some((job, line.trim_start_matches("./control ").to_owned()))
}

/// Ends the programs one after the other, as long as there are any, and gives them in order.
fn run_all(rig: &mut Rig) -> Vec<String> {
    let mut lines = Vec::new();
    while let Some((job, line)) = running(rig) {
        rig.shell(job, 0, "power:1\n");
        lines.push(line);
    }
    lines
}

/// What the machine on the VM line asks, and whether it is answered at once and well.
fn host_asks(rig: &mut Rig, netfn: u8, cmd: u8, data: &[u8]) -> bool {
    let mut frame = vec![1, netfn << 2, cmd];
    frame.extend_from_slice(data);
    frame.push(frame.iter().fold(0u8, |sum, byte| sum.wrapping_sub(*byte)));
    frame.push(0xa0);
    rig.host_bytes();
    rig.call(|sim, now, out| sim.handle(now, Input::SerialData(HOST, (&frame).into()), out));
    rig.host_bytes().starts_with(&[1, (netfn | 1) << 2, cmd, 0])
}

#[test]
fn a_users_flood_of_slow_commands_takes_nothing_from_anybody_else() {
    let mut rig = board();
    let mut admin = session_of(&mut rig, "ipmiusr");
    let mut ops = session_of(&mut rig, "ops");
    let mut refused = 0;
    let mut flood: Vec<Client> = (0..33).map(|_| session_of(&mut rig, "monitor")).collect();
    for client in &mut flood {
        // Each is a little different, so that none counts as a copy of another.
        for round in 0..32 {
            refused += u32::from(send(&mut rig, client, 0, 1, &[round]) == Some(0xc0));
        }
        // Not even the flood's own commands are refused if they need no wait.
        assert_eq!(send(&mut rig, client, 6, 1, &[]), Some(0));
    }
    assert_eq!(refused, 33 * 32 - 64, "of one user only so many wait");
    for _ in 0..20 {
        assert_eq!(send(&mut rig, &mut admin, 6, 1, &[]), Some(0));
        assert_eq!(send(&mut rig, &mut ops, 6, 1, &[]), Some(0));
    }
    assert!(host_asks(&mut rig, 6, 0x24, &[4, 3, 0, 0, 20, 0]), "Set Watchdog Timer");
    assert!(host_asks(&mut rig, 6, 0x22, &[]), "Reset Watchdog Timer");
    // What waits does so beside the flood, and the host's own slow commands too.
    assert_eq!(send(&mut rig, &mut admin, 0, 2, &[1]), None);
    assert_eq!(send(&mut rig, &mut ops, 0, 4, &[9]), None);
    assert!(!host_asks(&mut rig, 0, 4, &[7]));
    let order = run_all(&mut rig);
    assert_eq!(order[0], "get power", "it ran already");
    assert_eq!(order.len(), 4, "{order:?}");
    for line in ["set power \"1\"", "set identify \"7 0\""] {
        assert!(order[1..3].iter().any(|other| other == line), "{order:?}");
    }
    assert_eq!(order[3], "set identify \"9 0\"");
}

#[test]
fn shares_are_kept_for_administrators_and_for_the_host() {
    let users: String =
        (5..60).map(|number| format!("user {number} true \"u{number}\" \"test\" user 10 md5\n")).collect();
    let admins: String =
        (60..64).map(|number| format!("user {number} true \"a{number}\" \"test\" admin 10 md5\n")).collect();
    let conf = BOARD.replace("user 5 true \"others\" \"test\" operator 10 md5\n", &(users + &admins));
    let mut rig = Rig::new(&conf, EMU);
    rig.call(|sim, now, out| sim.handle(now, Input::SerialConnected(HOST), out));
    let log_in = |rig: &mut Rig, prefix: &str, number: u32, level: u8| {
        let user: &'static str = format!("{prefix}{number}").leak();
        let mut client = Login20 { suite: 1, role: 0x10 | level, user, ..Login20::default() }.run(rig).expect("login");
        assert_eq!(client.ask(rig, 6, 0x3b, &[level]), [0, level]);
        client
    };
    let fill = |rig: &mut Rig, prefix: &str, number: u32, level: u8| {
        let mut waiting = 0;
        for _ in 0..2 {
            let mut client = log_in(rig, prefix, number, level);
            waiting += (0..32).filter(|round| send(rig, &mut client, 0, 1, &[*round]).is_none()).count();
        }
        waiting
    };
    let waiting: usize = (5..20).map(|number| fill(&mut rig, "u", number, 2)).sum();
    assert_eq!(waiting, 512, "users have half of it");
    assert_eq!((60..64).map(|number| fill(&mut rig, "a", number, 4)).sum::<usize>(), 4 * 64);
    let mut user = log_in(&mut rig, "u", 30, 2);
    assert_eq!(send(&mut rig, &mut user, 0, 1, &[]), Some(0xc0));
    assert!(!host_asks(&mut rig, 0, 4, &[7]), "it waits");
    assert_eq!(rig.host_bytes(), b"", "and is not refused");
}

#[test]
fn an_administrator_waits_for_the_program_that_runs_and_no_other() {
    let mut rig = board();
    let mut sessions: Vec<Client> = (0..10).map(|_| session_of(&mut rig, "ops")).collect();
    for round in 0..32 {
        for (number, client) in sessions.iter_mut().enumerate() {
            send(&mut rig, client, 0, 4, &[number as u8 * 10 + round]);
        }
    }
    let mut admin = session_of(&mut rig, "ipmiusr");
    assert_eq!(send(&mut rig, &mut admin, 0, 1, &[]), None);
    let (job, line) = running(&mut rig).expect("a program");
    assert_eq!(line, "set identify \"0 0\"");
    rig.shell(job, 0, "");
    let (job, line) = running(&mut rig).expect("a program");
    assert_eq!(line, "get power", "the administrator's turn");
    rig.shell(job, 0, "power:1\n");
    let [(_, datagram)] = rig.sent.as_slice() else { panic!("{:?}", rig.sent) };
    assert_eq!(admin.answer(&datagram.clone())[..2], [0, 1]);
}

#[test]
fn turns_go_round_users_and_then_their_sessions() {
    let mut rig = board();
    let mut first: Vec<Client> = (0..2).map(|_| session_of(&mut rig, "ops")).collect();
    for number in 1..=4 {
        send(&mut rig, &mut first[0], 0, 4, &[number]);
    }
    for number in 11..=12 {
        send(&mut rig, &mut first[1], 0, 4, &[number]);
    }
    let mut other = session_of(&mut rig, "others");
    for number in 21..=23 {
        send(&mut rig, &mut other, 0, 4, &[number]);
    }
    let order = run_all(&mut rig);
    let numbers: Vec<&str> = order.iter().map(|line| &line["set identify \"".len()..line.len() - 3]).collect();
    assert_eq!(numbers, ["1", "21", "11", "22", "2", "23", "12", "3", "4"]);
}

#[test]
fn a_power_cycle_goes_on_beside_a_flood() {
    let mut rig = board();
    let mut admin = session_of(&mut rig, "ipmiusr");
    assert_eq!(send(&mut rig, &mut admin, 0, 2, &[2]), None);
    assert_eq!(run_all(&mut rig), ["set power \"0\""]);
    let mut client = session_of(&mut rig, "ops");
    for number in 0..32 {
        send(&mut rig, &mut client, 0, 4, &[number]);
    }
    rig.wait(1);
    let (job, _) = running(&mut rig).expect("the first of the flood");
    rig.shell(job, 0, "");
    let (job, line) = running(&mut rig).expect("the look whether it is off");
    assert_eq!(line, "get power");
    rig.shell(job, 0, "power:0\n");
    assert_eq!(running(&mut rig).expect("on again").1, "set power \"1\"");
}

#[test]
fn what_a_session_asked_for_does_not_begin_once_it_is_gone() {
    let mut rig = board();
    let mut gone = session_of(&mut rig, "ops");
    let mut stays = session_of(&mut rig, "others");
    for number in 1..=3 {
        assert_eq!(send(&mut rig, &mut gone, 0, 4, &[number]), None);
    }
    assert_eq!(send(&mut rig, &mut gone, 0, 1, &[]), None);
    assert_eq!(send(&mut rig, &mut stays, 0, 4, &[9]), None);
    let session = gone.session.to_le_bytes();
    assert_eq!(send(&mut rig, &mut gone, 6, 0x3c, &session), Some(0));
    assert_eq!(run_all(&mut rig), ["set identify \"1 0\"", "set identify \"9 0\""]);
    assert_eq!(rig.sent.len(), 1, "the other has its answer");
    // A call that others wait for as well is made.
    let mut gone = session_of(&mut rig, "ops");
    assert_eq!(send(&mut rig, &mut stays, 0, 4, &[8]), None);
    assert_eq!(send(&mut rig, &mut gone, 0, 1, &[]), None);
    let mut third = session_of(&mut rig, "ipmiusr");
    assert_eq!(send(&mut rig, &mut third, 0, 1, &[]), None);
    let session = gone.session.to_le_bytes();
    assert_eq!(send(&mut rig, &mut gone, 6, 0x3c, &session), Some(0));
    assert_eq!(run_all(&mut rig), ["set identify \"8 0\"", "get power"]);
}

#[test]
fn equal_questions_under_way_are_put_to_the_program_once() {
    let mut rig = board();
    let mut clients: Vec<Client> = (0..5).map(|_| session_of(&mut rig, "monitor")).collect();
    for client in &mut clients {
        assert_eq!(send(&mut rig, client, 0, 1, &[]), None);
    }
    let (job, line) = running(&mut rig).expect("a program");
    assert_eq!(line, "get power");
    rig.shell(job, 0, "power:1\n");
    let sent = rig.sent.clone();
    assert_eq!(sent.len(), clients.len());
    for (client, (_, datagram)) in clients.iter_mut().zip(&sent) {
        assert_eq!(client.answer(datagram)[..2], [0, 1]);
    }
    assert!(running(&mut rig).is_none());
    // Afterwards it is asked anew.
    assert_eq!(send(&mut rig, &mut clients[0], 0, 1, &[]), None);
    assert_eq!(run_all(&mut rig), ["get power"]);
}

#[test]
fn a_question_after_ones_own_change_is_answered_after_the_change() {
    let mut rig = board();
    let mut monitor = session_of(&mut rig, "monitor");
    let mut admin = session_of(&mut rig, "ipmiusr");
    assert_eq!(send(&mut rig, &mut monitor, 0, 1, &[]), None);
    assert_eq!(send(&mut rig, &mut admin, 0, 2, &[1]), None);
    assert_eq!(send(&mut rig, &mut admin, 0, 1, &[]), None);
    assert_eq!(run_all(&mut rig), ["get power", "set power \"1\"", "get power"]);
}

#[test]
fn a_flood_of_changes_is_refused_before_it_changes_anything() {
    let mut rig = board();
    let mut ops = session_of(&mut rig, "ops");
    let mut record = [0; 16];
    record[2] = 2;
    let mut add = |number| {
        record[7] = number;
        send(&mut rig, &mut ops, 0x0a, 0x44, &record)
    };
    let responses: Vec<_> = (0..40).map(&mut add).collect();
    assert_eq!(responses, [vec![None; 32], vec![Some(0xc0); 8]].concat());
    // Reading waits for no disk.
    assert_eq!(send(&mut rig, &mut ops, 6, 1, &[]), Some(0));
    rig.save();
    let info = ops.ask(&mut rig, 0x0a, 0x40, &[]);
    assert_eq!(info[2..4], [32, 0], "entries");
}

#[test]
fn a_program_that_always_fails_does_not_fill_the_log() {
    let mut rig = board();
    let mut monitor = session_of(&mut rig, "monitor");
    for round in 0..1000u16 {
        let [low, high] = round.to_le_bytes();
        assert_eq!(send(&mut rig, &mut monitor, 0, 1, &[low, high]), None);
        let (job, _) = running(&mut rig).expect("a program");
        rig.shell(job, 0x7f00, "");
    }
    let failures = |rig: &Rig| rig.logs().iter().filter(|text| text.contains("exit status 127: not found")).count();
    let written = failures(&rig);
    assert!((1..=30).contains(&written), "{written} lines");
    rig.wait(20);
    let summary = format!("{} more lines about programs of MC 0x20 were left out", 1000 - written);
    assert!(rig.logs().contains(&summary.as_str()), "{:?}", rig.logs());
}

#[test]
fn a_start_command_that_ends_is_logged_and_started_again_if_that_was_asked_for() {
    let conf = BOARD.replace("chassis_control \"./control\"", "startcmd \"qemu\"");
    let mut rig = Rig::new(&conf, EMU);
    let mut admin = session_of(&mut rig, "ipmiusr");
    let starts = |rig: &mut Rig| {
        let (starts, others) = std::mem::take(&mut rig.effects)
            .into_iter()
            .partition::<Vec<_>, _>(|effect| matches!(effect, Effect::StartProcess { .. }));
        rig.effects = others;
        starts.len()
    };
    assert_eq!(send(&mut rig, &mut admin, 0, 2, &[1]), Some(0));
    assert_eq!(starts(&mut rig), 1);
    rig.call(|sim, now, out| sim.handle(now, Input::ProcessStarted(McAddress::BMC, None), out));
    assert_eq!(send(&mut rig, &mut admin, 0, 8, &[5, 0x80, 4, 0, 0, 0]), Some(0));
    assert_eq!(send(&mut rig, &mut admin, 0, 2, &[0]), Some(0));
    assert_eq!(send(&mut rig, &mut admin, 0, 2, &[1]), Some(0));
    assert_eq!(starts(&mut rig), 0, "it has not ended yet");
    rig.wait(2);
    assert!(rig.effects.contains(&Effect::SignalProcess { mc: McAddress::BMC, kill: false }));
    rig.call(|sim, now, out| sim.handle(now, Input::ProcessExited(McAddress::BMC, Some(15)), out));
    assert_eq!(starts(&mut rig), 1);
    assert_eq!(admin.ask(&mut rig, 0, 9, &[5, 0, 0])[3..5], [0, 4], "this boot took the flags");
    rig.call(|sim, now, out| sim.handle(now, Input::ProcessStarted(McAddress::BMC, None), out));
    rig.effects.clear();
    rig.call(|sim, now, out| sim.handle(now, Input::ProcessExited(McAddress::BMC, Some(0x300)), out));
    assert_eq!(starts(&mut rig), 0);
    let text = "The start command of MC 0x20 has ended: exit status 3";
    assert!(rig.effects.contains(&Effect::Log { level: LogLevel::Warning, text: text.into() }), "{:?}", rig.logs());
}
