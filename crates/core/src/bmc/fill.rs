//! An event log that fills from a list (`sel_fill`): each record at its time, as if it had happened then.
//!
//! Owns how far the list has come. System events go the way of all events: into the log, through the event filters and to
//! the event message buffer; other records into the log. A full log loses them and remembers that.

use std::sync::Arc;
use std::time::Duration;

use super::event::{self, SYSTEM_EVENT_RECORD};
use super::sel::{self, Record};
use super::sensor::mix;
use super::{At, Error};
use crate::ipmi::{McAddress, Moment};
use crate::settings::fill::{Fill, Listed, Order, Pace};

/// Most records that are added in one go, after the machine was asleep.
const MOST_AT_ONCE: usize = 1000;

/// A list on its way into the log.
#[derive(Clone, Debug)]
pub struct Filling {
    list: Arc<[Listed]>,
    pace: Pace,
    /// What its lots are drawn by.
    key: u64,
    /// How many records have come.
    done: u64,
    /// How many of them the log had no room for.
    lost: u64,
    /// When the next one comes.
    due: Option<Moment>,
}

/// How far a list has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// How many records have come.
    pub done: u64,
    /// How many of them were lost to a full log.
    pub lost: u64,
    /// How many there will be; `None` without an end.
    pub total: Option<u64>,
    /// How long until the next one.
    pub next: Option<Duration>,
}

impl Filling {
    fn new(now: Moment, fill: &Fill, key: u64) -> Self {
        let Fill { pace, list } = fill;
        let mut filling = Self { list: Arc::clone(list), pace: *pace, key, done: 0, lost: 0, due: None };
        filling.arm(now);
        filling
    }

    /// When there is something to do.
    pub fn deadline(&self) -> Option<Moment> {
        self.due
    }

    /// How far it has come.
    pub fn progress(&self, now: Moment) -> Progress {
        let Self { done, lost, .. } = *self;
        Progress { done, lost, total: self.total(), next: self.due.map(|due| due.since(now)) }
    }

    fn total(&self) -> Option<u64> {
        let list = self.list.len() as u64;
        match (self.pace.order, self.pace.count) {
            (Order::Once, None) => Some(list),
            (Order::Once, Some(count)) => Some(list.min(count.into())),
            (Order::Again, count) => count.map(u64::from),
        }
    }

    /// Sets when the next record comes, after one that came at `before`.
    fn arm(&mut self, before: Moment) {
        let goes_on = self.total().is_none_or(|total| self.done < total) && !self.list.is_empty();
        let jitter = self.pace.jitter.as_nanos();
        let late = (u128::from(mix(self.key ^ mix(self.done))) * jitter) >> 64;
        let late = Duration::from_nanos(u64::try_from(late).unwrap_or(u64::MAX));
        self.due = goes_on.then(|| before + self.pace.every.max(Duration::from_millis(1)) + late);
    }

    /// The next record, if it is due, and when.
    fn next(&mut self, now: Moment) -> Option<(Moment, Listed)> {
        let due = self.due.filter(|due| *due <= now)?;
        let place = self.done.checked_rem(self.list.len() as u64)?;
        let listed = *self.list.get(usize::try_from(place).ok()?)?;
        self.done += 1;
        self.arm(due);
        Some((due, listed))
    }
}

/// `sel_fill`: the log of a controller fills from a list, or no longer. `seed` is the system's: with the same one the same
/// is drawn by lot.
///
/// # Errors
/// [`Error::NotSupported`]: the controller has no event log.
pub fn set(at: &mut At<'_>, now: Moment, seed: u64, fill: Option<&Fill>) -> Result<(), Error> {
    if !at.device.has_sel() {
        return Err(Error::NotSupported);
    }
    let key = mix(seed ^ mix((u64::from(at.address.0) << 8) | 3));
    at.fill = fill.map(|fill| Box::new(Filling::new(now, fill, key)));
    Ok(())
}

/// Adds what is due.
pub fn timeout(at: &mut At<'_>, now: Moment) {
    for _ in 0..MOST_AT_ONCE {
        let Some((due, listed)) = at.fill.as_mut().and_then(|filling| filling.next(now)) else { return };
        let (before, record) = (at.sel.records().len(), record(at.address, listed));
        if record[2] == SYSTEM_EVENT_RECORD {
            event::deliver(at, due, record);
        } else {
            // A log without room remembers that itself.
            let _ = sel::log(at, due, record);
        }
        let is_lost = at.sel.records().len() == before;
        if let Some(filling) = at.fill.as_mut() {
            filling.lost += u64::from(is_lost);
        }
    }
}

fn record(McAddress(mc): McAddress, listed: Listed) -> Record {
    let mut record = [0; 16];
    match listed {
        Listed::Record { record_type, data } => {
            record[2] = record_type;
            record[3..].copy_from_slice(&data);
        }
        Listed::Event(event) => {
            record[2] = SYSTEM_EVENT_RECORD;
            record[7] = mc;
            record[9..].copy_from_slice(&event);
        }
    }
    record
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Moment {
        Moment::new(Duration::from_millis(1_000_000 + millis))
    }

    fn list(count: u8) -> Arc<[Listed]> {
        (1..=count).map(|number| Listed::Record { record_type: number, data: [0; 13] }).collect()
    }

    fn pace(every: u64, jitter: u64, count: Option<u32>, order: Order) -> Pace {
        Pace { every: Duration::from_millis(every), jitter: Duration::from_millis(jitter), count, order }
    }

    /// When records come in the first ten seconds, and which.
    fn times(pace: Pace, key: u64) -> Vec<(Moment, u8)> {
        let mut filling = Filling::new(at(0), &Fill { pace, list: list(3) }, key);
        let mut times = Vec::new();
        while let Some((due, Listed::Record { record_type, .. })) = filling.next(at(10_000)) {
            times.push((due, record_type));
        }
        times
    }

    #[test]
    fn records_come_in_their_order_and_at_their_time() {
        let once = [(500, 1), (1000, 2), (1500, 3)].map(|(when, which)| (at(when), which));
        assert_eq!(times(pace(500, 0, None, Order::Once), 0), once);
        assert_eq!(times(pace(500, 0, Some(2), Order::Once), 0), once[..2]);
        assert_eq!(times(pace(500, 0, Some(9), Order::Once), 0), once);
        let again: Vec<_> = times(pace(500, 0, Some(5), Order::Again), 0).iter().map(|(_, which)| *which).collect();
        assert_eq!(again, [1, 2, 3, 1, 2]);
        assert_eq!(times(pace(2500, 0, None, Order::Again), 0).len(), 4);
    }

    #[test]
    fn lots_are_the_same_for_the_same_key_and_within_their_bounds() {
        let jittered = pace(100, 300, None, Order::Again);
        let one = times(jittered, 7);
        assert_eq!(one, times(jittered, 7));
        assert_ne!(one, times(jittered, 8));
        let mut before = at(0);
        let pauses: Vec<_> =
            one.iter().map(|(when, _)| when.since(std::mem::replace(&mut before, *when)).as_millis()).collect();
        assert!(pauses.iter().all(|pause| (100..400).contains(pause)), "{pauses:?}");
        assert!(pauses.iter().any(|pause| *pause < 150) && pauses.iter().any(|pause| *pause > 350), "{pauses:?}");
    }

    #[test]
    fn progress_tells_what_is_left() {
        let mut filling = Filling::new(at(0), &Fill { pace: pace(500, 0, Some(4), Order::Again), list: list(3) }, 0);
        filling.next(at(600));
        let next = Some(Duration::from_millis(400));
        assert_eq!(filling.progress(at(600)), Progress { done: 1, lost: 0, total: Some(4), next });
        while filling.next(at(9000)).is_some() {}
        assert_eq!(filling.progress(at(9000)), Progress { done: 4, lost: 0, total: Some(4), next: None });
        assert_eq!(filling.deadline(), None);
    }
}
