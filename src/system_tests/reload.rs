//! A configuration that is read again while clients are at work.

use super::*;
use crate::ipmi::{ChannelNumber, McAddress};
use crate::settings::model::Config;
use crate::sim::{Change, OnDisk, Reach};

/// The usual configuration with a console port and a state file of users, if any.
const SOL_LINE: &str = "sol \"/dev/null\" 9600\n";

fn config(text: &str) -> Config {
    let (config, diagnostics) = lan_conf::parse("lan.conf", text.as_bytes());
    config.unwrap_or_else(|| panic!("{diagnostics:?}"))
}

impl Rig {
    fn reload(&mut self, conf: &str) -> Vec<Change> {
        self.reload_with(conf, &BTreeMap::new())
    }

    fn reload_with(&mut self, conf: &str, files: &BTreeMap<String, Vec<u8>>) -> Vec<Change> {
        self.reload_as(conf, OnDisk { files: read_all(files), ..OnDisk::default() })
    }

    fn reload_as(&mut self, conf: &str, files: OnDisk) -> Vec<Change> {
        let config = Box::new(config(conf));
        self.call(|sim, now, out| sim.handle(now, Input::Reload { config, files }, out));
        match self.effects.pop() {
            Some(Effect::Reloaded(changes)) => changes,
            other => panic!("{other:?} instead of the changes"),
        }
    }
}

fn now(text: &str) -> Change {
    Change { reach: Reach::Now, text: text.into() }
}

fn next_start(text: &str) -> Change {
    Change { reach: Reach::NextStart, text: text.into() }
}

fn overridden(text: &str) -> Change {
    Change { reach: Reach::Overridden, text: text.into() }
}

fn users(lines: &str) -> BTreeMap<String, Vec<u8>> {
    BTreeMap::from([("users.mc20".to_string(), lines.as_bytes().to_vec())])
}

#[test]
fn the_same_configuration_changes_nothing() {
    for conf in [CONF.to_string(), format!("{SOL_LINE}{CONF}"), format!("{CONF}set_working_mc 0x30\nstartcmd \"x\"\n")]
    {
        let mut rig = Rig::new(&conf, EMU);
        // Comments and order move lines, not settings.
        assert_eq!(rig.reload(&format!("# a comment\n{conf}")), []);
    }
}

#[test]
fn a_new_password_holds_at_once_and_ends_the_sessions_of_its_user_only() {
    let conf = format!("{CONF}user 3 true \"other\" \"else\" admin 10\n");
    let mut rig = Rig::new(&conf, EMU);
    let mut client = administrator(&mut rig);
    let mut other = Login20 { user: "other", password: "else", ..Login20::suite(17) }.run(&mut rig).expect("login");
    let changes = rig.reload(&conf.replace("\"test\" admin", "\"new\" admin").replace("else\" admin", "else\" user"));
    assert_eq!(
        changes,
        [
            now("user 2 \"ipmiusr\" of MC 0x20: password changed; 1 session ended"),
            now("user 3 \"other\" of MC 0x20: privilege changed; 1 session ended"),
        ]
    );
    let packet = client.request(6, 1, &[]);
    assert!(rig.send(&packet).is_empty());
    let packet = other.request(6, 1, &[]);
    assert!(rig.send(&packet).is_empty());
    assert!(Login20::suite(3).run(&mut rig).is_err(), "the old password");
    assert!(Login20 { password: "new", ..Login20::suite(3) }.run(&mut rig).is_ok());
    // Users that are as they were keep their sessions.
    let mut client = Login20 { user: "other", password: "else", ..Login20::suite(3) }.run(&mut rig).expect("login");
    let changes = rig.reload(&conf.replace("else\" admin", "else\" user"));
    assert_eq!(changes, [now("user 2 \"ipmiusr\" of MC 0x20: password changed; 1 session ended")]);
    assert_eq!(client.ask(&mut rig, 6, 1, &[])[0], 0);
}

#[test]
fn users_come_and_go() {
    let mut rig = Rig::new(CONF, EMU);
    let with = format!("{CONF}user 5 true \"guest\" \"pw\" user 10\n");
    assert_eq!(
        rig.reload(&with),
        [now("user 5 \"guest\" of MC 0x20: enabled, name, password, privilege, session limit changed")]
    );
    let login = || Login20 { user: "guest", password: "pw", ..Login20::suite(17) };
    let mut guest = login().run(&mut rig).expect("login");
    assert_eq!(guest.ask(&mut rig, 6, 1, &[])[0], 0);
    let changes = rig.reload(CONF);
    assert_eq!(changes.len(), 1);
    assert!(changes[0].text.ends_with("; 1 session ended"), "{changes:?}");
    assert!(login().run(&mut rig).is_err());
}

#[test]
fn the_state_file_of_users_goes_before_lan_conf_as_at_start() {
    let kept = users("2.passwd:d:kept\\00\\00\\00\\00\\00\\00\\00\\00\\00\\00\\00\\00\\00\\00\\00\\00\n");
    let mut rig = Rig::with_state(CONF, EMU, kept.clone());
    let login = |password| Login20 { password, ..Login20::suite(3) };
    let mut client = login("kept").run(&mut rig).expect("login");
    assert_eq!(rig.reload_with(CONF, &kept), []);
    let changed = CONF.replace("\"test\" admin", "\"new\" admin");
    let changes = rig.reload_with(&changed, &kept);
    let text = "user 2 of MC 0x20 changed in lan.conf without effect: users.mc20 in the state directory goes before it";
    assert_eq!(changes, [overridden(text)]);
    assert_eq!(client.ask(&mut rig, 6, 1, &[])[0], 0);
    // Said once: the line has not changed since.
    assert_eq!(rig.reload_with(&changed, &kept), []);
    // Who removes the file gets what lan.conf says.
    let changes = rig.reload(&changed);
    assert_eq!(changes, [now("user 2 \"ipmiusr\" of MC 0x20: password changed; 1 session ended")]);
    assert!(login("new").run(&mut rig).is_ok());
    // A file that changed counts as well.
    assert_eq!(rig.reload_with(&changed, &kept).len(), 1);
    assert!(login("kept").run(&mut rig).is_ok());
}

#[test]
fn what_a_client_has_just_set_is_not_overtaken_by_its_old_file() {
    let mut rig = Rig::new(CONF, EMU);
    let mut client = administrator(&mut rig);
    let packet = client.request(6, 0x45, &[5, b'n', b'e', b'w', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    assert!(rig.send(&packet).is_empty(), "held until the file is safe");
    // It is being written; what was read before is of yesterday.
    assert_eq!(
        rig.reload_with(CONF, &users("5.username:d:old\\00\\00\\00\\00\\00\\00\\00\\00\\00\\00\\00\\00\\00\n")),
        []
    );
    let files = rig.save();
    assert!(String::from_utf8_lossy(&files["users.mc20"]).contains("5.username:d:new"));
    // It was being written while it was read.
    let on_disk = OnDisk { outdated: ["users.mc20".to_string()].into(), ..OnDisk::default() };
    assert_eq!(rig.reload_as(CONF, on_disk), []);
    assert_eq!(rig.reload_with(CONF, &files), []);
}

#[test]
fn without_persistence_clients_changes_stay_until_their_line_changes() {
    let mut rig = Rig::new(CONF, EMU);
    rig.command("persist off");
    let mut client = administrator(&mut rig);
    assert_eq!(client.ask(&mut rig, 6, 0x45, &[5, b'n', b'e', b'w', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]), [0]);
    assert_eq!(rig.reload(CONF), []);
    assert_eq!(client.ask(&mut rig, 6, 0x46, &[5])[..4], [0, b'n', b'e', b'w']);
    let changes = rig.reload(&format!("{CONF}user 5 true \"line\" \"pw\" user 10\n"));
    assert_eq!(changes.len(), 1);
    assert_eq!(client.ask(&mut rig, 6, 0x46, &[5])[..5], [0, b'l', b'i', b'n', b'e']);
}

#[test]
fn lan_settings_hold_for_the_next_login_and_sessions_stay() {
    let mut rig = Rig::new(CONF, EMU);
    let mut client = administrator(&mut rig);
    let conf = CONF
        .replace(
            "  allowed_auths_admin md5\n",
            "  allowed_auths_admin none md5\n  priv_limit user\n  bmc_key \"key\"\n",
        )
        .replace("10 md5", "10")
        .replace("guid a1", "guid b1");
    let changes = rig.reload(&conf);
    assert_eq!(
        changes,
        [
            now("user 2 \"ipmiusr\" of MC 0x20: authentication types changed; 1 session ended"),
            now("allowed_auths of LAN channel 1 of MC 0x20 changed"),
            now("bmc_key of LAN channel 1 of MC 0x20 changed"),
            now("guid of LAN channel 1 of MC 0x20 changed"),
            now("the privilege limit of LAN channel 1 of MC 0x20 is user"),
        ]
    );
    assert!(rig.logs().iter().any(|line| line.contains("lets user 2 in without a password, up to admin")));
    assert_eq!(rig.sim.lan_channel(LAN).settings().guid[0], 0xb1);
    assert_eq!(
        rig.sim.machine().controller(McAddress::BMC).unwrap().channels.lan(ChannelNumber::LAN).unwrap().guid.unwrap()
            [0],
        0xb1
    );
    let mut key = [0; 20];
    key[..3].copy_from_slice(b"key");
    rig.reload(&conf.replace("guid b1", "guid a1"));
    let mut limited = Login20 { key: Some(key), ..Login20::suite(3) }.run(&mut rig).expect("login");
    assert_eq!(limited.limit, 2);
    let packet = client.request(6, 1, &[]);
    assert!(rig.send(&packet).is_empty());
    // Back again, and this time nobody loses anything.
    assert_eq!(rig.reload(&conf.replace("priv_limit user", "priv_limit admin").replace("\"key\"", "\"yek\"")).len(), 3);
    assert_eq!(limited.ask(&mut rig, 6, 1, &[])[0], 0);
}

#[test]
fn the_state_file_of_a_channel_goes_before_priv_limit() {
    let kept = BTreeMap::from([("lanparm.mc20.1".to_string(), b"privilege_limit:i:3\n".to_vec())]);
    let mut rig = Rig::with_state(CONF, EMU, kept.clone());
    let conf = CONF.replace("  guid", "  priv_limit user\n  guid");
    let text = "the privilege limit of LAN channel 1 of MC 0x20 changed in lan.conf without effect: \
                lanparm.mc20.1 in the state directory goes before it";
    assert_eq!(rig.reload_with(&conf, &kept), [overridden(text)]);
    assert_eq!(rig.reload(&conf), [now("the privilege limit of LAN channel 1 of MC 0x20 is user")]);
    let mut suites = kept;
    suites.insert("lanparm.mc20.1".into(), b"max_priv_for_cipher:d:\\00\\44\\44\\44\\44\\44\\44\\44\\04\n".to_vec());
    assert_eq!(
        rig.reload_with(&conf, &suites),
        [now("the privileges of cipher suites of LAN channel 1 of MC 0x20 changed")]
    );
}

#[test]
fn a_channel_moves_and_tries_again_when_it_could_not() {
    let mut rig = Rig::new(CONF, EMU);
    let moved = CONF.replace("addr 127.0.0.1 9001", "addr 127.0.0.2 9002");
    let opened = |rig: &mut Rig| {
        let found = rig.effects.iter().rev().find_map(|effect| match effect {
            Effect::OpenLan { lan, address } => Some((*lan, address.literal().unwrap().to_string())),
            _ => None,
        });
        rig.effects.clear();
        found
    };
    opened(&mut rig);
    for _ in 0..2 {
        assert_eq!(rig.reload(&moved), [now("LAN channel 1 of MC 0x20 moves to 127.0.0.2:9002")]);
        assert_eq!(opened(&mut rig), Some((LAN, "127.0.0.2:9002".into())));
        let before = config(CONF).controllers[0].lans[0].address.clone();
        rig.call(|sim, now, out| sim.handle(now, Input::LanStays(LAN, before), out));
    }
    assert_eq!(rig.reload(CONF), []);
    assert_eq!(opened(&mut rig), None);
}

#[test]
fn the_speed_of_the_console_changes_and_its_port_stays() {
    let conf = format!("{SOL_LINE}{CONF}");
    let mut rig = Rig::new(&conf, EMU);
    assert_eq!(
        rig.reload(&conf.replace("9600", "115200")),
        [now("the speed of the SOL port of MC 0x20 is 115200 bit/s")]
    );
    assert!(rig.effects.contains(&Effect::SolBitRate { mc: McAddress::BMC, bits_per_second: 115_200 }));
    let kept = BTreeMap::from([("sol.mc20".to_string(), b"bitrate:i:7\nenabled:i:0\nretries:i:3\n".to_vec())]);
    assert_eq!(
        rig.reload_with(&conf.replace("9600", "115200"), &kept),
        [
            now("the on/off switch of SOL of MC 0x20 changed"),
            now("the timing of SOL of MC 0x20 changed"),
            now("the speed of the SOL port of MC 0x20 is 19200 bit/s")
        ]
    );
    let text = "the speed on the sol line of MC 0x20 changed in lan.conf without effect: \
                sol.mc20 in the state directory goes before it";
    assert_eq!(rig.reload_with(&conf, &kept), [overridden(text)]);
    assert_eq!(
        rig.reload_with(&conf.replace("/dev/null\" 9600", "tcp:a:1\" 9600 nortscts"), &kept),
        [
            next_start("the port of the sol line of MC 0x20 changed"),
            next_start("nortscts of the sol line of MC 0x20 changed"),
        ]
    );
    assert_eq!(rig.reload_with(CONF, &kept), [next_start("sol of MC 0x20 is gone")]);
}

#[test]
fn programs_and_times_hold_from_now_on() {
    let mut rig = Rig::new(CONF, EMU);
    let conf = format!("{CONF}chassis_control \"./power\"\nstartcmd \"qemu\"\npoweroff_wait 3\nkill_wait 4\n");
    let changes = rig.reload(&conf);
    let texts = ["chassis_control", "startcmd", "poweroff_wait", "kill_wait"];
    assert_eq!(changes, texts.map(|what| now(&format!("{what} of MC 0x20 changed"))));
    let mut client = administrator(&mut rig);
    let packet = client.request(0, 1, &[]);
    assert!(rig.send(&packet).is_empty());
    let [Work::Program { line, .. }] = &rig.jobs()[..] else { panic!() };
    assert_eq!(line, "./power get power");
    assert_eq!(rig.reload(&conf), []);
}

#[test]
fn what_needs_a_restart_is_named_each_time_and_changes_nothing() {
    let mut rig = Rig::new(CONF, EMU);
    let conf = CONF.replace("\"test\"\n", "\"other\"\n")
        + "console 127.0.0.1 9100\nserial 15 127.0.0.1 9101 codec VM\nstartnow true\n\
           startlan 3\naddr 127.0.0.1 9003\nendlan\nipmb 4 ipmb_dev_int /dev/ipmb-4\nset_working_mc 0x40\nkill_wait 1\n";
    let expected = [
        next_start("name changed"),
        next_start("console changed"),
        next_start("startnow of MC 0x20 changed"),
        next_start("serial of MC 0x20 changed"),
        next_start("ipmb of MC 0x20 changed"),
        next_start("LAN channel 3 of MC 0x20 is new"),
        next_start("MC 0x40 is new"),
    ];
    assert_eq!(rig.reload(&conf), expected);
    assert_eq!(expected[0].to_string(), "name changed: takes effect at the next start");
    // Only `startnow` is taken over, for whenever its MC is enabled.
    let again: Vec<_> = expected.into_iter().filter(|change| !change.text.starts_with("startnow")).collect();
    assert_eq!(rig.reload(&conf), again);
    let without = CONF.split("startlan").next().unwrap();
    assert!(rig.reload(without).contains(&next_start("LAN channel 1 of MC 0x20 is gone")));
    let mut rig = Rig::new(&format!("{CONF}set_working_mc 0x30\nkill_wait 1\n"), EMU);
    assert_eq!(rig.reload(CONF), [next_start("MC 0x30 is not mentioned any more")]);
}

#[test]
fn variables_are_there_for_the_next_command() {
    let mut rig = Rig::new(CONF, EMU);
    assert_eq!(rig.reload(&format!("define mc \"0x20\"\n{CONF}")), [now("variable mc changed")]);
    rig.command("mc_disable $mc");
    assert_eq!(rig.faults, [""; 0]);
}

#[test]
fn a_key_that_a_client_set_goes_before_lan_conf_until_its_file_is_gone() {
    let key = b"bmc_key:d:clientskey\\00\\00\\00\\00\\00\\00\\00\\00\\00\\00\n";
    let kept = BTreeMap::from([("lanparm.mc20.1".to_owned(), key.to_vec())]);
    let mut rig = Rig::with_state(CONF, EMU, kept.clone());
    let in_use = |rig: &Rig| {
        rig.sim.machine().controller(McAddress::BMC)?.channels.lan(ChannelNumber::LAN)?.key.in_use().copied()
    };
    let clients = in_use(&rig).expect("a key");
    assert!(clients.starts_with(b"clientskey\0"));
    assert_eq!(rig.reload_with(CONF, &kept), []);
    let line = CONF.replace("  guid", "  bmc_key \"line\"\n  guid");
    let text = "bmc_key of LAN channel 1 of MC 0x20 changed in lan.conf without effect: lanparm.mc20.1 in the state \
                directory goes before it";
    assert_eq!(rig.reload_with(&line, &kept), [overridden(text)]);
    assert_eq!(in_use(&rig), Some(clients));
    assert_eq!(rig.reload(&line), [now("bmc_key of LAN channel 1 of MC 0x20 changed")]);
    assert!(in_use(&rig).is_some_and(|key| key.starts_with(b"line\0")));
}

#[test]
fn a_users_file_that_is_damaged_meanwhile_closes_its_user() {
    let mut rig = Rig::new(CONF, EMU);
    let mut client = administrator(&mut rig);
    let changes = rig.reload_with(CONF, &users("2.passwd:d:cut\n"));
    assert_eq!(changes.len(), 1, "{changes:?}");
    let text = &changes[0].text;
    assert!(text.contains("its record in users.mc20 is damaged (passwd cannot be used)"), "{text}");
    assert!(text.ends_with("; 1 session ended"), "{text}");
    let packet = client.request(6, 1, &[]);
    assert!(rig.send(&packet).is_empty());
    assert!(Login20::suite(3).run(&mut rig).is_err());
}
