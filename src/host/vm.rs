//! The start command of an MC: the virtual machine (`process.md` section 9).
//!
//! Owns the child while the simulator runs. It keeps the simulator's standard output and
//! error, its directory, environment and process group; it is not ended with the
//! simulator.

use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::process::{Child, Command};
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};

use super::children::Own;
use super::{HostEvent, HostEvents, report};
use crate::config::text::os_string;

/// Which standard input a virtual machine gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// The simulator's.
    Inherited,
    /// None: the simulator reads its own as a console.
    Nothing,
}

/// A running virtual machine.
#[derive(Debug)]
pub struct Vm {
    signals: UnboundedSender<Signal>,
}

impl Vm {
    /// Starts `/bin/sh -c "exec COMMAND"`.
    pub fn start(mc: u8, command: &str, input: Input, events: HostEvents) -> std::io::Result<Self> {
        let child = Command::new("/bin/sh")
            .arg("-c")
            .arg(os_string(&format!("exec {command}")))
            .stdin(match input {
                Input::Inherited => Stdio::inherit(),
                Input::Nothing => Stdio::null(),
            })
            .spawn()?;
        let own = Own::new(child.id());
        let (signals, queue) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            let ended = watch(child, queue).await;
            drop(own);
            report(&events, HostEvent::ProcessExited { mc, status: ended.ok().map(ExitStatusExt::into_raw) }).await;
        });
        Ok(Self { signals })
    }

    /// Sends a signal to the process, unless it has ended.
    pub fn signal(&self, signal: Signal) {
        let _ = self.signals.send(signal);
    }
}

/// Waits for the end and passes signals on. Only here is it certain that the process id
/// is still the child's.
async fn watch(mut child: Child, mut signals: UnboundedReceiver<Signal>) -> std::io::Result<ExitStatus> {
    loop {
        tokio::select! {
            biased;
            ended = child.wait() => return ended,
            Some(signal) = signals.recv() => {
                if let Some(pid) = child.id().and_then(|pid| i32::try_from(pid).ok()) {
                    let _ = kill(Pid::from_raw(pid), signal);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_command_runs_with_quotes_and_redirections_until_its_end() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("a b");
        let (events, mut queue) = mpsc::channel(4);
        let vm = Vm::start(0x20, &format!("echo \"x  y\" > '{}'", file.display()), Input::Nothing, events).unwrap();
        assert!(matches!(queue.recv().await, Some(HostEvent::ProcessExited { mc: 0x20, status: Some(0) })));
        assert_eq!(std::fs::read_to_string(file).unwrap(), "x  y\n");
        vm.signal(Signal::SIGTERM);
    }

    #[tokio::test]
    async fn a_signal_ends_it() {
        let (events, mut queue) = mpsc::channel(4);
        let vm = Vm::start(0x30, "sleep 600", Input::Nothing, events).unwrap();
        vm.signal(Signal::SIGTERM);
        assert!(matches!(queue.recv().await, Some(HostEvent::ProcessExited { mc: 0x30, status: Some(15) })));
    }
}
