//! The clock that host and containers share, and what a thread takes of a processor.

use rustix::time::{ClockId, clock_gettime};

pub(crate) use contract::clock::now;

/// Processor seconds of the calling thread.
pub(crate) fn of_thread() -> f64 {
    let used = clock_gettime(ClockId::ThreadCPUTime);
    used.tv_sec as f64 + used.tv_nsec as f64 / 1e9
}
