//! OpenIPMI's own clients: `openipmish` scans a whole domain, with several controllers, their
//! records, sensors and inventories; `openipmicmd` sends one command.

mod support;

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Duration;

use support::bench::free_port;
use support::config::small_lan_conf;
use support::process::{self, Captured, eventually};
use support::{Bench, Ran, Simulator, Subject};

/// The Debian package both clients come in.
const PACKAGE: &str = "openipmi";

/// How long a scan may take; it waits a little here and there.
const LIMIT: Duration = Duration::from_secs(30);

/// A BMC and two satellites. The sensor of the first satellite is described in the BMC's
/// repository, the one of the second in device SDRs of its own.
const SEVERAL: &str = "\
mc_setbmc 0x20
mc_add 0x20 0 no-device-sdrs 0x23 9 8 0x9f 0x1291 0xf02
sel_enable 0x20 100 0x0a
main_sdr_add 0x20 0 0 0x51 0x12 0x0e 0x20 0 0 0x9f 0 0 0 7 1 0 0xc3 'b 'm 'c
main_sdr_add 0x20 0 0 0x51 0x12 0x0f 0x30 0 0 0xa9 0 0 0 7 2 0 0xc4 'l 'e 'f 't
main_sdr_add 0x20 0 0 0x51 0x12 0x10 0x32 0 0 0xa9 0 0 0 7 3 0 0xc5 'r 'i 'g 'h 't
main_sdr_add 0x20 0 0 0x51 1 0x2e 0x20 0 1 7 1 0x7f 0x68 1 1 0x80 0x0a 0x80 0x7a 0x38 0x38 0 1 0 0 1 0 0 0 1 0 1 \\
    0x2d 0x2d 0x2d 0xff 0 0x5f 0x5a 0x50 0 0 0 1 1 0 0 0 0xc3 'o 'n 'e
main_sdr_add 0x20 0 0 0x51 1 0x2e 0x30 0 1 7 2 0x7f 0x68 1 1 0x80 0x0a 0x80 0x7a 0x38 0x38 0 1 0 0 1 0 0 0 1 0 1 \\
    0x2d 0x2d 0x2d 0xff 0 0x5f 0x5a 0x50 0 0 0 1 1 0 0 0 0xc3 't 'w 'o
main_sdr_add 0x20 0 0 0x51 2 0x20 0x20 0 2 8 1 0x67 0x40 0x25 0x6f 3 0 3 0 3 0 0xc0 0 0 0 0 0 0 0 0 0 0 \\
    0xc5 'p 'r 'e 's '1
sensor_add 0x20 0 1 1 1
sensor_set_value 0x20 0 1 45 0
sensor_add 0x20 0 2 0x25 0x6f
sensor_set_bit_clr_rest 0x20 0 2 0 0
mc_add_fru_data 0x20 0 8 data 1 0 0 0 0 0 0 0xff
mc_enable 0x20
mc_add 0x30 2 no-device-sdrs 0x98 0x10 1 0xa9 0x1291 0xf03
sensor_add 0x30 0 1 1 1
sensor_set_value 0x30 0 1 50 0
mc_add_fru_data 0x30 0 8 data 1 0 0 0 0 0 0 0xff
mc_enable 0x30
mc_add 0x32 3 has-device-sdrs 0x98 0x10 1 0xa9 0x1291 0xf03
device_sdr_add 0x32 0 0 0 0x51 1 0x30 0x32 0 1 7 3 0x7f 0x68 1 1 0x80 0x0a 0x80 0x7a 0x38 0x38 0 1 0 0 1 0 0 0 1 0 1 \\
    0x2d 0x2d 0x2d 0xff 0 0x5f 0x5a 0x50 0 0 0 1 1 0 0 0 0xc5 't 'h 'r 'e 'e
sensor_add 0x32 0 1 1 1
sensor_set_value 0x32 0 1 60 0
mc_add_fru_data 0x32 0 8 data 1 0 0 0 0 0 0 0xff
mc_enable 0x32
";

fn several(bench: &Bench) -> (Simulator, u16) {
    let port = free_port();
    bench.write("lan.conf", small_lan_conf(port, ""));
    bench.write("sim.emu", SEVERAL);
    (Simulator::start_default(Subject::under_test(), bench, port), port)
}

fn connection(port: u16) -> Vec<String> {
    ["lan", "-U", "admin", "-P", "admin", "-p", &port.to_string(), "127.0.0.1"].map(str::to_owned).into()
}

#[test]
fn a_domain_of_several_controllers_is_scanned_without_an_error() {
    let bench = Bench::new();
    let (mut simulator, port) = several(&bench);
    let mut command = Command::new("openipmish");
    command.args(["-x", &format!("domain open d {}", connection(port).join(" "))]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut shell = process::spawn(&mut command, PACKAGE);
    let mut input = shell.0.stdin.take().expect("its input");
    let output = Captured::from(shell.0.stdout.take().expect("its output"));
    let complaints = Captured::from(shell.0.stderr.take().expect("its complaints"));
    let mut until = |question: &str, wanted: &[&str]| {
        let found = eventually(LIMIT, || {
            // It reads lines only, so it is asked again.
            input.write_all(format!("{question}\n").as_bytes()).expect("it reads");
            std::thread::sleep(Duration::from_millis(250));
            let text = output.text();
            wanted.iter().all(|wanted| text.contains(wanted)).then_some(())
        });
        assert!(found.is_some(), "{question}: {wanted:?} in\n{}\n{}", output.text(), complaints.text());
    };
    until("mc list d", &["Name: d(0.20)\n", "Name: d(0.30)\n", "Name: d(0.32)\n"]);
    until("entity list d", &["Name: d(7.1)\n", "Name: d(7.2)\n", "Name: d(7.3)\n", "Name: d(8.1)\n"]);
    until("sensor list d(7.1)", &["    Name: d(7.1).one\n"]);
    until("sensor list d(7.2)", &["    Name: d(7.2).two\n"]);
    until("sensor list d(7.3)", &["    Name: d(7.3).three\n"]);
    until("sensor list d(8.1)", &["    Name: d(8.1).pres1\n"]);
    until("sensor get d(7.1).one", &["Value: 4.500000e+01"]);
    until("sensor get d(7.2).two", &["Value: 5.000000e+01"]);
    until("sensor get d(7.3).three", &["Value: 6.000000e+01"]);
    input.write_all(b"exit\n").expect("it reads");
    assert!(process::wait(&mut shell.0, LIMIT).is_some(), "it ends: {}", output.text());
    let text = output.text() + &complaints.text();
    for complaint in ["WARN:", "SEVR:", "FATL:", "EINF:", "global error", "Operation: Error"] {
        assert!(!text.contains(complaint), "{complaint} in\n{text}");
    }
    simulator.assert_alive();
}

#[test]
fn one_command_is_sent_to_the_bmc_and_to_a_satellite() {
    let bench = Bench::new();
    let (_simulator, port) = several(&bench);
    for (request, answer) in [("0f 00 06 01", "00 00 03 09 08 02 9f"), ("00 30 00 06 01", "00 02 08 10 01 02 a9")] {
        let mut command = Command::new("openipmicmd");
        command.args(["-k", request]).args(connection(port));
        Ran::run(&mut command, PACKAGE, LIMIT).assert_ok().assert_says(answer);
    }
}
