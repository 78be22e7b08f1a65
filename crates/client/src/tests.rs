//! The LAN channel of the core as clients and attackers meet it, in virtual time. S-numbers are those of
//! `lan-protocol.md` section 15.

mod attacks;
mod bench;

use hex_literal::hex;
use ipmi_sim_core::ipmi::{AuthTypes, ChannelNumber, Moment, Privilege, SessionId};
use ipmi_sim_core::lan::Event;
use ipmi_sim_core::lan::testing::{Dice, Site};
use ipmi_sim_core::wire::ipmb::Message;
use ipmi_sim_core::wire::rakp::Status;
use ipmi_sim_core::wire::session15::AuthType;
use ipmi_sim_core::wire::session20::PayloadType;
use ipmi_sim_crypto::rakp::Dialect;
use ipmi_sim_crypto::suite::SUITES;

use crate::testing::*;
use bench::{Bench, Handed, Work};

const AUTH_TYPES: [AuthType; 4] = [AuthType::None, AuthType::Md2, AuthType::Md5, AuthType::Straight];

/// A bench on which everything is open.
fn open_bench() -> Bench {
    let mut bench = Bench::new();
    bench.site.allow_none();
    bench
}

/// One client of every kind, each with its own bench.
fn every_client() -> Vec<(String, Bench, Client)> {
    let mut clients = Vec::new();
    for suite in SUITES {
        let mut bench = open_bench();
        let client = Login20::suite(suite.id).run(&mut bench).unwrap();
        clients.push((format!("suite {}", suite.id), bench, client));
    }
    for auth_type in AUTH_TYPES {
        let mut bench = open_bench();
        let client = Login15 { auth_type, ..Default::default() }.run(&mut bench).unwrap();
        clients.push((format!("{auth_type:?}"), bench, client));
    }
    clients
}

// ---- Discovery ----

#[test]
fn presence_ping() {
    let pong = one(Bench::new().send(&hex!("0600ff06 000011be 80 2a 00 00")));
    assert_eq!(pong, hex!("0600ff06 000011be 402a0010 000011be 00000000 8100 000000000000"));
}

#[test]
fn recorded_authentication_capabilities() {
    let mut bench = open_bench();
    bench.site.add_user(1, "", "test", Privilege::User);
    let ask = |bench: &mut Bench, data: &[u8]| answer_outside(&one(bench.send(&sessionless15(6, 0x38, data))));
    let recorded = hex!("0600ff07 00 00000000 00000000 09 2018c88100388e04b5");
    let response = one(bench.send(&recorded));
    assert_eq!(response, hex!("0600ff07 00 00000000 00000000 10 811c6320003800 019706030000000007"));
    assert_eq!(ask(&mut bench, &[0x0e, 4]), hex!("00 01 17 06 00 00 00 00 00"));
    bench.site.add_user(1, "", "", Privilege::User);
    assert_eq!(ask(&mut bench, &[0x01, 0x14]), hex!("00 01 17 05 00 00 00 00 00"));
    let mut keyed = Bench::new();
    keyed.site.bmc_key = Some([7; 20]);
    keyed.site.allow_none();
    assert_eq!(ask(&mut keyed, &[0x8e, 4]), hex!("00 01 97 24 03 00 00 00 00"));
}

#[test]
fn authentication_capabilities_refuse_what_makes_no_sense() {
    let mut bench = Bench::new();
    bench.site.limit = Privilege::Operator;
    // S5: privilege 0 among them.
    for (data, code) in
        [(&[0x0e][..], 0xc7), (&[2, 2], 0xcc), (&[0x0e, 0], 0xcc), (&[0x0e, 4], 0xcc), (&[0x0e, 5], 0xcc)]
    {
        assert_eq!(answer_outside(&one(bench.send(&sessionless15(6, 0x38, data)))), [code], "{data:02x?}");
    }
    assert_eq!(answer_outside(&one(bench.send(&sessionless15(6, 0x38, &[0x0e, 3]))))[0], 0);
}

#[test]
fn answers_have_the_format_of_the_request() {
    let mut bench = Bench::new();
    let answer15 = one(bench.send(&sessionless15(6, 0x54, &[0x0e, 0, 0x80])));
    let answer20 = one(bench.send(&sessionless20(PayloadType::Ipmi, &request(0, 6, 0x54, &[0x0e, 0, 0x80]))));
    assert_eq!((answer15[4], answer20[4]), (0, 6));
    assert_eq!(answer_outside(&answer15), answer_outside(&answer20));
}

fn suite_list(bench: &mut Bench, list: u8) -> Vec<u8> {
    let mut bytes = Vec::new();
    for index in 0.. {
        let response = answer_outside(&one(bench.send(&sessionless15(6, 0x54, &[0x0e, 0, list | index]))));
        assert_eq!(response[..2], [0, 1]);
        bytes.extend_from_slice(&response[2..]);
        if response.len() < 18 {
            break;
        }
    }
    bytes
}

#[test]
fn only_suites_that_work_and_are_open_are_advertised() {
    let suites = |bench: &mut Bench| -> Vec<u8> {
        let list = suite_list(bench, 0x80);
        assert_eq!(list.len() % 5, 0);
        list.chunks(5).map(|record| record[1]).collect()
    };
    let mut bench = Bench::new();
    assert_eq!(suites(&mut bench), [1, 2, 3, 6, 7, 8, 11, 12, 15, 16, 17]);
    assert_eq!(suite_list(&mut bench, 0x80)[10..15], hex!("c003014181"));
    assert_eq!(suite_list(&mut bench, 0), hex!("010203 4041424344 8081"));
    bench.site.allow_none();
    assert_eq!(suites(&mut bench), [0, 1, 2, 3, 6, 7, 8, 11, 12, 15, 16, 17]);
    bench.site.cipher_privileges = hex!("00 00 40 00 00 00 00 00 00");
    assert_eq!(suites(&mut bench), [3]);
    assert_eq!(suite_list(&mut bench, 0), hex!("01 41 81"));
}

#[test]
fn cipher_suites_of_other_channels() {
    let mut bench = Bench::new();
    for (data, code) in [(&[0x0e, 0][..], 0xc7), (&[0, 0, 0x80], 0xcc), (&[15, 0, 0x80], 0xcc), (&[5, 0, 0x80], 0xcb)] {
        assert_eq!(answer_outside(&one(bench.send(&sessionless15(6, 0x54, data)))), [code]);
    }
    // Another LAN channel of the same controller is told about, with its own limits.
    let other = Site { cipher_privileges: hex!("00 00 40 00 00 00 00 00 00"), ..Site::default() };
    bench.site.neighbour = Some((ChannelNumber::from_wire(5), Box::new(other)));
    let response = answer_outside(&one(bench.send(&sessionless15(6, 0x54, &[5, 0, 0x80]))));
    assert_eq!(response, hex!("00 05 c003014181"));
    let mut client = Login20::default().run(&mut bench).unwrap();
    assert_eq!(client.ask(&mut bench, 6, 0x54, &[5, 0, 0x80]), hex!("00 05 c003014181"));
}

#[test]
fn other_requests_outside_sessions() {
    let mut bench = Bench::new();
    let get_device_id = one(bench.send(&sessionless15(6, 1, &[])));
    assert_eq!(get_device_id[13..], hex!("08 811c63200001d50a"));
    assert_eq!(answer_outside(&one(bench.send(&sessionless15(0, 0x38, &[0x0e, 4])))), [0xd5]);
    let guid = answer_outside(&one(bench.send(&sessionless15(6, 0x37, &[]))));
    assert_eq!((guid[0], &guid[1..]), (0, &GUID[..]));
    assert!(bench.send(&sessionless15(7, 0x38, &[0x0e, 4])).is_empty(), "responses are dropped");
    let mut with_sequence = sessionless15(6, 0x38, &[0x0e, 4]);
    with_sequence[5] = 1;
    assert!(bench.send(&with_sequence).is_empty());
    assert_eq!(bench.requests(), 0);
}

// ---- Logging in ----

#[test]
fn every_client_logs_in_and_gets_answers() {
    for (kind, mut bench, mut client) in every_client() {
        assert_eq!(client.limit, 4, "{kind}");
        assert_eq!(client.ask(&mut bench, 6, 1, &[]), [0, 1], "{kind}");
        assert_eq!(client.ask(&mut bench, 6, 0x3b, &[4]), [0, 4], "{kind}");
        for length in 0..60 {
            let data = vec![0x5a; length];
            client.ask(&mut bench, 0, 2, &data);
            let Some(Handed::Request { netfn: 0, cmd: 2, data: got, privilege }) = bench.handed.last() else {
                panic!("{kind}")
            };
            assert_eq!((got, *privilege), (&data, Some(Privilege::Administrator)));
        }
        assert_eq!(client.ask(&mut bench, 6, 0x3c, &client.session.to_le_bytes()), [0], "{kind}");
        assert_eq!(bench.channel.active_sessions(), 0);
        assert_eq!(bench.events.last(), Some(&Event::Closed { session: client.session }));
    }
}

#[test]
fn md5_suites_take_keys_of_both_dialects() {
    for suite in [6, 7, 8, 11, 12] {
        for dialect in [Dialect::Common, Dialect::OpenIpmi] {
            let mut bench = Bench::new();
            let mut client = Login20 { dialect, ..Login20::suite(suite) }.run(&mut bench).unwrap();
            for _ in 0..3 {
                assert_eq!(client.ask(&mut bench, 6, 1, &[])[0], 0, "suite {suite}, {dialect:?}");
            }
        }
    }
}

#[test]
fn a_bmc_key_is_a_second_secret() {
    let key = *b"abcdefghijklmnopqrs\0";
    for suite in [3, 8, 12, 17] {
        let mut bench = Bench::new();
        bench.site.bmc_key = Some(key);
        let mut client = Login20 { key: Some(key), ..Login20::suite(suite) }.run(&mut bench).unwrap();
        assert_eq!(client.ask(&mut bench, 6, 1, &[])[0], 0);
    }
}

#[test]
fn a_password_of_twenty_bytes() {
    let mut bench = Bench::new();
    bench.site.add_user(3, "long", "0123456789abcdefghij", Privilege::Administrator);
    for suite in [3, 8, 11, 12, 17] {
        let login = Login20 { user: "long", password: "0123456789abcdefghij", ..Login20::suite(suite) };
        let mut client = login.run(&mut bench).unwrap();
        assert_eq!(client.ask(&mut bench, 6, 1, &[])[0], 0);
    }
    let wrong = Login20 { user: "long", password: "0123456789abcdefghix", ..Login20::default() };
    assert_eq!(wrong.run(&mut bench).err(), Some(Status::INVALID_CHECK_VALUE));
}

#[test]
fn the_anonymous_user() {
    let mut bench = Bench::new();
    bench.site.add_user(1, "", "secret", Privilege::Operator);
    let client = Login20 { user: "", password: "secret", ..Default::default() }.run(&mut bench).unwrap();
    assert_eq!(client.limit, 3);
    let client = Login15 { user: "", password: "secret", privilege: 3, ..Default::default() }.run(&mut bench).unwrap();
    assert_eq!(client.limit, 3);
}

#[test]
fn ids_are_even_random_and_unique() {
    let mut bench = Bench::new();
    let mut ids = std::collections::HashSet::new();
    for _ in 0..50 {
        ids.insert(Login20::default().run(&mut bench).unwrap().session.0);
        ids.insert(Login15::default().run(&mut bench).unwrap().session.0);
    }
    assert_eq!(ids.len(), 100);
    assert!(ids.iter().all(|id| id & 1 == 0 && *id != 0));
    assert!(ids.iter().any(|id| id >> 24 != 0), "not a counter");
}

#[test]
fn wrong_passwords_open_nothing() {
    for suite in SUITES.iter().filter(|suite| suite.id != 0) {
        let mut bench = open_bench();
        let login = Login20 { password: "wrong", ..Login20::suite(suite.id) };
        let mut handshake = login.open(&mut bench).unwrap();
        let rakp2 = one(bench.send(&handshake.rakp1()));
        assert_eq!(handshake.take_rakp2(&rakp2), Ok(false), "the client could notice");
        let rakp4 = one(bench.send(&handshake.rakp3()));
        assert_eq!(setup_payload(PayloadType::Rakp4, &rakp4), hex!("09 0f 00 00 44332211"));
        let mut client = handshake.client();
        assert!(bench.send(&client.request(6, 1, &[])).is_empty());
        assert_eq!((bench.channel.active_sessions(), bench.requests()), (0, 0));
        assert!(bench.log()[0].contains("login of user \"ipmiusr\" from 192.0.2.1:50000 failed: wrong password"));
    }
    for auth_type in [AuthType::Md2, AuthType::Md5, AuthType::Straight] {
        let mut bench = open_bench();
        let login = Login15 { auth_type, password: "wrong", ..Default::default() };
        assert_eq!(login.run(&mut bench).err(), Some(None), "silence: nothing could be signed");
        assert_eq!(bench.channel.active_sessions(), 0);
        assert!(bench.log()[0].contains("wrong authentication code"));
    }
}

#[test]
fn a_client_that_gives_up_says_so_and_hears_nothing() {
    let mut bench = Bench::new();
    let mut handshake = Login20::default().open(&mut bench).unwrap();
    handshake.take_rakp2(&one(bench.send(&handshake.rakp1()))).unwrap();
    assert!(bench.send(&handshake.rakp3_with(Status::INVALID_CHECK_VALUE)).is_empty());
    assert!(bench.send(&handshake.rakp3()).is_empty(), "the login is over");
    assert!(bench.log()[0].contains("the client refuses RAKP message 2"));
}

#[test]
fn unknown_users() {
    let mut bench = Bench::new();
    let login = Login20 { user: "nobody", ..Default::default() };
    let handshake = login.open(&mut bench).unwrap();
    let rakp2 = one(bench.send(&handshake.rakp1()));
    assert_eq!(setup_payload(PayloadType::Rakp2, &rakp2), hex!("08 0d 00 00 44332211"));
    assert!(bench.send(&handshake.rakp1()).is_empty(), "the login is over");
    assert_eq!(Login15 { user: "nobody", ..Default::default() }.run(&mut bench).err(), Some(Some(0x81)));
    assert_eq!(Login15 { user: "", ..Default::default() }.run(&mut bench).err(), Some(Some(0x82)));
}

#[test]
fn open_session_refuses_with_eight_bytes() {
    let mut bench = Bench::new();
    let good = Login20::default().open_request(4);
    // Where to change what in the datagram, and the status it brings.
    for (changes, status) in [
        (&[(17usize, 5u8)][..], 0x12),
        (&[(20, 0), (21, 0), (22, 0), (23, 0)], 0x02),
        (&[(24, 1)], 0x12),
        (&[(28, 9)], 0x04),
        (&[(36, 9)], 0x05),
        (&[(44, 2)], 0x10),
        (&[(28, 2)], 0x11),
        (&[(28, 0), (36, 0), (44, 0)], 0x11),
    ] {
        let mut request = good.clone();
        changes.iter().for_each(|(at, value)| request[*at] = *value);
        let response = one(bench.send(&request));
        let payload = setup_payload(PayloadType::OpenSessionResponse, &response);
        assert_eq!((payload.len(), payload[0], payload[1]), (8, 7, status), "{changes:?}");
        assert_eq!(payload[4..8], request[20..24]);
    }
    let mut short = good[..good.len() - 8].to_vec();
    short[14] = 24;
    let response = one(bench.send(&short));
    assert_eq!(setup_payload(PayloadType::OpenSessionResponse, &response), hex!("07 12 00 00 44332211"));
}

#[test]
fn open_session_tells_the_real_maximum() {
    let privilege = |bench: &mut Bench, asked| {
        let response = one(bench.send(&Login20::default().open_request(asked)));
        let payload = setup_payload(PayloadType::OpenSessionResponse, &response).to_vec();
        (payload[1], payload[2])
    };
    let mut bench = Bench::new();
    assert_eq!(privilege(&mut bench, 0), (0, 4));
    assert_eq!(privilege(&mut bench, 3), (0, 3));
    bench.site.limit = Privilege::Operator;
    bench.now = bench.now + std::time::Duration::from_secs(20);
    assert_eq!(privilege(&mut bench, 0), (0, 3));
    assert_eq!(privilege(&mut bench, 4).0, 0x0a);
    bench.site.cipher_privileges = [0x22; 9];
    assert_eq!(privilege(&mut bench, 3).0, 0x0a);
    assert_eq!(privilege(&mut bench, 2), (0, 2));
}

#[test]
fn algorithms_left_to_the_bmc_are_suite_3() {
    let mut bench = Bench::new();
    let mut request = Login20::default().open_request(4);
    [27, 35, 43].iter().for_each(|at| request[*at] = 0);
    let response = one(bench.send(&request));
    let payload = setup_payload(PayloadType::OpenSessionResponse, &response);
    assert_eq!(payload[12..], hex!("0000000801000000 0100000801000000 0200000801000000"));
}

// ---- Privilege ----

#[test]
fn sessions_start_at_user_and_reach_their_limit() {
    for limit in 1..=4 {
        let level = Privilege::from_wire(limit).unwrap();
        let mut bench = Bench::new();
        bench.site.add_user(3, "some", "pw", level);
        let client = Login20 { user: "some", password: "pw", ..Default::default() }.run(&mut bench).unwrap();
        let client15 = Login15 { user: "some", password: "pw", privilege: limit, ..Default::default() };
        for mut client in [client, client15.run(&mut bench).unwrap()] {
            // S16: whatever the role asked for; S17: not above callback.
            assert_eq!(client.limit, limit);
            let start = bench.channel.session(client.session).unwrap().privilege;
            assert_eq!(start.wire(), limit.min(2));
            let expected = |asked: u8| match asked {
                _ if limit == 1 => vec![0xd4],
                1 => vec![0x80],
                asked if asked > limit => vec![0x81],
                asked => vec![0, asked],
            };
            for asked in 1..=5 {
                assert_eq!(client.ask(&mut bench, 6, 0x3b, &[asked]), expected(asked), "limit {limit}");
            }
            let now = bench.channel.session(client.session).unwrap().privilege.wire();
            assert_eq!(now, limit);
            if limit > 1 {
                assert_eq!(client.ask(&mut bench, 6, 0x3b, &[0]), [0, limit]);
            }
        }
    }
}

#[test]
fn a_channel_whose_limit_drops_binds_sessions_that_are_open() {
    for (kind, mut bench, mut client) in every_client() {
        assert_eq!(client.ask(&mut bench, 6, 0x3b, &[3]), [0, 3], "{kind}");
        bench.site.limit = Privilege::User;
        assert_eq!(client.ask(&mut bench, 6, 0x3b, &[4]), [0x81], "{kind}");
        assert_eq!(client.ask(&mut bench, 6, 0x3b, &[3]), [0x81], "{kind}");
        assert_eq!(client.ask(&mut bench, 6, 0x3b, &[0]), [0, 2], "{kind}: what is left of it");
        assert_eq!(client.ask(&mut bench, 6, 0x3b, &[2]), [0, 2], "{kind}");
        bench.site.limit = Privilege::Administrator;
        assert_eq!(client.ask(&mut bench, 6, 0x3b, &[4]), [0, 4], "{kind}");
    }
}

/// What early Intel BMCs did in RAKP Message 3, and clients do for them: freeipmi's
/// `intel20`, ipmitool's `intelplus`, OpenIPMI's `rakp3_wrong_rolem`.
#[test]
fn rakp_3_with_a_bare_role_proves_the_password_too() {
    for suite in [1, 2, 3, 6, 7, 8, 11, 12, 15, 16, 17] {
        for (user, check_value) in [("ipmiusr", true), ("ipmiusr\0\0\0\0\0\0\0\0\0", matches!(suite, 2 | 3 | 7 | 8))] {
            let mut bench = Bench::new();
            let login = Login20 { user, ..Login20::suite(suite) };
            let mut handshake = login.open(&mut bench).unwrap();
            let rakp2 = one(bench.send(&handshake.rakp1()));
            assert!(handshake.take_rakp2(&rakp2).unwrap());
            let rakp4 = one(bench.send(&handshake.bare_rakp3()));
            if check_value {
                handshake.take_rakp4(&rakp4).unwrap();
            } else {
                assert_eq!(setup_payload(PayloadType::Rakp4, &rakp4).len(), 8, "suite {suite}: nothing to check");
            }
            assert_eq!(one(bench.send(&handshake.bare_rakp3())), rakp4, "suite {suite}: once more");
            let mut client = handshake.client();
            assert_eq!(client.ask(&mut bench, 6, 0x3b, &[4]), [0, 4], "suite {suite}");
        }
    }
    // With another password it proves nothing.
    let mut bench = Bench::new();
    let login = Login20 { password: "wrong", ..Default::default() };
    let mut handshake = login.open(&mut bench).unwrap();
    let rakp2 = one(bench.send(&handshake.rakp1()));
    assert!(!handshake.take_rakp2(&rakp2).unwrap());
    let rakp4 = one(bench.send(&handshake.bare_rakp3()));
    assert_eq!(handshake.take_rakp4(&rakp4), Err(Status::INVALID_CHECK_VALUE));
}

#[test]
fn users_without_access_stay_outside() {
    let mut bench = Bench::new();
    bench.site.users.get_mut(&2).unwrap().limit = None;
    let handshake = Login20::default().open(&mut bench).unwrap();
    assert_eq!(setup_payload(PayloadType::Rakp2, &one(bench.send(&handshake.rakp1())))[1], 0x0d);
    assert_eq!(Login15::default().run(&mut bench).err(), Some(Some(0x86)));
}

#[test]
fn activation_checks_level_type_and_sequence() {
    let mut bench = Bench::new();
    let run = |bench: &mut Bench, login: Login15| login.run(bench).err();
    // S5: privilege 0.
    assert_eq!(run(&mut bench, Login15 { privilege: 0, ..Default::default() }), Some(Some(0xcc)));
    assert_eq!(run(&mut bench, Login15 { privilege: 5, ..Default::default() }), Some(Some(0x86)));
    assert_eq!(run(&mut bench, Login15 { outbound: 0, ..Default::default() }), Some(Some(0x85)));
    bench.site.limit = Privilege::Operator;
    assert_eq!(run(&mut bench, Login15 { privilege: 4, ..Default::default() }), Some(Some(0x86)));
    bench.wait(10_000);
    bench.site.auth_types[2] = AuthTypes::MD2;
    assert_eq!(run(&mut bench, Login15 { privilege: 3, ..Default::default() }), Some(Some(0xcc)));
    bench.site.users.get_mut(&2).unwrap().auths = Some(AuthTypes::STRAIGHT);
    assert_eq!(run(&mut bench, Login15 { privilege: 2, ..Default::default() }), Some(Some(0xcc)));
    let straight = Login15 { privilege: 2, auth_type: AuthType::Straight, ..Default::default() };
    assert_eq!(run(&mut bench, straight), None);
    assert_eq!(bench.channel.active_sessions(), 1);
}

#[test]
fn without_password_only_where_none_is_listed() {
    // S3b, S14.
    let none = Login15 { auth_type: AuthType::None, password: "", ..Default::default() };
    let zero = Login20 { password: "", ..Login20::suite(0) };
    let mut bench = Bench::new();
    assert_eq!(none.run(&mut bench).err(), Some(Some(0xcc)));
    assert_eq!(zero.run(&mut bench).err(), Some(Status::NO_SUITE_MATCH));
    bench.site.allow_none();
    bench.site.users.get_mut(&2).unwrap().auths = Some(AuthTypes::MD5);
    assert_eq!(none.run(&mut bench).err(), Some(Some(0xcc)));
    assert_eq!(zero.run(&mut bench).err(), Some(Status::UNAUTHORIZED_NAME));
    bench.site.users.get_mut(&2).unwrap().auths = None;
    assert!(none.run(&mut bench).is_ok());
    assert_eq!(zero.run(&mut bench).unwrap().limit, 4);
    bench.site.auth_types[3] = AuthTypes::MD5;
    assert_eq!(zero.run(&mut bench).unwrap().limit, 3);
}

#[test]
fn closed_suites_cannot_be_opened() {
    let mut bench = Bench::new();
    // S15: suite 3 only, for operators.
    bench.site.cipher_privileges = hex!("00 00 30 00 00 00 00 00 00");
    for suite in SUITES {
        let outcome = Login20::suite(suite.id).run(&mut bench).map(|client| client.limit);
        assert_eq!(outcome, if suite.id == 3 { Ok(3) } else { Err(Status::NO_SUITE_MATCH) });
    }
}

// ---- Things that go wrong on the way ----

#[test]
fn set_up_messages_sent_again_get_the_same_answer() {
    for suite in SUITES {
        let mut bench = open_bench();
        let login = Login20::suite(suite.id);
        let open = login.open_request(0);
        let first = one(bench.send(&open));
        assert_eq!(one(bench.send(&open)), first);
        let mut handshake = login.open(&mut bench).unwrap();
        let rakp2 = one(bench.send(&handshake.rakp1()));
        assert_eq!(one(bench.send(&handshake.rakp1())), rakp2);
        handshake.take_rakp2(&rakp2).unwrap();
        let rakp4 = one(bench.send(&handshake.rakp3()));
        assert_eq!(one(bench.send(&handshake.rakp3())), rakp4);
        assert_eq!(bench.channel.active_sessions(), 1);
        handshake.take_rakp4(&rakp4).unwrap();
        let mut client = handshake.client();
        assert_eq!(client.ask(&mut bench, 6, 1, &[])[0], 0);
        // Once the session is in use, set-up is over (S13).
        assert!(bench.send(&handshake.rakp3()).is_empty());
        assert!(bench.send(&handshake.rakp1()).is_empty());
        assert_eq!(client.ask(&mut bench, 6, 1, &[])[0], 0);
        let opened = bench.events.iter().filter(|event| matches!(event, Event::Opened { .. })).count();
        assert_eq!(opened, 1);
    }
}

#[test]
fn a_resend_with_another_tag_gets_its_tag() {
    // FreeIPMI counts tags up.
    let mut bench = Bench::new();
    let mut handshake = Login20::default().open(&mut bench).unwrap();
    let rakp1 = handshake.rakp1();
    let rakp2 = one(bench.send(&rakp1));
    let mut other = rakp1.clone();
    other[16] = 0x55;
    let again = one(bench.send(&other));
    assert_eq!((again[16], &again[17..]), (0x55, &rakp2[17..]));
    handshake.take_rakp2(&rakp2).unwrap();
    let rakp3 = handshake.rakp3();
    let rakp4 = one(bench.send(&rakp3));
    let mut other = rakp3.clone();
    other[16] = 0x56;
    let again = one(bench.send(&other));
    assert_eq!((again[16], &again[17..]), (0x56, &rakp4[17..]));
}

#[test]
fn another_rakp_1_does_not_change_a_login() {
    let mut bench = Bench::new();
    bench.site.add_user(3, "other", "pw", Privilege::User);
    let handshake = Login20::default().open(&mut bench).unwrap();
    let rakp1 = handshake.rakp1();
    bench.send(&rakp1);
    for at in [24, 40, 44] {
        let mut other = rakp1.clone();
        other[at] ^= 1;
        assert!(bench.send(&other).is_empty(), "byte {at}");
    }
}

#[test]
fn activation_sent_again_gets_the_same_answer_and_one_session() {
    for auth_type in AUTH_TYPES {
        let mut bench = open_bench();
        let login = Login15 { auth_type, ..Default::default() };
        let (id, challenge) = login.challenge(&mut bench).unwrap();
        assert_eq!(id.0 & 1, 1);
        let activation = login.activation(id, &challenge);
        let first = one(bench.send(&activation));
        assert_eq!(one(bench.send(&activation)), first);
        assert_eq!(bench.channel.active_sessions(), 1);
        let mut client = login.take_activation(id, &first).unwrap();
        client.ask(&mut bench, 6, 1, &[]);
        // S28: a recording is worth nothing.
        assert!(bench.send(&activation).is_empty());
        bench.close_sessions_of_user(2);
        assert!(bench.send(&activation).is_empty());
        let other = Login15 { outbound: 77, ..login.clone() };
        assert!(bench.send(&other.activation(id, &challenge)).is_empty());
        assert_eq!(bench.channel.active_sessions(), 0);
    }
}

#[test]
fn the_first_answer_after_activation_has_a_new_number() {
    let mut bench = Bench::new();
    let login = Login15 { outbound: u32::MAX, ..Default::default() };
    let mut client = login.run(&mut bench).unwrap();
    let packet = client.request(6, 1, &[]);
    let response = one(bench.send(&packet));
    assert_eq!(client.read(&response).0, 1, "behind the last comes 1");
}

#[test]
fn outbound_numbers_of_rmcp_plus_start_at_one() {
    let mut bench = Bench::new();
    let mut client = Login20::default().run(&mut bench).unwrap();
    for expected in 1..5 {
        let packet = client.request(6, 1, &[]);
        let response = one(bench.send(&packet));
        assert_eq!(client.read(&response).0, expected);
    }
}

#[test]
fn a_packet_that_comes_again_is_answered_again_but_not_executed() {
    for (kind, mut bench, mut client) in every_client() {
        let packet = client.request(0, 2, &[2]);
        let response = one(bench.send(&packet));
        let (sequence, _, message) = client.read(&response);
        for _ in 0..20 {
            let again = one(bench.send(&packet));
            let (again_sequence, _, again_message) = client.read(&again);
            // S24: under the same number, so that replays use up nothing.
            assert_eq!((again_sequence, &again_message), (sequence, &message), "{kind}");
        }
        assert!(bench.send_from("192.0.2.66:50000", &packet).is_empty(), "{kind}: not for somebody else");
        assert_eq!(bench.requests(), 1, "{kind}");
        bench.wait(5001);
        assert!(bench.send(&packet).is_empty(), "{kind}");
        assert_eq!(bench.requests(), 1, "{kind}");
    }
}

#[test]
fn a_request_that_comes_again_is_answered_again_but_not_executed() {
    for (kind, mut bench, mut client) in every_client() {
        client.ask(&mut bench, 6, 0x3b, &[4]);
        let packet = client.request(0, 2, &[2]);
        let response = one(bench.send(&packet));
        let first = client.answer(&response);
        let again = client.again(0, 2, &[2]);
        let answer2 = one(bench.send(&again));
        assert_eq!(client.answer(&answer2), first, "{kind}");
        assert_ne!(client.read(&response).0, client.read(&answer2).0, "{kind}: a new packet gets a new number");
        assert_eq!(bench.requests(), 1, "{kind}");
        bench.wait(5001);
        let later = client.again(0, 2, &[2]);
        one(bench.send(&later));
        assert_eq!(bench.requests(), 2, "{kind}");
    }
}

#[test]
fn a_slow_request_is_executed_once_and_answered_once() {
    for (kind, mut bench, mut client) in every_client() {
        bench.work = Work::Slow;
        let packet = client.request(0, 2, &[2]);
        assert!(bench.send(&packet).is_empty());
        for _ in 0..6 {
            bench.wait(1000);
            let again = client.again(0, 2, &[2]);
            assert!(bench.send(&again).is_empty(), "{kind}");
            assert!(bench.send(&packet).is_empty(), "{kind}");
        }
        assert_eq!(bench.requests(), 1, "{kind}");
        let response = one(bench.finish());
        assert_eq!(client.answer(&response), [0, 0xaa], "{kind}");
        bench.wait(100);
        let again = client.again(0, 2, &[2]);
        let response = one(bench.send(&again));
        assert_eq!(client.answer(&response), [0, 0xaa], "{kind}");
        assert_eq!(bench.requests(), 1, "{kind}");
    }
}

#[test]
fn a_slow_request_resent_under_new_numbers_answers_each() {
    let mut bench = Bench::new();
    let mut client = Login20::default().run(&mut bench).unwrap();
    bench.work = Work::Slow;
    for _ in 0..3 {
        let packet = client.request(0, 2, &[2]);
        assert!(bench.send(&packet).is_empty());
    }
    assert_eq!(bench.requests(), 1);
    let responses = bench.finish();
    assert_eq!(responses.len(), 3);
    assert_eq!(client.answer(&responses[2]), [0, 0xaa]);
}

/// Both ends on a network that loses, doubles and reorders.
#[test]
fn every_command_is_executed_exactly_once_on_a_bad_network() {
    for (kind, mut bench, mut client) in every_client() {
        let mut dice = Dice(42);
        client.ask(&mut bench, 6, 0x3b, &[4]);
        for number in 0..300u32 {
            let before = bench.requests();
            let data = number.to_le_bytes();
            let mut packet = client.request(0, 2, &data);
            let mut held_back: Option<Vec<u8>> = None;
            let mut tries = 0;
            let response = loop {
                tries += 1;
                assert!(tries < 40);
                let mut arriving = Vec::new();
                match dice.below(4) {
                    0 => {}
                    1 => arriving.extend([packet.clone(), packet.clone()]),
                    2 => held_back = Some(packet.clone()),
                    _ => arriving.push(packet.clone()),
                }
                if dice.below(2) == 0 {
                    arriving.extend(held_back.take());
                }
                let responses: Vec<_> = arriving.iter().flat_map(|datagram| bench.send(datagram)).collect();
                if let Some(response) = responses.into_iter().find(|_| dice.below(3) != 0) {
                    break client.answer(&response);
                }
                bench.wait(300);
                packet = if dice.below(2) == 0 { client.again(0, 2, &data) } else { packet };
            };
            assert_eq!(bench.requests(), before + 1, "{kind}, command {number}");
            assert_eq!(response[0], 0);
            // Stay alive, and inside the window.
            bench.tick();
        }
    }
}

// ---- Attacks ----

/// Every datagram of a login and a session, cut at every length and with every byte
/// changed, panics nowhere and executes nothing it should not.
#[test]
fn malformed_datagrams() {
    for (kind, mut bench, mut client) in every_client() {
        let packet = client.request(0, 2, &[2, 3, 4]);
        for length in 0..packet.len() {
            bench.send(&packet[..length]);
        }
        assert_eq!(bench.requests(), 0, "{kind}: a cut packet was executed");
        let protected =
            kind != "suite 0" && kind != "suite 1" && kind != "suite 6" && kind != "suite 15" && kind != "None";
        if protected {
            // A straight password protects nothing but itself.
            let last = if kind == "Straight" { 30 } else { packet.len() };
            for at in (0..last).filter(|at| *at != 1) {
                for bit in 0..8 {
                    let mut changed = packet.clone();
                    changed[at] ^= 1 << bit;
                    bench.send(&changed);
                }
            }
            if kind != "Straight" {
                assert_eq!(bench.requests(), 0, "{kind}: a changed packet was executed");
            }
        }
        bench.now = bench.now + std::time::Duration::from_millis(1);
        assert_eq!(bench.channel.active_sessions(), 1, "{kind}");
    }
}

#[test]
fn malformed_logins() {
    let login = Login20::default();
    let mut bench = Bench::new();
    let mut handshake = login.open(&mut bench).unwrap();
    let rakp2 = one(bench.send(&handshake.rakp1()));
    handshake.take_rakp2(&rakp2).unwrap();
    let messages = [login.open_request(4), handshake.rakp1(), handshake.rakp3()];
    for message in &messages[..2] {
        for length in 0..message.len() {
            bench.send(&message[..length]);
            // With the length field set to what is left.
            if length >= 16 {
                let mut cut = message[..length].to_vec();
                cut[14] = (length - 16) as u8;
                bench.send(&cut);
            }
        }
    }
    assert_eq!(bench.channel.active_sessions(), 0);
    // S10: a code that is too short is wrong, not a longer one.
    let mut short = messages[2][..30].to_vec();
    short[14] = 14;
    let response = one(bench.send(&short));
    assert_eq!(setup_payload(PayloadType::Rakp4, &response)[1], 0x0f);
    assert!(bench.send(&messages[2]).is_empty());
    assert_eq!(bench.channel.active_sessions(), 0);
}

#[test]
fn garbage_is_survived() {
    let mut bench = open_bench();
    let mut client = Login20::suite(0).run(&mut bench).unwrap();
    let mut dice = Dice(7);
    let seeds = [
        sessionless15(6, 0x38, &[0x8e, 4]),
        sessionless15(6, 0x39, &[2; 17]),
        sessionless20(PayloadType::Ipmi, &request(0, 6, 0x54, &[0x0e, 0, 0x80])),
        Login20::default().open_request(4),
        client.request(6, 1, &[]),
        sessionless20(PayloadType::Rakp1, &[1; 40]),
        sessionless20(PayloadType::Rakp3, &[1; 40]),
        hex!("0600ff06 000011be 80 2a 00 00").to_vec(),
    ];
    for _ in 0..50_000 {
        let mut datagram = seeds[dice.below(seeds.len())].clone();
        for _ in 0..dice.below(4) {
            let at = dice.below(datagram.len());
            datagram[at] = dice.next() as u8;
        }
        if dice.below(3) == 0 {
            datagram.truncate(dice.below(datagram.len() + 1));
        }
        if dice.below(10) == 0 {
            datagram.resize(dice.below(1200), 0x55);
        }
        bench.send(&datagram);
        bench.wait(1);
        bench.tick();
    }
    let opened = bench.events.iter().filter(|event| matches!(event, Event::Opened { .. })).count();
    assert_eq!(opened, 1);
}

#[test]
fn lengths_that_point_outside_are_refused() {
    // S11.
    let mut bench = Bench::new();
    let mut request = sessionless15(6, 0x38, &[0x0e, 4]);
    request[13] += 1;
    assert!(bench.send(&request).is_empty());
    let mut open = Login20::default().open_request(4);
    open[14] += 1;
    assert!(bench.send(&open).is_empty());
    open[14] -= 1;
    open.push(0);
    assert_eq!(bench.send(&open).len(), 1, "bytes behind are allowed");
    assert!(bench.send(&[6; 1025]).is_empty());
}

#[test]
fn authentication_types_that_do_not_exist() {
    // S1, S2.
    let mut bench = Bench::new();
    let login = Login15::default();
    let (id, challenge) = login.challenge(&mut bench).unwrap();
    let activation = login.activation(id, &challenge);
    for auth_type in (3..=255).filter(|value| *value != 4) {
        let mut changed = activation.clone();
        changed[4] = auth_type;
        assert!(bench.send(&changed).is_empty(), "{auth_type}");
    }
    assert_eq!(bench.channel.active_sessions(), 0);
}

#[test]
fn header_and_body_must_agree_on_the_type() {
    // S3, S29.
    for header in AUTH_TYPES {
        for body in (0..16).filter(|body| *body != header as u8) {
            let mut bench = open_bench();
            let login = Login15 { auth_type: header, body_type: Some(body), ..Default::default() };
            assert_eq!(login.run(&mut bench).err(), Some(None), "{header:?} {body}");
            assert_eq!(bench.channel.active_sessions(), 0);
        }
    }
}

#[test]
fn packets_must_have_the_type_of_their_session() {
    // S4.
    for auth_type in [AuthType::Md2, AuthType::Md5, AuthType::Straight] {
        let mut bench = open_bench();
        let client = Login15 { auth_type, ..Default::default() }.run(&mut bench).unwrap();
        let mut plain = sessionless15(6, 1, &[]);
        plain[5..9].copy_from_slice(&client.sequence.to_le_bytes());
        plain[9..13].copy_from_slice(&client.session.to_le_bytes());
        assert!(bench.send(&plain).is_empty());
        assert_eq!(bench.requests(), 0);
    }
}

#[test]
fn challenges_expire() {
    let mut bench = Bench::new();
    let login = Login15::default();
    let (id, challenge) = login.challenge(&mut bench).unwrap();
    bench.wait(60_000);
    assert!(bench.send(&login.activation(id, &challenge)).is_empty());
    let (id, challenge) = login.challenge(&mut bench).unwrap();
    let mut wrong = challenge;
    wrong[15] ^= 1;
    assert!(bench.send(&login.activation(id, &wrong)).is_empty());
    bench.wait(59_000);
    assert_eq!(bench.send(&login.activation(id, &challenge)).len(), 1);
}

#[test]
fn nothing_is_executed_before_rakp_3() {
    // S8, S12, S12b.
    for suite in SUITES {
        let mut bench = open_bench();
        let mut handshake = Login20::suite(suite.id).open(&mut bench).unwrap();
        let try_all = |bench: &mut Bench, handshake: &Handshake20| {
            for cmd in [0x01, 0x37, 0x3a, 0x3b, 0x3c, 0x3d, 0x54] {
                let packet = handshake.client().request(6, cmd, &[4; 22]);
                assert!(bench.send(&packet).is_empty(), "suite {}, command {cmd:#x}", suite.id);
            }
            let sol = handshake.client().packet(PayloadType::Sol, &[1, 0, 0, 0, 65]);
            assert!(bench.send(&sol).is_empty());
        };
        try_all(&mut bench, &handshake);
        assert!(bench.send(&handshake.rakp3()).is_empty(), "RAKP message 3 without 1");
        let rakp2 = one(bench.send(&handshake.rakp1()));
        handshake.take_rakp2(&rakp2).unwrap();
        try_all(&mut bench, &handshake);
        assert_eq!((bench.requests(), bench.handed.len(), bench.channel.active_sessions()), (0, 0, 0));
    }
}

#[test]
fn protection_must_be_the_sessions() {
    // S7, and the other way round.
    for (kind, mut bench, mut client) in every_client().into_iter().filter(|(kind, ..)| kind.starts_with("suite")) {
        let packet = client.request(6, 1, &[]);
        for flags in [0x00, 0x40, 0x80, 0xc0] {
            let mut changed = packet.clone();
            changed[5] = flags | changed[5] & 0x3f;
            if changed != packet {
                assert!(bench.send(&changed).is_empty(), "{kind}, {flags:#x}");
            }
        }
        assert_eq!(bench.requests(), 0);
        assert_eq!(bench.send(&packet).len(), 1);
    }
}

#[test]
fn formats_cannot_be_mixed() {
    let mut bench = open_bench();
    let none = Login15 { auth_type: AuthType::None, ..Default::default() }.run(&mut bench).unwrap();
    let zero = Login20::suite(0).run(&mut bench).unwrap();
    let mut as20 = sessionless20(PayloadType::Ipmi, &request(0, 6, 1, &[]));
    as20[6..10].copy_from_slice(&none.session.to_le_bytes());
    as20[10..14].copy_from_slice(&none.sequence.to_le_bytes());
    assert!(bench.send(&as20).is_empty());
    let mut as15 = sessionless15(6, 1, &[]);
    as15[5..9].copy_from_slice(&1u32.to_le_bytes());
    as15[9..13].copy_from_slice(&zero.session.to_le_bytes());
    assert!(bench.send(&as15).is_empty());
    assert_eq!(bench.requests(), 0);
}

#[test]
fn sessions_without_protection_stay_with_their_source() {
    // S25.
    for (kind, mut bench, mut client) in every_client() {
        let bound = ["suite 0", "suite 1", "suite 6", "suite 15", "None"].contains(&kind.as_str());
        let packet = client.request(6, 1, &[]);
        let responses = bench.send_from("192.0.2.9:4000", &packet);
        assert_eq!(responses.len(), usize::from(!bound), "{kind}");
        if let Some((to, _)) = responses.first() {
            assert_eq!(to.to_string(), "192.0.2.9:4000", "{kind}: the answer goes where the question came from");
            assert_eq!(bench.channel.session(client.session).map(|session| session.peer.address), Some(*to));
        }
    }
}

#[test]
fn floods_of_half_open_sessions_hinder_nobody() {
    // S26.
    let mut bench = Bench::new();
    let mut established = Login20::default().run(&mut bench).unwrap();
    for number in 0..2000u32 {
        let from = format!("10.1.{}.{}:1000", number / 250, number % 250);
        Login20 { from, console_id: number + 1, ..Default::default() }.open(&mut bench).unwrap();
    }
    let mut newcomer = Login20 { from: "192.0.2.7:1000".into(), ..Default::default() }.run(&mut bench).unwrap();
    assert_eq!(newcomer.ask(&mut bench, 6, 1, &[])[0], 0);
    assert_eq!(established.ask(&mut bench, 6, 1, &[])[0], 0);
    assert_eq!(bench.channel.active_sessions(), 2);
}

#[test]
fn there_is_room_for_512_sessions_and_no_more() {
    let mut bench = Bench::new();
    let mut clients: Vec<Client> = (0..256)
        .flat_map(|_| [Login20::default().run(&mut bench).unwrap(), Login15::default().run(&mut bench).unwrap()])
        .collect();
    assert_eq!(Login20::default().run(&mut bench).err(), Some(Status::INSUFFICIENT_RESOURCES));
    assert_eq!(Login15::default().run(&mut bench).err(), Some(Some(0x81)));
    for client in &mut clients {
        assert_eq!(client.ask(&mut bench, 6, 1, &[])[0], 0);
    }
    let handles: std::collections::BTreeSet<u8> = bench.channel.sessions().map(|session| session.handle).collect();
    assert_eq!(handles.len(), 256, "1 to 255, and one without");
    let mut client = clients.remove(0);
    client.ask(&mut bench, 6, 0x3c, &client.session.to_le_bytes());
    assert!(Login20::default().run(&mut bench).is_ok());
}

/// Somebody who may do next to nothing opens all the sessions there are and keeps them busy.
#[test]
fn a_user_with_all_the_sessions_keeps_nobody_out() {
    let mut bench = Bench::new();
    bench.site.add_user(3, "caller", "pw", Privilege::Callback);
    let greedy = |number: u32| Login20 {
        user: "caller",
        password: "pw",
        from: format!("198.51.100.{}:{}", number % 200, 1000 + number),
        ..Default::default()
    };
    let mut first: Vec<Client> = (0..512).map(|number| greedy(number).run(&mut bench).unwrap()).collect();
    let mut administrators: Vec<Client> = Vec::new();
    for number in 0..20 {
        bench.wait(10);
        for client in &mut first {
            let packet = client.request(6, 0x3d, &[0]);
            bench.send(&packet);
        }
        administrators.push(match number % 2 {
            0 => Login20::default().run(&mut bench).unwrap(),
            _ => Login15::default().run(&mut bench).unwrap(),
        });
        // One more of the flood costs the flood.
        let more = greedy(600 + number).run(&mut bench);
        assert!(more.is_ok_and(|client| client.limit == 1));
    }
    assert_eq!(bench.channel.active_sessions(), 512);
    for client in &mut administrators {
        assert_eq!(client.ask(&mut bench, 6, 1, &[])[0], 0);
    }
}

#[test]
fn the_longest_idle_of_whoever_has_most_goes() {
    let mut bench = Bench::new();
    bench.site.add_user(3, "other", "pw", Privilege::User);
    let other = Login20 { user: "other", password: "pw", from: "192.0.2.3:1".into(), ..Default::default() };
    let oldest = other.run(&mut bench).unwrap();
    bench.wait(1000);
    // One user, a quiet machine and a machine whose script forgets to close its sessions.
    let quiet = Login20 { from: "192.0.2.2:1".into(), ..Default::default() }.run(&mut bench).unwrap();
    let mut forgotten = Vec::new();
    for _ in 0..1000 {
        bench.wait(20);
        bench.tick();
        forgotten.push(Login20::default().run(&mut bench).unwrap().session);
    }
    let alive = |bench: &Bench, id: SessionId| bench.channel.session(id).is_some();
    assert!(alive(&bench, oldest.session) && alive(&bench, quiet.session));
    assert_eq!(forgotten.iter().filter(|id| alive(&bench, **id)).count(), 510);
    assert!(forgotten[490..].iter().all(|id| alive(&bench, *id)), "the newest stay");
}

/// Clients on one machine, all of them between Open Session and RAKP Message 3 at the same
/// moment.
#[test]
fn sixty_four_logins_of_one_source_at_once() {
    let mut bench = Bench::new();
    let login = |number: u32| Login20 {
        from: format!("192.0.2.1:{}", 10_000 + number),
        console_id: 1 + number,
        ..Default::default()
    };
    let logins: Vec<Login20> = (0..64).map(login).collect();
    let mut handshakes: Vec<_> = logins.iter().map(|login| login.open(&mut bench).unwrap()).collect();
    for (login, handshake) in logins.iter().zip(&mut handshakes) {
        let responses = bench.send_from(&login.from, &handshake.rakp1());
        handshake.take_rakp2(&responses[0].1).unwrap();
    }
    for (login, handshake) in logins.iter().zip(&mut handshakes) {
        let responses = bench.send_from(&login.from, &handshake.rakp3());
        handshake.take_rakp4(&responses[0].1).unwrap();
    }
    assert_eq!(bench.channel.active_sessions(), 64);
}

#[test]
fn a_session_limit_of_a_user_holds() {
    let mut bench = Bench::new();
    bench.site.add_user(3, "other", "pw", Privilege::User);
    bench.site.users.get_mut(&2).unwrap().sessions = 2;
    let mut first = Login20::default().run(&mut bench).unwrap();
    Login15::default().run(&mut bench).unwrap();
    assert_eq!(Login20::default().run(&mut bench).err(), Some(Status::INSUFFICIENT_RESOURCES));
    assert_eq!(Login15::default().run(&mut bench).err(), Some(Some(0x82)));
    Login20 { user: "other", password: "pw", ..Default::default() }.run(&mut bench).unwrap();
    let own = first.session.to_le_bytes();
    assert_eq!(first.ask(&mut bench, 6, 0x3c, &own), [0]);
    Login20::default().run(&mut bench).unwrap();
}

/// A client that sends the last message of a login and takes what comes, at once or later.
struct Waiting {
    from: String,
    handshake: Option<Handshake20>,
    since: u64,
    took: Vec<u64>,
    right: usize,
}

impl Waiting {
    fn new(from: String) -> Self {
        Self { from, handshake: None, since: 0, took: Vec::new(), right: 0 }
    }

    fn take(&mut self, now: u64, sent: &[(std::net::SocketAddr, Vec<u8>)]) {
        let own = sent.iter().find(|(to, bytes)| to.to_string() == self.from && bytes.get(5) == Some(&0x15));
        if let Some((_, rakp4)) = own
            && let Some(mut handshake) = self.handshake.take()
        {
            self.took.push(now - self.since);
            self.right += usize::from(handshake.take_rakp4(rakp4).is_ok());
        }
    }

    fn start(&mut self, bench: &mut Bench, now: u64, password: &'static str) -> Vec<(std::net::SocketAddr, Vec<u8>)> {
        let login = Login20 { password, from: self.from.clone(), ..Default::default() };
        // Open Session and RAKP Message 1 are always answered.
        let mut handshake = login.open(bench).unwrap();
        let rakp2 = bench.send_from(&self.from, &handshake.rakp1());
        handshake.take_rakp2(&rakp2[0].1).unwrap();
        let rakp3 = handshake.rakp3();
        self.handshake = Some(handshake);
        self.since = now;
        bench.send_from(&self.from, &rakp3)
    }
}

#[test]
fn guessing_is_slow_and_only_for_the_guesser() {
    // S27. A script of several at a time, somebody at the same machine, and somebody elsewhere.
    for scripts in [1, 8, 16] {
        let mut bench = Bench::new();
        let mut script: Vec<Waiting> =
            (0..scripts).map(|port| Waiting::new(format!("192.0.2.1:{}", 100 + port))).collect();
        let mut beside = Waiting::new("192.0.2.1:50000".into());
        let mut elsewhere = Waiting::new("192.0.2.200:1".into());
        let seconds = 20;
        for now in (0..seconds * 1000).step_by(5) {
            bench.wait(5);
            let mut sent = bench.tick();
            for client in script.iter_mut().filter(|client| client.handshake.is_none()) {
                sent.extend(client.start(&mut bench, now, "wrong"));
            }
            if now % 1000 == 0 {
                for client in [&mut beside, &mut elsewhere] {
                    if client.handshake.is_none() {
                        sent.extend(client.start(&mut bench, now, "test"));
                    }
                }
            }
            script.iter_mut().chain([&mut beside, &mut elsewhere]).for_each(|client| client.take(now, &sent));
        }
        let guesses: usize = script.iter().map(|client| client.took.len()).sum();
        assert!((150..=220).contains(&guesses), "{guesses} guesses in {seconds} s");
        assert!(script.iter().all(|client| client.right == 0));
        assert_eq!((elsewhere.right, elsewhere.took.iter().max()), (20, Some(&0)));
        assert!(beside.right >= 10 && beside.right == beside.took.len());
        assert!(beside.took.iter().all(|took| *took <= 2000), "{scripts} at a time: {:?}", beside.took);
    }
}

/// IPMI 1.5 has no response for a wrong password; a right one comes in its turn.
#[test]
fn guessing_by_ipmi_1_5_is_slow_too() {
    let mut bench = Bench::new();
    let mut wrong = Vec::new();
    for number in 0..16 {
        let login = Login15 { password: "wrong", outbound: 100 + number, ..Default::default() };
        let (id, challenge) = login.challenge(&mut bench).unwrap();
        let activation = login.activation(id, &challenge);
        // Sent again it is the same guess.
        (0..4).for_each(|_| assert!(bench.send(&activation).is_empty()));
        wrong.push(activation);
    }
    let login = Login15::default();
    let (id, challenge) = login.challenge(&mut bench).unwrap();
    let activation = login.activation(id, &challenge);
    assert!(bench.send(&activation).is_empty(), "it waits for its turn");
    let mut responses = Vec::new();
    let mut waited = 0;
    while responses.is_empty() {
        bench.wait(10);
        waited += 10;
        responses = bench.tick();
    }
    assert!(waited <= 1000, "{waited} ms");
    let mut client = login.take_activation(id, &responses[0].1).unwrap();
    assert_eq!(client.ask(&mut bench, 6, 1, &[])[0], 0);
    // Ten guesses were free, and one had a turn at once; with their copies they were 64.
    bench.wait(60_000);
    let lines = bench.log();
    assert!(lines[0].contains("wrong authentication code"), "{lines:?}");
}

#[test]
fn names_in_the_log_are_escaped_and_lines_limited() {
    // S33.
    let mut bench = Bench::new();
    let login = Login20 { user: "a\n\x1b[2Jb\"", ..Default::default() };
    let handshake = login.open(&mut bench).unwrap();
    bench.send(&handshake.rakp1());
    assert!(bench.log()[0].contains(r#"user "a\n\x1b[2Jb\"" from"#), "{:?}", bench.log());
    for _ in 0..10_000 {
        bench.send(&[6, 0, 0xff]);
    }
    assert!(bench.log().len() < 30);
    assert!(bench.log().iter().all(|line| !line.chars().any(char::is_control)));
}

// ---- Sequence numbers ----

#[test]
fn numbers_outside_the_window_are_refused() {
    let mut bench = Bench::new();
    let mut client = Login20::default().run(&mut bench).unwrap();
    let mut at = |bench: &mut Bench, sequence: u32| {
        let message = request((sequence % 64) as u8, 6, 1, &sequence.to_le_bytes());
        let packet = client.packet_at(sequence, PayloadType::Ipmi, &message);
        !bench.send(&packet).is_empty()
    };
    assert!(!at(&mut bench, 17));
    assert!(at(&mut bench, 16));
    assert!(at(&mut bench, 1));
    assert!(at(&mut bench, 31));
    assert!(!at(&mut bench, 14), "17 behind");
    assert!(at(&mut bench, 15));
    let mut bench = Bench::new();
    let mut client = Login15::default().run(&mut bench).unwrap();
    let first = client.sequence;
    for (offset, accepted) in [(9, false), (8, true), (0, true), (16, true), (7, false), (-1, false)] {
        let sequence = first.wrapping_add_signed(offset);
        let packet = client.packet_at(sequence, PayloadType::Ipmi, &request(1, 6, 1, &[offset as u8]));
        assert_eq!(!bench.send(&packet).is_empty(), accepted, "{offset}");
    }
}

#[test]
fn a_session_survives_the_wrap_of_its_numbers() {
    // S24.
    let mut bench = Bench::new();
    let mut client = Login15::default().run(&mut bench).unwrap();
    bench.channel.set_numbers(client.session, u32::MAX - 5, u32::MAX - 3);
    client.sequence = u32::MAX - 5;
    for _ in 0..100 {
        assert_eq!(client.ask(&mut bench, 6, 1, &[])[0], 0);
    }
}

// ---- Life and death ----

#[test]
fn sessions_live_a_minute_after_the_last_packet() {
    for (kind, mut bench, mut client) in every_client() {
        for _ in 0..5 {
            bench.wait(59_900);
            bench.tick();
            assert_eq!(client.ask(&mut bench, 6, 1, &[])[0], 0, "{kind}");
        }
        bench.wait(59_999);
        bench.tick();
        assert_eq!(bench.channel.active_sessions(), 1, "{kind}");
        assert!(bench.channel.deadline().unwrap() > bench.now);
        bench.wait(1);
        bench.tick();
        assert_eq!(bench.channel.active_sessions(), 0, "{kind}");
        assert_eq!(bench.events.last(), Some(&Event::Closed { session: client.session }));
    }
}

#[test]
fn a_late_packet_does_not_revive_a_session() {
    let mut bench = Bench::new();
    let mut client = Login20::default().run(&mut bench).unwrap();
    bench.wait(60_000);
    // The clock was not asked yet.
    let packet = client.request(6, 1, &[]);
    assert!(bench.send(&packet).is_empty());
    assert!(bench.events.contains(&Event::Closed { session: client.session }));
    assert_eq!(bench.requests(), 0);
}

#[test]
fn replays_do_not_keep_a_session_alive() {
    let mut bench = Bench::new();
    let mut client = Login20::default().run(&mut bench).unwrap();
    let packet = client.request(6, 1, &[]);
    for _ in 0..4 {
        bench.send(&packet);
        bench.wait(20_000);
        bench.tick();
    }
    assert_eq!(bench.channel.active_sessions(), 0);
}

#[test]
fn a_quiet_channel_wants_no_attention() {
    let mut bench = Bench::new();
    assert_eq!(bench.channel.deadline(), None);
    Login20::default().open(&mut bench).unwrap();
    let mut wakes = 0;
    while let Some(next) = bench.channel.deadline() {
        assert!(next > bench.now);
        bench.now = next;
        bench.tick();
        wakes += 1;
    }
    assert_eq!(wakes, 1, "once, when the half-open session ends");
    assert_eq!(bench.now, Moment::new(std::time::Duration::from_secs(1010)));
}

#[test]
fn half_open_sessions_live_ten_seconds() {
    let mut bench = Bench::new();
    let handshake = Login20::default().open(&mut bench).unwrap();
    bench.wait(10_000);
    assert!(bench.send(&handshake.rakp1()).is_empty());
}

#[test]
fn sessions_of_a_user_can_be_ended() {
    // S37.
    let mut bench = Bench::new();
    bench.site.add_user(3, "other", "pw", Privilege::User);
    let gone = Login20::default().run(&mut bench).unwrap();
    let mut stays = Login20 { user: "other", password: "pw", ..Default::default() }.run(&mut bench).unwrap();
    let handshake = Login20::default().open(&mut bench).unwrap();
    bench.send(&handshake.rakp1());
    bench.close_sessions_of_user(2);
    assert_eq!(bench.events.last(), Some(&Event::Closed { session: gone.session }));
    assert_eq!(stays.ask(&mut bench, 6, 1, &[])[0], 0);
    assert!(bench.send(&handshake.rakp3()).is_empty());
}

#[test]
fn answers_to_a_session_that_is_gone_go_nowhere() {
    let mut bench = Bench::new();
    let mut client = Login20::default().run(&mut bench).unwrap();
    bench.work = Work::Slow;
    let packet = client.request(0, 2, &[2]);
    bench.send(&packet);
    bench.close_sessions_of_user(2);
    assert!(bench.finish().is_empty());
    assert!(bench.send_message(client.session, &request(1, 7, 1, &[0])).is_empty());
    assert!(bench.send_sol(client.session, &[0; 4]).is_empty());
}

// ---- Commands about sessions ----

#[test]
fn session_commands_inside_a_session() {
    let mut bench = Bench::new();
    let mut client = Login20::default().run(&mut bench).unwrap();
    assert_eq!(client.ask(&mut bench, 6, 0x37, &[])[1..], GUID);
    assert_eq!(client.ask(&mut bench, 6, 0x38, &[0x8e, 4])[..2], [0, 1]);
    assert_eq!(client.ask(&mut bench, 6, 0x39, &[0; 17]), [0xd5]);
    assert_eq!(client.ask(&mut bench, 6, 0x54, &[0x0e, 0, 0x80]).len(), 18);
    assert_eq!(client.ask(&mut bench, 6, 0x3a, &[0; 21]), [0xc7]);
    assert_eq!(client.ask(&mut bench, 6, 0x3b, &[]), [0xc7]);
    assert_eq!(client.ask(&mut bench, 6, 0x3c, &[1, 2, 3]), [0xc7]);
    assert_eq!(client.ask(&mut bench, 6, 0x3d, &[]), [0xc7]);
    assert_eq!(bench.requests(), 0, "none of them is for the simulator");
}

#[test]
fn activate_session_inside_a_session_renumbers_and_nothing_else() {
    for (kind, mut bench, mut client) in every_client() {
        let mut data = [4; 22];
        data[18..].copy_from_slice(&0x5000u32.to_le_bytes());
        let before = bench.channel.session(client.session);
        let packet = client.request(6, 0x3a, &data);
        let response = one(bench.send(&packet));
        let (sequence, _, _) = client.read(&response);
        assert_eq!(sequence, 0x5000, "{kind}");
        let response = client.answer(&response);
        assert_eq!((response[0], &response[2..6], response[10]), (0, &client.session.to_le_bytes()[..], 4), "{kind}");
        assert_eq!(bench.channel.session(client.session), before, "{kind}");
    }
}

#[test]
fn closing_sessions_of_others_is_for_administrators() {
    let mut bench = Bench::new();
    let mut one_client = Login20::default().run(&mut bench).unwrap();
    let other = Login15::default().run(&mut bench).unwrap();
    let id = other.session.to_le_bytes();
    assert_eq!(one_client.ask(&mut bench, 6, 0x3c, &id), [0xd4]);
    one_client.ask(&mut bench, 6, 0x3b, &[4]);
    assert_eq!(one_client.ask(&mut bench, 6, 0x3c, &[2, 0, 0, 0]), [0x87]);
    assert_eq!(one_client.ask(&mut bench, 6, 0x3c, &[0, 0, 0, 0]), [0x87]);
    let handle = bench.channel.session(other.session).unwrap().handle;
    assert_eq!(one_client.ask(&mut bench, 6, 0x3c, &[0, 0, 0, 0, handle]), [0]);
    assert_eq!(bench.channel.active_sessions(), 1);
    assert_eq!(bench.events.last(), Some(&Event::Closed { session: other.session }));
}

#[test]
fn session_info() {
    let mut bench = Bench::new();
    let mut client = Login20::default().run(&mut bench).unwrap();
    let other = Login15::default().run(&mut bench).unwrap();
    let own = [0, 1, 63, 2, 2, 2, 0x11];
    let second = [0, 2, 63, 2, 2, 2, 0x11];
    assert_eq!(client.ask(&mut bench, 6, 0x3d, &[0]), own);
    assert_eq!(client.ask(&mut bench, 6, 0x3d, &[1]), own);
    assert_eq!(client.ask(&mut bench, 6, 0x3d, &[2]), second);
    assert_eq!(client.ask(&mut bench, 6, 0x3d, &[0xfe, 2]), second);
    let mut by_id = vec![0xff];
    by_id.extend_from_slice(&other.session.to_le_bytes());
    assert_eq!(client.ask(&mut bench, 6, 0x3d, &by_id), second);
    for missing in [&[3][..], &[0xfe, 0], &[0xfe, 62], &[0xff, 1, 2, 3, 4]] {
        assert_eq!(client.ask(&mut bench, 6, 0x3d, missing), [0, 0, 63, 2], "{missing:02x?}");
    }
    assert_eq!(client.ask(&mut bench, 6, 0x3d, &[0xfe, 63]), [0xcc]);
    for short in [&[0xfe][..], &[0xff], &[0xff, 1, 2, 3]] {
        assert_eq!(client.ask(&mut bench, 6, 0x3d, short), [0xc7]);
    }
}

// ---- What else goes through a session ----

#[test]
fn serial_over_lan_goes_both_ways_and_keeps_the_session_alive() {
    for (kind, mut bench, mut client) in every_client().into_iter().filter(|(kind, ..)| kind.starts_with("suite")) {
        // Suite 12 learns from the first message which keys the client made.
        client.ask(&mut bench, 6, 1, &[]);
        for _ in 0..5 {
            bench.wait(50_000);
            bench.tick();
            let packet = client.packet(PayloadType::Sol, &[1, 0, 0, 0, b'x']);
            assert!(bench.send(&packet).is_empty());
            let handed = Handed::Sol { session: client.session, payload: vec![1, 0, 0, 0, b'x'] };
            assert_eq!(bench.handed.pop(), Some(handed), "{kind}");
            assert!(bench.send(&packet).is_empty());
            assert_eq!(bench.handed.len(), 1, "{kind}: a replay");
        }
        let (to, packet) = bench.send_sol(client.session, &[2, 1, 1, 0, b'y']).remove(0);
        assert_eq!(to, ME.parse().unwrap());
        let (_, payload_type, payload) = client.read(&packet);
        assert_eq!((payload_type, &payload[..]), (PayloadType::Sol, &[2, 1, 1, 0, b'y'][..]), "{kind}");
        let short = client.packet(PayloadType::Sol, &[1, 0, 0]);
        bench.send(&short);
        assert_eq!(bench.handed.len(), 1);
    }
}

#[test]
fn serial_over_lan_has_no_form_in_ipmi_1_5() {
    let mut bench = Bench::new();
    let client = Login15::default().run(&mut bench).unwrap();
    assert!(bench.send_sol(client.session, &[0; 4]).is_empty());
}

#[test]
fn responses_are_handed_over_once() {
    let mut bench = Bench::new();
    let mut client = Login20::default().run(&mut bench).unwrap();
    let packet = client.packet(PayloadType::Ipmi, &request(1, 7, 1, &[0, 0x20]));
    bench.send(&packet);
    bench.send(&packet);
    assert_eq!(bench.handed, [Handed::Response { netfn: 7, data: vec![0, 0x20] }]);
}

#[test]
fn bridged_answers_follow_and_come_again() {
    for (kind, mut bench, mut client) in every_client() {
        client.ask(&mut bench, 6, 0x3b, &[4]);
        let mut data = vec![0x40];
        // Chassis Control on another controller.
        data.extend_from_slice(&hex!("3000d020140203c7"));
        let packet = client.request(6, 0x34, &data);
        let first = one(bench.send(&packet));
        assert_eq!(client.answer(&first)[0], 0);
        let mut bridged = Vec::new();
        Message { to: 0x20, to_lun: 0, netfn: 1, from: 0x30, from_lun: 0, seq: 5, cmd: 2, data: &[0] }
            .emit(&mut bridged);
        let second = one(bench.send_message(client.session, &bridged));
        assert_eq!(client.read(&second).2, bridged);
        let again = client.again(6, 0x34, &data);
        let responses = bench.send(&again);
        assert_eq!(responses.len(), 2, "{kind}");
        assert_eq!(client.read(&responses[1]).2, bridged, "{kind}");
        assert_eq!(bench.requests(), 1, "{kind}");
    }
}

#[test]
fn an_answer_that_fits_no_packet_says_so() {
    let mut bench = Bench::new();
    let mut client = Login15::default().run(&mut bench).unwrap();
    let long = Message { to: 0x20, to_lun: 0, netfn: 7, from: 0x30, from_lun: 0, seq: 5, cmd: 1, data: &[0; 250] };
    let mut bytes = Vec::new();
    long.emit(&mut bytes);
    let sent = one(bench.send_message(client.session, &bytes));
    let (_, _, message) = client.read(&sent);
    assert_eq!(Message::parse(&message).unwrap().data, [0xca]);
    let mut client = Login20::default().run(&mut bench).unwrap();
    let sent = one(bench.send_message(client.session, &bytes));
    assert_eq!(client.read(&sent).2, bytes);
}

#[test]
fn what_a_request_tells_about_its_origin() {
    let mut bench = Bench::new();
    bench.channel.set_udp_port(9001);
    let mut client = Login20::default().run(&mut bench).unwrap();
    client.ask(&mut bench, 6, 1, &[]);
    let origin = bench.last_origin.unwrap();
    assert_eq!((origin.channel, origin.privilege, origin.requester), (ChannelNumber::LAN, Some(Privilege::User), 0x81));
    let session = origin.session.unwrap();
    assert_eq!((session.id, session.handle, session.user.get()), (client.session, 1, 2));
    assert_eq!((session.rmcp_plus, session.udp_port), (true, 9001));
    assert_eq!(bench.channel.session_with_handle(1), Some(client.session));
    assert_eq!(bench.channel.session_with_handle(0), None);
}
