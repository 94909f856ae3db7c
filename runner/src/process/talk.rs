//! Talks to a child over its pipes: without threads, and never longer than wanted.

use std::{
    io::{self, PipeReader, PipeWriter, Read as _, Write as _},
    mem,
    os::fd::AsFd as _,
    process::Output,
    thread,
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::{Errno, ioctl_fionbio},
};

/// From one look at the time to the next.
const LOOK: Duration = Duration::from_millis(50);

/// How long a pipe may stay open and silent after the child's end: something it started holds it.
const SILENCE: Duration = Duration::from_secs(1);

/// More than any answer has.
const MOST_BYTES: usize = 64 << 20;

/// Our ends of a child's three pipes.
#[derive(Debug)]
pub(super) struct Talk {
    stdin: Option<PipeWriter>,
    said: [Said; 2],
}

/// The child's ends.
#[derive(Debug)]
pub(super) struct Streams {
    stdin: PipeReader,
    stdout: PipeWriter,
    stderr: PipeWriter,
}

impl Streams {
    /// The command with these as its streams.
    pub(super) fn connect(self, command: duct::Expression) -> duct::Expression {
        let Self { stdin, stdout, stderr } = self;
        command.stdin_file(stdin).stdout_file(stdout).stderr_file(stderr)
    }
}

impl Talk {
    /// Makes the pipes.
    pub(super) fn new() -> io::Result<(Self, Streams)> {
        let (stdin, to) = io::pipe()?;
        let ((out, stdout), (err, stderr)) = (io::pipe()?, io::pipe()?);
        for fd in [to.as_fd(), out.as_fd(), err.as_fd()] {
            ioctl_fionbio(fd, true)?;
        }
        let talk = Self { stdin: Some(to), said: [Said::of(out), Said::of(err)] };
        Ok((talk, Streams { stdin, stdout, stderr }))
    }

    /// Writes `input` to the child and reads what it says until it ends. None once `is_over` says so;
    /// the child then still runs.
    pub(super) fn until_end(
        &mut self,
        child: &duct::Handle,
        input: &[u8],
        is_over: &dyn Fn() -> bool,
    ) -> io::Result<Option<Output>> {
        let Self { stdin, said } = self;
        let mut rest = input;
        let mut silent_since = Instant::now();
        while said.iter().any(|said| said.is_open) {
            if rest.is_empty() {
                *stdin = None;
            }
            if is_over() {
                return Ok(None);
            }
            if wait(stdin, said)? {
                silent_since = Instant::now();
            } else if silent_since.elapsed() > SILENCE && child.try_wait()?.is_some() {
                break;
            }
            if let Some(to) = stdin {
                match to.write(rest) {
                    Ok(count) => rest = &rest[count..],
                    Err(error) if is_later(&error) => {}
                    // It reads no more.
                    Err(_) => rest = &[],
                }
            }
            for said in said.iter_mut() {
                said.read()?;
            }
        }
        *stdin = None;
        let status = loop {
            match child.try_wait()? {
                Some(output) => break output.status,
                None if is_over() => return Ok(None),
                None => thread::sleep(Duration::from_millis(1)),
            }
        };
        let [stdout, stderr] = said.each_mut().map(|said| mem::take(&mut said.bytes));
        Ok(Some(Output { status, stdout, stderr }))
    }
}

/// One of the child's two streams.
#[derive(Debug)]
struct Said {
    from: PipeReader,
    bytes: Vec<u8>,
    is_open: bool,
}

impl Said {
    const fn of(from: PipeReader) -> Self {
        Self { from, bytes: vec![], is_open: true }
    }

    /// Reads some of what is there.
    fn read(&mut self) -> io::Result<()> {
        let mut buffer = [0; 16 * 1024];
        match self.from.read(&mut buffer) {
            Ok(0) => self.is_open = false,
            Ok(count) => self.bytes.extend(&buffer[..count]),
            Err(error) if is_later(&error) => {}
            Err(error) => return Err(error),
        }
        if self.bytes.len() > MOST_BYTES {
            let what = format!("it says more than {} MiB", MOST_BYTES >> 20);
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, what));
        }
        Ok(())
    }
}

fn is_later(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}

/// Waits for a moment until one of the streams can be read or written; whether one can.
fn wait(stdin: &Option<PipeWriter>, said: &[Said; 2]) -> io::Result<bool> {
    let flags = PollFlags::IN | PollFlags::OUT;
    let said = said.iter().filter(|said| said.is_open).map(|said| said.from.as_fd());
    let fds = stdin.iter().map(PipeWriter::as_fd).chain(said);
    let mut fds: Vec<_> = fds.map(|fd| PollFd::from_borrowed_fd(fd, flags)).collect();
    let pause = Timespec { tv_sec: 0, tv_nsec: LOOK.subsec_nanos().into() };
    match poll(&mut fds, Some(&pause)) {
        Ok(ready) => Ok(ready > 0),
        Err(Errno::INTR) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::Talk;

    fn shell(script: &str, input: &[u8], patience: Duration) -> Option<(String, i32)> {
        let (mut talk, streams) = Talk::new().unwrap();
        let command = streams.connect(duct::cmd!("sh", "-c", script)).unchecked();
        let child = command.start().unwrap();
        drop(command);
        let end = Instant::now() + patience;
        let output = talk.until_end(&child, input, &|| Instant::now() > end).unwrap();
        if output.is_none() {
            child.kill().unwrap();
        }
        output.map(|output| {
            let said = [output.stdout, output.stderr].concat();
            (String::from_utf8(said).unwrap(), output.status.code().unwrap())
        })
    }

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn it_hears_both_streams_and_the_code() {
        assert_eq!(shell("cat; echo b >&2; exit 3", b"a\n", LONG), Some(("a\nb\n".into(), 3)));
        let much = vec![b'x'; 1 << 20];
        assert_eq!(shell("cat", &much, LONG).unwrap().0.len(), much.len());
        assert_eq!(shell("exec <&-; echo a", &much, LONG), Some(("a\n".into(), 0)));
    }

    #[test]
    fn it_gives_up_in_time() {
        assert_eq!(shell("sleep 600", b"", Duration::from_millis(100)), None);
        let closed = "exec >&- 2>&-; sleep 600";
        assert_eq!(shell(closed, b"", Duration::from_millis(100)), None);
    }

    #[test]
    fn what_a_child_left_running_does_not_keep_it() {
        assert_eq!(shell("sleep 600 & echo a", b"", LONG), Some(("a\n".into(), 0)));
    }
}
