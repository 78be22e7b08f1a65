//! Datagrams of a shared socket that came faster than they are answered.
//!
//! On one socket all of its ports stand in one line, so that who is flooded would make the others wait, and lose what
//! is theirs. So what is there is taken at once, and each port has a line of its own; those have turns of one datagram.
//! Too much for one port is lost, as it would be if the port had a socket.

use std::collections::{HashMap, VecDeque};

use crate::ipmi::Peer;
use crate::runtime::lan::{Batch, PortId};

/// Most datagrams of one port that wait: a burst of a thousand clients.
const MOST: usize = 1024;
/// Most of all ports; who has none waiting may have one more.
const MOST_OF_ALL: usize = 8192;

/// The datagrams of one port.
type Line = VecDeque<(Peer, Box<[u8]>)>;

/// The lines of all ports.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    lines: HashMap<PortId, Line>,
    turns: VecDeque<PortId>,
    held: usize,
}

impl Backlog {
    /// Puts a datagram into the line of its port. Says whether there was room.
    pub(super) fn push(&mut self, id: PortId, from: Peer, bytes: &[u8]) -> bool {
        let line = self.lines.entry(id).or_default();
        if line.is_empty() {
            self.turns.push_back(id);
        } else if line.len() >= MOST || self.held >= MOST_OF_ALL {
            return false;
        }
        line.push_back((from, bytes.into()));
        self.held += 1;
        true
    }

    /// Whether nobody waits.
    pub(super) fn is_empty(&self) -> bool {
        self.held == 0
    }

    /// Fills a batch, one datagram of each port in turn.
    pub(super) fn fill(&mut self, batch: &mut Batch) {
        while !batch.is_full()
            && let Some(id) = self.turns.pop_front()
        {
            let Some(line) = self.lines.get_mut(&id) else { continue };
            if let Some((from, bytes)) = line.pop_front() {
                self.held -= 1;
                batch.push(id, from, &bytes);
            }
            if line.is_empty() {
                self.lines.remove(&id);
            } else {
                self.turns.push_back(id);
            }
        }
    }
}
