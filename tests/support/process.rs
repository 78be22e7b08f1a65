//! Child processes: captured output, time limits, and an end for each of them.

use std::io::Read;
use std::process::{Child, Command, ExitStatus};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// What a child has written so far to one of its outputs.
#[derive(Clone, Default)]
pub struct Captured {
    shared: Arc<(Mutex<Content>, Condvar)>,
}

#[derive(Default)]
struct Content {
    bytes: Vec<u8>,
    ended: bool,
}

impl Captured {
    /// Collects everything that comes out of `source`, on a thread of its own.
    pub fn from(mut source: impl Read + Send + 'static) -> Self {
        let captured = Self::default();
        let shared = captured.shared.clone();
        thread::spawn(move || {
            let mut piece = [0; 4096];
            loop {
                let got = source.read(&mut piece);
                let (content, changed) = &*shared;
                let mut content = content.lock().expect("the collected output");
                match got {
                    Ok(count) if count > 0 => content.bytes.extend_from_slice(&piece[..count]),
                    Err(why) if why.kind() == std::io::ErrorKind::Interrupted => {}
                    _ => content.ended = true,
                }
                changed.notify_all();
                if content.ended {
                    return;
                }
            }
        });
        captured
    }

    /// The text so far.
    pub fn text(&self) -> String {
        let content = self.shared.0.lock().expect("the collected output");
        String::from_utf8_lossy(&content.bytes).into_owned()
    }

    /// The bytes so far.
    pub fn bytes(&self) -> Vec<u8> {
        self.shared.0.lock().expect("the collected output").bytes.clone()
    }

    /// Waits until the text contains `wanted`; false when it ends or the time is over first.
    pub fn wait_for(&self, wanted: &str, limit: Duration) -> bool {
        self.wait(limit, |content| contains(&content.bytes, wanted.as_bytes())).is_some_and(|content| content)
    }

    /// Waits for so many bytes and takes them away.
    pub fn take_exactly(&mut self, count: usize, limit: Duration) -> Vec<u8> {
        self.wait(limit, |content| content.bytes.len() >= count);
        let mut content = self.shared.0.lock().expect("the collected output");
        let there = content.bytes.len().min(count);
        content.bytes.drain(..there).collect()
    }

    /// Waits for the end of the output; false when the time is over first.
    pub fn wait_for_end(&self, limit: Duration) -> bool {
        self.wait(limit, |content| content.ended).unwrap_or(false)
    }

    fn wait(&self, limit: Duration, done: impl Fn(&Content) -> bool) -> Option<bool> {
        let end = Instant::now() + limit;
        let (content, changed) = &*self.shared;
        let mut content = content.lock().expect("the collected output");
        loop {
            if done(&content) {
                return Some(true);
            }
            if content.ended {
                return Some(false);
            }
            let left = end.checked_duration_since(Instant::now())?;
            content = changed.wait_timeout(content, left).expect("the collected output").0;
        }
    }
}

/// Does `all` contain `part`?
pub fn contains(all: &[u8], part: &[u8]) -> bool {
    part.is_empty() || all.windows(part.len()).any(|window| window == part)
}

/// Asks again and again until there is one or the time is over.
pub fn eventually<T>(limit: Duration, mut ask: impl FnMut() -> Option<T>) -> Option<T> {
    let end = Instant::now() + limit;
    loop {
        if let Some(answer) = ask() {
            return Some(answer);
        }
        if Instant::now() >= end {
            return None;
        }
        thread::sleep(Duration::from_millis(10));
    }
}

/// Waits for a child to end; `None` when it is still there after `limit`.
pub fn wait(child: &mut Child, limit: Duration) -> Option<ExitStatus> {
    eventually(limit, || child.try_wait().expect("the state of a child"))
}

/// Ends a child: politely first, then for good.
pub fn end(child: &mut Child) {
    if matches!(child.try_wait(), Ok(Some(_))) {
        return;
    }
    signal(child.id(), nix::sys::signal::Signal::SIGTERM);
    if wait(child, Duration::from_secs(2)).is_none() {
        let _ = child.kill();
        let _ = child.wait();
    }
}

/// Sends a signal to one process.
pub fn signal(pid: u32, signal: nix::sys::signal::Signal) {
    let pid = i32::try_from(pid).expect("a process id");
    let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), signal);
}

/// Does a process with this id exist?
pub fn alive(pid: u32) -> bool {
    let state = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // A zombie is gone, it only was not collected yet.
    state.rsplit_once(')').is_some_and(|(_, rest)| !rest.trim_start().starts_with('Z'))
}

/// Starts a command. A program that is not installed is a failure that says how to get it.
pub fn spawn(command: &mut Command, debian_package: &str) -> Guarded {
    Guarded(command.spawn().unwrap_or_else(|why| panic!("{}", not_installed(command, &why, debian_package))))
}

/// What to say of a command that cannot be started.
pub fn not_installed(command: &Command, why: &std::io::Error, debian_package: &str) -> String {
    format!("{} cannot be run ({why}): apt-get install {debian_package}", command.get_program().display())
}

/// A child that does not outlive the test.
pub struct Guarded(pub Child);

impl Drop for Guarded {
    fn drop(&mut self) {
        end(&mut self.0);
    }
}
