//! Talks to a child over its pipes: without threads, and never longer than wanted.

use std::{
    io::{self, Read, Write as _},
    os::fd::{AsFd, BorrowedFd},
    process::{Child, Output},
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

/// Writes `input` to the child and reads what it says until it ends. None once `is_over` says so;
/// the child then still runs.
pub(super) fn talk(
    child: &mut Child,
    input: &[u8],
    is_over: &dyn Fn() -> bool,
) -> io::Result<Option<Output>> {
    let mut stdin = child.stdin.take();
    let mut said = [child.stdout.take().map(Said::of), child.stderr.take().map(Said::of)];
    for fd in fds(&stdin, &said) {
        ioctl_fionbio(fd, true)?;
    }
    let mut rest = input;
    let mut silent_since = Instant::now();
    while said.iter().flatten().any(|said| said.is_open) {
        if is_over() {
            return Ok(None);
        }
        if wait(&stdin, &said)? {
            silent_since = Instant::now();
        } else if silent_since.elapsed() > SILENCE && child.try_wait()?.is_some() {
            break;
        }
        if let Some(to) = &mut stdin {
            match to.write(rest) {
                Ok(count) => rest = &rest[count..],
                Err(error) if is_later(&error) => {}
                // It reads no more.
                Err(_) => rest = &[],
            }
        }
        if rest.is_empty() {
            stdin = None;
        }
        for said in said.iter_mut().flatten() {
            said.read()?;
        }
    }
    drop(stdin);
    let status = loop {
        match child.try_wait()? {
            Some(status) => break status,
            None if is_over() => return Ok(None),
            None => thread::sleep(Duration::from_millis(1)),
        }
    };
    let [stdout, stderr] = said.map(|said| said.map(|said| said.bytes).unwrap_or_default());
    Ok(Some(Output { status, stdout, stderr }))
}

/// One of the child's two streams.
struct Said {
    from: Box<dyn Stream>,
    bytes: Vec<u8>,
    is_open: bool,
}

trait Stream: Read + AsFd {}
impl<T: Read + AsFd> Stream for T {}

impl Said {
    fn of(from: impl Stream + 'static) -> Self {
        Self { from: Box::new(from), bytes: vec![], is_open: true }
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

fn fds<'a>(stdin: &'a Option<impl AsFd>, said: &'a [Option<Said>; 2]) -> Vec<BorrowedFd<'a>> {
    let said = said.iter().flatten().filter(|said| said.is_open).map(|said| said.from.as_fd());
    stdin.iter().map(AsFd::as_fd).chain(said).collect()
}

/// Waits for a moment until one of the streams can be read or written; whether one can.
fn wait(stdin: &Option<impl AsFd>, said: &[Option<Said>; 2]) -> io::Result<bool> {
    let flags = PollFlags::IN | PollFlags::OUT;
    let mut fds: Vec<_> =
        fds(stdin, said).into_iter().map(|fd| PollFd::from_borrowed_fd(fd, flags)).collect();
    let pause = Timespec { tv_sec: 0, tv_nsec: LOOK.subsec_nanos().into() };
    match poll(&mut fds, Some(&pause)) {
        Ok(ready) => Ok(ready > 0),
        Err(Errno::INTR) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::{
        process::{Command, Stdio},
        time::{Duration, Instant},
    };

    use super::talk;

    fn shell(script: &str, input: &[u8], patience: Duration) -> Option<(String, i32)> {
        let mut command = Command::new("sh");
        command.args(["-c", script]).stdin(Stdio::piped());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let end = Instant::now() + patience;
        let output = talk(&mut child, input, &|| Instant::now() > end).unwrap();
        if output.is_none() {
            child.kill().unwrap();
            child.wait().unwrap();
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
