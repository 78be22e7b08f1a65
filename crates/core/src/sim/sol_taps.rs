//! What the ports of serial over LAN say, for whoever looks on beside the clients.
//!
//! A port is read as long as it is open, whether a client has SOL active or not, and while one has, as fast as that
//! client takes it. Looking on changes nothing of that: a tap is given a copy of what is read, keeps no more than
//! [`TAP_ROOM`] bytes between two looks, and never makes a port or a client wait.

use thiserror::Error;

use super::Simulator;
use crate::ipmi::{McAddress, Moment};

/// How many bytes of a port are kept for whoever looks on; of more the newest.
pub const TAP_ROOM: usize = 64 << 10;

/// What a port has said since it was looked at last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SolOutput {
    /// IPMB address of the controller.
    pub mc: McAddress,
    /// The bytes, without what telnet says beside them; the newest [`TAP_ROOM`].
    pub bytes: Vec<u8>,
    /// How many bytes came before these and are lost.
    pub lost: u64,
}

/// A port of serial over LAN.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SolPortView {
    /// What it said last, as far as it is kept (`history=`); empty where nothing is kept.
    pub history: Vec<u8>,
    /// Why it cannot be opened, if it cannot: one line as a client's console is told, in brackets.
    pub trouble: Option<String>,
}

/// The controller has no port of serial over LAN.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the controller has no port of serial over LAN")]
pub struct NoSolPort;

/// What a port has said, for whoever looks on.
#[derive(Debug, Default)]
pub(super) struct Tap {
    bytes: Vec<u8>,
    lost: u64,
}

impl Tap {
    pub(super) fn push(&mut self, bytes: &[u8]) {
        let newest = &bytes[bytes.len().saturating_sub(TAP_ROOM)..];
        let surplus = (self.bytes.len() + newest.len()).saturating_sub(TAP_ROOM);
        self.bytes.drain(..surplus);
        self.bytes.extend_from_slice(newest);
        self.lost += (surplus + bytes.len() - newest.len()) as u64;
    }

    fn take(&mut self, mc: McAddress) -> Option<SolOutput> {
        let Self { bytes, lost } = std::mem::take(self);
        (!bytes.is_empty()).then_some(SolOutput { mc, bytes, lost })
    }
}

impl Simulator {
    /// Begins to keep what the SOL port of a controller says, for [`take_sol_output`](Self::take_sol_output). A port has
    /// one tap: for several who look on, it is begun once and ended when the last is gone. [`deadline`](Self::deadline) may
    /// have changed then: a console that plays goes on while somebody looks.
    ///
    /// # Errors
    /// The controller has no SOL port.
    pub fn tap_sol(&mut self, now: Moment, mc: McAddress) -> Result<(), NoSolPort> {
        self.sols.tap(mc).map(|tap| {
            tap.get_or_insert_default();
        })?;
        self.sols.look_up(now);
        Ok(())
    }

    /// Ends that; what was not taken is forgotten.
    pub fn untap_sol(&mut self, mc: McAddress) {
        if let Ok(tap) = self.sols.tap(mc) {
            *tap = None;
        }
        self.sols.look_away();
    }

    /// What each tapped port has said since the last call; ports that have said nothing are left out. To be called after
    /// each call that gives this system something, while there is a tap.
    pub fn take_sol_output(&mut self) -> Vec<SolOutput> {
        self.sols.taps().filter_map(|(mc, tap)| tap.take(mc)).collect()
    }

    /// The SOL port of a controller: what it said last, and whether it is in trouble. Nothing of the history is cleared by
    /// this, also with `readclear`.
    ///
    /// # Errors
    /// The controller has no SOL port.
    pub fn sol_port(&self, mc: McAddress) -> Result<SolPortView, NoSolPort> {
        let trouble = self.sols.trouble(mc)?.map(|text| text.trim().to_owned());
        let history = self.machine.controller(mc).map(|controller| controller.history.to_backup());
        Ok(SolPortView { history: history.unwrap_or_default(), trouble })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tap_keeps_the_newest_and_counts_the_rest() {
        let mut tap = Tap::default();
        assert_eq!(tap.take(McAddress::BMC), None);
        tap.push(&[1; 10]);
        tap.push(&vec![2; TAP_ROOM - 4]);
        let output = tap.take(McAddress::BMC).expect("it said something");
        assert_eq!((output.bytes.len(), output.bytes[..5].to_vec(), output.lost), (TAP_ROOM, vec![1, 1, 1, 1, 2], 6));
        tap.push(&vec![3; TAP_ROOM + 7]);
        assert_eq!(tap.take(McAddress::BMC).map(|output| (output.bytes.len(), output.lost)), Some((TAP_ROOM, 7)));
        assert_eq!(tap.take(McAddress::BMC), None);
    }
}
