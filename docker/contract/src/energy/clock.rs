//! The clock that a container shares with its host.

use rustix::time::{ClockId, clock_gettime};

/// Seconds of `CLOCK_MONOTONIC`.
pub fn now() -> f64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec as f64 + now.tv_nsec as f64 / 1e9
}
