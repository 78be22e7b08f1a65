//! Helper programs and start commands by real clients: what a client sets and reads through a
//! program, and what is said when one fails.

mod support;

use std::process::Command;
use std::time::Duration;

use support::bench::free_port;
use support::client::{CLIENT_LIMIT, Ran};
use support::config::{SMALL_EMU, small_lan_conf};
use support::{Bench, Ipmitool, Simulator, Subject};

/// A running system with a few lines more in its `lan.conf`.
struct Running {
    bench: Bench,
    port: u16,
    _simulator: Simulator,
}

impl Running {
    fn with(more: &str, programs: &[(&str, &str)]) -> Self {
        let bench = Bench::new();
        let port = free_port();
        bench.write("lan.conf", small_lan_conf(port, more));
        bench.write("sim.emu", SMALL_EMU);
        for (name, content) in programs {
            bench.write_program(name, content);
        }
        let files = ["-c", "lan.conf", "-f", "sim.emu", "-s", "state"];
        let simulator = Simulator::start(Subject::under_test(), &bench, port, &files);
        Self { bench, port, _simulator: simulator }
    }

    fn client(&self) -> Ipmitool {
        Ipmitool::new(self.port, "admin", "admin")
    }
}

/// A board that keeps its power and its boot device in files.
const BOARD: &str = "#!/bin/sh
op=$1; shift
[ -f boot ] || echo none >boot; [ -f power ] || echo 0 >power
case $op$1 in
getpower|getboot) echo \"$1:$(cat $1)\" ;;
setpower|setboot) echo \"$2\" >$1 ;;
setreset|setshutdown|setidentify) ;;
*) exit 1 ;;
esac
";

/// The steps of Ansible's `ipmi_boot`, which are pyghmi's: whether something had to be changed.
const IPMI_BOOT: &str = "
import sys
from pyghmi.ipmi import command
c = command.Command(bmc='127.0.0.1', userid='admin', password='admin', port=int(sys.argv[1]))
def ipmi_boot(bootdev, state='present', persistent=False, uefiboot=False):
    current = c.get_bootdev()
    current.setdefault('uefimode', uefiboot)
    wanted = dict(bootdev=bootdev, persistent=persistent, uefimode=uefiboot)
    if state == 'present' and current != wanted:
        c.set_bootdev(bootdev, persist=persistent, uefiboot=uefiboot)
    elif state == 'absent' and current['bootdev'] == bootdev:
        c.set_bootdev('default')
    else:
        return 'same'
    return 'changed'
for wanted in [('network',), ('network', 'absent'), ('hd', 'present', True, True), ('hd', 'absent'), ('setup',),
               ('optical', 'present', True), ('optical', 'absent')]:
    print(*wanted, ipmi_boot(*wanted), ipmi_boot(*wanted))
c.ipmi_session.logout()
";

#[test]
fn boot_flags_behind_a_program_last_as_clients_set_them() {
    for (more, has_program) in [("  chassis_control \"./board\"", true), ("", false)] {
        let running = Running::with(more, &[("board", BOARD)]);
        let word = || has_program.then(|| running.bench.read("boot").trim().to_owned());
        let client = running.client();
        client.ok("chassis bootdev pxe options=persistent,efiboot");
        let flags = client.ok("chassis bootparam get 5");
        flags.assert_says("Boot Flag Valid").assert_says("all future boots");
        flags.assert_says("BIOS EFI boot").assert_says("Force PXE");
        assert_eq!(word(), has_program.then(|| "pxe".to_owned()));
        client.ok("chassis bootdev cdrom");
        let flags = client.ok("chassis bootparam get 5");
        flags.assert_says("Boot Flag Valid").assert_says("only next boot").assert_says("Force Boot from CD/DVD");
        assert_eq!(word(), has_program.then(|| "cdrom".to_owned()));
        for parameter in ["0", "1", "2", "3", "4", "6", "7"] {
            client.ok(&format!("chassis bootparam get {parameter}"));
        }
        client.run("raw 0 9 0x20 0 0").assert_failed().assert_says("rsp=0x80");
        if has_program {
            client.run("chassis bootdev floppy").assert_says("Invalid data field in request");
            client.ok("chassis bootparam get 5").assert_says("Force Boot from CD/DVD");
        }
        let mut script = Command::new("/usr/bin/python3");
        script.args(["-c", IPMI_BOOT, &running.port.to_string()]);
        let ran = Ran::run(&mut script, "python3-pyghmi", CLIENT_LIMIT + Duration::from_secs(30));
        ran.assert_ok();
        assert_eq!(
            ran.stdout.lines().collect::<Vec<_>>(),
            [
                "network changed same",
                "network absent changed same",
                "hd present True True changed same",
                "hd absent changed same",
                "setup changed same",
                "optical present True changed same",
                "optical absent changed same",
            ]
        );
        assert_eq!(word(), has_program.then(|| "none".to_owned()));
    }
}
