//! The bytes of a frame that is not complete yet, never more than its framing allows.

/// Collects up to a limit and remembers that there was more.
#[derive(Debug)]
pub(super) struct Collector {
    bytes: Vec<u8>,
    limit: usize,
    overrun: bool,
}

impl Collector {
    /// An empty collector for at most `limit` bytes.
    pub(super) fn new(limit: usize) -> Self {
        Self { bytes: Vec::new(), limit, overrun: false }
    }

    /// Appends a byte.
    pub(super) fn push(&mut self, byte: u8) {
        if self.bytes.len() < self.limit {
            self.bytes.push(byte);
        } else {
            self.overrun = true;
        }
    }

    /// What is wrong with the frame makes it as bad as one that is too long.
    pub(super) fn spoil(&mut self) {
        self.overrun = true;
    }

    /// Whether nothing came.
    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty() && !self.overrun
    }

    /// The bytes, or `None` if there were too many.
    pub(super) fn frame(&self) -> Option<&[u8]> {
        if self.overrun { None } else { Some(&self.bytes) }
    }

    /// Starts over and keeps the memory.
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.overrun = false;
    }
}
