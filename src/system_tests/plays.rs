//! Consoles that play: what clients, histories and onlookers hear of them, and when.

use super::*;
use crate::bmc::chassis::Control;
use crate::ipmi::McAddress;
use crate::settings::model::SolTarget;
use crate::sim::OnDisk;
use crate::wire::session20::PayloadType;

/// A boot log of so many lines.
fn boot_log(lines: usize) -> String {
    (0..lines).map(|number| format!("[{number:5}] line\n")).collect()
}

/// The same as a terminal gets it.
fn on_screen(lines: usize) -> String {
    boot_log(lines).replace('\n', "\r\n")
}

/// A system whose console plays, and the folder of its files. `options` stand behind the bit rate.
fn playing(lines: usize, play: &str, options: &str) -> (Rig, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("boot.log"), boot_log(lines)).unwrap();
    (Rig::new(&conf(&folder, play, options), EMU), folder)
}

fn conf(folder: &tempfile::TempDir, play: &str, options: &str) -> String {
    let log = folder.path().join("boot.log");
    let line = format!("play:{}\" 115200 {options}", play.replace("LOG", &format!("log {}", log.display())));
    WITH_SOL.replace("/dev/ttyS1\" 115200", &line)
}

/// What is in the history, as text.
fn history(rig: &mut Rig) -> String {
    String::from_utf8(rig.sim.sol_port(McAddress::BMC).unwrap().history).unwrap()
}

/// What an onlooker heard since the last call.
fn tapped(rig: &mut Rig) -> String {
    rig.sim.take_sol_output().into_iter().map(|output| String::from_utf8(output.bytes).unwrap()).collect()
}

fn control(rig: &mut Rig, control: Control) {
    rig.call(|sim, now, out| sim.control(now, control, out).unwrap());
}

/// What the console of a client shows: packets of SOL are acknowledged until no more come.
fn screen(rig: &mut Rig, client: &mut Client) -> String {
    let mut screen = Vec::new();
    loop {
        let sent = std::mem::take(&mut rig.sent);
        let packets: Vec<_> = sent.iter().map(|(_, datagram)| client.read(datagram)).collect();
        let mut packets = packets.into_iter().filter(|(_, kind, packet)| *kind == PayloadType::Sol && packet[0] != 0);
        let Some((_, _, packet)) = packets.next_back() else { return String::from_utf8(screen).unwrap() };
        screen.extend_from_slice(&packet[4..]);
        rig.send(&client.packet(PayloadType::Sol, &[0, packet[0], (packet.len() - 4) as u8, 0]));
    }
}

fn console(rig: &mut Rig) -> Client {
    let mut client = administrator(rig);
    assert_eq!(client.ask(rig, 6, 0x48, &[1, 1, 0, 0, 0, 0])[0], 0);
    client
}

fn types(rig: &mut Rig, client: &mut Client, number: u8, keys: &[u8]) -> String {
    rig.send(&client.packet(PayloadType::Sol, &[&[number, 0, 0, 0], keys].concat()));
    screen(rig, client)
}

#[test]
fn the_power_begins_and_ends_a_play() {
    let (mut rig, _folder) = playing(4, "LOG rate 2, prompt '# '", "history=10000");
    rig.wait(10);
    assert_eq!(history(&mut rig), "", "it is off");
    control(&mut rig, Control::PowerUp);
    assert_eq!(history(&mut rig), on_screen(1));
    rig.wait(1);
    assert_eq!(history(&mut rig), on_screen(3));
    rig.wait(1);
    let whole = on_screen(4) + "# ";
    assert_eq!(history(&mut rig), whole);
    assert_eq!(rig.sim.sol_deadline(McAddress::BMC), None, "a prompt waits without a timer");
    control(&mut rig, Control::Reset);
    rig.wait(1);
    assert_eq!(history(&mut rig), whole.clone() + &on_screen(3));
    control(&mut rig, Control::PowerDown);
    rig.wait(10);
    assert_eq!(history(&mut rig), whole.clone() + &on_screen(3));
    assert_eq!(rig.sim.sol_deadline(McAddress::BMC), None);
    control(&mut rig, Control::PowerUp);
    rig.wait(5);
    control(&mut rig, Control::PowerCycle);
    rig.wait(30);
    assert_eq!(history(&mut rig), whole.clone() + &on_screen(3) + &whole + &whole);
}

#[test]
fn a_client_hears_it_and_is_answered() {
    let (mut rig, _folder) = playing(3, "LOG, prompt 'node1 login: ' banner 'Hello\\n'", "");
    let mut client = console(&mut rig);
    assert_eq!(screen(&mut rig, &mut client), "");
    assert_eq!(types(&mut rig, &mut client, 1, b"lost"), "", "nobody is there");
    rig.send(&client.request(0, 2, &[1]));
    assert_eq!(screen(&mut rig, &mut client), on_screen(3) + "Hello\r\nnode1 login: ");
    assert_eq!(types(&mut rig, &mut client, 2, b"roto\x7f\x7fot"), "roto\x08 \x08\x08 \x08ot");
    assert_eq!(types(&mut rig, &mut client, 3, b"\r"), "\r\nnode1 login: ");
    rig.send(&client.request(0, 2, &[3]));
    assert_eq!(screen(&mut rig, &mut client), on_screen(3) + "Hello\r\nnode1 login: ");
}

#[test]
fn what_nobody_hears_is_not_computed_and_who_comes_hears_the_rest() {
    let (mut rig, _folder) = playing(100, "LOG rate 1", "");
    control(&mut rig, Control::PowerUp);
    assert_eq!(rig.sim.sol_deadline(McAddress::BMC), None);
    rig.wait(10);
    let mut client = console(&mut rig);
    assert!(rig.sim.sol_deadline(McAddress::BMC).is_some());
    let mut seen = String::new();
    for _ in 0..30 {
        let due = rig.sim.deadline().unwrap();
        rig.now = due.max(rig.now);
        rig.call(|sim, now, out| sim.handle(now, Input::Timeout, out));
        seen += &screen(&mut rig, &mut client);
        if seen.len() > 40 {
            break;
        }
    }
    assert!(on_screen(100)[on_screen(11).len()..].starts_with(&seen) && seen.len() > 40, "{seen}");
    assert_eq!(client.ask(&mut rig, 6, 0x49, &[1, 1, 0, 0, 0, 0]), [0]);
    assert_eq!(rig.sim.sol_deadline(McAddress::BMC), None);
    // Whoever looks on is somebody, too.
    rig.wait(5);
    rig.sim.tap_sol(rig.now, McAddress::BMC).unwrap();
    rig.wait(2);
    let text = tapped(&mut rig);
    assert_eq!(text.lines().count(), 2, "{text}");
    assert!(on_screen(100).contains(&text));
    rig.sim.untap_sol(McAddress::BMC);
    rig.now = rig.now + Duration::from_secs(20);
    rig.sim.tap_sol(rig.now, McAddress::BMC).unwrap();
    rig.wait(1);
    let text = tapped(&mut rig);
    assert_eq!(text.lines().count(), 1, "{text}");
}

#[test]
fn a_long_log_waits_for_the_client_that_reads_it() {
    let (mut rig, _folder) = playing(20_000, "LOG, prompt", "history=16");
    let mut client = console(&mut rig);
    rig.send(&client.request(0, 2, &[1]));
    assert_eq!(screen(&mut rig, &mut client), on_screen(20_000) + "login: ");
    assert_eq!(history(&mut rig), (on_screen(20_000) + "login: ")[on_screen(20_000).len() - 9..]);
}

#[test]
fn a_line_that_is_read_again_plays_on_unless_it_is_another() {
    let (mut rig, folder) = playing(10, "LOG rate 1", "history=10000");
    control(&mut rig, Control::PowerUp);
    rig.wait(2);
    let reload = |rig: &mut Rig, play: &str| {
        let text = conf(&folder, play, "history=10000");
        let (config, _) = lan_conf::parse("lan.conf", text.as_bytes());
        let mut config = config.unwrap();
        assert_eq!(Recordings::default().load(&mut config, "lan.conf", &text), []);
        let config = Box::new(config);
        rig.effects.clear();
        rig.call(|sim, now, out| sim.handle(now, Input::Reload { config, files: OnDisk::default() }, out));
        let changes = rig.effects.iter().find_map(|effect| match effect {
            Effect::Reloaded(changes) => Some(changes.iter().map(ToString::to_string).collect::<Vec<_>>()),
            _ => None,
        });
        changes.unwrap()
    };
    assert_eq!(reload(&mut rig, "LOG rate 1"), Vec::<String>::new());
    rig.wait(1);
    assert_eq!(history(&mut rig), on_screen(4));
    assert_eq!(reload(&mut rig, "LOG rate 2"), ["what plays at the sol line of MC 0x20 changed"]);
    rig.wait(1);
    assert_eq!(history(&mut rig), on_screen(4) + &on_screen(3));
    // What it plays is another as well when the file is.
    std::fs::write(folder.path().join("boot.log"), "other\n").unwrap();
    assert_eq!(reload(&mut rig, "LOG rate 2"), ["what plays at the sol line of MC 0x20 changed"]);
    assert_eq!(history(&mut rig), on_screen(4) + &on_screen(3) + "other\r\n");
}

#[test]
fn nothing_is_opened_for_it_and_faults_strike_it() {
    let (mut rig, _folder) = playing(2, "LOG rate 1", "history=1000");
    assert!(!rig.effects.iter().any(|effect| matches!(effect, Effect::OpenSol { .. })));
    rig.command("fault sol_lose count 1");
    control(&mut rig, Control::PowerUp);
    rig.wait(2);
    assert_eq!(history(&mut rig), &on_screen(2)[on_screen(1).len()..]);
}

#[test]
fn a_play_without_its_files_is_silent() {
    let (config, faults) = lan_conf::parse("lan.conf", WITH_SOL.replace("/dev/ttyS1", "play:log x, prompt").as_bytes());
    let sol = config.unwrap_or_else(|| panic!("{faults:?}")).controllers[0].sol.clone().unwrap();
    let SolTarget::Play(play) = sol.target else { panic!() };
    assert_eq!(play.parts.len(), 2);
}
