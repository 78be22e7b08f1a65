//! No password and no key is where it does not belong: in the log, or in memory when nobody
//! needs it any more.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::time::Duration;

use crate::support::bench::free_port;
use crate::support::config::SMALL_EMU;
use crate::support::process::eventually;
use crate::support::rmcp_client::RmcpClient;
use crate::support::simulator::Stdin;
use crate::support::{Bench, Simulator, Subject};

const ADMIN_PASSWORD: &str = "Zz-hunter2-Qq";
const NEW_PASSWORD: &str = "Yy-swordfish-9";
const LONG_PASSWORD: &str = "Xx-correct-horse-123";
/// What traps are sent with.
const COMMUNITY: &str = "Ww-paperclip-4";

fn bench(port: u16) -> Bench {
    let bench = Bench::new();
    bench.write(
        "lan.conf",
        format!(
            "name \"secrets\"\nset_working_mc 0x20\n  user 2 true \"admin\" \"{ADMIN_PASSWORD}\" admin 10 md2 md5 straight\n  \
             startlan 1\n    addr 127.0.0.1 {port}\n    allowed_auths_admin md2 md5 straight\n    \
             allowed_auths_operator md2 md5 straight\n    allowed_auths_user md2 md5 straight\n    \
             guid a123456789abcdefa123456789abcdef\n  endlan\n"
        ),
    );
    bench.write("sim.emu", SMALL_EMU);
    bench
}

/// The ways bytes look in a log.
fn looks(secret: &[u8]) -> Vec<String> {
    let hex: Vec<String> = secret.iter().map(|byte| format!("{byte:02x}")).collect();
    let numbers: Vec<String> = secret.iter().map(u8::to_string).collect();
    let upper = |text: String| [text.to_uppercase(), text];
    let mut looks = vec![numbers.join(", "), String::from_utf8_lossy(secret).into_owned()];
    looks.extend([hex.join(""), hex.join(" "), hex.join(":"), format!("0x{}", hex.join(" 0x"))].map(upper).concat());
    looks
}

#[test]
fn no_secret_is_in_the_log_however_much_is_logged() {
    let port = free_port();
    let bench = bench(port);
    let arguments = ["-n", "-c", "lan.conf", "-f", "sim.emu", "-s", "state", "-d", "-d", "-d", "-d", "-d", "-d", "-d"];
    let environment = [("RUST_LOG", "trace")];
    let mut simulator = Simulator::spawn_with(Subject::Ours, &bench, &arguments, Stdin::Null, &environment);
    simulator.wait_until_ready(port);
    let client = |arguments: &[&str]| {
        let mut all = vec!["-H", "127.0.0.1", "-U", "admin", "-P", ADMIN_PASSWORD];
        let port = port.to_string();
        all.extend(["-p", &port]);
        all.extend_from_slice(arguments);
        let mut command = std::process::Command::new("ipmitool");
        crate::support::client::Ran::run(command.args(all), "ipmitool", crate::support::client::CLIENT_LIMIT)
    };
    for way in [
        &["-I", "lan", "-A", "MD5"][..],
        &["-I", "lan", "-A", "PASSWORD"],
        &["-I", "lanplus", "-C", "1"],
        &["-I", "lanplus", "-C", "2"],
        &["-I", "lanplus", "-C", "3"],
        &["-I", "lanplus", "-C", "17"],
    ] {
        let run = |arguments: &[&str]| client(&[way, arguments].concat());
        run(&["user", "set", "name", "3", "other"]).assert_ok();
        run(&["user", "set", "password", "3", NEW_PASSWORD]).assert_ok();
        run(&["user", "test", "3", "16", NEW_PASSWORD]).assert_ok();
        run(&["user", "set", "password", "3", LONG_PASSWORD, "20"]).assert_ok();
        run(&["-t", "0x30", "user", "set", "password", "3", NEW_PASSWORD]);
        run(&["lan", "set", "1", "snmp", COMMUNITY]).assert_ok();
        run(&["lan", "print", "1"]).assert_says(COMMUNITY);
        run(&["mc", "info"]).assert_ok();
    }
    // Passwords that are refused are secrets as well: they are often nearly right.
    let mut wrong = std::process::Command::new("ipmitool");
    let port = port.to_string();
    wrong.args(["-I", "lan", "-A", "PASSWORD", "-H", "127.0.0.1", "-U", "admin", "-P", LONG_PASSWORD, "-p", &port]);
    crate::support::client::Ran::run(wrong.args(["mc", "info"]), "ipmitool", crate::support::client::CLIENT_LIMIT)
        .assert_failed();
    let log = format!("{}{}", simulator.stdout.text(), simulator.stderr.text());
    assert!(log.contains("Set User Password") || log.contains("06 47"), "the log tells commands");
    assert!(log.contains("Raw LAN receive"), "the log shows raw bytes");
    for secret in [ADMIN_PASSWORD, NEW_PASSWORD, LONG_PASSWORD, COMMUNITY] {
        for look in looks(secret.as_bytes()).into_iter().chain(looks(&secret.as_bytes()[..secret.len().min(16)])) {
            let line = log.lines().find(|line| line.contains(&look));
            assert_eq!(line, None, "{secret} is in the log");
        }
    }
}

/// How often some bytes are in the memory of a process.
fn in_memory(pid: u32, wanted: &[u8]) -> usize {
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).expect("its memory map");
    let memory = File::open(format!("/proc/{pid}/mem")).expect("its memory");
    let mut found = 0;
    for line in maps.lines() {
        let mut words = line.split_whitespace();
        let (range, rights) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        if !rights.starts_with("rw") {
            continue;
        }
        let (start, end) = range.split_once('-').expect("a range");
        let address = |text| u64::from_str_radix(text, 16).expect("an address");
        let (start, end) = (address(start), address(end));
        let mut bytes = vec![0; (end - start) as usize];
        if memory.read_exact_at(&mut bytes, start).is_ok() {
            found += bytes.windows(wanted.len()).filter(|piece| *piece == wanted).count();
        }
    }
    found
}

#[test]
fn keys_of_a_session_leave_memory_with_it() {
    let port = free_port();
    let bench = bench(port);
    let simulator = Simulator::start_default(Subject::Ours, &bench, port);
    let client = RmcpClient::open(port, "admin", ADMIN_PASSWORD, 4).expect("a session");
    let keys = client.keys();
    assert!(in_memory(simulator.pid(), &keys.aes) > 0, "the search finds the key of a session that is open");
    drop(client);
    // Another client's traffic runs over the places where the first's work was done.
    let mut other = RmcpClient::open(port, "admin", ADMIN_PASSWORD, 4).expect("a session");
    other.request(6 << 2, 1, &[]);
    for (name, key) in [("K1", &keys.k1[..]), ("the key of AES", &keys.aes), ("SIK", &keys.sik)] {
        let gone = eventually(Duration::from_secs(3), || (in_memory(simulator.pid(), key) == 0).then_some(()));
        assert!(gone.is_some(), "{name} is there {} times", in_memory(simulator.pid(), key));
    }
}

/// Nothing comes after the session: no other login, no other command that would run over the places where its keys were.
#[test]
fn keys_leave_memory_with_the_session_and_not_with_what_comes_next() {
    for end in ["closed", "idle"] {
        let port = free_port();
        let bench = bench(port);
        let simulator = Simulator::start_default(Subject::Ours, &bench, port);
        let mut client = RmcpClient::open(port, "admin", ADMIN_PASSWORD, 4).expect("a session");
        (0..20).for_each(|_| drop(client.request(6 << 2, 1, &[])));
        let keys = client.keys();
        assert!(in_memory(simulator.pid(), &keys.aes) > 0, "the search finds the key of a session that is open");
        match end {
            "closed" => drop(client),
            _ => {
                client.vanish();
                std::thread::sleep(Duration::from_secs(61));
            }
        }
        std::thread::sleep(Duration::from_millis(300));
        let pieces = [&keys.k1[..], &keys.k1[..16], &keys.aes, &keys.sik, &keys.sik[..16]];
        for (name, key) in ["K1", "the start of K1", "the key of AES", "SIK", "the start of SIK"].iter().zip(pieces) {
            assert_eq!(in_memory(simulator.pid(), key), 0, "{end}: {name}");
        }
    }
}
