//! The console on a terminal: its modes, its dialogue, and that the terminal is given back.

mod support;

use std::io::Write;
use std::process::{Command, Stdio};

use nix::pty::{Winsize, openpty};
use nix::sys::signal::Signal;
use nix::sys::termios::{LocalFlags, tcgetattr};
use support::bench::free_port;
use support::config::{SMALL_EMU, small_lan_conf};
use support::process::{Captured, Guarded, eventually, signal, spawn, wait};
use support::simulator::{TIMEOUT, presence_ping};
use support::{Bench, Subject};

/// A person at the program, on a terminal of its own.
struct Terminal {
    child: Guarded,
    keyboard: std::fs::File,
    screen: Captured,
    far_end: std::os::fd::OwnedFd,
    bench: Bench,
    port: u16,
}

fn on_a_terminal(subject: Subject) -> Terminal {
    start(subject, &[], None)
}

/// With so many columns, if anybody knows.
fn start(subject: Subject, arguments: &[&str], columns: Option<u16>) -> Terminal {
    let (bench, port) = (Bench::new(), free_port());
    bench.write("lan.conf", small_lan_conf(port, ""));
    bench.write("sim.emu", SMALL_EMU);
    let size = columns.map(|columns| Winsize { ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 });
    let ends = openpty(size.as_ref(), None).expect("a pseudo terminal");
    let far_end = || Stdio::from(ends.slave.try_clone().expect("a handle"));
    let mut command = Command::new(subject.program());
    command.args(["-p", "-c", "lan.conf", "-f", "sim.emu"]).args(arguments).current_dir(bench.folder());
    command.env_remove("RUST_LOG").stdin(far_end()).stdout(far_end()).stderr(far_end());
    let child = spawn(&mut command, "openipmi");
    let screen = Captured::from(std::fs::File::from(ends.master.try_clone().expect("a handle")));
    Terminal { child, keyboard: ends.master.into(), screen, far_end: ends.slave, bench, port }
}

impl Terminal {
    #[track_caller]
    fn type_in(&mut self, bytes: &[u8], answer: &str) {
        self.keyboard.write_all(bytes).expect("a keyboard");
        assert!(self.screen.wait_for(answer, TIMEOUT), "no {answer:?}\n{}", self.screen.text());
    }

    /// The program ends well, and leaves the terminal as it was.
    #[track_caller]
    fn is_given_back(&mut self) {
        let status = wait(&mut self.child.0, TIMEOUT).expect("an end");
        assert_eq!(status.code(), Some(0));
        assert!(self.is_cooked());
    }

    fn is_cooked(&self) -> bool {
        let flags = tcgetattr(&self.far_end).expect("terminal settings").local_flags;
        flags.contains(LocalFlags::ECHO | LocalFlags::ICANON | LocalFlags::ISIG)
    }
}

#[test]
fn keys_are_bytes_and_the_terminal_is_given_back() {
    for subject in [Subject::Original, Subject::under_test()] {
        let mut terminal = on_a_terminal(subject);
        assert!(terminal.screen.wait_for("> ", TIMEOUT), "{}", terminal.screen.text());
        assert!(!terminal.is_cooked());
        terminal.type_in(b"dance\r", "> dance\r\n**Unknown command: dance\r\n\r> ");
        terminal.type_in(b"abc\x08\x7fd\n", "> abc\x08 \x08\x08 \x08d\r\n**Unknown command: ad\r\n\r> ");
        if matches!(subject, Subject::Original) {
            // An interrupt key is no interrupt.
            terminal.type_in(b"\x03\n", "> \x03\r\n**Unknown command: ");
        }
        terminal.type_in(b"\x04", "> \r\n");
        terminal.is_given_back();
    }
}

#[test]
fn quit_gives_the_terminal_back() {
    for subject in [Subject::Original, Subject::under_test()] {
        let mut terminal = on_a_terminal(subject);
        assert!(terminal.screen.wait_for("> ", TIMEOUT), "{}", terminal.screen.text());
        assert!(!terminal.is_cooked());
        terminal.type_in(b"quit\r", "> quit\r\n");
        terminal.is_given_back();
    }
}

/// The original leaves the terminal as it is, without echo.
#[test]
fn the_terminal_is_given_back_to_a_signal_as_well() {
    for which in [Signal::SIGTERM, Signal::SIGQUIT] {
        let mut terminal = on_a_terminal(Subject::under_test());
        assert!(terminal.screen.wait_for("> ", TIMEOUT), "{}", terminal.screen.text());
        assert!(!terminal.is_cooked());
        signal(terminal.child.0.id(), which);
        wait(&mut terminal.child.0, TIMEOUT).expect("an end");
        assert!(eventually(TIMEOUT, || terminal.is_cooked().then_some(())).is_some());
    }
}

#[test]
fn a_person_has_an_interrupt_key_a_history_and_completion() {
    let mut terminal = on_a_terminal(Subject::under_test());
    assert!(terminal.screen.wait_for("> ", TIMEOUT), "{}", terminal.screen.text());
    assert!(!terminal.screen.text().contains("mc_setbmc"), "{}", terminal.screen.text());
    terminal.type_in(b"abc\x03", "> abc^C\r\n> ");
    terminal.type_in(b"dance\r", "Unknown command: dance\r\n\r> ");
    terminal.type_in(b"x\r", "Unknown command: x\r\n\r> ");
    terminal.type_in(b"\x1b[A\x1b[A\x1b[D\x7f\r", "Unknown command: dane\r\n\r> ");
    terminal.type_in(b"mc_en\t", "> mc_enable ");
    terminal.type_in(b"\x03\x03", "Ctrl-C again");
    terminal.type_in(b"\x03", "> ^C\r\n");
    terminal.is_given_back();
}

#[test]
fn control_c_ends_the_wait_for_a_statement() {
    let mut terminal = on_a_terminal(Subject::under_test());
    assert!(terminal.screen.wait_for("> ", TIMEOUT), "{}", terminal.screen.text());
    terminal.bench.write("slow.emu", "sleep 3600000\nmc_disable 0x20\n");
    terminal.type_in(b"include \"slow.emu\"\r", "\nsleep 3600000\r\n\r");
    terminal.type_in(b"status\r\x03", "^C\r\n> ");
    // The rest of the file is not executed, and what is typed now is.
    terminal.type_in(b"dance\r", "> dance\r\n**Unknown command: dance\r\n\r> ");
    assert!(!terminal.screen.text().contains("mc_disable"), "{}", terminal.screen.text());
    assert!(presence_ping(terminal.port, TIMEOUT));
    terminal.type_in(b"quit\r", "> quit\r\n");
    terminal.is_given_back();
}

#[test]
fn a_line_longer_than_the_window_stays_in_its_row() {
    let mut terminal = start(Subject::under_test(), &[], Some(20));
    assert!(terminal.screen.wait_for("> ", TIMEOUT), "{}", terminal.screen.text());
    terminal.type_in(b"0123456789abcdefg", "> 0123456789abcdefg");
    let typed = terminal.screen.text().len();
    terminal.type_in(b"h", "<bcdefgh");
    let row = terminal.screen.text().split_off(typed);
    assert_eq!(row, format!("{}<bcdefgh{}{}", "\x08".repeat(17), " ".repeat(9), "\x08".repeat(9)));
    terminal.type_in(b"\r", "Unknown command: 0123456789abcdefgh\r\n");
    // The window is asked each time.
    let wide = rustix::termios::Winsize { ws_row: 24, ws_col: 40, ws_xpixel: 0, ws_ypixel: 0 };
    rustix::termios::tcsetwinsize(&terminal.far_end, wide).expect("another size");
    terminal.type_in(b"0123456789abcdefgh", "> 0123456789abcdefgh");
}

/// What the log or a reload says comes above the line being typed.
#[test]
fn what_is_typed_stays_behind_what_is_said_meanwhile() {
    let mut terminal = on_a_terminal(Subject::under_test());
    assert!(terminal.screen.wait_for("> ", TIMEOUT), "{}", terminal.screen.text());
    terminal.type_in(b"dancx\x1b[D", "> dancx\x08");
    let port = free_port();
    terminal.bench.write("lan.conf", small_lan_conf(port, ""));
    signal(terminal.child.0.id(), Signal::SIGHUP);
    let again = format!("\r{}\rOpened UDP port {port}\r\n\r> dancx\x08", " ".repeat(7));
    assert!(terminal.screen.wait_for(&again, TIMEOUT), "{:?}", terminal.screen.text());
    terminal.type_in(b"e\x1b[3~\r", "Unknown command: dance\r\n");
}

#[test]
fn debugging_shows_a_person_the_command_file() {
    let terminal = start(Subject::under_test(), &["-d"], None);
    assert!(terminal.screen.wait_for("mc_enable 0x20\r\n", TIMEOUT), "{}", terminal.screen.text());
}

/// Keys are keys wherever the output goes, and what goes there is what programs expect: the
/// command file first.
#[test]
fn the_output_of_a_terminal_may_be_a_pipe() {
    let (bench, port) = (Bench::new(), free_port());
    bench.write("lan.conf", small_lan_conf(port, ""));
    bench.write("sim.emu", SMALL_EMU);
    let ends = openpty(None, None).expect("a pseudo terminal");
    let mut command = Command::new(Subject::under_test().program());
    command.args(["-p", "-c", "lan.conf", "-f", "sim.emu"]).current_dir(bench.folder()).env_remove("RUST_LOG");
    command.stdin(Stdio::from(ends.slave.try_clone().expect("a handle")));
    command.stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = spawn(&mut command, "");
    let output = Captured::from(child.0.stdout.take().expect("its output"));
    assert!(output.wait_for(&format!("mc_enable 0x20\n\rOpened UDP port {port}\n\r> "), TIMEOUT), "{}", output.text());
    let mut keyboard = std::fs::File::from(ends.master);
    keyboard.write_all(b"sleep 3600000\r").expect("a keyboard");
    assert!(output.wait_for("> sleep 3600000\n", TIMEOUT), "{}", output.text());
    keyboard.write_all(b"\x03quix\x08t\r").expect("a keyboard");
    assert!(output.wait_for("^C\n> quix\x08 \x08t\n", TIMEOUT), "{}", output.text());
    assert_eq!(wait(&mut child.0, TIMEOUT).expect("an end").code(), Some(0));
    let flags = tcgetattr(&ends.slave).expect("terminal settings").local_flags;
    assert!(flags.contains(LocalFlags::ECHO | LocalFlags::ICANON | LocalFlags::ISIG));
}
