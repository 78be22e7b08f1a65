//! Words of statements that become numbers, addresses and bytes.

use super::SensorAddress;
use crate::config::arguments::{Arguments, Fault, Found};
use crate::config::grammar::Rule;
use crate::config::number;
use crate::config::suggest::nearest;
use crate::config::text::{encode, quote};
use crate::ipmi::McAddress;

pub(super) fn uint(a: &mut Arguments<'_>, what: &str) -> Result<u32, Fault> {
    let word = a.next().map_err(|missing| missing.fault(format!("No {what} given")))?;
    uint_of(&word, what)
}

pub(super) fn uint_of(word: &Found<'_>, what: &str) -> Result<u32, Fault> {
    word.number().map(number::u32_of).ok_or_else(|| word.not_a_number(&format!("Invalid {what} given")))
}

pub(super) fn uchar(a: &mut Arguments<'_>, what: &str) -> Result<u8, Fault> {
    let word = a.next().map_err(|missing| missing.fault(format!("No {what} given")))?;
    uchar_of(&word, what)
}

pub(super) fn uchar_of(word: &Found<'_>, what: &str) -> Result<u8, Fault> {
    eight_bits(word).ok_or_else(|| word.not_a_number(&format!("Invalid {what} given")))
}

/// A character or a number, modulo 256.
fn eight_bits(word: &Found<'_>) -> Option<u8> {
    match word.rule {
        Rule::character => Some(encode(word.text).get(1).copied().unwrap_or_default()),
        _ => word.number().map(number::u8_of),
    }
}

/// A number that also has names.
pub(super) fn named(a: &mut Arguments<'_>, what: &str, names: &[(&str, u8)]) -> Result<u8, Fault> {
    let word = a.next().map_err(|missing| missing.fault(format!("No {what} given")))?;
    let name = names.iter().find(|(name, _)| *name == word.text);
    name.map(|(_, value)| *value).or_else(|| eight_bits(&word)).ok_or_else(|| {
        let list = names.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
        let hint = nearest(word.text, names.iter().map(|(name, _)| *name));
        let hint = hint.map(|name| format!("; did you mean '{name}'?")).unwrap_or_default();
        word.fault(format!("Invalid {what} given: found {}, expected {list} or a number{hint}", word.quoted()))
    })
}

/// `bits` characters 0 or 1, the highest bit first.
pub(super) fn mask(a: &mut Arguments<'_>, what: &str, bits: usize) -> Result<u16, Fault> {
    let word = a.next().map_err(|missing| missing.fault(format!("No {what} given")))?;
    let count = word.text.chars().count();
    if count != bits {
        return Err(word.fault(format!(
            "invalid number of bits in {what}: {} has {count}, expected {bits} characters 0 or 1",
            word.quoted()
        )));
    }
    word.text.char_indices().try_fold(0, |mask, (at, c)| match c {
        '0' => Ok(mask << 1),
        '1' => Ok(mask << 1 | 1),
        _ => Err(word.fault_at(
            at..at + c.len_utf8(),
            format!("Invalid bit value {} in {what}: expected 0 or 1", quote(c.encode_utf8(&mut [0; 4]))),
        )),
    })
}

pub(super) fn mc_address(a: &mut Arguments<'_>) -> Result<McAddress, Fault> {
    uchar(a, "MC address").map(McAddress)
}

/// An MC address that may be left out; a variable that does not exist is no such thing.
pub(super) fn optional_mc(words: &mut Arguments<'_>) -> Result<Option<McAddress>, Fault> {
    match words.next() {
        Ok(word) => uchar_of(&word.sorted_as(Rule::uchar), "MC address").map(|mc| Some(McAddress(mc))),
        Err(missing) if words.unknown_variable().is_some() => Err(missing.fault("No MC address given")),
        Err(_) => Ok(None),
    }
}

/// Data bytes up to the end of the statement; what is beyond `most` is not looked at.
pub(super) fn data(words: &mut Arguments<'_>, most: usize) -> Result<Vec<u8>, Fault> {
    let mut data = Vec::new();
    while data.len() < most {
        let Some(word) = words.next_if_any() else { break };
        match uchar_of(&word, "data byte") {
            Ok(byte) => data.push(byte),
            Err(mut fault) => {
                fault.message.push_str(&format!(" (data byte {})", data.len()));
                return Err(fault);
            }
        }
    }
    Ok(data)
}

pub(super) fn sensor(a: &mut Arguments<'_>) -> Result<SensorAddress, Fault> {
    Ok(SensorAddress { mc: mc_address(a)?, lun: uchar(a, "LUN")?, number: uchar(a, "sensor num")? })
}
