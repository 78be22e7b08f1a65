//! Platform event filtering: the configuration parameters of a controller
//! (`commands-sensor-storage.md` section 7, IPMI 2.0 table 30-3), and what they do to its events.
//!
//! Owns the parameters. What matches is [`filter`]'s, what follows is [`processing`]'s, and what is sent is [`alerts`]'.

pub mod alerts;
pub mod filter;
mod kept;
mod policy;
pub mod processing;

pub use kept::Settled;

use super::unsaved::Save;
use super::{At, StateFile};
use crate::ipmi::Moment;
use alerts::Alerts;
use filter::Filter;
use policy::Entry;
use processing::Processing;

/// One more than the highest number of a filter, a policy and a string.
const ENTRIES: u8 = 16;
/// How many filters and policies there are. They are numbered from 1; strings have number 0 too, which
/// is not counted (IPMI 2.0 table 30-6).
pub const FILTERS: u8 = ENTRIES - 1;
/// Parameter revision as Get PEF Configuration Parameters says it.
pub const REVISION: u8 = 0x11;

const BLOCK: usize = 16;
const STRING: usize = 64;
/// What the string area is padded to, so that reading the block behind the last string's
/// end stays inside.
const STRING_AREA: usize = STRING * ENTRIES as usize + BLOCK;

/// Parameter selectors.
mod parameter {
    pub(super) const SET_IN_PROGRESS: u8 = 0;
    pub(super) const CONTROL: u8 = 1;
    pub(super) const ALERT_STARTUP_DELAY: u8 = 4;
    pub(super) const FILTER_COUNT: u8 = 5;
    pub(super) const FILTER_TABLE: u8 = 6;
    pub(super) const FILTER_DATA_1: u8 = 7;
    pub(super) const POLICY_COUNT: u8 = 8;
    pub(super) const POLICY_TABLE: u8 = 9;
    pub(super) const SYSTEM_GUID: u8 = 10;
    pub(super) const STRING_COUNT: u8 = 11;
    pub(super) const STRING_KEYS: u8 = 12;
    pub(super) const STRINGS: u8 = 13;
}

/// Why a parameter was not set or read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PefError {
    /// No such parameter.
    Unknown,
    /// Set in progress is set already.
    InProgress,
    /// It can only be read.
    ReadOnly,
    /// Too few bytes.
    TooShort,
    /// No such entry, or a value without a meaning.
    InvalidField,
    /// The block lies behind the end of the string.
    OutOfRange,
}

/// The values, which "set in progress" can bring back.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Parameters {
    /// Parameters 1 to 4, one byte each.
    bytes: [u8; 4],
    filters: [[u8; 21]; ENTRIES as usize],
    policies: [[u8; 4]; ENTRIES as usize],
    guid: [u8; 17],
    string_keys: [[u8; 3]; ENTRIES as usize],
    strings: Vec<u8>,
}

/// Entries that begin with their own number.
fn numbered<const N: usize>() -> [[u8; N]; ENTRIES as usize] {
    std::array::from_fn(|number| {
        let mut entry = [0; N];
        entry[0] = number as u8;
        entry
    })
}

impl Default for Parameters {
    fn default() -> Self {
        Self {
            bytes: [0; 4],
            filters: numbered(),
            policies: numbered(),
            guid: [0; 17],
            string_keys: numbered(),
            strings: vec![0; STRING_AREA],
        }
    }
}

/// The PEF parameters of a controller. Made when one is first set: most controllers are
/// never asked.
#[derive(Debug, Default)]
pub struct Pef {
    parameters: Option<Box<Parameters>>,
    /// What a roll-back brings back; there while set is in progress.
    before: Option<Box<Parameters>>,
    /// Delays, and the events processed last.
    pub processing: Processing,
    /// What is on its way.
    alerts: Option<Box<Alerts>>,
}

/// When [`timeout`] wants to be called.
pub fn deadline(pef: &Pef) -> Option<Moment> {
    let alerts = pef.alerts.as_ref().and_then(|alerts| alerts.deadline());
    pef.processing.deadline().into_iter().chain(alerts).min()
}

/// Does what is due: delays end, and traps are sent again.
pub fn timeout(at: &mut At<'_>, now: Moment) {
    processing::timeout(at, now);
    alerts::timeout(at, now);
}

/// A client sets a parameter (0 to 127). What is kept of it is saved.
///
/// # Errors
/// As [`Pef::set`].
pub fn set_parameter(at: &mut At<'_>, selector: u8, data: &[u8]) -> Result<(), PefError> {
    at.change_some(StateFile::Pef, |controller| {
        controller.pef.set(selector, data)?;
        let is_set = controller.pef.before.is_none();
        Ok((if is_set { Save::Needed } else { Save::NotNeeded }, ()))
    })
}

/// The entry a request's set selector means; `first` is the lowest there is.
fn entry<T>(table: &mut [T], selector: u8, first: u8) -> Result<&mut T, PefError> {
    let number = selector & 0x7f;
    if number < first {
        return Err(PefError::InvalidField);
    }
    table.get_mut(usize::from(number)).ok_or(PefError::InvalidField)
}

/// Where block `block` (from 1) of string `selector` begins in the string area, and in the
/// string.
fn block_start(selector: u8, block: u8) -> Result<(usize, usize), PefError> {
    let number = selector & 0x7f;
    if number >= ENTRIES || block == 0 {
        return Err(PefError::InvalidField);
    }
    let within = usize::from(block - 1) * BLOCK;
    Ok((usize::from(number) * STRING + within, within))
}

/// Bit of the GUID's first byte (parameter 10): traps have it, and not that of the system.
const OWN_GUID: u8 = 0x01;
/// Bit of a policy's string: it is that of the filter and of a set.
const STRING_OF_SET: u8 = 0x80;

impl Pef {
    /// PEF control, parameter 1.
    fn control(&self) -> u8 {
        self.parameters.as_ref().map_or(0, |parameters| parameters.bytes[0])
    }

    /// PEF action global control, parameter 2: actions that are enabled.
    fn enabled_actions(&self) -> u8 {
        self.parameters.as_ref().map_or(0, |parameters| parameters.bytes[1])
    }

    /// Parameters 3 and 4: how many seconds events, and alerts, wait after a restart.
    fn startup_delays(&self) -> [u8; 2] {
        self.parameters.as_ref().map_or([0; 2], |parameters| [parameters.bytes[2], parameters.bytes[3]])
    }

    /// The filters, by number.
    fn filters(&self) -> impl Iterator<Item = Filter<'_>> {
        self.parameters.iter().flat_map(|parameters| parameters.filters.iter().skip(1)).map(Filter)
    }

    /// The entries of an alert policy, in the order of the table.
    fn policy_entries(&self, policy: u8) -> impl Iterator<Item = Entry> {
        let entries = self.parameters.iter().flat_map(|parameters| parameters.policies.iter().skip(1));
        entries.filter_map(move |bytes| Entry::of(*bytes, policy))
    }

    /// The GUID that traps have, as Get System GUID gives one; `None` for that of the system.
    fn guid(&self) -> Option<[u8; 16]> {
        let [own, guid @ ..] = self.parameters.as_ref()?.guid;
        (own & OWN_GUID != 0).then_some(guid)
    }

    /// An alert string, 0 to 15, up to its first zero.
    fn string(&self, number: u8) -> &[u8] {
        let start = usize::from(number) * STRING;
        let area = self.parameters.as_ref().map_or(&[][..], |parameters| &parameters.strings[..]);
        let text = area.get(start..start + STRING).filter(|_| number < ENTRIES).unwrap_or_default();
        &text[..text.iter().position(|byte| *byte == 0).unwrap_or(text.len())]
    }

    /// The string that an entry of a policy means for a filter: 0 is none, else a string, or that of filter and set.
    fn string_of(&self, filter: u8, string: u8) -> &[u8] {
        let set = string & !STRING_OF_SET;
        if string & STRING_OF_SET == 0 {
            return if set == 0 { &[] } else { self.string(set) };
        }
        let mut keys = self.parameters.iter().flat_map(|parameters| parameters.string_keys.iter().skip(1).zip(1..));
        let found = keys.find(|([_, of, in_set], _)| (of & 0x7f, in_set & 0x7f) == (filter, set));
        found.map_or(&[], |(_, number)| self.string(number))
    }

    /// Sets a parameter (0 to 127) to `data`, which begins with the set selector where the
    /// parameter has one. The length is checked before the selector.
    pub fn set(&mut self, selector: u8, data: &[u8]) -> Result<(), PefError> {
        match selector {
            parameter::SET_IN_PROGRESS => return self.set_in_progress(data),
            parameter::FILTER_COUNT | parameter::POLICY_COUNT | parameter::STRING_COUNT => {
                return Err(PefError::ReadOnly);
            }
            _ => {}
        }
        let parameters = self.parameters.get_or_insert_default();
        match selector {
            parameter::CONTROL..=parameter::ALERT_STARTUP_DELAY => {
                let [value] = take(data)?;
                parameters.bytes[usize::from(selector - parameter::CONTROL)] = value;
            }
            parameter::FILTER_TABLE => {
                let filter: [u8; 21] = take(data)?;
                *entry(&mut parameters.filters, filter[0], 1)? = filter;
            }
            parameter::FILTER_DATA_1 => {
                // The first bytes of a filter; the original keeps them apart, so that a filter
                // that a client enables this way stays disabled.
                let data: [u8; 2] = take(data)?;
                entry(&mut parameters.filters, data[0], 1)?[1] = data[1];
            }
            parameter::POLICY_TABLE => {
                let policy: [u8; 4] = take(data)?;
                *entry(&mut parameters.policies, policy[0], 1)? = policy;
            }
            parameter::SYSTEM_GUID => parameters.guid = take(data)?,
            parameter::STRING_KEYS => {
                let keys: [u8; 3] = take(data)?;
                *entry(&mut parameters.string_keys, keys[0], 0)? = keys;
            }
            parameter::STRINGS => {
                let [string, block, _] = take(data)?;
                let (start, within) = block_start(string, block)?;
                let text = data.get(2..).unwrap_or_default();
                if within + text.len() > STRING {
                    return Err(PefError::OutOfRange);
                }
                let place = parameters.strings.get_mut(start..start + text.len()).ok_or(PefError::OutOfRange)?;
                place.copy_from_slice(text);
            }
            _ => return Err(PefError::Unknown),
        }
        Ok(())
    }

    fn set_in_progress(&mut self, data: &[u8]) -> Result<(), PefError> {
        let [state] = take(data)?;
        match state & 0x03 {
            0 => {
                if let Some(before) = self.before.take() {
                    self.parameters = Some(before);
                }
            }
            1 if self.before.is_some() => return Err(PefError::InProgress),
            1 => self.before = Some(self.parameters.clone().unwrap_or_default()),
            2 => self.before = None,
            _ => return Err(PefError::InvalidField),
        }
        Ok(())
    }

    /// Gives the data of a parameter (0 to 127) to `write`.
    pub fn get<R>(&self, selector: u8, set: u8, block: u8, write: impl FnOnce(&[u8]) -> R) -> Result<R, PefError> {
        let made;
        let parameters: &Parameters = match &self.parameters {
            Some(parameters) => parameters,
            None => {
                made = Parameters::default();
                &made
            }
        };
        let pick = |number: u8, first: u8| {
            let number = number & 0x7f;
            if (first..ENTRIES).contains(&number) { Ok(usize::from(number)) } else { Err(PefError::InvalidField) }
        };
        Ok(match selector {
            parameter::SET_IN_PROGRESS => write(&[u8::from(self.before.is_some())]),
            parameter::CONTROL..=parameter::ALERT_STARTUP_DELAY => {
                write(&[parameters.bytes[usize::from(selector - parameter::CONTROL)]])
            }
            parameter::FILTER_COUNT | parameter::POLICY_COUNT | parameter::STRING_COUNT => write(&[FILTERS]),
            parameter::FILTER_TABLE => write(&parameters.filters[pick(set, 1)?]),
            parameter::FILTER_DATA_1 => {
                let [number, configuration, ..] = parameters.filters[pick(set, 1)?];
                write(&[number & 0x7f, configuration])
            }
            parameter::POLICY_TABLE => write(&parameters.policies[pick(set, 1)?]),
            parameter::SYSTEM_GUID => write(&parameters.guid),
            parameter::STRING_KEYS => write(&parameters.string_keys[pick(set, 0)?]),
            parameter::STRINGS => {
                let (start, within) = block_start(set, block)?;
                // Block 5 is the first of the next string, as in the original.
                if within > STRING {
                    return Err(PefError::OutOfRange);
                }
                let text = parameters.strings.get(start..start + BLOCK).ok_or(PefError::OutOfRange)?;
                let mut data = [0; 2 + BLOCK];
                data[0] = set & 0x7f;
                data[1] = block;
                data[2..].copy_from_slice(text);
                write(&data)
            }
            _ => return Err(PefError::Unknown),
        })
    }
}

/// The first bytes of a request's data.
fn take<const N: usize>(data: &[u8]) -> Result<[u8; N], PefError> {
    data.first_chunk().copied().ok_or(PefError::TooShort)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get(pef: &Pef, selector: u8, set: u8, block: u8) -> Result<Vec<u8>, PefError> {
        pef.get(selector, set, block, <[u8]>::to_vec)
    }

    #[test]
    fn roll_back_and_commit() {
        let mut pef = Pef::default();
        pef.set(1, &[0x11]).unwrap();
        pef.set(0, &[1]).unwrap();
        assert_eq!(pef.set(0, &[1]), Err(PefError::InProgress));
        pef.set(1, &[0x77]).unwrap();
        pef.set(0, &[0]).unwrap();
        assert_eq!(get(&pef, 1, 0, 0), Ok(vec![0x11]));
        pef.set(0, &[1]).unwrap();
        pef.set(1, &[0x78]).unwrap();
        pef.set(0, &[2]).unwrap();
        pef.set(0, &[0]).unwrap();
        assert_eq!(get(&pef, 1, 0, 0), Ok(vec![0x78]));
        assert_eq!(pef.set(0, &[3]), Err(PefError::InvalidField));
    }

    #[test]
    fn strings_run_on_but_not_over() {
        let mut pef = Pef::default();
        let mut data = vec![15, 1];
        data.extend([0x47; 64]);
        assert_eq!(pef.set(13, &data), Ok(()));
        data.push(0x47);
        assert_eq!(pef.set(13, &data), Err(PefError::OutOfRange));
        assert_eq!(get(&pef, 13, 15, 4), Ok([&[15, 4][..], &[0x47; 16]].concat()));
        assert_eq!(get(&pef, 13, 15, 5), Ok([&[15, 5][..], &[0; 16]].concat()), "behind the last string");
        assert_eq!(get(&pef, 13, 15, 6), Err(PefError::OutOfRange));
        assert_eq!(get(&pef, 13, 16, 1), Err(PefError::InvalidField));
    }

    #[test]
    fn selectors_and_lengths() {
        let mut pef = Pef::default();
        assert_eq!(pef.set(6, &[16; 20]), Err(PefError::TooShort));
        assert_eq!(pef.set(6, &[16; 21]), Err(PefError::InvalidField));
        assert_eq!(pef.set(6, &[0; 21]), Err(PefError::InvalidField));
        assert_eq!(pef.set(6, &[0x8f; 21]), Ok(()));
        assert_eq!(get(&pef, 6, 15, 0), Ok(vec![0x8f; 21]));
        // Parameter 7 is a part of parameter 6.
        assert_eq!(pef.set(7, &[3, 0x80]), Ok(()));
        assert_eq!(get(&pef, 6, 3, 0).map(|filter| filter[..3].to_vec()), Ok(vec![3, 0x80, 0]));
        assert_eq!(get(&pef, 7, 3, 0), Ok(vec![3, 0x80]));
        assert_eq!(pef.set(5, &[]), Err(PefError::ReadOnly));
        assert_eq!(pef.set(14, &[1]), Err(PefError::Unknown));
        assert_eq!(get(&pef, 14, 0, 0), Err(PefError::Unknown));
    }
}
