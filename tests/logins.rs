//! Who can log in, by real clients: with two keys, without a name, with the longest names and
//! passwords, by name and role, as any of the 63 users.

mod support;

use std::process::Command;

use support::bench::free_port;
use support::client::CLIENT_LIMIT;
use support::config::{SMALL_EMU, small_lan_conf};
use support::{Bench, Freeipmi, Ipmitool, Ran, Simulator, Subject, Transport};

fn start(subject: Subject, channel: &str, users: &str) -> (Bench, Simulator, u16) {
    let bench = Bench::new();
    let port = free_port();
    let conf = small_lan_conf(port, users).replace("  endlan", &format!("{channel}  endlan"));
    bench.write("lan.conf", conf);
    bench.write("sim.emu", SMALL_EMU);
    let simulator = Simulator::start_default(subject, &bench, port);
    (bench, simulator, port)
}

fn openipmi(port: u16, user: &str, password: &str, options: &[&str]) -> Ran {
    let mut command = Command::new("openipmicmd");
    command.args(["-k", "0f 00 06 01", "lan", "-U", user, "-P", password, "-p", &port.to_string()]);
    Ran::run(command.args(options).arg("127.0.0.1"), "openipmi", CLIENT_LIMIT)
}

#[test]
fn with_two_keys() {
    let (_bench, _simulator, port) = start(Subject::under_test(), "    bmc_key \"secondsecret\"\n", "");
    for suite in [1, 2, 3, 8, 17] {
        let client = Ipmitool::new(port, "admin", "admin").by(Transport::Suite(suite)).with(&["-N", "1", "-R", "1"]);
        client.with(&["-k", "secondsecret"]).ok("mc info");
        client.with(&["-y", "7365636f6e64736563726574"]).ok("mc info");
        client.run("mc info").assert_failed();
        client.with(&["-k", "wrong"]).run("mc info").assert_failed();
        let tools = Freeipmi::new(port, "admin", "admin", "LAN_2_0");
        let suite = suite.to_string();
        tools.with(&["-I", &suite, "-k", "secondsecret"]).ok("bmc-info", "--get-device-id");
        tools.with(&["-I", &suite]).run("bmc-info", "--get-device-id").assert_failed().assert_says("k_g invalid");
    }
    openipmi(port, "admin", "admin", &["-Rk", "secondsecret"]).assert_ok();
    // IPMI 1.5 knows one key only.
    Ipmitool::new(port, "admin", "admin").by(Transport::LanAuth("MD5")).ok("mc info");
}

#[test]
fn without_a_name() {
    let users = "  user 1 true \"ignored\" \"nobody\" operator 10\n";
    for subject in [Subject::Original, Subject::under_test()] {
        let (_bench, _simulator, port) = start(subject, "", users);
        for way in [Transport::Lan, Transport::Suite(2), Transport::Suite(3)] {
            Ipmitool::new(port, "", "nobody").by(way).with(&["-L", "OPERATOR"]).ok("mc info");
        }
        let wrong = Ipmitool::new(port, "", "wrong").with(&["-L", "OPERATOR", "-N", "1", "-R", "1"]);
        wrong.run("mc info").assert_failed();
        let mut command = Command::new("/usr/sbin/bmc-info");
        command.args(["-h", &format!("127.0.0.1:{port}"), "-p", "nobody", "-D", "LAN_2_0", "-W", "opensesspriv"]);
        Ran::run(command.arg("--get-device-id"), "freeipmi-tools", CLIENT_LIMIT).assert_ok();
    }
}

/// 16 bytes of name and 20 of password: what the protocol has room for, and lan.conf not.
#[test]
fn with_the_longest_name_and_password() {
    let (_bench, _simulator, port) = start(Subject::under_test(), "", "");
    let admin = Ipmitool::new(port, "admin", "admin");
    let (name, password) = ("sixteen-letters!", "twenty letters, all!");
    for (number, name) in [("62", "short"), ("63", name)] {
        admin.run_words(&["user", "set", "name", number, name]).assert_ok();
        admin.run_words(&["user", "set", "password", number, password, "20"]).assert_ok();
        admin.ok(&format!("channel setaccess 1 {number} ipmi=on privilege=4"));
        admin.ok(&format!("user enable {number}"));
    }
    for suite in [1, 3, 8, 17] {
        Ipmitool::new(port, name, password).by(Transport::Suite(suite)).ok("mc info");
        let tools = Freeipmi::new(port, name, password, "LAN_2_0");
        tools.with(&["-I", &suite.to_string()]).ok("bmc-info", "--get-device-id");
    }
    openipmi(port, name, password, &[]).assert_ok();
    // This client takes 16 bytes for a key of MD5, the others all 20.
    openipmi(port, name, password, &["-Ra", "rakp_hmac_md5", "-Ri", "hmac_md5"]).assert_ok();
    // So does this, which is known by the padding of the name.
    let intel = Freeipmi::new(port, "short", password, "LAN_2_0").with(&["-W", "intel20"]);
    for suite in ["3", "8", "17"] {
        intel.with(&["-I", suite]).ok("bmc-info", "--get-device-id");
    }
    // IPMI 1.5 takes the first 16 bytes of the password.
    Ipmitool::new(port, name, &password[..16]).by(Transport::LanAuth("MD5")).ok("mc info");
    let cut = Ipmitool::new(port, name, &password[..19]).with(&["-N", "1", "-R", "1"]);
    cut.run("mc info").assert_failed();
    Ipmitool { user: name[..15].to_owned(), ..cut }.run("mc info").assert_failed();
}

/// Two users of one name, told apart by their privilege; name-only look-up takes the first.
#[test]
fn by_name_and_role() {
    let users = "  user 4 true \"twin\" \"first\" user 10\n  user 5 true \"twin\" \"second\" operator 10\n";
    for subject in [Subject::Original, Subject::under_test()] {
        let (_bench, _simulator, port) = start(subject, "", users);
        openipmi(port, "twin", "first", &["-Rl", "-L", "user"]).assert_ok();
        openipmi(port, "twin", "second", &["-Rl", "-L", "operator"]).assert_ok();
        openipmi(port, "twin", "second", &["-Rl", "-L", "user"]).assert_failed();
        openipmi(port, "twin", "first", &["-L", "user"]).assert_ok();
        Ipmitool::new(port, "twin", "first").with(&["-L", "USER"]).ok("mc info");
        let second = Ipmitool::new(port, "twin", "second").with(&["-L", "USER", "-N", "1", "-R", "1"]);
        second.run("mc info").assert_failed();
    }
}

#[test]
fn as_any_of_63_users() {
    let users: String =
        (3..=63).map(|number| format!("  user {number} true \"user{number}\" \"pw{number}\" admin 10\n")).collect();
    let (_bench, _simulator, port) = start(Subject::under_test(), "", &users);
    for number in (3..=63).step_by(6) {
        let (name, password) = (format!("user{number}"), format!("pw{number}"));
        let ran = Ipmitool::new(port, &name, &password).by(Transport::Suite(17)).ok("session info active");
        ran.assert_says(&format!("user id : {number}"));
    }
}
