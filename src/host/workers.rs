//! Threads for what may block: files, names to look up, a break on a line.
//!
//! The first thread of each kind is there from the start, because the system may refuse a new one at
//! any time later: a limit on processes, no memory. Others come when there is more to do than threads,
//! if they can be had, and go again. Kinds do not wait for one another: a name server that is silent
//! does not keep state files from the disk. Threads belong to the process, as its process id does:
//! however many systems it simulates, they share these. Long work that others should not notice has a thread
//! of its own, which stands back ([`run_behind`]).

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
#[cfg(feature = "program")]
use std::sync::Arc;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::thread;
use std::time::Duration;

use tokio::sync::oneshot;

/// Replaces state files.
pub static STATE: Workers = Workers::new("state", 4);
/// Reads and writes other files.
pub static FILES: Workers = Workers::new("files", 8);
/// Looks names up.
pub static NAMES: Workers = Workers::new("names", 4);

/// How long a thread that is not the only one of its kind stays without work.
const LINGER: Duration = Duration::from_secs(10);
/// Room for the stack of a thread; what is not used takes no memory.
const STACK: usize = 1 << 20;

/// By how much the nice value of a thread for long work is above the process's (`nice(2)`).
#[cfg(feature = "program")]
const BEHIND: i32 = 5;

type Work = Box<dyn FnOnce() + Send>;

/// Threads of one kind.
pub struct Workers {
    name: &'static str,
    most: usize,
    state: Mutex<State>,
    wake: Condvar,
}

struct State {
    work: VecDeque<Work>,
    threads: usize,
    idle: usize,
}

/// The result of work, once there is one; `None` when the work was given up.
#[derive(Debug)]
pub struct Working<T>(oneshot::Receiver<T>);

/// Makes the first thread of each kind.
///
/// # Errors
/// The operating system's. What threads cannot be had for is done by whoever asks for it, who then
/// waits.
pub fn start() -> io::Result<()> {
    [&STATE, &FILES, &NAMES].iter().try_for_each(|workers| workers.hire(&mut workers.state()))
}

/// Does something long in a thread of its own that stands back behind all others, as those do that it starts; by one
/// that is there already where the system refuses a new one.
#[cfg(feature = "program")]
pub fn run_behind(work: impl FnOnce() + Send + 'static) {
    let work = Arc::new(Mutex::new(Some(work)));
    let take = |work: &Mutex<Option<_>>| work.lock().unwrap_or_else(PoisonError::into_inner).take();
    let behind = Arc::clone(&work);
    let thread = thread::Builder::new().name("behind".into()).stack_size(STACK);
    let started = thread.spawn(move || {
        // Of this thread alone, on Linux. It goes on as it is where that is refused.
        let _ = rustix::process::nice(BEHIND);
        if let Some(work) = take(&behind) {
            work();
        }
    });
    if started.is_err()
        && let Some(work) = take(&work)
    {
        drop(FILES.run(work));
    }
}

impl Workers {
    const fn new(name: &'static str, most: usize) -> Self {
        let state = State { work: VecDeque::new(), threads: 0, idle: 0 };
        Self { name, most, state: Mutex::new(state), wake: Condvar::new() }
    }

    /// Does something aside.
    pub fn run<T: Send + 'static>(&'static self, work: impl FnOnce() -> T + Send + 'static) -> Working<T> {
        let (done, result) = oneshot::channel();
        // Nobody waits for the result any more: as good as done.
        let work: Work = Box::new(move || drop(done.send(work())));
        let mut state = self.state();
        if state.work.len() >= state.idle && state.threads < self.most {
            // Refused, it waits for a thread that is busy.
            let _ = self.hire(&mut state);
        }
        if state.threads == 0 {
            drop(state);
            work();
        } else {
            state.work.push_back(work);
            drop(state);
            self.wake.notify_one();
        }
        Working(result)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hire(&'static self, state: &mut State) -> io::Result<()> {
        let first = state.threads == 0;
        let thread = thread::Builder::new().name(self.name.into()).stack_size(STACK);
        thread.spawn(move || self.serve(first))?;
        state.threads += 1;
        Ok(())
    }

    /// What a thread does until it ends. The first stays.
    fn serve(&self, first: bool) {
        let _counted = Counted(self);
        let mut state = self.state();
        loop {
            if let Some(work) = state.work.pop_front() {
                drop(state);
                work();
                state = self.state();
                continue;
            }
            state.idle += 1;
            let timed_out;
            if first {
                state = self.wake.wait(state).unwrap_or_else(PoisonError::into_inner);
                timed_out = false;
            } else {
                let (after, wait) = self.wake.wait_timeout(state, LINGER).unwrap_or_else(PoisonError::into_inner);
                state = after;
                timed_out = wait.timed_out();
            }
            state.idle -= 1;
            if timed_out && state.work.is_empty() {
                return;
            }
        }
    }
}

/// A thread in the count of its kind, whichever way it ends.
struct Counted<'a>(&'a Workers);

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.state().threads -= 1;
    }
}

impl<T> Future for Working<T> {
    type Output = Option<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx).map(Result::ok)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Barrier;
    use std::sync::mpsc::channel;

    #[tokio::test]
    async fn work_is_done_side_by_side_up_to_a_limit_and_in_order_beyond() {
        static THREE: Workers = Workers::new("three", 3);
        static MEETING: Barrier = Barrier::new(3);
        let meeting: Vec<_> = (0..3).map(|number| THREE.run(move || (MEETING.wait(), number).1)).collect();
        for (number, result) in meeting.into_iter().enumerate() {
            assert_eq!(result.await, Some(number));
        }
        static ONE: Workers = Workers::new("one", 1);
        let (sender, order) = channel();
        let work: Vec<_> = (0..20).map(|n| (sender.clone(), n)).map(|(to, n)| ONE.run(move || to.send(n))).collect();
        for done in work {
            done.await.unwrap().unwrap();
        }
        assert!(order.try_iter().eq(0..20));
        assert_eq!((THREE.state().threads, ONE.state().threads), (3, 1));
    }

    #[cfg(feature = "program")]
    #[test]
    fn long_work_stands_back_behind_the_others_and_leaves_them_alone() {
        let own = || rustix::process::getpriority_process(None).unwrap();
        let before = own();
        let (sender, seen) = channel();
        run_behind(move || sender.send(own()).unwrap());
        assert_eq!(seen.recv().unwrap(), (before + BEHIND).min(19));
        assert_eq!(own(), before);
    }

    #[tokio::test]
    async fn without_any_thread_it_is_done_on_the_spot() {
        static NONE: Workers = Workers::new("none", 0);
        let here = thread::current().id();
        assert_eq!(NONE.run(move || thread::current().id() == here).await, Some(true));
    }
}
