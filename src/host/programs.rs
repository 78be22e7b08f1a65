//! Helper programs of all systems of the process: how many run at once, and whose turn it is.
//!
//! Starts none.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use super::SystemId;
use super::turns::Turns;

/// Most helper programs that run at once, unless something else is said.
pub const MOST: usize = 64;

/// What all helper programs have in common.
#[derive(Debug)]
pub struct Programs {
    /// How long one may take.
    pub limit: Duration,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// How many more may run.
    free: usize,
    /// Who waits until one ends.
    waiting: Turns<SystemId, oneshot::Sender<()>>,
}

/// A helper program may run as long as this is held.
#[derive(Debug)]
pub struct Turn(Arc<Programs>);

impl Programs {
    /// At most `most` at once, at least one; each may take so long.
    pub fn new(limit: Duration, most: usize) -> Arc<Self> {
        Arc::new(Self { limit, state: Mutex::new(State { free: most.max(1), waiting: Turns::default() }) })
    }

    /// Waits until a helper program of a system may run: systems that wait have turns.
    pub async fn turn(self: &Arc<Self>, system: SystemId) -> Turn {
        if let Some(wait) = self.ask(system) {
            // Whoever ends hands his place over; he cannot be gone without that.
            let _ = wait.await;
        }
        Turn(Arc::clone(self))
    }

    fn ask(&self, system: SystemId) -> Option<oneshot::Receiver<()>> {
        let mut state = self.state();
        if state.free > 0 {
            state.free -= 1;
            return None;
        }
        let (sender, wait) = oneshot::channel();
        state.waiting.push(system, sender);
        Some(wait)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut state = self.0.state();
        while let Some((_, next)) = state.waiting.pop() {
            if next.send(()).is_ok() {
                return;
            }
        }
        state.free += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_waits_has_turns_by_system() {
        let programs = Programs::new(Duration::ZERO, 2);
        let system = |index| SystemId { index, generation: 0 };
        let held = [programs.turn(system(1)).await, programs.turn(system(1)).await];
        let (sender, mut order) = tokio::sync::mpsc::unbounded_channel();
        for (name, index) in [("a", 1), ("b", 1), ("c", 2), ("d", 3)] {
            let (programs, sender) = (Arc::clone(&programs), sender.clone());
            tokio::spawn(async move {
                let turn = programs.turn(system(index)).await;
                sender.send(name).unwrap();
                drop(turn);
            });
            tokio::task::yield_now().await;
        }
        assert!(order.is_empty(), "both places are held");
        // One that gave up is passed over.
        let gave_up = programs.ask(system(0)).unwrap();
        drop(gave_up);
        let [one, other] = held;
        drop(one);
        let mut seen = Vec::new();
        for _ in 0..4 {
            seen.push(order.recv().await.unwrap());
        }
        assert_eq!(seen, ["a", "c", "d", "b"]);
        drop(other);
        tokio::task::yield_now().await;
        assert_eq!(programs.state().free, 2);
    }
}
