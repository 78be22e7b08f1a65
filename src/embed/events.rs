//! What happens in a BMC, for whoever watches: queues that are bounded and never make the BMC wait.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use crate::bmc::watch::Event;

/// How many events may wait for a watcher.
const ROOM: usize = 1024;

/// The events of a BMC from the moment when [`Bmc::events`](super::Bmc::events) was called.
///
/// At most 1024 wait to be looked at; when there are more, the oldest are lost, and [`lost`](Self::lost) says how many.
/// As an iterator it waits for the next event and ends when the BMC is gone.
#[derive(Debug)]
pub struct Events {
    queue: Arc<Queue>,
}

/// The queue of one watcher.
#[derive(Debug, Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    wake: Condvar,
}

#[derive(Debug, Default)]
struct State {
    events: VecDeque<Event>,
    lost: u64,
    ended: bool,
    waker: Option<Waker>,
}

impl Queue {
    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it is locked, and an event more or less breaks nothing.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn push(&self, event: Event) {
        self.change(|state| {
            if state.events.len() >= ROOM {
                state.events.pop_front();
                state.lost += 1;
            }
            state.events.push_back(event);
        });
    }

    /// The BMC is gone.
    pub(super) fn end(&self) {
        self.change(|state| state.ended = true);
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.state();
        change(&mut state);
        let waker = state.waker.take();
        drop(state);
        self.wake.notify_all();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl Events {
    pub(super) fn new() -> (Self, Arc<Queue>) {
        let queue = Arc::new(Queue::default());
        (Self { queue: Arc::clone(&queue) }, queue)
    }

    /// The next event, if there is one already.
    pub fn try_next(&mut self) -> Option<Event> {
        self.queue.state().events.pop_front()
    }

    /// Waits for the next event, at most so long. `None`: there was none in time, or the BMC is gone.
    pub fn wait(&mut self, limit: Duration) -> Option<Event> {
        let end = Instant::now().checked_add(limit);
        let mut state = self.queue.state();
        loop {
            if let Some(event) = state.events.pop_front() {
                return Some(event);
            }
            // A limit beyond the end of time is none.
            let left = end.map_or(Duration::from_secs(3600), |end| end.saturating_duration_since(Instant::now()));
            if state.ended || left.is_zero() {
                return None;
            }
            let waited = self.queue.wake.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// The next event, in any async runtime. `None`: the BMC is gone.
    pub async fn recv(&mut self) -> Option<Event> {
        poll_fn(|cx| self.poll_recv(cx)).await
    }

    /// As [`recv`](Self::recv), for who writes a stream or a future of its own.
    pub fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        let mut state = self.queue.state();
        match state.events.pop_front() {
            Some(event) => Poll::Ready(Some(event)),
            None if state.ended => Poll::Ready(None),
            None => {
                state.waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }

    /// How many events were lost because nobody took them in time.
    pub fn lost(&self) -> u64 {
        self.queue.state().lost
    }
}

impl Iterator for Events {
    type Item = Event;

    fn next(&mut self) -> Option<Event> {
        self.wait(Duration::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ipmi::McAddress;

    fn event(id: u16) -> Event {
        Event::RecordAdded { mc: McAddress::BMC, id }
    }

    #[test]
    fn who_does_not_look_loses_the_oldest() {
        let (mut events, queue) = Events::new();
        (0..1030).for_each(|id| queue.push(event(id)));
        assert_eq!(events.lost(), 6);
        assert_eq!(events.try_next(), Some(event(6)));
        queue.end();
        assert_eq!(events.count(), 1023, "what waits is still told");
    }

    #[test]
    fn who_waits_is_woken() {
        let (mut events, queue) = Events::new();
        assert_eq!(events.wait(Duration::from_millis(1)), None);
        let watcher = std::thread::spawn(move || events.next());
        queue.push(event(1));
        assert_eq!(watcher.join().unwrap(), Some(event(1)));
    }

    #[tokio::test]
    async fn a_task_is_woken_too() {
        let (mut events, queue) = Events::new();
        let watcher = tokio::spawn(async move { (events.recv().await, events.recv().await) });
        tokio::task::yield_now().await;
        queue.push(event(1));
        tokio::task::yield_now().await;
        queue.end();
        assert_eq!(watcher.await.unwrap(), (Some(event(1)), None));
    }
}
