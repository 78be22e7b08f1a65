//! Commands of OEMs that a command file defines.

mod support;

use std::time::{Duration, Instant};

use support::bench::free_port;
use support::process::eventually;
use support::{Bench, Ipmitool, Simulator, Stdin, Subject};

/// A minimal BMC with more statements at its end.
fn bench(statements: &str) -> (Bench, u16) {
    let bench = Bench::new();
    bench.copy_tree("examples/minimal", ".");
    let port = free_port();
    let conf = bench.read("lan.conf").replace("9623", &port.to_string());
    bench.write("lan.conf", conf);
    let emu = bench.read("sim.emu") + statements;
    bench.write("sim.emu", emu);
    (bench, port)
}

const FILES: [&str; 6] = ["-p", "--strict", "-c", "lan.conf", "-f", "sim.emu"];

/// The bytes of a response, or the completion code.
fn raw(client: &Ipmitool, words: &str) -> String {
    let ran = client.run(&format!("raw {words}"));
    match ran.all().split_once("rsp=0x") {
        Some((_, code)) => code.get(..2).unwrap_or_default().to_owned(),
        None => ran.assert_ok().stdout.split_whitespace().collect::<Vec<_>>().join(" "),
    }
}

#[test]
fn statements_answer_and_a_console_changes_them() {
    let (bench, port) = bench(
        "oem_add 0x20 0x30 0x70 data 0x66 response 0 0xaa sensor=0,1 count=7,2 power=1,0 request=1\n\
         oem_add 0x20 0x30 0x70 data 0x66 9 privilege user response 0x85\n\
         oem_add 0x20 0x3a 0x01 response 0 text \"SN-\"'7'\n",
    );
    let mut simulator = Simulator::spawn(Subject::under_test(), &bench, &FILES, Stdin::Pipe);
    simulator.wait_until_ready(port);
    let client = Ipmitool::new(port, "admin", "admin");
    assert_eq!(raw(&client, "0x30 0x70 0x66 1 2"), "aa 2d 07 00 00 01 02");
    client.ok("power on");
    simulator.type_in("sensor_set_value 0x20 0 1 85 0\n");
    let hot = eventually(Duration::from_secs(5), || client.ok("sdr list").stdout.contains("85 degrees").then_some(()));
    assert!(hot.is_some(), "{}", simulator.report());
    assert_eq!(raw(&client, "0x30 0x70 0x66"), "aa 55 08 00 01");
    assert_eq!(raw(&client, "0x30 0x70 0x66 9"), "85");
    assert_eq!(raw(&client, "0x30 0x70 0x67"), "cc");
    assert_eq!(raw(&client, "0x30 0x70"), "c7");
    assert_eq!(raw(&client, "0x3a 1"), "53 4e 2d 37");
    // Only the second row is for users.
    let user = client.with(&["-L", "user"]);
    assert_eq!((raw(&user, "0x30 0x70 0x66 9"), raw(&user, "0x30 0x70 0x66")), ("85".into(), "d4".into()));
    simulator.type_in("oem_remove 0x20 0x30 0x70 data 0x66\noem_remove 0x20 0x30 0x70\n");
    let gone = eventually(Duration::from_secs(5), || (raw(&client, "0x30 0x70 0x66") == "c1").then_some(()));
    assert!(gone.is_some(), "{}", simulator.report());
    let told = eventually(Duration::from_secs(5), || simulator.report().contains("no oem_add was about").then_some(()));
    assert!(told.is_some(), "{}", simulator.report());
}

#[test]
fn a_program_answers_and_holds_up_nobody() {
    let (bench, port) = bench(
        "oem_add 0x20 0x30 0x70 run \"./oem.sh\"\noem_add 0x20 0x30 0x71 run \"sleep 3; echo 0 1;:\"\n\
         oem_add 0x20 0x30 0x72 run \"echo zero;:\"\n",
    );
    bench.write_program("oem.sh", "#!/bin/sh\necho \"$*\" > asked\necho 0xc9\necho 0x01 02 ff\n");
    let simulator = Simulator::start(Subject::under_test(), &bench, port, &FILES);
    let client = Ipmitool::new(port, "admin", "admin");
    // With a completion code ipmitool shows no data.
    assert_eq!(raw(&client, "0x30 0x70 0x66 0x0a"), "c9");
    assert_eq!(bench.read("asked"), "0x30 0x70 0x66 0x0a\n");
    assert_eq!(raw(&client, "0x30 0x72"), "ff");
    assert!(simulator.stderr.text().contains("it printed 'zero', which is no byte in hexadecimal"));
    let started = Instant::now();
    let slow = std::thread::spawn({
        let client = client.with(&["-N", "10"]);
        move || raw(&client, "0x30 0x71")
    });
    while !slow.is_finished() && started.elapsed() < Duration::from_secs(2) {
        client.ok("mc info");
    }
    assert!(!slow.is_finished(), "others were answered meanwhile");
    assert_eq!(slow.join().expect("an end"), "01");
}

/// What is about sessions cannot be defined, and a fault says where it is.
#[test]
fn faults_are_told_with_their_place() {
    let (bench, _) = bench("oem_add 0x20 0x06 0x3a response 0\noem_add 0x20 0x30 1 response 0 sensr=0,1\n");
    let arguments = ["--check", "-c", "lan.conf", "-f", "sim.emu"];
    let mut check = Simulator::spawn(Subject::under_test(), &bench, &arguments, Stdin::Null);
    let status = check.wait(Duration::from_secs(5)).expect("an end");
    assert!(!status.success(), "{}", check.report());
    let lines = bench.read("sim.emu").lines().count();
    for (line, says) in [(lines - 1, "is about sessions or leads elsewhere"), (lines, "did you mean 'sensor'?")] {
        let text = check.stderr.text();
        let found = text.lines().any(|text| text.starts_with(&format!("sim.emu:{line}:")) && text.contains(says));
        assert!(found, "{says}: {}", check.report());
    }
}
