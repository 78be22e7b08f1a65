//! The start command of an MC: the virtual machine (`process.md` section 9).
//!
//! Owns the child while the simulator runs. It keeps the simulator's standard output and
//! error, its directory, environment and process group; it is not ended with the
//! simulator, and the next one finds it again by its identity.

use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::process::{Child, Command};
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};

use super::children::Own;
use super::{HostEvent, HostEvents, report, watch};
use crate::bmc::vm_process::Identity;
use crate::config::text::os_string;
use crate::ipmi::McAddress;
use crate::sim::Input;

/// Which standard input a virtual machine gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stdin {
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
    ///
    /// # Errors
    /// The operating system's.
    pub fn start(
        mc: McAddress,
        command: &str,
        input: Stdin,
        events: HostEvents,
    ) -> std::io::Result<(Self, Option<Identity>)> {
        let child = Command::new("/bin/sh")
            .arg("-c")
            .arg(os_string(&format!("exec {command}")))
            .stdin(match input {
                Stdin::Inherited => Stdio::inherit(),
                Stdin::Nothing => Stdio::null(),
            })
            .spawn()?;
        let own = Own::new(child.id());
        let (signals, queue) = mpsc::unbounded_channel();
        // It is still the child's id: nobody has waited for it.
        let identity = child.id().and_then(identity_of);
        tokio::spawn(async move {
            let ended = watch_child(child, queue).await;
            drop(own);
            report(&events, HostEvent::Input(Input::ProcessExited(mc, ended.ok().map(ExitStatusExt::into_raw)))).await;
        });
        Ok((Self { signals }, identity))
    }

    /// The virtual machine that an earlier simulator started, if it still runs.
    pub fn find(mc: McAddress, identity: &Identity, events: HostEvents) -> Option<Self> {
        let pid = i32::try_from(identity.pid).ok().and_then(rustix::process::Pid::from_raw)?;
        let process = rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty()).ok()?;
        // Looked at after it was opened: the descriptor stays with this process.
        if identity_of(identity.pid).as_ref() != Some(identity) {
            return None;
        }
        let process = watch::watch(process, Interest::READABLE).ok()?;
        let (signals, queue) = mpsc::unbounded_channel();
        tokio::spawn(watch_found(mc, process, queue, events));
        Some(Self { signals })
    }

    /// Sends a signal to the process, unless it has ended.
    pub fn signal(&self, signal: Signal) {
        let _ = self.signals.send(signal);
    }
}

/// Which process has this id now, unless it has ended (`proc(5)`, `/proc/pid/stat`).
fn identity_of(pid: u32) -> Option<Identity> {
    /// Field 22, counted from field 3, the first behind the name in parentheses.
    const START_TIME: usize = 22 - 3;
    let stat = std::fs::read(format!("/proc/{pid}/stat")).ok()?;
    let stat = String::from_utf8_lossy(&stat);
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_ascii_whitespace();
    let ended = matches!(fields.clone().next()?, "Z" | "X");
    let started = fields.nth(START_TIME)?.parse().ok()?;
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?.trim().to_owned();
    (!ended).then_some(Identity { pid, started, boot })
}

/// Waits for the end of a process that is no child, and passes signals on.
async fn watch_found(
    mc: McAddress,
    process: AsyncFd<OwnedFd>,
    mut signals: UnboundedReceiver<Signal>,
    events: HostEvents,
) {
    loop {
        tokio::select! {
            biased;
            _ = process.readable() => break,
            Some(signal) = signals.recv() => {
                let signal = match signal {
                    Signal::SIGKILL => rustix::process::Signal::KILL,
                    _ => rustix::process::Signal::TERM,
                };
                let _ = rustix::process::pidfd_send_signal(process.get_ref(), signal);
            }
        }
    }
    report(&events, HostEvent::Input(Input::ProcessExited(mc, None))).await;
}

/// Waits for the end and passes signals on. Only here is it certain that the process id
/// is still the child's.
async fn watch_child(mut child: Child, mut signals: UnboundedReceiver<Signal>) -> std::io::Result<ExitStatus> {
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
    use crate::host::testing::events;

    #[tokio::test]
    async fn a_command_runs_with_quotes_and_redirections_until_its_end() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("a b");
        let (events, mut queue) = events(4);
        let (vm, _) =
            Vm::start(McAddress::BMC, &format!("echo \"x  y\" > '{}'", file.display()), Stdin::Nothing, events)
                .unwrap();
        assert!(matches!(queue.recv().await, Some(HostEvent::Input(Input::ProcessExited(McAddress::BMC, Some(0))))));
        assert_eq!(std::fs::read_to_string(file).unwrap(), "x  y\n");
        vm.signal(Signal::SIGTERM);
    }

    #[tokio::test]
    async fn a_signal_ends_it() {
        let (events, mut queue) = events(4);
        let (vm, _) = Vm::start(McAddress(0x30), "sleep 600", Stdin::Nothing, events).unwrap();
        vm.signal(Signal::SIGTERM);
        assert!(matches!(queue.recv().await, Some(HostEvent::Input(Input::ProcessExited(McAddress(0x30), Some(15))))));
    }

    #[tokio::test]
    async fn a_machine_is_found_again_by_its_identity_and_by_nothing_less() {
        let (events, mut queue) = events(4);
        let (_first, identity) = Vm::start(McAddress::BMC, "sleep 60", Stdin::Nothing, events.clone()).unwrap();
        let identity = identity.unwrap();
        let other = |change: fn(&mut Identity)| {
            let mut other = identity.clone();
            change(&mut other);
            other
        };
        for stranger in [
            other(|it| it.started += 1),
            other(|it| it.boot.push('0')),
            other(|it| it.pid = 0),
            // Another process, which did not start in the same clock tick.
            other(|it| it.pid = 1),
            other(|it| it.pid = u32::MAX),
        ] {
            assert!(Vm::find(McAddress(0x30), &stranger, events.clone()).is_none(), "{stranger:?}");
        }
        let found = Vm::find(McAddress(0x30), &identity, events.clone()).unwrap();
        found.signal(Signal::SIGTERM);
        let mut ended = Vec::new();
        for _ in 0..2 {
            let Some(HostEvent::Input(Input::ProcessExited(mc, status))) = queue.recv().await else { panic!() };
            ended.push((mc, status));
        }
        ended.sort();
        assert_eq!(ended, [(McAddress::BMC, Some(15)), (McAddress(0x30), None)]);
        assert!(Vm::find(McAddress(0x30), &identity, events).is_none(), "it has ended");
    }
}
