//! The clock that host and containers share, and what a thread takes of a processor.

use rustix::time::{ClockId, Timespec, clock_gettime};

/// Seconds of `CLOCK_MONOTONIC`.
pub(crate) fn now() -> f64 {
    seconds(clock_gettime(ClockId::Monotonic))
}

/// Processor seconds of the calling thread.
pub(crate) fn of_thread() -> f64 {
    seconds(clock_gettime(ClockId::ThreadCPUTime))
}

fn seconds(time: Timespec) -> f64 {
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}
