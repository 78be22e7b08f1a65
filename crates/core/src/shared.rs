//! What systems have in common, in memory once.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

/// A value that others may have as well. Whoever changes it gets a copy of his own first.
#[derive(Default, PartialEq, Eq)]
pub(crate) struct Shared<T>(Arc<T>);

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> From<T> for Shared<T> {
    fn from(value: T) -> Self {
        Self(Arc::new(value))
    }
}

impl<T> Deref for Shared<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: Clone> DerefMut for Shared<T> {
    fn deref_mut(&mut self) -> &mut T {
        Arc::make_mut(&mut self.0)
    }
}

impl<T: fmt::Debug> fmt::Debug for Shared<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<T> Shared<T> {
    /// Whether it is in memory only once.
    #[cfg(test)]
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

/// Most different values of a kind that are remembered.
const MOST: usize = 16;

/// Values of one kind, for others who may have the same.
#[derive(Debug)]
pub(crate) struct Known<T>(Vec<Shared<T>>);

impl<T> Default for Known<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: PartialEq> Known<T> {
    /// Takes one that is known in place of `value`, if there is an equal one; else it is known from now on.
    pub(crate) fn share(&mut self, value: &mut Shared<T>) {
        match self.0.iter().position(|known| known == value) {
            Some(place) => {
                value.clone_from(&self.0[place]);
                // What is asked for again and again stays in front.
                self.0.swap(place, place / 2);
            }
            None => {
                self.0.truncate(MOST - 1);
                self.0.insert(self.0.len() / 2, value.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_values_are_in_memory_once_until_one_changes() {
        let mut known = Known::default();
        let mut values: Vec<Shared<Vec<u8>>> =
            [[1, 2], [3, 4], [1, 2], [1, 2]].map(|value| value.to_vec().into()).into();
        values.iter_mut().for_each(|value| known.share(value));
        assert!(values[0].is_same(&values[2]) && values[0].is_same(&values[3]));
        values[2].push(5);
        assert_eq!(values, [vec![1, 2], vec![3, 4], vec![1, 2, 5], vec![1, 2]].map(Shared::from));
        assert!(values[0].is_same(&values[3]));
    }

    #[test]
    fn what_many_have_is_not_forgotten_for_what_few_have() {
        let mut known = Known::default();
        let mut first: Shared<u32> = 0.into();
        known.share(&mut first);
        for number in 1..1000 {
            let mut common: Shared<u32> = 0.into();
            known.share(&mut common);
            assert!(common.is_same(&first));
            known.share(&mut number.into());
            assert!(known.0.len() <= MOST);
        }
    }
}
