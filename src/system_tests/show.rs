//! What `status`, `sessions`, `sensors`, `sel` and `power` show.

use super::*;
use crate::ipmi::{McAddress, UserNumber};

impl Rig {
    /// What a command prints, or its complaint.
    fn shown(&mut self, line: &str) -> String {
        self.effects.retain(|effect| !matches!(effect, Effect::Print { .. }));
        self.command(line);
        let printed = self.effects.iter().filter_map(|effect| match effect {
            Effect::Print { text, .. } => Some(text.as_str()),
            _ => None,
        });
        printed.collect::<String>() + &self.faults.drain(..).collect::<String>()
    }
}

fn version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}

#[test]
fn status_tells_what_each_controller_does() {
    let mut rig = Rig::new(CONF, EMU);
    let quiet = format!(
        "ipmi_sim {}, name \"test\"\n\
         MC 0x20 (BMC): enabled, power off, boot device default\n  \
         LAN channel 1: 127.0.0.1:9001, 0 sessions\n  \
         watchdog: not running\n  \
         SEL: 0 of 100 records\n\
         MC 0x30: enabled, power off, boot device default\n",
        version()
    );
    assert_eq!(rig.shown("status"), quiet);
    rig.lan_opened("127.0.0.1:4711");
    let mut client = administrator(&mut rig);
    // Power on, next boot from disk, a watchdog of 50 seconds, an event.
    assert_eq!(client.ask(&mut rig, 0, 2, &[1]), [0]);
    assert_eq!(client.ask(&mut rig, 0, 8, &[5, 0x80, 0x08, 0, 0, 0]), [0]);
    assert_eq!(client.ask(&mut rig, 6, 0x24, &[4, 0, 0, 0, 0xf4, 1]), [0]);
    assert_eq!(client.ask(&mut rig, 6, 0x22, &[]), [0]);
    rig.command("sel_add 0x20 0xe0 1 2 3 4 5 6 7 8 9 10 11 12 13");
    rig.command("mc_disable 0x30");
    rig.wait(2);
    let busy = rig.shown("status");
    for part in [
        "MC 0x20 (BMC): enabled, power on, boot device disk for the next boot\n",
        "LAN channel 1: 127.0.0.1:4711, 1 session\n",
        "watchdog: running, 48.0 s left\n",
        "SEL: 1 of 100 records\n",
        "MC 0x30: disabled, power off",
    ] {
        assert!(busy.contains(part), "no {part:?} in\n{busy}");
    }
}

#[test]
fn status_tells_of_the_virtual_machine() {
    let conf = format!("{CONF}serial 15 127.0.0.1 9002 codec VM\nstartcmd \"qemu\"\nset_working_mc 0x40\n");
    let mut rig = Rig::new(&conf, EMU);
    let text = rig.shown("status");
    assert!(text.contains("start command: not running\n  VM: not connected\n"), "{text}");
    assert!(text.contains("MC 0x40: not added, "), "{text}");
    rig.host_connects();
    rig.call(|sim, now, out| sim.handle(now, Input::ProcessStarted(McAddress::BMC, None), out));
    let text = rig.shown("status");
    assert!(text.contains("power on") && text.contains("start command: running\n  VM: connected\n"), "{text}");
}

#[test]
fn sessions_are_listed_without_secrets() {
    let mut rig = Rig::new(CONF, EMU);
    assert_eq!(rig.shown("sessions"), "MC 0x20 has no sessions\n");
    let _first = administrator(&mut rig);
    let _second = Login15::default().run(&mut rig).expect("login");
    rig.wait(7);
    let text = rig.shown("sessions 0x20");
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 2, "{text}");
    for (line, start, end) in [
        (lines[0], "channel 1: user 2 \"ipmiusr\", admin, from ", ", IPMI 2.0, idle 7 s"),
        (lines[1], "channel 1: user 2 \"ipmiusr\", ", ", IPMI 1.5, idle 7 s"),
    ] {
        assert!(line.starts_with(start) && line.ends_with(end), "{line}");
    }
    assert!(!text.contains("\"test\""), "no password");
    assert_eq!(rig.shown("sessions 0x30"), "MC 0x30 has no sessions\n");
}

#[test]
fn a_session_with_serial_over_lan_is_marked() {
    let mut rig = Rig::new(WITH_SOL, EMU);
    let mut client = administrator(&mut rig);
    assert!(!rig.shown("sessions").contains("SOL"));
    assert_eq!(client.ask(&mut rig, 6, 0x48, &[1, 1, 0xc0, 0, 0, 0])[0], 0);
    assert!(rig.shown("sessions").ends_with(", SOL active\n"));
}

#[test]
fn a_user_name_cannot_move_the_cursor() {
    let mut rig = Rig::new(CONF, EMU);
    let mut client = administrator(&mut rig);
    // Its sessions end with the change of the name, so it is put there behind their back.
    let _ = client.ask(&mut rig, 6, 1, &[]);
    let name = &mut rig
        .sim
        .machine_mut()
        .controller_mut(McAddress::BMC)
        .unwrap()
        .users
        .get_mut(UserNumber::new(2).unwrap())
        .unwrap()
        .name;
    *name = *b"\x1b[2Jx\r\n\t\xff\0\0\0\0\0\0\0";
    let text = rig.shown("sessions");
    assert!(text.contains("user 2 \"\u{241b}[2Jx\u{240d}\u{240a}\u{2409}\u{fffd}\", admin"), "{text:?}");
}

/// A full record of sensor 1, `3x - 50` in degrees C, called "Temp"; a compact one of sensor 2.
const SENSORS: &str = "
main_sdr_add 0x20 0 0 0x51 0x01 0x2f 0x20 0 1 3 1 0x7f 0x68 1 1 0x80 0x0a 0x80 0x7a 0x38 0x38 \
 0 1 0 0 3 0 0xfb 0xc0 0 1 0 0 0 0 0xff 0 200 190 180 30 20 10 0 0 0 0 0 0xc4 'T 'e 'm 'p
main_sdr_add 0x20 0 0 0x51 0x02 0x1f 0x20 0 2 3 1 0x63 0x40 5 0x6f 1 0 1 0 1 0 0 0 0 1 0 0 0 0 0 0 0 0xc4 'D 'o 0x1b 'r
sensor_add 0x20 0 1 1 1
sensor_add 0x20 0 2 5 0x6f
sensor_add 0x20 1 3 1 1
sensor_set_threshold 0x20 0 1 settable 111111 200 190 180 10 20 30
";

#[test]
fn sensors_show_values_and_states_in_words() {
    let mut rig = Rig::new(CONF, &format!("{EMU}{SENSORS}"));
    assert_eq!(rig.faults, Vec::<String>::new());
    assert_eq!(rig.shown("sensors 0x30"), "MC 0x30 has no sensors\n");
    assert_eq!(
        rig.shown("sensors"),
        "LUN 0 sensor 0: only makes events\n\
         LUN 0 sensor 1 \"Temp\": no reading yet\n\
         LUN 0 sensor 2 \"Do\u{241b}r\": no reading yet\n\
         LUN 1 sensor 3: no reading yet\n"
    );
    for line in [
        "sensor_set_value 0x20 0 1 100 0",
        "sensor_set_bit 0x20 0 2 0 1 0",
        "sensor_set_bit 0x20 0 2 3 1 0",
        "sensor_set_value 0x20 1 3 7 0",
    ] {
        rig.command(line);
    }
    let text = rig.shown("sensors 0x20");
    let temp = |text: &str| text.lines().find(|line| line.contains("Temp")).unwrap_or_default().to_owned();
    assert!(temp(&text).ends_with("\"Temp\": 250 degrees C, raw 0x64, ok"), "{text}");
    assert!(text.contains("raw 0x00, state 0, state 3"), "{text}");
    assert!(text.contains("LUN 1 sensor 3: raw 0x07, ok, scanning is off\n"), "{text}");
    rig.command("sensor_set_value 0x20 0 1 195 0");
    let text = rig.shown("sensors");
    assert!(temp(&text).ends_with("535 degrees C, raw 0xc3, upper non-critical, upper critical"), "{text}");
    rig.command("sensor_set_value 0x20 0 1 5 0");
    let text = rig.shown("sensors");
    let low = "-35 degrees C, raw 0x05, lower non-critical, lower critical, lower non-recoverable";
    assert!(temp(&text).ends_with(low), "{text}");
}

#[test]
fn the_event_log_shows_the_newest_fifty() {
    let mut rig = Rig::new(CONF, EMU);
    assert_eq!(rig.shown("sel"), "MC 0x20: the event log is empty, with room for 100 records\n");
    assert_eq!(rig.shown("sel 0x30"), "MC 0x30 has no event log\n");
    for number in 1..=50 {
        rig.command(&format!("sel_add 0x20 0xe0 {number} 2 3 4 5 6 7 8 9 10 11 12 13"));
    }
    let all = rig.shown("sel");
    assert_eq!(all.lines().count(), 50);
    assert!(all.starts_with("    1 no time: type 0xe0, data 01 02 03"), "{all}");
    rig.command("sel_add 0x20 2 0 0 0 0 0x20 0 4 1 9 1 0x57 0x60 0x64");
    let text = rig.shown("sel");
    assert!(text.starts_with("(1 older record left out)\n    2 no time: "), "{text}");
    assert_eq!(text.lines().count(), 51);
    let last = "sensor 9, sensor type 0x01, asserted, event type 0x01, data 57 60 64\n";
    assert!(text.ends_with(last) && text.contains("\n   51 "), "{text}");
    rig.command("sel_add 0x20 0xe0 51 2 3 4 5 6 7 8 9 10 11 12 13");
    assert!(rig.shown("sel").starts_with("(2 older records left out)\n"));
}

#[test]
fn power_is_told_and_a_program_is_not_asked() {
    let mut rig = Rig::new(CONF, EMU);
    assert_eq!(rig.shown("power"), "MC 0x20: power off\n");
    let mut client = administrator(&mut rig);
    assert_eq!(client.ask(&mut rig, 0, 2, &[1]), [0]);
    assert_eq!(rig.shown("power"), "MC 0x20: power on\n");
    assert_eq!(rig.shown("power 0x30"), "MC 0x30: power off\n");

    let mut rig = Rig::new(&format!("{CONF}chassis_control \"./power\"\n"), EMU);
    let mut client = administrator(&mut rig);
    rig.save();
    let asks = "    chassis_control decides; the program is asked when a client asks, not here\n";
    assert_eq!(rig.shown("power"), format!("MC 0x20: power not seen on yet\n{asks}"));
    assert!(rig.shown("status").contains("power not seen on yet, "));
    assert!(rig.jobs().is_empty(), "nothing is run");
    for (response, expected) in [("1", "on when last asked"), ("0", "off when last asked")] {
        let packet = client.request(0, 1, &[]);
        rig.send(&packet);
        let (job, _) = rig.program_job();
        rig.shell(job, 0, &format!("power:{response}\n"));
        rig.wait(1);
        assert_eq!(rig.shown("power"), format!("MC 0x20: power {expected}\n{asks}"));
    }
}

#[test]
fn what_does_not_exist_is_a_complaint() {
    let mut rig = Rig::new(CONF, EMU);
    for word in ["sessions", "sensors", "sel", "power"] {
        assert!(rig.shown(&format!("{word} 0x44")).starts_with("Invalid MC address 0x44"), "{word}");
    }
    let mut rig = Rig::new(CONF, "");
    assert_eq!(rig.shown("power"), "There is no BMC: mc_setbmc names it; or give the address of an MC");
    assert_eq!(rig.shown("power 0x20"), "MC 0x20: power off\n");
    assert!(rig.shown("status").contains("MC 0x20: not added, power off"));
}

#[test]
fn showing_changes_nothing() {
    let mut rig = Rig::new(CONF, &format!("{EMU}{SENSORS}"));
    let _client = administrator(&mut rig);
    rig.save();
    let before = (rig.sim.deadline(), format!("{:?}", rig.sim.machine()));
    rig.effects.clear();
    for line in ["status", "sessions", "sensors", "sel", "power", "status 1", "power 0x30"] {
        rig.command(line);
    }
    assert_eq!((rig.sim.deadline(), format!("{:?}", rig.sim.machine())), before);
    assert!(rig.effects.iter().all(|effect| matches!(effect, Effect::Print { .. })), "{:?}", rig.effects);
}
