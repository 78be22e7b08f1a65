//! The values of fields: from words to bits (`sdrcomp.md` section 4), and back.

use std::ops::Range;

use super::fields::{Field, Kind};
use super::names::Names;
use super::record::Record;
use crate::config::arguments::{Arguments, Fault, Found};
use crate::config::command::Variables;
use crate::config::grammar::Rule;
use crate::config::number;
use crate::config::suggest::nearest;
use crate::config::text::quote;

/// A number, or an operation on two.
pub(super) struct Number {
    /// Its value, between -(2^33 - 2) and 2^33 - 2.
    pub number: i64,
    /// Where it is written.
    pub range: Range<usize>,
    /// What its author may have meant otherwise.
    pub doubt: Option<Fault>,
}

/// Largest magnitude of a number.
const LARGEST: i64 = u32::MAX as i64;

/// Reads `NAME`, `NUMBER`, `NUMBER + NUMBER` or `NUMBER - NUMBER`.
pub(super) fn operation(a: &mut Arguments<'_>, names: Names) -> Result<Number, Fault> {
    let word = a.next().map_err(|missing| missing.fault(expected("No integer value given", names)))?;
    if let Some((_, value)) = names.iter().find(|(name, _)| *name == word.text) {
        return Ok(Number { number: i64::from(*value), range: word.range, doubt: None });
    }
    let first = operand(&word, names)?;
    let alone = |doubt| Number { number: first, range: word.range.clone(), doubt };
    let Ok(operator) = a.next() else {
        return Ok(alone(
            a.unknown_variable()
                .map(|(name, range)| Fault::new(range, format!("ignored: Unknown variable named {}", quote(name)))),
        ));
    };
    let what = || match operator.rule {
        Rule::plus | Rule::minus => "No value after operator".to_string(),
        _ => format!("No value after operator: {} is neither + nor -", operator.quoted()),
    };
    let second = a.next().map_err(|missing| match operator.rule {
        Rule::plus | Rule::minus => missing.fault(what()),
        _ => operator.fault(what()),
    })?;
    let number = match operator.rule {
        Rule::plus => first + operand(&second, &[])?,
        Rule::minus => first - operand(&second, &[])?,
        _ => return Err(operator.fault(format!("Invalid operator {}, expected + or -", operator.quoted()))),
    };
    Ok(Number { number, range: word.range.start..second.range.end, doubt: None })
}

fn expected(lead: &str, names: Names) -> String {
    if names.is_empty() { lead.to_string() } else { format!("{lead}: expected a number or a name") }
}

fn operand(word: &Found<'_>, names: Names) -> Result<i64, Fault> {
    let value = match word.variable {
        Some(_) if word.text.is_empty() => Some(0),
        _ if word.rule == Rule::number => number::signed(word.text),
        _ => None,
    };
    match value {
        Some(value) if value.abs() <= LARGEST => Ok(value),
        Some(_) => Err(word.fault(format!("Value too large for bit size: {}", word.quoted()))),
        None => match nearest(word.text, names.iter().map(|(name, _)| *name)) {
            Some(near) => Err(word.fault(format!("Invalid integer value {}; did you mean '{near}'?", word.quoted()))),
            None if !names.is_empty() => Err(word.fault(format!(
                "Invalid integer value: {} is neither a number nor one of the names of this field",
                word.quoted()
            ))),
            None => Err(word.not_a_number("Invalid integer value")),
        },
    }
}

/// Reads the value of `field` from byte `rest` of the line `text` on, and puts it into the record.
/// The result is what its author may have meant otherwise.
pub(super) fn set(
    field: &Field,
    record: &mut Record,
    text: &str,
    rest: usize,
    variables: &Variables,
) -> Result<Option<Fault>, Fault> {
    let form = match field.kind {
        Kind::Unsigned(_) | Kind::Signed | Kind::Split(_) | Kind::SplitEither(_) => Rule::integer,
        Kind::Flag => Rule::truth,
        Kind::Reading | Kind::Difference => Rule::quantity,
    };
    let mut a = Arguments::new(form, text, rest, variables)?;
    let width = field.place.width();
    match field.kind {
        Kind::Unsigned(names) => {
            let value = operation(&mut a, names)?;
            let largest = (1 << width) - 1;
            if !(0..=largest).contains(&value.number) {
                let message = format!("Value too large for bit size: {}, expected 0 to {largest}", value.number);
                return Err(Fault::new(value.range, message));
            }
            record.put(field.place, value.number as u8);
            Ok(value.doubt)
        }
        Kind::Signed => {
            let value = operation(&mut a, &[])?;
            let half = 1 << (width - 1);
            let number = signed(&value, -half, half - 1)?;
            record.put(field.place, number as u8);
            Ok(value.doubt)
        }
        Kind::Split(upper) | Kind::SplitEither(upper) => {
            let value = operation(&mut a, &[])?;
            let half = 1 << (width + upper.width() - 1);
            let largest = if matches!(field.kind, Kind::SplitEither(_)) { 2 * half - 1 } else { half - 1 };
            let number = signed(&value, -half, largest)?;
            record.put(field.place, number as u8);
            record.put(upper, (number >> width) as u8);
            Ok(value.doubt)
        }
        Kind::Flag => {
            let word = a.next().map_err(|missing| missing.fault("No boolean value given"))?;
            match word.rule {
                Rule::true_word => record.put(field.place, 1),
                Rule::false_word => {}
                _ => {
                    return Err(word.fault(format!(
                        "Invalid boolean value {}, must be 'true', 'on', 'false', or 'off'",
                        word.quoted()
                    )));
                }
            }
            Ok(None)
        }
        Kind::Reading | Kind::Difference => {
            let word = a.next().map_err(|missing| missing.fault("No floating point value given"))?;
            let value = match word.rule {
                Rule::decimal => word.text.parse().ok(),
                Rule::hex_real => hexadecimal(word.text),
                _ => None,
            };
            let value: f64 =
                value.ok_or_else(|| word.fault(format!("Invalid floating point value {}", word.quoted())))?;
            record.put(field.place, raw(field, record, value, &word)?);
            Ok(None)
        }
    }
}

/// A number in the range of a signed field. As in C, FFFFFFFFh is -1.
fn signed(value: &Number, least: i64, largest: i64) -> Result<i64, Fault> {
    let number = if value.number > i64::from(i32::MAX) { value.number - (LARGEST + 1) } else { value.number };
    if (least..=largest).contains(&number) {
        return Ok(number);
    }
    let message = format!("Value out of range for bit size: {}, expected {least} to {largest}", value.number);
    Err(Fault::new(value.range.clone(), message))
}

/// The raw form of a reading, with the factors given so far.
fn raw(field: &Field, record: &Record, value: f64, word: &Found<'_>) -> Result<u8, Fault> {
    let factor = |name| record.get(name).map_or(0.0, |(_, value)| f64::from(value));
    let (m, b) = (factor("m"), factor("b"));
    let mut raw = value / 10f64.powf(factor("r_exp"));
    if field.kind == Kind::Reading {
        raw -= b * 10f64.powf(factor("b_exp"));
    }
    if m == 0.0 && raw == 0.0 {
        return Ok(0);
    }
    let raw = (raw / m).round();
    if (0.0..=255.0).contains(&raw) {
        return Ok(raw as u8);
    }
    let message = if m == 0.0 {
        format!("Value out of range type: {}; m, b, r_exp and b_exp have to stand before it", word.quoted())
    } else {
        format!("Value out of range type: {} is {raw} in its raw form, expected 0 to 255", word.quoted())
    };
    Err(word.fault(message))
}

/// A number the grammar has accepted as hexadecimal, with an exponent of two.
fn hexadecimal(text: &str) -> Option<f64> {
    let (negative, digits) = match text.strip_prefix(['+', '-']) {
        Some(rest) => (text.starts_with('-'), rest),
        None => (false, text),
    };
    let digits = digits.get(2..)?;
    let (digits, exponent) = digits.split_once(['p', 'P']).unwrap_or((digits, "0"));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let mut value = 0f64;
    for digit in whole.chars().chain(fraction.chars()) {
        value = value * 16.0 + f64::from(digit.to_digit(16)?);
    }
    // An exponent too long for an integer is far beyond any reading.
    let exponent = exponent.parse::<i32>().unwrap_or(if exponent.starts_with('-') { -99_999 } else { 99_999 });
    let exponent = exponent.saturating_sub(4 * i32::try_from(fraction.len()).ok()?);
    let value = value * 2f64.powi(exponent);
    Some(if negative { -value } else { value })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hexadecimal_reals() {
        for (text, value) in
            [("0x10", 16.0), ("0x1.8p1", 3.0), ("-0X.8", -0.5), ("+0x1p-1", 0.5), ("0x1p99999999999", f64::INFINITY)]
        {
            assert_eq!(hexadecimal(text), Some(value), "{text}");
        }
    }
}
