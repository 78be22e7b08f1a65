//! Originals and what stands for them: the same for the same original, drawn from a key, never one of the originals.
//!
//! A text keeps its length, its case and everything that is neither letter nor digit; digits become digits and letters letters,
//! so that each form of a FRU or sensor name can hold it. An address keeps its neighbours: those of one /24 (IPv6: /64) stay in
//! one.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, Ipv6Addr};

use crate::crypto::mac::{Hash, Keyed};

/// How often another replacement is drawn when one is taken.
const ATTEMPTS: u32 = 256;
/// The first byte of a MAC address that nobody has bought: administered locally, of one station.
const LOCAL_MAC: u8 = 0x02;
/// 198.18.0.0/15, set aside for benchmarks (RFC 2544).
const NETWORK: u32 = 0xc612_0000;
/// 2001:db8::/32, set aside for documentation (RFC 3849).
const NETWORK_6: u32 = 0x2001_0db8;

/// What kind of original something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A serial number.
    Serial,
    /// An asset tag.
    AssetTag,
    /// A field of an inventory that its maker gave a meaning.
    OwnField,
    /// A MAC address.
    Mac,
    /// An IPv4 or IPv6 address.
    Address,
    /// A GUID.
    Guid,
    /// The name of a host or system, or a controller's identifier.
    Name,
    /// The name of a user.
    User,
    /// A community string or another word that lets somebody in.
    Secret,
}

impl Kind {
    /// So many of it, for people.
    pub fn counted(self, count: usize) -> String {
        let name = match self {
            Self::Serial => "serial number",
            Self::AssetTag => "asset tag",
            Self::OwnField => "maker's own field",
            Self::Mac => "MAC address",
            Self::Address => "IP address",
            Self::Guid => "GUID",
            Self::Name => "host or system name",
            Self::User => "user name",
            Self::Secret => "community string",
        };
        let ending = match (count, name.ends_with('s')) {
            (1, _) => "",
            (_, true) => "es",
            (_, false) => "s",
        };
        format!("{count} {name}{ending}")
    }
}

/// What stands for what.
pub struct Disguise {
    keyed: Keyed,
    /// By the text in lower case.
    texts: BTreeMap<String, (Kind, String)>,
    bytes: BTreeMap<Vec<u8>, (Kind, Vec<u8>)>,
    macs: BTreeMap<[u8; 6], [u8; 6]>,
    addresses: BTreeMap<Ipv4Addr, Ipv4Addr>,
    addresses_6: BTreeMap<Ipv6Addr, Ipv6Addr>,
    /// Replacements that have been drawn.
    taken: BTreeSet<Vec<u8>>,
    /// Originals that are known beforehand, so that none is drawn as the replacement of another.
    avoided: BTreeSet<Vec<u8>>,
}

impl Disguise {
    /// Draws from this key: the same one gives the same replacements.
    pub fn new(key: &[u8]) -> Self {
        Self {
            keyed: Keyed::new(Hash::Sha256, key),
            texts: BTreeMap::new(),
            bytes: BTreeMap::new(),
            macs: BTreeMap::new(),
            addresses: BTreeMap::new(),
            addresses_6: BTreeMap::new(),
            taken: BTreeSet::new(),
            avoided: BTreeSet::new(),
        }
    }

    /// Of the same originals, drawn anew in their order: what stands for one depends on the key and on what originals there are,
    /// not on where each was met first.
    pub fn settled(&self, key: &[u8]) -> Self {
        let mut new = Self::new(key);
        let texts = self.texts.keys().map(|text| text.as_bytes().to_vec());
        let macs = self.macs.keys().map(|mac| mac.to_vec());
        new.avoided = texts.chain(macs).chain(self.bytes.keys().cloned()).collect();
        self.macs.keys().for_each(|mac| {
            new.mac(*mac);
        });
        self.addresses.keys().for_each(|address| {
            new.address(*address);
        });
        self.addresses_6.keys().for_each(|address| {
            new.address_6(*address);
        });
        self.bytes.iter().for_each(|(bytes, (kind, _))| {
            new.bytes(*kind, bytes);
        });
        self.texts.iter().for_each(|(text, (kind, _))| {
            new.text(*kind, text);
        });
        new
    }

    /// What stands for a text. Blanks and NULs around it are left out of the comparison and stay; a text without letter or
    /// digit stays.
    pub fn text(&mut self, kind: Kind, text: &str) -> String {
        let core = core(text);
        if !core.chars().any(is_changed) || identifies_nobody(core) {
            return text.to_owned();
        }
        let new = match self.mac_text(core) {
            Some(mac) => mac,
            None => {
                let key = core.to_ascii_lowercase();
                let known = self.texts.get(&key).map(|(_, new)| new.clone());
                let new = known.unwrap_or_else(|| self.draw_text(kind, key));
                with_case_of(core, &new)
            }
        };
        text.replacen(core, &new, 1)
    }

    /// What stands for a name or a URL: each address in it, and each part of a name between dots, so that `n1` and
    /// `n1.example.org` stay of one machine. The length changes where an address is written out.
    pub fn name(&mut self, text: &str) -> String {
        let mut new = String::new();
        let mut rest = text;
        while !rest.is_empty() {
            let is_part = |letter: char| is_changed(letter) || matches!(letter, '.' | '-' | '_');
            let end = rest.find(|letter| !is_part(letter)).unwrap_or(rest.len());
            let (word, behind) = rest.split_at(end);
            new.push_str(&self.word_of_a_name(word));
            let end = behind.find(is_part).unwrap_or(behind.len());
            let (between, behind) = behind.split_at(end);
            new.push_str(between);
            rest = behind;
        }
        new
    }

    fn word_of_a_name(&mut self, word: &str) -> String {
        if let Ok(address) = word.parse::<Ipv4Addr>() {
            return self.address(address).to_string();
        }
        let parts: Vec<String> = word.split('.').map(|part| self.text(Kind::Name, part)).collect();
        parts.join(".")
    }

    fn draw_text(&mut self, kind: Kind, original: String) -> String {
        let new = self.draw(b"text", original.as_bytes(), |stream| {
            let changed = original.chars().map(|letter| changed(letter, stream));
            changed.collect::<String>().into_bytes()
        });
        let new = String::from_utf8_lossy(&new).into_owned();
        self.texts.insert(original, (kind, new.clone()));
        new
    }

    /// What stands for a text that is a MAC address: by its separators, or because the address is known.
    fn mac_text(&mut self, text: &str) -> Option<String> {
        let separator = match text.len() {
            12 => None,
            17 => text.chars().nth(2).filter(|letter| matches!(letter, ':' | '-')),
            _ => return None,
        };
        let digits: String = match separator {
            Some(separator) => text.split(separator).filter(|part| part.len() == 2).collect(),
            None => text.to_owned(),
        };
        let mac = mac_of_digits(&digits)?;
        if separator.is_none() && !self.macs.contains_key(&mac) {
            return None;
        }
        let mut digits = String::new();
        for (index, byte) in self.mac(mac).iter().enumerate() {
            if let Some(separator) = separator.filter(|_| index > 0) {
                digits.push(separator);
            }
            digits.push_str(&format!("{byte:02x}"));
        }
        let upper = text.chars().any(|letter| letter.is_ascii_uppercase());
        Some(if upper { digits.to_ascii_uppercase() } else { digits })
    }

    /// What stands for bytes that are no text. All of one value, as an unset GUID, stay.
    pub fn bytes(&mut self, kind: Kind, bytes: &[u8]) -> Vec<u8> {
        if says_nothing(bytes) {
            return bytes.to_vec();
        }
        if let Some(mac) = array(bytes).filter(|mac| self.macs.contains_key(mac)) {
            return self.mac(mac).to_vec();
        }
        if let Some((_, known)) = self.bytes.get(bytes) {
            return known.clone();
        }
        let new = self.draw(b"bytes", bytes, |stream| bytes.iter().map(|_| stream.byte()).collect());
        self.bytes.insert(bytes.to_vec(), (kind, new.clone()));
        new
    }

    /// What stands for a MAC address; one that is unset, or that of everybody, stays.
    pub fn mac(&mut self, mac: [u8; 6]) -> [u8; 6] {
        if says_nothing(&mac) {
            return mac;
        }
        if let Some(known) = self.macs.get(&mac) {
            return *known;
        }
        let drawn =
            self.draw(b"mac", &mac, |stream| std::iter::once(LOCAL_MAC).chain((0..5).map(|_| stream.byte())).collect());
        let new = drawn.first_chunk().copied().unwrap_or(mac);
        self.macs.insert(mac, new);
        new
    }

    /// What stands for an address; unset ones, those of this machine, of everybody, of groups and masks stay.
    pub fn address(&mut self, address: Ipv4Addr) -> Ipv4Addr {
        if !is_a_host(address) {
            return address;
        }
        if let Some(known) = self.addresses.get(&address) {
            return *known;
        }
        let number = u32::from(address);
        let network = self.number(b"network", &(number >> 8).to_be_bytes()) % 0x200;
        let drawn = self.draw(b"address", &address.octets(), |stream| {
            let host = 1 + u32::from(stream.byte()) % 254;
            (NETWORK | network << 8 | host).to_be_bytes().to_vec()
        });
        let new = drawn.first_chunk::<4>().map_or(address, |octets| Ipv4Addr::from(*octets));
        self.addresses.insert(address, new);
        new
    }

    /// What stands for an IPv6 address. A link-local one stays link-local.
    pub fn address_6(&mut self, address: Ipv6Addr) -> Ipv6Addr {
        if address.is_unspecified() || address.is_loopback() || address.is_multicast() {
            return address;
        }
        if let Some(known) = self.addresses_6.get(&address) {
            return *known;
        }
        let number = u128::from(address);
        let network = match address.is_unicast_link_local() {
            true => number >> 64,
            false => u128::from(NETWORK_6) << 32 | u128::from(self.number(b"network6", &(number >> 64).to_be_bytes())),
        };
        if number << 64 == 0 {
            // The prefix of a network.
            return Ipv6Addr::from(network << 64);
        }
        let drawn = self.draw(b"address6", &address.octets(), |stream| {
            let host = (0..8).fold(0, |host, _| host << 8 | u128::from(stream.byte()));
            (network << 64 | host).to_be_bytes().to_vec()
        });
        let new = drawn.first_chunk::<16>().map_or(address, |octets| Ipv6Addr::from(*octets));
        self.addresses_6.insert(address, new);
        new
    }

    /// Draws until the result is neither an original nor taken. Where there are too few possibilities two originals may get
    /// one replacement, but none keeps its own if there is any other.
    fn draw(&mut self, purpose: &[u8], original: &[u8], mut make: impl FnMut(&mut Stream<'_>) -> Vec<u8>) -> Vec<u8> {
        let mut second = original.to_vec();
        for attempt in 0..ATTEMPTS {
            let mut stream = Stream::new(&mut self.keyed, purpose, original, attempt);
            let new = make(&mut stream);
            if new == original {
                continue;
            }
            if !self.is_original(&new) && self.taken.insert(new.clone()) {
                return new;
            }
            second = new;
        }
        second
    }

    fn number(&mut self, purpose: &[u8], original: &[u8]) -> u32 {
        let mut stream = Stream::new(&mut self.keyed, purpose, original, 0);
        (0..4).fold(0, |number, _| number << 8 | u32::from(stream.byte()))
    }

    fn is_original(&self, bytes: &[u8]) -> bool {
        self.avoided.contains(bytes)
            || self.bytes.contains_key(bytes)
            || std::str::from_utf8(bytes).is_ok_and(|text| self.texts.contains_key(text))
            || array(bytes).is_some_and(|mac| self.macs.contains_key(&mac))
    }

    /// Texts in lower case with what stands for them, the longest first.
    pub fn texts(&self) -> impl Iterator<Item = (Kind, &str, &str)> {
        let mut all: Vec<_> =
            self.texts.iter().map(|(original, (kind, new))| (*kind, original.as_str(), new.as_str())).collect();
        all.sort_by_key(|(_, original, _)| std::cmp::Reverse(original.len()));
        all.into_iter()
    }

    /// Bytes that are no text, with what stands for them.
    pub fn all_bytes(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.bytes.iter().map(|(original, (_, new))| (original.as_slice(), new.as_slice()))
    }

    /// MAC addresses with what stands for them.
    pub fn macs(&self) -> impl Iterator<Item = (&[u8; 6], &[u8; 6])> {
        self.macs.iter()
    }

    /// IPv4 addresses with what stands for them.
    pub fn addresses(&self) -> impl Iterator<Item = (&Ipv4Addr, &Ipv4Addr)> {
        self.addresses.iter()
    }

    /// IPv6 addresses with what stands for them.
    pub fn addresses_6(&self) -> impl Iterator<Item = (&Ipv6Addr, &Ipv6Addr)> {
        self.addresses_6.iter()
    }

    /// How many different originals of each kind there were.
    pub fn counts(&self) -> BTreeMap<Kind, usize> {
        let mut counts = BTreeMap::new();
        let kinds = self.texts.values().map(|(kind, _)| *kind).chain(self.bytes.values().map(|(kind, _)| *kind));
        kinds.for_each(|kind| *counts.entry(kind).or_default() += 1);
        for (kind, count) in
            [(Kind::Mac, self.macs.len()), (Kind::Address, self.addresses.len() + self.addresses_6.len())]
        {
            if count > 0 {
                counts.insert(kind, count);
            }
        }
        counts
    }
}

/// A text without what only fills its room.
pub fn core(text: &str) -> &str {
    text.trim_matches([' ', '\0'])
}

/// Bytes that are as many as an array has.
pub fn array<const N: usize>(bytes: &[u8]) -> Option<[u8; N]> {
    bytes.try_into().ok()
}

/// Whether all bytes are the same: unset.
fn says_nothing(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| *byte == 0) || bytes.iter().all(|byte| *byte == 0xff)
}

fn is_a_host(address: Ipv4Addr) -> bool {
    let is_mask = u32::from(address).leading_ones() + u32::from(address).trailing_zeros() == 32;
    !(address.octets()[0] == 0 || address.is_loopback() || address.is_multicast() || is_mask)
}

/// Words that stand where nobody has entered anything, that everybody's users have, and parts of names that many share.
const COMMON: [&str; 53] = [
    "n/a",
    "na",
    "none",
    "null",
    "empty",
    "unknown",
    "unspecified",
    "not specified",
    "not available",
    "not present",
    "field not present",
    "no asset tag",
    "no asset information",
    "default string",
    "to be filled by o.e.m.",
    "to be filled by oem",
    "system serial number",
    "chassis serial number",
    "base board serial number",
    "asset tag",
    "default",
    "0123456789",
    "123456789",
    "admin",
    "administrator",
    "root",
    "user",
    "operator",
    "guest",
    "test",
    "monitor",
    "callback",
    "anonymous",
    "sysadmin",
    "public",
    "private",
    "localhost",
    "localdomain",
    "local",
    "lan",
    "com",
    "net",
    "org",
    "example",
    "www",
    "http",
    "https",
    "bmc",
    "ipmi",
    "dcmi",
    "host",
    "server",
    "system",
];

/// Whether a text is one of those that tell no machine from another.
pub fn identifies_nobody(text: &str) -> bool {
    COMMON.iter().any(|common| common.eq_ignore_ascii_case(core(text)))
}

fn is_changed(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || !letter.is_ascii()
}

/// Another letter for a letter, another digit for a digit.
fn changed(letter: char, stream: &mut Stream<'_>) -> char {
    let mut drawn = |first: u8, count: u8| char::from(first + stream.byte() % count);
    match letter {
        '0'..='9' => drawn(b'0', 10),
        'A'..='Z' => drawn(b'A', 26),
        'a'..='z' | '\u{80}'.. => drawn(b'a', 26),
        other => other,
    }
}

/// The text with capitals where the other one has them.
pub fn with_case_of(pattern: &str, text: &str) -> String {
    let letters = pattern.chars().zip(text.chars());
    letters
        .map(|(pattern, letter)| if pattern.is_ascii_uppercase() { letter.to_ascii_uppercase() } else { letter })
        .collect()
}

/// The address of twelve hexadecimal digits.
fn mac_of_digits(digits: &str) -> Option<[u8; 6]> {
    if digits.len() != 12 || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    let number = u64::from_str_radix(digits, 16).ok()?;
    number.to_be_bytes().last_chunk().copied()
}

/// Bytes that key, purpose, original and attempt decide.
struct Stream<'a> {
    keyed: &'a mut Keyed,
    seed: Vec<u8>,
    block: u32,
    ready: Vec<u8>,
}

impl<'a> Stream<'a> {
    fn new(keyed: &'a mut Keyed, purpose: &[u8], original: &[u8], attempt: u32) -> Self {
        let seed = [purpose, &[0], &attempt.to_be_bytes(), original].concat();
        Self { keyed, seed, block: 0, ready: Vec::new() }
    }

    fn byte(&mut self) -> u8 {
        if self.ready.is_empty() {
            let mut message = self.block.to_be_bytes().to_vec();
            message.extend_from_slice(&self.seed);
            self.ready = self.keyed.tag(&[&message]).bytes().to_vec();
            self.block += 1;
        }
        self.ready.pop().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn disguise() -> Disguise {
        Disguise::new(b"a key")
    }

    #[test]
    fn a_text_keeps_its_shape_and_one_original_has_one_replacement() {
        let mut disguise = disguise();
        let new = disguise.text(Kind::Serial, "BWC-4711x");
        assert_ne!(new, "BWC-4711x");
        let shape = |text: &str| -> String {
            text.chars()
                .map(|letter| match letter {
                    '0'..='9' => '9',
                    'A'..='Z' => 'A',
                    'a'..='z' => 'a',
                    other => other,
                })
                .collect()
        };
        assert_eq!(shape(&new), "AAA-9999a");
        assert_eq!(disguise.text(Kind::AssetTag, " BWC-4711x\0"), format!(" {new}\0"));
        assert_eq!(disguise.text(Kind::Serial, "bwc-4711X"), with_case_of("bwc-4711X", &new.to_ascii_lowercase()));
        assert_eq!(
            (disguise.text(Kind::Serial, "..-"), disguise.text(Kind::Serial, "")),
            ("..-".into(), String::new())
        );
        assert_eq!(disguise.text(Kind::OwnField, "Field not present "), "Field not present ");
        assert_eq!(disguise.counts(), BTreeMap::from([(Kind::Serial, 1)]));
        let other = Disguise::new(b"another key").text(Kind::Serial, "BWC-4711x");
        assert_ne!(other, new);
        assert_eq!(Disguise::new(b"a key").text(Kind::Serial, "BWC-4711x"), new);
    }

    #[test]
    fn names_of_one_machine_stay_of_one_machine() {
        let mut disguise = disguise();
        let (short, long) = (disguise.name("node17"), disguise.name("node17.example.org"));
        assert_eq!(long.split('.').next(), Some(short.as_str()));
        let address = disguise.address(Ipv4Addr::new(10, 1, 2, 3));
        assert_eq!(disguise.name("10.1.2.3"), address.to_string());
        assert_eq!(
            disguise
                .name("https://node17:8443/x?at=10.1.2.3")
                .replace(&short, "node17")
                .replace(&address.to_string(), "-"),
            format!(
                "https://node17:{}/{}?{}=-",
                disguise.text(Kind::Name, "8443"),
                disguise.text(Kind::Name, "x"),
                disguise.text(Kind::Name, "at")
            )
        );
    }

    #[test]
    fn addresses_keep_their_neighbours_and_special_ones_stay() {
        let mut disguise = disguise();
        let [one, two, far] =
            [[10, 1, 2, 3], [10, 1, 2, 4], [10, 1, 3, 3]].map(|octets| disguise.address(octets.into()).octets());
        assert!(one[..3] == two[..3] && one != two && one[..3] != far[..3], "{one:?} {two:?} {far:?}");
        assert_eq!((one[0], one[1] & 0xfe), (198, 18));
        for kept in [[0, 0, 0, 0], [255, 255, 255, 0], [255, 255, 255, 255], [127, 0, 0, 1], [224, 0, 0, 1]] {
            assert_eq!(disguise.address(kept.into()).octets(), kept);
        }
        let one = disguise.address_6("2a00:1::5".parse().unwrap());
        let two = disguise.address_6("2a00:1::6".parse().unwrap());
        assert!(one != two && one.octets()[..8] == two.octets()[..8] && one.octets()[..4] == [0x20, 1, 0x0d, 0xb8]);
        assert!(disguise.address_6("fe80::1".parse().unwrap()).is_unicast_link_local());
        assert_eq!(disguise.address_6(Ipv6Addr::UNSPECIFIED), Ipv6Addr::UNSPECIFIED);
        assert_eq!(disguise.address_6("2a00:1::".parse().unwrap()).octets()[..8], one.octets()[..8]);
        assert_eq!(disguise.address_6("2a00:1::".parse().unwrap()).octets()[8..], [0; 8]);
    }

    #[test]
    fn a_mac_address_is_the_same_in_bytes_and_in_text() {
        let mut disguise = disguise();
        let mac = [0x0c, 0xc4, 0x7a, 0x12, 0x34, 0x56];
        assert_eq!(disguise.text(Kind::Serial, "0CC47A123456").len(), 12);
        let new = disguise.mac(mac);
        assert_eq!(new[0], LOCAL_MAC);
        let digits: String = new.iter().map(|byte| format!("{byte:02X}")).collect();
        assert_eq!(disguise.text(Kind::Serial, "0CC47A123456"), digits);
        assert_eq!(disguise.text(Kind::OwnField, "0c:c4:7a:12:34:56").replace(':', "").to_ascii_uppercase(), digits);
        assert_eq!(disguise.bytes(Kind::Serial, &mac), new);
        assert_eq!((disguise.mac([0; 6]), disguise.mac([0xff; 6])), ([0; 6], [0xff; 6]));
    }

    #[test]
    fn different_originals_get_different_replacements_while_there_are_enough() {
        let mut disguise = disguise();
        let originals: Vec<String> = (0..400).map(|number| format!("S{number:03}")).collect();
        for original in &originals {
            disguise.text(Kind::Serial, original);
        }
        let mut disguise = disguise.settled(b"a key");
        let new: BTreeSet<String> = originals.iter().map(|original| disguise.text(Kind::Serial, original)).collect();
        assert_eq!(new.len(), 400);
        assert!(originals.iter().all(|original| !new.contains(original)));
        let digits: Vec<String> = ('0'..='9').map(|digit| disguise.text(Kind::Serial, &digit.to_string())).collect();
        for (original, new) in ('0'..='9').zip(digits) {
            assert!(new.len() == 1 && new != original.to_string(), "{original} {new}");
        }
    }
}
