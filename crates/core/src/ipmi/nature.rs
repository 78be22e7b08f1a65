//! What a command does the second time.

/// What executing a command once more does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nature {
    /// No harm, and the newest response is the right one: it reads, or reserves.
    Reads,
    /// Nothing more than the first time: it sets what the request says. So is taken whatever is not known.
    Sets,
    /// The same once more: an event, a record, a reset.
    Acts,
}
