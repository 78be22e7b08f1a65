//! `docs/MIGRATION.md`: its blocks marked `sh` do what they say, and the chassis program for libvirt
//! that it hands out works. libvirt is a script here that knows one machine.

mod support;

use std::fs;
use std::process::Command;

use support::bench::{free_port, project};
use support::config::{Places, SMALL_EMU, adapt, small_lan_conf};
use support::process::signal;
use support::simulator::{TIMEOUT, presence_ping};
use support::{Bench, Ipmitool, Ran, Simulator, Stdin, Subject};

/// The `sh` blocks below a heading of the page.
fn blocks(heading: &str) -> Vec<String> {
    let page = fs::read_to_string(project("docs/MIGRATION.md")).expect("the page");
    let (_, section) = page.split_once(&format!("\n## {heading}\n")).expect("the heading");
    let section = section.split("\n## ").next().expect("the section");
    section.split("```sh\n").skip(1).map(|rest| rest.split("```").next().expect("its end").to_owned()).collect()
}

#[test]
fn the_way_from_the_original_works_as_written() {
    let bench = Bench::new();
    let port = free_port();
    bench.write("etc/lan.conf", small_lan_conf(port, ""));
    bench.write("etc/ipmisim1.emu", SMALL_EMU);
    let here = |text: &str| {
        text.replace("/etc/ipmi/", &format!("{}/", bench.path("etc").display()))
            .replace("/var/lib", &bench.path("lib").display().to_string())
            .replace("/run/", &format!("{}/", bench.folder().display()))
            .replace("ipmi_sim -", &format!("{} -", Subject::Ours.program().display()))
    };
    let blocks = blocks("From OpenIPMI's ipmi_sim");
    let [check, start] = blocks.as_slice() else { panic!("{blocks:?}") };
    Ran::run(Command::new("sh").args(["-ec", &here(check)]), "dash", TIMEOUT).assert_ok();
    // Started, and asked as soon as it may be there.
    let (started, asked) = start.split_once("&\n").expect("two lines");
    let script =
        here(&format!("{started}>log 2>&1 &\nfor try in 1 2 3 4 5; do sleep 0.3; {asked} && exit 0; done; exit 1"));
    let script = script.replace("; &&", " &&").replace("\n && exit", " && exit");
    let ran = Ran::run(Command::new("sh").args(["-c", &script]).current_dir(bench.folder()), "dash", TIMEOUT);
    let pid: u32 = bench.read("ipmi_sim.pid").trim().parse().expect("a process id");
    let state = bench.path("lib/ipmi_sim").exists();
    signal(pid, nix::sys::signal::Signal::SIGTERM);
    ran.assert_ok().assert_says("answers");
    assert!(state, "no state where -s says");
}

/// The device that the page adds to a machine of libvirt, beside a root port where libvirt puts its own.
#[test]
fn the_devices_for_a_machine_of_libvirt_fit_in() {
    let page = fs::read_to_string(project("docs/MIGRATION.md")).expect("the page");
    let xml = page.split("```xml\n").nth(1).and_then(|rest| rest.split("```").next()).expect("the machine");
    let words: Vec<&str> =
        xml.split("<qemu:arg value='").skip(1).map(|rest| rest.split('\'').next().expect("its end")).collect();
    assert_eq!(words.len(), 6, "{words:?}");
    let mut qemu = Command::new("sh");
    let start = "echo quit | exec qemu-system-x86_64 -machine q35,accel=tcg -nodefaults -display none -S -monitor stdio \
                 -device pcie-root-port,id=pci.1,bus=pcie.0,chassis=1,multifunction=on,addr=0x1 \"$@\"";
    qemu.args(["-c", start, "sh"]).args(words);
    Ran::run(&mut qemu, "qemu-system-x86", TIMEOUT).assert_ok().assert_not_says("not available");
}

/// A machine: its state, its definition, and what was asked of it.
const VIRSH: &str = r#"#!/bin/sh
cd "$(dirname "$0")"
[ "$1" = -q ] && shift
[ "$1" = -c ] && { echo "uri $2" >>calls; shift 2; }
echo "$*" >>calls
[ "$1" = define ] && { cp "$2" definition; exit 0; }
for domain; do :; done
[ "$domain" = vm1 ] || { echo "error: failed to get domain '$domain'" >&2; exit 1; }
case $1 in
domstate) cat state; echo ;;
start) grep -q off state || exit 1; echo running >state ;;
destroy) grep -q running state || exit 1; echo 'shut off' >state ;;
shutdown) echo 'shut off' >state ;;
reset) grep -q running state ;;
dumpxml) cat definition ;;
*) exit 1 ;;
esac
"#;
const DEFINITION: &str = "<domain type='kvm'>\n  <name>vm1</name>\n  <os>\n    <type arch='x86_64'>hvm</type>\n    \
<boot dev='hd'/>\n    <boot dev='network'/>\n  </os>\n  <devices>\n    <disk>\n      <boot order='1'/>\n    </disk>\n  \
</devices>\n</domain>\n";

#[test]
fn a_machine_of_libvirt_has_its_bmc_as_with_virtualbmc() {
    let bench = Bench::new();
    bench.copy_tree("examples/virtualbmc", ".");
    bench.write_program("bin/virsh", VIRSH);
    bench.write("bin/state", "shut off\n");
    bench.write("bin/definition", DEFINITION);
    let port = free_port();
    let start = |word: &str| {
        let places = Places {
            lan: vec![port],
            chassis_control: Some(format!("./virsh-chassis.sh {word}")),
            ..Places::default()
        };
        bench.write("here.conf", adapt(&bench.read("lan.conf"), &places));
        let path = format!("{}:{}", bench.path("bin").display(), std::env::var("PATH").expect("a path"));
        let arguments = ["-n", "-p", "-c", "here.conf", "-f", "vm1.emu"];
        let environment = [("PATH", path.as_str())];
        let mut simulator = Simulator::spawn_with(Subject::under_test(), &bench, &arguments, Stdin::Null, &environment);
        simulator.wait_until_ready(port);
        simulator
    };
    let running = start("vm1");
    // The page's own words, at this port.
    let blocks = blocks("From virtualbmc");
    let block = blocks.first().expect("a block").replace("-p 6230", &format!("-p {port}"));
    let ran = Ran::run(Command::new("sh").args(["-ec", &block]), "ipmitool", TIMEOUT);
    ran.assert_ok().assert_says("Chassis Power is off");
    let client = Ipmitool::new(port, "admin", "password");
    client.ok("power status").assert_says("Chassis Power is on");
    let definition = bench.read("bin/definition");
    assert_eq!(definition.matches("<boot").count(), 1, "{definition}");
    assert!(definition.contains("    <boot dev='network'/>\n  </os>"), "{definition}");
    client.ok("chassis bootparam get 5").assert_says("Force PXE");
    client.ok("chassis bootdev cdrom");
    assert!(bench.read("bin/definition").contains("<boot dev='cdrom'/>"));
    client.ok("chassis bootdev disk");
    client.ok("sdr elist all").assert_says("VirtBMC").assert_says("Machine").assert_says("Watchdog");
    client.ok("fru print").assert_says("Virtual machine");
    client.ok("power reset");
    client.ok("power on");
    client.ok("power soft");
    client.ok("power status").assert_says("Chassis Power is off");
    client.ok("power off");
    client.run("power reset").assert_failed();
    let calls = bench.read("bin/calls");
    let (uris, said): (Vec<&str>, Vec<&str>) = calls.lines().partition(|call| call.starts_with("uri "));
    assert!(uris.iter().all(|uri| *uri == "uri qemu:///system"), "{calls}");
    let said: Vec<&str> = said.into_iter().filter(|call| !call.starts_with('d')).collect();
    assert_eq!(said, ["start vm1", "reset vm1", "shutdown vm1", "reset vm1"], "{calls}");
    running.stop();

    let running = start("vm1@qemu:///session");
    client.ok("power status");
    assert!(bench.read("bin/calls").contains("uri qemu:///session"));
    running.stop();
    // A domain that is not there is no machine that is off.
    let running = start("vm2");
    client.run("power status").assert_failed();
    running.stop();
    assert!(!presence_ping(port, std::time::Duration::from_millis(20)));
}
