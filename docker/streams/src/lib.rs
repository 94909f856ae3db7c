//! Standard output and standard error of this process, with a timeout for readers.
//!
//! A terminal may be stopped, or a pipe full because its reader sleeps. A run waits for such a
//! reader until it is asked to end. From then on, [`hurry`] sets a deadline. No lock is held while
//! waiting, so a blocked thread does not keep others from writing.

use std::{
    fs::File,
    io::{self, Write},
    os::fd::{AsFd as _, BorrowedFd},
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fs::{FileType, Mode, OFlags, fstat, open},
    io::Errno,
    net::{SendFlags, send},
};

/// Bytes that a writable pipe accepts at once.
const PIPE_BUF: usize = 4096;

/// Interval at which a waiting writer checks for a deadline.
const LOOK: Duration = Duration::from_millis(100);

/// Time at which writers stop waiting for readers.
static DEADLINE: Mutex<Option<Instant>> = Mutex::new(None);

/// The flag that asks this process to end, and the time that readers have then.
static STOP: OnceLock<(Arc<AtomicBool>, Duration)> = OnceLock::new();

/// Sets the deadline of readers. A later one than before has no effect.
pub fn hurry(deadline: Instant) {
    let mut known = DEADLINE.lock().unwrap_or_else(PoisonError::into_inner);
    *known = Some(known.map_or(deadline, |known| known.min(deadline)));
}

/// Sets the deadline to `patience` after `stop` is set, as by a signal.
pub fn hurry_when(stop: Arc<AtomicBool>, patience: Duration) {
    // A second flag is ignored.
    let _ = STOP.set((stop, patience));
}

fn deadline() -> Option<Instant> {
    if let Some((stop, patience)) = STOP.get()
        && stop.load(Ordering::SeqCst)
    {
        // A deadline only becomes earlier, so the first call counts.
        hurry(Instant::now() + *patience);
    }
    *DEADLINE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An output stream of this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

impl Stream {
    /// Writes `bytes`, and waits at most `patience` for the reader.
    ///
    /// # Errors
    /// [`TimedOut`](io::ErrorKind::TimedOut) when the reader did not read in time, and as `write(2)`.
    pub fn write_within(self, bytes: &[u8], patience: Duration) -> io::Result<()> {
        self.write_until(bytes, Some(Instant::now() + patience))
    }

    fn write_until(self, bytes: &[u8], latest: Option<Instant>) -> io::Result<()> {
        let (out, err) = (io::stdout(), io::stderr());
        let inherited = match self {
            Self::Out => out.as_fd(),
            Self::Err => err.as_fd(),
        };
        match self.reopened(inherited) {
            Some(file) => write_to(file.as_fd(), bytes, latest),
            None => write_to(inherited, bytes, latest),
        }
    }

    /// The stream opened a second time as non-blocking, if possible: another process may fill it
    /// between the check and the write.
    fn reopened(self, inherited: BorrowedFd<'_>) -> Option<&'static File> {
        static OUT: OnceLock<Option<File>> = OnceLock::new();
        static ERR: OnceLock<Option<File>> = OnceLock::new();
        let (once, name) = match self {
            Self::Out => (&OUT, "/proc/self/fd/1"),
            Self::Err => (&ERR, "/proc/self/fd/2"),
        };
        once.get_or_init(|| {
            let kind = FileType::from_raw_mode(fstat(inherited).ok()?.st_mode);
            if !matches!(kind, FileType::Fifo | FileType::CharacterDevice) {
                return None;
            }
            let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
            open(name, flags, Mode::empty()).ok().map(File::from)
        })
        .as_ref()
    }
}

impl Write for Stream {
    /// Writes all bytes, or fails at the deadline of [`hurry`].
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_until(bytes, None).map(|()| bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes all `bytes`. Waits for the reader until `latest` or the deadline of [`hurry`].
fn write_to(fd: BorrowedFd<'_>, bytes: &[u8], latest: Option<Instant>) -> io::Result<()> {
    let is_socket =
        fstat(fd).is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Socket);
    let mut rest = bytes;
    while !rest.is_empty() {
        wait_for_reader(fd, latest)?;
        let part = &rest[..rest.len().min(PIPE_BUF)];
        let written = match is_socket {
            true => send(fd, part, SendFlags::DONTWAIT | SendFlags::NOSIGNAL),
            false => rustix::io::write(fd, part),
        };
        match written {
            Ok(count) => rest = &rest[count..],
            // Another process filled it meanwhile.
            Err(Errno::AGAIN) => thread::sleep(Duration::from_millis(5)),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

fn wait_for_reader(fd: BorrowedFd<'_>, latest: Option<Instant>) -> io::Result<()> {
    loop {
        let end = latest.into_iter().chain(deadline()).min();
        let left = end.map(|end| end.saturating_duration_since(Instant::now()));
        let pause = left.map_or(LOOK, |left| left.min(LOOK));
        let pause = Timespec { tv_sec: 0, tv_nsec: pause.subsec_nanos().into() };
        // The write itself fails if the reader is gone or the stream cannot be polled.
        match poll(&mut [PollFd::from_borrowed_fd(fd, PollFlags::OUT)], Some(&pause)) {
            Ok(0) if left == Some(Duration::ZERO) => return Err(io::ErrorKind::TimedOut.into()),
            Ok(0) | Err(Errno::INTR) => {}
            Ok(_) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::{self, Read as _},
        os::{fd::AsFd as _, unix::net::UnixStream},
        thread,
        time::{Duration, Instant},
    };

    use super::write_to;

    /// More than any pipe or socket holds.
    const MUCH: usize = 4 << 20;

    #[test]
    fn write_to_a_reader_that_never_reads_times_out() {
        let (_reader, pipe) = io::pipe().unwrap();
        let (_other, socket) = UnixStream::pair().unwrap();
        for fd in [pipe.as_fd(), socket.as_fd()] {
            for _ in 0..2 {
                let latest = Instant::now() + Duration::from_millis(50);
                let error = write_to(fd, &[b'x'; MUCH], Some(latest)).unwrap_err();
                assert_eq!(error.kind(), io::ErrorKind::TimedOut);
            }
        }
    }

    #[test]
    fn slow_reader_gets_all_bytes() {
        let (mut reader, pipe) = io::pipe().unwrap();
        let reading = thread::spawn(move || {
            let (mut count, mut buffer) = (0, vec![0; 64 * 1024]);
            while let Ok(read @ 1..) = reader.read(&mut buffer) {
                count += read;
                thread::sleep(Duration::from_millis(1));
            }
            count
        });
        write_to(pipe.as_fd(), &[b'x'; MUCH], None).unwrap();
        drop(pipe);
        assert_eq!(reading.join().unwrap(), MUCH);
    }

    #[test]
    fn closed_reader_is_a_broken_pipe() {
        let (reader, pipe) = io::pipe().unwrap();
        drop(reader);
        let error = write_to(pipe.as_fd(), b"x", None).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    }
}
