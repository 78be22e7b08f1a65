//! `--scrub`: the options that clone and import have in common, and what they do to machines.

use std::collections::BTreeSet;
use std::path::PathBuf;

use clap::{Args, ValueHint};

use super::failure::Failure;
use super::secret;
use crate::clone::Machine;
use crate::clone::scrub::{Report, Scrubber};
use crate::host::random::SystemRandom;
use crate::ipmi::Random;

/// Bytes of a key that is made.
const KEY: usize = 32;

/// Whether and how originals are replaced.
#[derive(Clone, Debug, Args)]
pub(super) struct Scrub {
    /// Replace serial numbers, asset tags, MAC and IP addresses, GUIDs, and names of hosts, systems and users; the README names what
    /// was kept
    #[arg(long)]
    scrub: bool,

    /// Draw the replacements from the first line of FILE, so that another run has the same ones [default: other ones each time]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, requires = "scrub")]
    scrub_key: Option<PathBuf>,
}

impl Scrub {
    /// Replaces in all machines, if that is wanted. A report for each.
    ///
    /// # Errors
    /// There is no key.
    pub(super) fn apply(&self, machines: &mut [&mut Machine]) -> Result<Option<Vec<Report>>, Failure> {
        if !self.scrub {
            return Ok(None);
        }
        let key = match &self.scrub_key {
            Some(path) => secret::read(path)?.into_bytes(),
            None => made_key()?,
        };
        if key.is_empty() {
            return Err(Failure::Usage("The key of --scrub-key is empty".into()));
        }
        let mut scrubber = Scrubber::new(&key, &machines.iter().map(|machine| &**machine).collect::<Vec<_>>());
        let reports = machines.iter_mut().map(|machine| scrubber.apply(machine)).collect();
        tell_apart(machines);
        Ok(Some(reports))
    }
}

/// Numbers names that have become the same, which short ones may.
fn tell_apart(machines: &mut [&mut Machine]) {
    let mut taken = BTreeSet::new();
    for machine in machines {
        let drawn = machine.name.clone();
        for number in 2.. {
            if taken.insert(machine.name.clone()) {
                break;
            }
            machine.name = format!("{drawn}-{number}");
        }
    }
}

fn made_key() -> Result<Vec<u8>, Failure> {
    let random = SystemRandom::new();
    let mut random = random.map_err(|error| Failure::Local(format!("Unable to make a key: {error}")))?;
    let mut key = vec![0; KEY];
    random.fill(&mut key);
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_different() {
        let mut machines = ["a", "b", "a", "a"].map(Machine::new);
        tell_apart(&mut machines.iter_mut().collect::<Vec<_>>());
        assert_eq!(machines.map(|machine| machine.name), ["a", "b", "a-2", "a-3"]);
    }
}
