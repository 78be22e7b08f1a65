//! Replacing what tells a machine from others of its kind, for folders that leave the house: serial numbers, asset tags, MAC and
//! IP addresses, GUIDs, names of hosts, systems and users, community strings.
//!
//! The same original has the same replacement in all machines of a run. What [`pieces`] names is replaced where it stands, and
//! what was replaced is then [looked for](needles) in names, logs and bytes that only their maker understands.

pub mod disguise;
pub mod forms;
pub mod fru;
pub mod needles;
pub mod pieces;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, Ipv6Addr};

use disguise::{Disguise, Kind, array};
use forms::Form;
use needles::Needles;
use pieces::Piece;

use super::model::Machine;

/// Replaces in machines that it has seen before.
pub struct Scrubber {
    disguise: Disguise,
    needles: Needles,
}

/// What was done to a machine; never what an original was.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// How many different originals of a kind were replaced, in all machines of the run.
    pub replaced: BTreeMap<Kind, usize>,
    /// Places where something was found that was replaced elsewhere.
    pub found: usize,
    /// Bytes that were kept as they are but for what was found in them, with how often there are such.
    pub opaque: BTreeMap<String, usize>,
}

impl Scrubber {
    /// For these machines. The same key and machines give the same replacements.
    pub fn new(key: &[u8], machines: &[&Machine]) -> Self {
        // Binary addresses of all machines are known before a text that may be one of them is looked at.
        let mut disguise = Disguise::new(key);
        for wanted in [true, false] {
            for machine in machines {
                pieces::each(&mut (*machine).clone(), &mut |piece| {
                    if matches!(piece, Piece::Mac(_)) == wanted {
                        replace(&mut disguise, piece);
                    }
                });
            }
        }
        let disguise = disguise.settled(key);
        Self { needles: Needles::new(&disguise), disguise }
    }

    /// Replaces in one of them.
    pub fn apply(&mut self, machine: &mut Machine) -> Report {
        let mut report = Report { replaced: self.disguise.counts(), ..Report::default() };
        pieces::each(machine, &mut |piece| {
            if let Piece::Opaque(what, _) = &piece {
                *report.opaque.entry(what.clone()).or_default() += 1;
            }
            let piece = replace(&mut self.disguise, piece);
            report.found += piece.map_or(0, |piece| search(&self.needles, piece));
        });
        report
    }
}

impl Report {
    /// Sentences for a README.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        let replaced: Vec<String> = self.replaced.iter().map(|(kind, count)| kind.counted(*count)).collect();
        let replaced = if replaced.is_empty() { "nothing".into() } else { replaced.join(", ") };
        lines.push(format!("Replaced: {replaced} (different originals, in all machines of the run)."));
        if self.found > 0 {
            lines.push(format!("They were found and replaced in {} further places.", self.found));
        }
        lines.push(
            "Kept: makers, products, part numbers, versions, dates, names of sensors and devices, names of operating systems, \
             texts of alerts, words that everybody has (admin, root, N/A, public), and the log's events and times."
                .into(),
        );
        let opaque: BTreeSet<String> = self.opaque.iter().map(|(what, count)| format!("{what} ({count})")).collect();
        if !opaque.is_empty() {
            let opaque = opaque.into_iter().collect::<Vec<_>>().join("; ");
            lines.push(format!(
                "Kept, but searched for what was replaced, because only the maker knows what they mean: {opaque}. Look at them \
                 before you give this away."
            ));
        }
        lines
    }
}

/// Replaces a piece whose meaning is known; one whose meaning is not comes back.
fn replace<'a>(disguise: &mut Disguise, piece: Piece<'a>) -> Option<Piece<'a>> {
    match piece {
        Piece::Text(kind, form, bytes) => {
            let text = form.decode(bytes);
            form.encode(&disguise.text(kind, &text), bytes);
        }
        Piece::Name(bytes) => name(disguise, bytes),
        Piece::FreeName(text) => *text = disguise.name(text),
        Piece::Bytes(kind, bytes) => bytes.copy_from_slice(&disguise.bytes(kind, bytes)),
        Piece::Mac(bytes) => {
            if let Some(mac) = array(bytes) {
                bytes.copy_from_slice(&disguise.mac(mac));
            }
        }
        Piece::Address(bytes) => {
            if let Some(octets) = array::<4>(bytes) {
                bytes.copy_from_slice(&disguise.address(Ipv4Addr::from(octets)).octets());
            }
        }
        Piece::Address6(bytes) => {
            if let Some(octets) = array::<16>(bytes) {
                bytes.copy_from_slice(&disguise.address_6(Ipv6Addr::from(octets)).octets());
            }
        }
        other => return Some(other),
    }
    None
}

/// A name in bytes: what is shorter than before is followed by NULs, what is longer is cut.
fn name(disguise: &mut Disguise, bytes: &mut [u8]) {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    let text = Form::EightBit.decode(bytes.get(..end).unwrap_or_default());
    let new = disguise.name(&text);
    let before = text.chars().count();
    if new.chars().count() < before {
        bytes.iter_mut().take(before).for_each(|byte| *byte = 0);
    }
    let new: String = new.chars().take(before).collect();
    Form::EightBit.encode(&new, bytes);
}

/// Looks for what was replaced elsewhere. How often it was found.
fn search(needles: &Needles, piece: Piece<'_>) -> usize {
    match piece {
        Piece::KeptText(form, bytes) => match needles.in_text(&form.decode(bytes)) {
            Some(text) => {
                form.encode(&text, bytes);
                1
            }
            None => 0,
        },
        Piece::FreeText(text) => match needles.in_text(text) {
            Some(new) => {
                *text = new;
                1
            }
            None => 0,
        },
        Piece::Opaque(_, bytes) => needles.in_bytes(bytes),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bmc::fru::areas::Areas;
    use crate::clone::model::{BMC, Fru, Request, Response, Sel, Sensor};
    use crate::clone::reads::Read;

    /// Originals as bytes, in each form in which they could be found.
    const ORIGINALS: [&[u8]; 12] = [
        b"CS-40417",
        b"SN-3531Y",
        b"90123456",
        b"tag-081",
        b"node17",
        b"jdoe-ops",
        b"\x0c\xc4\x7a\x12\x34\x56",
        b"0c:c4:7a:12:34:56",
        b"\x0a\x01\x02\x03",
        b"10.1.2.3",
        b"\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f",
        b"s3cret-word",
    ];

    fn lan(parameter: u8) -> Request {
        Request::new(BMC, Read::LanParameters, [1, parameter, 0, 0])
    }

    fn machine() -> Machine {
        let mut machine = Machine::new("node17.lab.example.org");
        let done = |data: &[u8]| Response::done(data);
        machine.keep(lan(3), done(&[0x11, 10, 1, 2, 3]));
        machine.keep(lan(5), done(b"\x11\x0c\xc4\x7a\x12\x34\x56"));
        machine.keep(lan(6), done(&[0x11, 255, 255, 255, 0]));
        machine.keep(lan(12), done(&[0x11, 10, 1, 2, 1]));
        machine.keep(lan(16), done(b"\x11s3cret-word\0\0\0\0\0\0\0"));
        machine.keep(lan(19), done(b"\x11\x01\x00\x00\x0a\x01\x02\x03\x0c\xc4\x7a\x12\x34\x56"));
        machine.keep(lan(192), done(b"\x11\x0c\xc4\x7a\x12\x34\x56"));
        machine.keep(Request::new(BMC, Read::UserName, [2]), done(b"admin\0\0\0\0\0\0\0\0\0\0\0"));
        machine.keep(Request::new(BMC, Read::UserName, [3]), done(b"jdoe-ops\0\0\0\0\0\0\0\0"));
        let guid: Vec<u8> = (0..16).collect();
        machine.keep(Request::new(BMC, Read::SystemGuid, []), done(&guid));
        machine.keep(Request::new(BMC, Read::DeviceGuid, []), done(&guid));
        // A name in two blocks, a URL, an asset tag in two parts.
        machine.keep(Request::new(BMC, Read::SystemInfo, [0, 2, 0, 0]), done(b"\x11\x00\x00\x12a-name-in-node"));
        machine.keep(Request::new(BMC, Read::SystemInfo, [0, 2, 1, 0]), done(b"\x11\x0117.x\0\0\0\0\0\0\0\0\0\0\0\0"));
        machine.keep(Request::new(BMC, Read::SystemInfo, [0, 6, 0, 0]), done(b"\x11\x00\x00\x0fhttp://10.1.2.3"));
        machine.keep(Request::new(BMC, Read::DcmiAssetTag, [0xdc, 0, 4]), done(b"\xdc\x07tag-"));
        machine.keep(Request::new(BMC, Read::DcmiAssetTag, [0xdc, 4, 3]), done(b"\xdc\x07081"));
        machine.keep(
            Request { netfn: 0x30, cmd: 1, ..Request::new(BMC, Read::SelfTest, []) },
            done(b"x\x56\x34\x12\x7a\xc4\x0c"),
        );
        let bmc = machine.controller_mut(BMC).unwrap();
        bmc.frus.push(Fru { lun: 0, device: 0, data: fru::tests::whole().into() });
        let record = b"\x01\x00\x51\x12\x14\x20\x00\x80\xbf\x00\x00\x00\x2e\x01\x00\xc9on node17";
        bmc.repository = Some(vec![record.into()]);
        bmc.sensors.push(Sensor { name: "on node17".into(), ..Sensor::default() });
        let logged = [
            *b"\x01\x00\xc1\x00\x00\x00\x00\xd9\x7e\x00\x0c\xc4\x7a\x12\x34\x56",
            *b"\x02\x00\xe0by jdoe-ops\0\0",
            *b"\x03\x00\xf0\x20\x00panic on no",
            *b"\x04\x00\xf0\x20\x01de17: x    ",
        ];
        bmc.sel = Some(Sel { records: logged.iter().map(|record| record.into()).collect(), ..Sel::default() });
        machine.miss("the log of 10.1.2.3", "node17 was silent");
        machine
    }

    /// Everything that a machine is made of, one behind the other.
    fn everything(machine: &Machine) -> Vec<u8> {
        let mut all = machine.name.clone().into_bytes();
        machine.exchanges.values().for_each(|response| all.extend_from_slice(&response.data));
        for controller in &machine.controllers {
            controller.frus.iter().for_each(|fru| all.extend_from_slice(&fru.data));
            controller.repository.iter().flatten().for_each(|record| all.extend_from_slice(record));
            controller.sensors.iter().for_each(|sensor| all.extend_from_slice(sensor.name.as_bytes()));
            controller.sel.iter().flat_map(|sel| &sel.records).for_each(|record| all.extend_from_slice(record));
        }
        machine.unread.iter().for_each(|unread| all.extend_from_slice(format!("{unread:?}").as_bytes()));
        all
    }

    /// Whether an original is somewhere: as it is, in two bytes a letter, in six bits a letter, in four bits a digit.
    fn holds(haystack: &[u8], original: &[u8]) -> bool {
        let is_in = |needle: &[u8]| haystack.windows(needle.len()).any(|window| window.eq_ignore_ascii_case(needle));
        let wide: Vec<u8> = original.iter().flat_map(|byte| [*byte, 0]).collect();
        let text = String::from_utf8_lossy(original);
        let mut packed = vec![0; original.len() * 3 / 4];
        Form::SixBit.encode(&text.to_ascii_uppercase(), &mut packed);
        let mut digits = vec![0; original.len() / 2];
        Form::BcdPlus.encode(&text, &mut digits);
        let is_digits = original.iter().all(u8::is_ascii_digit);
        let is_text = original.len() >= 6 && original.iter().all(|byte| matches!(byte, b' '..=b'~'));
        is_in(original) || is_in(&wide) || is_text && is_in(&packed) || is_digits && is_in(&digits)
    }

    #[test]
    fn no_original_is_left_and_what_is_common_stays() {
        let original = machine();
        let before = everything(&original);
        for known in ORIGINALS {
            assert!(holds(&before, known), "{known:02x?} is not there to begin with");
        }
        let mut scrubbed = original.clone();
        let report = Scrubber::new(b"key", &[&original]).apply(&mut scrubbed);
        let after = everything(&scrubbed);
        for known in ORIGINALS {
            assert!(!holds(&after, known), "{} is left", String::from_utf8_lossy(known));
        }
        assert!(holds(&after, b"admin") && holds(&after, b"Acme") && holds(&after, &[255, 255, 255, 0]));
        assert_eq!(after.len(), before.len());
        let records = &scrubbed.controllers[0].sel.as_ref().unwrap().records;
        let last_words = [&records[2][5..], &records[3][5..]].concat();
        assert!(last_words.starts_with(b"panic on ") && !holds(&last_words, b"node17"), "{last_words:?}");
        let areas = Areas::read(&scrubbed.controllers[0].frus[0].data);
        assert!(areas.chassis.is_some() && areas.board.is_some());
        assert_eq!(areas.product.unwrap().name.as_deref(), Some("Name"));
        // The asset tag and that of the inventory are one, and the GUID is one.
        let told = |read, data: &[u8]| scrubbed.told(BMC, read, data).unwrap().to_vec();
        assert_eq!(told(Read::SystemGuid, &[]), told(Read::DeviceGuid, &[]));
        let tag =
            [&told(Read::DcmiAssetTag, &[0xdc, 0, 4])[2..], &told(Read::DcmiAssetTag, &[0xdc, 4, 3])[2..]].concat();
        assert!(holds(&scrubbed.controllers[0].frus[0].data, &tag));
        let (ip, gateway) = (told(Read::LanParameters, &[1, 3, 0, 0]), told(Read::LanParameters, &[1, 12, 0, 0]));
        assert_eq!(ip[1..4], gateway[1..4]);
        let text = report.lines().join("\n");
        for expected in [
            "2 IP addresses",
            "1 MAC address",
            "1 GUID",
            "1 user name",
            "3 serial numbers",
            "OEM records of the event log",
        ] {
            assert!(text.contains(expected), "{text}");
        }
        for known in ORIGINALS {
            assert!(!holds(text.as_bytes(), known));
        }
    }

    #[test]
    fn machines_of_a_run_agree_and_a_key_repeats_it() {
        let one = machine();
        let mut two = Machine::new("node18");
        two.keep(lan(12), Response::done([0x11, 10, 1, 2, 1]));
        two.keep(lan(5), Response::done(*b"\x11\x0c\xc4\x7a\x12\x34\x57"));
        let run = |key: &[u8]| {
            let mut scrubber = Scrubber::new(key, &[&one, &two]);
            let (mut one, mut two) = (one.clone(), two.clone());
            scrubber.apply(&mut one);
            scrubber.apply(&mut two);
            (one, two)
        };
        let (first, second) = run(b"key");
        assert_eq!(first.exchanges[&lan(12)], second.exchanges[&lan(12)]);
        assert_ne!(first.exchanges[&lan(5)], second.exchanges[&lan(5)]);
        assert_eq!(run(b"key"), (first.clone(), second));
        assert_ne!(run(b"other").0, first);
    }
}
