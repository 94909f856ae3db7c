//! The last words of a program, kept while they are passed on.

use std::{
    io::{self, Write},
    sync::{Arc, Mutex, PoisonError},
};

/// Bytes that are kept: an engine that starts nothing says less.
const LONGEST: usize = 8 * 1024;

/// What was kept, for whoever asks at the end.
#[derive(Debug, Clone, Default)]
pub(super) struct Kept(Arc<Mutex<Vec<u8>>>);

impl Kept {
    /// The words.
    pub(super) fn text(&self) -> String {
        let bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&bytes).into_owned()
    }

    fn add(&self, bytes: &[u8]) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.extend_from_slice(&bytes[bytes.len().saturating_sub(LONGEST)..]);
        let more = kept.len().saturating_sub(LONGEST);
        kept.drain(..more);
    }
}

/// Passes everything on, and keeps the end of it.
#[derive(Debug)]
pub(super) struct Keeping<W> {
    /// Where it goes.
    pub(super) to: W,
    /// What is kept.
    pub(super) kept: Kept,
}

impl<W: Write> Write for Keeping<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.to.write(bytes)?;
        self.kept.add(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::{Keeping, Kept, LONGEST};

    #[test]
    fn the_end_is_kept_and_all_is_passed_on() {
        let kept = Kept::default();
        let mut keeping = Keeping { to: vec![], kept: kept.clone() };
        keeping.write_all(&vec![b'x'; 3 * LONGEST]).unwrap();
        keeping.write_all(b"the end").unwrap();
        assert_eq!(keeping.to.len(), 3 * LONGEST + 7);
        let text = kept.text();
        assert!(text.len() == LONGEST && text.ends_with("xthe end"), "{text}");
    }
}
