//! Lets a test end a repair before a change of the disk, as SIGKILL would.

/// Marks a change of the disk. Does nothing outside of tests.
#[cfg(not(test))]
pub(super) const fn before_a_change() {}

#[cfg(test)]
pub(super) use for_tests::{before_a_change, kill_before};

#[cfg(test)]
mod for_tests {
    use std::{
        cell::Cell,
        panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    };

    thread_local! {
        /// Number of changes until the repair is ended, if it is.
        static LEFT: Cell<Option<usize>> = const { Cell::new(None) };
    }

    /// Panic payload that ends a repair.
    struct Killed;

    /// Ends the repair once no change is left.
    pub(in super::super) fn before_a_change() {
        match LEFT.get() {
            None => {}
            // Unlike `panic!`, this prints no message.
            Some(0) => resume_unwind(Box::new(Killed)),
            Some(left) => LEFT.set(Some(left - 1)),
        }
    }

    /// Ends `work` before its change number `changes`, counted from 0. Returns its result if it made fewer.
    pub(in super::super) fn kill_before<T>(changes: usize, work: impl FnOnce() -> T) -> Option<T> {
        LEFT.set(Some(changes));
        let done = catch_unwind(AssertUnwindSafe(work));
        LEFT.set(None);
        done.map_err(|thrown| {
            if !thrown.is::<Killed>() {
                resume_unwind(thrown);
            }
        })
        .ok()
    }
}
