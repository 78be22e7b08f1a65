//! Standard error: how a line of it looks, and whether the system log gets it as well.
//!
//! A line has a time, unless who reads it has one already: the journal of systemd, or a person
//! at the console. The journal is told the priority of each line (`sd-daemon(3)`).

use std::io::{IsTerminal, Write};
use std::os::fd::AsFd;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use clap::ValueEnum;
use log::{Level, LevelFilter};
use nix::poll::{PollFd, PollFlags, poll};
use nix::sys::stat::fstat;

use super::log_text::printable;
use super::options::Options;
use super::reports::{LIFE, SERVING};
use super::syslog::{Syslog, severity};
use super::terminal::{self, StandardInput};
use crate::bmc::LogLevel;
use crate::config::text::encode;
use crate::config::{Diagnostic, Severity};

/// Environment variable: device and inode of the journal's stream, in decimal, with a colon between
/// (`systemd.exec(5)`).
const JOURNAL_STREAM: &str = "JOURNAL_STREAM";

/// How lines are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Time, level and message.
    #[default]
    Text,
    /// One JSON object a line, with `time`, `level` and `message`.
    Json,
}

/// What is known of whoever reads standard error.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Style {
    format: Format,
    /// It is the journal.
    journal: bool,
    /// It is the terminal that the console is on.
    console: bool,
}

/// Made once by [`start`]; what is said before is plain text.
static STYLE: OnceLock<Style> = OnceLock::new();

fn style() -> Style {
    STYLE.get().copied().unwrap_or_default()
}

/// Starts the log. Beside a console on standard output it has warnings, and nothing where both are one
/// file: programs read that, and wait for what the original prints.
pub fn start(options: &Options) {
    let console = !options.nostdio && terminal::kind_of(std::io::stdin()) != StandardInput::Nothing;
    let style = Style {
        format: options.log_format,
        journal: is_journal(),
        console: console && std::io::stderr().is_terminal(),
    };
    let _ = STYLE.set(style);
    let level = match (options.debug, console) {
        (1.., _) => LevelFilter::Debug,
        (0, false) => LevelFilter::Info,
        (0, true) if is_standard_output() => LevelFilter::Off,
        (0, true) => LevelFilter::Warn,
    };
    let mut log = env_logger::Builder::new();
    if std::env::var_os("RUST_LOG").is_none() {
        // What the start has to say is no part of the log that the console shows.
        log.filter_level(level).filter_module(SERVING, level.max(LevelFilter::Info));
    }
    // What the library for serial ports tells of its system calls is of no use here.
    log.filter_module("mio_serial", level.min(LevelFilter::Warn));
    log.parse_default_env();
    log.format(move |out, record| {
        out.write_all(&encode(&lines(style, SystemTime::now(), record.level(), &record.args().to_string())))
    });
    log.target(env_logger::Target::Pipe(Box::new(StandardError)));
    log.init();
}

/// Standard error, for whoever reads it. Who starts a program with a pipe there and never looks must
/// not stop it: what finds no room in time is lost.
struct StandardError;

/// How long a reader may be busy.
const BUSY: u16 = 100;
/// Most bytes written at once: what a pipe that is ready for anything takes without waiting.
const AT_ONCE: usize = 512;
/// There was no room the last time, so there is no waiting for it.
static FULL: AtomicBool = AtomicBool::new(false);

impl Write for StandardError {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let mut stderr = std::io::stderr().lock();
        for piece in bytes.chunks(AT_ONCE) {
            let patience = if FULL.load(Ordering::Relaxed) { 0 } else { BUSY };
            let mut question = [PollFd::new(stderr.as_fd(), PollFlags::POLLOUT)];
            let full = matches!(poll(&mut question, patience), Ok(0));
            FULL.store(full, Ordering::Relaxed);
            if full || stderr.write_all(piece).is_err() {
                break;
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The system log, unless standard error is read by the same journal and gets everything.
pub fn system_log() -> Option<Syslog> {
    let told_already = style().journal && log::log_enabled!(target: LIFE, Level::Warn);
    (!told_already).then(Syslog::default)
}

/// Whether lines are more than their text.
pub fn is_formatted() -> bool {
    style().format == Format::Json || style().journal
}

/// Whether standard error and standard output are one.
fn is_standard_output() -> bool {
    match (fstat(std::io::stderr()), fstat(std::io::stdout())) {
        (Ok(one), Ok(other)) => (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino),
        _ => false,
    }
}

/// Whether standard error leads to the journal.
fn is_journal() -> bool {
    std::env::var(JOURNAL_STREAM).is_ok_and(|stream| is_stream(std::io::stderr(), &stream))
}

fn is_stream(descriptor: impl AsFd, stream: &str) -> bool {
    fstat(descriptor).is_ok_and(|status| stream == format!("{}:{}", status.st_dev, status.st_ino))
}

/// Says something on standard error whatever the log's level is. Standard error may be closed,
/// which is no reason to end.
pub fn complain(text: &str) {
    say(Level::Error, text);
}

/// The same of what keeps nobody from going on.
pub fn warn(text: &str) {
    say(Level::Warn, text);
}

fn say(level: Level, text: &str) {
    let (style, text) = (style(), &*printable(text));
    let line = match style.format {
        Format::Text if !style.journal => format!("{text}\n"),
        _ => lines(style, SystemTime::now(), level, text),
    };
    write(&line);
}

/// The same about the running program, with the time.
pub fn fatal(text: &str) {
    write(&lines(style(), SystemTime::now(), Level::Error, &printable(text)));
}

/// Says what was found in a file. The line of the file that it shows may hold a password, so that only
/// a screen or a file that the user chose shows it.
pub fn tell(diagnostic: &Diagnostic) {
    let style = style();
    let level = match diagnostic.severity {
        Severity::Error => Level::Error,
        Severity::Warning => Level::Warn,
    };
    let text = diagnostic.to_string();
    let text = printable(&text);
    let line = match style.format {
        Format::Text if !style.journal => format!("{text}\n"),
        _ => lines(style, SystemTime::now(), level, text.lines().next().unwrap_or_default()),
    };
    write(&line);
}

fn write(text: &str) {
    if cfg!(test) {
        // Captured by the test, as descriptor 2 is not.
        eprint!("{text}");
        return;
    }
    let _ = StandardError.write_all(&encode(text));
}

/// What `text` becomes on standard error.
fn lines(style: Style, now: SystemTime, level: Level, text: &str) -> String {
    let priority = match style.journal {
        true => format!("<{}>", severity(of(level))),
        false => String::new(),
    };
    let time = (!style.journal && !style.console).then(|| humantime::format_rfc3339_millis(now));
    match (style.format, time) {
        (Format::Json, time) => {
            let time = time.map(|time| format!("\"time\":\"{time}\",")).unwrap_or_default();
            let level = level.as_str().to_ascii_lowercase();
            format!("{priority}{{{time}\"level\":\"{level}\",\"message\":{}}}\n", json_string(text))
        }
        (Format::Text, Some(time)) => format!("{time} {level:5} {text}\n"),
        // Each line is an entry of the journal.
        (Format::Text, None) => text.lines().map(|line| format!("{priority}{line}\n")).collect(),
    }
}

fn of(level: Level) -> LogLevel {
    match level {
        Level::Error => LogLevel::Error,
        Level::Warn => LogLevel::Warning,
        Level::Info => LogLevel::Info,
        Level::Debug | Level::Trace => LogLevel::Debug,
    }
}

/// A string of JSON (RFC 8259 section 7).
fn json_string(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            // Line separators too: some readers take them for the end of a line.
            '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' => {
                out.push_str(&format!("\\u{:04x}", u32::from(character)));
            }
            other => out.push(other),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const PLAIN: Style = Style { format: Format::Text, journal: false, console: false };

    fn shown(style: Style, level: Level, text: &str) -> String {
        lines(style, SystemTime::UNIX_EPOCH + Duration::from_millis(1_764_436_614_007), level, text)
    }

    #[test]
    fn a_line_has_a_time_and_a_level_unless_its_reader_has_them() {
        assert_eq!(shown(PLAIN, Level::Info, "a"), "2025-11-29T17:16:54.007Z INFO  a\n");
        assert_eq!(shown(PLAIN, Level::Error, "a\nb"), "2025-11-29T17:16:54.007Z ERROR a\nb\n");
        assert_eq!(shown(Style { console: true, ..PLAIN }, Level::Warn, "a\nb"), "a\nb\n");
        let journal = Style { journal: true, ..PLAIN };
        for (level, priority) in [(Level::Error, 3), (Level::Warn, 4), (Level::Info, 5), (Level::Debug, 7)] {
            assert_eq!(shown(journal, level, "a\nb"), format!("<{priority}>a\n<{priority}>b\n"));
        }
    }

    #[test]
    fn json_is_one_object_a_line() {
        let json = Style { format: Format::Json, ..PLAIN };
        assert_eq!(
            shown(json, Level::Warn, "say \"a\\b\"\n\tto \u{1b}[2J \u{e4}\u{2028}\u{1f600}"),
            "{\"time\":\"2025-11-29T17:16:54.007Z\",\"level\":\"warn\",\
             \"message\":\"say \\\"a\\\\b\\\"\\n\\tto \\u001b[2J \u{e4}\\u2028\u{1f600}\"}\n"
        );
        let journal = Style { journal: true, ..json };
        assert_eq!(shown(journal, Level::Error, "a"), "<3>{\"level\":\"error\",\"message\":\"a\"}\n");
    }

    #[test]
    fn the_journal_is_known_by_device_and_inode() {
        let (read, write) = std::io::pipe().unwrap();
        let status = fstat(&write).unwrap();
        let own = format!("{}:{}", status.st_dev, status.st_ino);
        assert!(is_stream(&write, &own));
        for other in ["", ":", "0:0", &format!("{own}0"), &format!("{}:{}", status.st_ino, status.st_dev)] {
            assert!(!is_stream(&write, other), "{other}");
        }
        drop(read);
    }
}
