//! Attacks that `docs/SECURITY.md` names and that no other test holds off.

use super::*;
use ipmi_sim_core::wire::session20::{Header, PayloadType};

/// Everything a stranger can ask that is answered, with the bytes of question and answer.
fn answers_to_strangers() -> Vec<(String, usize, usize)> {
    let mut asked: Vec<(String, Vec<u8>)> = vec![
        ("Presence Ping".into(), hex!("0600ff06 000011be 80 2a 00 00").to_vec()),
        ("Open Session".into(), Login20::default().open_request(4)),
        ("Open Session, refused".into(), Login20::default().open_request(9)),
        ("RAKP 1".into(), sessionless20(PayloadType::Rakp1, &[2; 44])),
        ("RAKP 3".into(), sessionless20(PayloadType::Rakp3, &[2; 28])),
    ];
    let mut known = vec![2];
    known.extend_from_slice(b"ipmiusr\0\0\0\0\0\0\0\0\0");
    for netfn in (0..0x40).step_by(2) {
        for cmd in 0..=0xff {
            for data in [&[][..], &[0x8e, 4], &[0x0e, 0, 0x80], &[0x0e, 0, 0], &known, &[2; 17], &[0; 40]] {
                let name = format!("{netfn:02x} {cmd:02x} with {} bytes", data.len());
                asked.push((format!("{name}, 1.5"), sessionless15(netfn, cmd, data)));
                asked.push((format!("{name}, 2.0"), sessionless20(PayloadType::Ipmi, &request(0, netfn, cmd, data))));
            }
        }
    }
    let mut answered = Vec::new();
    for (name, question) in asked {
        // A new one for each, so that no limit hides anything.
        let responses = Bench::new().send(&question);
        assert!(responses.len() <= 1, "{name}");
        answered.extend(responses.iter().map(|response| (name.clone(), question.len(), response.len())));
    }
    answered
}

#[test]
fn answers_to_strangers_are_hardly_larger_than_their_questions() {
    let answered = answers_to_strangers();
    assert!(answered.len() > 1000);
    for (name, question, response) in answered {
        let most = match name.as_str() {
            // ASF fixes both lengths: 12 and 28.
            "Presence Ping" => 28,
            // IPMI 2.0 table 13-10: the response adds the BMC's session id.
            "Open Session" => question + 4,
            // Get System GUID adds the 16 bytes that were asked for and a completion code, as
            // Get Session Challenge and Get Channel Cipher Suites add theirs.
            _ => question + 18,
        };
        assert!(response <= most, "{name}: {question} bytes get {response}");
        // 28 bytes of IP and UDP are around both.
        assert!((response + 28) * 10 <= (question + 28) * 14, "{name}: {question} bytes get {response}");
    }
}

#[test]
fn rakp_2_goes_to_nobody_who_did_not_receive_the_answer_to_open_session() {
    let mut bench = Bench::new();
    let handshake = Login20::default().open(&mut bench).unwrap();
    for forged in ["192.0.2.9:50000", "[2001:db8::1]:623"] {
        assert!(bench.send_from(forged, &handshake.rakp1()).is_empty(), "{forged}");
    }
    assert_eq!(bench.send(&handshake.rakp1()).len(), 1);
}

/// Open Session and RAKP Message 1 and no more, as programs that collect the codes of RAKP Message 2 do it.
#[test]
fn taking_codes_for_guesses_elsewhere_is_logged_and_counts_as_failing() {
    let mut bench = Bench::new();
    let take = |bench: &mut Bench, number: u32| {
        let login = Login20 { console_id: number + 1, ..Default::default() };
        let handshake = login.open(bench).unwrap();
        assert_eq!(bench.send(&handshake.rakp1()).len(), 1);
    };
    for number in 0..1000 {
        take(&mut bench, number);
        bench.wait(10);
        bench.tick();
    }
    bench.wait(11_000);
    bench.tick();
    // One line at once, the rest as a number.
    bench.wait(30_000);
    bench.tick();
    let lines = bench.log();
    assert!(
        lines[0].contains("login of user \"ipmiusr\" from 192.0.2.1:50000 failed: nothing came after RAKP message 2")
    );
    assert!(lines[1].contains("999 more logins from 192.0.2.1 failed in"), "{lines:?}");
    assert_eq!(lines.len(), 2);
    // It was a failure each time: now verdicts come one after the other.
    (0..20).for_each(|number| take(&mut bench, number));
    bench.wait(10_000);
    bench.tick();
    let mut waited = 0;
    for number in 0..5 {
        let login = Login20 { console_id: 5000 + number, ..Default::default() };
        let mut handshake = login.open(&mut bench).unwrap();
        handshake.take_rakp2(&one(bench.send(&handshake.rakp1()))).unwrap();
        waited += usize::from(bench.send(&handshake.rakp3()).is_empty());
    }
    assert_eq!(waited, 4);
}

#[test]
fn a_login_pushed_out_by_others_is_nobodys_failure() {
    let mut bench = Bench::new();
    let mut handshake = Login20::default().open(&mut bench).unwrap();
    handshake.take_rakp2(&one(bench.send(&handshake.rakp1()))).unwrap();
    for number in 0..1000u32 {
        let from = format!("10.1.{}.{}:1000", number / 250, number % 250);
        Login20 { from, console_id: number + 1, ..Default::default() }.open(&mut bench).unwrap();
    }
    assert_eq!(bench.log(), Vec::<&str>::new());
}

#[test]
fn an_unknown_name_is_logged_whichever_way_it_is_asked_for() {
    let mut bench = Bench::new();
    let mut data = vec![2];
    data.extend_from_slice(b"nobody\n\x1b[2J\0\0\0\0\0");
    for _ in 0..2000 {
        bench.send_from("198.51.100.9:7", &sessionless15(6, 0x39, &data));
    }
    let lines = bench.log();
    assert!((1..=20).contains(&lines.len()), "{} lines", lines.len());
    let expected = "login of user \"nobody\\n\\x1b[2J\" from 198.51.100.9:7 failed: no such user";
    assert!(lines[0].contains(expected), "{}", lines[0]);
    // It can be sent in anybody's name, so nobody waits for it.
    let login = Login20 { from: "198.51.100.9:7".into(), ..Default::default() };
    assert!(login.run(&mut bench).is_ok());
}

#[test]
fn integrity_is_checked_before_anything_is_decrypted() {
    for suite in [3, 8, 12, 17] {
        let mut bench = Bench::new();
        let mut client = Login20::suite(suite).run(&mut bench).unwrap();
        assert_eq!(client.ask(&mut bench, 6, 1, &[])[0], 0);
        let mut reasons = std::collections::BTreeSet::new();
        for at in 0..64 {
            let mut packet = client.request(6, 1, &[]);
            let end = 4 + Header::parse(&packet[4..]).unwrap().payload_end();
            // Ciphertext, the pad in it, the trailer and the code itself.
            let place = (16 + at % 48).min(packet.len() - 1);
            let place = if at < 48 { place } else { end + at % (packet.len() - end) };
            packet[place] ^= 1 << (at % 8);
            bench.wait(1000);
            assert!(bench.send(&packet).is_empty());
            let line = bench.log().pop().map(str::to_owned).unwrap_or_default();
            reasons.insert(line.rsplit(": ").next().unwrap_or_default().to_owned());
            bench.events.clear();
            // It was not believed, so its number is still good.
            packet = client.request(6, 1, &[]);
            assert_eq!(bench.send(&packet).len(), 1);
        }
        let reasons: Vec<String> = reasons.into_iter().collect();
        assert_eq!(reasons, ["its integrity check value is wrong"], "suite {suite}");
    }
}

#[test]
fn wrong_pads_and_wrong_codes_look_the_same_from_outside() {
    // What makes a padding oracle: telling the two apart by a response, a refused login, or a
    // session that ends.
    let mut bench = Bench::new();
    let mut client = Login20::suite(3).run(&mut bench).unwrap();
    for value in 1..=0xff {
        // A message that fills its block but for the pad length, which a change of the
        // initialisation vector changes.
        let mut packet = client.request(6, 1, &[0; 8]);
        packet[4 + 12 + 15] ^= value;
        assert!(bench.send(&packet).is_empty(), "{value}: wrong code");
        packet.truncate(packet.len() - 12);
        client.sign(&mut packet);
        assert!(bench.send(&packet).is_empty(), "{value}: right code, wrong pad");
        assert_eq!(client.ask(&mut bench, 6, 1, &[0; 8])[0], 0);
    }
}

#[test]
fn ids_of_sessions_cannot_be_guessed_from_one_another() {
    // Other BMCs counted (CVE-2014-8272).
    let mut bench = Bench::new();
    let mut ids: Vec<u32> = (0..200).map(|_| Login20::default().run(&mut bench).unwrap().session.0).collect();
    let steps: std::collections::BTreeSet<u32> = ids.windows(2).map(|pair| pair[1].wrapping_sub(pair[0])).collect();
    assert!(steps.len() > 190, "steps repeat");
    for bit in 1..32 {
        let ones = ids.iter().filter(|id| *id >> bit & 1 == 1).count();
        assert!((60..140).contains(&ones), "bit {bit} is set in {ones} of 200");
    }
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 200);
}

/// A login by RMCP+ with one byte of one of its messages changed; the datagram that is changed,
/// by its number, and how it goes on.
fn login_with(bench: &mut Bench, message: usize, at: usize, value: u8) -> Option<usize> {
    let login = Login20 { from: "192.0.2.50:1000".into(), ..Default::default() };
    let change = |number: usize, mut datagram: Vec<u8>| {
        if number == message {
            *datagram.get_mut(at)? = value;
        }
        Some(datagram)
    };
    let send = |bench: &mut Bench, datagram: &[u8]| {
        bench.send_from("192.0.2.50:1000", datagram).into_iter().map(|(_, bytes)| bytes).collect::<Vec<_>>()
    };
    let open = login.open_request(0);
    let length = [open.len()];
    let responses = send(bench, &change(0, open)?);
    let Ok(mut handshake) = login.open(bench) else { return Some(length[0]) };
    drop(responses);
    let rakp1 = handshake.rakp1();
    let lengths = [length[0], rakp1.len()];
    let responses = send(bench, &change(1, rakp1)?);
    if message == 1 {
        return Some(lengths[1]);
    }
    let [response] = responses.as_slice() else { return Some(lengths[1]) };
    if handshake.take_rakp2(response).is_err() {
        return Some(lengths[1]);
    }
    let rakp3 = handshake.rakp3();
    let length = rakp3.len();
    send(bench, &change(2, rakp3)?);
    Some(length)
}

/// Values at the edges of fields of every width.
fn edges() -> impl Iterator<Item = u8> {
    (0..=0xff).filter(|value: &u8| *value < 0x12 || value.count_ones() <= 1 || value % 16 == 15 || *value > 0xfb)
}

#[test]
fn every_header_field_out_of_range() {
    // Every byte of a login, in the messages of both formats.
    for message in 0..3 {
        let mut bench = Bench::new();
        let mut at = 0;
        loop {
            let mut within = false;
            for value in edges() {
                within = login_with(&mut bench, message, at, value).is_some();
                // Logins given up count as failures when their time is over.
                bench.wait(11_000);
                bench.tick();
                bench.wait(1000);
            }
            if !within {
                break;
            }
            // Nobody is in but those whose login was right all the same (the tag, what is
            // reserved, the value that was there).
            bench.wait(70_000);
            bench.tick();
            bench.wait(1000);
            assert_eq!(bench.channel.active_sessions(), 0);
            let mut client = Login20::default().run(&mut bench).unwrap();
            assert_eq!(client.ask(&mut bench, 6, 1, &[])[0], 0, "after byte {at} of message {message}");
            bench.close_sessions_of_user(2);
            at += 1;
        }
        assert!(at > 40, "message {message} has {at} bytes");
    }
    let old = Login15::default();
    let mut bench = Bench::new();
    let (id, challenge) = old.challenge(&mut bench).unwrap();
    let messages =
        [sessionless15(6, 0x38, &[0x8e, 4]), sessionless15(6, 0x39, &[2; 17]), old.activation(id, &challenge)];
    for whole in messages {
        for at in 0..whole.len() {
            for value in edges() {
                let mut changed = whole.clone();
                changed[at] = value;
                if changed != whole {
                    bench.send_from("192.0.2.51:1", &changed);
                    bench.send(&changed);
                    bench.wait(600);
                }
            }
            assert_eq!(bench.channel.active_sessions(), 0, "byte {at} of {whole:02x?}");
            bench.wait(20_000);
            let mut client = Login15::default().run(&mut bench).unwrap();
            assert_eq!(client.ask(&mut bench, 6, 1, &[])[0], 0);
            bench.close_sessions_of_user(2);
        }
    }
}
