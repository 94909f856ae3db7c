//! Runs a program as a child: its streams are copied, ends are passed on, nothing is left behind.

use std::{
    fs::File,
    io::{self, PipeWriter, Read as _, Write},
    os::unix::process::CommandExt,
    process::{Command, Stdio},
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{self, Receiver, Sender},
    },
    thread,
    time::{Duration, Instant},
};

use contract::exit;
use rustix::{
    io::Errno,
    process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid},
};

use crate::{failure::say, watch::Event};

/// How long a program may take to end when it is asked to.
pub(crate) const GRACE: Duration = Duration::from_secs(5);

/// How long a stream may stay open after its program ended, where something it started holds it or
/// nobody reads what it wrote, and how long readers have once the program is to end.
const STREAM_GRACE: Duration = Duration::from_secs(1);

/// How a program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// Its exit code, 128+n for a signal.
    pub(crate) code: u8,
    /// The first event that made us end it.
    pub(crate) cause: Option<Event>,
}

/// Where a program's output goes.
#[derive(Debug)]
pub(crate) struct Sinks<O, E> {
    /// Its standard output.
    pub(crate) out: O,
    /// Its standard error.
    pub(crate) err: E,
    /// Both, if they are kept.
    pub(crate) log: Option<File>,
}

/// Runs `command` to its end. `events` come in through the other end of `sender`.
pub(crate) fn supervise<O, E>(
    mut command: Command,
    sinks: Sinks<O, E>,
    sender: &Sender<Event>,
    events: &Receiver<Event>,
    grace: Duration,
) -> io::Result<Outcome>
where
    O: Write + Send + 'static,
    E: Write + Send + 'static,
{
    let log = Arc::new(Mutex::new(sinks.log));
    // First the threads: where the limit of processes is reached, nothing is left running.
    let stdout = copy(sinks.out, Arc::clone(&log), sender.clone())?;
    let stderr = copy(sinks.err, log, sender.clone())?;
    let (started, child) = mpsc::channel();
    report_end(child, sender.clone())?;
    let mut child =
        command.stdin(Stdio::null()).stdout(stdout).stderr(stderr).process_group(0).spawn()?;
    // It would keep the streams open.
    drop(command);
    let group = Pid::from_child(&child);
    // The thread waits for it.
    let _ = started.send(group);

    let mut life = Life { group, grace, cause: None, kill_at: None, open_streams: 2 };
    life.until_end(events);
    // The group's leader is not waited for yet, so its number still means this group.
    life.until_streams_close(events);
    life.kill(Signal::KILL);
    life.until_streams_close(events);
    let code = exit::of_status(child.wait()?);
    Ok(Outcome { code, cause: life.cause })
}

/// A child from its start to its end.
struct Life {
    group: Pid,
    grace: Duration,
    cause: Option<Event>,
    kill_at: Option<Instant>,
    open_streams: u8,
}

impl Life {
    fn until_end(&mut self, events: &Receiver<Event>) {
        loop {
            match next(events, self.kill_at) {
                Some(Event::Ended) => break,
                Some(Event::StreamClosed) => self.open_streams -= 1,
                Some(cause @ (Event::Asked | Event::SupervisorGone)) => {
                    self.cause.get_or_insert(cause);
                    streams::hurry(Instant::now() + STREAM_GRACE);
                    self.kill_at.get_or_insert_with(|| Instant::now() + self.grace);
                    self.kill(Signal::TERM);
                }
                None => {
                    self.kill(Signal::KILL);
                    self.kill_at = None;
                }
            }
        }
    }

    fn until_streams_close(&mut self, events: &Receiver<Event>) {
        let deadline = Instant::now() + STREAM_GRACE;
        streams::hurry(deadline);
        while self.open_streams > 0 {
            match next(events, Some(deadline)) {
                Some(Event::StreamClosed) => self.open_streams -= 1,
                Some(_) => {}
                None => break,
            }
        }
    }

    fn kill(&self, signal: Signal) {
        // It may be gone already, which is as good.
        let _ = kill_process_group(self.group, signal);
    }
}

/// The next event, or nothing when `deadline` comes first.
fn next(events: &Receiver<Event>, deadline: Option<Instant>) -> Option<Event> {
    match deadline {
        None => events.recv().ok(),
        Some(deadline) => {
            events.recv_timeout(deadline.saturating_duration_since(Instant::now())).ok()
        }
    }
}

/// Reports the end of the child that is sent, without taking its exit status, which would free its
/// number.
fn report_end(child: Receiver<Pid>, events: Sender<Event>) -> io::Result<()> {
    thread::Builder::new().spawn(move || {
        let Ok(child) = child.recv() else { return };
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        while matches!(waitid(WaitId::Pid(child), options), Err(Errno::INTR)) {}
        let _ = events.send(Event::Ended);
    })?;
    Ok(())
}

/// Copies what is written to the returned pipe to `log` and to `to` until it is closed. A target
/// that fails is left out from then on: the program must not stall because nobody reads it.
fn copy(
    to: impl Write + Send + 'static,
    log: Arc<Mutex<Option<File>>>,
    events: Sender<Event>,
) -> io::Result<PipeWriter> {
    let (mut from, writer) = io::pipe()?;
    thread::Builder::new().spawn(move || {
        let mut to = Some(to);
        let mut buffer = [0; 8192];
        loop {
            let read = match from.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => &buffer[..read],
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(_) => break,
            };
            // The log does not wait for the reader.
            let cut = write_or_drop(&mut *log.lock().unwrap_or_else(PoisonError::into_inner), read);
            if let Some(error) = cut {
                say(&format!("warning: the log is cut off here: {error}"));
            }
            write_or_drop(&mut to, read);
        }
        let _ = events.send(Event::StreamClosed);
    })?;
    Ok(writer)
}

fn write_or_drop(to: &mut Option<impl Write>, bytes: &[u8]) -> Option<io::Error> {
    let target = to.as_mut()?;
    let error = target.write_all(bytes).and_then(|()| target.flush()).err()?;
    *to = None;
    Some(error)
}

#[cfg(test)]
mod tests {
    use std::{
        fs::{self, File},
        io::{self, PipeReader, Read},
        process::Command,
        sync::mpsc::{self, Sender},
        thread,
        time::{Duration, Instant},
    };

    use super::{Outcome, Sinks, supervise};
    use crate::watch::Event;

    /// Long enough for any machine, short enough for a test that hangs.
    const PATIENCE: Duration = Duration::from_secs(60);

    struct Seen {
        outcome: Outcome,
        out: String,
        err: String,
        log: String,
    }

    /// Supervises a shell script. `meanwhile` may read its output and send events.
    fn shell(
        script: &str,
        grace: Duration,
        meanwhile: impl FnOnce(&mut PipeReader, Sender<Event>),
    ) -> Seen {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let (mut out, out_writer) = io::pipe().unwrap();
        let (mut err, err_writer) = io::pipe().unwrap();
        let sinks =
            Sinks { out: out_writer, err: err_writer, log: Some(File::create(&log).unwrap()) };
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]);
        let (sender, events) = mpsc::channel();
        let outside = sender.clone();
        let supervisor =
            thread::spawn(move || supervise(command, sinks, &sender, &events, grace).unwrap());
        meanwhile(&mut out, outside);
        let outcome = supervisor.join().unwrap();
        let mut seen = Seen { outcome, out: String::new(), err: String::new(), log: String::new() };
        out.read_to_string(&mut seen.out).unwrap();
        err.read_to_string(&mut seen.err).unwrap();
        seen.log = fs::read_to_string(log).unwrap();
        seen
    }

    /// Waits until the script has printed a line.
    fn line(out: &mut PipeReader) -> String {
        let mut line = Vec::new();
        let mut byte = [0];
        while out.read(&mut byte).unwrap() == 1 && byte[0] != b'\n' {
            line.push(byte[0]);
        }
        String::from_utf8(line).unwrap()
    }

    fn is_alive(pid: &str) -> bool {
        // A zombie that nobody has waited for yet is dead.
        let stat = fs::read_to_string(format!("/proc/{pid}/stat"));
        stat.is_ok_and(|stat| !stat.contains(") Z "))
    }

    fn assert_dies(pid: &str) {
        let deadline = Instant::now() + PATIENCE;
        while is_alive(pid) {
            assert!(Instant::now() < deadline, "process {pid} lives on");
            thread::sleep(Duration::from_millis(5));
        }
    }

    #[test]
    fn streams_go_to_their_places_and_the_code_passes_through() {
        let seen = shell("echo one; echo two >&2; exit 7", PATIENCE, |_, _| {});
        assert_eq!(seen.outcome, Outcome { code: 7, cause: None });
        assert_eq!((seen.out.as_str(), seen.err.as_str()), ("one\n", "two\n"));
        assert!(seen.log.contains("one\n") && seen.log.contains("two\n"), "{}", seen.log);
    }

    #[test]
    fn the_program_has_no_input() {
        assert_eq!(shell("read -r line; echo $?", PATIENCE, |_, _| {}).out, "1\n");
    }

    #[test]
    fn a_program_killed_by_a_signal_gives_128_and_its_number() {
        assert_eq!(shell("kill -SEGV $$", PATIENCE, |_, _| {}).outcome.code, 139);
    }

    #[test]
    fn a_request_to_end_reaches_the_whole_group() {
        let mut pid = String::new();
        let seen = shell("sleep 600 & echo $!; wait", PATIENCE, |out, events| {
            pid = line(out);
            events.send(Event::Asked).unwrap();
        });
        assert_eq!(seen.outcome, Outcome { code: 143, cause: Some(Event::Asked) });
        assert_dies(&pid);
    }

    #[test]
    fn a_program_may_end_in_its_own_way() {
        let script = "trap 'echo bye; exit 3' TERM; echo ready; sleep 600 & wait";
        let seen = shell(script, PATIENCE, |out, events| {
            line(out);
            events.send(Event::Asked).unwrap();
        });
        assert_eq!((seen.outcome.code, seen.out.as_str()), (3, "bye\n"));
    }

    #[test]
    fn a_program_that_will_not_end_is_killed() {
        let grace = Duration::from_millis(50);
        let script = "trap '' TERM; echo ready; while :; do sleep 600; done";
        let seen = shell(script, grace, |out, events| {
            line(out);
            events.send(Event::SupervisorGone).unwrap();
        });
        assert_eq!(seen.outcome, Outcome { code: 137, cause: Some(Event::SupervisorGone) });
    }

    #[test]
    fn what_a_program_leaves_running_is_ended() {
        let seen = shell("sleep 600 >/dev/null 2>&1 & echo $!", PATIENCE, |_, _| {});
        assert_eq!(seen.outcome.code, 0);
        assert_dies(seen.out.trim());
    }

    #[test]
    fn a_reader_that_is_gone_does_not_stop_the_program() {
        let (reader, out) = io::pipe().unwrap();
        drop(reader);
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let sinks = Sinks { out, err: io::sink(), log: Some(File::create(&log).unwrap()) };
        let mut command = Command::new("/bin/sh");
        command.args(["-c", "echo one; echo two; exit 4"]);
        let (sender, events) = mpsc::channel();
        let outcome = supervise(command, sinks, &sender, &events, PATIENCE).unwrap();
        assert_eq!(outcome.code, 4);
        assert_eq!(fs::read_to_string(log).unwrap(), "one\ntwo\n");
    }
}
