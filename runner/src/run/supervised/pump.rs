//! Copies a program's output to this process's output while that has a reader, and keeps the last bytes.

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
use untrusted::TerminalFilter;

/// Time after which a silent pipe of an ended program is given up. A process that it started may hold
/// the pipe open.
const GRACE: Duration = Duration::from_secs(1);

/// Bytes that are copied at once.
const CHUNK: usize = 16 * 1024;

/// Upper bound of the bytes that an ended program can have left: a full pipe, 64 KiB on Linux, and the
/// buffers.
const REST: usize = 64 * 1024 + 2 * CHUNK;

/// Bytes of the end that are kept, more than the error message of an engine.
const TAIL: usize = 8 * 1024;

/// A running copier.
#[derive(Debug)]
pub(crate) struct Pump {
    ended: Receiver<()>,
    progress: Arc<Mutex<Progress>>,
}

/// Progress of a copier.
#[derive(Debug, Default)]
struct Progress {
    copied: usize,
    /// Whether the copier waits for the reader of this process's output, and not for the program.
    writing: bool,
    /// The last bytes that were copied.
    tail: Vec<u8>,
}

impl Pump {
    /// Starts a copier to this process's `stream`. Output to a terminal is filtered.
    ///
    /// # Errors
    /// As [`Pump::start`].
    pub(crate) fn to(stream: Stream) -> io::Result<(PipeWriter, Self)> {
        let is_terminal = match stream {
            Stream::Out => io::stdout().is_terminal(),
            Stream::Err => io::stderr().is_terminal(),
        };
        match is_terminal {
            true => Self::start(Terminal { filter: TerminalFilter::default(), stream }),
            false => Self::start(stream),
        }
    }

    /// Starts a copier to `to`, and returns the writer for the program. The writer stays open when the
    /// reader is gone: SIGPIPE would end the program and the benchmark.
    ///
    /// # Errors
    /// When no pipe or thread can be created.
    fn start(to: impl Write + Send + 'static) -> io::Result<(PipeWriter, Self)> {
        let (from, writer) = io::pipe()?;
        let (done, ended) = mpsc::channel();
        let progress = Arc::<Mutex<Progress>>::default();
        let ours = Arc::clone(&progress);
        thread::Builder::new().spawn(move || {
            copy(from, to, &ours);
            // The receiver is gone when the end is not waited for.
            let _ = done.send(());
        })?;
        Ok((writer, Self { ended, progress }))
    }

    /// Waits until the output of an ended program is copied, for as long as the reader needs. Returns
    /// its last bytes.
    pub(crate) fn finish(self) -> String {
        self.finish_with(GRACE)
    }

    fn finish_with(self, grace: Duration) -> String {
        let first = locked(&self.progress).copied;
        let mut last = first;
        // A disconnected channel means that all is copied, or that the copier panicked.
        while self.ended.recv_timeout(grace) == Err(RecvTimeoutError::Timeout) {
            let progress = locked(&self.progress);
            let is_silent = !progress.writing && progress.copied == last;
            // More bytes than the program can have left come from another process.
            if is_silent || progress.copied - first > REST {
                break;
            }
            last = progress.copied;
        }
        String::from_utf8_lossy(&locked(&self.progress).tail).into_owned()
    }
}

/// A terminal that gets only text and colours of the output, and no other escape sequences.
struct Terminal<W: Write> {
    filter: TerminalFilter,
    stream: W,
}

impl<W: Write> Write for Terminal<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.write_all(&self.filter.next(bytes))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

impl<W: Write> Drop for Terminal<W> {
    fn drop(&mut self) {
        // The reader may be gone.
        let _ = self.stream.write_all(&self.filter.end());
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
    /// Records bytes that are about to be written.
    fn begin(&mut self, bytes: &[u8]) {
        self.writing = true;
        self.copied += bytes.len();
        self.tail.extend_from_slice(bytes);
        let more = self.tail.len().saturating_sub(TAIL);
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

    use super::{Pump, TAIL};

    const GRACE: Duration = Duration::from_millis(20);

    #[test]
    fn output_is_copied_and_program_survives_a_lost_reader() {
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
    fn end_of_the_output_is_kept() {
        let (mut program, pump) = Pump::start(io::sink()).unwrap();
        program.write_all(&vec![b'x'; 3 * TAIL]).unwrap();
        program.write_all(b"the end").unwrap();
        drop(program);
        let tail = pump.finish();
        assert!(tail.len() == TAIL && tail.ends_with("xthe end"), "{tail}");
    }

    /// A reader that needs five times the grace period for a chunk.
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
    fn slow_reader_gets_all_output() {
        let slow = Slow::default();
        let (mut program, pump) = Pump::start(slow.clone()).unwrap();
        program.write_all(&[b'x'; 50_000]).unwrap();
        drop(program);
        pump.finish_with(GRACE);
        assert_eq!(*slow.0.lock().unwrap(), 50_000);
    }

    #[test]
    fn pipe_that_another_process_holds_is_given_up() {
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
