//! Everything outside: helper programs, the start command, files, serial ports.
//!
//! Owns one task per thing outside and reports what happens there as [`HostEvent`]s; never
//! knows what a message means. A task never waits for the simulator except to hand in an
//! event, and the simulator never waits for a task, so neither can stop the other.

pub mod children;
pub mod duplex;
pub mod ipmb_device;
pub mod jobs;
pub mod lock_file;
mod modem_lines;
pub mod names;
pub mod programs;
pub mod random;
pub mod serial_peer;
pub mod shell;
pub mod sol_port;
pub mod tcp;
pub mod tty;
pub mod turns;
pub mod vm;
pub mod watch;
pub mod workers;

use tokio::sync::mpsc;

use crate::bmc::LogLevel;
use crate::sim::{Input, SerialId};

/// What happened outside.
#[derive(Debug)]
pub enum HostEvent {
    /// Something for the system.
    Input(Input<'static>),
    /// A peer connected to a serial channel.
    SerialConnected {
        /// The channel.
        serial: SerialId,
        /// Number of the connection, for what is sent to this peer.
        connection: u64,
    },
    /// Something to be logged.
    Log {
        /// How important.
        level: LogLevel,
        /// The text.
        text: String,
    },
}

/// Which system of the process: events of all of them come by one channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SystemId {
    /// Its place, which is another's when it has gone.
    pub index: u32,
    /// How many had that place before: what comes late from one that has gone is for nobody.
    pub generation: u32,
}

/// Where the tasks of one system hand in their events. The channel is bounded: a port that floods is read as
/// fast as the simulator takes the bytes, not faster.
#[derive(Clone, Debug)]
pub struct HostEvents {
    system: SystemId,
    sender: mpsc::Sender<(SystemId, HostEvent)>,
}

impl HostEvents {
    /// Those of `system`.
    pub fn new(system: SystemId, sender: mpsc::Sender<(SystemId, HostEvent)>) -> Self {
        Self { system, sender }
    }

    /// Hands in an event if there is room for it now.
    pub fn offer(&self, event: HostEvent) {
        let _ = self.sender.try_send((self.system, event));
    }

    /// Hands in an event; a thread that may block waits for room.
    pub fn wait_to_report(&self, event: HostEvent) {
        let _ = self.sender.blocking_send((self.system, event));
    }
}

/// How many events may wait.
pub const EVENT_QUEUE: usize = 128;

/// Hands in an event. A simulator that is gone is no error: the task is about to be
/// dropped.
pub(crate) async fn report(events: &HostEvents, event: HostEvent) {
    let _ = events.sender.send((events.system, event)).await;
}

#[cfg(test)]
pub(crate) mod testing {
    //! What the events of one system are in tests.

    use super::{HostEvent, HostEvents, SystemId};
    use tokio::sync::mpsc;

    /// The receiving end.
    pub(crate) struct Queue(mpsc::Receiver<(SystemId, HostEvent)>);

    impl Queue {
        /// The next event; `None` when nobody is left to hand one in.
        pub(crate) async fn recv(&mut self) -> Option<HostEvent> {
            self.0.recv().await.map(|(_, event)| event)
        }

        /// The next event, if there is one.
        pub(crate) fn try_recv(&mut self) -> Result<HostEvent, mpsc::error::TryRecvError> {
            self.0.try_recv().map(|(_, event)| event)
        }
    }

    /// Both ends, with room for so many events.
    pub(crate) fn events(room: usize) -> (HostEvents, Queue) {
        let (sender, queue) = mpsc::channel(room);
        (HostEvents::new(SystemId::default(), sender), Queue(queue))
    }
}
