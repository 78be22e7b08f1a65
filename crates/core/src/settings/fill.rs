//! What `sel_fill` says, as values.

use std::sync::Arc;
use std::time::Duration;

/// An event log that fills from a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fill {
    /// When.
    pub pace: Pace,
    /// With what, in this order; not empty. Systems of a fleet that read the same have it in memory once.
    pub list: Arc<[Listed]>,
}

/// How fast a log fills, and how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// `every`: from one record to the next; at least 1 ms.
    pub every: Duration,
    /// `jitter`: up to so much later, by lot.
    pub jitter: Duration,
    /// `count`: it ends after so many records.
    pub count: Option<u32>,
    /// What comes after the last of the list.
    pub order: Order,
}

/// What comes after the last record of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Nothing.
    Once,
    /// The first (`repeat`).
    Again,
}

/// A record of a list, without id and time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listed {
    /// A record of any type (IPMI 2.0 section 32).
    Record {
        /// Record type.
        record_type: u8,
        /// What follows it; below type E0h the first four bytes become the time.
        data: [u8; 13],
    },
    /// An event of the controller itself: event message revision, sensor type, sensor number, event direction and type,
    /// three data bytes.
    Event([u8; 7]),
}
