//! What a fleet takes: BMCs of `examples/fleet` in one process, each with an address of its own, beside the bars that
//! are set for it.
//!
//! Memory, descriptors, wake-ups and losses are held exactly. What is measured in time may take longer by a factor on a
//! machine with other work.

mod clients;
mod kills;
mod range;
mod server;

use std::fmt;
use std::fs::File;
use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use ipmi_sim::ipmi::netfn;
use ipmi_sim_client::GET_DEVICE_ID;
use nix::sys::signal::Signal;

use super::Result;
use super::flood;
use super::process::{Memory, descriptors, processor_time, wake_ups};
use super::table::{median, short};
use clients::{Ask, Clients};
use range::Range;
use server::Server;

pub use server::Places;

/// Where addresses begin, and the prefix that the program is given.
const FIRST: Ipv4Addr = Ipv4Addr::new(127, 64, 0, 1);
const PREFIX: &str = "127.64.0.0/14";
/// How many BMCs are asked at once.
const AT_ONCE: usize = 64;
/// How many requests are on their way while processor time for one is counted.
const FLIGHT: usize = 16;
/// Requests a second while others are disturbed.
const RATE: u32 = 2000;
/// How many BMCs are asked meanwhile.
const OTHERS: usize = 64;
/// In how many pieces latency is measured.
const WINDOWS: usize = 10;
/// How often rows are added and removed.
const ROUNDS: usize = 5;
/// What the program has without any BMC, in KiB: of its own, and with its file, which is large when it is not optimized.
const PROGRAM: (f64, f64) = (4000.0, 24_000.0);
/// Network function Storage and the commands of it that are used.
const STORAGE: u8 = 0x0a;
const GET_SDR: u8 = 0x23;
/// Network function Sensor/Event and the command of it that is used.
const SENSOR_EVENT: u8 = 0x04;
const GET_SENSOR_READING: u8 = 0x2d;
const ADD_SEL_ENTRY: u8 = 0x44;
/// Get Chassis Status.
const CHASSIS_STATUS: (u8, u8) = (0x00, 0x01);
const ACTIVATE_PAYLOAD: u8 = 0x48;

/// How much is measured.
#[derive(Clone, Copy, Debug)]
pub struct Extent {
    /// BMCs.
    pub count: usize,
    /// BMCs of a fleet that only starts and answers; 0 for none.
    pub many: usize,
    /// BMCs with living sensors.
    pub living: usize,
    /// Seconds of each load.
    pub seconds: f64,
    /// Seconds in which nobody asks.
    pub idle: f64,
    /// Kills, and how many BMCs there are then.
    pub kills: (usize, usize),
}

impl Extent {
    /// The figures.
    pub const FULL: Self =
        Self { count: 10_000, many: 100_000, living: 10_000, seconds: 5.0, idle: 10.0, kills: (40, 1000) };
    /// To see that everything works, on any machine.
    pub const QUICK: Self = Self { count: 1000, many: 0, living: 100, seconds: 0.5, idle: 2.0, kills: (4, 1000) };
}

/// How a figure is held against its bar.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bar {
    /// At most so much.
    Exactly(f64),
    /// At most so much, and more on a busy machine.
    InTime(f64),
    /// Only told.
    None,
}

/// What of it is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Part {
    /// Start, memory, wake-ups, and commands.
    Alike,
    /// Power state of all by `ipmipower`.
    Power,
    /// What others notice of rows that come and go.
    Changes,
    /// What others notice of one that is in trouble.
    Troubles,
    /// Sensors that follow signals: memory, and wake-ups while nobody asks.
    Living,
    /// What others notice of some that hang, lose datagrams or are late on purpose.
    Faults,
    /// Kills while all are changed.
    Kills,
    /// A fleet that only starts and answers.
    Many,
}

/// A row of the report.
#[derive(Clone, Debug)]
pub struct Figure {
    /// What was measured, with its unit.
    pub what: String,
    /// How much it is.
    pub value: f64,
    /// What it is held against.
    pub bar: Bar,
}

/// Everything that was measured.
#[derive(Clone, Debug)]
pub struct Report {
    /// The rows.
    pub figures: Vec<Figure>,
    /// How many times as long as the bars say things may take.
    pub slack: f64,
}

impl Report {
    fn put(&mut self, what: impl Into<String>, value: f64, bar: Bar) {
        let what = what.into();
        eprintln!("{what}: {}", short(value));
        self.figures.push(Figure { what, value, bar });
    }

    /// Whether a figure is within its bar.
    pub fn is_met(&self, figure: &Figure) -> bool {
        match figure.bar {
            Bar::Exactly(bar) => figure.value <= bar,
            Bar::InTime(bar) => figure.value <= bar * self.slack,
            Bar::None => true,
        }
    }

    /// The figures that are not.
    pub fn missed(&self) -> impl Iterator<Item = &Figure> {
        self.figures.iter().filter(|figure| !self.is_met(figure))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| | measured | bar | |\n|---|---:|---:|---|")?;
        for figure in &self.figures {
            let bar = match figure.bar {
                Bar::Exactly(bar) | Bar::InTime(bar) => short(bar),
                Bar::None => String::new(),
            };
            let met = if self.is_met(figure) { "" } else { "missed" };
            writeln!(f, "| {} | {} | {bar} | {met} |", figure.what, short(figure.value))?;
        }
        writeln!(f, "\nWhat is measured in time may take {} times as long here.", short(self.slack))
    }
}

/// How much longer than it takes the machine's other work makes something take; at least 1.
fn busy() -> Result<f64> {
    let (start, before) = (Instant::now(), processor_time(std::process::id())?);
    let mut sum = 0u64;
    while processor_time(std::process::id())? - before < Duration::from_millis(300) {
        sum = (0..100_000).fold(std::hint::black_box(sum), u64::wrapping_add);
    }
    let used = processor_time(std::process::id())? - before;
    Ok((start.elapsed().as_secs_f64() / used.as_secs_f64()).max(1.0))
}

/// The bar of memory in KiB for so many BMCs of `each` KiB; the program itself counts where they are few.
fn memory_bar(count: usize, each: f64, program: f64) -> Bar {
    Bar::Exactly(count as f64 * each + if count < 10_000 { program } else { 0.0 })
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

/// Milliseconds that 99 % of these do not exceed.
fn p99(times: &[Duration]) -> Result<f64> {
    let last = times.len().checked_sub(1).ok_or("nothing was answered")?;
    Ok(milliseconds(times[last * 99 / 100]))
}

/// The median of the p99 of ten windows, in milliseconds: what else the machine does is in some of them. One goes before.
fn windows(clients: &mut Clients, window: Duration) -> Result<f64> {
    let mut each = Vec::new();
    for number in 0..=WINDOWS {
        let end = Instant::now() + window;
        let times = clients.pace(&device_id(), RATE, || Instant::now() > end)?;
        if number > 0 {
            each.push(p99(&times)?);
        }
    }
    Ok(median(&each).unwrap_or_default())
}

fn device_id() -> Ask {
    Ask::new(netfn::APP, GET_DEVICE_ID, &[])
}

/// What everything here works with.
struct Measurement<'a> {
    places: &'a Places,
    extent: Extent,
    /// Which parts; none is all.
    parts: &'a [Part],
    report: Report,
}

impl Measurement<'_> {
    fn range(&self, count: usize) -> Range {
        Range { first: FIRST, count, port: self.places.port }
    }

    fn put_memory(&mut self, what: &str, pid: u32, count: usize, each: f64) -> Result<()> {
        let memory = Memory::of(pid)?;
        self.report.put(format!("{what}, resident, KiB"), memory.resident as f64, memory_bar(count, each, PROGRAM.1));
        self.report.put(format!("{what}, private, KiB"), memory.private as f64, memory_bar(count, each, PROGRAM.0));
        Ok(())
    }

    fn measures(&self, part: Part) -> bool {
        self.parts.is_empty() || self.parts.contains(&part)
    }

    /// BMCs from a range of addresses.
    fn many_alike(&mut self) -> Result<()> {
        let (count, port) = (self.extent.count, self.places.port.to_string());
        let range = self.range(count);
        let mut server = Server::new(self.places)?;
        let total = count.to_string();
        let start = server.start(&["--count", &total, "--addresses", PREFIX, "--ports", &port], range)?;
        if self.measures(Part::Alike) {
            let bar = 2000.0 * (count as f64 / 10_000.0).max(0.25);
            self.report.put(format!("start until all {count} answer, ms"), milliseconds(start), Bar::InTime(bar));
            self.commands(&server, range)?;
        }
        if self.measures(Part::Power) {
            self.power(&server, range)?;
        }
        let kept = usize::from(server.state().exists());
        self.report.put("state folders of BMCs that changed nothing", kept as f64, Bar::Exactly(0.0));
        Ok(())
    }

    /// Memory, wake-ups, a walk through all of them, and what a command takes.
    fn commands(&mut self, server: &Server, range: Range) -> Result<()> {
        let (count, pid) = (range.count, server.pid()?);
        self.put_memory("memory idle", pid, count, 20.0)?;
        self.report.put("descriptors", descriptors(pid)? as f64, Bar::Exactly(64.0));
        thread::sleep(Duration::from_secs(1));
        let before = wake_ups(pid)?;
        thread::sleep(Duration::from_secs_f64(self.extent.idle));
        let woken = (wake_ups(pid)? - before) as f64;
        self.report.put(format!("wake-ups in {} idle seconds", self.extent.idle), woken, Bar::Exactly(0.0));

        let (begin, before) = (Instant::now(), processor_time(pid)?);
        let (lost, records) = self.walk(range)?;
        self.report.put("login, SDR walk and logout at each, s", begin.elapsed().as_secs_f64(), Bar::None);
        let each = (processor_time(pid)? - before).as_secs_f64() * 1e6 / count as f64;
        self.report.put("processor time for each, us", each, Bar::None);
        self.report.put("records at each", records as f64 / count as f64, Bar::None);
        self.report.put("datagrams lost", lost as f64, Bar::Exactly(0.0));
        self.put_memory("memory after that", pid, count, 40.0)?;

        for suite in [3, 17] {
            let one = self.cost((0..FLIGHT).map(|_| range.address(0)), suite, pid)?;
            let all = self.cost((0..count).map(|number| range.address(number)), suite, pid)?;
            self.report.put(format!("command at one BMC, suite {suite}, us of processor time"), one, Bar::None);
            self.report.put(format!("command over all, suite {suite}, us of processor time"), all, Bar::None);
            self.report.put(format!("ratio of these, suite {suite}"), all / one, Bar::InTime(1.5));
        }
        Ok(())
    }

    /// Logs in at each, reads all of its SDRs and logs out; gives how many datagrams were lost, and how many records
    /// there were.
    fn walk(&mut self, range: Range) -> Result<(usize, usize)> {
        let mut records = 0;
        let ask = |id: [u8; 2]| Ask::new(STORAGE, GET_SDR, &[0, 0, id[0], id[1], 0, 0xff]);
        let mut lost = 0;
        // Some hundred sessions at a time, as a monitoring station has.
        for from in (0..range.count).step_by(4 * AT_ONCE) {
            let part = range.part(from, 4 * AT_ONCE);
            let mut clients = Clients::of(part)?;
            clients.each(0..part.count, AT_ONCE, 3, |number, answer| {
                let Some((code, data)) = answer else { return Ok(Some(ask([0, 0]))) };
                let id = data.first_chunk::<2>().filter(|_| code == 0);
                let id = *id.ok_or_else(|| format!("{}: code {code:#04x}", part.address(number)))?;
                records += 1;
                Ok((id != [0xff, 0xff]).then(|| ask(id)))
            })?;
            clients.all_out(AT_ONCE)?;
            lost += clients.lost;
        }
        Ok((lost, records))
    }

    /// Microseconds of the program's processor time for a command, with a session at each of these.
    fn cost(&mut self, addresses: impl Iterator<Item = SocketAddr>, suite: u8, pid: u32) -> Result<f64> {
        let mut clients = Clients::new(addresses)?;
        clients.all_in(AT_ONCE, suite)?;
        clients.busy(&device_id(), FLIGHT, Duration::from_secs_f64(self.extent.seconds / 10.0))?;
        let before = processor_time(pid)?;
        let answered = clients.busy(&device_id(), FLIGHT, Duration::from_secs_f64(self.extent.seconds))?;
        let used = processor_time(pid)? - before;
        clients.all_out(AT_ONCE)?;
        let what = format!("requests lost, {} sessions, suite {suite}", clients.count());
        self.report.put(what, clients.lost as f64, Bar::Exactly(0.0));
        Ok(used.as_secs_f64() * 1e6 / answered.max(1) as f64)
    }

    /// Power state of all by ten programs of freeipmi at once.
    fn power(&mut self, server: &Server, range: Range) -> Result<()> {
        const PROGRAMS: usize = 10;
        let each = range.count.div_ceil(PROGRAMS);
        let output = |number: usize| server.path(&format!("power{number}"));
        let before = processor_time(server.pid()?)?;
        let begin = Instant::now();
        let mut programs: Vec<Child> = (0..PROGRAMS)
            .map(|number| {
                let hosts = range.part(number * each, each).hosts();
                let mut command = Command::new("ipmipower");
                command.args(["-D", "LAN_2_0", "-u", "admin", "-p", "admin", "-h", &hosts, "--stat"]);
                // How long it takes is what is measured, and not whether it is less than its 20 s.
                command.args(["--session-timeout", "100000"]);
                command.stdin(Stdio::null()).stdout(File::create(output(number))?).stderr(Stdio::null());
                Ok(command.spawn().map_err(|error| format!("ipmipower of freeipmi: {error}"))?)
            })
            .collect::<Result<_>>()?;
        for program in &mut programs {
            program.wait()?;
        }
        let elapsed = begin.elapsed().as_secs_f64();
        let used = (processor_time(server.pid()?)? - before).as_secs_f64();
        let mut told = 0;
        for number in 0..PROGRAMS {
            let text = std::fs::read_to_string(output(number))?;
            told += text.lines().filter(|line| line.ends_with(": off")).count();
        }
        let share = (range.count as f64 / 10_000.0).max(0.25);
        self.report.put("power state of all by ten ipmipower, s", elapsed, Bar::InTime(8.0 * share));
        self.report.put("the program's processor time meanwhile, s", used, Bar::InTime(0.5 * share));
        self.report.put("BMCs whose power state was not told", (range.count - told) as f64, Bar::Exactly(0.0));
        Ok(())
    }

    /// What others notice of BMCs that come, go, or are in trouble.
    fn many_others(&mut self) -> Result<()> {
        let count = self.extent.count;
        let mut server = Server::new(self.places)?;
        let serial = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        write_files(&server, serial.local_addr()?)?;
        let range = self.range(count);
        server.write("nodes.csv", &list(range, count))?;
        server.start(&["--fleet", "nodes.csv"], range)?;
        let mut others = Clients::of(range.part(count / 2, OTHERS))?;
        others.all_in(AT_ONCE, 3)?;

        let window = Duration::from_secs_f64(self.extent.seconds / 5.0);
        let alone = windows(&mut others, window)?;
        self.report.put(format!("p99 of {RATE} commands a second at {OTHERS}, ms"), alone, Bar::None);
        if self.measures(Part::Changes) {
            self.changes(&mut server, range, &mut others, alone)?;
        }
        if self.measures(Part::Troubles) {
            self.troubles(range, &serial, &mut others, (window, alone))?;
        }
        others.all_out(AT_ONCE)
    }

    /// What others notice of rows that come and go: the median of some rounds, for what else the machine does is in some
    /// of them.
    fn changes(&mut self, server: &mut Server, range: Range, others: &mut Clients, alone: f64) -> Result<()> {
        let count = range.count;
        let more = count / 10;
        let new = self.range(count + more).part(count, more);
        let (mut added, mut removed) = (Changed::default(), Changed::default());
        for round in 0..ROUNDS {
            added.take(server, others, &list(range, count + more), 2 * round + 1)?;
            added.wrong += server.silent(new)?;
            removed.take(server, others, &list(range, count), 2 * round + 2)?;
            removed.wrong += self.answering(new)?;
        }
        let wrong = ["new BMCs that do not answer", "BMCs that are gone and answer"];
        for (what, Changed { took, p99, wrong }, told) in [("added", added, wrong[0]), ("removed", removed, wrong[1])] {
            let took = median(&took).unwrap_or_default();
            self.report.put(format!("{more} rows {what} by SIGHUP, s"), took, Bar::InTime(1.0));
            let p99 = median(&p99).unwrap_or_default();
            self.report.put("p99 of the others meanwhile, ms", p99, Bar::InTime(alone + 1.0));
            self.report.put(told, wrong as f64, Bar::Exactly(0.0));
        }
        Ok(())
    }

    /// What others notice of one that is in trouble.
    fn troubles(
        &mut self,
        range: Range,
        serial: &TcpListener,
        others: &mut Clients,
        (window, alone): (Duration, f64),
    ) -> Result<()> {
        let (lost, stop) = (others.lost, AtomicBool::new(false));
        let over = || stop.load(Ordering::Relaxed);
        let disturbances: [(&str, &(dyn Fn() -> Result<()> + Sync)); 4] = [
            ("is flooded", &|| {
                while !over() {
                    flood::run(range.address(0), flood::Kind::Capabilities, 30_000, 0.1)?;
                }
                Ok(())
            }),
            ("has a script that hangs", &|| hang(range.address(1), over)),
            ("has a SOL reader that does not read", &|| do_not_read(range.address(2), serial, over)),
            ("has a log that is full", &|| fill(range.address(3), over)),
        ];
        for (what, disturb) in disturbances {
            stop.store(false, Ordering::Relaxed);
            let value = thread::scope(|scope| -> Result<f64> {
                let disturber = scope.spawn(disturb);
                let value = windows(others, window);
                stop.store(true, Ordering::Relaxed);
                disturber.join().map_err(|_| "a disturber has failed")??;
                value
            })?;
            self.report.put(format!("p99 of the others while one {what}, ms"), value, Bar::InTime(alone + 1.0));
        }
        self.report.put("requests of the others lost", (others.lost - lost) as f64, Bar::Exactly(0.0));
        Ok(())
    }

    /// How many of these answer a ping at once.
    fn answering(&self, range: Range) -> Result<usize> {
        let end = Instant::now() + Duration::from_millis(500);
        Ok(range.count - clients::ping(range, range.count, Duration::from_secs(1), end)?)
    }

    /// BMCs with twenty sensors each that follow signals, and cross no threshold.
    fn living(&mut self) -> Result<()> {
        let (count, port) = (self.extent.living, self.places.port.to_string());
        let range = self.range(count);
        let mut server = Server::new(self.places)?;
        let total = count.to_string();
        let fleet = ["--count", &total, "--addresses", PREFIX, "--ports", &port];
        server.start(&fleet, range)?;
        let without = Memory::of(server.pid()?)?.resident as f64;
        server.write("living.emu", LIVING)?;
        let start = server.start(&[&fleet[..], &["-x", "include \"living.emu\""]].concat(), range)?;
        self.report.put(
            format!("start until all {count} with 20 living sensors answer, ms"),
            milliseconds(start),
            Bar::None,
        );
        let pid = server.pid()?;
        let each = (Memory::of(pid)?.resident as f64 - without) / count as f64;
        self.report.put("memory of 20 living sensors, KiB for each BMC", each, Bar::Exactly(20.0));
        thread::sleep(Duration::from_secs(1));
        let before = wake_ups(pid)?;
        thread::sleep(Duration::from_secs_f64(self.extent.idle));
        let woken = (wake_ups(pid)? - before) as f64;
        let what = format!("wake-ups of living sensors in {} idle seconds", self.extent.idle);
        self.report.put(what, woken, Bar::Exactly(0.0));
        let mut clients = Clients::of(range.part(0, AT_ONCE.min(count)))?;
        let mut readings = std::collections::HashSet::new();
        clients.each(0..clients.count(), AT_ONCE, 3, |number, answer| {
            let Some((_, data)) = answer else { return Ok(Some(Ask::new(SENSOR_EVENT, GET_SENSOR_READING, &[15]))) };
            readings.insert(*data.first().ok_or_else(|| format!("{}: no reading", range.address(number)))?);
            Ok(None)
        })?;
        clients.all_out(AT_ONCE)?;
        // Each draws by its own lot.
        let same = usize::from(readings.len() < 2);
        self.report.put("living sensors that all read the same", same as f64, Bar::Exactly(0.0));
        Ok(())
    }

    /// What others notice of BMCs that all are asked for their power, some at a time and again and again, and of which one in a
    /// hundred hangs, one loses 30 % of its datagrams and one is two seconds late: beside a fleet where nothing is wrong and
    /// nobody else asks. What an exporter that reads all makes of it is measured by `exporter.sh`.
    fn faults(&mut self) -> Result<()> {
        let count = self.extent.count;
        let range = self.range(count);
        let window = Duration::from_secs_f64(self.extent.seconds / 5.0);
        let (mut p99s, mut lost) = (Vec::new(), 0);
        for wrong in [false, true] {
            let mut server = Server::new(self.places)?;
            let sim_emu = server.example("sim.emu")?;
            for (name, fault) in FAULTS {
                server.write(name, &format!("{sim_emu}\n{fault}\n"))?;
            }
            server.write("nodes.csv", &faulty_list(range, wrong))?;
            server.start(&["--fleet", "nodes.csv"], range.part(count / 2 + 3, OTHERS))?;
            let stop = AtomicBool::new(false);
            // Between two that are at fault.
            let mut others = Clients::of(range.part(count / 2 + 3, OTHERS))?;
            others.all_in(AT_ONCE, 3)?;
            let value = thread::scope(|scope| -> Result<f64> {
                let asking = scope.spawn(|| ask_power_again(range, || !wrong || stop.load(Ordering::Relaxed)));
                let value = windows(&mut others, window);
                stop.store(true, Ordering::Relaxed);
                asking.join().map_err(|_| "who asks for the power has failed")??;
                value
            })?;
            others.all_out(AT_ONCE)?;
            p99s.push(value);
            lost += others.lost;
        }
        let [before, with] = p99s[..] else { return Err("both were to be measured".into()) };
        self.report.put(format!("p99 of {RATE} commands a second at {OTHERS} that are alone, ms"), before, Bar::None);
        let what =
            "p99 of the others while 1 % hang, 1 % lose 30 %, 1 % are 2 s late and all are asked for their power, ms";
        self.report.put(what, with, Bar::InTime(before + 1.0));
        self.report.put("requests of the others lost", lost as f64, Bar::Exactly(0.0));
        Ok(())
    }

    /// A fleet that only starts and answers.
    fn start_only(&mut self) -> Result<()> {
        let count = self.extent.many;
        let (range, port) = (self.range(count), self.places.port.to_string());
        let mut server = Server::new(self.places)?;
        let total = count.to_string();
        let start = server.start(&["--count", &total, "--addresses", PREFIX, "--ports", &port], range)?;
        self.report.put(format!("start until all {count} answer, s"), start.as_secs_f64(), Bar::None);
        let memory = Memory::of(server.pid()?)?.resident as f64;
        self.report.put(format!("memory of {count}, resident, KiB"), memory, Bar::Exactly(15.0 * count as f64));
        Ok(())
    }

    fn killed(&mut self) -> Result<()> {
        let (kills, count) = self.extent.kills;
        let (range, port) = (self.range(count), self.places.port.to_string());
        let mut server = Server::new(self.places)?;
        let total = count.to_string();
        let options = ["--count", &total, "--addresses", PREFIX, "--ports", &port];
        let found = kills::measure(&mut server, &options, range, kills)?;
        self.report.put(format!("changes acknowledged before {kills} kills"), found.changes as f64, Bar::None);
        self.report.put("of these lost", found.lost as f64, Bar::Exactly(0.0));
        Ok(())
    }
}

/// What was seen of changes to a list.
#[derive(Default)]
struct Changed {
    /// How long each took, in seconds.
    took: Vec<f64>,
    /// What the others noticed of each, in milliseconds.
    p99: Vec<f64>,
    /// BMCs that are not as the list says.
    wrong: usize,
}

impl Changed {
    /// Changes the list, for the `number`th time, while others are asked.
    fn take(&mut self, server: &mut Server, others: &mut Clients, list: &str, number: usize) -> Result<()> {
        server.write("nodes.csv", list)?;
        let begin = Instant::now();
        server.running()?.signal(Signal::SIGHUP)?;
        let mut took = None;
        let mut looked = Instant::now();
        let times = others.pace(&device_id(), RATE, || {
            if took.is_none() && looked.elapsed() > Duration::from_millis(10) {
                looked = Instant::now();
                took = server.has_said("the fleet was read again", number).then(|| begin.elapsed());
            }
            took.is_some() || begin.elapsed() > server::PATIENCE
        })?;
        let took = took.ok_or_else(|| format!("SIGHUP has no effect:\n{}", server.said()))?;
        self.took.push(took.as_secs_f64());
        self.p99.push(p99(&times)?);
        Ok(())
    }
}

/// The list of so many BMCs, the first of them with files of their own.
fn list(range: Range, count: usize) -> String {
    let mut rows = String::from("name,addr,port,conf,emu\n");
    for number in 0..count {
        let address = range.address(number);
        let (conf, emu) = match number {
            1 => ("hangs.conf", ""),
            2 => ("sol.conf", ""),
            3 => ("", "full.emu"),
            _ => ("", ""),
        };
        rows += &format!("n{number},{},{},{conf},{emu}\n", address.ip(), address.port());
    }
    rows
}

/// Command files with what is wrong with who has them.
const FAULTS: [(&str, &str); 3] =
    [("hangs.emu", "fault hang"), ("loses.emu", "fault lose chance 30"), ("late.emu", "fault delay 2s out")];

/// Twenty sensors of the example that follow something: what they read stays within their thresholds.
const LIVING: &str = "mc_load 0x20 walk mean 50 amplitude 50 step 2
sensor_follow 0x20 0 3 sine mean 24 amplitude 2 period 86400
sensor_follow 0x20 0 1 walk mean 40 amplitude 2 load 20 max 75
sensor_follow 0x20 0 2 walk mean 40 amplitude 2 load 20 max 75
sensor_follow 0x20 0 4 constant 15 add 0x20 0 1 0.4 max 60
sensor_follow 0x20 0 5 constant 10 load 10 add 0x20 0 3 1 max 60
sensor_follow 0x20 0 6 constant 11 load 10 add 0x20 0 3 1 max 60
sensor_follow 0x20 0 7 noise mean 40 amplitude 4
sensor_follow 0x20 0 8 noise mean 40 amplitude 4
sensor_follow 0x20 0 9 noise mean 5000 amplitude 600
sensor_follow 0x20 0 10 noise mean 5000 amplitude 600
sensor_follow 0x20 0 11 noise mean 5000 amplitude 600
sensor_follow 0x20 0 12 noise mean 5000 amplitude 600
sensor_follow 0x20 0 13 noise mean 5000 amplitude 600
sensor_follow 0x20 0 14 noise mean 5000 amplitude 600
sensor_follow 0x20 0 15 noise mean 12.1 amplitude 0.2
sensor_follow 0x20 0 16 noise mean 5 amplitude 0.08
sensor_follow 0x20 0 17 noise mean 3.3 amplitude 0.06
sensor_follow 0x20 0 18 constant 3.02
sensor_follow 0x20 0 19 noise mean 120 amplitude 8 load 120
";

/// The list of a fleet in which something may be wrong with three of each hundred.
fn faulty_list(range: Range, wrong: bool) -> String {
    let mut rows = String::from("name,addr,port,emu\n");
    for number in 0..range.count {
        let address = range.address(number);
        let emu = FAULTS.get(number % 100).filter(|_| wrong).map_or("", |(name, _)| name);
        rows += &format!("n{number},{},{},{emu}\n", address.ip(), address.port());
    }
    rows
}

/// Asks all for their power by some programs of freeipmi at a time, each some of them, again and again.
fn ask_power_again(range: Range, over: impl Fn() -> bool) -> Result<()> {
    const PROGRAMS: usize = 2;
    const AT_A_TIME: usize = 10;
    if over() {
        return Ok(());
    }
    let mut next = 0;
    let mut start = || -> Result<Child> {
        let hosts = range.part(next, AT_A_TIME.min(range.count - next)).hosts();
        next = if next + AT_A_TIME < range.count { next + AT_A_TIME } else { 0 };
        let mut command = Command::new("ipmipower");
        command.args([
            "-D",
            "LAN_2_0",
            "-u",
            "admin",
            "-p",
            "admin",
            "-h",
            &hosts,
            "--stat",
            "--session-timeout",
            "5000",
        ]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Ok(command.spawn().map_err(|error| format!("ipmipower of freeipmi: {error}"))?)
    };
    let mut programs = (0..PROGRAMS).map(|_| start()).collect::<Result<Vec<_>>>()?;
    while !over() {
        thread::sleep(Duration::from_millis(20));
        for program in &mut programs {
            if program.try_wait()?.is_some() {
                *program = start()?;
            }
        }
    }
    for program in &mut programs {
        let _ = program.kill();
        program.wait()?;
    }
    Ok(())
}

/// The files of those that are in trouble.
fn write_files(server: &Server, serial: SocketAddr) -> Result<()> {
    let lan_conf = server.example("lan.conf")?;
    server.write("sol.conf", &format!("{lan_conf}\n  sol \"tcp:{serial}\" 115200\n"))?;
    let script = server.write("hangs.sh", "#!/bin/sh\nexec sleep 20\n")?;
    server::make_executable(&script)?;
    server.write("hangs.conf", &format!("{lan_conf}\nchassis_control \"{}\"\n", script.display()))?;
    let sim_emu = server.example("sim.emu")?;
    server.write("full.emu", &sim_emu.replace("sel_enable 0x20 1000", "sel_enable 0x20 64"))?;
    Ok(())
}

/// Asks a BMC whose script does not come back, by many.
fn hang(address: SocketAddr, over: impl FnMut() -> bool) -> Result<()> {
    let mut clients = Clients::new([address; FLIGHT])?;
    clients.each(0..FLIGHT, FLIGHT, 3, |_, _| Ok(None))?;
    clients.tries = usize::MAX;
    clients.each_until(0..FLIGHT, FLIGHT, 3, |_, _| Ok(Some(Ask::new(CHASSIS_STATUS.0, CHASSIS_STATUS.1, &[]))), over)
}

/// Opens SOL at a BMC whose serial port says something all the time, and reads nothing.
fn do_not_read(address: SocketAddr, serial: &TcpListener, over: impl Fn() -> bool) -> Result<()> {
    let mut clients = Clients::new([address])?;
    let mut asked = false;
    clients.each(0..1, 1, 3, |_, _| {
        let first = !std::mem::replace(&mut asked, true);
        Ok(first.then(|| Ask::new(netfn::APP, ACTIVATE_PAYLOAD, &[1, 1, 0, 0, 0, 0])))
    })?;
    let (mut stream, _) = serial.accept()?;
    stream.set_write_timeout(Some(Duration::from_millis(50)))?;
    while !over() {
        let _ = stream.write(&[b'x'; 4096]);
    }
    Ok(())
}

/// Adds to the log of a BMC all the time.
fn fill(address: SocketAddr, over: impl FnMut() -> bool) -> Result<()> {
    let mut record = [0; 16];
    record[2] = 0xe0;
    let add = Ask::new(STORAGE, ADD_SEL_ENTRY, &record);
    Clients::new([address])?.each_until(0..1, 1, 3, |_, _| Ok(Some(add.clone())), over)
}

/// Measures these parts, or everything. `slack` is how many times as long as the bars say things may take; without it it
/// is what the machine's other work costs.
pub fn measure(places: &Places, extent: Extent, parts: &[Part], slack: Option<f64>) -> Result<Report> {
    let slack = slack.map_or_else(busy, Ok)?;
    let mut all = Measurement { places, extent, parts, report: Report { figures: Vec::new(), slack } };
    if all.measures(Part::Alike) || all.measures(Part::Power) {
        all.many_alike()?;
    }
    if all.measures(Part::Changes) || all.measures(Part::Troubles) {
        all.many_others()?;
    }
    if all.measures(Part::Living) {
        all.living()?;
    }
    if all.measures(Part::Faults) {
        all.faults()?;
    }
    if all.measures(Part::Kills) {
        all.killed()?;
    }
    if all.measures(Part::Many) && extent.many > 0 {
        all.start_only()?;
    }
    Ok(all.report)
}
