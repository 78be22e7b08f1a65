//! `ipmitool lan print` and `lan set`: everything the tool knows, what is kept across a
//! restart, and a `lan_config_program` that takes its time, beside the original.

mod support;

use std::thread;
use std::time::{Duration, Instant};

use support::bench::free_port;
use support::config::{SMALL_EMU, small_lan_conf};
use support::{Bench, Ipmitool, Simulator, Subject};

/// What `lan set` can do, and how `lan print` shows it. The third column: the original
/// does it too.
const SETTINGS: [(&str, &str, bool); 17] = [
    ("lan set 1 ipsrc static", "IP Address Source : Static Address", true),
    ("lan set 1 ipaddr 192.0.2.9", "IP Address : 192.0.2.9", true),
    ("lan set 1 netmask 255.255.255.0", "Subnet Mask : 255.255.255.0", true),
    ("lan set 1 macaddr 02:00:00:00:00:09", "MAC Address : 02:00:00:00:00:09", true),
    ("lan set 1 defgw ipaddr 192.0.2.1", "Default Gateway IP : 192.0.2.1", true),
    ("lan set 1 defgw macaddr 02:00:00:00:00:01", "Default Gateway MAC : 02:00:00:00:00:01", true),
    ("lan set 1 bakgw ipaddr 192.0.2.2", "Backup Gateway IP : 192.0.2.2", true),
    ("lan set 1 bakgw macaddr 02:00:00:00:00:02", "Backup Gateway MAC : 02:00:00:00:00:02", true),
    ("lan set 1 snmp private", "SNMP Community String : private", false),
    ("lan set 1 arp respond on", "BMC ARP Control : ARP Responses Enabled", false),
    ("lan set 1 arp generate on", "Gratuitous ARP Enabled", false),
    ("lan set 1 arp interval 5", "Gratituous ARP Intrvl : 5.0 seconds", false),
    ("lan set 1 vlan id 100", "802.1q VLAN ID : 100", true),
    ("lan set 1 vlan priority 3", "802.1q VLAN Priority : 3", true),
    ("lan set 1 auth ADMIN MD5", ": Admin : MD5\n", false),
    ("lan set 1 cipher_privs oaaaaaaaaaaaaao", "Cipher Suite Priv Max : oaaaaaaaaaaaaao", true),
    ("lan set 1 bad_pass_thresh 3 1 60 120", "Bad Password Threshold : 3", false),
];

fn prepare(more: &str) -> (Bench, u16) {
    let bench = Bench::new();
    let port = free_port();
    let conf = small_lan_conf(port, "").replace("  endlan", &format!("{more}  endlan"));
    bench.write("lan.conf", conf);
    bench.write("sim.emu", SMALL_EMU);
    (bench, port)
}

fn client(port: u16) -> Ipmitool {
    Ipmitool::new(port, "admin", "admin").with(&["-R", "2"])
}

#[test]
fn everything_ipmitool_sets_is_shown_and_kept() {
    for subject in [Subject::Original, Subject::under_test()] {
        let ours = subject == Subject::Ours;
        let (bench, port) = prepare("");
        let simulator = Simulator::start_default(subject, &bench, port);
        // What fails with the original the tool tries for half a minute.
        for (words, ..) in SETTINGS.iter().filter(|(.., both)| ours || *both) {
            client(port).ok(words).assert_not_says("may have failed");
        }
        let shown = client(port).ok("lan print 1");
        for (_, line, _) in SETTINGS.iter().filter(|(.., both)| ours || *both) {
            shown.assert_says(line);
        }
        for words in [
            "lan set 1 access on",
            "lan set 1 alert on",
            "lan set 1 user",
            "lan set 1 password secret",
            "user enable 1",
        ] {
            client(port).ok(words);
        }
        // Ours lets somebody without a name in only where lan.conf enables user 1.
        let nameless = Ipmitool::new(port, "", "secret").with(&["-L", "USER"]).run("mc info");
        assert_eq!(nameless.succeeded(), !ours, "{}", nameless.report());
        // Both know no channel that is switched off.
        client(port).run("lan set 1 access off").assert_failed().assert_says("0x83");
        if ours {
            client(port).ok("lan alert set 1 2 ipaddr 192.0.2.7");
            // The tool takes the bit the other way round than the specification.
            client(port).ok("raw 6 0x41 1 0x40").assert_says("22 04");
            // What lan.conf does not allow cannot be had: the type OEM here.
            client(port).run("raw 0x0c 1 1 2 0x37 0x37 0x37 0x37 0").assert_failed().assert_says("rsp=0x82");
        }
        let before = client(port).ok("lan print 1").stdout;
        simulator.stop();

        let simulator = Simulator::start_default(subject, &bench, port);
        let after = client(port).ok("lan print 1");
        if ours {
            assert_eq!(after.stdout, before);
            client(port).ok("lan alert print 1 2").assert_says("Alert IP Address : 192.0.2.7");
            client(port).ok("raw 6 0x41 1 0x40").assert_says("22 04");
            client(port).ok("raw 6 0x41 1 0x80").assert_says("22 04");
            // A type that is not in force any more lets nobody in.
            client(port).by(support::Transport::LanAuth("MD5")).ok("mc info");
            client(port).by(support::Transport::LanAuth("PASSWORD")).with(&["-N", "1"]).run("mc info").assert_failed();
        } else {
            after.assert_says("IP Address : 0.0.0.0").assert_says("Cipher Suite Priv Max : oaaaaaaaaaaaaao");
        }
        simulator.stop();
        if ours {
            // The original takes what it knows of the file.
            let _simulator = Simulator::start_default(Subject::Original, &bench, port);
            client(port).ok("lan print 1").assert_says("Cipher Suite Priv Max : oaaaaaaaaaaaaao");
        }
    }
}

/// Keeps what it is told in a file, and every call in a log.
const PROGRAM: &str = r#"#!/bin/sh
cd "$(dirname "$0")" || exit 1
printf '%s\n' "$*" >>calls
sleep "$(cat pause 2>/dev/null || echo 0)"
case $1 in
get)  grep "^$2:" values ;;
check) [ "$3" != "bios" ] ;;
set)
    shift
    while [ $# -gt 1 ]; do
        grep -v "^$1:" values >values.new
        printf '%s:%s\n' "$1" "$2" >>values.new
        mv values.new values
        shift 2
    done ;;
esac
"#;

const VALUES: &str = "ip_addr:192.0.2.100
ip_addr_src:dhcp
mac_addr:02:00:00:00:00:64
subnet_mask:255.255.0.0
default_gw_ip_addr:192.0.2.254
default_gw_mac_addr:02:00:00:00:00:fe
backup_gw_ip_addr:0.0.0.0
backup_gw_mac_addr:00:00:00:00:00:00
";

/// The same for both: what is shown, what is set, what the program is told.
#[test]
fn a_program_keeps_the_parameters() {
    let mut told = Vec::new();
    for subject in [Subject::Original, Subject::under_test()] {
        let (bench, port) = prepare("    lan_config_program \"./lan.sh\"\n");
        bench.write_program("lan.sh", PROGRAM);
        bench.write("values", VALUES);
        let simulator = Simulator::start_default(subject, &bench, port);
        let shown = client(port).ok("lan print 1");
        for line in ["IP Address Source : DHCP Address", "IP Address : 192.0.2.100", "MAC Address : 02:00:00:00:00:64"]
        {
            shown.assert_says(line);
        }
        for (words, line, _) in &SETTINGS[..8] {
            client(port).ok(words);
            client(port).ok("lan print 1").assert_says(line);
        }
        client(port).run("raw 0x0c 1 1 4 3").assert_failed().assert_says("rsp=0xcc");
        client(port).ok("lan print 1").assert_says("IP Address Source : Static Address");
        simulator.stop();
        let calls = bench.read("calls");
        let sets: Vec<String> = calls.lines().filter(|call| !call.starts_with("get ")).map(str::to_owned).collect();
        let mut values: Vec<String> = bench.read("values").lines().map(str::to_owned).collect();
        values.sort();
        assert!(values.contains(&"ip_addr:192.0.2.9".to_owned()), "{values:?}");
        told.push((sets, values));

        // What the program keeps is there after a restart.
        let _simulator = Simulator::start_default(subject, &bench, port);
        client(port).ok("lan print 1").assert_says("IP Address : 192.0.2.9");
    }
    assert_eq!(told[0], told[1]);
}

/// The original stands still as long as the program runs (S32).
#[test]
fn a_slow_program_holds_up_nobody_else() {
    let (bench, port) = prepare("    lan_config_program \"./lan.sh\"\n");
    bench.write_program("lan.sh", PROGRAM);
    bench.write("values", VALUES);
    let _simulator = Simulator::start_default(Subject::Ours, &bench, port);
    bench.write("pause", "2");
    let slow = thread::spawn(move || client(port).ok("raw 0x0c 2 1 3 0 0"));
    // The program is at it when its call is in the log.
    let called = support::process::eventually(Duration::from_secs(10), || bench.path("calls").exists().then_some(()));
    assert!(called.is_some());
    let started = Instant::now();
    let mut quick = support::rmcp_client::RmcpClient::open(port, "admin", "admin", 4).expect("a session");
    for _ in 0..100 {
        assert!(matches!(quick.request(6 << 2, 1, &[]), support::rmcp_client::Response::Answer(_)));
    }
    assert!(started.elapsed() < Duration::from_millis(1500), "{:?}", started.elapsed());
    assert!(!slow.is_finished());
    slow.join().expect("its answer").assert_says("11 c0 00 02 64");
    assert_eq!(bench.read("calls").lines().count(), 1, "asked again by the client, run once");
}

/// What `lan6 set` can do, and how `lan6 print` shows it.
const IPV6_SETTINGS: [(&str, &str); 12] = [
    ("enables both", "IPv6/IPv4 Addressing Enables: both"),
    ("traffic_class 3", "IPv6 Header Traffic Class: 3"),
    ("static_hops 17", "IPv6 Header Static Hop Limit: 17"),
    ("flow_label 0x12345", "IPv6 Header Flow Label: 74565"),
    (
        "static_addr 0 enable 2001:db8::7 64",
        "IPv6 Static Address 0:\n Enabled: yes\n Address: 2001:db8::7/64\n Status: active",
    ),
    (
        "static_addr 3 disable fe80::1 10",
        "IPv6 Static Address 3:\n Enabled: no\n Address: fe80::1/10\n Status: disabled",
    ),
    ("static_duid 1 0 0a000300010200000000000900000000", "IPv6 DHCPv6 Static DUID 1:\n Length: 10\n Type: DUID-LL"),
    (
        "dhcp6_cfg 0 01020304050607080910111213141516 171819202122",
        "SOL_MAX_DELAY: 1\n SOL_TIMEOUT: 2\n SOL_MAX_RT: 3\n REQ_TIMEOUT: 4",
    ),
    ("rtr_cfg both", "Enable static router address: yes\n Enable dynamic router address: yes"),
    (
        "static_rtr 1 2001:db8::1 02:00:00:00:00:01 2001:db8:: 48",
        "IPv6 Static Router 1:\n Address: 2001:db8::1\n MAC: 02:00:00:00:00:01\n Prefix: 2001:db8::/48",
    ),
    (
        "static_rtr 2 2001:db8::2 02:00:00:00:00:02 2001:db8:: 56",
        "IPv6 Static Router 2:\n Address: 2001:db8::2\n MAC: 02:00:00:00:00:02\n Prefix: 2001:db8::/56",
    ),
    ("ndslaac_cfg 0 01020304050607080910111213141516", "MAX_RTR_SOLICITATION_DELAY: 1\n RTR_SOLICITATION_INTERVAL: 2"),
];

#[test]
fn every_ipv6_parameter_that_ipmitool_sets_is_shown_and_kept() {
    let (bench, port) = prepare("");
    let simulator = Simulator::start_default(Subject::under_test(), &bench, port);
    let first = client(port).ok("lan6 print 1");
    first
        .assert_says("IPv6 only: yes\n IPv4 and IPv6: yes")
        .assert_says("IPv6/IPv4 Addressing Enables: ipv4")
        .assert_says("Static address max: 4\n Dynamic address max: 0")
        .assert_says("IPv6 Number of Dynamic Router Info Sets: 0")
        .assert_not_says("Failed");
    for (words, _) in IPV6_SETTINGS {
        client(port).ok(&format!("lan6 set 1 {words}")).assert_not_says("Failed");
    }
    let shown = client(port).ok("lan6 print 1");
    for (_, lines) in IPV6_SETTINGS {
        shown.assert_says(lines);
    }
    shown.assert_not_says("Failed");
    // The lock is the other parameters' as well.
    client(port).ok("lan6 lock 1");
    client(port).ok("lan6 set 1 nolock static_hops 99");
    client(port).ok("lan6 print 1 static_hops").assert_says("Hop Limit: 99");
    client(port).ok("lan6 discard 1");
    client(port).ok("lan6 print 1 static_hops").assert_says("Hop Limit: 17");
    simulator.stop();
    let _simulator = Simulator::start_default(Subject::under_test(), &bench, port);
    assert_eq!(client(port).ok("lan6 print 1").stdout, shown.stdout, "after a restart");
}

#[test]
fn the_ipv6_addresses_in_use_are_shown() {
    let (bench, port) = prepare("");
    bench.write("lan.conf", bench.read("lan.conf").replace("addr 127.0.0.1", "addr ::1"));
    let simulator = Simulator::spawn(
        Subject::under_test(),
        &bench,
        &["-n", "-c", "lan.conf", "-f", "sim.emu", "-s", "state"],
        support::simulator::Stdin::Null,
    );
    assert!(simulator.stdout.wait_for("Opened UDP port", Duration::from_secs(10)));
    let client = Ipmitool { host: "::1".into(), ..client(port) };
    client
        .ok("lan6 print 1")
        .assert_says("IPv6/IPv4 Addressing Enables: ipv6")
        .assert_says("Dynamic address max: 1")
        .assert_says("IPv6 Dynamic Address 0:\n Source/Type: SLAAC\n Address: ::1/128\n Status: active");
    simulator.stop();
}
