//! The loop around a system that does what the statements of this test say.

use super::*;
use crate::config::command::Statement;
use crate::config::{Diagnostic, Severity};
use crate::ipmi::{McAddress, Moment};
use crate::runtime::console::GREETING;
use crate::runtime::statement::StatementOutcome;
use crate::settings::model::Config;
use crate::sim::{Change, Login, ProgramJob, Reach, SaveJob, WorkDone};
use crate::state::StoredFile;
use std::io::{PipeReader, PipeWriter, Read, Write};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};

const LAN: LanId = LanId { mc: McAddress::BMC, channel: 1 };
const SERIAL: SerialId = SerialId { mc: McAddress::BMC, channel: 15 };

/// What happened to the system, in order.
type Diary = Arc<Mutex<Vec<String>>>;

#[derive(Default)]
struct Fake {
    diary: Diary,
    deadline: Option<Moment>,
    jobs: u64,
}

impl Fake {
    fn note(&self, text: impl Into<String>) {
        self.diary.lock().unwrap().push(text.into());
    }

    fn job(&mut self) -> u64 {
        self.jobs += 1;
        self.jobs
    }
}

fn local(port: &str) -> Address {
    Address {
        host: "127.0.0.1".into(),
        port: Port::Number(port.parse().unwrap()),
        span: Span::default(),
        other_family: None,
    }
}

impl System for Fake {
    fn statement(
        &mut self,
        now: Moment,
        console: Option<ConsoleId>,
        statement: &Statement,
        out: &mut Effects,
    ) -> StatementOutcome {
        let line = statement.lines.last().unwrap().1.clone();
        let (word, rest) = line.split_once(' ').unwrap_or((&line, ""));
        let text = rest.to_string();
        match word {
            "lan" => out.list.push(Effect::OpenLan { lan: LAN, address: local(rest) }),
            "serial" => out.list.push(Effect::OpenSerial { serial: SERIAL, address: local(rest), connect: false }),
            "run" => {
                let job = ProgramJob(self.job());
                out.list.push(Effect::Run(Work::Program { job, line: text, lane: McAddress::BMC }));
            }
            "ring" => self.deadline = Some(now + Duration::from_millis(5)),
            "save" => {
                let job = SaveJob(self.job());
                out.list.push(Effect::Run(Work::Save { job, name: text, content: b"content".to_vec() }));
            }
            "vm" => out.list.push(Effect::StartProcess { mc: McAddress::BMC, command: text }),
            "kill" => out.list.push(Effect::SignalProcess { mc: McAddress::BMC, kill: true }),
            "print" => out.list.push(Effect::Print { console, text: format!("{text}\n") }),
            "tell" => out.list.push(Effect::ConsoleLog { level: LogLevel::Info, text }),
            "log" => out.list.push(Effect::Log { level: LogLevel::Info, text }),
            "exit" => out.list.push(Effect::Exit(rest.parse().unwrap())),
            "sleep" => return StatementOutcome::Sleep(rest.parse().unwrap()),
            "include" => return StatementOutcome::Include(text),
            "noecho" => return StatementOutcome::NoEcho,
            "quit" => return StatementOutcome::Quit,
            "" => return StatementOutcome::Done,
            word if word.starts_with('#') => return StatementOutcome::Done,
            word => {
                let span = Span { line: statement.lines[0].0, column: 1, length: 1 };
                return StatementOutcome::Failed(Diagnostic {
                    severity: Severity::Error,
                    file: statement.file.clone(),
                    span,
                    message: format!("Unknown command: {word}"),
                    source_line: line.clone(),
                });
            }
        }
        self.note(line);
        StatementOutcome::Done
    }

    fn handle(&mut self, now: Moment, input: Input<'_>, out: &mut Effects) {
        match input {
            Input::Begin => self.note("begin"),
            Input::Started => {
                self.note("started");
                if self.diary.lock().unwrap().iter().any(|line| line == "print no bmc") {
                    out.list.push(Effect::NoBmc("no BMC".into()));
                }
            }
            Input::LanOpened(_, local, _) => self.note(format!("lan opened {}", local.ip())),
            Input::LanStays(_, address) => {
                self.note(format!("lan stays {}", address.and_then(|address| address.literal()).unwrap().ip()));
            }
            Input::Reload { config, files } => {
                self.note(format!("reload {} {:?} but {:?}", config.name, files.files.keys(), files.outdated));
                let change = Change { reach: Reach::Now, text: "something changed".into() };
                out.list.push(Effect::Reloaded(vec![change]));
            }
            Input::Datagram { bytes, .. } if *bytes == *b"stop" => out.list.push(Effect::Exit(3)),
            Input::Datagram { lan, from, bytes } => {
                bytes.reverse();
                let start = out.bytes.len();
                out.bytes.extend_from_slice(bytes);
                out.list.push(Effect::Send { lan, to: from, start, end: out.bytes.len() });
            }
            Input::IpmbData(ipmb, bytes) => {
                self.note(format!("ipmb {}: {bytes:?}", ipmb.channel));
                out.list.push(Effect::Ipmb { ipmb, bytes: bytes.to_vec() });
            }
            Input::SerialConnected(serial) => {
                out.list.push(Effect::Serial { serial, bytes: b"hello".to_vec() });
            }
            Input::SerialDisconnected(_) => {
                self.note("serial gone");
                out.list.push(Effect::Exit(8));
            }
            Input::SerialData(serial, bytes) => out.list.push(Effect::Serial { serial, bytes: bytes.to_vec() }),
            Input::WorkDone(done) => {
                let job = done.number();
                let what = match done {
                    WorkDone::Program(_, ended) => String::from_utf8(ended.output).unwrap().trim().to_string(),
                    WorkDone::Saved(_, result) => format!("Saved({result:?})"),
                    other => format!("{other:?}"),
                };
                self.note(format!("job {job} {what}"));
            }
            Input::ProcessStarted(..) => self.note("vm started"),
            Input::ProcessExited(..) => {
                self.note("vm exited");
                out.list.push(Effect::Exit(7));
            }
            Input::Timeout => {
                assert!(self.deadline.take().unwrap() <= now);
                self.note("timeout");
                out.list.push(Effect::Exit(9));
            }
            _ => {}
        }
    }

    fn deadline(&self) -> Option<Moment> {
        self.deadline
    }

    fn logins(&mut self) -> Vec<Login> {
        Vec::new()
    }
}

/// A driver about to run: the plan, both ends of its terminal, and its diary.
struct Bench {
    plan: Plan,
    keyboard: Option<PipeWriter>,
    screen: PipeReader,
    diary: Diary,
}

fn bench(script: &str, standard: Option<StandardInput>) -> Bench {
    let (input, keyboard) = std::io::pipe().unwrap();
    let (screen, output) = std::io::pipe().unwrap();
    let mut plan = Plan {
        streams: Streams { input: input.into(), output: output.into() },
        standard,
        console: None,
        configuration: "lan.conf".into(),
        script: Script::default(),
        directories: Vec::new(),
        program_limit: Duration::from_secs(30),
        statement_limit: Duration::from_secs(30),
        state: None,
        failures: Failures::Reported,
        syslog: None,
        notes: Vec::new(),
        reader: Arc::new(|| Err(vec!["lan.conf:1:1: error: nothing".into()])),
        service: Service::default(),
        ready_line: None,
        announcement: Announcement::default(),
        capture: None,
    };
    plan.script.push_file("test.emu", script.as_bytes());
    Bench { plan, keyboard: Some(keyboard), screen, diary: Diary::default() }
}

impl Bench {
    /// Types something before it starts; the end of input follows.
    fn typed(mut self, text: &str) -> Self {
        self.keyboard.take().unwrap().write_all(text.as_bytes()).unwrap();
        self
    }

    /// Runs to the end beside `user`; what was shown, and how it ended.
    async fn run(self, user: impl AsyncFnOnce(&mut PipeReader)) -> (String, Ending, Vec<String>) {
        let Bench { plan, keyboard, mut screen, diary } = self;
        let fake = Fake { diary: Arc::clone(&diary), ..Fake::default() };
        let (ending, ()) = tokio::join!(run(Box::new(fake), plan), user(&mut screen));
        drop(keyboard);
        let mut shown = String::new();
        screen.read_to_string(&mut shown).unwrap();
        let diary = diary.lock().unwrap().clone();
        (shown, ending, diary)
    }

    async fn run_alone(self) -> (String, Ending, Vec<String>) {
        self.run(async |_| {}).await
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

#[tokio::test]
async fn a_dialogue_looks_like_the_originals() {
    let (shown, ending, _) = bench("# hello\nprint a\nbogus\n", Some(StandardInput::Stream))
        .typed("foo\rprint b\n\r\nquit\n")
        .run_alone()
        .await;
    assert_eq!(ending, Ending::Status(0));
    let start = "# hello\n\rprint a\n\ra\n\rbogus\n\r**Unknown command: bogus\n\r";
    let dialogue = "> foo\n**Unknown command: foo\n\r> print b\nb\n\r> \n> \n> quit\n";
    assert_eq!(shown, format!("{start}{dialogue}"));
}

#[tokio::test]
async fn the_end_of_input_ends_the_program_after_the_last_command() {
    let (shown, ending, diary) =
        bench("print a\n", Some(StandardInput::Stream)).typed("print c\nprint b").run_alone().await;
    assert_eq!(ending, Ending::Status(0));
    assert!(shown.ends_with("> print b"), "{shown:?}");
    assert_eq!(diary, ["begin", "print a", "started", "print c"]);
}

#[tokio::test]
async fn byte_4_ends_it_as_well_and_input_waits_for_a_sleeping_command() {
    let (shown, ending, diary) =
        bench("", Some(StandardInput::Stream)).typed("sleep 30\nprint b\n\x04print c\n").run_alone().await;
    assert_eq!(ending, Ending::Status(0));
    assert_eq!(shown, "> sleep 30\n> print b\nb\n\r> \n");
    assert_eq!(diary, ["begin", "started", "print b"]);
}

/// Whatever the statement waits for, the rest of an included file goes with it, and so does what was typed
/// before the key; what is typed after it is executed.
#[tokio::test]
async fn control_c_gives_up_waiting_for_a_persons_statement() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("slow.emu").display().to_string();
    std::fs::write(&file, "print first\nsleep 3600000\nprint never\n").unwrap();
    for (statement, shown_before, noted) in [
        ("sleep 3600000".to_owned(), "", None),
        ("run sleep 20".into(), "", Some("run sleep 20")),
        (format!("include {file}"), "print first\n\rfirst\n\rsleep 3600000\n\r", Some("print first")),
    ] {
        // All at once, and with the key pressed when it is being waited for.
        for early in [true, false] {
            let mut bench = bench("", Some(StandardInput::Terminal));
            let mut keyboard = bench.keyboard.take().unwrap();
            let line = format!("{statement}\r");
            keyboard.write_all(line.as_bytes()).unwrap();
            if early {
                keyboard.write_all(b"print before\r\x03print after\rquit\r").unwrap();
            }
            let begun = format!("> {statement}\n{shown_before}");
            let seen = begun.clone();
            let (shown, ending, diary) = bench
                .run(async |screen| {
                    if !early {
                        wait_for(screen, move |shown| shown == seen).await;
                        tokio::time::sleep(Duration::from_millis(20)).await;
                        keyboard.write_all(b"print before\r\x03").unwrap();
                        keyboard.write_all(b"print after\rquit\r").unwrap();
                    }
                })
                .await;
            assert_eq!(ending, Ending::Status(0));
            let rest = "^C\n> print after\nafter\n\r> quit\n";
            assert_eq!(shown, if early { format!("> {statement}\n{rest}") } else { rest.into() });
            // The key comes before the first statement of the file.
            let noted = noted.filter(|noted| !early || *noted == statement);
            let wanted: Vec<&str> = ["begin", "started"].into_iter().chain(noted).chain(["print after"]).collect();
            assert_eq!(diary, wanted);
        }
    }
}

/// What is typed meanwhile waits for its turn, as it always did.
#[tokio::test]
async fn a_person_may_type_ahead() {
    let bench = bench("", Some(StandardInput::Terminal)).typed("sleep 30\rprint a\rprint b\x08c\r");
    assert_eq!(bench.run_alone().await.0, "> sleep 30\n> print a\na\n\r> print b\x08 \x08c\nc\n\r> ");
}

#[tokio::test]
async fn datagrams_are_answered_while_the_command_file_sleeps() {
    let bench = bench("lan 0\nsleep 3600000\nprint never\n", None);
    let (shown, ending, diary) = bench
        .run(async |screen| {
            let port = lan_port(screen).await;
            let client = UdpSocket::bind("127.0.0.1:0").await.unwrap();
            client.connect(("127.0.0.1", port)).await.unwrap();
            for round in 0..100u8 {
                client.send(&[round, 2, 3]).await.unwrap();
                let mut answer = [0; 8];
                assert_eq!(client.recv(&mut answer).await.unwrap(), 3);
                assert_eq!(answer[..3], [3, 2, round]);
            }
            client.send(b"stop").await.unwrap();
        })
        .await;
    assert_eq!((shown.as_str(), ending), ("", Ending::Status(3)));
    assert_eq!(diary, ["begin", "lan 0", "lan opened 127.0.0.1"]);
}

#[tokio::test]
async fn a_burst_is_answered_completely_and_in_order() {
    let bench = bench("lan 0\n", Some(StandardInput::Stream));
    let mut keyboard = bench.keyboard.as_ref().unwrap().try_clone().unwrap();
    let (_, ending, _) = bench
        .run(async |screen| {
            let port = lan_port(screen).await;
            let client = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
            for number in 0..150u8 {
                client.send_to(&[0, number], ("127.0.0.1", port)).unwrap();
            }
            let client = UdpSocket::from_std({
                client.set_nonblocking(true).unwrap();
                client
            })
            .unwrap();
            for number in 0..150u8 {
                let mut answer = [0; 8];
                client.recv(&mut answer).await.unwrap();
                assert_eq!(answer[..2], [number, 0]);
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
    let (shown, ending, diary) = bench(&format!("lan {port}\nprint a\n"), None).run_alone().await;
    assert_eq!((shown.as_str(), ending), ("", Ending::Status(1)));
    assert_eq!(diary, ["begin", &format!("lan {port}")]);
    let free = std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let (shown, ending, diary) = bench(&format!("lan {free}\nlan {free}\nexit 0\n"), None).run_alone().await;
    assert_eq!((shown, ending), (format!("Opened UDP port {free}\n"), Ending::Status(0)));
    assert_eq!(diary.iter().filter(|line| *line == "lan opened 127.0.0.1").count(), 2);
}

#[tokio::test]
async fn a_failing_statement_is_left_out_unless_it_shall_be_fatal() {
    let (_, ending, diary) = bench("print a\nbogus\nprint b\nexit 4\n", None).run_alone().await;
    assert_eq!(ending, Ending::Status(4));
    assert_eq!(diary, ["begin", "print a", "print b", "exit 4"]);
    let mut strict = bench("print a\nbogus\nprint b\nexit 4\n", None);
    strict.plan.failures = Failures::Fatal;
    let (_, ending, diary) = strict.run_alone().await;
    assert_eq!(ending, Ending::Status(1));
    assert_eq!(diary, ["begin", "print a"]);
}

#[tokio::test]
async fn without_a_bmc_there_is_no_program() {
    let (shown, ending, _) = bench("print no bmc\n", Some(StandardInput::Stream)).run_alone().await;
    assert_eq!(ending, Ending::Status(1));
    assert!(!shown.contains("> "), "{shown:?}");
}

#[tokio::test]
async fn included_files_are_echoed_and_run_in_their_place() {
    let root = tempfile::tempdir().unwrap();
    let inner = root.path().join("inner.emu");
    std::fs::write(&inner, "print inner\n").unwrap();
    let mut bench = bench("include inner.emu\nprint outer\ninclude missing.emu\n", Some(StandardInput::Stream));
    bench.plan.directories = vec![root.path().into()];
    let (shown, ending, diary) = bench.typed("include inner.emu\nquit\n").run_alone().await;
    assert_eq!(ending, Ending::Status(0));
    assert_eq!(diary, ["begin", "print inner", "print outer", "started", "print inner"]);
    assert!(shown.contains("Could not read include file missing.emu: No such file or directory\n\r"), "{shown:?}");
    assert!(shown.ends_with("> include inner.emu\nprint inner\n\rinner\n\r> quit\n"), "{shown:?}");
}

#[tokio::test]
async fn state_is_written_before_the_end() {
    let written = Arc::new(Mutex::new(Vec::new()));
    let mut bench = bench("save sel.20\nquit\n", None);
    let log = Arc::clone(&written);
    bench.plan.state = Some(Arc::new(move |name, content| {
        // Slower than the way to the end.
        std::thread::sleep(Duration::from_millis(50));
        log.lock().unwrap().push((name.to_string(), content.to_vec()));
        Ok(())
    }));
    let (_, ending, diary) = bench.run_alone().await;
    assert_eq!(ending, Ending::Status(0));
    assert_eq!(*written.lock().unwrap(), [("sel.20".to_string(), b"content".to_vec())]);
    assert_eq!(diary.last().unwrap(), "job 1 Saved(Ok(()))");
}

#[tokio::test]
async fn a_timer_rings() {
    let (_, ending, diary) = bench("ring\n", None).run_alone().await;
    assert_eq!(ending, Ending::Status(9));
    assert_eq!(diary.last().unwrap(), "timeout");
}

#[tokio::test]
async fn the_next_statement_waits_for_a_statements_slow_work() {
    let (_, ending, diary) = bench("run echo hi\nprint a\nrun echo ho\n", Some(StandardInput::Stream))
        .typed("run echo one\nsave sel.20\nprint b\nquit\n")
        .run_alone()
        .await;
    assert_eq!(ending, Ending::Status(0));
    let start = ["begin", "run echo hi", "job 1 hi", "print a", "run echo ho", "job 2 ho", "started"];
    let typed = ["run echo one", "job 3 one", "save sel.20", "job 4 Saved(Ok(()))", "print b"];
    assert_eq!(diary, [&start[..], &typed[..]].concat());
}

#[tokio::test]
async fn a_command_file_does_not_wait_for_state_files() {
    let (go, wait) = std::sync::mpsc::channel();
    let wait = Mutex::new(wait);
    let mut bench = bench("save sel.20\nlan 0\nsleep 3600000\n", None);
    bench.plan.state = Some(Arc::new(move |_, _| {
        wait.lock().unwrap().recv().unwrap();
        Ok(())
    }));
    let (_, ending, diary) = bench
        .run(async |screen| {
            let port = lan_port(screen).await;
            UdpSocket::bind("127.0.0.1:0").await.unwrap().send_to(b"stop", ("127.0.0.1", port)).await.unwrap();
            go.send(()).unwrap();
        })
        .await;
    assert_eq!(ending, Ending::Status(3));
    assert_eq!(diary[..4], ["begin", "save sel.20", "lan 0", "lan opened 127.0.0.1"]);
}

#[tokio::test]
async fn slow_work_holds_up_statements_for_a_limited_time_and_nobody_else() {
    let mut limited = bench("run sleep 20\nprint after\nexit 4\n", None);
    limited.plan.statement_limit = Duration::from_millis(10);
    let (_, ending, diary) = limited.run_alone().await;
    assert_eq!(ending, Ending::Status(4));
    assert_eq!(diary, ["begin", "run sleep 20", "print after", "exit 4"]);

    let root = tempfile::tempdir().unwrap();
    let fifo = root.path().join("fifo");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let script = format!("lan 0\nrun cat '{}'\nprint after\nexit 4\n", fifo.display());
    let (_, ending, diary) = bench(&script, None)
        .run(async |screen| {
            let port = lan_port(screen).await;
            let client = UdpSocket::bind("127.0.0.1:0").await.unwrap();
            client.connect(("127.0.0.1", port)).await.unwrap();
            client.send(&[1, 2]).await.unwrap();
            let mut answer = [0; 2];
            client.recv(&mut answer).await.unwrap();
            assert_eq!(answer, [2, 1]);
            // The program gets its end of file.
            tokio::task::spawn_blocking(move || std::fs::write(fifo, "x")).await.unwrap().unwrap();
        })
        .await;
    assert_eq!(ending, Ending::Status(4));
    assert_eq!(diary[4..], ["job 1 x", "print after", "exit 4"]);
}

#[tokio::test]
async fn a_virtual_machine_is_started_once_and_its_end_is_noticed() {
    let (_, ending, diary) = bench("vm sleep 600\nvm sleep 600\nkill\n", None).run_alone().await;
    assert_eq!(ending, Ending::Status(7));
    assert_eq!(diary, ["begin", "vm sleep 600", "vm started", "vm sleep 600", "kill", "started", "vm exited"]);
}

#[tokio::test]
async fn a_serial_peer_talks_to_the_system() {
    let port = free_port().await;
    let (_, ending, diary) = bench(&format!("serial {port}\n"), None)
        .run(async |_| {
            let mut peer = connect(port).await;
            read_text(&mut peer, "hello").await;
            peer.write_all(b"echo").await.unwrap();
            read_text(&mut peer, "echo").await;
        })
        .await;
    assert_eq!(ending, Ending::Status(8));
    assert_eq!(diary.last().unwrap(), "serial gone");
}

#[tokio::test]
async fn tcp_consoles_are_told_everything_and_one_leaves_without_the_others() {
    let port = free_port().await;
    let mut bench = bench("tell early\nlog aside\n", Some(StandardInput::Stream));
    bench.plan.console = Some(SocketAddr::from(([127, 0, 0, 1], port)));
    let (shown, ending, _) = bench
        .run(async |_| {
            let (mut first, mut second) = (connect(port).await, connect(port).await);
            for client in [&mut first, &mut second] {
                let mut greeting = [0; 11];
                client.read_exact(&mut greeting).await.unwrap();
                assert_eq!(greeting[..9], GREETING);
                assert_eq!(&greeting[9..], b"> ");
            }
            first.write_all(b"noecho\r").await.unwrap();
            read_text(&mut first, "noecho\n\r> ").await;
            first.write_all(b"tell hi\r").await.unwrap();
            read_text(&mut first, "hi\n\r> ").await;
            read_text(&mut second, "hi\n\r").await;
            // What the original does not say is for the logs alone.
            first.write_all(b"log aside\r").await.unwrap();
            read_text(&mut first, "> ").await;
            second.write_all(b"\x04").await.unwrap();
            read_text(&mut second, "\n\r").await;
            assert_eq!(second.read(&mut [0; 8]).await.unwrap(), 0);
            first.write_all(b"quit\r").await.unwrap();
            assert_eq!(first.read(&mut [0; 8]).await.unwrap(), 0);
        })
        .await;
    assert_eq!(ending, Ending::Status(0));
    assert_eq!(shown, "tell early\n\rearly\n\rlog aside\n\r> hi\n\r");
}

#[tokio::test]
async fn a_console_that_everybody_reaches_is_warned_of() {
    for (address, warned) in [([0, 0, 0, 0], true), ([127, 0, 0, 1], false)] {
        let mut bench = bench("quit\n", Some(StandardInput::Stream));
        bench.plan.console = Some(SocketAddr::from((address, free_port().await)));
        let log = system_log(&mut bench.plan);
        let (shown, ..) = bench.run_alone().await;
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
    let mut bench = bench("print a\n", None);
    bench.plan.console = Some(taken.local_addr().unwrap());
    assert_eq!(bench.run_alone().await.1, Ending::Status(1));
}

#[tokio::test]
async fn without_a_console_lines_end_in_lf_alone_and_with_one_the_prompt_comes_last() {
    for (standard, shown_then) in [
        (None, "Opened UDP port P\nready\n"),
        (Some(StandardInput::Stream), "lan P\n\rOpened UDP port P\n\rready\n\r> "),
    ] {
        let port = UdpSocket::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port().to_string();
        let mut bench = bench(&format!("lan {port}\n"), standard);
        bench.plan.ready_line = Some("ready".into());
        let Bench { plan, keyboard, mut screen, diary } = bench;
        let mut driver = Box::new(Driver::new(Box::new(Fake { diary, ..Fake::default() }), plan).unwrap());
        while driver.start.is_some() {
            driver.execute();
        }
        driver.finish(Ending::Status(0)).await;
        let mut shown = String::new();
        screen.read_to_string(&mut shown).unwrap();
        drop(keyboard);
        assert_eq!(shown.replace(&port, "P"), shown_then);
    }
}

/// A program at the console may read all there is, and look for the prompt only where a read begins.
#[tokio::test]
async fn the_prompt_is_written_by_itself() {
    let (ours, theirs) = std::os::unix::net::UnixDatagram::pair().unwrap();
    let mut bench = bench("print a\n", Some(StandardInput::Stream)).typed("print b\nquit\n");
    bench.plan.streams.output = ours.into();
    let fake = Fake { diary: Arc::clone(&bench.diary), ..Fake::default() };
    assert_eq!(run(Box::new(fake), bench.plan).await, Ending::Status(0));
    theirs.set_nonblocking(true).unwrap();
    let mut writes = Vec::new();
    let mut buffer = [0; 2000];
    while let Ok(length) = theirs.recv(&mut buffer) {
        writes.push(String::from_utf8(buffer[..length].to_vec()).unwrap());
    }
    assert_eq!(writes.concat(), "print a\n\ra\n\r> print b\nb\n\r> quit\n");
    assert_eq!(writes.iter().filter(|write| *write == "> ").count(), 2, "{writes:?}");
}

#[tokio::test]
async fn without_standard_console_only_the_ready_line_is_shown() {
    let (shown, ending, _) = bench("print a\nlog b\nbogus\nexit 0\n", None).typed("print c\n").run_alone().await;
    assert_eq!((shown.as_str(), ending), ("", Ending::Status(0)));
}

#[tokio::test]
async fn the_configuration_is_read_again_beside_everything_else() {
    let mut bench = bench("lan 0\nsave sol.mc20\n", Some(StandardInput::Stream));
    // State that is not written before the end of this test.
    let (written, until) = std::sync::mpsc::channel::<()>();
    let until = Mutex::new(until);
    bench.plan.state = Some(Arc::new(move |_, _| {
        let _ = until.lock().unwrap().recv();
        Ok(())
    }));
    let (go, wait) = std::sync::mpsc::channel();
    let (wait, begun) = (Mutex::new(wait), Arc::new(tokio::sync::Notify::new()));
    let tell = Arc::clone(&begun);
    bench.plan.reader = Arc::new(move || {
        tell.notify_one();
        wait.lock().unwrap().recv().unwrap();
        let config = Config { name: "new".into(), ..Config::default() };
        let files = BTreeMap::from([("users.mc20".to_string(), StoredFile::default())]);
        Ok(Fresh { config, files, warnings: vec!["lan.conf:1:1: warning: odd\n  | the line".into()] })
    });
    let log = system_log(&mut bench.plan);
    let Bench { plan, mut keyboard, mut screen, diary } = bench;
    let mut driver = Driver::new(Box::new(Fake { diary: Arc::clone(&diary), ..Fake::default() }), plan).unwrap();
    // A real signal would reach the drivers of all tests.
    let (signals, receiver) = mpsc::channel(1);
    driver.signals = receiver;
    let user = async {
        let port = lan_port(&mut screen).await;
        wait_for(&mut screen, |seen| seen.ends_with("> ")).await;
        signals.send(Signal::SIGHUP).await.unwrap();
        begun.notified().await;
        // While it is being read, datagrams are answered.
        let client = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        client.connect(("127.0.0.1", port)).await.unwrap();
        client.send(&[1, 2]).await.unwrap();
        let mut answer = [0; 2];
        client.recv(&mut answer).await.unwrap();
        assert_eq!(answer, [2, 1]);
        keyboard.as_mut().unwrap().write_all(b"save sel.20\n").unwrap();
        while !diary.lock().unwrap().iter().any(|line| line == "save sel.20") {
            tokio::task::yield_now().await;
        }
        go.send(()).unwrap();
        let mut logged = String::new();
        while !logged.contains("something changed") {
            logged += &log.entries();
            tokio::task::yield_now().await;
        }
        assert!(logged.contains("lan.conf:1:1: warning: odd") && !logged.contains("the line"), "{logged}");
        client.send(b"stop").await.unwrap();
    };
    let (ending, ()) = tokio::join!(driver.drive(), user);
    assert_eq!(ending, Ending::Status(3));
    assert_eq!(diary.lock().unwrap().last().unwrap(), "reload new [\"users.mc20\"] but {\"sel.20\", \"sol.mc20\"}");
    drop((keyboard, written));
}
