//! Copies a program's output to ours for as long as somebody reads ours, and keeps the end of it.

use std::{
    io::{self, IsTerminal as _, PipeReader, PipeWriter, Read as _, Write},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        mpsc::{self, Receiver, RecvTimeoutError},
    },
    thread,
    time::Duration,
};

use streams::Stream;
use untrusted::Live;

/// How long a pipe may stay open and silent after its program ended: something it started may
/// hold it.
const GRACE: Duration = Duration::from_secs(1);

/// How much is copied at once.
const CHUNK: usize = 16 * 1024;

/// More than an ended program can have left to copy: a full pipe, 64 KiB on Linux, and what is
/// on its way.
const REST: usize = 64 * 1024 + 2 * CHUNK;

/// Bytes of the end that are kept: an engine that starts nothing says less.
const LONGEST: usize = 8 * 1024;

/// A copier at work.
#[derive(Debug)]
pub(crate) struct Pump {
    ended: Receiver<()>,
    progress: Arc<Mutex<Progress>>,
}

/// How far the copier is.
#[derive(Debug, Default)]
struct Progress {
    copied: usize,
    /// Whether it waits for our reader, and not for the program.
    writing: bool,
    /// The end of what was copied.
    tail: Vec<u8>,
}

impl Pump {
    /// Starts a copier to our own `stream`, of which a terminal is shown what is harmless.
    ///
    /// # Errors
    /// As [`Pump::start`].
    pub(crate) fn to(stream: Stream) -> io::Result<(PipeWriter, Self)> {
        let is_terminal = match stream {
            Stream::Out => io::stdout().is_terminal(),
            Stream::Err => io::stderr().is_terminal(),
        };
        match is_terminal {
            true => Self::start(Shown { live: Live::default(), stream }),
            false => Self::start(stream),
        }
    }

    /// Starts a copier to `to`. The program gets the writer: it is never told that our reader has
    /// gone, because it would end and take the benchmark with it.
    ///
    /// # Errors
    /// When the machine has no more pipes or threads.
    fn start(to: impl Write + Send + 'static) -> io::Result<(PipeWriter, Self)> {
        let (from, writer) = io::pipe()?;
        let (done, ended) = mpsc::channel();
        let progress = Arc::<Mutex<Progress>>::default();
        let ours = Arc::clone(&progress);
        thread::Builder::new().spawn(move || {
            copy(from, to, &ours);
            // The receiver is gone when nobody waits for the end.
            let _ = done.send(());
        })?;
        Ok((writer, Self { ended, progress }))
    }

    /// Waits until all that an ended program wrote is copied, for as long as our reader needs. The end
    /// of it.
    pub(crate) fn finish(self) -> String {
        self.finish_with(GRACE)
    }

    fn finish_with(self, grace: Duration) -> String {
        let first = locked(&self.progress).copied;
        let mut last = first;
        // Otherwise all is copied, or the copier panicked and nothing more will come.
        while self.ended.recv_timeout(grace) == Err(RecvTimeoutError::Timeout) {
            let progress = locked(&self.progress);
            let is_silent = !progress.writing && progress.copied == last;
            // More than the program can have left comes from somebody else.
            if is_silent || progress.copied - first > REST {
                break;
            }
            last = progress.copied;
        }
        String::from_utf8_lossy(&locked(&self.progress).tail).into_owned()
    }
}

/// A terminal, which obeys only colours of what a benchmark says.
struct Shown<W: Write> {
    live: Live,
    stream: W,
}

impl<W: Write> Write for Shown<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.write_all(&self.live.next(bytes))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

impl<W: Write> Drop for Shown<W> {
    fn drop(&mut self) {
        // A reader that is gone needs no end.
        let _ = self.stream.write_all(&self.live.end());
    }
}

fn copy(mut from: PipeReader, to: impl Write, progress: &Mutex<Progress>) {
    let mut to = Some(to);
    let mut buffer = [0; CHUNK];
    loop {
        let bytes = match from.read(&mut buffer) {
            Ok(0) => return,
            Ok(count) => &buffer[..count],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(_) => return,
        };
        locked(progress).begin(bytes);
        let written = to.as_mut().map(|to| to.write_all(bytes).and_then(|()| to.flush()));
        locked(progress).writing = false;
        if let Some(Err(_)) = written {
            to = None;
        }
    }
}

impl Progress {
    /// Notes that these are about to be written.
    fn begin(&mut self, bytes: &[u8]) {
        self.writing = true;
        self.copied += bytes.len();
        self.tail.extend_from_slice(bytes);
        let more = self.tail.len().saturating_sub(LONGEST);
        self.tail.drain(..more);
    }
}

fn locked(progress: &Mutex<Progress>) -> MutexGuard<'_, Progress> {
    progress.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::{
        io::{self, Read as _, Write},
        sync::{Arc, Mutex},
        thread,
        time::Duration,
    };

    use super::{LONGEST, Pump};

    const GRACE: Duration = Duration::from_millis(20);

    #[test]
    fn everything_arrives_and_a_lost_reader_is_not_told() {
        let (mut ours, to) = io::pipe().unwrap();
        let (mut program, pump) = Pump::start(to).unwrap();
        program.write_all(b"one").unwrap();
        drop(program);
        pump.finish();
        let mut text = String::new();
        ours.read_to_string(&mut text).unwrap();
        assert_eq!(text, "one");

        let (ours, to) = io::pipe().unwrap();
        drop(ours);
        let (mut program, pump) = Pump::start(to).unwrap();
        for _ in 0..1000 {
            program.write_all(&[b'x'; 1000]).unwrap();
        }
        drop(program);
        pump.finish();
    }

    #[test]
    fn end_is_kept() {
        let (mut program, pump) = Pump::start(io::sink()).unwrap();
        program.write_all(&vec![b'x'; 3 * LONGEST]).unwrap();
        program.write_all(b"the end").unwrap();
        drop(program);
        let tail = pump.finish();
        assert!(tail.len() == LONGEST && tail.ends_with("xthe end"), "{tail}");
    }

    /// A reader that takes several times as long for a chunk as a silent pipe may stay open.
    #[derive(Clone, Default)]
    struct Slow(Arc<Mutex<usize>>);

    impl Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            thread::sleep(5 * GRACE);
            *self.0.lock().unwrap() += bytes.len();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_slow_reader_gets_everything_before_the_end() {
        let slow = Slow::default();
        let (mut program, pump) = Pump::start(slow.clone()).unwrap();
        program.write_all(&[b'x'; 50_000]).unwrap();
        drop(program);
        pump.finish_with(GRACE);
        assert_eq!(*slow.0.lock().unwrap(), 50_000);
    }

    #[test]
    fn a_pipe_that_somebody_else_holds_is_given_up() {
        let (mut program, pump) = Pump::start(io::sink()).unwrap();
        let held = program.try_clone().unwrap();
        program.write_all(b"one").unwrap();
        drop(program);
        pump.finish_with(GRACE);
        drop(held);

        let (mut program, pump) = Pump::start(io::sink()).unwrap();
        let heard = Arc::new(());
        let listener = Arc::downgrade(&heard);
        let chatty = thread::spawn(move || {
            while listener.strong_count() > 0 {
                program.write_all(&[b'x'; 1000]).unwrap();
            }
        });
        pump.finish_with(GRACE);
        assert!(!chatty.is_finished());
        drop(heard);
        chatty.join().unwrap();
    }
}
