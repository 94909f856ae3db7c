//! Work spread over all processors.

use std::{
    panic,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

/// One thread per processor.
pub(crate) fn processors() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// Applies a worker to each of `items` on up to `threads` threads, this one included. Items are started in
/// order, and results come in that order. Each thread gets a worker of its own.
///
/// `rayon` panics when the process may not start another thread. This goes on with the threads it has.
pub(crate) fn map<'a, T: Sync, R: Send, W: FnMut(&'a T) -> R>(
    items: &'a [T],
    threads: usize,
    worker: impl Fn() -> W + Sync,
) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut worker = worker();
        let indices = std::iter::repeat_with(|| next.fetch_add(1, Ordering::Relaxed));
        let taken = indices.map_while(|index| Some((index, items.get(index)?)));
        taken.map(|(index, item)| (index, worker(item))).collect::<Vec<_>>()
    };
    let mut results = thread::scope(|scope| {
        let start = |_| thread::Builder::new().spawn_scoped(scope, work).ok();
        let others: Vec<_> = (1..threads.min(items.len())).map_while(start).collect();
        let mut results = work();
        for thread in others {
            results.extend(thread.join().unwrap_or_else(|error| panic::resume_unwind(error)));
        }
        results
    });
    results.sort_unstable_by_key(|(index, _)| *index);
    results.into_iter().map(|(_, result)| result).collect()
}
