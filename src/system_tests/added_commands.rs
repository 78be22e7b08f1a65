//! Commands that were added to a system, asked by clients of every level.

use super::*;
use crate::command::{Context, Entry, Function, Outcome};
use crate::ipmi::{CompletionCode, McAddress, Response};

const NETFN: u8 = 0x3a;

fn count(context: &mut Context<'_>, _: &Request<'_>, response: &mut Response) -> Result<Outcome, CompletionCode> {
    let count = context.oem_value(1).first().map_or(1, |count| count + 1);
    context.set_oem_value(1, &[count])?;
    response.put(&[count])?;
    Ok(Outcome::Done)
}

static COUNTERS: &[Entry] = &[
    Entry::new(0x01, "Count For Anybody", count).any_level().acts(),
    Entry::new(0x02, "Count For Users", count).user().acts().fields("key:!", "count:d1"),
    Entry::new(0x03, "Count For Operators", count).operator().acts(),
    Entry::new(0x04, "Count For Administrators", count).acts(),
    Entry::new(0x05, "Count For The Host", count).system_interface().acts(),
];
static FOR_USERS: &[Entry] = &[Entry::new(0x02, "Chassis Control", count).user()];
static OF_SESSIONS: &[Entry] = &[Entry::new(0x39, "Get Session Challenge", count).any_level()];

fn rig() -> Rig {
    let mut rig = Rig::new(CONF, EMU);
    rig.sim.add_commands(Some(McAddress::BMC), Function::Number(NETFN), COUNTERS);
    rig
}

#[test]
fn an_added_command_needs_the_level_of_its_row() {
    for level in 1..=4 {
        let mut rig = rig();
        let mut client = Login20 { suite: 1, role: 0x10 | level, ..Login20::default() }.run(&mut rig).expect("login");
        if level > 2 {
            assert_eq!(client.ask(&mut rig, 6, 0x3b, &[level]), [0, level]);
        }
        let mut counted = 0;
        for (cmd, needed) in [(1, 1), (2, 2), (3, 3), (4, 4), (5, 5)] {
            let expected = if level >= needed {
                counted += 1;
                vec![0, counted]
            } else {
                vec![0xd4]
            };
            assert_eq!(client.ask(&mut rig, NETFN, cmd, &[9]), expected, "{cmd} at level {level}");
        }
        // What is not there needs an administrator, as ever.
        assert_eq!(client.ask(&mut rig, NETFN, 6, &[]), [if level == 4 { 0xc1 } else { 0xd4 }]);
        // The other controller has none of them, whatever carries the request there.
        if level > 1 {
            let packet = client.request(6, 0x34, &carried(0x30, NETFN, 2, &[9]));
            rig.send(&packet);
            let responses = rig.sent_messages(&mut client);
            let codes: Vec<u8> = responses.iter().map(|it| Message::parse(it).expect("a message").data[0]).collect();
            assert_eq!(codes, if level == 4 { vec![0, 0xc1] } else { vec![0xd4] });
        }
    }
}

#[test]
fn an_added_command_replaces_the_privilege_too() {
    let mut rig = rig();
    let mut client = client_of(&mut rig, 2);
    assert_eq!(client.ask(&mut rig, 0, 2, &[1]), [0xd4]);
    rig.sim.add_commands(None, Function::Number(0), FOR_USERS);
    assert_eq!(client.ask(&mut rig, 0, 2, &[1]), [0, 1]);
    rig.sim.add_commands(None, Function::Number(6), OF_SESSIONS);
    assert_eq!(client.ask(&mut rig, 6, 0x39, &[]), [0xd5], "what a channel answers stays the channel's");
}

#[test]
fn the_log_shows_an_added_command_by_name_and_none_of_its_secrets() {
    let mut rig = rig();
    let mut client = administrator(&mut rig);
    rig.command("debug msg");
    client.ask(&mut rig, NETFN, 2, b"secret");
    let shown: Vec<&str> = rig
        .effects
        .iter()
        .filter_map(|effect| if let Effect::ConsoleLog { text, .. } = effect { Some(text.as_str()) } else { None })
        .collect();
    let shown = shown.join("\n");
    assert!(shown.contains("OEM Count For Users (3a 02) key=***"), "{shown}");
    assert!(shown.contains("OEM Count For Users (3b 02): 00 ok count=1"), "{shown}");
    assert!(!shown.contains("73 65 63"), "{shown}");
}

#[test]
fn a_statement_defines_a_command_until_its_controller_is_gone() {
    const SATELLITE: &str = "mc_add 0x30 0 no-device-sdrs 1 1 1 0 0 0\nmc_enable 0x30";
    let mut rig = Rig::new(CONF, EMU);
    SATELLITE.lines().for_each(|line| rig.command(line));
    rig.command("oem_add 0x20 0x3a 2 data 9 privilege user response 0 count=7");
    rig.command("oem_add 0x30 0x3a 2 response 0 8");
    let mut client = administrator(&mut rig);
    assert_eq!(client.ask(&mut rig, NETFN, 2, &[9]), [0, 7]);
    // What comes again is answered again, and counted once.
    let number = client.rq_seq;
    for _ in 0..2 {
        client.rq_seq = number;
        assert_eq!(client.ask(&mut rig, NETFN, 2, &[9]), [0, 8]);
    }
    assert_eq!(client.ask(&mut rig, NETFN, 2, &[9]), [0, 9]);
    rig.command("oem_add 0x20 0x3a 2 data 9 privilege user response 0 count=7");
    assert_eq!(client.ask(&mut rig, NETFN, 2, &[9]), [0, 7], "a new row counts from its own beginning");
    let bridged = |rig: &mut Rig, client: &mut Client| {
        let packet = client.request(6, 0x34, &carried(0x30, NETFN, 2, &[]));
        rig.send(&packet);
        let response = rig.sent_messages(client).pop().expect("a response");
        Message::parse(&response).expect("a message").data.to_vec()
    };
    assert_eq!(bridged(&mut rig, &mut client), [0, 8]);
    rig.command("mc_delete 0x30");
    SATELLITE.lines().for_each(|line| rig.command(line));
    assert_eq!(bridged(&mut rig, &mut client), [0xc1]);
    assert_eq!(client.ask(&mut rig, NETFN, 2, &[9]), [0, 8]);
}

#[test]
fn a_program_that_a_statement_names_is_waited_for_by_nobody_else() {
    let mut rig = Rig::new(CONF, EMU);
    rig.command("oem_add 0x20 0x3a 9 privilege user run \"./oem.sh x\"");
    let mut client = administrator(&mut rig);
    let packet = client.request(NETFN, 9, &[1, 0xfe]);
    assert!(rig.send(&packet).is_empty());
    let (job, line) = rig.program_job();
    assert_eq!(line, "./oem.sh x 0x3a 0x09 0x01 0xfe");
    let mut other = administrator(&mut rig);
    assert_eq!(other.ask(&mut rig, 6, 1, &[])[0], 0);
    rig.shell(job, 0, "0xc9 0x01\n");
    let response = rig.sent.last().expect("a response").1.clone();
    assert_eq!(client.answer(&response), [0xc9, 1]);
    for (status, output) in [(1, "00"), (0, ""), (0, "0 1 2 x")] {
        let packet = client.request(NETFN, 9, &[]);
        rig.send(&packet);
        let (job, _) = rig.program_job();
        rig.shell(job, status, output);
        let response = rig.sent.last().expect("a response").1.clone();
        assert_eq!(client.answer(&response), [0xff], "{output}");
    }
}
