//! Where a test ends a repair as SIGKILL would: right before each change of the disk.

/// A change comes next. Does nothing, but in a test that waits for it.
#[cfg(not(test))]
pub(super) const fn before_a_change() {}

#[cfg(test)]
pub(super) use for_tests::{before_a_change, with};

#[cfg(test)]
mod for_tests {
    use std::{
        cell::Cell,
        panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    };

    thread_local! {
        /// Changes that may still be made; none where nothing is cut.
        static LEFT: Cell<Option<usize>> = const { Cell::new(None) };
    }

    /// What unwinds a repair that is cut.
    struct Cut;

    /// See the other one.
    pub(in super::super) fn before_a_change() {
        match LEFT.get() {
            None => {}
            // Without the message of a panic: nothing is wrong.
            Some(0) => resume_unwind(Box::new(Cut)),
            Some(left) => LEFT.set(Some(left - 1)),
        }
    }

    /// Does `work` up to its change `after`; none when it was cut there.
    pub(in super::super) fn with<T>(after: usize, work: impl FnOnce() -> T) -> Option<T> {
        LEFT.set(Some(after));
        let done = catch_unwind(AssertUnwindSafe(work));
        LEFT.set(None);
        done.map_err(|thrown| {
            if !thrown.is::<Cut>() {
                resume_unwind(thrown);
            }
        })
        .ok()
    }
}
