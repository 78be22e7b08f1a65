//! Real clients: ipmitool and the freeipmi tools, run as a user would run them.

use std::process::{Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::process::{self, Captured};

/// A client that has not ended by then is ended and the test fails.
pub const CLIENT_LIMIT: Duration = Duration::from_secs(30);

/// What a client did.
#[derive(Clone, Debug)]
pub struct Ran {
    /// The command line.
    pub command: String,
    /// How it ended; `None`: it had to be ended.
    pub status: Option<ExitStatus>,
    /// What it printed.
    pub stdout: String,
    /// What it complained about.
    pub stderr: String,
    /// How long it took.
    pub elapsed: Duration,
}

impl Ran {
    /// Runs a command to its end.
    pub fn run(command: &mut Command, debian_package: &str, limit: Duration) -> Self {
        let mut line = command.get_program().to_string_lossy().into_owned();
        for argument in command.get_args() {
            line.push(' ');
            line.push_str(&argument.to_string_lossy());
        }
        let started = Instant::now();
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = process::spawn(command, debian_package);
        let stdout = Captured::from(child.0.stdout.take().expect("stdout"));
        let stderr = Captured::from(child.0.stderr.take().expect("stderr"));
        let status = if stdout.wait_for_end(limit) {
            process::wait(&mut child.0, limit.saturating_sub(started.elapsed()))
        } else {
            None
        };
        let elapsed = started.elapsed();
        if status.is_none() {
            process::end(&mut child.0);
        } else {
            stderr.wait_for_end(Duration::from_secs(1));
        }
        let ran = Self { command: line, status, stdout: stdout.text(), stderr: stderr.text(), elapsed };
        assert!(ran.status.is_some(), "it took longer than {limit:?}: {}", ran.report());
        ran
    }

    /// Did it end with status 0?
    pub fn succeeded(&self) -> bool {
        self.status.is_some_and(|status| status.success())
    }

    /// Fails the test unless it ended with status 0.
    #[track_caller]
    pub fn assert_ok(&self) -> &Self {
        assert!(self.succeeded(), "{}", self.report());
        self
    }

    /// Fails the test when it ended with status 0.
    #[track_caller]
    pub fn assert_failed(&self) -> &Self {
        assert!(!self.succeeded(), "this should have been refused: {}", self.report());
        self
    }

    /// Fails the test unless `text` was printed (blanks compared loosely).
    #[track_caller]
    pub fn assert_says(&self, text: &str) -> &Self {
        assert!(squeeze(&self.all()).contains(&squeeze(text)), "`{text}` is missing: {}", self.report());
        self
    }

    /// Fails the test when `text` was printed (blanks compared loosely).
    #[track_caller]
    pub fn assert_not_says(&self, text: &str) -> &Self {
        assert!(!squeeze(&self.all()).contains(&squeeze(text)), "`{text}` should not be there: {}", self.report());
        self
    }

    /// The value behind `key :` in what was printed.
    #[track_caller]
    pub fn value(&self, key: &str) -> String {
        self.stdout
            .lines()
            .filter_map(|line| line.split_once(':'))
            .find(|(name, _)| name.trim() == key)
            .map_or_else(|| panic!("no `{key}`: {}", self.report()), |(_, value)| value.trim().to_owned())
    }

    /// Output and complaints together.
    pub fn all(&self) -> String {
        format!("{}\n{}", self.stdout, self.stderr)
    }

    /// Everything about it.
    pub fn report(&self) -> String {
        let ended = match self.status {
            Some(status) => status.to_string(),
            None => "ended by the test".to_owned(),
        };
        format!(
            "\n$ {}\n{ended} after {:?}\n--- stdout\n{}\n--- stderr\n{}\n---",
            self.command, self.elapsed, self.stdout, self.stderr
        )
    }
}

/// Runs of blanks become one blank, lines lose their blank ends.
fn squeeze(text: &str) -> String {
    text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect::<Vec<_>>().join("\n")
}

/// The way a client talks to the BMC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// IPMI 1.5, `-I lan`.
    Lan,
    /// IPMI 1.5 with an authentication type by its name (`NONE`, `MD2`, `MD5`, `PASSWORD`).
    LanAuth(&'static str),
    /// RMCP+, the suite chosen by the client, `-I lanplus`.
    Lanplus,
    /// RMCP+ with one cipher suite, `-I lanplus -C N`.
    Suite(u8),
}

/// How to reach and log in to a BMC.
#[derive(Clone, Debug)]
pub struct Ipmitool {
    /// Address, `127.0.0.1` unless changed.
    pub host: String,
    /// UDP port.
    pub port: u16,
    /// User name.
    pub user: String,
    /// Password.
    pub password: String,
    /// The way.
    pub transport: Transport,
    /// More options, before the command.
    pub options: Vec<String>,
}

impl Ipmitool {
    /// By RMCP+ with cipher suite 3, which works with every subject.
    pub fn new(port: u16, user: &str, password: &str) -> Self {
        Self {
            host: "127.0.0.1".to_owned(),
            port,
            user: user.to_owned(),
            password: password.to_owned(),
            transport: Transport::Suite(3),
            options: Vec::new(),
        }
    }

    /// The same another way.
    pub fn by(&self, transport: Transport) -> Self {
        Self { transport, ..self.clone() }
    }

    /// The same with one more option.
    pub fn with(&self, options: &[&str]) -> Self {
        let mut with = self.clone();
        with.options.extend(options.iter().map(|option| (*option).to_owned()));
        with
    }

    /// The command, ready to be run.
    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new("ipmitool");
        match self.transport {
            Transport::Lan => command.args(["-I", "lan"]),
            Transport::LanAuth(kind) => command.args(["-I", "lan", "-A", kind]),
            Transport::Lanplus => command.args(["-I", "lanplus"]),
            Transport::Suite(suite) => command.args(["-I", "lanplus", "-C", &suite.to_string()]),
        };
        command
            .args(["-H", &self.host, "-p", &self.port.to_string()])
            .args(["-U", &self.user, "-P", &self.password])
            .args(&self.options)
            .args(words)
            // Its output depends on these.
            .env("TZ", "UTC")
            .env("LC_ALL", "C");
        command
    }

    /// Runs `ipmitool ... WORDS`, the words separated by blanks.
    pub fn run(&self, words: &str) -> Ran {
        self.run_words(&words.split_whitespace().collect::<Vec<_>>())
    }

    /// Runs it with words that may hold blanks.
    pub fn run_words(&self, words: &[&str]) -> Ran {
        Ran::run(&mut self.command(words), "ipmitool", CLIENT_LIMIT)
    }

    /// Runs it and fails the test unless it succeeds.
    #[track_caller]
    pub fn ok(&self, words: &str) -> Ran {
        let ran = self.run(words);
        ran.assert_ok();
        ran
    }
}

/// The freeipmi tools, without any workaround option.
#[derive(Clone, Debug)]
pub struct Freeipmi {
    /// UDP port on the loopback.
    pub port: u16,
    /// User name.
    pub user: String,
    /// Password.
    pub password: String,
    /// `LAN` or `LAN_2_0`.
    pub driver: &'static str,
    /// Options such as `-I 17`.
    pub options: Vec<String>,
    /// What the tools remember of the SDR repository, private to the test.
    cache: Arc<tempfile::TempDir>,
}

impl Freeipmi {
    /// By IPMI 1.5 (`LAN`) or RMCP+ (`LAN_2_0`).
    pub fn new(port: u16, user: &str, password: &str, driver: &'static str) -> Self {
        Self {
            port,
            user: user.to_owned(),
            password: password.to_owned(),
            driver,
            options: Vec::new(),
            cache: Arc::new(tempfile::tempdir().expect("a temporary folder")),
        }
    }

    /// The same with more options.
    pub fn with(&self, options: &[&str]) -> Self {
        let mut with = self.clone();
        with.options.extend(options.iter().map(|option| (*option).to_owned()));
        with
    }

    /// The command, ready to be run.
    pub fn command(&self, tool: &str, words: &[&str]) -> Command {
        let mut command = Command::new(freeipmi_path(tool));
        command.args(["-h", &format!("127.0.0.1:{}", self.port)]).args(["-u", &self.user, "-p", &self.password]);
        // ipmiconsole speaks RMCP+ only and does not know the option.
        if tool != "ipmiconsole" {
            command.args(["-D", self.driver]);
        }
        if matches!(tool, "ipmi-sensors" | "ipmi-sel" | "ipmi-fru" | "ipmi-config") {
            let cache = format!("--sdr-cache-directory={}", self.cache.path().display());
            command.args(["--quiet-cache", &cache]);
        }
        command.args(&self.options).args(words).env("TZ", "UTC").env("LC_ALL", "C");
        command
    }

    /// Runs one of the tools.
    pub fn run(&self, tool: &str, words: &str) -> Ran {
        let words: Vec<_> = words.split_whitespace().collect();
        Ran::run(&mut self.command(tool, &words), FREEIPMI_PACKAGE, CLIENT_LIMIT)
    }

    /// Runs one of the tools and fails the test unless it succeeds.
    #[track_caller]
    pub fn ok(&self, tool: &str, words: &str) -> Ran {
        let ran = self.run(tool, words);
        ran.assert_ok();
        ran
    }
}

/// The tools live in `/usr/sbin`, which is not on everybody's path.
fn freeipmi_path(tool: &str) -> String {
    let installed = format!("/usr/sbin/{tool}");
    if std::path::Path::new(&installed).exists() { installed } else { tool.to_owned() }
}

/// The Debian package they come in.
pub const FREEIPMI_PACKAGE: &str = "freeipmi-tools";
