//! Work on all rows of a fleet, on all processors.

use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Instant;

use crate::progress::Progress;

/// How many rows a thread takes at a time.
const BLOCK: usize = 32;
/// Most threads: more of them wait for each other's memory.
const THREADS: usize = 8;

/// How much of the machine it may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Share {
    /// All processors.
    All,
    /// One processor is left to those who are served meanwhile, if there are two, and of the others half of the time:
    /// the system takes a processor only from who has had it for some milliseconds, so that others would wait for that.
    Beside,
}

/// What `each` makes of all items, in their order.
pub(super) fn map<T: Sync, R: Send>(
    items: &[T],
    share: Share,
    progress: &mut Progress,
    each: impl Fn(&T) -> R + Sync,
) -> Vec<R> {
    let blocks = items.len().div_ceil(BLOCK);
    let processors = thread::available_parallelism().map_or(1, NonZero::get);
    let threads = match share {
        Share::All => processors,
        Share::Beside => (processors - 1).max(1),
    };
    let threads = threads.min(THREADS).min(blocks);
    let next = AtomicUsize::new(0);
    let one = |item: &T| {
        let begun = Instant::now();
        let made = each(item);
        if share == Share::Beside {
            thread::sleep(begun.elapsed());
        }
        made
    };
    let work = |done: &mut dyn FnMut(usize, Vec<R>)| {
        loop {
            let block = next.fetch_add(1, Ordering::Relaxed);
            let Some(items) = items.chunks(BLOCK).nth(block) else { break };
            done(block, items.iter().map(&one).collect());
        }
    };
    let mut made: Vec<(usize, Vec<R>)> = Vec::with_capacity(blocks);
    let mut count = 0;
    let mut take = |block, results: Vec<R>| {
        count += results.len();
        progress.show(count);
        made.push((block, results));
    };
    thread::scope(|scope| {
        let (sender, receiver) = mpsc::channel();
        let mut started = 0;
        for _ in 0..threads {
            let (sender, work) = (sender.clone(), &work);
            let run = move || work(&mut |block, results| drop(sender.send((block, results))));
            started += usize::from(thread::Builder::new().spawn_scoped(scope, run).is_ok());
        }
        drop(sender);
        if started == 0 {
            // No thread can be started.
            work(&mut take);
        }
        receiver.iter().for_each(|(block, results)| take(block, results));
    });
    made.sort_unstable_by_key(|(block, _)| *block);
    made.into_iter().flat_map(|(_, results)| results).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_the_order_of_the_items() {
        for count in [0, 1, BLOCK - 1, BLOCK, 10 * BLOCK + 7] {
            let items: Vec<usize> = (0..count).collect();
            let made = map(&items, Share::All, &mut Progress::none(), |item| item * 2);
            assert_eq!(made, items.iter().map(|item| item * 2).collect::<Vec<_>>());
        }
    }
}
