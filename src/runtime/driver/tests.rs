//! The loop around real systems, set up by texts.

mod door;

use super::announce::Announcement;
use super::reload::{Fresh, Reader};
use super::*;
use crate::config::{help, lan_conf};
use crate::host::jobs::StateWriter;
use crate::host::random::SystemRandom;
use crate::runtime::console::GREETING;
use crate::runtime::door::{Again, Create, Recipe, Unmade};
use crate::runtime::log_text::printable;
use crate::runtime::script::{Folders, Script};
use crate::runtime::tables::Tables;
use crate::settings::model::Config;
use crate::sim::{Effect, Persistence, SaveJob, Simulator, Work};
use ipmi_sim_client::{outside, presence};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{PipeReader, PipeWriter, Read, Write};
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};

/// Statements of every system here, which no console shows.
const BMC: [&str; 3] = ["mc_setbmc 0x20", "mc_add 0x20 0 no-device-sdrs 1 1 0 0x9f 0 1", "sel_enable 0x20 100 0x0a"];
/// Changes what is kept.
const SAVE: &str = "sel_add 0x20 2 0 0 0 0 0x20 0 4 1 1 1 0x50 18 20";

/// lan.conf with a LAN channel at this port of 127.0.0.1, and more lines.
fn configuration(port: u16, more: &str) -> String {
    format!(
        "name \"test\"\nset_working_mc 0x20\nstartlan 1\naddr 127.0.0.1 {port}\npriv_limit admin\n\
         allowed_auths_admin md5\nendlan\nuser 2 true \"admin\" \"admin\" admin 10 md5\n{more}"
    )
}

fn parsed(text: &str) -> Config {
    let (config, faults) = lan_conf::parse("lan.conf", text.as_bytes());
    config.unwrap_or_else(|| panic!("{faults:?}"))
}

/// What `help` prints about a command, as a console shows it.
fn told(about: &str) -> String {
    help::commands(about).replace('\n', "\n\r")
}

/// A driver about to run: the plan, what its system is made from, both ends of its terminal.
struct Bench {
    plan: Plan,
    script: Script,
    directories: Vec<PathBuf>,
    state: Option<StateWriter>,
    reader: Reader,
    config: Config,
    persistence: Persistence,
    keyboard: Option<PipeWriter>,
    screen: PipeReader,
}

fn bench(script: &str, standard: Option<StandardInput>) -> Bench {
    let mut bench = bare(script, standard);
    for line in BMC.iter().rev() {
        bench.script.push_line(COMMAND_STRING, line.as_bytes());
    }
    bench
}

/// Without a BMC.
fn bare(script: &str, standard: Option<StandardInput>) -> Bench {
    let (input, keyboard) = std::io::pipe().unwrap();
    let (screen, output) = std::io::pipe().unwrap();
    let plan = Plan {
        scope: Scope::One,
        streams: Streams { input: input.into(), output: output.into() },
        standard,
        console: None,
        program_limit: Duration::from_secs(30),
        programs: 64,
        statement_limit: Duration::from_secs(30),
        failures: Failures::Reported,
        syslog: None,
        notes: Vec::new(),
        service: Service::default(),
        ready_line: None,
        capture: None,
        fleet: None,
        door: None,
    };
    let mut texts = Script::default();
    texts.push_file("test.emu", script.as_bytes());
    Bench {
        plan,
        script: texts,
        directories: Vec::new(),
        state: None,
        reader: Arc::new(|| Err(vec!["lan.conf:1:1: error: nothing".into()])),
        config: parsed(&configuration(0, "")),
        persistence: Persistence::Off,
        keyboard: Some(keyboard),
        screen,
    }
}

/// A driver with both ends of its terminal, and the way its signals come: real ones would reach the drivers
/// of all tests.
struct Driven {
    driver: Box<Driver>,
    keyboard: Option<PipeWriter>,
    screen: PipeReader,
    signals: mpsc::Sender<Signal>,
}

impl Bench {
    fn configured(mut self, text: &str) -> Self {
        self.config = parsed(text);
        self
    }

    /// Types something before it starts; the end of input follows.
    fn typed(mut self, text: &str) -> Self {
        self.keyboard.take().unwrap().write_all(text.as_bytes()).unwrap();
        self
    }

    /// State is kept, by this writer.
    fn kept(mut self, write: impl Fn(&str, &[u8]) + Send + Sync + 'static) -> Self {
        self.persistence = Persistence::On;
        self.state = Some(Arc::new(move |name, content| {
            write(name, content);
            Ok(())
        }));
        self
    }

    /// What is driven, the plan, and both ends of the terminal.
    fn planned(self) -> (SystemPlan, Plan, Option<PipeWriter>, PipeReader) {
        let Bench { plan, script, directories, state, reader, config, persistence, keyboard, screen } = self;
        let random = Box::new(SystemRandom::new().unwrap());
        let system = SystemPlan {
            index: 0,
            system: Box::new(Simulator::new(config, BTreeMap::new(), persistence, random)),
            script,
            configuration: "lan.conf".into(),
            folders: Folders::new(directories, Tables::default()).into(),
            state,
            reader,
            announcement: Announcement::default(),
            row: "".into(),
            stage: Stage::New,
        };
        (system, plan, keyboard, screen)
    }

    fn driven(self) -> Driven {
        let (system, plan, keyboard, screen) = self.planned();
        let (driver, signals) = driver(vec![system], plan);
        Driven { driver, keyboard, screen, signals }
    }

    /// Runs to the end beside `user`; what was shown, and how it ended.
    async fn run(self, user: impl AsyncFnOnce(&mut PipeReader, &mpsc::Sender<Signal>)) -> (String, Ending) {
        let Driven { mut driver, keyboard, mut screen, signals } = self.driven();
        let driven = async {
            let ending = driver.drive().await;
            driver.finish(ending).await
        };
        let (ending, ()) = tokio::join!(driven, user(&mut screen, &signals));
        drop(keyboard);
        let mut shown = String::new();
        screen.read_to_string(&mut shown).unwrap();
        (shown, ending)
    }

    async fn run_alone(self) -> (String, Ending) {
        self.run(async |_, _| {}).await
    }
}

fn driver(systems: Vec<SystemPlan>, plan: Plan) -> (Box<Driver>, mpsc::Sender<Signal>) {
    let mut driver = Box::new(Driver::new(systems, plan).unwrap());
    let (signals, receiver) = mpsc::channel(1);
    driver.signals = receiver;
    (driver, signals)
}

/// Ends a driver that has no console.
async fn terminate(signals: &mpsc::Sender<Signal>) {
    signals.send(Signal::SIGTERM).await.unwrap();
}

/// Drives until `done`.
async fn until(driver: &mut Box<Driver>, signals: &mpsc::Sender<Signal>, done: impl Future<Output = ()>) {
    let user = async {
        done.await;
        terminate(signals).await;
    };
    assert_eq!(tokio::join!(driver.serve(), user).0, TERMINATED);
}

const TERMINATED: Ending = Ending::Signal(Signal::SIGTERM as i32);

/// Holds up whoever comes, until it is opened.
#[derive(Clone, Default)]
struct Gate(Arc<(Mutex<bool>, Condvar)>);

impl Gate {
    fn open(&self) {
        *self.0.0.lock().unwrap() = true;
        self.0.1.notify_all();
    }

    fn pass(&self) {
        let is_open = self.0.0.lock().unwrap();
        drop(self.0.1.wait_while(is_open, |is_open| !*is_open).unwrap());
    }

    /// Writes state files: that of the event log when the gate is open.
    fn writer(&self) -> impl Fn(&str, &[u8]) + Send + Sync + use<> {
        let gate = self.clone();
        move |name, _| {
            if name == "sel.20" {
                gate.pass();
            }
        }
    }
}

/// What a driver writes to the system log.
struct SystemLog {
    socket: std::os::unix::net::UnixDatagram,
    _folder: tempfile::TempDir,
}

fn system_log(plan: &mut Plan) -> SystemLog {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let socket = std::os::unix::net::UnixDatagram::bind(&path).unwrap();
    socket.set_nonblocking(true).unwrap();
    plan.syslog = Some(Syslog::new(&path));
    SystemLog { socket, _folder: folder }
}

impl SystemLog {
    /// The entries since the last look, a line each.
    fn entries(&self) -> String {
        let mut entries = String::new();
        let mut buffer = [0; 2000];
        while let Ok(length) = self.socket.recv(&mut buffer) {
            entries += std::str::from_utf8(&buffer[..length]).unwrap();
            entries.push('\n');
        }
        entries
    }
}

/// Reads the screen until `enough` has been shown, without standing in the driver's way.
async fn wait_for(screen: &mut PipeReader, enough: impl Fn(&str) -> bool + Send + 'static) -> String {
    let mut screen = screen.try_clone().unwrap();
    let reader = tokio::task::spawn_blocking(move || {
        let mut seen = String::new();
        while !enough(&seen) {
            let mut byte = [0];
            screen.read_exact(&mut byte).unwrap();
            seen.push(byte[0].into());
        }
        seen
    });
    reader.await.unwrap()
}

/// The port of the LAN channel, when its socket is open.
async fn lan_port(screen: &mut PipeReader) -> u16 {
    let opened = "Opened UDP port ";
    let shown = wait_for(screen, move |seen| seen.contains(opened) && seen.ends_with('\n')).await;
    shown.rsplit(opened).next().unwrap().trim().parse().unwrap()
}

async fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port()
}

/// Tries until the driver listens.
async fn connect(port: u16) -> TcpStream {
    loop {
        match TcpStream::connect(("127.0.0.1", port)).await {
            Ok(stream) => return stream,
            Err(_) => tokio::task::yield_now().await,
        }
    }
}

async fn read_text(stream: &mut TcpStream, text: &str) {
    let mut seen = vec![0; text.len()];
    stream.read_exact(&mut seen).await.unwrap();
    assert_eq!(String::from_utf8_lossy(&seen), text);
}

/// A client of the LAN channel at this port.
async fn client(port: u16) -> UdpSocket {
    let client = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    client.connect(("127.0.0.1", port)).await.unwrap();
    client
}

/// Receives the response to the presence ping with this tag.
async fn pong(client: &UdpSocket, tag: u8) {
    let mut response = [0; 64];
    let length = client.recv(&mut response).await.unwrap();
    assert!(presence::is_pong(&response[..length]));
    assert_eq!(response[9], tag);
}

async fn ping(client: &UdpSocket, tag: u8) {
    client.send(&presence::ping(tag)).await.unwrap();
    pong(client, tag).await;
}

#[tokio::test]
async fn a_dialogue_looks_like_the_originals() {
    let (shown, ending) = bench("# hello\nhelp noecho\nbogus\n", Some(StandardInput::Stream))
        .typed("foo\rhelp define\n\r\nquit\n")
        .run_alone()
        .await;
    assert_eq!(ending, Ending::Status(0));
    let (noecho, define) = (told("noecho"), told("define"));
    let start = format!("# hello\n\rhelp noecho\n\r{noecho}bogus\n\r**Unknown command: bogus\n\r");
    let dialogue = format!("> foo\n**Unknown command: foo\n\r> help define\n{define}> \n> \n> quit\n");
    assert_eq!(shown, format!("{start}{dialogue}"));
}

#[tokio::test]
async fn the_end_of_input_ends_the_program_after_the_last_command() {
    let (shown, ending) = bench("", Some(StandardInput::Stream)).typed("help persist\nhelp define").run_alone().await;
    assert_eq!(ending, Ending::Status(0));
    assert_eq!(shown, format!("> help persist\n{}> help define", told("persist")));
}

#[tokio::test]
async fn byte_4_ends_it_as_well_and_input_waits_for_a_sleeping_command() {
    let (shown, ending) =
        bench("", Some(StandardInput::Stream)).typed("sleep 30\nhelp define\n\x04help persist\n").run_alone().await;
    assert_eq!(ending, Ending::Status(0));
    assert_eq!(shown, format!("> sleep 30\n> help define\n{}> \n", told("define")));
}

/// Whatever the statement waits for, the rest of an included file goes with it, and so does what was typed
/// before the key; what is typed after it is executed.
#[tokio::test]
async fn control_c_gives_up_waiting_for_a_persons_statement() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("slow.emu").display().to_string();
    std::fs::write(&file, "help noecho\nsleep 3600000\nhelp persist\n").unwrap();
    let included = format!("help noecho\n\r{}sleep 3600000\n\r", told("noecho"));
    for (statement, at_once, shown_before) in [
        ("sleep 3600000".to_owned(), "", ""),
        (SAVE.into(), "Added record 1\n\r", "Added record 1\n\r"),
        // The key comes before the first statement of the file.
        (format!("include \"{file}\""), "", &*included),
    ] {
        // All at once, and with the key pressed when it is being waited for.
        for early in [true, false] {
            let gate = Gate::default();
            let mut bench = bench("", Some(StandardInput::Terminal)).kept(gate.writer());
            let mut keyboard = bench.keyboard.take().unwrap();
            let line = format!("{statement}\r");
            keyboard.write_all(line.as_bytes()).unwrap();
            if early {
                keyboard.write_all(b"help status\r\x03help define\rquit\r").unwrap();
            }
            let begun = format!("> {statement}\n{}", if early { at_once } else { shown_before });
            let rest = format!("^C\n> help define\n{}> quit\n", told("define"));
            let (seen, all) = (begun.clone(), rest.clone());
            let (shown, ending) = bench
                .run(async |screen, _| {
                    wait_for(screen, move |shown| shown == seen).await;
                    if !early {
                        tokio::time::sleep(Duration::from_millis(20)).await;
                        keyboard.write_all(b"help status\r\x03").unwrap();
                        keyboard.write_all(b"help define\rquit\r").unwrap();
                    }
                    assert_eq!(wait_for(screen, move |shown| shown.len() == all.len()).await, rest);
                    gate.open();
                })
                .await;
            assert_eq!((shown.as_str(), ending), ("", Ending::Status(0)));
        }
    }
}

/// What is typed meanwhile waits for its turn, as it always did.
#[tokio::test]
async fn a_person_may_type_ahead() {
    let bench = bench("", Some(StandardInput::Terminal)).typed("sleep 30\rhelp noecho\rhelp debux\x08g\r");
    let (noecho, debug) = (told("noecho"), told("debug"));
    let shown = format!("> sleep 30\n> help noecho\n{noecho}> help debux\x08 \x08g\n{debug}> ");
    assert_eq!(bench.run_alone().await.0, shown);
}

#[tokio::test]
async fn datagrams_are_answered_while_the_command_file_sleeps() {
    let bench = bench("mc_enable 0x20\nsleep 3600000\nquit\n", None);
    let (shown, ending) = bench
        .run(async |screen, signals| {
            let client = client(lan_port(screen).await).await;
            for tag in 0..100u8 {
                ping(&client, tag).await;
            }
            terminate(signals).await;
        })
        .await;
    assert_eq!((shown.as_str(), ending), ("", TERMINATED));
}

#[tokio::test]
async fn a_burst_is_answered_completely_and_in_order() {
    let bench = bench("mc_enable 0x20\n", Some(StandardInput::Stream));
    let mut keyboard = bench.keyboard.as_ref().unwrap().try_clone().unwrap();
    let (_, ending) = bench
        .run(async |screen, _| {
            let port = lan_port(screen).await;
            let client = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
            for tag in 0..150u8 {
                client.send_to(&presence::ping(tag), ("127.0.0.1", port)).unwrap();
            }
            client.set_nonblocking(true).unwrap();
            let client = UdpSocket::from_std(client).unwrap();
            for tag in 0..150u8 {
                pong(&client, tag).await;
            }
            keyboard.write_all(b"quit\n").unwrap();
        })
        .await;
    assert_eq!(ending, Ending::Status(0));
}

#[tokio::test]
async fn a_lan_port_that_is_taken_ends_the_program_and_opening_twice_does_not() {
    let taken = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let port = taken.local_addr().unwrap().port();
    for (standard, shown_then) in [(None, ""), (Some(StandardInput::Stream), "mc_enable 0x20\n\r")] {
        let bench = bench("mc_enable 0x20\nhelp noecho\n", standard).configured(&configuration(port, ""));
        let (shown, ending) = bench.run_alone().await;
        assert_eq!((shown.as_str(), ending), (shown_then, Ending::Status(1)));
    }
    let free = std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    // The socket stays when the MC goes.
    let again = ["mc_enable 0x20", "mc_delete 0x20", BMC[1], "mc_enable 0x20", "sleep 3600000\n"].join("\n");
    let (shown, ending) = bench(&again, None)
        .configured(&configuration(free, ""))
        .run(async |screen, signals| {
            assert_eq!(lan_port(screen).await, free);
            ping(&client(free).await, 1).await;
            terminate(signals).await;
        })
        .await;
    assert_eq!((shown.as_str(), ending), ("", TERMINATED));
}

#[tokio::test]
async fn a_failing_statement_is_left_out_unless_it_shall_be_fatal() {
    let script = "help noecho\nbogus\nhelp define\nquit\n";
    let (shown, ending) = bench(script, Some(StandardInput::Stream)).run_alone().await;
    assert_eq!(ending, Ending::Status(0));
    assert!(shown.contains(&told("noecho")) && shown.contains(&told("define")), "{shown:?}");
    let mut strict = bench(script, Some(StandardInput::Stream));
    strict.plan.failures = Failures::Fatal;
    let (shown, ending) = strict.run_alone().await;
    assert_eq!(ending, Ending::Status(1));
    assert!(shown.contains(&told("noecho")) && !shown.contains("help define"), "{shown:?}");
}

#[tokio::test]
async fn without_a_bmc_there_is_no_program() {
    let (shown, ending) = bare("help noecho\n", Some(StandardInput::Stream)).run_alone().await;
    assert_eq!(ending, Ending::Status(1));
    assert!(shown.contains(&told("noecho")) && !shown.contains("> "), "{shown:?}");
}

#[tokio::test]
async fn included_files_are_echoed_and_run_in_their_place() {
    let root = tempfile::tempdir().unwrap();
    let inner = root.path().join("inner.emu");
    std::fs::write(&inner, "help noecho\n").unwrap();
    let script = "include \"inner.emu\"\nhelp define\ninclude \"missing.emu\"\n";
    let mut bench = bench(script, Some(StandardInput::Stream));
    bench.directories = vec![root.path().into()];
    let (shown, ending) = bench.typed("include \"inner.emu\"\nquit\n").run_alone().await;
    assert_eq!(ending, Ending::Status(0));
    let inner = format!("help noecho\n\r{}", told("noecho"));
    let outer = format!("help define\n\r{}", told("define"));
    let missing = "include \"missing.emu\"\n\rCould not read include file missing.emu: No such file or directory\n\r";
    let typed = format!("> include \"inner.emu\"\n{inner}> quit\n");
    assert_eq!(shown, format!("include \"inner.emu\"\n\r{inner}{outer}{missing}{typed}"));
}

#[tokio::test]
async fn state_is_written_before_the_end() {
    let written = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&written);
    let bench = bench(&format!("{SAVE}\nquit\n"), None).kept(move |name, content| {
        // Slower than the way to the end.
        std::thread::sleep(Duration::from_millis(50));
        log.lock().unwrap().push((name.to_owned(), !content.is_empty()));
    });
    let (_, ending) = bench.run_alone().await;
    assert_eq!(ending, Ending::Status(0));
    assert!(written.lock().unwrap().contains(&("sel.20".to_owned(), true)));
}

/// Adds a sensor that is polled from a file, and polls it at once.
fn polled(number: u8, milliseconds: u32, file: &std::path::Path) -> String {
    let none = "000000000000000";
    format!(
        "sensor_add 0x20 0 {number} 1 1 poll {milliseconds} file \"{}\"\n\
         sensor_set_event_support 0x20 0 {number} enable scanning none {none} {none} {none} {none}\n",
        file.display()
    )
}

#[tokio::test]
async fn a_timer_rings() {
    let root = tempfile::tempdir().unwrap();
    let file = root.path().join("value");
    std::fs::write(&file, "10").unwrap();
    let bench = bench(&polled(1, 5, &file), Some(StandardInput::Stream));
    let mut keyboard = bench.keyboard.as_ref().unwrap().try_clone().unwrap();
    let (_, ending) = bench
        .run(async |screen, _| {
            wait_for(screen, |seen| seen.ends_with("> ")).await;
            std::fs::remove_file(&file).unwrap();
            wait_for(screen, |seen| seen.contains("Error getting sensor value (20,0,1)")).await;
            keyboard.write_all(b"quit\n").unwrap();
        })
        .await;
    assert_eq!(ending, Ending::Status(0));
}

#[tokio::test]
async fn the_next_statement_waits_for_a_statements_slow_work() {
    let root = tempfile::tempdir().unwrap();
    let (one, two, three) = (root.path().join("one"), root.path().join("two"), root.path().join("three"));
    std::fs::write(&one, "10").unwrap();
    std::fs::write(&two, "20").unwrap();
    let (again, later) = (polled(2, 3_600_000, &two), three.display().to_string());
    let typed = format!("{again}sensors\n{SAVE}\ninclude \"{later}\"\nquit\n");
    let (shown, ending) = bench(&format!("{}sensors\n", polled(1, 3_600_000, &one)), Some(StandardInput::Stream))
        .typed(&typed)
        .kept(move |name, _| {
            if name == "sel.20" {
                std::thread::sleep(Duration::from_millis(50));
                std::fs::write(&three, "help define\n").unwrap();
            }
        })
        .run_alone()
        .await;
    assert_eq!(ending, Ending::Status(0));
    let (start, typed) = shown.split_once("> ").unwrap();
    assert!(start.contains("sensor 1: raw 0x0a"), "{shown:?}");
    assert!(typed.contains("sensor 2: raw 0x14"), "{shown:?}");
    // What is typed waits for state files, too.
    assert!(typed.contains(&format!("> include \"{later}\"\nhelp define\n\r{}", told("define"))), "{shown:?}");
}

#[tokio::test]
async fn a_command_file_does_not_wait_for_state_files() {
    let gate = Gate::default();
    let bench = bench(&format!("{SAVE}\nmc_enable 0x20\nsleep 3600000\n"), None).kept(gate.writer());
    let (_, ending) = bench
        .run(async |screen, signals| {
            lan_port(screen).await;
            terminate(signals).await;
            gate.open();
        })
        .await;
    assert_eq!(ending, TERMINATED);
}

#[tokio::test]
async fn slow_work_holds_up_statements_for_a_limited_time_and_nobody_else() {
    let gate = Gate::default();
    let mut limited = bench("", Some(StandardInput::Stream)).kept(gate.writer());
    limited.plan.statement_limit = Duration::from_millis(10);
    let define = told("define");
    let (_, ending) = limited
        .typed(&format!("{SAVE}\nhelp define\nquit\n"))
        .run(async |screen, _| {
            wait_for(screen, move |seen| seen.ends_with(&define)).await;
            gate.open();
        })
        .await;
    assert_eq!(ending, Ending::Status(0));

    let gate = Gate::default();
    let (shown, ending) = bench("mc_enable 0x20\n", Some(StandardInput::Stream))
        .kept(gate.writer())
        .typed(&format!("{SAVE}\nhelp define\nquit\n"))
        .run(async |screen, _| {
            let port = lan_port(screen).await;
            wait_for(screen, |seen| seen.ends_with("Added record 1\n\r")).await;
            ping(&client(port).await, 1).await;
            gate.open();
        })
        .await;
    assert_eq!((shown, ending), (format!("> help define\n{}> quit\n", told("define")), Ending::Status(0)));
}

#[tokio::test]
async fn the_end_of_a_virtual_machine_is_noticed() {
    let root = tempfile::tempdir().unwrap();
    let file = root.path().join("pid");
    // The start command becomes its first word: a script goes on after it.
    let script = root.path().join("start");
    std::fs::write(&script, format!("echo $$ >> '{}'\nexec sleep 600\n", file.display())).unwrap();
    let start = format!("startcmd \"sh {}\"\nstartnow true\n", script.display());
    let mut bench = bench("mc_enable 0x20\nmc_enable 0x20\n", None).configured(&configuration(0, &start));
    let log = system_log(&mut bench.plan);
    let (_, ending) = bench
        .run(async |_, signals| {
            let pid = loop {
                let text = std::fs::read_to_string(&file).unwrap_or_default();
                if text.ends_with('\n') {
                    // It was started once.
                    break text.trim().parse().unwrap();
                }
                tokio::time::sleep(Duration::from_millis(1)).await;
            };
            nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), Signal::SIGKILL).unwrap();
            let mut logged = String::new();
            while !logged.contains("The start command of MC 0x20 has ended") {
                tokio::time::sleep(Duration::from_millis(1)).await;
                logged += &log.entries();
            }
            terminate(signals).await;
        })
        .await;
    assert_eq!(ending, TERMINATED);
}

#[tokio::test]
async fn a_serial_peer_talks_to_the_system() {
    let port = free_port().await;
    let serial = format!("serial 15 127.0.0.1 {port} codec TerminalMode\n");
    let (_, ending) = bench("mc_enable 0x20\n", None)
        .configured(&configuration(0, &serial))
        .run(async |_, signals| {
            // One after the other: each is answered by its own connection.
            for _ in 0..2 {
                let mut peer = connect(port).await;
                peer.write_all(b"[18 04 ee]\n").await.unwrap();
                let mut seen = Vec::new();
                while !seen.ends_with(b"[1C04EEC1]\n") {
                    seen.push(peer.read_u8().await.unwrap());
                }
            }
            terminate(signals).await;
        })
        .await;
    assert_eq!(ending, TERMINATED);
}

#[tokio::test]
async fn tcp_consoles_are_told_everything_and_one_leaves_without_the_others() {
    let port = free_port().await;
    // Enabling MC 30h is worth a line in the log that the original does not have.
    let open = "set_working_mc 0x30\nstartlan 1\npriv_limit admin\nallowed_auths_user none\nendlan\n\
                user 1 true \"\" \"\" user 10 none\n";
    let satellite = "mc_add 0x30 0 no-device-sdrs 1 1 0 0x9f 0 1";
    let missing = polled(1, 3_600_000, std::path::Path::new("/none/1"));
    let complaint = |number| {
        let problem = "No such file or directory, Unable to open sensor file";
        format!("Error getting sensor value (20,0,{number}): {problem}\n\r")
    };
    let mut bench = bench(&missing, Some(StandardInput::Stream)).configured(&configuration(0, open));
    bench.script.push_line(COMMAND_STRING, satellite.as_bytes());
    bench.plan.console = Some(SocketAddr::from(([127, 0, 0, 1], port)));
    let log = system_log(&mut bench.plan);
    let (shown, ending) = bench
        .run(async |_, _| {
            let (mut first, mut second) = (connect(port).await, connect(port).await);
            for client in [&mut first, &mut second] {
                let mut greeting = [0; 11];
                client.read_exact(&mut greeting).await.unwrap();
                assert_eq!(greeting[..9], GREETING);
                assert_eq!(&greeting[9..], b"> ");
            }
            first.write_all(b"noecho\r").await.unwrap();
            read_text(&mut first, "noecho\n\r> ").await;
            let again = polled(2, 3_600_000, std::path::Path::new("/none/2"));
            first.write_all(again.as_bytes()).await.unwrap();
            read_text(&mut first, &format!("> {}> ", complaint(2))).await;
            read_text(&mut second, &complaint(2)).await;
            // What the original does not say is for the logs alone.
            first.write_all(b"mc_enable 0x30\r").await.unwrap();
            read_text(&mut first, "> ").await;
            assert!(log.entries().contains("lets user 1 in without a password"));
            second.write_all(b"\x04").await.unwrap();
            read_text(&mut second, "\n\r").await;
            assert_eq!(second.read(&mut [0; 8]).await.unwrap(), 0);
            first.write_all(b"quit\r").await.unwrap();
            assert_eq!(first.read(&mut [0; 8]).await.unwrap(), 0);
        })
        .await;
    assert_eq!(ending, Ending::Status(0));
    assert_eq!(shown, format!("{}{}> {}", missing.replace('\n', "\n\r"), complaint(1), complaint(2)));
}

#[tokio::test]
async fn a_console_that_everybody_reaches_is_warned_of() {
    for (address, warned) in [([0, 0, 0, 0], true), ([127, 0, 0, 1], false)] {
        let mut bench = bench("quit\n", Some(StandardInput::Stream));
        bench.plan.console = Some(SocketAddr::from((address, free_port().await)));
        let log = system_log(&mut bench.plan);
        let (shown, _) = bench.run_alone().await;
        assert!(!shown.contains("password"), "{shown}");
        let logged = log.entries();
        assert_eq!(
            logged.contains("asks for no password: anyone who can reach it controls the system"),
            warned,
            "{logged}"
        );
    }
}

#[test]
fn what_is_logged_cannot_move_the_cursor_of_its_reader() {
    assert_eq!(printable("plain \u{e9}\n\ttext"), "plain \u{e9}\n\ttext");
    assert_eq!(printable("a\x1b[2J\r\u{9b}b\0\x07"), "a\\u{1b}[2J\\r\\u{9b}b\\u{0}\\u{7}");
}

#[tokio::test]
async fn a_console_port_that_is_taken_ends_the_program() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut bench = bench("help noecho\n", None);
    bench.plan.console = Some(taken.local_addr().unwrap());
    assert_eq!(bench.run_alone().await.1, Ending::Status(1));
}

#[tokio::test]
async fn without_a_console_lines_end_in_lf_alone_and_with_one_the_prompt_comes_last() {
    for (standard, shown_then) in [
        (None, "Opened UDP port P\nready\n"),
        (Some(StandardInput::Stream), "mc_enable 0x20\n\rOpened UDP port P\n\rready\n\r> "),
    ] {
        let port = UdpSocket::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
        let mut bench = bench("mc_enable 0x20\n", standard).configured(&configuration(port, ""));
        bench.plan.ready_line = Some("ready".into());
        let Driven { mut driver, keyboard, mut screen, .. } = bench.driven();
        while !driver.starts.is_empty() {
            driver.execute();
        }
        driver.finish(Ending::Status(0)).await;
        let mut shown = String::new();
        screen.read_to_string(&mut shown).unwrap();
        drop(keyboard);
        assert_eq!(shown.replace(&port.to_string(), "P"), shown_then);
    }
}

/// A program at the console may read all there is, and look for the prompt only where a read begins.
#[tokio::test]
async fn the_prompt_is_written_by_itself() {
    let (ours, theirs) = std::os::unix::net::UnixDatagram::pair().unwrap();
    let mut bench = bench("help noecho\n", Some(StandardInput::Stream)).typed("help define\nquit\n");
    bench.plan.streams.output = ours.into();
    assert_eq!(bench.run_alone().await.1, Ending::Status(0));
    theirs.set_nonblocking(true).unwrap();
    let mut writes = Vec::new();
    let mut buffer = [0; 2000];
    while let Ok(length) = theirs.recv(&mut buffer) {
        writes.push(String::from_utf8(buffer[..length].to_vec()).unwrap());
    }
    let (noecho, define) = (told("noecho"), told("define"));
    assert_eq!(writes.concat(), format!("help noecho\n\r{noecho}> help define\n{define}> quit\n"));
    assert_eq!(writes.iter().filter(|write| *write == "> ").count(), 2, "{writes:?}");
}

#[tokio::test]
async fn without_standard_console_only_the_ready_line_is_shown() {
    let (shown, ending) = bench("help noecho\nbogus\nquit\n", None).typed("help define\n").run_alone().await;
    assert_eq!((shown.as_str(), ending), ("", Ending::Status(0)));
}

#[tokio::test]
async fn the_configuration_is_read_again_beside_everything_else() {
    let mut bench = bench("mc_enable 0x20\n", Some(StandardInput::Stream));
    let (gate, begun) = (Gate::default(), Arc::new(tokio::sync::Notify::new()));
    let (opened, tell) = (gate.clone(), Arc::clone(&begun));
    bench.reader = Arc::new(move || {
        tell.notify_one();
        opened.pass();
        let config = parsed(&configuration(0, "poweroff_wait 7\n"));
        let warnings = vec!["lan.conf:1:1: warning: odd\n  | the line".into()];
        Ok(Fresh { config, files: BTreeMap::new(), warnings })
    });
    let log = system_log(&mut bench.plan);
    let (_, ending) = bench
        .run(async |screen, signals| {
            let port = lan_port(screen).await;
            wait_for(screen, |seen| seen.ends_with("> ")).await;
            signals.send(Signal::SIGHUP).await.unwrap();
            begun.notified().await;
            // While it is being read, datagrams are answered.
            ping(&client(port).await, 1).await;
            gate.open();
            let mut logged = String::new();
            while !logged.contains("poweroff_wait of MC 0x20") {
                logged += &log.entries();
                tokio::task::yield_now().await;
            }
            assert!(logged.contains("lan.conf:1:1: warning: odd") && !logged.contains("the line"), "{logged}");
            terminate(signals).await;
        })
        .await;
    assert_eq!(ending, TERMINATED);
}

/// Of files that are being written while they are read, what is written counts.
#[tokio::test]
async fn what_is_written_during_a_reload_is_not_read_from_the_disk() {
    let gate = Gate::default();
    let mut bench = bench(&format!("{SAVE}\n"), None).kept(gate.writer());
    bench.reader = Arc::new(move || {
        Ok(Fresh { config: parsed(&configuration(0, "")), files: BTreeMap::new(), warnings: Vec::new() })
    });
    let mut driver = bench.driven().driver;
    while !driver.starts.is_empty() {
        driver.execute();
    }
    // Before it begins, and while it is under way.
    driver.begin_reload();
    driver.effect(FIRST, Effect::Run(Work::Save { job: SaveJob(1000), name: "sol.mc20".into(), content: Vec::new() }));
    let (id, read) = driver.reloads.recv().await.unwrap();
    assert_eq!(id, FIRST);
    let reload = driver.systems.get(FIRST).unwrap().reload.as_ref().unwrap();
    assert!(reload.is_outdated("sel.20") && reload.is_outdated("sol.mc20") && !reload.is_outdated("users.mc20"));
    driver.reloaded(FIRST, read);
    assert!(driver.systems.get(FIRST).unwrap().reload.is_none());
    gate.open();
    driver.finish(Ending::Status(0)).await;
}

/// How many systems the test of many has.
const MANY: usize = 300;

/// The address of one of many systems.
fn address(index: usize) -> std::net::Ipv4Addr {
    let [_, _, high, low] = (index as u32 + 1).to_be_bytes();
    [127, 77, high, low].into()
}

/// Asks a system for its authentication capabilities, as soon as its port is open.
async fn ask(index: usize, port: u16) {
    let client = client_of(index, port).await;
    let mut response = [0; 64];
    let answered = async {
        loop {
            client.send(&outside::request15(0x06, 0x38, &[0x0e, 0x04])).await.unwrap();
            match tokio::time::timeout(Duration::from_millis(200), client.recv(&mut response)).await {
                // It is not there yet.
                Err(_) => {}
                Ok(Err(error)) if error.kind() == std::io::ErrorKind::ConnectionRefused => {}
                Ok(received) => return received.unwrap(),
            }
        }
    };
    let length = tokio::time::timeout(Duration::from_secs(20), answered).await.unwrap();
    let message = outside::open(&response[..length]).unwrap();
    assert_eq!((message.cmd, message.data[0]), (0x38, 0), "system {index}");
}

async fn client_of(index: usize, port: u16) -> UdpSocket {
    let client = UdpSocket::bind((address(index), 0)).await.unwrap();
    client.connect((address(index), port)).await.unwrap();
    client
}

/// Each has an address of its own. What one waits for, and what another is flooded with, the others do not notice;
/// at the end all of them are safe on the disk.
#[tokio::test]
async fn many_systems_are_served_by_one_loop() {
    let port = std::net::UdpSocket::bind((address(0), 0)).unwrap().local_addr().unwrap().port();
    let (gate, written) = (Gate::default(), Arc::new(Mutex::new(BTreeSet::new())));
    let mut systems = Vec::new();
    let mut rest = None;
    for index in 0..MANY {
        let text = configuration(port, "").replace("127.0.0.1", &address(index).to_string());
        let (gate, written) = (gate.clone(), Arc::clone(&written));
        let bench = bench(&format!("{SAVE}\nmc_enable 0x20\n"), None).configured(&text).kept(move |name, _| {
            if name == "sel.20" {
                if index == 0 {
                    gate.pass();
                }
                written.lock().unwrap().insert(index);
            }
        });
        let (system, plan, keyboard, screen) = bench.planned();
        systems.push(system);
        rest.get_or_insert((plan, keyboard, screen));
    }
    let (mut plan, _keyboard, mut screen) = rest.unwrap();
    plan.ready_line = Some("ready".into());
    let (mut driver, signals) = driver(systems, plan);
    let user = async {
        wait_for(&mut screen, |seen| seen.ends_with("ready\n")).await;
        // The state of the first is not written yet.
        let flooded = client_of(1, port).await;
        for index in 0..MANY {
            for tag in 0..10 {
                flooded.send(&presence::ping(tag)).await.unwrap();
            }
            ask(index, port).await;
        }
        assert!(!written.lock().unwrap().contains(&0));
        terminate(&signals).await;
        gate.open();
    };
    let driven = async {
        let ending = driver.drive().await;
        driver.finish(ending).await
    };
    let (ending, ()) = tokio::join!(driven, user);
    assert_eq!(ending, TERMINATED);
    assert!(written.lock().unwrap().iter().copied().eq(0..MANY));
}

/// Only the system whose time has come is called, and each is read again by itself.
#[tokio::test]
async fn systems_are_read_again_each_by_itself() {
    let mut systems = Vec::new();
    let mut rest = None;
    for (index, name) in ["one", "two"].into_iter().enumerate() {
        let more = format!("startcmd \"{name}\"\n");
        let mut bench = bench("mc_enable 0x20\n", None);
        bench.reader = Arc::new(move || match index {
            0 => Err(vec!["one.conf:1:1: error: odd".into()]),
            _ => Ok(Fresh { config: parsed(&configuration(0, &more)), ..Fresh::default() }),
        });
        let (system, plan, keyboard, screen) = bench.planned();
        systems.push(system);
        rest.get_or_insert((plan, keyboard, screen));
    }
    let (mut plan, _keyboard, mut screen) = rest.unwrap();
    plan.ready_line = Some("ready".into());
    let log = system_log(&mut plan);
    let (mut driver, signals) = driver(systems, plan);
    let user = async {
        wait_for(&mut screen, |seen| seen.ends_with("ready\n")).await;
        signals.send(Signal::SIGHUP).await.unwrap();
        let mut logged = String::new();
        while !(logged.contains("one.conf:1:1: error: odd") && logged.contains("startcmd of MC 0x20")) {
            logged += &log.entries();
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        terminate(&signals).await;
    };
    let (ending, ()) = tokio::join!(driver.drive(), user);
    assert_eq!(ending, TERMINATED);
}

/// A system of a fleet, and what it shares with the others.
fn member(index: usize, port: u16, commands: &str) -> (SystemPlan, Plan, PipeReader) {
    let text = configuration(port, "").replace("127.0.0.1", &address(index).to_string());
    let (mut system, mut plan, _, screen) = bench(commands, None).configured(&text).planned();
    system.announcement.name = format!("bmc{index}").into();
    plan.scope = Scope::Fleet;
    (system, plan, screen)
}

fn free_udp_port() -> u16 {
    std::net::UdpSocket::bind((address(0), 0)).unwrap().local_addr().unwrap().port()
}

/// Whether a system does not answer, while the first does.
async fn is_silent(index: usize, port: u16) -> bool {
    let client = client_of(index, port).await;
    client.send(&presence::ping(1)).await.unwrap();
    ask(0, port).await;
    client.try_recv(&mut [0; 64]).is_err()
}

/// One that cannot be served is told by its name and is gone; the others run.
#[tokio::test]
async fn of_a_fleet_those_that_fail_are_removed() {
    for (failures, ends) in [(Failures::Reported, false), (Failures::Fatal, true)] {
        let port = free_udp_port();
        let (one, mut plan, mut screen) = member(0, port, "mc_enable 0x20\n");
        let (mut two, ..) = member(0, port, "mc_enable 0x20\n");
        two.announcement.name = "bmc1".into();
        let (three, ..) = member(2, port, "mc_enable 0x20\n");
        let log = system_log(&mut plan);
        plan.failures = failures;
        plan.ready_line = Some("ready".into());
        let (mut driver, signals) = driver(vec![one, two, three], plan);
        let user = async {
            if !ends {
                wait_for(&mut screen, |seen| seen.ends_with("ready\n")).await;
                ask(2, port).await;
                ask(0, port).await;
                terminate(&signals).await;
            }
        };
        let (ending, ()) = tokio::join!(driver.drive(), user);
        assert_eq!(ending, if ends { Ending::Status(1) } else { TERMINATED });
        assert_eq!(driver.systems.iter().count(), if ends { 3 } else { 2 });
        let logged = log.entries();
        let why = format!("bmc1: Unable to bind to LAN port: {}:{port} is that of bmc0 (LAN channel 1", address(0));
        assert!(logged.contains(&why), "{logged}");
    }
}

/// A port that another program has is told once, with how many cannot be served for that.
#[tokio::test]
async fn a_port_that_no_bmc_of_a_fleet_can_have_is_told_once() {
    // All addresses, or one that is none of theirs and only keeps them from sharing a socket.
    for (taken, failed) in [("0.0.0.0".into(), 3), (address(7).to_string(), 2)] {
        let other = std::net::UdpSocket::bind((taken, 0)).unwrap();
        let port = other.local_addr().unwrap().port();
        let (mut systems, mut rest) = (Vec::new(), Vec::new());
        for index in 0..3 {
            let (system, plan, screen) = member(index, port, "mc_enable 0x20\n");
            systems.push(system);
            rest.push((plan, screen));
        }
        let (mut plan, mut screen) = rest.swap_remove(0);
        let log = system_log(&mut plan);
        plan.ready_line = Some("ready".into());
        let (mut driver, signals) = driver(systems, plan);
        let user = async {
            if failed < 3 {
                wait_for(&mut screen, |seen| seen.ends_with("ready of 1 is ready\n")).await;
                terminate(&signals).await;
            }
        };
        let (ending, ()) = tokio::join!(driver.drive(), user);
        assert_eq!(ending, if failed == 3 { Ending::Status(1) } else { TERMINATED });
        let logged = log.entries();
        let told: Vec<&str> = logged.lines().filter(|line| line.contains("Unable to bind to LAN port")).collect();
        let [told] = told[..] else { panic!("{logged}") };
        let why = match failed {
            3 => format!(
                "bmc0 and 2 other BMCs: Unable to bind to LAN port: Address already in use: {} port {port}",
                address(0)
            ),
            _ => "bmc1 and another BMC: Unable to bind to LAN port: Address already in use: * (every".into(),
        };
        assert!(told.contains(&why), "{told}");
    }
}

#[tokio::test]
async fn a_fleet_of_which_none_can_be_served_ends() {
    let (mut system, plan, _screen) = member(0, free_udp_port(), "");
    system.script = Script::default();
    let (mut driver, _signals) = driver(vec![system], plan);
    assert_eq!(driver.drive().await, Ending::Status(1));
}

/// Makes no BMC at run time.
struct Nothing;

impl Create for Nothing {
    fn check(&self, _: &str, _: &Recipe) -> Result<(), Unmade> {
        Err(Unmade::NoFleet)
    }

    fn create(&self, _: &str, _: &Recipe) -> Result<SystemPlan, Unmade> {
        Err(Unmade::NoFleet)
    }

    fn remember(&self, _: &str) -> Option<Again> {
        None
    }
}

/// A datagram that comes while BMCs are added and start is not answered after the last of them.
#[tokio::test]
async fn nobody_waits_until_all_new_bmcs_have_started() {
    let port = free_udp_port();
    let (one, mut plan, _screen) = member(0, port, "mc_enable 0x20\n");
    let log = system_log(&mut plan);
    let reader: fleet::FleetReader = Arc::new(|_| Err(Vec::new()));
    plan.fleet = Some(FleetPlan { announcement: Announcement::default(), reader, creator: Arc::new(Nothing) });
    // Two, so that they share a socket already.
    let (mut driver, signals) = driver(vec![one, member(1, port, "mc_enable 0x20\n").0], plan);
    driver.begin();
    until(&mut driver, &signals, ask(1, port)).await;
    let commands = |index| if index == 20 { "mc_enable 0x20\nbogus\n" } else { "mc_enable 0x20\n" };
    let new = (2..=20).map(|index| member(index, port, commands(index)).0).collect();
    driver.fleet_read(Ok(fleet::Difference { new, ..Default::default() }));
    let client = client_of(0, port).await;
    client.send(&presence::ping(1)).await.unwrap();
    let mut logged = String::new();
    until(&mut driver, &signals, async {
        pong(&client, 1).await;
        logged = log.entries();
        assert!(!logged.contains("bogus"), "all have started first: {logged}");
    })
    .await;
    until(&mut driver, &signals, ask(20, port)).await;
    logged += &log.entries();
    assert!(logged.contains("SIGHUP: the fleet was read again: 19 new, 0 gone, 0 changed"), "{logged}");
    assert!(logged.contains("bogus"), "{logged}");
}

/// They begin and end while the others run; what is to be written of one that goes is written, and what comes late is
/// for nobody.
#[tokio::test]
async fn systems_come_and_go() {
    let port = free_udp_port();
    let (gate, written) = (Gate::default(), Arc::new(Mutex::new(false)));
    let (one, plan, _screen) = member(0, port, "mc_enable 0x20\n");
    let text = configuration(port, "").replace("127.0.0.1", &address(1).to_string());
    let (opened, noted) = (gate.clone(), Arc::clone(&written));
    let bench = bench(&format!("{SAVE}\nmc_enable 0x20\n"), None).configured(&text).kept(move |name, _| {
        if name == "sel.20" {
            opened.pass();
            *noted.lock().unwrap() = true;
        }
    });
    let (mut driver, signals) = driver(vec![one], plan);
    driver.begin();
    until(&mut driver, &signals, ask(0, port)).await;
    let second = driver.add(bench.planned().0);
    until(&mut driver, &signals, ask(1, port)).await;
    driver.remove(second);
    driver.remove(second);
    until(&mut driver, &signals, async { assert!(is_silent(1, port).await, "its port is closed") }).await;
    assert_eq!(driver.systems.iter().count(), 2, "something is being written");
    let late = HostEvent::Input(Input::ProcessStarted(crate::ipmi::McAddress::BMC, None));
    driver.host_event(second, late);
    gate.open();
    let (third, ..) = member(1, port, "mc_enable 0x20\n");
    let third = driver.add(third);
    until(&mut driver, &signals, ask(1, port)).await;
    while driver.systems.iter().count() > 2 {
        let (id, event) = driver.host_events.recv().await.unwrap();
        driver.host_event(id, event);
    }
    assert!(*written.lock().unwrap());
    let (fourth, ..) = member(2, port, "mc_enable 0x20\n");
    let fourth = driver.add(fourth);
    assert_eq!((fourth.index, fourth.generation), (second.index, 1), "the place is used again");
    assert!(driver.systems.get(second).is_none() && driver.systems.get(third).is_some());
    until(&mut driver, &signals, ask(2, port)).await;
    driver.finish(TERMINATED).await;
}
