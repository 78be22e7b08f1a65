//! Attacks that `docs/SECURITY.md` names, against a whole system.

use super::*;
use crate::command::{privilege, table};
use crate::ipmi::Random;

const WITH_PROGRAMS: &str = r#"
name "test"
user 2 true "ipmiusr" "test" admin 10 md5
chassis_control "./control 0x20"
startlan 1
  addr 127.0.0.1 9001
  allowed_auths_admin md5
  guid a123456789abcdefa123456789abcdef
  lan_config_program "./lan 0x20"
endlan
"#;

#[test]
fn values_of_clients_reach_programs_as_plain_words_only() {
    let mut rig = Rig::new(WITH_PROGRAMS, EMU);
    rig.save();
    let mut client = administrator(&mut rig);
    let mut dice = Dice(3);
    let mut lines = std::collections::BTreeSet::new();
    // Bytes that a shell would take for something, more often than others.
    const TELLING: &[u8] = b"\"'`$(){};&|<>\\\n\r\0 #!*?~%=";
    for round in 0..4000 {
        let mut data = vec![0; dice.below(24)];
        dice.fill(&mut data);
        data.iter_mut()
            .filter(|byte| **byte & 1 == 0)
            .for_each(|byte| *byte = TELLING[usize::from(*byte) % TELLING.len()]);
        let (netfn, cmd) = [(0x0c, 1), (0x0c, 1), (0x0c, 2), (0, 2), (0, 4), (0, 8), (0, 9), (0, 5), (0, 6)][round % 9];
        if netfn == 0x0c {
            data.splice(0..data.len().min(2), [1, [3, 4, 5, 6, 12, 13, 14, 15, 16, 20][dice.below(10)]]);
        }
        if cmd == 8 {
            data.splice(0..data.len().min(1), [5]);
        }
        let packet = client.request(netfn, cmd, &data);
        rig.send(&packet);
        for (job, work) in rig.jobs() {
            match work {
                HostJob::Shell { line, .. } => {
                    lines.insert(line);
                    rig.shell(job, 0, "power:1\nboot:pxe\nip_addr_src:dhcp\n");
                }
                HostJob::SaveState { .. } => {
                    rig.call(|sim, now, out| sim.job_done(now, job, HostResult::Saved(Ok(())), out));
                }
                HostJob::File(_) => {}
            }
        }
    }
    assert!(lines.len() > 100, "{} lines", lines.len());
    for line in &lines {
        let rest = line.strip_prefix("./control 0x20 ").or_else(|| line.strip_prefix("./lan 0x20 "));
        let rest = rest.unwrap_or_else(|| panic!("{line:?}"));
        // An operation, then names and quoted values in turns.
        assert_eq!(rest.matches('"').count() % 2, 0, "{line:?}");
        for (index, piece) in rest.split('"').enumerate() {
            let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_ ".contains(&byte);
            let value = |byte: u8| plain(byte) || b".:".contains(&byte);
            let fits = piece.bytes().all(|byte| if index % 2 == 0 { plain(byte) } else { value(byte) });
            assert!(fits, "{line:?}");
        }
    }
}

/// The commands of the tables that a level may send, as `netfn cmd`.
fn registered(level: u8, not: u8) -> Vec<String> {
    let may = |level: u8, netfn, cmd| {
        Privilege::from_wire(level).is_some_and(|level| privilege::permitted(netfn, cmd, level))
    };
    (0..0x40)
        .step_by(2)
        .flat_map(|netfn| table(netfn).iter().map(move |entry| (netfn, entry)))
        .filter(|(netfn, entry)| may(level, *netfn, entry.cmd) && !may(not, *netfn, entry.cmd))
        .map(|(netfn, entry)| format!("{netfn:02x} {:02x} {}", entry.cmd, entry.name))
        .collect()
}

/// Whoever adds a command finds it here, and judges whether it may be there.
#[test]
fn what_callers_users_and_operators_may_do_is_this_and_no_more() {
    assert_eq!(registered(1, 0), CALLBACK);
    assert_eq!(registered(2, 1), USER);
    assert_eq!(registered(3, 2), OPERATOR);
}

const CALLBACK: &[&str] = &["06 37 Get System GUID", "06 48 Activate Payload", "06 49 Deactivate Payload"];
const USER: &[&str] = &[
    "00 00 Get Chassis Capabilities",
    "00 01 Get Chassis Status",
    "00 07 Get System Restart Cause",
    "00 0f Get POH Counter",
    "04 01 Get Event Receiver",
    "04 10 Get PEF Capabilities",
    "04 20 Get Device SDR Info",
    "04 21 Get Device SDR",
    "04 22 Reserve Device SDR Repository",
    "04 25 Get Sensor Hysteresis",
    "04 27 Get Sensor Thresholds",
    "04 29 Get Sensor Event Enable",
    "04 2d Get Sensor Reading",
    "04 2f Get Sensor Type",
    "06 01 Get Device ID",
    "06 04 Get Self Test Results",
    "06 07 Get ACPI Power State",
    "06 08 Get Device GUID",
    "06 25 Get Watchdog Timer",
    "06 2f Get BMC Global Enables",
    "06 41 Get Channel Access",
    "06 42 Get Channel Info",
    "06 4a Get Payload Activation Status",
    "06 4b Get Payload Instance Info",
    "06 4e Get Channel Payload Support",
    "06 4f Get Channel Payload Version",
    "0a 10 Get FRU Inventory Area Info",
    "0a 11 Read FRU Data",
    "0a 20 Get SDR Repository Info",
    "0a 21 Get SDR Repository Allocation Info",
    "0a 22 Reserve SDR Repository",
    "0a 23 Get SDR",
    "0a 28 Get SDR Repository Time",
    "0a 40 Get SEL Info",
    "0a 41 Get SEL Allocation Info",
    "0a 42 Reserve SEL",
    "0a 43 Get SEL Entry",
    "0a 48 Get SEL Time",
    "0c 22 Get SOL Configuration Parameters",
];
const OPERATOR: &[&str] = &[
    "00 02 Chassis Control",
    "00 04 Chassis Identify",
    "00 06 Set Power Restore Policy",
    "00 08 Set System Boot Options",
    "00 09 Get System Boot Options",
    "04 02 Platform Event",
    "04 13 Get PEF Configuration Parameters",
    "04 24 Set Sensor Hysteresis",
    "04 26 Set Sensor Thresholds",
    "04 28 Set Sensor Event Enable",
    "04 2a Rearm Sensor Events",
    "06 22 Reset Watchdog Timer",
    "06 24 Set Watchdog Timer",
    "06 44 Get User Access",
    "06 46 Get User Name",
    "06 4d Get User Payload Access",
    "0a 12 Write FRU Data",
    "0a 24 Add SDR",
    "0a 25 Partial Add SDR",
    "0a 26 Delete SDR",
    "0a 27 Clear SDR Repository",
    "0a 29 Set SDR Repository Time",
    "0a 2a Enter SDR Repository Update Mode",
    "0a 2b Exit SDR Repository Update Mode",
    "0a 44 Add SEL Entry",
    "0a 46 Delete SEL Entry",
    "0a 47 Clear SEL",
    "0a 49 Set SEL Time",
    "0c 02 Get LAN Configuration Parameters",
];

#[test]
fn what_is_for_the_outside_says_no_password_when_it_is_printed() {
    let mut rig = Rig::new(CONF, EMU);
    let mut client = administrator(&mut rig);
    let mut data = vec![5, 2];
    data.extend_from_slice(b"correct horse 16");
    let packet = client.request(6, 0x47, &data);
    rig.send(&packet);
    let printed = format!("{:?}", rig.effects);
    assert!(printed.contains("users.mc20"), "{printed}");
    let numbers = b"correct horse".map(|byte| byte.to_string()).join(", ");
    assert!(!printed.contains("correct horse") && !printed.contains(&numbers));
    let (config, _) = lan_conf::parse("lan.conf", CONF.as_bytes());
    let printed = format!("{config:?}");
    assert!(!printed.contains("test\\") && !printed.contains("116, 101, 115, 116"), "{printed}");
}

#[test]
fn in_band_requests_are_the_administrators_and_nobody_elses() {
    // The system interface asks for no password by definition (IPMI 2.0 section 6.8); what
    // must not be is that a session gets there. LUN 2, Send Message to channel 15 and to the
    // session itself stay what their level is.
    let mut rig = Rig::new(super::WITH_HOST, EMU);
    rig.call(|sim, now, out| sim.serial_connected(now, HOST, out));
    let mut client = client_of(&mut rig, 2);
    for channel in [0x4f, 0x4e, 0x41, 0x0f, 0xcf] {
        let mut carried = carried(0x20, 6, 0x47, &[2, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        carried[0] = channel;
        let packet = client.request(6, 0x34, &carried);
        rig.send(&packet);
    }
    assert!(rig.save().keys().all(|name| name == "guid"), "a user's password was changed");
    assert!((Login20 { suite: 3, ..Login20::default() }).run(&mut rig).is_ok());
}
