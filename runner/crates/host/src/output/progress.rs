//! Progress of long work: one line on a terminal that overwrites itself.

use std::{
    io::{self, IsTerminal as _, Write},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use streams::Stream;

use crate::output::units;

/// Shorter work shows no progress.
const QUIET: Duration = Duration::from_secs(1);
/// Shortest time between two updates.
const PAUSE: Duration = Duration::from_millis(100);

/// Counts bytes and shows them until it is dropped. Drop it before printing anything else.
#[derive(Debug)]
pub struct Progress {
    doing: &'static str,
    began: Instant,
    done: AtomicU64,
    total: AtomicU64,
    line: Option<Mutex<Line<Stream>>>,
}

impl Progress {
    /// Starts to count. The line begins with `doing`, and is shown on a terminal only.
    pub fn on_terminal(doing: &'static str) -> Self {
        let line = io::stderr().is_terminal().then(|| Mutex::new(Line::new(Stream::Err)));
        Self::new(doing, line)
    }

    /// Counts without a line.
    #[cfg(any(test, feature = "testing"))]
    pub fn hidden() -> Self {
        Self::new("", None)
    }

    fn new(doing: &'static str, line: Option<Mutex<Line<Stream>>>) -> Self {
        let (done, total) = (AtomicU64::new(0), AtomicU64::new(0));
        Self { doing, began: Instant::now(), done, total, line }
    }

    /// Adds to the total.
    pub fn expect(&self, bytes: u64) {
        self.total.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Adds to the bytes that are done.
    pub fn add(&self, bytes: u64) {
        let done = self.done.fetch_add(bytes, Ordering::Relaxed) + bytes;
        let Some(line) = &self.line else { return };
        // Another thread is writing the line right now.
        let Ok(mut line) = line.try_lock() else { return };
        let elapsed = self.began.elapsed();
        line.show(elapsed, || {
            describe(self.doing, done, self.total.load(Ordering::Relaxed), elapsed)
        });
    }

    /// Bytes that are done.
    #[cfg(any(test, feature = "testing"))]
    pub fn done(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(line) = &mut self.line {
            line.get_mut().unwrap_or_else(PoisonError::into_inner).replace("");
        }
    }
}

/// `checking: 1.20 GB of 3.40 GB, 1.10 GB/s`.
fn describe(doing: &str, done: u64, total: u64, elapsed: Duration) -> String {
    let rate = (done as f64 / elapsed.as_secs_f64().max(f64::EPSILON)) as u64;
    // A file may have grown since it was added to the total.
    let [done, total, rate] = [done, total.max(done), rate].map(units::bytes);
    format!("{doing}: {done} of {total}, {rate}/s")
}

/// A line of a terminal.
#[derive(Debug)]
struct Line<W> {
    out: W,
    /// Width in columns.
    width: usize,
    /// Time of the next update.
    due: Duration,
}

impl<W: Write> Line<W> {
    fn new(out: W) -> Self {
        Self { out, width: 0, due: QUIET }
    }

    /// Shows `text` if an update is due.
    fn show(&mut self, elapsed: Duration, text: impl FnOnce() -> String) {
        if elapsed >= self.due {
            self.due = elapsed + PAUSE;
            self.replace(&text());
        }
    }

    /// Overwrites the line, with blanks, which work on any terminal.
    fn replace(&mut self, text: &str) {
        if text.is_empty() && self.width == 0 {
            return;
        }
        let width = text.chars().count();
        let blanks = " ".repeat(self.width.saturating_sub(width));
        let back = if blanks.is_empty() { String::new() } else { format!("{blanks}\r{text}") };
        // One write, so that no other output comes between. A lost terminal does not stop the work.
        let _ = self.out.write_all(format!("\r{text}{back}").as_bytes());
        let _ = self.out.flush();
        self.width = width;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Line, Progress, describe};

    #[test]
    fn line_shows_bytes_and_rate() {
        let of = |done, total, ms| describe("checking", done, total, Duration::from_millis(ms));
        assert_eq!(
            of(1_200_000_000, 3_400_000_000, 1500),
            "checking: 1.20 GB of 3.40 GB, 800 MB/s"
        );
        assert_eq!(of(20, 10, 2000), "checking: 20 B of 20 B, 10 B/s");
        assert_eq!(of(0, 0, 0), "checking: 0 B of 0 B, 0 B/s");
    }

    #[test]
    fn line_appears_after_a_second_and_is_updated_ten_times_a_second() {
        let mut line = Line::new(Vec::new());
        for (ms, text) in [(999, "early"), (1000, "first"), (1099, "no"), (1100, "2nd")] {
            line.show(Duration::from_millis(ms), || text.to_owned());
        }
        assert_eq!(String::from_utf8_lossy(&line.out), "\rfirst\r2nd  \r2nd");
        line.out.clear();
        line.replace("");
        line.replace("");
        assert_eq!(String::from_utf8_lossy(&line.out), "\r   \r");
    }

    #[test]
    fn bytes_of_many_threads_add_up() {
        let progress = Progress::hidden();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..1000).for_each(|bytes| progress.add(bytes)));
            }
        });
        assert_eq!(progress.done(), 4 * 499_500);
    }
}
