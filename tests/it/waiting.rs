//! Waiting for another process: a condition is polled until it holds.

use std::{
    fs, thread,
    time::{Duration, Instant},
};

use rustix::process::Signal;

/// How long a test waits before it fails: engines take seconds on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(90);

/// The pause between two looks at a condition.
const STEP: Duration = Duration::from_millis(10);

/// Waits until `holds`; otherwise the test fails.
#[track_caller]
pub(crate) fn until(what: &str, holds: impl FnMut() -> bool) {
    assert!(holds_within(PATIENCE, holds), "waited in vain for {what}");
}

/// Waits until `holds`, and returns whether it did within `limit`.
pub(crate) fn holds_within(limit: Duration, mut holds: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + limit;
    while !holds() {
        if Instant::now() > end {
            return false;
        }
        thread::sleep(STEP);
    }
    true
}

/// Waits until a signal that was sent to `pid` has been handled or ignored.
#[track_caller]
pub(crate) fn until_delivered(pid: u32, signal: Signal) {
    until("the signal", || {
        let pending = ["SigPnd:", "ShdPnd:"].map(|set| is_in(pid, set, signal));
        pending == [false, false]
    });
}

/// Waits until a process has a handler for `signal` and sleeps.
#[track_caller]
pub(crate) fn until_it_sleeps_with_a_handler(pid: u32, signal: Signal) {
    until("a process that waits", || {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let is_asleep = stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with('S'));
        is_asleep && is_in(pid, "SigCgt:", signal)
    });
}

/// Whether a set of signals in `/proc/PID/status` has this one.
fn is_in(pid: u32, set: &str, signal: Signal) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix(set));
    let mask = mask.map_or(0, |mask| u64::from_str_radix(mask.trim(), 16).expect("a mask"));
    mask >> (signal.as_raw() - 1) & 1 == 1
}
