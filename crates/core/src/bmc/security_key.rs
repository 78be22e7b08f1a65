//! K_G, the second secret of RMCP+ (IPMI 2.0 sections 13.31 and 22.25).
//!
//! Owns the key of one LAN channel: what lan.conf says, what a client has set in its place, and
//! whether that is locked. Is never printed and is wiped when it goes.

use std::fmt;

use zeroize::Zeroize;

/// A key of zeros: there is none, and the user's password takes its place.
const NONE: [u8; 20] = [0; 20];

/// K_G of a LAN channel.
#[derive(Clone, Default)]
pub struct SecurityKey {
    configured: Option<[u8; 20]>,
    set: Option<[u8; 20]>,
    locked: bool,
}

/// The key is locked: it can be neither read nor set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Locked;

impl SecurityKey {
    /// The key of lan.conf's `bmc_key`.
    pub fn new(configured: Option<[u8; 20]>) -> Self {
        Self { configured, set: None, locked: false }
    }

    /// The key that logins need.
    pub fn in_use(&self) -> Option<&[u8; 20]> {
        self.set.as_ref().or(self.configured.as_ref()).filter(|key| **key != NONE)
    }

    /// The key as it is read, zeros when there is none.
    pub fn read(&self) -> Result<&[u8; 20], Locked> {
        if self.locked { Err(Locked) } else { Ok(self.in_use().unwrap_or(&NONE)) }
    }

    /// Sets the key, zeros for none.
    pub(super) fn change(&mut self, key: &[u8; 20]) -> Result<(), Locked> {
        if self.locked {
            return Err(Locked);
        }
        self.set = Some(*key);
        Ok(())
    }

    /// Whether it is locked.
    pub fn is_locked(&self) -> bool {
        self.locked
    }

    /// Locks the key for good. It stays what it is, whatever lan.conf says afterwards.
    pub(super) fn lock(&mut self) {
        self.set = Some(*self.in_use().unwrap_or(&NONE));
        self.locked = true;
    }

    /// What a client has set, to be kept.
    pub fn set(&self) -> Option<&[u8; 20]> {
        self.set.as_ref()
    }

    /// Takes what was kept.
    pub fn restore(&mut self, set: Option<&[u8]>, locked: Option<i64>) {
        if let Some(set) = set.and_then(|set| set.try_into().ok()) {
            self.set = Some(set);
        }
        if let Some(locked) = locked {
            self.locked = locked != 0;
        }
    }

    /// Takes what clients have made of another.
    pub fn take_set(&mut self, other: &Self) {
        self.set = other.set;
        self.locked = other.locked;
    }
}

impl Drop for SecurityKey {
    fn drop(&mut self) {
        self.configured.zeroize();
        self.set.zeroize();
    }
}

impl fmt::Debug for SecurityKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecurityKey").field("locked", &self.locked).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_of_zeros_is_none() {
        assert_eq!(SecurityKey::new(Some(NONE)).in_use(), None);
        let mut key = SecurityKey::new(Some([7; 20]));
        assert_eq!(key.in_use(), Some(&[7; 20]));
        key.change(&NONE).expect("it is not locked");
        assert_eq!((key.in_use(), key.read()), (None, Ok(&NONE)));
    }

    #[test]
    fn a_locked_key_is_neither_read_nor_changed() {
        let mut key = SecurityKey::new(Some([7; 20]));
        key.lock();
        assert_eq!(key.change(&NONE), Err(Locked));
        assert_eq!(key.read(), Err(Locked));
        let mut again = SecurityKey::new(None);
        again.restore(key.set().map(|key| key.as_slice()), Some(1));
        assert_eq!((again.in_use(), again.read()), (Some(&[7; 20]), Err(Locked)));
    }

    #[test]
    fn debug_does_not_say_the_key() {
        assert!(!format!("{:?}", SecurityKey::new(Some([7; 20]))).contains('7'));
    }
}
