//! The original and this program side by side: started on the loopback address with the same
//! configuration (`examples/minimal`), asked in turn, and the medians printed as tables.
//!
//! What the rows mean:
//!
//! - *start*: from the start of the process to the first answered ASF presence ping.
//! - *resident memory*: `VmRSS` of `/proc/PID/status`, all pages in memory, those of shared libraries
//!   too; *private*: `RssAnon`, what is only the program's own.
//! - *idle*: nobody asks. Wake-ups are voluntary context switches of all threads.
//! - *login*: open, RAKP Messages 1 to 4, set privilege, close; each client one after the other.
//! - *another client*: Get Device ID every few milliseconds, while the chassis program that works for
//!   a client takes its time.
//! - *load*: requests in flight all the time in each of some sessions; processor time is the
//!   server's, system calls included. *Echo* is a bare echo of datagrams of the same sizes, which is
//!   what the machine can do at most.
//! - *lost*: not answered within a second.

use std::collections::BTreeMap;
use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use ipmi_sim::ipmi::{CompletionCode, netfn};
use ipmi_sim_client::{GET_DEVICE_ID, Response, Way};

use super::Result;
use super::connection::{Connection, Target};
use super::echo::Echo;
use super::load::{self, Amount, DEVICE_ID, Flow, Load, MIXED};
use super::process::{Memory, processor_time, wake_ups};
use super::start::{self, Running};
use super::table::{median, pair, row, short};
use super::{logins, sol};

const LAN_CONF: &str = include_str!("../../../examples/minimal/lan.conf");
const SIM_EMU: &str = include_str!("../../../examples/minimal/sim.emu");

/// Length of the request Get Device ID and of its response, in bytes, with cipher suite 3.
const REQUEST: usize = 64;
const ANSWER: usize = 80;
/// Sessions, and requests in flight in each.
const SIZES: [(usize, usize); 4] = [(1, 1), (4, 4), (32, 8), (256, 4)];
const WAYS: [Way; 3] = [Way::Suite(3), Way::Suite(17), Way::Md5];
/// Clients that log in at a time.
const LOGINS: [usize; 2] = [1, 4];
/// How often another client asks while the chassis program works.
const PAUSE: Duration = Duration::from_millis(5);

/// How much is measured.
#[derive(Clone, Copy, Debug)]
pub struct Extent {
    /// How often everything that varies is measured.
    pub rounds: usize,
    /// How long each load lasts.
    pub seconds: f64,
    /// How long nobody asks before the idle time begins: threads that only the start needed end
    /// after ten seconds.
    pub settle: Duration,
    /// The idle time.
    pub idle: Duration,
    /// How long the chassis program takes.
    pub chassis: Duration,
    /// How much goes over the serial line.
    pub sol: sol::Amount,
    /// Whether ipmitool is timed, too.
    pub ipmitool: bool,
}

impl Extent {
    /// For figures that are to be quoted: some seven minutes.
    pub const FULL: Self = Self {
        rounds: 3,
        seconds: 1.5,
        settle: Duration::from_secs(12),
        idle: Duration::from_secs(30),
        chassis: Duration::from_secs(5),
        sol: sol::Amount { bytes: 1 << 19, echoes: 2000 },
        ipmitool: true,
    };

    /// Some seconds, to see that everything still works.
    pub const QUICK: Self = Self {
        rounds: 1,
        seconds: 0.05,
        settle: Duration::from_millis(100),
        idle: Duration::from_millis(300),
        chassis: Duration::from_millis(500),
        sol: sol::Amount { bytes: 1 << 12, echoes: 20 },
        ipmitool: false,
    };
}

/// What is compared.
#[derive(Clone, Debug)]
pub struct Programs {
    /// The original.
    pub original: PathBuf,
    /// This program.
    pub ours: PathBuf,
    /// This program without shared libraries, if its memory is to be measured, too.
    pub statically: Option<PathBuf>,
}

/// Everything that was measured of one program, by name.
#[derive(Default)]
struct Figures(BTreeMap<String, Vec<f64>>);

impl Figures {
    fn note(&mut self, name: &str, value: f64) {
        self.0.entry(name.to_owned()).or_default().push(value);
    }

    fn of(&self, name: &str) -> &[f64] {
        self.0.get(name).map_or(&[], Vec::as_slice)
    }

    fn note_load(&mut self, name: &str, load: &Load) {
        let mut note = |what, value| self.note(&format!("{name} {what}"), value);
        note("per second", load.per_second());
        note("p50", load.permille(500));
        note("p99", load.permille(990));
        note("p99.9", load.permille(999));
        note("lost", load.lost as f64);
        if let Some(processor) = load.processor() {
            note("processor", processor);
        }
    }
}

/// A program that is measured.
struct Side {
    name: &'static str,
    program: PathBuf,
    folder: PathBuf,
    figures: Figures,
    /// Most sessions that it opened, where that was less than asked for.
    most_sessions: Option<usize>,
}

/// A side that runs, and where it listens.
struct Server {
    running: Running,
    port: u16,
    milliseconds: f64,
}

impl Side {
    fn new(name: &'static str, program: &Path, root: &Path) -> Result<Self> {
        let folder = root.join(name);
        fs::create_dir(&folder)?;
        fs::write(folder.join("sim.emu"), SIM_EMU)?;
        let (program, figures) = (program.to_owned(), Figures::default());
        Ok(Self { name, program, folder, figures, most_sessions: None })
    }

    /// Starts it with further lines at the end of lan.conf.
    fn start(&self, port: u16, more: &str) -> Result<Server> {
        let text: String = LAN_CONF
            .lines()
            .map(|line| match line.trim_start().starts_with("addr ") {
                true => format!("    addr 127.0.0.1 {port}\n"),
                false => format!("{line}\n"),
            })
            .collect();
        fs::write(self.folder.join("lan.conf"), text + more + "\n")?;
        let mut command = Command::new(&self.program);
        command.current_dir(&self.folder).env_remove("RUST_LOG");
        command.args(["-n", "-c", "lan.conf", "-f", "sim.emu", "-s"]).arg(self.folder.join(format!("state-{port}")));
        let (running, milliseconds) =
            start::measure(port, &mut command).map_err(|error| format!("{}: {error}", self.name))?;
        Ok(Server { running, port, milliseconds })
    }

    /// Whether it speaks a kind of session.
    fn speaks(&self, way: Way) -> bool {
        way != Way::Suite(17) || self.name != "original"
    }
}

impl Server {
    fn pid(&self) -> u32 {
        self.running.pid()
    }

    fn target(&self, way: Way) -> Target {
        Target::new(self.port, way)
    }
}

/// Opens sessions, as many as there may be up to `count`.
fn open(target: &Target, count: usize) -> Result<Vec<Flow>> {
    let mut flows = vec![Flow::session(target, DEVICE_ID)?];
    while flows.len() < count {
        match Flow::session(target, DEVICE_ID) {
            Ok(flow) => flows.push(flow),
            Err(_) => break,
        }
    }
    Ok(flows)
}

/// A comparison under way.
struct Comparison<'a> {
    extent: Extent,
    /// Gives ports that nobody uses, for UDP and for TCP.
    port: &'a mut dyn FnMut() -> u16,
    folder: tempfile::TempDir,
    original: Side,
    ours: Side,
    statically: Option<Side>,
    echo: Figures,
    say: bool,
}

impl Comparison<'_> {
    fn say(&self, text: &str) {
        if self.say {
            eprintln!("compare: {text}");
        }
    }

    fn everybody(&mut self) -> impl Iterator<Item = &mut Side> {
        [&mut self.original, &mut self.ours].into_iter().chain(self.statically.as_mut())
    }

    fn both(&mut self) -> [&mut Side; 2] {
        [&mut self.original, &mut self.ours]
    }

    fn starts(&mut self) -> Result<()> {
        self.say("start");
        for _ in 0..3 * self.extent.rounds {
            let ports = [(self.port)(), (self.port)(), (self.port)()];
            for (side, port) in self.everybody().zip(ports) {
                let server = side.start(port, "")?;
                side.figures.note("start", server.milliseconds);
            }
        }
        Ok(())
    }

    fn note_memory(side: &mut Side, server: &Server, when: &str) -> Result<()> {
        let memory = Memory::of(server.pid())?;
        side.figures.note(&format!("resident {when}"), memory.resident as f64);
        side.figures.note(&format!("private {when}"), memory.private as f64);
        Ok(())
    }

    fn idle(&mut self, servers: &[Server]) -> Result<()> {
        self.say("idle");
        let (settle, idle) = (self.extent.settle, self.extent.idle);
        thread::sleep(settle);
        let mut before = Vec::new();
        for (side, server) in self.everybody().zip(servers) {
            Self::note_memory(side, server, "idle")?;
            before.push((processor_time(server.pid())?, wake_ups(server.pid())?));
        }
        thread::sleep(idle);
        for ((side, server), (time, wakes)) in self.everybody().zip(servers).zip(before) {
            let time = processor_time(server.pid())?.saturating_sub(time);
            side.figures.note("idle processor", time.as_secs_f64() * 1e6);
            side.figures.note("idle wake-ups", wake_ups(server.pid())?.saturating_sub(wakes) as f64);
        }
        Ok(())
    }

    fn loads(&mut self, servers: &[Server]) -> Result<()> {
        let seconds = self.extent.seconds;
        for (sessions, flight) in SIZES {
            self.say(&format!("load {sessions} x {flight}"));
            for way in WAYS {
                let name = format!("{way} {sessions} x {flight}");
                for round in 0..self.extent.rounds {
                    for (side, server) in self.both().into_iter().zip(servers) {
                        if !side.speaks(way) {
                            continue;
                        }
                        let mut flows = open(&server.target(way), sessions)?;
                        if flows.len() < sessions {
                            side.most_sessions = Some(flows.len());
                        }
                        if sessions == 256 && way == Way::Suite(3) && round == 0 {
                            Self::note_memory(side, server, "with sessions")?;
                        }
                        let amount = Amount { sessions, flight, seconds };
                        let load = load::run(&mut flows, amount, || Ok(Some(processor_time(server.pid())?)))
                            .map_err(|error| format!("{}, {name}: {error}", side.name))?;
                        side.figures.note_load(&name, &load);
                        flows
                            .into_iter()
                            .try_for_each(Flow::close)
                            .map_err(|error| format!("{}, {name}: {error}", side.name))?;
                    }
                }
            }
            for _ in 0..self.extent.rounds {
                let echo = Echo::start(ANSWER)?;
                let flows = (0..sessions).map(|_| Flow::echo(echo.port, REQUEST));
                let mut flows = flows.collect::<Result<Vec<_>>>()?;
                let amount = Amount { sessions, flight, seconds: seconds / 2.0 };
                let load = load::run(&mut flows, amount, || Ok(Some(echo.processor_time()?)))?;
                self.echo.note_load(&format!("{sessions} x {flight}"), &load);
            }
        }
        Ok(())
    }

    fn other_loads(&mut self, servers: &[Server]) -> Result<()> {
        self.say("mixed load, pings, logins");
        let seconds = self.extent.seconds;
        for _ in 0..self.extent.rounds {
            for (side, server) in self.both().into_iter().zip(servers) {
                let amount = Amount { sessions: 4, flight: 4, seconds };
                let mixed = load::measure(&server.target(Way::Suite(3)), amount, MIXED, Some(server.pid()))
                    .map_err(|error| format!("{}, mixed load: {error}", side.name))?;
                side.figures.note_load("mixed", &mixed);
                let mut pings = (0..4).map(|_| Flow::ping(server.port)).collect::<Result<Vec<_>>>()?;
                let load = load::run(&mut pings, amount, || Ok(Some(processor_time(server.pid())?)))?;
                side.figures.note_load("ping", &load);
                for way in WAYS.into_iter().filter(|way| side.speaks(*way)).collect::<Vec<_>>() {
                    for clients in LOGINS {
                        let target = server.target(way);
                        let logins = logins::measure(&target, clients, seconds / 2.0, Some(server.pid()))
                            .map_err(|error| format!("{}, logins by {way}: {error}", side.name))?;
                        side.figures.note(&format!("{way} {clients} logins"), logins.per_second);
                        if let Some(processor) = logins.processor {
                            side.figures.note(&format!("{way} {clients} login"), processor);
                        }
                    }
                }
            }
        }
        for (side, server) in self.both().into_iter().zip(servers) {
            Self::note_memory(side, server, "after load")?;
        }
        Ok(())
    }

    /// What the chassis program of one client does to another client.
    fn chassis(&mut self) -> Result<()> {
        self.say("chassis program");
        let (time, ipmitool) = (self.extent.chassis, self.extent.ipmitool);
        let program = self.folder.path().join("chassis.sh");
        fs::write(&program, format!("#!/bin/sh\n[ \"$1\" != set ] || sleep {}\necho power:1\n", time.as_secs_f64()))?;
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755))?;
        let more = format!("chassis_control \"{}\"", program.display());
        let ports = [(self.port)(), (self.port)()];
        for (side, port) in self.both().into_iter().zip(ports) {
            let server = side.start(port, &more)?;
            let target = server.target(Way::Suite(3));
            let mut power = Connection::open(&target)?;
            let mut other = Connection::open(&target)?;
            other.socket.set_read_timeout(Some(Duration::from_secs(30)))?;
            // Chassis Control, reset.
            power.send(1, 0x00, 0x02, &[3])?;
            thread::sleep(Duration::from_millis(20));
            let start = Instant::now();
            let mut datagram = [0; 1024];
            while start.elapsed() < time.mul_f64(0.8) {
                let since = Instant::now();
                other.send(1, netfn::APP, GET_DEVICE_ID, &[])?;
                let length = other.socket.recv(&mut datagram)?;
                match other.session.open_unverified(&mut datagram[..length])?.response()? {
                    Response { seq: 1, code: CompletionCode::OK, .. } => {}
                    _ => return Err(format!("{}: another client is answered wrongly", side.name).into()),
                }
                side.figures.note("other", since.elapsed().as_secs_f64() * 1000.0);
                thread::sleep(PAUSE);
            }
            // The reset is answered in the end.
            power.socket.set_read_timeout(Some(time * 4 + Duration::from_secs(10)))?;
            power
                .socket
                .recv(&mut datagram)
                .map_err(|error| format!("{}: no answer to a reset: {error}", side.name))?;
            if ipmitool {
                power.send(1, 0x00, 0x02, &[3])?;
                thread::sleep(Duration::from_millis(20));
                side.figures.note("info while", ipmitool_takes(port, &["-I", "lanplus", "-C", "3", "-N", "6"])?);
                let _ = power.socket.recv(&mut datagram);
            }
        }
        Ok(())
    }

    fn ipmitool(&mut self, servers: &[Server]) -> Result<()> {
        if !self.extent.ipmitool {
            return Ok(());
        }
        self.say("ipmitool");
        for turn in 0..4 * self.extent.rounds {
            for (side, server) in self.both().into_iter().zip(servers) {
                let mut note = |name, arguments: &[&str]| -> Result<()> {
                    side.figures.note(name, ipmitool_takes(server.port, arguments)?);
                    Ok(())
                };
                if turn < 2 {
                    note("info", &["-I", "lanplus"])?;
                }
                note("info -C 3", &["-I", "lanplus", "-C", "3"])?;
                note("info lan", &["-I", "lan"])?;
            }
        }
        Ok(())
    }

    fn serial_over_lan(&mut self) -> Result<()> {
        self.say("serial over LAN");
        let amount = self.extent.sol;
        for _ in 0..self.extent.rounds {
            let ports = [(self.port)(), (self.port)()];
            for (side, port) in self.both().into_iter().zip(ports) {
                let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
                let line = format!("sol \"tcp:127.0.0.1:{}\" 115200", listener.local_addr()?.port());
                // The original opens the serial port at start, and not again for ten seconds.
                let server = side.start(port, &line)?;
                let speed = sol::measure_with(&server.target(Way::Suite(3)), listener, amount)
                    .map_err(|error| format!("{}, serial over LAN: {error}", side.name))?;
                side.figures.note("sol down", speed.down);
                side.figures.note("sol up", speed.up);
                side.figures.note("sol both", speed.both);
                side.figures.note("sol echo p50", speed.echo[0]);
                side.figures.note("sol echo p99", speed.echo[1]);
            }
        }
        Ok(())
    }

    fn sizes(&mut self) -> Result<()> {
        for side in self.everybody() {
            let program = side.program.clone();
            let size = |path: &Path| -> Result<f64> { Ok(fs::metadata(path)?.len() as f64 / 1024.0) };
            let own = size(&program)?;
            side.figures.note("size", own);
            let mut whole = own;
            for library in libraries(&program) {
                whole += size(&library)?;
            }
            side.figures.note("size whole", whole);
        }
        Ok(())
    }

    fn report(&self) -> String {
        let (original, ours) = (&self.original.figures, &self.ours.figures);
        let mut lines = vec!["| | original | here | ratio |".to_owned(), "|---|---:|---:|---:|".to_owned()];
        let mut put = |name: &str, key: &str| lines.push(row(name, original.of(key), ours.of(key)));
        put("start to first answered ping, ms", "start");
        let sessions = match self.original.most_sessions {
            Some(most) => format!("with 256 sessions (original: its {most})"),
            None => "with 256 sessions".to_owned(),
        };
        for which in ["resident", "private"] {
            for (key, when) in [("idle", "idle"), ("with sessions", &sessions), ("after load", "after all loads")] {
                put(&format!("{which} memory {when}, KiB"), &format!("{which} {key}"));
            }
        }
        put(&format!("wake-ups in {} idle seconds", short(self.extent.idle.as_secs_f64())), "idle wake-ups");
        put("processor time in these seconds, us", "idle processor");
        put("ASF pings per second, 4 x 4 in flight", "ping per second");
        put("processor time per ping, us", "ping processor");
        for way in WAYS {
            for clients in LOGINS {
                let who = if clients == 1 { "1 client".to_owned() } else { format!("{clients} clients") };
                put(&format!("logins per second, {way}, {who}"), &format!("{way} {clients} logins"));
                put(&format!("processor time per login, {way}, {who}, us"), &format!("{way} {clients} login"));
            }
        }
        if self.extent.ipmitool {
            put("`ipmitool mc info` without `-C`, ms", "info");
            put("`ipmitool mc info -C 3`, ms", "info -C 3");
            put("`ipmitool -I lan mc info`, ms", "info lan");
            put("`ipmitool mc info -C 3` while a chassis program takes 5 s, ms", "info while");
        }
        put("SOL, port to console, bytes/s", "sol down");
        put("SOL, console to port, bytes/s", "sol up");
        put("SOL, both at once, bytes/s", "sol both");
        put("SOL, echo of a key, median, us", "sol echo p50");
        put("SOL, echo of a key, 99 %, us", "sol echo p99");
        put("program file, KiB", "size");
        put("program and its libraries but libc, KiB", "size whole");
        for permille in [500, 990, 1000] {
            let of = |figures: &Figures| -> Vec<f64> {
                let mut times = figures.of("other").to_vec();
                times.sort_by(f64::total_cmp);
                times.get(times.len().saturating_sub(1) * permille / 1000).copied().into_iter().collect()
            };
            let name = match permille {
                1000 => "longest".to_owned(),
                permille => format!("{} %", permille / 10),
            };
            let name = format!("another client's command while a chassis program works, {name}, ms");
            lines.push(row(&name, &of(original), &of(ours)));
        }
        if let Some(side) = &self.statically {
            let figures = &side.figures;
            let mut put = |name: &str, key: &str| lines.push(row(name, original.of(key), figures.of(key)));
            put("built static: start to first answered ping, ms", "start");
            put("built static: resident memory idle, KiB", "resident idle");
            put("built static: private memory idle, KiB", "private idle");
            put("built static: program file, KiB", "size");
        }
        lines.push(String::new());
        lines.push("Under load, original / here (ratio):".into());
        lines.push(String::new());
        lines.push(
            "| sessions x in flight | commands/s | p50, us | p99, us | p99.9, us | processor us each | lost |".into(),
        );
        lines.push("|---|---:|---:|---:|---:|---:|---:|".into());
        const WHATS: [&str; 5] = ["per second", "p50", "p99", "p99.9", "processor"];
        let mut put = |title: String, key: &str, instead: Option<String>| {
            let mut line = format!("| {title} |");
            for what in WHATS {
                let [key, instead] = [Some(key), instead.as_deref()].map(|key| key.map(|key| format!("{key} {what}")));
                let key = key.unwrap_or_default();
                let instead = instead.map(|key| original.of(&key));
                line += &format!(" {} |", pair(original.of(&key), ours.of(&key), instead));
            }
            let lost = |figures: &Figures| match figures.of(&format!("{key} lost")) {
                [] => "-".to_owned(),
                lost => short(lost.iter().sum()),
            };
            lines.push(line + &format!(" {} / {} |", lost(original), lost(ours)));
        };
        for way in WAYS {
            for (sessions, flight) in SIZES {
                let most = self.original.most_sessions.filter(|most| *most < sessions && self.original.speaks(way));
                let title = match most {
                    Some(most) => format!("{way}, {sessions} x {flight} (original {most})"),
                    None => format!("{way}, {sessions} x {flight}"),
                };
                let instead = (!self.original.speaks(way)).then(|| format!("{} {sessions} x {flight}", WAYS[0]));
                put(title, &format!("{way} {sessions} x {flight}"), instead);
            }
        }
        put("SDR, sensor and power in turn, suite 3, 4 x 4".into(), "mixed", None);
        put("ASF ping, 4 x 4".into(), "ping", None);
        for (sessions, flight) in SIZES {
            let key = format!("{sessions} x {flight}");
            let mut line = format!("| bare echo, {key} |");
            for what in WHATS {
                line +=
                    &format!(" {} |", median(self.echo.of(&format!("{key} {what}"))).map(short).unwrap_or_default());
            }
            lines.push(line + &format!(" {} |", short(self.echo.of(&format!("{key} lost")).iter().sum())));
        }
        lines.push(String::new());
        lines.push("The original refuses cipher suite 17: held against its suite 3.".into());
        lines.join("\n")
    }
}

/// Wall time of ipmitool's `mc info` in milliseconds.
fn ipmitool_takes(port: u16, arguments: &[&str]) -> Result<f64> {
    let mut command = Command::new("ipmitool");
    command.args(["-H", "127.0.0.1", "-U", "admin", "-P", "admin", "-p"]).arg(port.to_string());
    command.args(arguments).args(["mc", "info"]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let start = Instant::now();
    let status = command.status().map_err(|error| format!("ipmitool: {error} (apt-get install ipmitool)"))?;
    match status.success() {
        true => Ok(start.elapsed().as_secs_f64() * 1000.0),
        false => Err(format!("ipmitool {arguments:?} failed").into()),
    }
}

/// The shared libraries of a program but those of the C library.
fn libraries(program: &Path) -> Vec<PathBuf> {
    let of_libc = ["libc.so", "libm.so", "libdl.so", "libpthread.so", "ld-linux"];
    let Ok(output) = Command::new("ldd").arg(program).output() else { return Vec::new() };
    let text = String::from_utf8_lossy(&output.stdout);
    let paths = text.lines().filter_map(|line| line.split_whitespace().find(|word| word.starts_with('/')));
    let paths = paths.filter(|path| !of_libc.iter().any(|name| path.contains(name)));
    paths.map(PathBuf::from).collect()
}

/// Compares the programs and gives the tables as Markdown; an error if one of them does not answer.
pub fn compare(programs: &Programs, extent: Extent, port: &mut dyn FnMut() -> u16, say: bool) -> Result<String> {
    let folder = tempfile::Builder::new().prefix("ipmi_sim-bench-").tempdir()?;
    let side = |name, program: &Path| Side::new(name, program, folder.path());
    let original = side("original", &programs.original)?;
    let ours = side("ours", &programs.ours)?;
    let statically = programs.statically.as_deref().map(|program| side("static", program)).transpose()?;
    let mut all = Comparison { extent, port, folder, original, ours, statically, echo: Figures::default(), say };
    all.starts()?;
    let ports = [(all.port)(), (all.port)(), (all.port)()];
    let servers = all.everybody().zip(ports).map(|(side, port)| side.start(port, "")).collect::<Result<Vec<_>>>()?;
    all.idle(&servers)?;
    all.loads(&servers)?;
    all.other_loads(&servers)?;
    all.ipmitool(&servers)?;
    drop(servers);
    all.chassis()?;
    all.serial_over_lan()?;
    all.sizes()?;
    Ok(all.report())
}
