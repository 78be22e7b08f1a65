//! Fleets: many BMCs in one process, asked by freeipmi with ranges of hosts; lists with typical mistakes; BMCs that come
//! and go while others are served.

mod support;

use std::fs;
use std::net::UdpSocket;
use std::process::Command;
use std::time::Duration;

use nix::sys::signal::Signal;
use support::bench::{free_port, project};
use support::client::FREEIPMI_PACKAGE;
use support::manager::Manager;
use support::process::eventually;
use support::{Bench, Ran, Simulator, Stdin, Subject};

/// A start of a thousand takes a part of a second, and longer where other tests run.
const START: Duration = Duration::from_secs(60);

/// A bench with the files of the example and their names as arguments.
fn bench() -> (Bench, [String; 4]) {
    let bench = Bench::new();
    let file = |name: &str| project(&format!("examples/fleet/{name}")).display().to_string();
    (bench, ["-c".into(), file("lan.conf"), "-f".into(), file("sim.emu")])
}

/// A fleet that serves.
fn started(bench: &Bench, arguments: &[&str], files: &[String]) -> Simulator {
    let mut all = vec!["-n", "--ready-line"];
    all.extend(arguments);
    all.extend(files.iter().map(String::as_str));
    let simulator = Simulator::spawn(Subject::under_test(), bench, &all, Stdin::Null);
    assert!(simulator.stdout.wait_for("is ready\n", START), "{}", simulator.report());
    simulator
}

/// What `--check`, or something else that ends by itself, says.
fn ended(bench: &Bench, arguments: &[&str], files: &[String]) -> Ran {
    let mut command = Command::new(Subject::under_test().program());
    command.args(arguments).args(files).current_dir(bench.folder()).env_remove("RUST_LOG");
    Ran::run(&mut command, "openipmi", START)
}

/// A freeipmi tool for a range of hosts.
fn freeipmi(bench: &Bench, tool: &str, hosts: &str, port: u16, words: &[&str]) -> Ran {
    let mut command = Command::new(tool);
    command.args(["-D", "LAN_2_0", "-h", &format!("{hosts}:{port}"), "-u", "admin", "-p", "admin"]).args(words);
    command.env("HOME", bench.folder());
    Ran::run(&mut command, FREEIPMI_PACKAGE, START)
}

fn ipmitool(host: &str, port: u16, words: &str) -> Ran {
    let mut command = Command::new("ipmitool");
    command.args(["-I", "lanplus", "-H", host, "-p", &port.to_string(), "-U", "admin", "-P", "admin"]);
    command.args(words.split(' '));
    Ran::run(&mut command, "ipmitool", Duration::from_secs(30))
}

/// A list of BMCs, each with its name and the last two bytes of its address.
fn list(rows: &[(&str, &str)], port: u16) -> String {
    let rows: String = rows.iter().map(|(name, end)| format!("{name},127.88.{end},{port}\n")).collect();
    format!("name,addr,port\n{rows}")
}

#[test]
fn a_thousand_bmcs_are_asked_by_ranges_of_hosts() {
    let (bench, files) = bench();
    let port = free_port();
    let ports = port.to_string();
    let range = ["--count", "1000", "--addresses", "127.80.0.0/16", "--ports", &ports];
    let mut simulator = started(&bench, &[&range[..], &["-s", "state"]].concat(), &files);
    simulator.stdout.wait_for("ipmi_sim fleet of 1000 is ready\n", START);
    let addresses = format!("LAN: UDP 127.80.0.1:{port} to 127.80.3.232:{port}, 1000 addresses");
    assert!(simulator.stderr.wait_for(&addresses, START), "{}", simulator.report());

    ended(&bench, &[&range[..], &["--ping"]].concat(), &files)
        .assert_ok()
        .assert_says("1000 of 1000 LAN channels of 1000 BMCs answer");
    let power = freeipmi(&bench, "ipmipower", "127.80.[0-2].[1-200]", port, &["--stat"]);
    power.assert_ok();
    assert_eq!(power.stdout.lines().filter(|line| line.ends_with(": off")).count(), 600, "{}", power.report());
    freeipmi(&bench, "ipmipower", "127.80.1.[1-9]", port, &["--on"]).assert_ok();
    let power = freeipmi(&bench, "ipmipower", "127.80.1.[1-20]", port, &["--stat"]);
    assert_eq!(power.stdout.lines().filter(|line| line.ends_with(": on")).count(), 9, "{}", power.report());

    let sensors = freeipmi(&bench, "ipmi-sensors", "127.80.3.[230-232]", port, &["--quiet-cache"]);
    sensors.assert_ok();
    assert_eq!(sensors.stdout.matches("Inlet Temp").count(), 3, "{}", sensors.report());
    // An inventory that freeipmi, which looks at checksums, finds nothing wrong with.
    let fru = freeipmi(&bench, "ipmi-fru", "127.80.3.232", port, &[]);
    fru.assert_ok().assert_says("FRU Product Serial Number: SN-1000").assert_says("FRU Product Asset Tag: bmc01000");
    assert!(!fru.all().contains("checksum"), "{}", fru.report());
    assert_eq!(freeipmi(&bench, "ipmi-sel", "127.80.3.232", port, &[]).stdout.matches("ID").count(), 0);
    let guid = |host| ipmitool(host, port, "mc guid").assert_ok().stdout.clone();
    let (first, second) = (guid("127.80.0.1"), guid("127.80.0.2"));
    assert_ne!(first, second);

    // Nobody has changed anything that is kept.
    assert!(!bench.path("state").exists(), "{:?}", fs::read_dir(bench.path("state")).map(Iterator::count));
    ipmitool("127.80.0.7", port, "user set name 5 guest").assert_ok();
    let folders: Vec<_> = fs::read_dir(bench.path("state/ipmi_sim")).expect("the folder").collect();
    assert_eq!(folders.len(), 1);
    assert!(bench.read("state/ipmi_sim/bmc00007/users.mc20").contains("guest"));

    simulator.signal(Signal::SIGTERM);
    assert!(simulator.wait(START).is_some(), "{}", simulator.report());
    let _again = started(&bench, &[&range[..], &["-s", "state"]].concat(), &files);
    assert_eq!(guid("127.80.0.1"), first);
    ipmitool("127.80.0.7", port, "user list").assert_ok().assert_says("guest");
}

#[test]
fn bmcs_come_and_go_and_the_others_do_not_notice() {
    let (bench, files) = bench();
    let port = free_port();
    bench.write("nodes.csv", list(&[("a", "0.1"), ("b", "0.2"), ("c", "0.3")], port));
    let simulator = started(&bench, &["--fleet", "nodes.csv", "-s", "state"], &files);
    let reload = |told: &str| {
        simulator.signal(Signal::SIGHUP);
        assert!(simulator.stderr.wait_for(told, START), "{told}: {}", simulator.report());
    };
    reload("SIGHUP: no changes: the fleet is the same as before");
    ipmitool("127.88.0.1", port, "user set name 5 guest").assert_ok();
    ipmitool("127.88.0.2", port, "power on").assert_ok();

    // One is gone, one has moved, one takes the place of the one that is gone.
    bench.write("nodes.csv", list(&[("b", "0.2"), ("c", "0.4"), ("d", "0.1")], port));
    reload("SIGHUP: the fleet was read again: 1 new, 1 gone, 1 changed");
    let moved = format!("c: SIGHUP: LAN channel 1 of MC 0x20 moves to 127.88.0.4:{port}");
    assert!(simulator.stderr.wait_for(&moved, START), "{}", simulator.report());
    ipmitool("127.88.0.1", port, "fru print").assert_ok().assert_says("Product Asset Tag : d");
    ipmitool("127.88.0.2", port, "power status").assert_ok().assert_says("is on");
    // Its number is what it was.
    ipmitool("127.88.0.2", port, "fru print").assert_ok().assert_says("Product Serial : SN-2");
    ipmitool("127.88.0.4", port, "power status").assert_ok().assert_says("is off");

    // A list with a mistake changes nothing.
    bench.write("nodes.csv", list(&[("b", "0.2"), ("b", "0.5")], port));
    reload("SIGHUP: no changes: the fleet could not be read again");
    assert!(simulator.stderr.text().contains("nodes.csv:3:1: error: the name 'b' is that of line 2 already"));
    ipmitool("127.88.0.4", port, "power status").assert_ok();

    // One that cannot be had now is tried again the next time.
    let taken = UdpSocket::bind(("127.88.0.9", port + 1)).expect("a port");
    let moved = list(&[("a", "0.9"), ("b", "0.2")], port).replace(&format!("0.9,{port}"), &format!("0.9,{}", port + 1));
    bench.write("nodes.csv", &moved);
    reload("a: Unable to bind");
    drop(taken);
    reload("SIGHUP: the fleet was read again: 1 new, 0 gone, 0 changed");
    ipmitool("127.88.0.9", port + 1, "power status").assert_ok();

    // What it had changed comes back with it.
    bench.write("nodes.csv", list(&[("b", "0.2")], port));
    reload("SIGHUP: the fleet was read again: 0 new, 1 gone, 0 changed");
    bench.write("nodes.csv", list(&[("a", "0.9"), ("b", "0.2")], port));
    reload("SIGHUP: the fleet was read again: 1 new, 0 gone, 0 changed");
    ipmitool("127.88.0.9", port, "user list").assert_ok().assert_says("guest");
}

/// The start of many takes its time, in which nobody waits for signals.
#[test]
fn a_signal_during_the_start_does_not_end_it() {
    let (bench, files) = bench();
    let port = free_port().to_string();
    let range = ["-n", "--ready-line", "-p", "--count", "3000", "--addresses", "127.91.0.0/16", "--ports", &port];
    let all: Vec<&str> = range.into_iter().chain(files.iter().map(String::as_str)).collect();
    let simulator = Simulator::spawn(Subject::under_test(), &bench, &all, Stdin::Null);
    assert!(simulator.stdout.wait_for("IPMI Simulator", START), "{}", simulator.report());
    std::thread::sleep(std::time::Duration::from_millis(20));
    simulator.signal(Signal::SIGHUP);
    assert!(!simulator.stdout.text().contains("ready"), "it was faster");
    assert!(simulator.stdout.wait_for("is ready\n", START), "{}", simulator.report());
    assert!(simulator.stderr.wait_for("the fleet is the same as before", START), "{}", simulator.report());
}

/// Two processes share a list, as pods do. The second is told so by its environment.
#[test]
fn processes_share_a_list_by_slices() {
    let (bench, files) = bench();
    // In one network, where several addresses of a port are one process's.
    let ports = [(); 4].map(|()| free_port());
    let rows = ["a", "b", "c", "d"].into_iter().zip(ports);
    let rows: Vec<_> = rows.map(|(name, port)| format!("{name},127.0.0.1,{port}\n")).collect();
    let list = |count: usize| format!("name,addr,port\n{}", rows[..count].concat());
    bench.write("nodes.csv", list(3));
    let first = started(&bench, &["--fleet", "nodes.csv", "-s", "one", "--slice", "1/2"], &files);
    assert!(first.stdout.wait_for("ipmi_sim fleet of 1 is ready\n", START), "{}", first.report());
    assert!(first.stderr.wait_for("nodes.csv, slice 1/2", START), "{}", first.report());
    let mut all = vec!["-n", "--ready-line", "--fleet", "nodes.csv", "-s", "two"];
    all.extend(files.iter().map(String::as_str));
    let environment = [("IPMI_SIM_SLICE", "2/2")];
    let second = Simulator::spawn_with(Subject::under_test(), &bench, &all, Stdin::Null, &environment);
    assert!(second.stdout.wait_for("ipmi_sim fleet of 2 is ready\n", START), "{}", second.report());
    // Its number is that in the whole list.
    ipmitool("127.0.0.1", ports[0], "fru print").assert_ok().assert_says("Product Serial : SN-1");
    ipmitool("127.0.0.1", ports[2], "fru print").assert_ok().assert_says("Product Serial : SN-3");
    let ping = |slice| ended(&bench, &["--ping", "--fleet", "nodes.csv", "--slice", slice], &files);
    ping("1/1").assert_ok().assert_says("3 of 3 LAN channels of 3 BMCs answer");
    ping("2/2").assert_ok().assert_says("2 of 2 LAN channels of 2 BMCs answer");
    ping("1/4").assert_failed().assert_says("Slice 1/4 of 3 BMCs has none: expected fewer slices");

    // A list that is longer has its borders elsewhere.
    bench.write("nodes.csv", list(4));
    for (simulator, told) in [(&second, "1 new, 1 gone, 0 changed"), (&first, "1 new, 0 gone, 0 changed")] {
        simulator.signal(Signal::SIGHUP);
        let told = format!("SIGHUP: the fleet was read again: {told}");
        assert!(simulator.stderr.wait_for(&told, START), "{told}: {}", simulator.report());
    }
    ping("1/2").assert_ok();
    ping("2/2").assert_ok();

    let mut command = Command::new(Subject::under_test().program());
    command.args(["--check", "--fleet", "nodes.csv", "-p"]).args(&files).current_dir(bench.folder());
    let wrong = Ran::run(command.env("IPMI_SIM_SLICE", "5/4"), "openipmi", START);
    wrong.assert_failed().assert_says("IPMI_SIM_SLICE in the environment: expected a slice from 1/4 to 4/4");
}

#[test]
fn one_that_cannot_start_is_told_and_the_others_are_served() {
    let (bench, files) = bench();
    let port = free_port();
    bench.write("no-bmc.emu", "mc_add 0x20 0 no-device-sdrs 1 1 0 0x9f 0 1\n");
    bench.write(
        "nodes.csv",
        format!("name,addr,port,emu\na,127.89.0.1,{port},\nb,127.89.0.1,{port},\nc,127.89.0.3,x,\nd,127.89.0.4,{port},no-bmc.emu\n"),
    );
    let fleet = ["--fleet", "nodes.csv", "-p"];
    let mut simulator = started(&bench, &fleet, &files);
    assert!(simulator.stdout.wait_for("ipmi_sim fleet of 1 is ready\n", START));
    ipmitool("127.89.0.1", port, "power status").assert_ok();
    let said = simulator.stderr.text();
    let twice = format!(
        "nodes.csv:3:3: error: 'b' has the address 127.89.0.1 and port {port}, which are those of 'a' in line 2 (b)"
    );
    for told in [
        &*twice,
        "lan.conf:9:10: error: port x is neither a decimal number nor a udp service (c)",
        "No bmc_ipmb specified or configured. (d)",
        "3 of 4 BMCs cannot start; the others are served",
    ] {
        assert!(said.contains(told), "`{told}` is missing: {}", simulator.report());
    }
    simulator.signal(Signal::SIGTERM);
    simulator.wait(START);
    // Strictly there is nothing to serve.
    let strict = ended(&bench, &["-n", "--strict", "--fleet", "nodes.csv", "-p"], &files);
    strict.assert_failed().assert_says("3 of 4 BMCs cannot start");
    let check = ended(&bench, &["--check", "--fleet", "nodes.csv", "-p"], &files);
    check.assert_failed().assert_says(&twice).assert_says("3 of 4 BMCs have errors");
}

/// At the start and when rows are read again.
#[test]
fn a_port_that_hundreds_cannot_have_is_told_in_one_line() {
    let (bench, files) = bench();
    let other = UdpSocket::bind("0.0.0.0:0").expect("a port");
    let (port, taken) = (free_port(), other.local_addr().expect("its address").port());
    let rows = |count: usize| -> String {
        let rows = (0..count).map(|number| format!("n{number},127.82.{}.{},{taken}\n", number / 200, number % 200 + 1));
        format!("name,addr,port\nfirst,127.82.9.1,{port}\n{}", rows.collect::<String>())
    };
    bench.write("nodes.csv", rows(300));
    let simulator = started(&bench, &["--fleet", "nodes.csv", "-p"], &files);
    assert!(simulator.stdout.wait_for("ipmi_sim fleet of 1 is ready\n", START));
    let said = |count: usize| {
        let who = format!("{} other BMCs: Unable to bind to LAN port: Address already in use: 127.82.", count - 1);
        assert!(simulator.stderr.wait_for(&who, START), "{}", simulator.report());
        simulator.stderr.text().matches("Unable to bind").count()
    };
    assert_eq!(said(300), 1, "{}", simulator.report());
    bench.write("nodes.csv", rows(400));
    simulator.signal(Signal::SIGHUP);
    assert_eq!(said(400), 2, "{}", simulator.report());
    ipmitool("127.82.9.1", port, "power status").assert_ok();
}

/// What waits in a command file, for a file or because it says so, holds up nobody else; ready are all when the last is.
#[test]
fn what_waits_in_a_command_file_holds_up_nobody_else() {
    let (bench, files) = bench();
    let port = free_port();
    let commands = fs::read_to_string(project("examples/fleet/sim.emu")).expect("the example");
    bench.write("late.emu", commands.replace("mc_enable 0x20", "sleep 1500\nmc_enable 0x20"));
    bench.write("degrees", "42\n");
    let polled = "sensor_add 0x20 0 40 1 1 poll 3600000 file \"degrees\"\n\
                  sensor_set_event_support 0x20 0 40 enable scanning none 000000000000000 000000000000000 000000000000000 000000000000000\n\
                  define POLLED \"0x20\"\nmc_enable $POLLED\n";
    bench.write("polled.emu", commands.replace("mc_enable 0x20\n", polled));
    let rows = format!(
        "name,addr,port,emu\na,127.85.0.1,{port},\nb,127.85.0.2,{port},late.emu\nc,127.85.0.3,{port},polled.emu\n"
    );
    bench.write("nodes.csv", rows);
    let mut all = vec!["-n", "--ready-line", "-p", "--fleet", "nodes.csv"];
    all.extend(files.iter().map(String::as_str));
    let simulator = Simulator::spawn(Subject::under_test(), &bench, &all, Stdin::Null);
    let answers = |name: &str| {
        let ping = ended(&bench, &["--ping", "--fleet", "nodes.csv", "-p"], &files);
        !ping.stderr.contains(&format!("{name}: LAN channel"))
    };
    assert_eq!(eventually(START, || (answers("a") && answers("c")).then_some(())), Some(()), "{}", simulator.report());
    assert!(simulator.stdout.wait_for("ipmi_sim fleet of 3 is ready\n", START), "{}", simulator.report());
    assert!(answers("b"), "{}", simulator.report());
    // Raw reading 42 of sensor 40.
    ipmitool("127.85.0.3", port, "raw 4 0x2d 40").assert_ok().assert_says("2a c0");
}

/// A service manager is told of a fleet as of one BMC, with numbers.
#[test]
fn a_service_manager_is_told_how_many_there_are() {
    let (bench, files) = bench();
    let port = free_port();
    let socket = bench.path("notify");
    let manager = Manager::at(&socket);
    let next = || manager.next_within(START);
    bench.write("nodes.csv", list(&[("a", "2.1"), ("b", "2.2")], port));
    let mut all = vec!["-n", "-p", "--fleet", "nodes.csv"];
    all.extend(files.iter().map(String::as_str));
    let environment = [("NOTIFY_SOCKET", socket.to_str().expect("a path"))];
    let simulator = Simulator::spawn_with(Subject::under_test(), &bench, &all, Stdin::Null, &environment);
    assert_eq!(next(), "READY=1\nSTATUS=2 BMCs answering");
    bench.write("nodes.csv", list(&[("a", "2.1"), ("b", "2.2"), ("c", "2.3")], port));
    simulator.signal(Signal::SIGHUP);
    assert!(next().starts_with("RELOADING=1\n"));
    assert_eq!(next(), "READY=1\nSTATUS=3 BMCs answering");
    simulator.signal(Signal::SIGTERM);
    assert!(next().starts_with("STOPPING=1\n"));
}

/// SIGHUP again and again while the list changes: in the end there is what the list says last.
#[test]
fn a_storm_of_reloads_ends_with_the_last_list() {
    let (bench, files) = bench();
    let port = free_port();
    let many = |first: u32, count: u32| {
        let rows: String =
            (first..first + count).map(|n| format!("n{n},127.84.{}.{},{port}\n", n / 200, n % 200 + 1)).collect();
        format!("name,addr,port\n{rows}")
    };
    bench.write("nodes.csv", many(0, 100));
    let simulator = started(&bench, &["--fleet", "nodes.csv", "-s", "state"], &files);
    ipmitool("127.84.0.100", port, "user set name 5 guest").assert_ok();
    for round in 0..40 {
        // A list is replaced as a whole.
        bench.write("next.csv", many(round * 7, 100));
        fs::rename(bench.path("next.csv"), bench.path("nodes.csv")).expect("the list");
        simulator.signal(Signal::SIGHUP);
        if round % 5 == 0 {
            std::thread::sleep(Duration::from_millis(20));
        }
    }
    bench.write("next.csv", many(99, 100));
    fs::rename(bench.path("next.csv"), bench.path("nodes.csv")).expect("the list");
    simulator.signal(Signal::SIGHUP);
    let all_answer = || {
        let ping = ended(&bench, &["--ping", "--fleet", "nodes.csv", "-p"], &files);
        ping.stdout.contains("100 of 100 LAN channels").then_some(())
    };
    assert_eq!(eventually(START, all_answer), Some(()), "{}", simulator.report());
    assert!(!simulator.stderr.text().contains("ERROR"), "{}", simulator.report());
    bench.write("nodes.csv", many(0, 99));
    let gone = ended(&bench, &["--ping", "--fleet", "nodes.csv", "-p"], &files);
    gone.assert_failed().assert_says("0 of 99 LAN channels of 99 BMCs answer");
    // Its state came back with it.
    ipmitool("127.84.0.100", port, "user list").assert_ok().assert_says("guest");
}

/// What a row says is a variable everywhere, passwords without quotes included; programs have the name in their environment.
#[test]
fn what_a_row_says_is_a_variable_in_all_of_its_texts() {
    let (bench, files) = bench();
    let port = free_port();
    let program = bench.write_program(
        "power.sh",
        "#!/bin/sh\necho \"$IPMI_SIM_NAME $IPMI_SIM_INDEX $*\" >>told\n[ \"$2\" = get ] && echo power:1\nexit 0\n",
    );
    let text = fs::read_to_string(project("examples/fleet/lan.conf")).expect("the example");
    let text = text.replace("\"admin\"   \"admin\" ", "\"admin\" $password ");
    let control = format!("chassis_control \"{} \"$rack\n", program.display());
    bench.write("lan.conf", format!("{text}{control}"));
    bench.write(
        "nodes.csv",
        format!("name,addr,port,password,rack\nn1,127.86.0.1,{port},one,left\nn2,127.86.0.2,{port},\"two, \"\"2\"\"\",right\n"),
    );
    let files = ["-c", "lan.conf", "-f", &files[3]].map(str::to_owned);
    let _simulator = started(&bench, &["--fleet", "nodes.csv", "-p", "--programs", "1"], &files);
    let power = |host: &str, password: &str| {
        let mut command = Command::new("ipmitool");
        command.args(["-I", "lanplus", "-H", host, "-p", &port.to_string(), "-U", "admin", "-P", password]);
        Ran::run(command.args(["power", "status"]), "ipmitool", Duration::from_secs(30))
    };
    power("127.86.0.1", "one").assert_ok().assert_says("is on");
    power("127.86.0.2", "two, \"2\"").assert_ok().assert_says("is on");
    assert_eq!(bench.read("told"), "n1 1 left get power\nn2 2 right get power\n");
}

/// What `--check` says of a list.
fn said_of(list: &str) -> Vec<String> {
    let (bench, files) = bench();
    bench.write("nodes.csv", list);
    let ran = ended(&bench, &["--check", "--fleet", "nodes.csv", "-p"], &files);
    let _ = ran.assert_failed();
    let shown = |line: &&str| {
        !line
            .split_once('|')
            .is_some_and(|(number, _)| number.trim().parse::<u32>().is_ok() || number.trim().is_empty())
    };
    ran.stderr.lines().filter(shown).map(str::to_owned).collect()
}

#[test]
fn typical_mistakes_in_a_list_are_told_with_their_places() {
    let mistakes = "\u{feff}name,addr,port\r\n\
        n1,127.89.1.1,9623\r\n\
        n1,127.89.1.2,9623\r\n\
        n3,127.89.1.3\r\n\
        n4,127.89.1.4,9623,r1\r\n\
        ,127.89.1.5,9623\r\n\
        rack/6,127.89.1.6,9623\r\n\
        \"n\"7,127.89.1.7,9623\r\n\
        n8,\"127.89.1.8,9623\r\n\
        n9,127.89.1.9,9623\r\n";
    assert_eq!(
        said_of(mistakes),
        [
            "nodes.csv:3:1: error: the name 'n1' is that of line 2 already",
            "nodes.csv:4:14: error: this line has 2 fields, expected 3 as in the header; 'port' is the first that is missing",
            "nodes.csv:5:20: error: this line has 4 fields, expected 3 as in the header; a field with a comma in it belongs in quotes",
            "nodes.csv:6:1: error: '' cannot be the name of a BMC: a BMC needs a name",
            "nodes.csv:7:1: error: 'rack/6' cannot be the name of a BMC: a name becomes that of the state folder: expected no '/'",
            "nodes.csv:8:1: error: something follows the closing quote; a quote in a field is written as two",
            "nodes.csv:9:4: error: this quote is not closed; one in a field is written as two",
        ]
    );
    assert_eq!(
        said_of("Name;addr\nn1;127.0.0.1\n"),
        ["nodes.csv:1:1: error: expected commas between the names of columns, found semicolons"]
    );
    assert_eq!(
        said_of("name,addr,addr\nn1,1,2\n"),
        ["nodes.csv:1:11: error: the column 'addr' is there already, at column 6 of this line"]
    );
    assert_eq!(
        said_of("name,addr,port\na,127.89.2.1,9623\nb,127.89.2.1,9623\n"),
        [
            "nodes.csv:3:3: error: 'b' has the address 127.89.2.1 and port 9623, which are those of 'a' in line 2 (b)",
            "1 of 2 BMCs have errors",
        ]
    );
}

#[test]
fn a_folder_of_folders_is_a_fleet() {
    let bench = Bench::new();
    let port = free_port();
    let lan_conf = |name: &str, end: u8| {
        let text = fs::read_to_string(project("examples/fleet/lan.conf")).expect("the example");
        text.replace("$name", name).replace("$addr $port", &format!("127.87.0.{end} {port}"))
    };
    let commands = fs::read_to_string(project("examples/fleet/sim.emu")).expect("the example");
    bench.write("bmcs/one/lan.conf", lan_conf("\"first\"", 1));
    bench.write("bmcs/one/first.emu", "include \"more.emu\"\n");
    bench.write("bmcs/one/more.emu", &commands);
    bench.write("bmcs/two/lan.conf", lan_conf("$name", 2));
    bench.write("bmcs/two/any.emu", &commands);
    // No BMC.
    bench.write("bmcs/none/sim.emu", &commands);
    let simulator = started(&bench, &["--fleet", "bmcs", "-s", "state"], &[]);
    assert!(simulator.stdout.wait_for("ipmi_sim fleet of 2 is ready\n", START), "{}", simulator.report());
    ipmitool("127.87.0.1", port, "fru print").assert_ok().assert_says("Product Asset Tag : one");
    ipmitool("127.87.0.2", port, "user set name 5 guest").assert_ok();
    ipmitool("127.87.0.1", port, "user set name 5 guest").assert_ok();
    for name in ["first", "two"] {
        assert!(bench.read(&format!("state/ipmi_sim/{name}/users.mc20")).contains("guest"));
    }
    bench.write("bmcs/three/lan.conf", lan_conf("\"first\"", 3));
    bench.write("bmcs/three/sim.emu", &commands);
    let check = ended(&bench, &["--check", "--fleet", "bmcs", "-p"], &[]);
    let told =
        "bmcs/three/lan.conf: the name 'first' is that of bmcs/one/lan.conf already: expected another, or name $name";
    check.assert_failed().assert_says(told);
    ended(&bench, &["--fleet", "bmcs", "-c", "lan.conf"], &[]).assert_failed().assert_says("-c and -f are for lists");
}

#[test]
fn the_console_talks_to_one_of_them_at_a_time() {
    let (bench, files) = bench();
    let port = free_port();
    bench.write("nodes.csv", list(&[("a", "1.1"), ("b", "1.2")], port));
    let mut all = vec!["--fleet", "nodes.csv", "-p"];
    all.extend(files.iter().map(String::as_str));
    let mut simulator = Simulator::spawn(Subject::under_test(), &bench, &all, Stdin::Pipe);
    let says = |simulator: &Simulator, text: &str| {
        assert!(simulator.stdout.wait_for(text, START), "{text:?}: {}", simulator.report());
    };
    says(&simulator, "a> ");
    simulator.type_in("bmcs\n");
    says(&simulator, &format!("a  127.88.1.1:{port}\n\rb  127.88.1.2:{port}\n\ra> "));
    simulator.type_in("bmc b\n");
    says(&simulator, "b> ");
    simulator.type_in("sensor_set_value 0x20 0 1 85 1\n");
    let events =
        |host: &str| ipmitool(host, port, "sel elist").stdout.lines().filter(|line| line.contains("CPU1")).count();
    assert_eq!(eventually(START, || (events("127.88.1.2") > 0).then_some(())), Some(()));
    assert_eq!(events("127.88.1.1"), 0);
    simulator.type_in("bmc c\n");
    says(&simulator, "There is no BMC 'c'");
    simulator.type_in("bmc\nquit\n");
    says(&simulator, "b\n\rb> quit");
    assert!(simulator.wait(START).is_some_and(|status| status.success()), "{}", simulator.report());
}
