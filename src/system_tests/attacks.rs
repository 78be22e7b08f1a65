//! Attacks that `docs/SECURITY.md` names, against a whole system.

use super::*;
use crate::command::{privilege, table};
use crate::ipmi::Random;
use crate::wire::session15::AuthType;
use ipmi_sim_client::testing::one;

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
        for work in rig.jobs() {
            match work {
                Work::Program { job, line, .. } => {
                    lines.insert(line);
                    rig.shell(job, 0, "power:1\nboot:pxe\nip_addr_src:dhcp\n");
                }
                Work::Save { job, .. } => rig.saved(job, Ok(())),
                Work::Read { .. } | Work::Write { .. } => {}
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
    // A trap is acknowledged by who gets it, without a session.
    only(1, &|name| ["Get System GUID", "Activate Payload", "Deactivate Payload", "PET Acknowledge"].contains(&name));
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
    rig.call(|sim, now, out| sim.handle(now, Input::SerialConnected(HOST), out));
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

/// Datagrams of a login go 5 ms each way while others forge 20,000 Open Sessions a second, in the user's own name among them.
#[test]
fn a_right_login_succeeds_beside_twenty_thousand_forged_ones_a_second() {
    let mut rig = Rig::new(CONF, EMU);
    let mut forged = 1u32;
    let mut flood = |rig: &mut Rig, milliseconds: u32| {
        for _ in 0..milliseconds {
            for _ in 0..20 {
                forged += 1;
                let from = match forged % 4 {
                    0 => format!("192.0.2.1:{}", 1024 + forged % 60_000),
                    _ => format!("10.{}.{}.{}:623", forged >> 16 & 0xff, forged >> 8 & 0xff, forged & 0xff),
                };
                let login = Login20 { from, console_id: forged, ..Login20::suite(3) };
                rig.send_from(&login.from, &login.open_request(4));
            }
            rig.now = rig.now + Duration::from_millis(1);
        }
    };
    for round in 0..10 {
        flood(&mut rig, 100);
        let mut handshake = Login20::suite(3).open(&mut rig).expect("Open Session");
        flood(&mut rig, 10);
        let rakp2 = rig.send(&handshake.rakp1());
        assert_eq!(rakp2.len(), 1, "round {round}");
        handshake.take_rakp2(&rakp2[0]).expect("RAKP message 2");
        flood(&mut rig, 10);
        let rakp4 = rig.send(&handshake.rakp3());
        assert_eq!(rakp4.len(), 1, "round {round}");
        handshake.take_rakp4(&rakp4[0]).expect("RAKP message 4");
    }
    rig.wait(30);
    assert!(!rig.logs().iter().any(|line| line.contains("failed")), "{:?}", rig.logs());
}

#[test]
fn a_right_password_waits_for_its_turn_beside_wrong_ones() {
    let mut rig = Rig::new(CONF, EMU);
    let wrong = Login20 { password: "wrong", ..Login20::suite(3) };
    for _ in 0..13 {
        let mut handshake = wrong.open(&mut rig).expect("Open Session");
        let rakp2 = one(rig.send(&handshake.rakp1()));
        handshake.take_rakp2(&rakp2).expect("RAKP message 2");
        rig.send(&handshake.rakp3());
    }
    let login = Login20 { from: "192.0.2.1:50001".into(), ..Login20::suite(3) };
    let mut handshake = login.open(&mut rig).expect("Open Session");
    let rakp2 = rig.send_from(&login.from, &handshake.rakp1()).remove(0).1;
    handshake.take_rakp2(&rakp2).expect("RAKP message 2");
    assert!(rig.send_from(&login.from, &handshake.rakp3()).is_empty(), "not its turn");
    let asked = rig.now;
    // Sent again as a client does: it keeps its place, and there is one session.
    assert!(rig.send_from(&login.from, &handshake.rakp3()).is_empty());
    let rakp4 = loop {
        rig.now = rig.sim.deadline().expect("a turn").max(rig.now);
        rig.call(|sim, now, out| sim.handle(now, Input::Timeout, out));
        if let Some((_, rakp4)) = rig.sent.iter().find(|(to, _)| to.port() == 50_001) {
            break rakp4.clone();
        }
    };
    assert!(rig.now.since(asked) <= Duration::from_secs(1), "{:?}", rig.now.since(asked));
    handshake.take_rakp4(&rakp4).expect("RAKP message 4");
    assert_eq!(handshake.client().ask(&mut rig, 6, 1, &[])[0], 0);
}

#[test]
fn logins_and_their_failures_are_told() {
    let mut rig = Rig::new(CONF, EMU);
    let mut client = administrator(&mut rig);
    let id = client.session.to_le_bytes();
    client.ask(&mut rig, 6, 0x3c, &id);
    drop(administrator(&mut rig));
    rig.wait(61);
    for _ in 0..3 {
        let wrong = Login20 { password: "wrong", ..Login20::suite(3) }.run(&mut rig);
        assert!(wrong.is_err());
    }
    rig.wait(31);
    let told: Vec<(LogLevel, &str)> = rig
        .effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Log { level, text } => Some((*level, text.as_str())),
            _ => None,
        })
        .collect();
    let user = "LAN channel 1: user \"ipmiusr\" logged in from 192.0.2.1:50000 by RMCP+, up to admin";
    let session = "LAN channel 1: the session of user \"ipmiusr\" at 192.0.2.1:50000";
    let (closed, idle) = (format!("{session} was closed"), format!("{session} was idle too long"));
    let wrong = "LAN channel 1: login of user \"ipmiusr\" from 192.0.2.1:50000 failed: wrong password";
    let more = "LAN channel 1: 2 more logins from 192.0.2.1 failed in 30 seconds";
    let expected = [
        (LogLevel::Info, user),
        (LogLevel::Info, &closed),
        (LogLevel::Info, user),
        (LogLevel::Info, &idle),
        (LogLevel::Warning, wrong),
        (LogLevel::Warning, more),
    ];
    assert_eq!(told, expected);
}
