//! `sel_fill`: how fast an event log fills, and from which list.

use std::time::Duration;

use super::words::{mc_address, uchar_of, uint_of};
use super::{Command, Instruction};
use crate::config::arguments::{Arguments, Fault, Found};
use crate::config::grammar::Rule;
use crate::config::records::{listed, no_record};
use crate::config::suggest::nearest;
use crate::config::text::quote;
use crate::ipmi::McAddress;
use crate::settings::fill::{Fill, Listed, Order, Pace};

const OPTIONS: [&str; 6] = ["every", "jitter", "count", "repeat", "file", "record"];
/// Seconds of a pause.
const SHORTEST: f64 = 0.001;
const LONGEST: f64 = 1e9;
/// Most bytes of a record.
const RECORD_MAX: usize = 16;

/// `sel_fill MC none|every SECONDS [jitter SECONDS] [count NUMBER] [repeat] file "FILE"|record BYTE... [record BYTE...]...`
pub(super) fn sel_fill(a: &mut Arguments<'_>) -> Result<Instruction, Fault> {
    let mc = mc_address(a)?;
    let mut words = a.again(Rule::data, a.position())?;
    let first = words.next().map_err(|missing| missing.fault("No time given: expected every SECONDS, or none"))?;
    if first.text == "none" {
        return Ok(Instruction::System(Command::SelFill { mc, fill: None }));
    }
    let mut given = Given::default();
    let mut word = Some(first);
    while let Some(option) = word {
        word = match option.text {
            "file" => return given.file(a, mc, &option),
            "record" => given.record(&option, &mut words)?,
            _ => {
                given.option(&option, &mut words)?;
                words.next_if_any()
            }
        };
    }
    known(&words)?;
    let pace = given.pace(a)?;
    if given.list.is_empty() {
        return Err(Fault::new(a.end(), "No list given: expected file \"FILE\", or record BYTE..."));
    }
    let fill = Fill { pace, list: given.list.into() };
    Ok(Instruction::System(Command::SelFill { mc, fill: Some(Box::new(fill)) }))
}

/// What has been given by name.
#[derive(Default)]
struct Given {
    every: Option<Duration>,
    jitter: Option<Duration>,
    count: Option<u32>,
    order: Option<Order>,
    list: Vec<Listed>,
}

impl Given {
    fn option(&mut self, option: &Found<'_>, words: &mut Arguments<'_>) -> Result<(), Fault> {
        let is_twice = match option.text {
            "every" => self.every.replace(seconds(words, "every", SHORTEST)?).is_some(),
            "jitter" => self.jitter.replace(seconds(words, "jitter", 0.0)?).is_some(),
            "count" => {
                let word = words.next().map_err(|missing| missing.fault("No number given for count"))?;
                self.count.replace(uint_of(&word, "count")?).is_some()
            }
            "repeat" => self.order.replace(Order::Again).is_some(),
            text => {
                let hint = nearest(text, OPTIONS).map(|name| format!("; did you mean '{name}'?")).unwrap_or_default();
                let all = OPTIONS.join(", ");
                return Err(option.fault(format!("Unknown option: {}, expected {all}{hint}", option.quoted())));
            }
        };
        if is_twice { Err(option.fault(format!("{} is given twice", option.text))) } else { Ok(()) }
    }

    /// Takes the bytes behind `record`; gives the word after them.
    fn record<'a>(&mut self, option: &Found<'_>, words: &mut Arguments<'a>) -> Result<Option<Found<'a>>, Fault> {
        let mut bytes = Vec::new();
        let mut next = words.next_if_any();
        while let Some(word) = next.take_if(|word| !OPTIONS.contains(&word.text)) {
            bytes.push(uchar_of(&word, "byte of a record")?);
            if bytes.len() > RECORD_MAX {
                return Err(word.fault(no_record(bytes.len())));
            }
            next = words.next_if_any();
        }
        known(words)?;
        self.list.push(listed(&bytes).ok_or_else(|| option.fault(no_record(bytes.len())))?);
        Ok(next)
    }

    fn file(self, a: &Arguments<'_>, mc: McAddress, option: &Found<'_>) -> Result<Instruction, Fault> {
        if !self.list.is_empty() {
            return Err(option.fault("file is given beside record"));
        }
        let mut words = a.again(Rule::fill_file, option.range.end)?;
        let (path, _) = words.string().map_err(|fault| fault.inside("Error with the name of the list"))?;
        match words.inner().next_if_any() {
            Some(word) => Err(word.fault("file comes last: the other options stand before it")),
            None => Ok(Instruction::SelFillFile { mc, pace: self.pace(a)?, path }),
        }
    }

    fn pace(&self, a: &Arguments<'_>) -> Result<Pace, Fault> {
        let every = self.every.ok_or_else(|| Fault::new(a.end(), "No time given: expected every SECONDS"))?;
        let (jitter, order) = (self.jitter.unwrap_or_default(), self.order.unwrap_or(Order::Once));
        Ok(Pace { every, jitter, count: self.count, order })
    }
}

/// That the list of words did not end with a variable that does not exist.
fn known(words: &Arguments<'_>) -> Result<(), Fault> {
    match words.unknown_variable() {
        Some((name, range)) => Err(Fault::new(range, format!("there is no variable {}", quote(name)))),
        None => Ok(()),
    }
}

fn seconds(words: &mut Arguments<'_>, name: &str, least: f64) -> Result<Duration, Fault> {
    let word = words.next().map_err(|missing| missing.fault(format!("No seconds given for {name}")))?;
    let plain = word.text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let number = word.text.parse::<f64>().ok().filter(|number| plain && (least..=LONGEST).contains(number));
    number.and_then(|number| Duration::try_from_secs_f64(number).ok()).ok_or_else(|| {
        word.fault(format!("Invalid {name} given: found {}, expected seconds from {least} on", word.quoted()))
    })
}
