//! Things that wait, each in the line of whoever they are for; lines have turns of one.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

/// The lines. Without anything that waits they take no memory.
#[derive(Debug)]
pub struct Turns<K, T> {
    lines: HashMap<K, VecDeque<T>>,
    order: VecDeque<K>,
    count: usize,
}

impl<K, T> Default for Turns<K, T> {
    fn default() -> Self {
        Self { lines: HashMap::new(), order: VecDeque::new(), count: 0 }
    }
}

impl<K: Copy + Eq + Hash, T> Turns<K, T> {
    /// Puts something at the end of a line.
    pub fn push(&mut self, whose: K, what: T) {
        let line = self.lines.entry(whose).or_default();
        if line.is_empty() {
            self.order.push_back(whose);
        }
        line.push_back(what);
        self.count += 1;
    }

    /// Takes the first of the line whose turn it is.
    pub fn pop(&mut self) -> Option<(K, T)> {
        let whose = self.order.pop_front()?;
        let line = self.lines.get_mut(&whose)?;
        let first = line.pop_front()?;
        self.count -= 1;
        if line.is_empty() {
            self.lines.remove(&whose);
        } else {
            self.order.push_back(whose);
        }
        if self.count == 0 {
            *self = Self::default();
        }
        Some((whose, first))
    }

    /// How many wait in a line.
    pub fn waiting(&self, whose: K) -> usize {
        self.lines.get(&whose).map_or(0, VecDeque::len)
    }

    /// How many wait in all lines.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_has_its_turn_and_its_order() {
        let mut turns = Turns::default();
        for (whose, what) in [(1, 'a'), (1, 'b'), (1, 'c'), (2, 'd'), (3, 'e'), (2, 'f')] {
            turns.push(whose, what);
        }
        assert_eq!((turns.len(), turns.waiting(1), turns.waiting(4)), (6, 3, 0));
        let order: String = std::iter::from_fn(|| turns.pop()).map(|(_, what)| what).collect();
        assert_eq!(order, "adebfc");
        assert!(turns.is_empty());
    }
}
