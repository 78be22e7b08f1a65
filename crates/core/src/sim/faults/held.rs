//! What faults hold back: datagrams either way, and responses that are not sent yet.
//!
//! Bounded, as the queue of a network is: what finds no room is lost; a response goes out at once.

use std::time::Duration;

use super::super::effect::LanId;
use super::super::return_path::ReturnPath;
use crate::ipmi::{Moment, Peer, Response};
use crate::settings::fault::Way;

/// Most datagrams of a system.
const MOST_DATAGRAMS: usize = 256;
/// Most bytes of them.
const MOST_BYTES: usize = 256 << 10;
/// Most responses of a system.
const MOST_RESPONSES: usize = 256;

/// Between whom a datagram goes, and which way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) lan: LanId,
    pub(super) peer: Peer,
    pub(super) way: Way,
}

/// How late a datagram is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Late {
    pub(super) by: Duration,
    /// Or until the next one of its line has gone.
    pub(super) until_next: bool,
}

struct Datagram {
    due: Moment,
    line: Line,
    until_next: bool,
    bytes: Vec<u8>,
}

/// What is held back, in the order in which it came.
#[derive(Default)]
pub(super) struct Held {
    datagrams: Vec<Datagram>,
    bytes: usize,
    responses: Vec<(Moment, ReturnPath, Box<Response>)>,
}

impl Held {
    /// Holds a datagram back; it is lost when there is no room.
    pub(super) fn datagram(&mut self, now: Moment, line: Line, late: Late, bytes: &[u8]) {
        if self.datagrams.len() < MOST_DATAGRAMS && self.bytes + bytes.len() <= MOST_BYTES {
            self.bytes += bytes.len();
            let (due, until_next) = (now + late.by, late.until_next);
            self.datagrams.push(Datagram { due, line, until_next, bytes: bytes.to_vec() });
        }
    }

    /// Holds a response back. Whether there was room.
    pub(super) fn response(&mut self, due: Moment, path: ReturnPath, response: &Response) -> bool {
        let room = self.responses.len() < MOST_RESPONSES;
        if room {
            self.responses.push((due, path, Box::new(response.clone())));
        }
        room
    }

    /// A datagram has gone this way: those that it was to overtake.
    pub(super) fn overtaken(&mut self, line: Line) -> Vec<Vec<u8>> {
        let waited = |held: &mut Datagram| held.until_next && held.line == line;
        let gone: Vec<Vec<u8>> = self.datagrams.extract_if(.., waited).map(|held| held.bytes).collect();
        self.bytes -= gone.iter().map(Vec::len).sum::<usize>();
        gone
    }

    /// The next datagram that is due.
    pub(super) fn due_datagram(&mut self, now: Moment) -> Option<(Line, Vec<u8>)> {
        let index = earliest(self.datagrams.iter().map(|held| held.due), now)?;
        let Datagram { line, bytes, .. } = self.datagrams.remove(index);
        self.bytes -= bytes.len();
        Some((line, bytes))
    }

    /// The next response that is due.
    pub(super) fn due_response(&mut self, now: Moment) -> Option<(ReturnPath, Box<Response>)> {
        let index = earliest(self.responses.iter().map(|(due, ..)| *due), now)?;
        let (_, path, response) = self.responses.remove(index);
        Some((path, response))
    }

    /// When something is due.
    pub(super) fn deadline(&self) -> Option<Moment> {
        self.datagrams.iter().map(|held| held.due).chain(self.responses.iter().map(|(due, ..)| *due)).min()
    }

    /// Whether nothing is held back.
    pub(super) fn is_empty(&self) -> bool {
        self.datagrams.is_empty() && self.responses.is_empty()
    }
}

/// The place of the earliest that is due, and of those at one moment of the first.
fn earliest(due: impl Iterator<Item = Moment>, now: Moment) -> Option<usize> {
    let (index, _) = due.enumerate().filter(|(_, due)| *due <= now).min_by_key(|(_, due)| *due)?;
    Some(index)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ipmi::{ChannelNumber, McAddress};

    #[test]
    fn there_is_room_for_so_many_and_no_more() {
        let lan = LanId { mc: McAddress::BMC, channel: ChannelNumber::LAN };
        let peer = std::net::SocketAddr::from(([127, 0, 0, 1], 9)).into();
        let line = Line { lan, peer, way: Way::In };
        let late = Late { by: Duration::from_secs(1), until_next: false };
        for (length, room) in [(10, MOST_DATAGRAMS), (MOST_BYTES / 4, 4)] {
            let mut held = Held::default();
            (0..2 * MOST_DATAGRAMS).for_each(|_| held.datagram(Moment::default(), line, late, &vec![0; length]));
            assert_eq!(held.datagrams.len(), room);
            let end = Moment::default() + late.by;
            assert_eq!(std::iter::from_fn(|| held.due_datagram(end)).count(), room);
            assert_eq!((held.bytes, held.is_empty()), (0, true));
        }
    }
}
