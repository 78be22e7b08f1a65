//! Datagrams of a shared socket that came faster than they are answered.
//!
//! On one socket all of its ports stand in one line, so that who is flooded would make the others wait, and lose what
//! is theirs. So what is there is taken at once, and each port has a line of its own; those have turns of one datagram.
//! Too much for one port is lost, as it would be if the port had a socket.

use crate::host::turns::Turns;
use crate::ipmi::Peer;
use crate::runtime::lan::{Batch, PortId};

/// Most datagrams of one port that wait: a burst of a thousand clients.
const MOST: usize = 1024;
/// Most of all ports; who has none waiting may have one more.
const MOST_OF_ALL: usize = 8192;

/// The lines of all ports.
#[derive(Debug, Default)]
pub(super) struct Backlog(Turns<PortId, (Peer, Box<[u8]>)>);

impl Backlog {
    /// Puts a datagram into the line of its port. Says whether there was room.
    pub(super) fn push(&mut self, id: PortId, from: Peer, bytes: &[u8]) -> bool {
        let before = self.0.waiting(id);
        let has_room = before == 0 || (before < MOST && self.0.len() < MOST_OF_ALL);
        if has_room {
            self.0.push(id, (from, bytes.into()));
        }
        has_room
    }

    /// Whether nobody waits.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Fills a batch, one datagram of each port in turn.
    pub(super) fn fill(&mut self, batch: &mut Batch) {
        while !batch.is_full()
            && let Some((id, (from, bytes))) = self.0.pop()
        {
            batch.push(id, from, &bytes);
        }
    }
}
