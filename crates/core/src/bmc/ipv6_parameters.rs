//! IPv6 parameters of a LAN channel: LAN configuration parameters 50 to 80 (IPMI 2.0 table 23-4).
//!
//! Owns what clients have set and the table of what there is. As with the IPv4 parameters of a
//! channel without a program, nothing of it changes where the channel is reached: that is the
//! configuration's, and [`Served`] says what came of it.

use std::collections::BTreeMap;
use std::net::Ipv6Addr;

use super::lan_parameters::ParameterError;

/// First of the parameters.
pub const FIRST: u8 = 50;
/// Last of the parameters.
pub const LAST: u8 = 80;

/// Parameters that are more than a row of the table.
mod number {
    pub(super) const ENABLES: u8 = 51;
    pub(super) const STATUS: u8 = 55;
    pub(super) const STATIC_ADDRESS: u8 = 56;
    pub(super) const DYNAMIC_ADDRESS: u8 = 59;
}

/// IPv6 alone, and IPv4 with IPv6; alerts are sent nowhere.
const SUPPORT: u8 = 0x03;
/// Static addresses that can be set.
const STATIC_ADDRESSES: u8 = 4;
/// Most addresses in use that are shown.
pub const MOST_IN_USE: usize = 8;
/// Neither DHCPv6 nor SLAAC is done here: addresses are the operating system's.
const NO_CONFIGURATION: u8 = 0;
/// Bytes of a block of a parameter that has blocks.
const BLOCK: usize = 16;
/// Most bytes of a parameter, selectors included.
pub const MOST: usize = 20;

/// Address status of parameters 56 and 59.
mod status {
    pub(super) const ACTIVE: u8 = 0;
    pub(super) const DISABLED: u8 = 1;
}

/// Address source of parameter 59: the operating system's interface has it, which SLAAC comes
/// closest to.
const FROM_THE_NETWORK: u8 = 1;

/// What selects a value of a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Selectors {
    /// Nothing.
    None,
    /// A set, below this number.
    Set(u8),
    /// A set and a block of 16 bytes, below these numbers; a shorter block ends in zeros.
    Block(u8, u8),
}

/// What a client may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Access {
    /// Read it, only.
    Read,
    /// Read it and set it to values whose first byte is at most this.
    Set(u8),
}

/// One parameter.
struct Row {
    /// Number in the state file and in what follows: the name of its items.
    name: &'static str,
    access: Access,
    selectors: Selectors,
    /// Its value before anybody set it, without selectors; as long as each value.
    default: &'static [u8],
}

const fn fixed(name: &'static str, default: &'static [u8]) -> Row {
    Row { name, access: Access::Read, selectors: Selectors::None, default }
}

const fn kept(name: &'static str, highest: u8, default: &'static [u8]) -> Row {
    Row { name, access: Access::Set(highest), selectors: Selectors::None, default }
}

const fn blocks(name: &'static str, sets: u8, blocks: u8) -> Row {
    let selectors = Selectors::Block(sets, blocks);
    Row { name, access: Access::Set(0xff), selectors, default: &[0; BLOCK] }
}

const fn absent(name: &'static str) -> Row {
    Row { name, access: Access::Read, selectors: Selectors::Set(0), default: &[] }
}

/// Blocks that hold a DHCP unique identifier: its length, and up to 31 bytes of it.
const DUID_BLOCKS: u8 = 2;
/// One timing configuration for all addresses.
const GLOBAL: u8 = 1;

/// The parameters from [`FIRST`] on.
const ROWS: [Row; (LAST - FIRST + 1) as usize] = [
    fixed("ipv6_support", &[SUPPORT]),
    kept("ipv6_enables", 2, &[0]),
    kept("ipv6_traffic_class", 0xff, &[0]),
    kept("ipv6_hop_limit", 0xff, &[64]),
    kept("ipv6_flow_label", 0xff, &[0; 3]),
    fixed("ipv6_status", &[STATIC_ADDRESSES, 0, NO_CONFIGURATION]),
    // Enabled and source, address, prefix length; the status behind them follows from these.
    Row {
        name: "ipv6_static_address",
        access: Access::Set(0xff),
        selectors: Selectors::Set(STATIC_ADDRESSES),
        default: &[0; 18],
    },
    fixed("ipv6_static_duid_blocks", &[DUID_BLOCKS]),
    blocks("ipv6_static_duid", STATIC_ADDRESSES, DUID_BLOCKS),
    absent("ipv6_dynamic_address"),
    fixed("ipv6_dynamic_duid_blocks", &[DUID_BLOCKS]),
    blocks("ipv6_dynamic_duid", STATIC_ADDRESSES, DUID_BLOCKS),
    fixed("ipv6_dhcp_timing_support", &[GLOBAL]),
    blocks("ipv6_dhcp_timing", 1, 2),
    kept("ipv6_router_control", 3, &[1]),
    kept("ipv6_router1_address", 0xff, &[0; 16]),
    kept("ipv6_router1_mac", 0xff, &[0; 6]),
    kept("ipv6_router1_prefix_length", 128, &[0]),
    kept("ipv6_router1_prefix", 0xff, &[0; 16]),
    kept("ipv6_router2_address", 0xff, &[0; 16]),
    kept("ipv6_router2_mac", 0xff, &[0; 6]),
    kept("ipv6_router2_prefix_length", 128, &[0]),
    kept("ipv6_router2_prefix", 0xff, &[0; 16]),
    // Routers that advertised themselves: none was heard.
    fixed("ipv6_dynamic_routers", &[0]),
    absent("ipv6_dynamic_router_address"),
    absent("ipv6_dynamic_router_mac"),
    absent("ipv6_dynamic_router_prefix_length"),
    absent("ipv6_dynamic_router_prefix"),
    fixed("ipv6_dynamic_hop_limit", &[0]),
    fixed("ipv6_slaac_timing_support", &[GLOBAL]),
    blocks("ipv6_slaac_timing", 1, 1),
];

/// Where a channel is reached, as its sockets have it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Served {
    /// It is reached by IPv4, too.
    pub ipv4: bool,
    /// Its IPv6 addresses with their prefix lengths; at most [`MOST_IN_USE`] are shown.
    pub ipv6: Vec<(Ipv6Addr, u8)>,
}

impl Served {
    /// The addressing that is in use: 0 IPv4, 1 IPv6, 2 both.
    fn addressing(&self) -> u8 {
        match (self.ipv6.is_empty(), self.ipv4) {
            (true, _) => 0,
            (false, false) => 1,
            (false, true) => 2,
        }
    }

    fn shown(&self) -> &[(Ipv6Addr, u8)] {
        self.ipv6.get(..MOST_IN_USE).unwrap_or(&self.ipv6)
    }
}

/// A value of a parameter: number, set, block.
type Place = (u8, u8, u8);

/// A parameter's bytes as Get LAN Configuration Parameters gives them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bytes {
    bytes: [u8; MOST],
    length: usize,
}

impl Bytes {
    fn of(parts: &[&[u8]]) -> Self {
        let mut all = Self { bytes: [0; MOST], length: 0 };
        for byte in parts.iter().copied().flatten() {
            if let Some(place) = all.bytes.get_mut(all.length) {
                *place = *byte;
                all.length += 1;
            }
        }
        all
    }

    /// The bytes.
    pub fn as_slice(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

/// What clients have set of the IPv6 parameters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ipv6Parameters {
    /// Only what differs from what was there before: most channels have nothing.
    set: BTreeMap<Place, Box<[u8]>>,
}

fn row(parameter: u8) -> Result<&'static Row, ParameterError> {
    let place = parameter.checked_sub(FIRST).and_then(|place| ROWS.get(usize::from(place)));
    place.ok_or(ParameterError::Unsupported)
}

impl Ipv6Parameters {
    /// Whether a LAN configuration parameter is one of these.
    pub fn has(parameter: u8) -> bool {
        (FIRST..=LAST).contains(&parameter)
    }

    /// Reads a parameter.
    pub fn get(&self, parameter: u8, set: u8, block: u8, served: &Served) -> Result<Bytes, ParameterError> {
        let row = row(parameter)?;
        if parameter == number::DYNAMIC_ADDRESS {
            let (address, prefix) = served.shown().get(usize::from(set)).ok_or(ParameterError::NoSet)?;
            let behind = [*prefix, status::ACTIVE];
            return Ok(Bytes::of(&[&[set, FROM_THE_NETWORK], &address.octets(), &behind]));
        }
        let (selectors, place): (&[u8], Place) = match row.selectors {
            Selectors::None => (&[], (parameter, 0, 0)),
            Selectors::Set(sets) if set < sets => (&[set], (parameter, set, 0)),
            Selectors::Block(sets, blocks) if set < sets && block < blocks => (&[set, block], (parameter, set, block)),
            _ => return Err(ParameterError::NoSet),
        };
        let in_use = [served.addressing()];
        let value = match (self.set.get(&place), parameter) {
            (Some(value), _) => value,
            (None, number::ENABLES) => &in_use[..],
            (None, _) => row.default,
        };
        Ok(match parameter {
            number::STATUS => Bytes::of(&[&[STATIC_ADDRESSES, served.shown().len() as u8, NO_CONFIGURATION]]),
            number::STATIC_ADDRESS => {
                let enabled = value.first().is_some_and(|flags| flags & 0x80 != 0);
                Bytes::of(&[selectors, value, &[if enabled { status::ACTIVE } else { status::DISABLED }]])
            }
            _ => Bytes::of(&[selectors, value]),
        })
    }

    /// Writes a parameter; `data` is what follows its number, its selectors first.
    pub fn set(&mut self, parameter: u8, data: &[u8]) -> Result<(), ParameterError> {
        let row = row(parameter)?;
        let Access::Set(highest) = row.access else { return Err(ParameterError::ReadOnly) };
        let short = ParameterError::TooShort;
        let (place, data) = match row.selectors {
            Selectors::None => ((parameter, 0, 0), data),
            Selectors::Set(sets) => {
                let (set, data) = data.split_first().ok_or(short)?;
                (*set < sets).then_some(()).ok_or(ParameterError::NoSet)?;
                ((parameter, *set, 0), data)
            }
            Selectors::Block(sets, blocks) => {
                let ([set, block], data) = data.split_first_chunk().ok_or(short)?;
                (*set < sets && *block < blocks).then_some(()).ok_or(ParameterError::NoSet)?;
                ((parameter, *set, *block), data)
            }
        };
        let length = row.default.len();
        let mut value = data.iter().copied().take(length).collect::<Vec<u8>>();
        match row.selectors {
            Selectors::Block(..) if !value.is_empty() => value.resize(length, 0),
            _ if value.len() < length => return Err(short),
            _ => {}
        }
        if value.first().is_some_and(|first| *first > highest) {
            return Err(ParameterError::Invalid);
        }
        if let (number::STATIC_ADDRESS, [flags, .., prefix]) = (parameter, &mut value[..]) {
            if *prefix > 128 {
                return Err(ParameterError::Invalid);
            }
            // The source of a static address is "static", 0, whatever a client writes there.
            *flags &= 0x80;
        }
        // What is in use is no setting: one that says the same is kept like any other.
        if parameter != number::ENABLES && value == row.default {
            self.set.remove(&place);
        } else {
            self.set.insert(place, value.into());
        }
        Ok(())
    }

    /// Items of the state file.
    pub fn kept(&self) -> impl Iterator<Item = (String, Vec<u8>)> {
        self.set.iter().filter_map(|(place, value)| Some((item_name(*place)?, value.to_vec())))
    }

    /// Takes what [`kept`](Self::kept) gave, each item that is there and fits.
    pub fn restore<'f>(&mut self, item: impl Fn(&str) -> Option<&'f [u8]>) {
        self.set.clear();
        for (parameter, row) in (FIRST..).zip(&ROWS) {
            let (sets, blocks) = match (row.access, row.selectors) {
                (Access::Read, _) => continue,
                (_, Selectors::None) => (1, 1),
                (_, Selectors::Set(sets)) => (sets, 1),
                (_, Selectors::Block(sets, blocks)) => (sets, blocks),
            };
            for (set, block) in (0..sets).flat_map(|set| (0..blocks).map(move |block| (set, block))) {
                let Some(value) = item_name((parameter, set, block)).and_then(|name| item(&name)) else { continue };
                let selectors: &[u8] = match row.selectors {
                    Selectors::None => &[],
                    Selectors::Set(_) => &[set],
                    Selectors::Block(..) => &[set, block],
                };
                // One that no client could have set is left out.
                if value.len() == row.default.len() {
                    let _ = self.set(parameter, &[selectors, value].concat());
                }
            }
        }
    }
}

fn item_name((parameter, set, block): Place) -> Option<String> {
    let row = row(parameter).ok()?;
    Some(match row.selectors {
        Selectors::None => row.name.to_owned(),
        Selectors::Set(_) => format!("{}.{set}", row.name),
        Selectors::Block(..) => format!("{}.{set}.{block}", row.name),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nowhere() -> Served {
        Served::default()
    }

    fn read(parameters: &Ipv6Parameters, number: u8, set: u8, block: u8) -> Vec<u8> {
        parameters.get(number, set, block, &nowhere()).expect("supported").as_slice().to_vec()
    }

    /// A value of every length that a row takes, selectors in front.
    fn sample(number: u8, set: u8, block: u8) -> Vec<u8> {
        let row = row(number).expect("known");
        let selectors: &[u8] = match row.selectors {
            Selectors::None => &[],
            Selectors::Set(_) => &[set],
            Selectors::Block(..) => &[set, block],
        };
        let first = match row.access {
            Access::Set(0xff) => 0x80,
            Access::Set(highest) => highest,
            Access::Read => panic!("{number} is not set"),
        };
        let value = (0..row.default.len()).map(|at| if at == 0 { first } else { at as u8 + set + block });
        selectors.iter().copied().chain(value).collect()
    }

    #[test]
    fn every_value_that_can_be_set_is_read_as_it_was_and_comes_back_from_the_file() {
        let mut parameters = Ipv6Parameters::default();
        let mut places = Vec::new();
        for number in FIRST..=LAST {
            let row = row(number).expect("in the table");
            let (sets, blocks) = match row.selectors {
                _ if row.access == Access::Read => continue,
                Selectors::None => (1, 1),
                Selectors::Set(sets) => (sets, 1),
                Selectors::Block(sets, blocks) => (sets, blocks),
            };
            places.extend((0..sets).flat_map(|set| (0..blocks).map(move |block| (number, set, block))));
        }
        assert_eq!(places.len(), 4 + 4 + 8 + 8 + 2 + 1 + 8 + 1);
        for (number, set, block) in &places {
            parameters.set(*number, &sample(*number, *set, *block)).expect("accepted");
        }
        let kept: Vec<_> = parameters.kept().collect();
        assert_eq!(kept.len(), places.len());
        let mut again = Ipv6Parameters::default();
        again.restore(|name| kept.iter().find(|(item, _)| item == name).map(|(_, bytes)| bytes.as_slice()));
        assert_eq!(again, parameters);
        for (number, set, block) in places {
            let mut expected = sample(number, set, block);
            if number == number::STATIC_ADDRESS {
                expected.push(status::ACTIVE);
            }
            assert_eq!(read(&again, number, set, block), expected, "{number}");
        }
    }

    #[test]
    fn what_nobody_set_has_its_default() {
        let parameters = Ipv6Parameters::default();
        for (number, expected) in [
            (50, &[3][..]),
            (51, &[0]),
            (52, &[0]),
            (53, &[64]),
            (54, &[0, 0, 0]),
            (55, &[4, 0, 0]),
            (57, &[2]),
            (60, &[2]),
            (62, &[1]),
            (64, &[1]),
            (65, &[0; 16]),
            (66, &[0; 6]),
            (67, &[0]),
            (73, &[0]),
            (78, &[0]),
            (79, &[1]),
            (80, &[0; 18]),
        ] {
            assert_eq!(read(&parameters, number, 0, 0), expected, "{number}");
        }
        let mut first = [0; 20];
        first[0] = 3;
        first[19] = status::DISABLED;
        assert_eq!(read(&parameters, 56, 3, 0), first);
        assert_eq!(parameters.kept().count(), 0);
    }

    #[test]
    fn what_is_not_there_cannot_be_read_and_what_is_fixed_cannot_be_set() {
        let mut parameters = Ipv6Parameters::default();
        for (number, set, block) in
            [(56, 4, 0), (58, 4, 0), (58, 0, 2), (59, 0, 0), (63, 1, 0), (63, 0, 2), (74, 0, 0), (77, 0, 0), (80, 0, 1)]
        {
            assert_eq!(parameters.get(number, set, block, &nowhere()), Err(ParameterError::NoSet), "{number}");
        }
        for number in [50, 55, 57, 59, 60, 62, 73, 74, 75, 76, 77, 78, 79] {
            assert_eq!(parameters.set(number, &[0; 20]), Err(ParameterError::ReadOnly), "{number}");
        }
        for (number, data, error) in [
            (51, &[3][..], ParameterError::Invalid),
            (51, &[], ParameterError::TooShort),
            (54, &[0, 0], ParameterError::TooShort),
            (56, &[4; 20], ParameterError::NoSet),
            (56, &[0; 18], ParameterError::TooShort),
            (56, &[0, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 129, 0], ParameterError::Invalid),
            (58, &[0, 2, 1], ParameterError::NoSet),
            (58, &[0, 0], ParameterError::TooShort),
            (64, &[4], ParameterError::Invalid),
            (67, &[129], ParameterError::Invalid),
            (49, &[0], ParameterError::Unsupported),
            (81, &[0], ParameterError::Unsupported),
        ] {
            assert_eq!(parameters.set(number, data), Err(error), "{number} {data:02x?}");
        }
        assert_eq!(parameters, Ipv6Parameters::default());
    }

    #[test]
    fn addresses_in_use_are_shown_and_tell_the_addressing() {
        let address = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 7);
        let parameters = Ipv6Parameters::default();
        let mut served = Served { ipv4: true, ipv6: vec![(address, 64)] };
        let get = |served: &Served, number, set| {
            parameters.get(number, set, 0, served).map(|bytes| bytes.as_slice().to_vec())
        };
        assert_eq!(get(&served, 51, 0), Ok(vec![2]));
        assert_eq!(get(&served, 55, 0), Ok(vec![4, 1, 0]));
        let shown = [&[0, 1][..], &address.octets(), &[64, status::ACTIVE]].concat();
        assert_eq!(get(&served, 59, 0), Ok(shown));
        assert_eq!(get(&served, 59, 1), Err(ParameterError::NoSet));
        served.ipv4 = false;
        assert_eq!(get(&served, 51, 0), Ok(vec![1]));
        served.ipv6 = vec![(address, 64); MOST_IN_USE + 1];
        assert_eq!(get(&served, 55, 0), Ok(vec![4, MOST_IN_USE as u8, 0]));
        assert_eq!(get(&served, 59, MOST_IN_USE as u8), Err(ParameterError::NoSet));
    }

    #[test]
    fn a_shorter_block_ends_in_zeros_and_odd_items_are_left_out() {
        let mut parameters = Ipv6Parameters::default();
        parameters.set(63, &[0, 1, 9, 8, 7, 6, 5, 4]).expect("accepted");
        let block = [&[0, 1, 9, 8, 7, 6, 5, 4][..], &[0; 10]].concat();
        assert_eq!(read(&parameters, 63, 0, 1), block);
        parameters.restore(|name| match name {
            "ipv6_enables" => Some(&[7]),
            "ipv6_hop_limit" => Some(&[]),
            "ipv6_flow_label" => Some(&[1, 2, 3, 4]),
            "ipv6_traffic_class" => Some(&[9]),
            _ => None,
        });
        assert_eq!(parameters.kept().collect::<Vec<_>>(), [("ipv6_traffic_class".to_owned(), vec![9])]);
    }
}
