//! The simulator as a child process.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::path::Path;
use std::process::{ChildStdin, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use super::process::{self, Captured, Guarded};
use super::{Bench, Subject};

/// How long anything may take before a test gives up; far more than it ever takes.
pub const TIMEOUT: Duration = Duration::from_secs(10);

/// What the program gets as its standard input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stdin {
    /// `/dev/null`.
    Null,
    /// A pipe the test can write to.
    Pipe,
}

/// A running simulator; dropping it ends it.
pub struct Simulator {
    child: Guarded,
    stdin: Option<ChildStdin>,
    /// Standard output.
    pub stdout: Captured,
    /// Standard error.
    pub stderr: Captured,
    command_line: String,
}

impl Simulator {
    /// Starts it in the bench's folder and does not wait for anything.
    pub fn spawn(subject: Subject, bench: &Bench, arguments: &[&str], stdin: Stdin) -> Self {
        Self::spawn_with(subject, bench, arguments, stdin, &[])
    }

    /// The same with more in its environment, which its helper programs inherit.
    pub fn spawn_with(
        subject: Subject,
        bench: &Bench,
        arguments: &[&str],
        stdin: Stdin,
        environment: &[(&str, &str)],
    ) -> Self {
        let mut command = Command::new(subject.program());
        command.args(arguments).env_remove("RUST_LOG").envs(environment.iter().copied());
        Self::spawn_command(command, bench, stdin)
    }

    /// Starts it by a shell, which does something first and then becomes it: `$0` and its arguments.
    pub fn spawn_by_shell(bench: &Bench, line: &str, program: &Path, arguments: &[&str]) -> Self {
        let mut command = Command::new("sh");
        command.args(["-c", line]).arg(program).args(arguments).env_remove("RUST_LOG");
        Self::spawn_command(command, bench, Stdin::Null)
    }

    fn spawn_command(mut command: Command, bench: &Bench, stdin: Stdin) -> Self {
        command
            .current_dir(bench.folder())
            .stdin(match stdin {
                Stdin::Null => Stdio::null(),
                Stdin::Pipe => Stdio::piped(),
            })
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let command_line = format!("{command:?}");
        let mut child = process::spawn(&mut command, "openipmi");
        let stdout = Captured::from(child.0.stdout.take().expect("stdout"));
        let stderr = Captured::from(child.0.stderr.take().expect("stderr"));
        let stdin = child.0.stdin.take();
        Self { child, stdin, stdout, stderr, command_line }
    }

    /// Starts it with `-n` and waits until the BMC on `port` answers a presence ping.
    pub fn start(subject: Subject, bench: &Bench, port: u16, arguments: &[&str]) -> Self {
        let mut all = vec!["-n"];
        all.extend_from_slice(arguments);
        let mut simulator = Self::spawn(subject, bench, &all, Stdin::Null);
        simulator.wait_until_ready(port);
        simulator
    }

    /// Starts it on the files `lan.conf` and `sim.emu` of the bench, state in `state`.
    pub fn start_default(subject: Subject, bench: &Bench, port: u16) -> Self {
        Self::start(subject, bench, port, &["-c", "lan.conf", "-f", "sim.emu", "-s", "state"])
    }

    /// Waits for the BMC on a port; ends the test when the program ends instead.
    pub fn wait_until_ready(&mut self, port: u16) {
        let start = Instant::now();
        loop {
            if presence_ping(port, Duration::from_millis(20)) {
                return;
            }
            if let Ok(Some(status)) = self.child.0.try_wait() {
                self.stderr.wait_for_end(Duration::from_secs(1));
                panic!("it ended with {status} instead of serving\n{}", self.report());
            }
            assert!(start.elapsed() < TIMEOUT, "no BMC on port {port}\n{}", self.report());
        }
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.child.0.id()
    }

    /// Writes to its standard input.
    pub fn type_in(&mut self, text: &str) {
        use std::io::Write;
        let stdin = self.stdin.as_mut().expect("standard input is a pipe");
        stdin.write_all(text.as_bytes()).expect("it reads its standard input");
        stdin.flush().expect("it reads its standard input");
    }

    /// Ends its standard input.
    pub fn close_stdin(&mut self) {
        self.stdin = None;
    }

    /// Waits for its end; `None` when it goes on.
    pub fn wait(&mut self, limit: Duration) -> Option<ExitStatus> {
        let status = process::wait(&mut self.child.0, limit);
        if status.is_some() {
            self.stdout.wait_for_end(Duration::from_secs(1));
            self.stderr.wait_for_end(Duration::from_secs(1));
        }
        status
    }

    /// Sends a signal.
    pub fn signal(&self, signal: nix::sys::signal::Signal) {
        process::signal(self.pid(), signal);
    }

    /// Ends it and waits until it is gone.
    pub fn stop(mut self) {
        process::end(&mut self.child.0);
    }

    /// Asserts that it is still there.
    pub fn assert_alive(&mut self) {
        if let Ok(Some(status)) = self.child.0.try_wait() {
            panic!("it ended with {status}\n{}", self.report());
        }
    }

    /// Its command line and everything it wrote.
    pub fn report(&self) -> String {
        format!(
            "command: {}\n--- stdout\n{}\n--- stderr\n{}\n---",
            self.command_line,
            self.stdout.text(),
            self.stderr.text()
        )
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        process::end(&mut self.child.0);
        if std::thread::panicking() {
            eprintln!("{}", self.report());
        }
    }
}

/// Sends an ASF presence ping and waits for the pong.
pub fn presence_ping(port: u16, wait: Duration) -> bool {
    const PING: [u8; 12] = [6, 0, 0xff, 6, 0, 0, 0x11, 0xbe, 0x80, 0x5a, 0, 0];
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a socket");
    socket.connect(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).expect("a destination");
    socket.set_read_timeout(Some(wait)).expect("a time limit");
    let started = Instant::now();
    if socket.send(&PING).is_ok() {
        let mut pong = [0; 64];
        if let Ok(count) = socket.recv(&mut pong) {
            return count == 28 && pong[8] == 0x40 && pong[9] == 0x5a;
        }
    }
    // A refused port answers at once; do not spin on it.
    std::thread::sleep(wait.saturating_sub(started.elapsed()));
    false
}
