//! IPMI messages as they stand in a session, on an IPMB and inside Send Message.
//! IPMI 2.0 section 13.8 and the IPMB specification, section 2.11.
//!
//! ```text
//! 0  address of the receiver                    4  sequence number << 2 | LUN of the sender
//! 1  network function << 2 | receiver's LUN     5  command
//! 2  checksum of bytes 0 and 1                  6  data; in a response the completion code first
//! 3  address of the sender                      n  checksum of bytes 3 to n - 1
//! ```
//!
//! In a request receiver and sender are the responder (rsAddr) and the requester (rqAddr),
//! in a response the other way round.

use super::Error;

/// Bytes around the data: six in front, one checksum behind.
pub const OVERHEAD: usize = 7;
/// Address by which LAN consoles name themselves: software id 40h.
pub const REMOTE_CONSOLE: u8 = 0x81;

/// An IPMI message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Message<'a> {
    /// Address of the receiver: rsAddr of a request, rqAddr of a response.
    pub to: u8,
    /// LUN of the receiver, 0 to 3.
    pub to_lun: u8,
    /// Network function, 0 to 63; odd in responses.
    pub netfn: u8,
    /// Address of the sender: rqAddr of a request, rsAddr of a response.
    pub from: u8,
    /// LUN of the sender, 0 to 3.
    pub from_lun: u8,
    /// The requester's sequence number, 0 to 63.
    pub seq: u8,
    /// Command.
    pub cmd: u8,
    /// Request data; in a response the completion code, then the data.
    pub data: &'a [u8],
}

/// The checksum that makes the sum of `bytes` and itself 0 (modulo 256).
pub fn checksum(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0u8, |sum, byte| sum.wrapping_sub(*byte))
}

impl<'a> Message<'a> {
    /// Reads a message and checks both checksums.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Error> {
        let message = Self::parse_unchecked(bytes)?;
        let (head, tail) = bytes.split_at_checked(3).ok_or(Error::Truncated)?;
        if checksum(head) != 0 || checksum(tail) != 0 {
            return Err(Error::Checksum);
        }
        Ok(message)
    }

    /// Reads a message without looking at its checksums, which the original does not
    /// check inside Send Message (`lan-protocol.md` section 10.2).
    pub fn parse_unchecked(bytes: &'a [u8]) -> Result<Self, Error> {
        let [to, netfn_lun, _checksum, from, seq_lun, cmd, data @ .., _checksum2] = bytes else {
            return Err(Error::Truncated);
        };
        Ok(Self {
            to: *to,
            to_lun: netfn_lun & 3,
            netfn: netfn_lun >> 2,
            from: *from,
            from_lun: seq_lun & 3,
            seq: seq_lun >> 2,
            cmd: *cmd,
            data,
        })
    }

    /// Whether this responses something.
    pub fn is_response(&self) -> bool {
        self.netfn & 1 == 1
    }

    /// The response to this request, back to its sender: addresses and LUNs change
    /// places, the network function becomes odd. `data` starts with the completion code.
    pub fn response<'b>(&self, data: &'b [u8]) -> Message<'b> {
        Message {
            to: self.from,
            to_lun: self.from_lun,
            netfn: self.netfn | 1,
            from: self.to,
            from_lun: self.to_lun,
            seq: self.seq,
            cmd: self.cmd,
            data,
        }
    }

    /// How many bytes the message takes.
    pub fn length(&self) -> usize {
        OVERHEAD + self.data.len()
    }

    /// Appends the message with its checksums.
    pub fn emit(&self, out: &mut Vec<u8>) {
        let head = [self.to, self.netfn << 2 | self.to_lun & 3];
        let middle = [self.from, self.seq << 2 | self.from_lun & 3, self.cmd];
        out.extend_from_slice(&head);
        out.push(checksum(&head));
        out.extend_from_slice(&middle);
        out.extend_from_slice(self.data);
        out.push(checksum(&middle).wrapping_add(checksum(self.data)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hex_literal::hex;

    #[test]
    fn get_device_id_of_the_fact_sheet() {
        let bytes = hex!("2018c88104017a");
        let message = Message::parse(&bytes).unwrap();
        assert_eq!(
            message,
            Message { to: 0x20, to_lun: 0, netfn: 6, from: 0x81, from_lun: 0, seq: 1, cmd: 1, data: &[] }
        );
        let mut out = Vec::new();
        message.emit(&mut out);
        assert_eq!(out, bytes);
        assert_eq!(message.length(), bytes.len());
    }

    #[test]
    fn recorded_response_is_the_response_to_the_recorded_request() {
        let request = hex!("2018c88100388e04b5");
        let mut out = Vec::new();
        let request = Message::parse(&request).unwrap();
        request.response(&hex!("000197060300000000")).emit(&mut out);
        assert_eq!(out, hex!("811c632000380001970603000000 0007"));
        assert!(Message::parse(&out).unwrap().is_response());
    }

    #[test]
    fn addresses_and_luns_change_places_in_a_response() {
        let request = Message { to: 0x20, to_lun: 2, netfn: 4, from: 0x81, from_lun: 1, seq: 63, cmd: 9, data: &[1] };
        let response = request.response(&[0]);
        assert_eq!((response.to, response.to_lun), (0x81, 1));
        assert_eq!((response.from, response.from_lun), (0x20, 2));
        assert_eq!((response.netfn, response.seq, response.cmd), (5, 63, 9));
    }

    #[test]
    fn every_changed_byte_breaks_a_checksum() {
        let bytes = hex!("2018c88100388e04b5");
        for at in 0..bytes.len() {
            let mut wrong = bytes;
            wrong[at] ^= 0x10;
            assert_eq!(Message::parse(&wrong), Err(Error::Checksum), "byte {at}");
            assert!(Message::parse_unchecked(&wrong).is_ok());
        }
    }

    #[test]
    fn seven_bytes_are_the_least() {
        let bytes = hex!("2018c88104017a");
        for length in 0..bytes.len() {
            assert_eq!(Message::parse(&bytes[..length]), Err(Error::Truncated));
        }
    }
}
