//! The client matrix: every client with every authentication type and cipher suite it
//! knows, each cell with its time. `cargo test --test matrix -- --nocapture` prints it.
//!
//! All of it passes a relay that counts: a client that hears nothing asks again, so as many
//! answers as questions means that no cell paid a retransmission timeout. The relay also
//! sees how long the client had to wait for us; the rest of a cell's time is the client's own,
//! and that of whatever else runs on the machine. What the relay records goes through
//! tshark's dissectors afterwards.

mod support;

use std::fmt::Write as _;
use std::process::Command;
use std::time::Duration;

use support::bench::free_port;
use support::client::FREEIPMI_PACKAGE;
use support::config::{SMALL_EMU, small_lan_conf};
use support::relay::{Direction, Passed, Relay, Weather, write_capture};
use support::{Bench, Ran, Simulator, Subject, namespace, tshark};

/// What a cell may spend waiting for responses.
const WAITING: Duration = Duration::from_millis(50);
/// What a cell may take beyond the client's own start. A client on an idle machine needs less
/// than a tenth of it; the shortest retransmission timeout of any costs more.
const BOUND: Duration = Duration::from_millis(400);
/// How often a cell is tried: other work on the machine can make anything slow once.
const TRIES: u32 = 5;
/// When a client is ended; far more than any takes.
const LIMIT: Duration = Duration::from_secs(20);

const PYTHON: &str = "/usr/bin/python3";

/// The suites that work.
const SUITES: [&str; 12] = ["0", "1", "2", "3", "6", "7", "8", "11", "12", "15", "16", "17"];

/// A BMC, the relay in front of it on port 623, and what came of the cells.
struct Matrix {
    bench: Bench,
    relay: Relay,
    _simulator: Simulator,
    table: String,
    slow: Vec<String>,
}

/// How a client is run, and what it cannot do by itself.
struct Client {
    name: &'static str,
    package: &'static str,
    /// Its start without a BMC.
    start: Duration,
    recorded: Vec<Passed>,
}

impl Client {
    /// `start`: a command that starts the client and does nothing.
    fn new(name: &'static str, package: &'static str, start: &[&str]) -> Self {
        let runs = (0..3).map(|_| Ran::run(&mut command(start), package, LIMIT).elapsed);
        Self { name, package, start: runs.min().expect("three runs"), recorded: Vec::new() }
    }
}

fn command(words: &[&str]) -> Command {
    let (program, arguments) = words.split_first().expect("a program");
    let mut command = Command::new(program);
    // Administrators' folders are not in everybody's PATH.
    let path = std::env::var("PATH").unwrap_or_default();
    command.args(arguments).env("TZ", "UTC").env("LC_ALL", "C").env("PATH", format!("{path}:/usr/sbin:/sbin"));
    command
}

impl Matrix {
    /// A BMC that lets everybody in by every way, `none` too unless `conf` removes it.
    fn new(conf: impl FnOnce(String) -> String) -> Self {
        let bench = Bench::new();
        let port = free_port();
        bench.write("lan.conf", conf(small_lan_conf(port, "")));
        bench.write("sim.emu", SMALL_EMU);
        let simulator = Simulator::start_default(Subject::under_test(), &bench, port);
        let relay = Relay::start(623, port, Weather::default(), 0);
        Self { bench, relay, _simulator: simulator, table: String::new(), slow: Vec::new() }
    }

    /// A cell that has to work: `words` ends well and says `wanted`, in time, and with an
    /// answer to each question.
    #[track_caller]
    fn cell(&mut self, client: &mut Client, way: &str, words: &[&str], wanted: &str) {
        let mut best: Option<(Duration, Duration, usize, usize)> = None;
        for _ in 0..TRIES {
            self.relay.take();
            let ran = Ran::run(&mut command(words), client.package, LIMIT);
            ran.assert_ok().assert_says(wanted);
            // The response to Close Session may still be on its way when a client has ended.
            std::thread::sleep(Duration::from_millis(5));
            let passed = self.relay.take();
            let asked = passed.iter().filter(|it| it.direction == Direction::Asked).count();
            let cell = (ran.elapsed, waited(&passed), asked, passed.len() - asked);
            client.recorded.extend(passed);
            best = Some(best.map_or(cell, |best| best.min(cell)));
            if ran.elapsed < BOUND / 2 && cell.1 < WAITING / 2 && cell.2 == cell.3 {
                break;
            }
        }
        let (time, waited, asked, answered) = best.expect("a try");
        let line = format!(
            "{:<12} {way:<34} {:>6.1} ms, waited {:>5.1} ms, {asked:>3} asked {answered:>3} answered",
            client.name,
            ms(time),
            ms(waited)
        );
        // The client's own time grows with the load of the machine, the one it waits does not.
        if time >= 10 * client.start + BOUND || waited >= WAITING || asked != answered {
            self.slow.push(line.clone());
        }
        writeln!(self.table, "{line}").expect("a line");
    }

    /// A cell the client itself cannot do, for the reason it gives; should a later version
    /// do it, it counts.
    #[track_caller]
    fn lacking(&mut self, client: &mut Client, way: &str, words: &[&str], reason: &str) {
        self.relay.take();
        let ran = Ran::run(&mut command(words), client.package, LIMIT);
        if ran.succeeded() {
            return self.cell(client, way, words, "");
        }
        ran.assert_says(reason);
        writeln!(self.table, "{:<12} {way:<34} the client cannot: {reason}", client.name).expect("a line");
    }

    /// What passed for this client is in order for tshark.
    fn well_formed(&mut self, client: Client) {
        let file = self.bench.path(&format!("{}.pcap", client.name));
        write_capture(&file, &client.recorded);
        tshark::assert_well_formed(&file, client.recorded.len());
        let line = format!("{:<12} {} packets, none malformed for tshark", client.name, client.recorded.len());
        writeln!(self.table, "{line}; its own start took {:.1} ms", ms(client.start)).expect("a line");
    }

    fn finish(self) {
        println!("{}", self.table);
        assert!(self.slow.is_empty(), "too slow, or asked twice:\n{}", self.slow.join("\n"));
    }
}

/// How long a client had questions open.
fn waited(passed: &[Passed]) -> Duration {
    let mut open = None;
    let mut waited = Duration::ZERO;
    for datagram in passed {
        match datagram.direction {
            Direction::Asked => open = open.or(Some(datagram.at)),
            Direction::Answered => {
                waited += open.take().and_then(|since| datagram.at.duration_since(since).ok()).unwrap_or_default();
            }
        }
    }
    waited
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

#[test]
fn ipmitool() {
    namespace::alone("ipmitool", || {
        let mut matrix = Matrix::new(|conf| conf);
        let mut client = Client::new("ipmitool", "ipmitool", &["ipmitool", "-V"]);
        let to = ["-H", "127.0.0.1", "-U", "admin", "-P", "admin"];
        let with = |options: &[&'static str]| [&["ipmitool"], options, &to, &["mc", "info"]].concat();
        let wanted = "Device ID : 0";
        matrix.cell(&mut client, "-I lan", &with(&["-I", "lan"]), wanted);
        for kind in ["NONE", "MD5", "PASSWORD"] {
            let words = with(&["-I", "lan", "-A", kind]);
            matrix.cell(&mut client, &format!("-I lan -A {kind}"), &words, wanted);
        }
        // Debian builds it without; freeipmi and OpenIPMI have it.
        let words = with(&["-I", "lan", "-A", "MD2", "-N", "1", "-R", "1"]);
        matrix.lacking(&mut client, "-I lan -A MD2", &words, "No internal support for MD2");
        matrix.cell(&mut client, "-I lanplus", &with(&["-I", "lanplus"]), wanted);
        for suite in SUITES {
            let words = with(&["-I", "lanplus", "-C", suite]);
            let way = format!("-I lanplus -C {suite}");
            match suite {
                // It stops at an assertion of its own, with every BMC.
                "11" | "12" => matrix.lacking(&mut client, &way, &words, "Assertion"),
                _ => matrix.cell(&mut client, &way, &words, wanted),
            }
        }
        for suite in ["1", "2", "3", "6", "7", "8", "15"] {
            let words = with(&["-I", "lanplus", "-o", "intelplus", "-C", suite]);
            matrix.cell(&mut client, &format!("-I lanplus -o intelplus -C {suite}"), &words, wanted);
        }
        matrix.well_formed(client);
        matrix.finish();
    });
}

#[test]
fn freeipmi() {
    namespace::alone("freeipmi", || {
        let mut matrix = Matrix::new(|conf| conf);
        let mut client = Client::new("freeipmi", FREEIPMI_PACKAGE, &["bmc-info", "--version"]);
        let to = ["-h", "127.0.0.1:623", "-u", "admin", "-p", "admin", "--get-device-id"];
        let with = |options: &[&'static str]| [&["bmc-info"], options, &to].concat();
        let wanted = "Device ID : 0";
        for kind in ["NONE", "MD2", "MD5", "STRAIGHT_PASSWORD_KEY"] {
            matrix.cell(&mut client, &format!("LAN -a {kind}"), &with(&["-D", "LAN", "-a", kind]), wanted);
        }
        matrix.cell(&mut client, "LAN_2_0", &with(&["-D", "LAN_2_0"]), wanted);
        for flag in ["", "opensesspriv", "sun20", "intel20", "supermicro20"] {
            for suite in SUITES {
                let mut options = vec!["-D", "LAN_2_0", "-I", suite];
                let mut way = format!("LAN_2_0 -I {suite}");
                if !flag.is_empty() {
                    options.extend(["-W", flag]);
                    write!(way, " -W {flag}").expect("a flag");
                }
                match (flag, suite) {
                    // It gives up by itself: nobody knows what Intel's BMC did there.
                    ("intel20", "11" | "12") => {
                        matrix.lacking(&mut client, &way, &with(&options), "internal IPMI error");
                    }
                    _ => matrix.cell(&mut client, &way, &with(&options), wanted),
                }
            }
        }
        let raw = ["ipmi-raw", "-D", "LAN_2_0", "-h", "127.0.0.1:623", "-u", "admin", "-p", "admin", "0", "6", "1"];
        matrix.cell(&mut client, "ipmi-raw LAN_2_0", &raw, "rcvd: 01 00");
        matrix.well_formed(client);
        matrix.finish();
    });
}

/// It has no option for the port.
#[test]
fn ipmiutil() {
    namespace::alone("ipmiutil", || {
        let mut matrix = Matrix::new(|conf| conf);
        let mut client = Client::new("ipmiutil", "ipmiutil", &["ipmiutil", "cmd", "-?"]);
        let to = ["-N", "127.0.0.1", "-U", "admin", "-P", "admin", "00", "20", "18", "01"];
        let with = |options: &[&'static str]| [&["ipmiutil", "cmd"], options, &to].concat();
        let wanted = "completed successfully";
        for (kind, name) in [("0", "none"), ("2", "MD5"), ("4", "straight")] {
            let way = format!("-F lan -T {kind} ({name})");
            matrix.cell(&mut client, &way, &with(&["-F", "lan", "-T", kind]), wanted);
        }
        matrix.cell(&mut client, "-F lan2", &with(&["-F", "lan2"]), wanted);
        for suite in SUITES {
            let (way, words) = (format!("-F lan2 -J {suite}"), with(&["-F", "lan2", "-J", suite]));
            match suite {
                "11" | "12" | "15" | "16" | "17" => matrix.lacking(&mut client, &way, &words, "error -1"),
                _ => matrix.cell(&mut client, &way, &words, wanted),
            }
        }
        matrix.well_formed(client);
        matrix.finish();
    });
}

#[test]
fn openipmi() {
    namespace::alone("openipmi", || {
        let mut matrix = Matrix::new(|conf| conf);
        let mut client = Client::new("openipmicmd", "openipmi", &["openipmicmd", "--help"]);
        let with = |options: &[&'static str]| {
            let start = ["openipmicmd", "-k", "0f 00 06 01", "lan", "-U", "admin", "-P", "admin"];
            [&start[..], options, &["127.0.0.1"]].concat()
        };
        let wanted = "0f 07 00 01 00 00";
        for kind in ["none", "straight", "md2", "md5", "rmcp+"] {
            matrix.cell(&mut client, &format!("-A {kind}"), &with(&["-A", kind]), wanted);
        }
        let suites = [
            ["rakp_none", "none", "none"],
            ["rakp_hmac_sha1", "none", "none"],
            ["rakp_hmac_sha1", "hmac_sha1", "none"],
            ["rakp_hmac_sha1", "hmac_sha1", "aes_cbc_128"],
            ["rakp_hmac_md5", "none", "none"],
            ["rakp_hmac_md5", "hmac_md5", "none"],
            ["rakp_hmac_md5", "hmac_md5", "aes_cbc_128"],
            ["rakp_hmac_md5", "md5", "none"],
            ["rakp_hmac_md5", "md5", "aes_cbc_128"],
            ["bmcpick", "bmcpick", "bmcpick"],
        ];
        for [authentication, integrity, confidentiality] in suites {
            let options = ["-Ra", authentication, "-Ri", integrity, "-Rc", confidentiality];
            let way = [authentication, integrity, confidentiality].join(" ");
            matrix.cell(&mut client, &way, &with(&options), wanted);
        }
        matrix.cell(&mut client, "-Rl (role look-up)", &with(&["-Rl"]), wanted);
        for hack in ["intelplus", "rakp3_wrong_rolem"] {
            matrix.cell(&mut client, &format!("-H {hack}"), &with(&["-H", hack]), wanted);
        }
        // Nobody can prove xRC4: see compat/DIFFERENCES.md.
        let xrc4 = with(&["-Rc", "xrc4_128"]);
        matrix.lacking(&mut client, "-Rc xrc4_128", &xrc4, "Function not implemented");
        matrix.well_formed(client);
        matrix.finish();
    });
}

/// A session by pyghmi; its own start, importing itself, is most of the time.
const PYGHMI: &str = "
from pyghmi.ipmi import command
c = command.Command(bmc='127.0.0.1', userid='admin', password='admin')
print(c.raw_command(netfn=6, command=1))
print(c.ipmi_session.logout())
";

#[test]
fn pyghmi() {
    namespace::alone("pyghmi", || {
        let mut matrix = Matrix::new(|conf| conf);
        let package = "python3-pyghmi";
        let mut client = Client::new("pyghmi", package, &[PYTHON, "-c", "from pyghmi.ipmi import command"]);
        matrix.cell(&mut client, "session, raw command, logout", &[PYTHON, "-c", PYGHMI], "'code': 0");
        matrix.well_formed(client);
        matrix.finish();
    });
}

/// A session by python-ipmi, which speaks IPMI 1.5 and takes the best type offered.
const PYIPMI: &str = "
import pyipmi, pyipmi.interfaces
interface = pyipmi.interfaces.create_interface('rmcp', slave_address=0x81, host_target_address=0x20,
                                               keep_alive_interval=0)
ipmi = pyipmi.create_connection(interface)
ipmi.session.set_session_type_rmcp('127.0.0.1', 623)
ipmi.session.set_auth_type_user('admin', 'admin')
ipmi.session.establish()
ipmi.target = pyipmi.Target(0x20)
print('device', ipmi.get_device_id().device_id)
ipmi.session.close()
";

#[test]
fn python_ipmi() {
    namespace::alone("python_ipmi", || {
        for types in ["none md2 md5 straight", "straight", "none"] {
            let mut matrix = Matrix::new(|conf| conf.replace("none md2 md5 straight", types));
            let start = [PYTHON, "-c", "import pyipmi, pyipmi.interfaces"];
            let mut client = Client::new("python-ipmi", "python3-pyipmi", &start);
            let way = format!("rmcp of {types}");
            matrix.cell(&mut client, &way, &[PYTHON, "-c", PYIPMI], "device 0");
            matrix.well_formed(client);
            matrix.finish();
        }
    });
}

#[test]
fn nmap() {
    namespace::alone("nmap", || {
        let scan = ["nmap", "-n", "-Pn", "-sU", "-p", "623", "--script", "ipmi-version,ipmi-cipher-zero", "127.0.0.1"];
        for (types, vulnerable) in [("md5", false), ("none md5", true)] {
            let mut matrix = Matrix::new(|conf| conf.replace("none md2 md5 straight", types));
            let mut client = Client::new("nmap", "nmap", &["nmap", "-n", "-Pn", "-sn", "127.0.0.1"]);
            let ran = Ran::run(&mut command(&scan), "nmap", LIMIT);
            ran.assert_ok().assert_says("623/udp open").assert_says("IPMI-2.0").assert_says("Level: 1.5, 2.0");
            if vulnerable {
                ran.assert_says("State: VULNERABLE");
            } else {
                ran.assert_not_says("VULNERABLE");
            }
            client.recorded = matrix.relay.take();
            let found = if vulnerable { "cipher zero, as configured" } else { "no cipher zero" };
            let time = ms(ran.elapsed.saturating_sub(client.start));
            writeln!(matrix.table, "{:<12} {found:<34} {time:>5.1} ms", client.name).expect("a line");
            matrix.well_formed(client);
            matrix.finish();
        }
    });
}
