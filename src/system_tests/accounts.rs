//! Who may come in, and for how long: accounts that change under sessions, limits that drop,
//! slots half made, records damaged.

use super::*;
use crate::ipmi::{ChannelNumber, McAddress};
use crate::wire::session20::PayloadType;
use ipmi_sim_client::testing::ME;

const OPS: &str = "user 3 true \"ops\" \"ops\" operator 10\n";

fn conf() -> String {
    format!("{CONF}{OPS}")
}

/// Asks for a change, has it saved, and gives the response.
fn change(rig: &mut Rig, client: &mut Client, cmd: u8, data: &[u8]) -> Vec<u8> {
    let packet = client.request(6, cmd, data);
    rig.send(&packet);
    if rig.sent.is_empty() {
        rig.save();
    }
    let response = rig.sent_messages(client).pop().expect("an answer");
    Message::parse(&response).expect("a message").data.to_vec()
}

fn password(user: u8, text: &str) -> Vec<u8> {
    [&[user, 2], text.as_bytes(), &[0; 20][..16 - text.len()]].concat()
}

fn name(user: u8, text: &str) -> Vec<u8> {
    [&[user], text.as_bytes(), &[0; 20][..16 - text.len()]].concat()
}

fn is_over(rig: &mut Rig, client: &mut Client) -> bool {
    let packet = client.request(6, 1, &[]);
    rig.send(&packet).is_empty()
}

fn ops() -> Login20 {
    Login20 { user: "ops", password: "ops", role: 0x13, ..Login20::suite(3) }
}

/// What a client does to the account it is logged in with, and the level that is left to it.
fn changes_of_ones_own() -> Vec<(&'static str, u8, Vec<u8>, Option<u8>)> {
    vec![
        ("password", 0x47, password(2, "other"), Some(4)),
        ("name", 0x45, name(2, "other"), Some(4)),
        ("limit", 0x43, vec![0x91, 2, 3], Some(3)),
        ("limit user", 0x43, vec![0x11, 2, 2], Some(2)),
        ("no access", 0x43, vec![0x11, 2, 0x0f], None),
        ("callback only", 0x43, vec![0xd1, 2, 4], Some(1)),
        ("IPMI messaging off", 0x43, vec![0x81, 2, 4], Some(4)),
        ("link authentication", 0x43, vec![0xb1, 2, 4], Some(4)),
        ("disabled", 0x47, vec![2, 0], Some(4)),
        ("session limit", 0x43, vec![0x91, 2, 4, 1], Some(4)),
    ]
}

#[test]
fn the_session_that_changes_its_own_account_goes_on_and_the_others_end() {
    for (what, cmd, data, level) in changes_of_ones_own() {
        let mut rig = Rig::new(&conf(), EMU);
        let mut client = administrator(&mut rig);
        let mut same_user = administrator(&mut rig);
        let mut other_user = ops().run(&mut rig).expect("login");
        assert_eq!(change(&mut rig, &mut client, cmd, &data), [0], "{what}");
        let ends = !matches!(what, "link authentication" | "session limit");
        assert_eq!(is_over(&mut rig, &mut same_user), ends, "{what}");
        assert!(!is_over(&mut rig, &mut other_user), "{what}");
        // Under the new limits at once: Set User Access wants an administrator, Get Device ID a user.
        let administers = change(&mut rig, &mut client, 0x43, &[0x11, 9, 0x0f]) == [0];
        assert_eq!(administers, level == Some(4), "{what}");
        let asks = client.ask(&mut rig, 6, 1, &[])[0];
        assert_eq!(asks, if level >= Some(2) { 0 } else { 0xd4 }, "{what}");
        // It ends as it wants to.
        assert_eq!(client.ask(&mut rig, 6, 0x3c, &client.session.to_le_bytes()), [0], "{what}");
        assert!(is_over(&mut rig, &mut client), "{what}");
    }
}

#[test]
fn the_session_that_changed_its_own_account_ends_when_it_is_idle() {
    let mut rig = Rig::new(CONF, EMU);
    let mut client = administrator(&mut rig);
    assert_eq!(change(&mut rig, &mut client, 0x47, &password(2, "other")), [0]);
    rig.wait(120);
    assert!(is_over(&mut rig, &mut client));
}

#[test]
fn an_ipmi_1_5_session_goes_on_under_the_password_it_began_with() {
    let mut rig = Rig::new(CONF, EMU);
    let mut client = Login15::default().run(&mut rig).expect("login");
    assert_eq!(client.ask(&mut rig, 6, 0x3b, &[4]), [0, 4]);
    assert_eq!(change(&mut rig, &mut client, 0x47, &password(2, "other")), [0]);
    assert_eq!(change(&mut rig, &mut client, 0x47, &[2, 0]), [0]);
    assert!(!is_over(&mut rig, &mut client));
    assert!(Login15::default().run(&mut rig).is_err());
}

#[test]
fn a_session_that_shut_itself_out_ends_with_the_next_word_of_somebody_else() {
    let conf = format!("{CONF}user 3 true \"root\" \"root\" admin 10\n");
    for (cmd, data) in [(0x47, vec![2, 0]), (0x43, vec![0x11, 2, 4]), (0x45, name(2, "ipmiusr"))] {
        let mut rig = Rig::new(&conf, EMU);
        let mut client = administrator(&mut rig);
        assert_eq!(change(&mut rig, &mut client, 0x47, &[2, 0]), [0]);
        assert!(!is_over(&mut rig, &mut client));
        let mut other = Login20 { user: "root", password: "root", ..Login20::suite(3) }.run(&mut rig).expect("login");
        assert_eq!(other.ask(&mut rig, 6, 0x3b, &[4]), [0, 4]);
        assert_eq!(change(&mut rig, &mut other, cmd, &data), [0]);
        assert!(is_over(&mut rig, &mut client), "{cmd:02x} {data:02x?}");
    }
}

#[test]
fn a_change_that_cannot_be_kept_ends_no_session_and_is_not_told_as_done() {
    let mut rig = Rig::new(CONF, EMU);
    let (mut client, mut same) = (administrator(&mut rig), administrator(&mut rig));
    let packet = client.request(6, 0x47, &password(2, "other"));
    rig.send(&packet);
    let job = rig.save_job();
    let failure = SaveFailure { reason: "No space left".into(), content: Content::Old };
    rig.saved(job, Err(failure));
    assert!(!is_over(&mut rig, &mut same) && !is_over(&mut rig, &mut client));
    assert!(!rig.logs().iter().any(|line| line.contains("password set")), "{:?}", rig.logs());
    assert!(Login20::suite(3).run(&mut rig).is_ok());
}

#[test]
fn who_changed_which_user_is_in_the_log_without_a_secret() {
    let mut rig = Rig::new(&conf(), EMU);
    let mut client = administrator(&mut rig);
    for (cmd, data) in [
        (0x45, name(5, "secretname")),
        (0x47, password(5, "secretword")),
        (0x43, vec![0x91, 5, 3]),
        (0x43, vec![0xc1, 5, 15]),
        (0x47, vec![5, 1]),
        (0x47, vec![5, 0]),
        (0x4c, vec![1, 0x40 | 5, 2, 0, 0, 0]),
        (0x47, password(3, "new")),
    ] {
        change(&mut rig, &mut client, cmd, &data);
    }
    let lines: Vec<String> = rig.logs().into_iter().map(str::to_owned).collect();
    let by = format!("by user 2 at {ME}, LAN channel 1");
    for (user, what) in [
        (5, "name set"),
        (5, "password set"),
        (5, "access set (operator, IPMI messaging on)"),
        (5, "access set (no access, IPMI messaging off, callback only)"),
        (5, "enabled"),
        (5, "disabled"),
        (3, "password set"),
    ] {
        let line = format!("user {user} of MC 0x20: {what} {by}");
        assert_eq!(lines.iter().filter(|told| **told == line).count(), 1, "{line}: {lines:?}");
    }
    assert!(!lines.iter().any(|line| line.contains("secret")), "{lines:?}");
    // The host is told as the host.
    rig.host_connects_and_asks(&password(3, "host"));
    assert!(rig.logs().contains(&"user 3 of MC 0x20: password set by the host"), "{:?}", rig.logs());
}

#[test]
fn lines_about_changes_of_users_are_limited() {
    let mut rig = Rig::new(CONF, EMU);
    let mut client = administrator(&mut rig);
    for _ in 0..200 {
        change(&mut rig, &mut client, 0x45, &name(9, "nine"));
    }
    assert!(rig.logs().len() <= 25, "{}", rig.logs().len());
    rig.wait(2);
    change(&mut rig, &mut client, 0x45, &name(9, "nine"));
    assert!(rig.logs().last().is_some_and(|line| line.ends_with("such lines were left out before)")));
}

const KEY: [u8; 20] = *b"secondsecret\0\0\0\0\0\0\0\0";

fn set_key(key: &[u8; 20]) -> Vec<u8> {
    [&[1, 1, 1][..], key].concat()
}

#[test]
fn k_g_holds_for_logins_from_then_on_and_is_kept() {
    let with_key = || Login20 { key: Some(KEY), ..Login20::suite(3) };
    let mut rig = Rig::new(CONF, EMU);
    let mut client = administrator(&mut rig);
    let mut bystander = administrator(&mut rig);
    let packet = client.request(6, 0x56, &set_key(&KEY));
    rig.send(&packet);
    let files = rig.save();
    assert!(!is_over(&mut rig, &mut client) && !is_over(&mut rig, &mut bystander), "open sessions stay");
    // The client checks the code of RAKP message 4, which is made with the key.
    assert!(with_key().run(&mut rig).is_ok());
    assert_eq!(client.ask(&mut rig, 6, 0x38, &[0x8e, 4])[3] & 0x20, 0x20, "clients are told");
    // The file goes before lan.conf, at start and when that is read again.
    let conf = CONF.replace("  guid", "  bmc_key \"other\"\n  guid");
    let mut again = Rig::with_state(&conf, EMU, files);
    let mut client = with_key().run(&mut again).expect("login");
    assert_eq!(client.ask(&mut again, 6, 0x3b, &[4]), [0, 4]);
    // Zeros are none; below administrator it is neither read nor set.
    assert_eq!(change(&mut again, &mut client, 0x56, &set_key(&[0; 20])), [0, 2]);
    assert!(Login20::suite(3).run(&mut again).is_ok());
    assert_eq!(client.ask(&mut again, 6, 0x3b, &[3]), [0, 3]);
    assert_eq!(client.ask(&mut again, 6, 0x56, &[1, 0, 1]), [0xd4]);
    assert_eq!(client.ask(&mut again, 6, 0x56, &set_key(&KEY)), [0xd4]);
}

#[test]
fn a_locked_k_g_stays_locked_after_a_restart() {
    let mut rig = Rig::new(CONF, EMU);
    let mut client = administrator(&mut rig);
    change(&mut rig, &mut client, 0x56, &set_key(&KEY));
    let packet = client.request(6, 0x56, &[1, 2, 1]);
    rig.send(&packet);
    let files = rig.save();
    let mut again = Rig::with_state(CONF, EMU, files);
    let mut client = Login20 { key: Some(KEY), ..Login20::suite(3) }.run(&mut again).expect("login");
    assert_eq!(client.ask(&mut again, 6, 0x3b, &[4]), [0, 4]);
    assert_eq!(client.ask(&mut again, 6, 0x56, &[1, 0, 1]), [0x80]);
    assert_eq!(client.ask(&mut again, 6, 0x56, &set_key(&[0; 20])), [0x80]);
}

#[test]
fn a_k_g_that_cannot_be_kept_is_taken_back() {
    let mut rig = Rig::new(CONF, EMU);
    let mut client = administrator(&mut rig);
    for data in [set_key(&KEY), vec![1, 2, 1]] {
        let packet = client.request(6, 0x56, &data);
        rig.send(&packet);
        let job = rig.save_job();
        let failure = SaveFailure { reason: "No space left".into(), content: Content::Old };
        rig.saved(job, Err(failure));
        assert!(Login20::suite(3).run(&mut rig).is_ok());
        assert_eq!(client.ask(&mut rig, 6, 0x56, &[1, 0, 1]), [&[0, 2][..], &[0; 20]].concat());
    }
}

#[test]
fn k_g_is_not_in_the_log_however_much_is_logged() {
    let mut rig = Rig::new(CONF, EMU);
    rig.command("debug raw msg");
    let mut client = Login15::default().run(&mut rig).expect("login");
    assert_eq!(client.ask(&mut rig, 6, 0x3b, &[4]), [0, 4]);
    change(&mut rig, &mut client, 0x56, &set_key(&KEY));
    assert_eq!(client.ask(&mut rig, 6, 0x56, &[1, 0, 1])[2..], KEY);
    assert!(rig.logs().len() > 8, "{:?}", rig.logs());
    for line in rig.logs() {
        for piece in ["second", "73 65 63", "736563"] {
            assert!(!line.contains(piece), "{line}");
        }
    }
}

impl Rig {
    /// Set User Password over the VM line.
    fn host_connects_and_asks(&mut self, data: &[u8]) {
        let mut config = conf();
        config.insert_str(0, "serial 15 127.0.0.1 9002 codec VM\n");
        *self = Rig::new(&config, EMU);
        self.host_connects();
        let mut bytes = vec![1, 0x18, 0x47];
        bytes.extend_from_slice(data);
        let sum = bytes.iter().fold(0u8, |sum, byte| sum.wrapping_sub(*byte));
        bytes.push(sum);
        let mut framed = Vec::new();
        for byte in bytes {
            match byte {
                0xa0 | 0xa1 | 0xaa => framed.extend_from_slice(&[0xaa, byte | 0x10]),
                byte => framed.push(byte),
            }
        }
        framed.push(0xa0);
        self.call(|sim, now, out| sim.handle(now, Input::SerialData(HOST, (&framed).into()), out));
        self.save();
    }
}

#[test]
fn every_limit_that_drops_binds_open_sessions_at_once() {
    // What an operator and an administrator may still do: Get Device ID, Chassis Control's level, Get User Access.
    let levels = |rig: &mut Rig, client: &mut Client| {
        [(6, 1, vec![]), (6, 0x44, vec![1, 2]), (6, 0x40, vec![0, 0, 0])]
            .map(|(netfn, cmd, data)| client.ask(rig, netfn, cmd, &data)[0] != 0xd4)
    };
    let mut rig = Rig::new(&conf(), EMU);
    let mut client = administrator(&mut rig);
    let mut old = Login15::default().run(&mut rig).expect("login");
    assert_eq!(old.ask(&mut rig, 6, 0x3b, &[4]), [0, 4]);
    for client in [&mut client, &mut old] {
        assert_eq!(levels(&mut rig, client), [true; 3]);
    }
    limit_of_the_channel(&mut rig, Privilege::Operator);
    for client in [&mut client, &mut old] {
        assert_eq!(levels(&mut rig, client), [true, true, false]);
        assert_eq!(client.ask(&mut rig, 6, 0x3b, &[0]), [0, 3]);
        assert_eq!(client.ask(&mut rig, 6, 0x3b, &[4]), [0x81]);
        assert_eq!(client.ask(&mut rig, 6, 0x3d, &[0])[5], 3);
    }
    limit_of_the_channel(&mut rig, Privilege::User);
    for client in [&mut client, &mut old] {
        assert_eq!(levels(&mut rig, client), [true, false, false]);
        // Inside a Send Message as well.
        assert_eq!(client.ask(&mut rig, 6, 0x34, &carried(0x30, 6, 0x44, &[1, 2])), [0xd4]);
        // To end others is for administrators.
        assert_eq!(client.ask(&mut rig, 6, 0x3c, &[0, 0, 0, 0, 1]), [0xd4]);
    }
    limit_of_the_channel(&mut rig, Privilege::Callback);
    assert_eq!(levels(&mut rig, &mut client), [false; 3]);
    limit_of_the_channel(&mut rig, Privilege::Administrator);
    assert_eq!(levels(&mut rig, &mut client), [true; 3]);
    // The cipher suite's, for those that have one.
    let set = client.request(0x0c, 1, &[1, 24, 0, 0x44, 0x24, 0x44, 0x44, 0x44, 0x44, 0x44, 0x44]);
    rig.send(&set);
    rig.save();
    assert_eq!(levels(&mut rig, &mut client), [true, false, false]);
    assert_eq!(levels(&mut rig, &mut old), [true; 3]);
    let closed = old.request(0x0c, 1, &[1, 24, 0, 0x44, 0x04, 0x44, 0x44, 0x44, 0x44, 0x44, 0x44]);
    rig.send(&closed);
    rig.save();
    assert_eq!(levels(&mut rig, &mut client), [false; 3]);
    assert_eq!(client.ask(&mut rig, 6, 0x3c, &client.session.to_le_bytes()), [0], "it may end itself");
}

#[test]
fn set_channel_access_binds_the_sessions_that_are_open() {
    let mut rig = Rig::new(&conf(), EMU);
    let mut client = administrator(&mut rig);
    let mut other = administrator(&mut rig);
    assert_eq!(client.ask(&mut rig, 6, 0x40, &[1, 0, 0x82]), [0]);
    for client in [&mut client, &mut other] {
        assert_eq!(client.ask(&mut rig, 6, 0x40, &[1, 0, 0x84]), [0xd4]);
        assert_eq!(client.ask(&mut rig, 6, 1, &[])[0], 0);
    }
}

fn limit_of_the_channel(rig: &mut Rig, limit: Privilege) {
    let controller = rig.sim.machine_mut().controller_mut(McAddress::BMC).unwrap();
    controller.channels.lan_mut(ChannelNumber::LAN).unwrap().volatile_limit = limit;
}

#[test]
fn serial_over_lan_ends_where_its_session_lost_the_level_for_it() {
    let mut rig = Rig::new(WITH_SOL, EMU);
    rig.call(|sim, now, out| sim.handle(now, Input::SolOpened(McAddress::BMC), out));
    let mut client = administrator(&mut rig);
    assert_eq!(client.ask(&mut rig, 6, 0x48, &[1, 1, 0, 0, 0, 0])[0], 0);
    let keys = client.packet(PayloadType::Sol, b"\x01\x00\x00\x00a");
    rig.send(&keys);
    let written = |rig: &Rig| rig.effects.iter().filter(|effect| matches!(effect, Effect::SolWrite { .. })).count();
    assert_eq!(written(&rig), 1);
    limit_of_the_channel(&mut rig, Privilege::Callback);
    let keys = client.packet(PayloadType::Sol, b"\x02\x00\x00\x00b");
    rig.send(&keys);
    assert_eq!(written(&rig), 1);
    limit_of_the_channel(&mut rig, Privilege::Administrator);
    let mut second = administrator(&mut rig);
    assert_eq!(second.ask(&mut rig, 6, 0x48, &[1, 1, 0, 0, 0, 0])[0], 0, "it is free again");
}

#[test]
fn a_disabled_user_stays_out_whatever_is_set_afterwards() {
    let mut rig = Rig::new(&conf(), EMU);
    let mut client = administrator(&mut rig);
    let mut steps = vec![(0x47, vec![3, 0])];
    steps.extend([
        (0x43, vec![0x91, 3, 3]),
        (0x43, vec![0xf1, 3, 4]),
        (0x43, vec![0x91, 3, 3, 5]),
        (0x47, password(3, "ops")),
        (0x45, name(3, "ops")),
    ]);
    assert!(ops().run(&mut rig).is_ok());
    for (cmd, data) in steps {
        assert_eq!(change(&mut rig, &mut client, cmd, &data), [0]);
        assert!(ops().run(&mut rig).is_err(), "{cmd:02x} {data:02x?}");
        rig.wait(2);
        assert_eq!(client.ask(&mut rig, 6, 0x44, &[1, 3])[2], 0x81, "disabled, one user is left");
    }
    assert_eq!(change(&mut rig, &mut client, 0x47, &[3, 1]), [0]);
    assert!(ops().run(&mut rig).is_ok());
    assert_eq!(client.ask(&mut rig, 6, 0x44, &[1, 3])[2], 0x42);
    // The other switch, which enabling does not touch.
    assert_eq!(change(&mut rig, &mut client, 0x43, &[0x81, 3, 3]), [0]);
    assert_eq!(change(&mut rig, &mut client, 0x47, &[3, 1]), [0]);
    assert!(ops().run(&mut rig).is_err());
    assert_eq!(client.ask(&mut rig, 6, 0x44, &[1, 3])[2..], [0x41, 0, 0x03]);
}

#[test]
fn both_switches_are_kept_and_the_original_reads_the_sum() {
    for (enabled, messaging) in [(false, false), (false, true), (true, false), (true, true)] {
        let mut rig = Rig::new(&conf(), EMU);
        let mut client = administrator(&mut rig);
        change(&mut rig, &mut client, 0x43, &[if messaging { 0x91 } else { 0x81 }, 3, 3]);
        let packet = client.request(6, 0x47, &[3, u8::from(enabled)]);
        rig.send(&packet);
        let files = rig.save();
        let text = String::from_utf8_lossy(&files["users.mc20"]).into_owned();
        let valid = enabled && messaging;
        assert!(text.contains(&format!("\n3.valid:i:{}\n", u8::from(valid))), "{text}");
        let mut again = Rig::with_state(&conf(), EMU, files);
        let mut client = administrator(&mut again);
        let told = client.ask(&mut again, 6, 0x44, &[1, 3]);
        assert_eq!(told[2] & 0xc0, if enabled { 0x40 } else { 0x80 });
        assert_eq!(told[4] & 0x10, if messaging { 0x10 } else { 0 });
        assert_eq!(ops().run(&mut again).is_ok(), valid);
    }
}

#[test]
fn a_user_that_the_original_switched_off_comes_in_once_it_is_enabled() {
    let (mut rig, files) = saved_by_the_original(|line| match line {
        "3.valid:i:1" => "3.valid:i:0".into(),
        other => other.into(),
    });
    assert!(ops().run(&mut rig).is_err(), "{files}");
    let mut client = administrator(&mut rig);
    assert_eq!(change(&mut rig, &mut client, 0x47, &[3, 1]), [0]);
    assert!(ops().run(&mut rig).is_ok());
}

/// A system that starts with a users file that has nothing but the original's items, changed line by line.
fn saved_by_the_original(edit: impl Fn(&str) -> String) -> (Rig, String) {
    let mut rig = Rig::new(&conf(), EMU);
    let mut client = administrator(&mut rig);
    let packet = client.request(6, 0x47, &password(3, "ops"));
    rig.send(&packet);
    let text = String::from_utf8(rig.save().remove("users.mc20").expect("saved")).expect("text");
    let own = [".enabled:", ".ipmi_msg:", ".password_set:", ".session_limit:"];
    let lines = text.lines().filter(|line| !own.iter().any(|field| line.contains(field)));
    let text: String = lines.map(|line| edit(line) + "\n").collect();
    let state = BTreeMap::from([("users.mc20".to_owned(), text.clone().into_bytes())]);
    (Rig::with_state(&conf(), EMU, state), text)
}

#[test]
fn a_callback_only_user_gets_callback_and_nothing_else() {
    let mut rig = Rig::new(&conf(), EMU);
    let mut client = administrator(&mut rig);
    assert_eq!(change(&mut rig, &mut client, 0x43, &[0xd1, 3, 3]), [0]);
    assert!(Login20 { role: 0x03, ..ops() }.run(&mut rig).is_err(), "by name and level");
    let by_name = |role| Login20 { role, ..ops() };
    for role in [0x12, 0x13, 0x11] {
        if let Ok(mut session) = by_name(role).run(&mut rig) {
            assert_eq!(rig.limit(session.session), 1, "{role:02x}");
            assert_eq!(session.ask(&mut rig, 6, 1, &[]), [0xd4]);
            assert_ne!(session.ask(&mut rig, 6, 0x3b, &[2])[0], 0);
        }
    }
    let old = Login15 { user: "ops", password: "ops", privilege: 3, ..Login15::default() };
    assert!(old.run(&mut rig).is_err());
    assert_eq!(change(&mut rig, &mut client, 0x43, &[0x91, 3, 3]), [0]);
    assert!(ops().run(&mut rig).is_ok());
    // Whoever is in when it is restricted is out.
    let mut session = ops().run(&mut rig).expect("login");
    assert_eq!(change(&mut rig, &mut client, 0x43, &[0xd1, 3, 3]), [0]);
    assert!(is_over(&mut rig, &mut session));
}

#[test]
fn a_half_made_slot_lets_nobody_in() {
    let nobody = |role| Login20 { user: "", password: "", role, ..Login20::suite(3) };
    let steps = [(0x47, vec![5, 1]), (0x43, vec![0x91, 5, 4]), (0x45, name(5, "five")), (0x47, password(5, "pw"))];
    for first in 0..4 {
        let mut rig = Rig::new(CONF, EMU);
        let mut client = administrator(&mut rig);
        for step in 0..4 {
            for login in [nobody(0x14), nobody(0x04), nobody(0x10), Login20 { user: "five", ..nobody(0x14) }] {
                assert!(login.run(&mut rig).is_err(), "step {step} from {first}");
                // Nobody shall have to wait here for having failed too often.
                rig.wait(2);
            }
            for user in ["", "five"] {
                let old = Login15 { user, password: "", ..Login15::default() };
                assert!(old.run(&mut rig).is_err(), "step {step} from {first}");
                rig.wait(2);
            }
            let (cmd, data) = &steps[(first + step) % 4];
            assert_eq!(change(&mut rig, &mut client, *cmd, data), [0]);
        }
        assert!(Login20 { user: "five", password: "pw", ..Login20::suite(3) }.run(&mut rig).is_ok());
        assert!(nobody(0x14).run(&mut rig).is_err());
    }
}

#[test]
fn user_1_comes_in_as_lan_conf_enables_it_and_never_otherwise() {
    let nobody = |password| Login20 { user: "", password, role: 0x12, ..Login20::suite(3) };
    for line in ["", "user 1 false \"\" \"\" admin 10\n"] {
        let mut rig = Rig::new(&format!("{CONF}{line}"), EMU);
        let mut client = administrator(&mut rig);
        for (cmd, data) in [(0x47, vec![1, 1]), (0x43, vec![0x91, 1, 4]), (0x47, password(1, "pw"))] {
            assert_eq!(change(&mut rig, &mut client, cmd, &data), [0]);
        }
        assert!(nobody("pw").run(&mut rig).is_err(), "{line}");
        let capabilities = client.ask(&mut rig, 6, 0x38, &[0x8e, 2]);
        assert_eq!(capabilities[3] & 0x03, 0, "and nobody is told that it could");
    }
    // An empty password in lan.conf is its owner's word, with a users file or without.
    let open = format!("{CONF}user 1 true \"\" \"\" user 10\n");
    let mut rig = Rig::new(&open, EMU);
    assert!(nobody("").run(&mut rig).is_ok());
    let mut client = administrator(&mut rig);
    let packet = client.request(6, 0x47, &password(2, "test"));
    rig.send(&packet);
    let files = rig.save();
    let mut again = Rig::with_state(&open, EMU, files);
    assert!(nobody("").run(&mut again).is_ok());
    let mut client = administrator(&mut again);
    assert_eq!(change(&mut again, &mut client, 0x47, &[1, 0]), [0]);
    assert!(nobody("").run(&mut again).is_err());
    assert_eq!(change(&mut again, &mut client, 0x47, &[1, 1]), [0]);
    assert!(nobody("").run(&mut again).is_ok());
}

#[test]
fn an_empty_password_that_nobody_set_is_none_after_a_restart_too() {
    let empty = || Login20 { user: "five", password: "", ..Login20::suite(3) };
    for set in [false, true] {
        let mut rig = Rig::new(CONF, EMU);
        let mut client = administrator(&mut rig);
        for (cmd, data) in [(0x45, name(5, "five")), (0x43, vec![0x91, 5, 4])] {
            change(&mut rig, &mut client, cmd, &data);
        }
        if set {
            change(&mut rig, &mut client, 0x47, &password(5, ""));
        }
        let packet = client.request(6, 0x47, &[5, 1]);
        rig.send(&packet);
        let files = rig.save();
        assert_eq!(empty().run(&mut rig).is_ok(), set);
        let mut again = Rig::with_state(CONF, EMU, files);
        assert_eq!(empty().run(&mut again).is_ok(), set);
    }
}

#[test]
fn a_damaged_record_closes_its_user_and_nobody_else() {
    // The file says "ops" where lan.conf says "ops" as well: whoever gets in has lan.conf's.
    type Edit = fn(&str) -> String;
    let edits: [(&str, Edit); 8] = [
        ("empty", |_| "3.passwd:d:".into()),
        ("short", |_| "3.passwd:d:ops".into()),
        ("mistyped", |line| line.replace(":d:", ":s:")),
        ("no number", |_| "3.passwd:i:1".into()),
        ("missing", |_| "# nothing".into()),
        ("cut", |line| line[..line.len() - 1].into()),
        ("cut early", |_| "3.pass".into()),
        ("too long", |line| format!("{line}\\00")),
    ];
    for (what, edit) in edits {
        let (mut rig, text) =
            saved_by_the_original(|line| if line.starts_with("3.passwd") { edit(line) } else { line.into() });
        assert!(ops().run(&mut rig).is_err(), "{what}: {text}");
        let told = rig.logs().iter().filter(|line| line.contains("the record of user 3 is damaged")).count();
        assert_eq!(told, 1, "{what}: {:?}", rig.logs());
        assert!(!rig.logs().iter().any(|line| line.contains("user 2")), "{what}: {:?}", rig.logs());
        let mut client = administrator(&mut rig);
        assert_eq!(client.ask(&mut rig, 6, 0x44, &[1, 3])[2], 0x81, "{what}");
        // Enabled alone, it has no password.
        assert_eq!(change(&mut rig, &mut client, 0x47, &[3, 1]), [0]);
        assert!(ops().run(&mut rig).is_err() && Login20 { password: "", ..ops() }.run(&mut rig).is_err(), "{what}");
        let packet = client.request(6, 0x47, &[3, 1]);
        rig.send(&packet);
        let mut again = Rig::with_state(&conf(), EMU, rig.save());
        assert!(Login20 { password: "", ..ops() }.run(&mut again).is_err(), "{what}");
        assert_eq!(change(&mut rig, &mut client, 0x47, &password(3, "ops")), [0]);
        assert!(ops().run(&mut rig).is_ok(), "{what}");
    }
    for field in ["valid", "privilege", "username"] {
        let start = format!("3.{field}");
        let (mut rig, text) =
            saved_by_the_original(|line| if line.starts_with(&start) { "#".into() } else { line.into() });
        assert!(ops().run(&mut rig).is_err(), "{field}: {text}");
        administrator(&mut rig);
    }
}

#[test]
fn a_users_file_without_anything_in_it_lets_nobody_in() {
    for content in [&b""[..], &[0; 512], b"# \n"] {
        let state = BTreeMap::from([("users.mc20".to_owned(), content.to_vec())]);
        let mut rig = Rig::with_state(&conf(), EMU, state);
        assert!(Login20::suite(3).run(&mut rig).is_err() && ops().run(&mut rig).is_err());
        assert_eq!(rig.logs().iter().filter(|line| line.contains("stays closed")).count(), 2, "{:?}", rig.logs());
    }
}
