//! ASF presence: is there a BMC? IPMI 2.0 section 13.2.3, `lan-protocol.md` section 2.1.

use ipmi_sim_core::wire::{asf, rmcp};

/// The datagram of a presence ping; `tag` comes back in the pong.
pub fn ping(tag: u8) -> Vec<u8> {
    let mut datagram = Vec::with_capacity(12);
    rmcp::Repr { sequence: rmcp::SEQUENCE_NO_ACK, class: rmcp::Class::Asf }.emit(&mut datagram);
    asf::Ping { tag }.emit(&mut datagram);
    datagram
}

/// Whether a datagram is a pong that says there is IPMI.
pub fn is_pong(datagram: &[u8]) -> bool {
    let Ok(header) = rmcp::Repr::parse(datagram) else { return false };
    header.class == rmcp::Class::Asf
        && datagram.get(rmcp::HEADER_LENGTH..).is_some_and(|rest| asf::Pong::parse(rest).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_pong_with_ipmi_is_an_answer() {
        let mut pong = Vec::new();
        rmcp::Repr { sequence: rmcp::SEQUENCE_NO_ACK, class: rmcp::Class::Asf }.emit(&mut pong);
        let mut farewell = pong.clone();
        asf::Pong { tag: 1 }.emit(&mut pong);
        asf::Farewell.emit(&mut farewell);
        assert!(is_pong(&pong));
        assert!(!is_pong(&farewell) && !is_pong(&ping(1)) && !is_pong(&[]));
        assert!(!(0..pong.len()).any(|length| is_pong(&pong[..length])));
    }
}
