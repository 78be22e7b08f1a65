//! Why systems of a fleet are not served as they are set up: told once for all that have the same reason.
//!
//! Owns what was not told yet. Removes nobody.

use std::net::IpAddr;
use std::time::Duration;

use super::Driver;
use crate::bmc::LogLevel;
use crate::ipmi::Moment;
use crate::runtime::clock;
use crate::runtime::reports::Reports;

/// How long a reason waits for others with the same while systems start.
const PATIENCE: Duration = Duration::from_millis(500);
/// How many different reasons are told one by one.
const MOST: usize = 50;

/// What a reason keeps from going on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extent {
    /// The system.
    System,
    /// Only some of what it is to serve; how much that matters.
    Part(LogLevel),
}

#[derive(Debug)]
struct Reason {
    extent: Extent,
    text: String,
    /// The text without the address that it is about.
    general: String,
    /// The first system that has it.
    name: String,
    /// How many have it.
    count: usize,
}

/// Reasons that were not told yet, in the order in which they were found.
#[derive(Debug, Default)]
pub(super) struct Unserved {
    reasons: Vec<Reason>,
    /// How many systems have others, which are too many to be told.
    more: usize,
    /// When they are told at the latest.
    due: Option<Moment>,
}

impl Unserved {
    /// A system is not served, or not as a whole. What differs only in the address it is about is one reason.
    pub(super) fn add(&mut self, name: &str, extent: Extent, text: String, about: Option<IpAddr>) {
        self.due.get_or_insert_with(|| clock::now() + PATIENCE);
        let general = about.map_or_else(|| text.clone(), |address| text.replace(&address.to_string(), "$"));
        let is_same = |reason: &&mut Reason| reason.extent == extent && reason.general == general;
        if let Some(reason) = self.reasons.iter_mut().find(is_same) {
            reason.count += 1;
        } else if self.reasons.len() < MOST {
            self.reasons.push(Reason { extent, text, general, name: name.into(), count: 1 });
        } else {
            self.more += 1;
        }
    }

    /// When reasons are told at the latest, if there are any.
    pub(super) fn deadline(&self) -> Option<Moment> {
        self.due
    }

    /// Tells the reasons, each with who has it.
    pub(super) fn tell(&mut self, reports: &Reports) {
        for (extent, text) in self.take() {
            match extent {
                Extent::System => reports.fatal(&text),
                Extent::Part(level) => reports.report(level, &text),
            }
        }
    }

    fn take(&mut self) -> Vec<(Extent, String)> {
        self.due = None;
        let told = |Reason { extent, text, name, count, .. }: Reason| {
            let who = match count {
                1 => name,
                2 => format!("{name} and another BMC"),
                count => format!("{name} and {} other BMCs", count - 1),
            };
            (extent, format!("{who}: {text}"))
        };
        let mut all: Vec<_> = std::mem::take(&mut self.reasons).into_iter().map(told).collect();
        match std::mem::take(&mut self.more) {
            0 => {}
            1 => all.push((Extent::System, "1 more BMC is not served for a reason like these".into())),
            more => all.push((Extent::System, format!("{more} more BMCs are not served for reasons like these"))),
        }
        all
    }
}

impl Driver {
    /// Says why systems are not served: when nobody is likely to come with the same reason, or when that takes too long.
    pub(super) fn tell_unserved_if_due(&mut self) {
        let Some(due) = self.unserved.deadline() else { return };
        let more_may_come = self.has_steps() || !self.starts.is_empty();
        if !more_may_come || self.ending.is_some() || due <= clock::now() {
            self.unserved.tell(&self.reports);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_told_once_with_all_who_have_it() {
        let mut unserved = Unserved::default();
        for (name, address) in [("a", [10, 0, 0, 1]), ("b", [10, 0, 0, 2]), ("c", [10, 0, 0, 3])] {
            let address = IpAddr::from(address);
            unserved.add(name, Extent::System, format!("{address} port 1 is taken"), Some(address));
            unserved.add(name, Extent::Part(LogLevel::Warning), format!("{address} port 1 is taken"), Some(address));
            unserved.add(name, Extent::System, format!("no file {name}"), None);
        }
        unserved.add("d", Extent::System, "no file c".into(), None);
        let told = unserved.take();
        let texts: Vec<&str> = told.iter().map(|(_, text)| &**text).collect();
        assert_eq!(
            texts,
            [
                "a and 2 other BMCs: 10.0.0.1 port 1 is taken",
                "a and 2 other BMCs: 10.0.0.1 port 1 is taken",
                "a: no file a",
                "b: no file b",
                "c and another BMC: no file c",
            ]
        );
        assert_eq!((told[0].0, told[1].0), (Extent::System, Extent::Part(LogLevel::Warning)));
        assert!(unserved.take().is_empty());
        (0..3).for_each(|_| unserved.add("a", Extent::System, "no".into(), None));
        assert_eq!(unserved.take(), [(Extent::System, "a and 2 other BMCs: no".into())]);
    }

    #[test]
    fn ten_thousand_reasons_are_a_number() {
        let mut unserved = Unserved::default();
        (0..10_000).for_each(|number| unserved.add("a", Extent::System, number.to_string(), None));
        let told = unserved.take();
        assert_eq!((told.len(), &*told[50].1), (51, "9950 more BMCs are not served for reasons like these"));
    }
}
