//! Accounts, by real clients: a client changes the account it is logged in with, a disabled user
//! stays out, the log says who changed what.

mod support;

use std::process::Command;
use std::time::{Duration, Instant};

use support::bench::free_port;
use support::client::CLIENT_LIMIT;
use support::config::{SMALL_EMU, small_lan_conf};
use support::{Bench, Freeipmi, Ipmitool, Ran, Simulator, Subject, Transport};

/// A client that waits for a response that does not come needs more than this.
const AT_ONCE: Duration = Duration::from_secs(5);
const OPS: &str = "  user 3 true \"ops\" \"ops\" operator 10\n";

fn start(users: &str) -> (Bench, Simulator, u16) {
    let bench = Bench::new();
    let port = free_port();
    bench.write("lan.conf", small_lan_conf(port, users));
    bench.write("sim.emu", SMALL_EMU);
    let simulator = Simulator::start_default(Subject::under_test(), &bench, port);
    (bench, simulator, port)
}

#[track_caller]
fn at_once(work: impl FnOnce() -> Ran) -> Ran {
    let begun = Instant::now();
    let ran = work();
    let took = begun.elapsed();
    ran.assert_ok().assert_not_says("failed").assert_not_says("Unable");
    assert!(took < AT_ONCE, "{took:?}");
    ran
}

const PYGHMI: &str = "
import sys
from pyghmi.ipmi import command
c = command.Command(bmc='127.0.0.1', port=int(sys.argv[1]), userid='admin', password='pwpw', kg=None)
c.set_user_password(2, password='third')
c.set_user_name(2, 'admin')
c.set_user_access(2, 1, callback=False, link_auth=True, ipmi_msg=True, privilege_level='administrator')
print(c.get_user(2)['access']['privilege_level'])
print(c.ipmi_session.logout())
";

#[test]
fn clients_change_the_account_they_are_logged_in_with() {
    for way in [Transport::Lan, Transport::Suite(3), Transport::Suite(17)] {
        let (_bench, _simulator, port) = start(OPS);
        let client = |password| Ipmitool::new(port, "admin", password).by(way);
        at_once(|| client("admin").run("user set password 2 second"));
        client("admin").with(&["-N", "1", "-R", "1"]).run("mc info").assert_failed();
        at_once(|| client("second").run("user set name 2 admin"));
        at_once(|| client("second").run("channel setaccess 1 2 callin=on ipmi=on link=on privilege=4"));
        at_once(|| client("second").run("user priv 2 4 1"));
        at_once(|| client("second").run("user enable 2"));
        at_once(|| client("second").run("user set password 2 pwpw"));
        let others = Ipmitool::new(port, "ops", "ops").by(way).with(&["-L", "OPERATOR"]);
        others.ok("mc info");
        // Shutting oneself out ends as well, and then one is out.
        at_once(|| client("pwpw").run("user priv 2 3 1"));
        client("pwpw").with(&["-N", "1", "-R", "1"]).run("user list 1").assert_failed();
        client("pwpw").with(&["-L", "OPERATOR"]).ok("mc info");
    }
    for words in ["user disable 2", "raw 6 0x43 0x81 2 4", "channel setaccess 1 2 privilege=15", "raw 6 0x43 0xd1 2 4"]
    {
        let (_bench, _simulator, port) = start("");
        let client = Ipmitool::new(port, "admin", "admin");
        at_once(|| client.run(words));
        client.with(&["-N", "1", "-R", "1"]).run("power status").assert_failed();
    }
}

#[test]
fn freeipmi_commits_several_values_of_its_own_account() {
    for driver in ["LAN", "LAN_2_0"] {
        let (_bench, _simulator, port) = start(OPS);
        let tools = |password| Freeipmi::new(port, "admin", password, driver).with(&["-l", "ADMIN"]);
        let keys = ["Password=second", "Enable_User=Yes", "Lan_Enable_Link_Auth=Yes", "Lan_Enable_IPMI_Msgs=Yes"];
        let mut words = vec!["--category=core".to_owned(), "--commit".into()];
        for key in keys {
            words.extend(["-e".into(), format!("User2:{key}")]);
        }
        words.extend(["-e".into(), "User3:Password=ops2".into()]);
        at_once(|| tools("admin").run("ipmi-config", &words.join(" ")));
        tools("second").ok("bmc-info", "--get-device-id");
        tools("admin").run("bmc-info", "--get-device-id").assert_failed();
        let client = Ipmitool::new(port, "admin", "second");
        client.ok("channel getaccess 1 2").assert_says("Link Authentication : enabled");
        Ipmitool::new(port, "ops", "ops2").with(&["-L", "OPERATOR"]).ok("mc info");
    }
}

#[test]
fn pyghmi_changes_its_own_account_and_goes_on() {
    let (_bench, _simulator, port) = start("");
    Ipmitool::new(port, "admin", "admin").ok("user set password 2 pwpw");
    let mut command = Command::new("/usr/bin/python3");
    command.args(["-c", PYGHMI, &port.to_string()]);
    let begun = Instant::now();
    Ran::run(&mut command, "python3-pyghmi", CLIENT_LIMIT).assert_ok().assert_says("administrator").assert_says("True");
    assert!(begun.elapsed() < 2 * AT_ONCE, "{:?}", begun.elapsed());
    Ipmitool::new(port, "admin", "third").ok("mc info");
}

#[test]
fn a_disabled_user_is_shown_and_kept_out() {
    let (bench, simulator, port) = start(OPS);
    let client = Ipmitool::new(port, "admin", "admin");
    let ops = Ipmitool::new(port, "ops", "ops").with(&["-L", "OPERATOR", "-N", "1", "-R", "1"]);
    let old = ops.by(Transport::Lan);
    let status = |is: &str| {
        client.ok("channel getaccess 1 3").assert_says(&format!("Enable Status : {is}"));
    };
    status("enabled");
    client.ok("user disable 3");
    for words in [
        "channel setaccess 1 3 ipmi=on privilege=3",
        "user set password 3 ops",
        "user priv 3 4 1",
        "user set name 3 ops",
    ] {
        status("disabled");
        client.ok(words);
        ops.run("mc info").assert_failed();
        old.run("mc info").assert_failed();
    }
    Freeipmi::new(port, "admin", "admin", "LAN_2_0")
        .with(&["-l", "ADMIN"])
        .ok("ipmi-config", "--category=core --checkout -e User3:Enable_User")
        .assert_says("No");
    simulator.stop();
    let _simulator = Simulator::start_default(Subject::under_test(), &bench, port);
    status("disabled");
    client.ok("channel getaccess 1 3").assert_says("IPMI Messaging : enabled");
    ops.run("mc info").assert_failed();
    client.ok("user enable 3");
    status("enabled");
    ops.ok("mc info");
    // ipmitool 1.8.19 sends the same for ipmi=on and ipmi=off.
    client.ok("raw 6 0x43 0x81 3 3");
    ops.run("mc info").assert_failed();
    status("enabled");
}

#[test]
fn freeipmi_sets_k_g_and_logins_need_it_from_then_on() {
    let (bench, simulator, port) = start("");
    let tools = Freeipmi::new(port, "admin", "admin", "LAN_2_0").with(&["-l", "ADMIN"]);
    // There is no K_R, for which it ends with status 1, and says so with -v only.
    let zero = "K_G 0x0000000000000000000000000000000000000000";
    tools.run("ipmi-config", "--category=core --checkout -S Lan_Conf_Security_Keys").assert_says(zero);
    at_once(|| tools.run("ipmi-config", "--category=core --commit -e Lan_Conf_Security_Keys:K_G=newkey"));
    let check = |simulator: &Simulator| {
        let client = Ipmitool::new(port, "admin", "admin").with(&["-N", "1", "-R", "1"]);
        client.run("mc info").assert_failed();
        client.with(&["-k", "newkey"]).ok("mc info");
        tools.with(&["-k", "newkey"]).ok("bmc-info", "--get-device-id");
        assert!(!simulator.report().contains("newkey"), "{}", simulator.report());
    };
    check(&simulator);
    simulator.stop();
    let simulator = Simulator::start_default(Subject::under_test(), &bench, port);
    check(&simulator);
    let tools = tools.with(&["-k", "newkey"]);
    tools.ok("ipmi-config", "--category=core --diff -e Lan_Conf_Security_Keys:K_G=newkey");
    at_once(|| tools.run("ipmi-config", "--category=core --commit -e Lan_Conf_Security_Keys:K_G="));
    Ipmitool::new(port, "admin", "admin").ok("mc info");
}

#[test]
fn a_user_whose_password_line_is_damaged_stays_out_after_a_restart() {
    let (bench, simulator, port) = start(OPS);
    let client = Ipmitool::new(port, "admin", "admin");
    client.ok("user set password 3 private");
    simulator.stop();
    let file = "state/ipmi_sim/small/users.mc20";
    let damaged = bench.read(file).replace("3.passwd:d:private", "3.passwd:d:p");
    bench.write(file, &damaged);
    let simulator = Simulator::start_default(Subject::under_test(), &bench, port);
    for password in ["ops", "private", "p", ""] {
        let ops = Ipmitool::new(port, "ops", password).with(&["-L", "OPERATOR", "-N", "1", "-R", "1"]);
        ops.run("mc info").assert_failed();
    }
    client.ok("mc info");
    let report = simulator.report();
    assert!(report.contains("the record of user 3 is damaged"), "{report}");
    assert_eq!(bench.read(&format!("{file}.damaged")), damaged);
    client.ok("user set password 3 again");
    client.ok("user enable 3");
    Ipmitool::new(port, "ops", "again").with(&["-L", "OPERATOR"]).ok("mc info");
}
