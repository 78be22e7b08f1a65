//! Random numbers.

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use rand::rngs::StdRng;
use rand::{RngCore, SeedableRng};

use crate::ipmi::Random;

/// A generator seeded by the operating system. Clones draw from the same one, so that a system of many needs no seed and
/// no memory for one of its own.
#[derive(Clone)]
pub struct SystemRandom(Arc<Mutex<StdRng>>);

impl SystemRandom {
    /// A new one.
    ///
    /// # Errors
    /// The operating system has no seed.
    pub fn new() -> io::Result<Self> {
        let generator = StdRng::try_from_os_rng().map_err(io::Error::other)?;
        Ok(Self(Arc::new(Mutex::new(generator))))
    }

    /// One that gives the same in each run: for tests alone, as whoever knows the seed knows every session's secrets.
    pub fn repeatable(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(StdRng::seed_from_u64(seed))))
    }
}

/// Without what it will give.
impl fmt::Debug for SystemRandom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SystemRandom").finish_non_exhaustive()
    }
}

impl Random for SystemRandom {
    fn fill(&mut self, bytes: &mut [u8]) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).fill_bytes(bytes);
    }
}
