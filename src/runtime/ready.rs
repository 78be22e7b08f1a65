//! Which sockets may have something, in the order in which that was told: waking up costs what is ready, not what is open.
//!
//! Owns the queue, and who sleeps until something is in it. Looks at no socket.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Wake, Waker};

/// The queue. Sockets have numbers, which may be given again.
#[derive(Debug, Default)]
pub struct Ready(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    queue: VecDeque<usize>,
    /// Which numbers are in the queue.
    queued: Vec<bool>,
    sleeper: Option<Waker>,
}

/// What one socket is watched with.
#[derive(Debug)]
struct Bell {
    number: usize,
    ready: Arc<Ready>,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.ready.push(self.number);
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.ready.push(self.number);
    }
}

impl Ready {
    /// Puts this number into the queue when it is woken.
    pub fn bell(self: &Arc<Self>, number: usize) -> Waker {
        Arc::new(Bell { number, ready: Arc::clone(self) }).into()
    }

    /// Puts a number at the end of the queue, unless it is in it.
    pub fn push(&self, number: usize) {
        let mut state = self.state();
        if state.queued.len() <= number {
            state.queued.resize(number + 1, false);
        }
        let Some(queued) = state.queued.get_mut(number) else { return };
        if std::mem::replace(queued, true) {
            return;
        }
        state.queue.push_back(number);
        let sleeper = state.sleeper.take();
        drop(state);
        if let Some(sleeper) = sleeper {
            sleeper.wake();
        }
    }

    /// Takes the first of the queue; whoever finds none is woken when there is one.
    pub fn poll(&self, cx: &mut Context<'_>) -> Option<usize> {
        let mut state = self.state();
        let Some(number) = state.queue.pop_front() else {
            match &mut state.sleeper {
                Some(sleeper) => sleeper.clone_from(cx.waker()),
                none => *none = Some(cx.waker().clone()),
            }
            return None;
        };
        if let Some(queued) = state.queued.get_mut(number) {
            *queued = false;
        }
        Some(number)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[derive(Default)]
    struct Sleeper(AtomicUsize);

    impl Wake for Sleeper {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn each_has_its_turn_once_and_a_sleeper_is_woken_once() {
        let (ready, sleeper) = (Arc::new(Ready::default()), Arc::new(Sleeper::default()));
        let waker = Waker::from(Arc::clone(&sleeper));
        let mut cx = Context::from_waker(&waker);
        let bells: Vec<Waker> = (0..3).map(|number| ready.bell(number)).collect();
        assert_eq!(ready.poll(&mut cx), None);
        for number in [2, 0, 2] {
            bells[number].wake_by_ref();
        }
        assert_eq!(sleeper.0.load(Ordering::Relaxed), 1);
        assert_eq!(ready.poll(&mut cx), Some(2));
        // It may have more: behind the others.
        bells[2].wake_by_ref();
        assert_eq!([ready.poll(&mut cx), ready.poll(&mut cx), ready.poll(&mut cx)], [Some(0), Some(2), None]);
        assert_eq!(sleeper.0.load(Ordering::Relaxed), 1, "nobody slept");
    }
}
