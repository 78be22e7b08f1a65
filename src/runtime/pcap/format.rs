//! The bytes of a capture file: libpcap's classic format with link type "raw IP", in which
//! every datagram stands behind an IP and a UDP header made for it.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// Link type LINKTYPE_RAW: a packet begins with its IPv4 or IPv6 header.
const LINK_TYPE_RAW: u32 = 101;
/// Longest packet.
const SNAP_LENGTH: u32 = 65535;
/// Protocol number of UDP.
const UDP: u8 = 17;
const UDP_HEADER: usize = 8;
const IPV4_HEADER: usize = 20;
const IPV6_HEADER: usize = 40;
const HOP_LIMIT: u8 = 64;
/// "Do not fragment", in the flags of an IPv4 header.
const DO_NOT_FRAGMENT: u16 = 0x4000;

/// The header of the file, 24 bytes: magic (microseconds), version 2.4, time zone, accuracy,
/// longest packet, link type.
pub(crate) fn file_header(out: &mut Vec<u8>) {
    for word in [0xa1b2_c3d4, 2 | 4 << 16, 0, 0, SNAP_LENGTH, LINK_TYPE_RAW] {
        out.extend_from_slice(&u32::to_le_bytes(word));
    }
}

/// One datagram: the record's header of 16 bytes (seconds, microseconds, length in the file,
/// length on the wire), IP, UDP, payload. The addresses must be of one family; nothing is
/// written otherwise, nor when it is longer than any datagram.
pub(crate) fn record(time: Duration, from: SocketAddr, to: SocketAddr, payload: &[u8], out: &mut Vec<u8>) {
    let ip_header = if from.is_ipv4() { IPV4_HEADER } else { IPV6_HEADER };
    let udp_length = UDP_HEADER + payload.len();
    let (Ok(total), Ok(udp)) = (u16::try_from(ip_header + udp_length), u16::try_from(udp_length)) else { return };
    let mut sum = Checksum::default();
    let start = out.len();
    let seconds = u32::try_from(time.as_secs()).unwrap_or(u32::MAX);
    for word in [seconds, time.subsec_micros(), total.into(), total.into()] {
        out.extend_from_slice(&word.to_le_bytes());
    }
    match (from.ip(), to.ip()) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            let mut header = Vec::with_capacity(IPV4_HEADER);
            header.extend_from_slice(&[0x45, 0]);
            header.extend_from_slice(&total.to_be_bytes());
            header.extend_from_slice(&[0, 0]);
            header.extend_from_slice(&DO_NOT_FRAGMENT.to_be_bytes());
            header.extend_from_slice(&[HOP_LIMIT, UDP]);
            let mut check = Checksum::default();
            for part in [&header[..], &source.octets(), &destination.octets()] {
                check.add(part);
            }
            header.extend_from_slice(&check.finish().to_be_bytes());
            header.extend_from_slice(&source.octets());
            header.extend_from_slice(&destination.octets());
            out.extend_from_slice(&header);
            sum.add(&source.octets());
            sum.add(&destination.octets());
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            out.extend_from_slice(&[0x60, 0, 0, 0]);
            out.extend_from_slice(&udp.to_be_bytes());
            out.extend_from_slice(&[UDP, HOP_LIMIT]);
            out.extend_from_slice(&source.octets());
            out.extend_from_slice(&destination.octets());
            sum.add(&source.octets());
            sum.add(&destination.octets());
        }
        _ => return out.truncate(start),
    }
    // The pseudo header of both families comes to the same sum.
    sum.add(&[0, UDP]);
    sum.add(&udp.to_be_bytes());
    let mut header = [0; UDP_HEADER];
    for (place, value) in header.chunks_exact_mut(2).zip([from.port(), to.port(), udp]) {
        place.copy_from_slice(&value.to_be_bytes());
    }
    sum.add(&header);
    sum.add(payload);
    // Zero would mean that there is none.
    let check = match sum.finish() {
        0 => u16::MAX,
        check => check,
    };
    header[6..].copy_from_slice(&check.to_be_bytes());
    out.extend_from_slice(&header);
    out.extend_from_slice(payload);
}

/// The Internet checksum, RFC 1071. Every part but the last must have an even length.
#[derive(Default)]
struct Checksum(u32);

impl Checksum {
    fn add(&mut self, bytes: &[u8]) {
        for pair in bytes.chunks(2) {
            let word = u16::from_be_bytes([pair[0], pair.get(1).copied().unwrap_or(0)]);
            self.0 += u32::from(word);
            self.0 = (self.0 & 0xffff) + (self.0 >> 16);
        }
    }

    fn finish(&self) -> u16 {
        !(self.0 as u16)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hex_literal::hex;

    #[test]
    fn the_file_begins_as_every_capture_file() {
        let mut out = Vec::new();
        file_header(&mut out);
        assert_eq!(out, hex!("d4c3b2a1 0200 0400 00000000 00000000 ffff0000 65000000"));
    }

    /// A presence ping from 10.0.0.1:1024 to 10.0.0.2:623; checksums computed by hand.
    #[test]
    fn an_ipv4_datagram() {
        let mut out = Vec::new();
        let payload = hex!("0600ff06000011be80000000");
        let time = Duration::new(1_700_000_000, 1_500);
        record(time, "10.0.0.1:1024".parse().unwrap(), "10.0.0.2:623".parse().unwrap(), &payload, &mut out);
        assert_eq!(out[..16], hex!("00f15365 01000000 28000000 28000000"));
        assert_eq!(out[16..36], hex!("4500 0028 0000 4000 4011 26c3 0a000001 0a000002"));
        assert_eq!(out[36..42], hex!("0400 026f 0014"));
        assert_eq!(out[44..], payload);
        assert!(sums_to_zero(&[&out[16..36]]));
        assert!(sums_to_zero(&[&out[28..36], &hex!("0011 0014"), &out[36..]]));
    }

    #[test]
    fn an_ipv6_datagram_of_odd_length() {
        let mut out = Vec::new();
        record(Duration::ZERO, "[fe80::1]:1".parse().unwrap(), "[::1]:623".parse().unwrap(), &[1, 2, 3], &mut out);
        assert_eq!(out[16..24], hex!("60000000 000b 11 40"));
        assert_eq!(out[8..12], 51u32.to_le_bytes());
        assert!(sums_to_zero(&[&out[24..56], &hex!("0011 000b"), &out[56..]]));
    }

    #[test]
    fn what_fits_no_packet_is_left_out() {
        let mut out = vec![9];
        record(Duration::ZERO, "10.0.0.1:1".parse().unwrap(), "[::1]:2".parse().unwrap(), &[1], &mut out);
        record(Duration::ZERO, "10.0.0.1:1".parse().unwrap(), "10.0.0.2:2".parse().unwrap(), &[0; 65535], &mut out);
        assert_eq!(out, [9]);
    }

    fn sums_to_zero(parts: &[&[u8]]) -> bool {
        let mut sum = Checksum::default();
        parts.iter().for_each(|part| sum.add(part));
        sum.finish() == 0
    }
}
