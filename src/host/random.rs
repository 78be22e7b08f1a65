//! Random numbers.

use std::io;

use rand::rngs::StdRng;
use rand::{RngCore, SeedableRng};

use crate::ipmi::Random;

/// A generator seeded by the operating system.
pub struct SystemRandom(StdRng);

impl SystemRandom {
    /// A new one.
    ///
    /// # Errors
    /// The operating system has no seed.
    pub fn new() -> io::Result<Self> {
        StdRng::try_from_os_rng().map(Self).map_err(io::Error::other)
    }
}

impl Random for SystemRandom {
    fn fill(&mut self, bytes: &mut [u8]) {
        self.0.fill_bytes(bytes);
    }
}
