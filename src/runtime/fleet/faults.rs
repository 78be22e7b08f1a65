//! What is wrong with the BMCs of a fleet, told once for all of which it is true.

use std::collections::HashMap;

use crate::config::{Diagnostic, Severity};
use crate::fleet::Row;
use crate::runtime::logging;

/// How many different faults are told one by one.
const MOST: usize = 50;

/// Something wrong with a BMC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// In a text.
    Fault(Diagnostic),
    /// Elsewhere; it keeps the BMC from starting.
    Problem(String),
    /// Elsewhere; it starts all the same.
    Note(String),
}

impl Finding {
    /// Whether it keeps a BMC from starting where nothing may be wrong.
    pub fn is_error(&self) -> bool {
        match self {
            Self::Fault(diagnostic) => diagnostic.severity == Severity::Error,
            Self::Problem(_) => true,
            Self::Note(_) => false,
        }
    }

    /// One line, without the text that it is about.
    pub fn headline(&self) -> String {
        match self {
            Self::Fault(diagnostic) => diagnostic.to_string().lines().next().unwrap_or_default().to_owned(),
            Self::Problem(text) | Self::Note(text) => text.clone(),
        }
    }

    fn tell(&self) {
        match self {
            Self::Fault(diagnostic) => logging::tell(diagnostic),
            Self::Problem(text) => logging::complain(text),
            Self::Note(text) => logging::warn(text),
        }
    }
}

/// What makes two faults the same.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Place {
    file: String,
    line: u32,
    column: u32,
    is_error: bool,
    /// Without the values of variables.
    text: String,
}

#[derive(Debug)]
struct Fault {
    finding: Finding,
    /// The first BMC that has it.
    name: String,
    /// How many have it.
    count: usize,
}

/// The faults of a fleet, in the order in which they were found.
#[derive(Debug, Default)]
pub struct Faults {
    all: Vec<Fault>,
    known: HashMap<Place, usize>,
}

impl Faults {
    /// Something is wrong with the BMC of a row. What differs in the values of its variables alone is one fault.
    pub fn add(&mut self, row: &Row, finding: Finding) {
        let (text, diagnostic) = match &finding {
            Finding::Fault(diagnostic) => (&diagnostic.message, Some(diagnostic)),
            Finding::Problem(text) | Finding::Note(text) => (text, None),
        };
        let place = Place {
            file: diagnostic.map(|found| found.file.clone()).unwrap_or_default(),
            line: diagnostic.map_or(0, |found| found.span.line),
            column: diagnostic.map_or(0, |found| found.span.column),
            is_error: finding.is_error(),
            text: general(row, text),
        };
        if let Some(fault) = self.known.get(&place).and_then(|index| self.all.get_mut(*index)) {
            fault.count += 1;
            return;
        }
        self.known.insert(place, self.all.len());
        self.all.push(Fault { finding, name: row.name.to_string(), count: 1 });
    }

    /// A fault of no BMC, in the list say.
    pub fn add_fault(&mut self, finding: Finding) {
        self.all.push(Fault { finding, name: String::new(), count: 1 });
    }

    /// The faults, each with who has it, of `bmcs` BMCs altogether.
    pub fn told(&self, bmcs: usize) -> Vec<Finding> {
        let told = |fault: &Fault| {
            if fault.name.is_empty() {
                return fault.finding.clone();
            }
            let who = match fault.count {
                1 => fault.name.clone(),
                all if all == bmcs => format!("all {bmcs} BMCs"),
                2 => format!("{} and another BMC", fault.name),
                count => format!("{} and {} other BMCs", fault.name, count - 1),
            };
            let mut finding = fault.finding.clone();
            match &mut finding {
                Finding::Fault(diagnostic) => diagnostic.message += &format!(" ({who})"),
                Finding::Problem(text) | Finding::Note(text) => *text += &format!(" ({who})"),
            }
            finding
        };
        let mut findings: Vec<Finding> = self.all.iter().take(MOST).map(told).collect();
        if let Some(more) = self.all.len().checked_sub(MOST).filter(|more| *more > 0) {
            findings.push(Finding::Note(format!("{more} more faults like these are not shown")));
        }
        findings
    }

    /// Tells them.
    pub fn tell(&self, bmcs: usize) {
        self.told(bmcs).iter().for_each(Finding::tell);
    }
}

/// A text with names of variables in the places of their values, the longest first.
fn general(row: &Row, text: &str) -> String {
    let index = row.index.to_string();
    let mut values: Vec<&str> = row.variables().map(|(_, value)| value).chain([&*row.name, &*index]).collect();
    values.retain(|value| !value.is_empty());
    values.sort_unstable_by_key(|value| std::cmp::Reverse(value.len()));
    values.iter().fold(text.to_owned(), |text, value| without(&text, value))
}

/// A text without a value where that stands by itself.
fn without(text: &str, value: &str) -> String {
    let (mut out, mut rest) = (String::with_capacity(text.len()), text);
    while let Some((before, after)) = rest.split_once(value) {
        let is_part = |neighbour: Option<char>| neighbour.is_some_and(char::is_alphanumeric);
        let whole =
            !is_part(before.chars().next_back().or_else(|| out.chars().next_back())) && !is_part(after.chars().next());
        out.push_str(before);
        out.push_str(if whole { "$" } else { value });
        rest = after;
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Span;
    use crate::fleet::{Commands, Naming};
    use std::path::Path;

    fn fault(line: u32, message: &str) -> Finding {
        Finding::Fault(Diagnostic {
            severity: Severity::Error,
            file: "lan.conf".into(),
            span: Span { line, column: 1, length: 1 },
            message: message.into(),
            source_line: String::new(),
        })
    }

    fn told(faults: &Faults, bmcs: usize) -> Vec<String> {
        faults.told(bmcs).iter().map(Finding::headline).collect()
    }

    fn row(name: &str, value: &str) -> Row {
        Row {
            name: name.into(),
            naming: Naming::Row,
            index: 1,
            columns: ["addr".into()].into(),
            values: [value.into()].into(),
            lan_conf: Path::new("lan.conf").into(),
            commands: Commands::Usual,
            place: Span::default(),
        }
    }

    #[test]
    fn a_fault_is_told_once_with_all_who_have_it() {
        let mut faults = Faults::default();
        for (name, address) in [("aa", "10.0.0.x"), ("bb", "10.0.0.y"), ("cc", "zz")] {
            faults.add(&row(name, address), fault(3, &format!("'{address}' is no address")));
            faults.add(&row(name, address), Finding::Problem("no file".into()));
        }
        faults.add(&row("bb", "1"), fault(3, "no port, so 161 and bbb"));
        faults.add(&row("cc", "6"), fault(3, "no port, so 161 and bbb"));
        faults.add(&row("bb", ""), fault(5, "two's"));
        faults.add(&row("cc", ""), fault(5, "two's"));
        assert_eq!(
            told(&faults, 3),
            [
                "lan.conf:3:1: error: '10.0.0.x' is no address (all 3 BMCs)",
                "no file (all 3 BMCs)",
                "lan.conf:3:1: error: no port, so 161 and bbb (bb and another BMC)",
                "lan.conf:5:1: error: two's (bb and another BMC)",
            ]
        );
        assert_eq!(told(&faults, 4)[0], "lan.conf:3:1: error: '10.0.0.x' is no address (aa and 2 other BMCs)");
    }

    #[test]
    fn ten_thousand_faults_are_a_number() {
        let mut faults = Faults::default();
        (1..=10_000).for_each(|line| faults.add(&row("a", ""), fault(line, "no")));
        let told = told(&faults, 10_000);
        assert_eq!((told.len(), told.last().unwrap().as_str()), (51, "9950 more faults like these are not shown"));
    }
}
