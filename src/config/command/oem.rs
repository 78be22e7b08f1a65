//! `oem_add` and `oem_remove`: which requests they are about, and what a response is made of.

use std::ops::Range;
use std::sync::Arc;

use super::Command;
use super::words::{mc_address, uchar, uchar_of};
use crate::config::arguments::{Arguments, Fault, Found};
use crate::config::grammar::Rule;
use crate::config::number;
use crate::config::suggest::nearest;
use crate::config::text::{encode, quote};
use crate::ipmi::{McAddress, Privilege};
use crate::settings::oem::{MOST_BYTES, OemCommand, OemItem, OemResponse};

/// As in lan.conf.
const LEVELS: [(&str, Privilege); 4] = [
    ("callback", Privilege::Callback),
    ("user", Privilege::User),
    ("operator", Privilege::Operator),
    ("admin", Privilege::Administrator),
];

/// Highest network function of a request.
const LAST_FUNCTION: u8 = 0x3e;

/// What stands before the response: `MC NETFN CMD`.
struct About {
    mc: McAddress,
    netfn: u8,
    cmd: u8,
}

fn about(a: &mut Arguments<'_>) -> Result<About, Fault> {
    let mc = mc_address(a)?;
    let word = a.next().map_err(|missing| missing.fault("No network function given"))?;
    let netfn = uchar_of(&word, "network function")?;
    // Larger numbers would be cut to one that is meant by nobody.
    if word.number().is_some_and(|number| number > LAST_FUNCTION.into()) || netfn % 2 != 0 {
        let message = format!(
            "Invalid network function given: {} is no request's, expected an even number up to {LAST_FUNCTION:#04x}",
            word.quoted()
        );
        return Err(word.fault(message));
    }
    Ok(About { mc, netfn, cmd: uchar(a, "command")? })
}

/// `oem_add MC NETFN CMD [data BYTE...] [privilege LEVEL] response CODE ITEM...|run STRING`
pub(super) fn oem_add(a: &mut Arguments<'_>) -> Result<Command, Fault> {
    let About { mc, netfn, cmd } = about(a)?;
    let (mut data, mut privilege) = (None, Privilege::Administrator);
    let mut words = a.again(Rule::data, a.position())?;
    while let Some(word) = words.next_if_any() {
        let response = match (word.text, &mut data) {
            ("data", None) => {
                data = Some(Vec::new());
                continue;
            }
            ("privilege", _) => {
                privilege = level(&mut words)?;
                continue;
            }
            ("response", _) => made(a, word.range.end)?,
            ("run", _) => run(a, word.range.end)?,
            (_, data) => match data.as_mut().map(|data| data_byte(&word, data)).transpose()? {
                Some(true) => continue,
                _ => return Err(unknown(&word)),
            },
        };
        let data = data.unwrap_or_default();
        let command = Arc::new(OemCommand { netfn, cmd, data, privilege, response });
        return Ok(Command::OemAdd { mc, command });
    }
    known(&words)?;
    Err(Fault::new(a.end(), "No response given: expected response CODE or run \"COMMAND\""))
}

/// A word of `oem_add` that is none of its own.
fn unknown(word: &Found<'_>) -> Fault {
    let hint = nearest(word.text, ["data", "privilege", "response", "run"]);
    let hint = hint.map(|name| format!("; did you mean '{name}'?")).unwrap_or_default();
    word.fault(format!("Unknown word: {}, expected data, privilege, response or run{hint}", word.quoted()))
}

/// `oem_remove MC NETFN CMD [data BYTE...]`
pub(super) fn oem_remove(a: &mut Arguments<'_>) -> Result<Command, Fault> {
    let About { mc, netfn, cmd } = about(a)?;
    let mut words = a.again(Rule::data, a.position())?;
    let mut data = Vec::new();
    if let Some(word) = words.next_if_any() {
        if word.text != "data" {
            return Err(word.fault(format!("Unknown word: {}, expected data", word.quoted())));
        }
        while let Some(word) = words.next_if_any() {
            if !data_byte(&word, &mut data)? {
                return Err(word.not_a_number("Invalid data byte given"));
            }
        }
    }
    known(&words)?;
    Ok(Command::OemRemove { mc, netfn, cmd, data })
}

/// That the words did not end at a variable that does not exist.
fn known(words: &Arguments<'_>) -> Result<(), Fault> {
    match words.unknown_variable() {
        Some((name, range)) => Err(Fault::new(range, format!("there is no variable {}", quote(name)))),
        None => Ok(()),
    }
}

/// Takes a byte of the request's data; false when the word is none.
fn data_byte(word: &Found<'_>, data: &mut Vec<u8>) -> Result<bool, Fault> {
    let Ok(byte) = uchar_of(word, "data byte") else { return Ok(false) };
    if data.len() >= MOST_BYTES {
        return Err(word.fault(format!("a request has at most {MOST_BYTES} data bytes")));
    }
    data.push(byte);
    Ok(true)
}

fn level(words: &mut Arguments<'_>) -> Result<Privilege, Fault> {
    let names = || LEVELS.map(|(name, _)| name);
    let expected = names().join(", ");
    let word = words.next().map_err(|missing| missing.fault(format!("No privilege given: expected {expected}")))?;
    let found = LEVELS.iter().find(|(name, _)| *name == word.text);
    found.map(|(_, level)| *level).ok_or_else(|| {
        let hint = nearest(word.text, names()).map(|name| format!("; did you mean '{name}'?")).unwrap_or_default();
        word.fault(format!("Invalid privilege given: found {}, expected {expected}{hint}", word.quoted()))
    })
}

/// What follows `run`.
fn run(a: &Arguments<'_>, after: usize) -> Result<OemResponse, Fault> {
    let (command, range) =
        a.again(Rule::oem_text, after)?.string().map_err(|fault| fault.inside("Error with the command to run"))?;
    if command.trim().is_empty() {
        return Err(Fault::new(range, "the command to run is empty"));
    }
    Ok(OemResponse::Program { command })
}

/// What follows `response`: the completion code, then items.
fn made(a: &Arguments<'_>, after: usize) -> Result<OemResponse, Fault> {
    let mut words = a.again(Rule::data, after)?;
    let code = uchar(&mut words, "completion code")?;
    let mut items = Vec::new();
    let mut size = 0;
    while let Some(word) = words.next_if_any() {
        match word.text {
            "text" => {
                let mut text = a.again(Rule::oem_text, word.range.end)?;
                let (text, range) = text.string().map_err(|fault| fault.inside("Error with text"))?;
                size += fixed(&mut items, &encode(&text));
                words = a.again(Rule::data, range.end)?;
            }
            _ => match uchar_of(&word, "byte") {
                Ok(byte) => size += fixed(&mut items, &[byte]),
                Err(_) => items.push(item(&word)?),
            },
        }
        if size > MOST_BYTES {
            return Err(word.fault(format!("a response has at most {MOST_BYTES} data bytes")));
        }
    }
    known(&words)?;
    Ok(OemResponse::Made { code, items })
}

/// Appends bytes that are always the same, and says how many.
fn fixed(items: &mut Vec<OemItem>, bytes: &[u8]) -> usize {
    match items.last_mut() {
        Some(OemItem::Bytes(before)) => before.extend_from_slice(bytes),
        _ => items.push(OemItem::Bytes(bytes.to_vec())),
    }
    bytes.len()
}

/// The numbers of an item `NAME=NUMBER,...`, and where they stand.
struct Numbers<'a, 'b> {
    word: &'b Found<'a>,
    form: &'static str,
    list: Vec<(&'a str, Range<usize>)>,
}

impl Numbers<'_, '_> {
    fn fault(&self) -> Fault {
        self.word.fault(format!("Invalid item: found {}, expected {}", self.word.quoted(), self.form))
    }

    /// The number at a place; a fault when it is not there.
    fn get(&self, at: usize, most: u32) -> Result<u32, Fault> {
        self.optional(at, 0, most)?.ok_or_else(|| self.fault())
    }

    fn optional(&self, at: usize, least: u32, most: u32) -> Result<Option<u32>, Fault> {
        let Some((text, range)) = self.list.get(at) else { return Ok(None) };
        let lead = format!("Invalid number of {}", self.form);
        match number::unsigned(text).map(u32::try_from) {
            Some(Ok(value)) if (least..=most).contains(&value) => Ok(Some(value)),
            Some(_) => {
                let message = format!("{lead}: {} is not in {least} to {most}", quote(text));
                Err(self.word.fault_at(range.clone(), message))
            }
            None => Err(self.word.fault_at(range.clone(), format!("{lead}: {}", number::complaint(text)))),
        }
    }

    fn byte(&self, at: usize) -> Result<u8, Fault> {
        self.get(at, u8::MAX.into()).map(|value| value as u8)
    }
}

/// The forms of items that are made at each request: the name, how it is written, how many numbers it has.
const ITEMS: [(&str, &str, std::ops::RangeInclusive<usize>); 7] = [
    ("sensor", "sensor=[MC,]LUN,SENSOR", 2..=3),
    ("count", "count=FIRST[,BYTES]", 1..=2),
    ("power", "power=ON,OFF", 2..=2),
    ("energy", "energy=BYTES[,JOULES]", 1..=2),
    ("request", "request=OFFSET[,COUNT]", 1..=2),
    ("remember", "remember=SLOT,OFFSET", 2..=2),
    ("recall", "recall=SLOT,BYTE", 2..=2),
];

/// An item that is no byte.
fn item(word: &Found<'_>) -> Result<OemItem, Fault> {
    let (name, rest) = word.text.split_once('=').unwrap_or((word.text, ""));
    let Some((name, form, count)) = ITEMS.iter().find(|(known, ..)| *known == name) else {
        let names = ITEMS.map(|(name, ..)| name);
        let hint = nearest(name, names.into_iter().chain(["text"]));
        let hint = hint.map(|name| format!("; did you mean '{name}'?")).unwrap_or_default();
        let all = ITEMS.map(|(_, form, _)| form).join(", ");
        let message = format!("Invalid item: found {}, expected a byte, text \"TEXT\", {all}{hint}", word.quoted());
        return Err(word.fault(message));
    };
    let mut at = name.len() + 1;
    let place = |part: &str| {
        let start = at;
        at += part.len() + 1;
        start..start + part.len()
    };
    let places: Vec<_> = rest.split(',').map(place).collect();
    let numbers = Numbers { word, form, list: rest.split(',').zip(places).collect() };
    if rest.is_empty() || !count.contains(&numbers.list.len()) {
        return Err(numbers.fault());
    }
    made_item(name, &numbers)
}

fn made_item(name: &str, numbers: &Numbers<'_, '_>) -> Result<OemItem, Fault> {
    Ok(match name {
        "sensor" => {
            let named = numbers.list.len() - 2;
            let mc = (named > 0).then(|| numbers.byte(0)).transpose()?.map(McAddress);
            OemItem::Sensor { mc, lun: numbers.get(named, 3)? as u8, number: numbers.byte(named + 1)? }
        }
        "count" => {
            let bytes = numbers.optional(1, 1, 4)?.unwrap_or(1) as u8;
            OemItem::Count { first: numbers.get(0, u32::MAX)?, bytes }
        }
        "power" => OemItem::Power { on: numbers.byte(0)?, off: numbers.byte(1)? },
        "energy" => {
            let unit = numbers.optional(1, 1, u32::MAX)?.unwrap_or(1);
            let bytes = numbers.optional(0, 1, 8)?.ok_or_else(|| numbers.fault())? as u8;
            OemItem::Energy { bytes, unit }
        }
        "request" => {
            let count = numbers.optional(1, 0, u8::MAX.into())?.map(|count| count as u8);
            OemItem::Request { offset: numbers.byte(0)?, count }
        }
        "remember" => OemItem::Remember { slot: numbers.byte(0)?, offset: numbers.byte(1)? },
        _ => OemItem::Recall { slot: numbers.byte(0)?, first: numbers.byte(1)? },
    })
}
