//! What happened in the systems of the process, for any number of readers: a bounded ring in which each of them has a place
//! of its own.
//!
//! Whoever tells it something never waits for a reader: one that is slow loses the oldest, and learns how many.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use tokio::sync::Notify;

use crate::bmc::watch::Event;

/// How many are kept.
const ROOM: usize = 16_384;

/// Something that happened.
#[derive(Debug)]
pub struct Happened {
    /// Its number, from 1; the next one has the next number.
    pub id: u64,
    /// When, by the wall clock.
    pub time: SystemTime,
    /// The name of the BMC.
    pub bmc: Arc<str>,
    /// What.
    pub what: What,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// In the system.
    Event(Event),
    /// The BMC came.
    Added,
    /// The BMC has gone.
    Removed,
}

/// The ring.
#[derive(Debug, Default)]
pub struct History {
    state: Mutex<State>,
    news: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// How many there were before the first that is kept.
    before: u64,
    kept: VecDeque<Arc<Happened>>,
}

impl State {
    /// The number of the next one.
    fn next(&self) -> u64 {
        self.before + self.kept.len() as u64 + 1
    }
}

impl History {
    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it is locked.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something happened now.
    pub fn tell(&self, bmc: &Arc<str>, what: What) {
        let mut state = self.state();
        if state.kept.len() >= ROOM {
            state.kept.pop_front();
            state.before += 1;
        }
        let id = state.next();
        state.kept.push_back(Arc::new(Happened { id, time: SystemTime::now(), bmc: Arc::clone(bmc), what }));
        drop(state);
        self.news.notify_waiters();
    }

    /// The number that the next one will have.
    pub fn next(&self) -> u64 {
        self.state().next()
    }

    /// A reader of what happens from now on.
    pub fn reader(self: &Arc<Self>) -> Reader {
        let next = self.state().next();
        Reader { history: Arc::clone(self), next }
    }

    /// A reader of what happened after `id`, as far as it is kept; all of it if that number has not been given yet, which
    /// is of an earlier run then.
    pub fn reader_after(self: &Arc<Self>, id: u64) -> Reader {
        let next = if id < self.state().next() { id + 1 } else { 1 };
        Reader { history: Arc::clone(self), next }
    }
}

/// One who reads what happens.
#[derive(Debug)]
pub struct Reader {
    history: Arc<History>,
    next: u64,
}

impl Reader {
    /// The number of the next one that is taken, if it is not lost.
    pub fn next(&self) -> u64 {
        self.next
    }

    /// Takes what has happened since the last time, at most so many, oldest first; says how many were lost before them.
    pub fn take(&mut self, most: usize, into: &mut Vec<Arc<Happened>>) -> u64 {
        let state = self.history.state();
        let lost = (state.before + 1).saturating_sub(self.next);
        self.next += lost;
        let from = usize::try_from(self.next - state.before - 1).unwrap_or(usize::MAX);
        let taken = into.len();
        into.extend(state.kept.iter().skip(from).take(most).cloned());
        self.next += (into.len() - taken) as u64;
        lost
    }

    /// Waits until there is something to take.
    pub async fn wait(&self) {
        loop {
            let news = self.history.news.notified();
            tokio::pin!(news);
            // From here on no news is missed.
            news.as_mut().enable();
            if self.history.state().next() > self.next {
                return;
            }
            news.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(reader: &mut Reader, most: usize) -> (u64, Vec<u64>) {
        let mut taken = Vec::new();
        let lost = reader.take(most, &mut taken);
        (lost, taken.iter().map(|happened| happened.id).collect())
    }

    fn tell(history: &History, count: usize) {
        (0..count).for_each(|_| history.tell(&"a".into(), What::Added));
    }

    #[test]
    fn each_reader_goes_on_where_it_was() {
        let history = Arc::new(History::default());
        tell(&history, 2);
        let (mut new, mut old, mut other_run) = (history.reader(), history.reader_after(1), history.reader_after(7));
        tell(&history, 2);
        assert_eq!(ids(&mut new, 10), (0, vec![3, 4]));
        assert_eq!(ids(&mut old, 2), (0, vec![2, 3]));
        assert_eq!(ids(&mut old, 2), (0, vec![4]));
        assert_eq!(ids(&mut other_run, 1), (0, vec![1]));
        assert_eq!(ids(&mut new, 10), (0, vec![]));
    }

    #[test]
    fn who_is_slow_loses_the_oldest_and_learns_how_many() {
        let history = Arc::new(History::default());
        let mut reader = history.reader();
        tell(&history, ROOM + 5);
        assert_eq!(ids(&mut reader, 2), (5, vec![6, 7]));
        assert_eq!(ids(&mut reader, 1), (0, vec![8]));
    }

    #[tokio::test]
    async fn who_waits_is_woken() {
        let history = Arc::new(History::default());
        let mut reader = history.reader();
        let waiter = tokio::spawn(async move {
            reader.wait().await;
            ids(&mut reader, 10)
        });
        tokio::task::yield_now().await;
        tell(&history, 1);
        assert_eq!(waiter.await.unwrap(), (0, vec![1]));
    }
}
