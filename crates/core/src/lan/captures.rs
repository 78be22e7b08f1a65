//! Known answers: logins other programs made, computed anew (`tests/data/captures`).

use crate::crypto::rakp::{Dialect, Exchange};
use crate::crypto::suite::{Authentication, Confidentiality, Integrity};
use crate::crypto::{Cipher, Secret, Signer, Suite, auth_code};
use crate::wire::ipmb::Message;
use crate::wire::rakp::{OpenSessionResponse, Rakp1, Rakp2, Rakp3, Rakp4, Status};
use crate::wire::rmcp;
use crate::wire::session15::{AuthType, Packet};
use crate::wire::session20::{FORMAT, HEADER_LENGTH, Header, PayloadType};

/// User name and password in all of them.
const ADMIN: &[u8; 5] = b"admin";

fn password<const N: usize>() -> Secret<N> {
    let mut bytes = [0; N];
    bytes[..5].copy_from_slice(ADMIN);
    Secret::new(bytes)
}

/// The packets of a capture behind their RMCP headers.
fn packets(text: &str) -> Vec<Vec<u8>> {
    let hex = |word: &str| -> Vec<u8> {
        word.as_bytes()
            .chunks(2)
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
            .collect()
    };
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let datagrams = lines.map(|line| hex(line.strip_prefix("> ").or(line.strip_prefix("< ")).unwrap()));
    datagrams.map(|datagram| datagram[rmcp::HEADER_LENGTH..].to_vec()).collect()
}

/// The payload of the first packet of a type.
fn payload(packets: &[Vec<u8>], wanted: PayloadType) -> &[u8] {
    packets
        .iter()
        .filter(|packet| packet[0] == FORMAT)
        .map(|packet| (Header::parse(packet).unwrap(), packet))
        .find(|(header, _)| header.payload_type == wanted)
        .map(|(header, packet)| &packet[HEADER_LENGTH..header.payload_end()])
        .unwrap()
}

/// Who made a login, as far as it shows in it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Manner {
    /// As the specification has it.
    Standard,
    /// As early Intel BMCs wanted it.
    Intel,
}

/// Computes a login by RMCP+ anew, and every packet of its session.
fn check_rmcp_plus(text: &str, suite: u8, dialect: Dialect, manner: Manner) {
    let packets = packets(text);
    let open = OpenSessionResponse::parse(payload(&packets, PayloadType::OpenSessionResponse)).unwrap().unwrap();
    let rakp1 = Rakp1::parse(payload(&packets, PayloadType::Rakp1)).unwrap();
    let rakp2 = Rakp2::parse(payload(&packets, PayloadType::Rakp2)).unwrap().unwrap();
    let rakp3 = Rakp3::parse(payload(&packets, PayloadType::Rakp3)).unwrap();
    let rakp4 = Rakp4::parse(payload(&packets, PayloadType::Rakp4)).unwrap().unwrap();
    let suite = Suite::from_id(suite).unwrap();
    let authentication = open.algorithms.authentication.and_then(Authentication::from_wire);
    let integrity = open.algorithms.integrity.and_then(Integrity::from_wire);
    let confidentiality = open.algorithms.confidentiality.and_then(Confidentiality::from_wire);
    assert_eq!(authentication, Some(suite.authentication));
    assert_eq!((integrity, confidentiality), (Some(suite.integrity), Some(suite.confidentiality)));

    let exchange = Exchange {
        authentication: suite.authentication,
        console_id: open.console_id,
        bmc_id: open.bmc_id,
        console_random: rakp1.random,
        bmc_random: rakp2.random,
        guid: rakp2.guid,
        role: rakp1.role,
        name: rakp1.name.unwrap(),
        dialect,
    };
    assert_eq!(exchange.rakp2_code(&password()).bytes(), rakp2.code);
    assert_eq!(rakp3.status, Status::OK);
    let third = if manner == Manner::Intel { exchange.with_bare_role() } else { exchange };
    assert_eq!(third.name, ADMIN);
    assert_eq!(third.rakp3_code(&password()).bytes(), rakp3.code);
    let mut key = exchange.session_key(&password());
    let check_value = key.as_mut().map(|key| exchange.rakp4_check_value(key));
    if manner == Manner::Standard || !rakp4.check_value.is_empty() {
        assert_eq!(check_value.as_ref().map_or(&[][..], |value| value.bytes()), rakp4.check_value);
    }

    let mut signer = Signer::new(suite.integrity, key.as_mut(), dialect, &password());
    let cipher = Cipher::new(suite.confidentiality, key.as_mut(), dialect);
    let mut messages = 0;
    for packet in packets.iter().filter(|packet| packet[0] == FORMAT) {
        let header = Header::parse(packet).unwrap();
        if header.session_id == 0 {
            continue;
        }
        assert_eq!((header.authenticated, header.encrypted), (signer.is_some(), cipher.is_some()));
        if let Some(signer) = &mut signer {
            let (signed, code) = packet.split_at(packet.len() - signer.length());
            assert!(signer.verify(signed, code));
        }
        let mut bytes = packet[HEADER_LENGTH..header.payload_end()].to_vec();
        let plain = match &cipher {
            Some(cipher) => cipher.decrypt(&mut bytes).unwrap(),
            None => &mut bytes,
        };
        Message::parse(plain).unwrap();
        messages += 1;
    }
    // Privilege, device id and close, each with its response, at the least.
    assert!(messages >= 6, "{messages}");
}

/// Computes every authentication code of a login by IPMI 1.5 anew.
fn check_ipmi15(text: &str, auth_type: AuthType, algorithm: auth_code::Algorithm) {
    let mut codes = 0;
    for packet in packets(text) {
        let packet = Packet::parse(&packet).unwrap();
        Message::parse(packet.message).unwrap();
        let Some(code) = packet.code else { continue };
        let header = packet.header;
        assert_eq!(header.auth_type, auth_type);
        assert_eq!(algorithm.code(&password(), header.session_id, header.sequence, packet.message), *code);
        codes += 1;
    }
    assert!(codes >= 8, "{codes}");
}

macro_rules! capture {
    ($name:literal) => {
        include_str!(concat!("../../tests/data/captures/", $name, ".txt"))
    };
}

#[test]
fn every_suite_as_freeipmi_computes_it() {
    for (suite, text) in [
        (1, capture!("freeipmi-suite-1")),
        (2, capture!("freeipmi-suite-2")),
        (3, capture!("freeipmi-suite-3")),
        (6, capture!("freeipmi-suite-6")),
        (7, capture!("freeipmi-suite-7")),
        (8, capture!("freeipmi-suite-8")),
        (11, capture!("freeipmi-suite-11")),
        (12, capture!("freeipmi-suite-12")),
        (15, capture!("freeipmi-suite-15")),
        (16, capture!("freeipmi-suite-16")),
        (17, capture!("freeipmi-suite-17")),
    ] {
        check_rmcp_plus(text, suite, Dialect::Common, Manner::Standard);
    }
}

#[test]
fn suites_as_freeipmi_computes_them_for_intel() {
    for (suite, text) in [
        (1, capture!("freeipmi-intel20-suite-1")),
        (3, capture!("freeipmi-intel20-suite-3")),
        (8, capture!("freeipmi-intel20-suite-8")),
        (17, capture!("freeipmi-intel20-suite-17")),
    ] {
        check_rmcp_plus(text, suite, Dialect::Common, Manner::Intel);
    }
}

#[test]
fn suites_as_ipmitool_computes_them() {
    check_rmcp_plus(capture!("ipmitool-suite-8"), 8, Dialect::Common, Manner::Standard);
    check_rmcp_plus(capture!("ipmitool-suite-17"), 17, Dialect::Common, Manner::Standard);
}

#[test]
fn suites_as_openipmi_computes_them() {
    for (suite, text) in
        [(3, capture!("openipmi-suite-3")), (8, capture!("openipmi-suite-8")), (12, capture!("openipmi-suite-12"))]
    {
        check_rmcp_plus(text, suite, Dialect::OpenIpmi, Manner::Standard);
    }
}

#[test]
fn types_of_ipmi_1_5_as_freeipmi_computes_them() {
    check_ipmi15(capture!("freeipmi-md2"), AuthType::Md2, auth_code::Algorithm::Md2);
    check_ipmi15(capture!("freeipmi-md5"), AuthType::Md5, auth_code::Algorithm::Md5);
    check_ipmi15(capture!("freeipmi-straight"), AuthType::Straight, auth_code::Algorithm::Straight);
}
