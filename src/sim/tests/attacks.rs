//! Attacks that `docs/SECURITY.md` names, against a whole system.

use super::*;
use crate::command::{privilege, table};
use crate::ipmi::Random;
use crate::wire::session15::AuthType;

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

/// The names of the commands of all tables that `level` may send and the level below may not.
fn registered(level: u8) -> impl Iterator<Item = &'static str> {
    let may = |level: u8, netfn, cmd| {
        Privilege::from_wire(level).is_some_and(|level| privilege::permitted(netfn, cmd, level))
    };
    (0..0x40)
        .step_by(2)
        .flat_map(|netfn| table(netfn).iter().map(move |entry| (netfn, entry)))
        .filter(move |(netfn, entry)| may(level, *netfn, entry.cmd) && !may(level - 1, *netfn, entry.cmd))
        .map(|(_, entry)| entry.name)
}

/// Whoever adds a command whose name says that it changes something has to think about it here.
#[test]
fn what_callers_users_and_operators_may_do_is_this_and_no_more() {
    let only = |level, fits: &dyn Fn(&str) -> bool| {
        let not: Vec<&str> = registered(level).filter(|name| !fits(name)).collect();
        assert_eq!(not, Vec::<&str>::new(), "too much for level {level}");
        assert!(registered(level).count() > 0);
    };
    only(1, &|name| ["Get System GUID", "Activate Payload", "Deactivate Payload"].contains(&name));
    only(2, &|name| ["Get ", "Read ", "Reserve "].iter().any(|verb| name.starts_with(verb)));
    // An operator works the machine; users, channels, LAN, SOL and PEF are the administrator's.
    only(3, &|name| {
        let settings = ["User", "Channel", "Configuration Parameters", "Session", "Security", "Payload", "Firewall"];
        name.starts_with("Get ") || !settings.iter().any(|word| name.contains(word))
    });
}

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

#[test]
fn without_user_lines_nobody_gets_in() {
    // What other BMCs are delivered with, and what the samples of this one say.
    const DEFAULTS: [(&str, &str); 10] = [
        ("", ""),
        ("admin", "admin"),
        ("ADMIN", "ADMIN"),
        ("root", "calvin"),
        ("USERID", "PASSW0RD"),
        ("Administrator", ""),
        ("root", "0penBmc"),
        ("root", "changeme"),
        ("ipmiusr", "test"),
        ("\0", ""),
    ];
    let open = CONF
        .replace("user 2 true \"ipmiusr\" \"test\" admin 10 md5", "")
        .replace("allowed_auths_admin md5", "allowed_auths_admin none md2 md5 straight")
        .replace("allowed_auths_user md5", "allowed_auths_user none md2 md5 straight");
    assert!(!open.contains("user 2"));
    for (user, password) in DEFAULTS {
        for suite in SUITES {
            let mut rig = Rig::new(&open, EMU);
            let login = Login20 { user, password, ..Login20::suite(suite.id) };
            assert!(login.run(&mut rig).is_err(), "{user:?} by suite {}", suite.id);
        }
        for auth_type in [AuthType::None, AuthType::Md2, AuthType::Md5, AuthType::Straight] {
            let mut rig = Rig::new(&open, EMU);
            let login = Login15 { auth_type, user, password, privilege: 2, ..Login15::default() };
            assert!(login.run(&mut rig).is_err(), "{user:?} by {auth_type:?}");
        }
    }
}
