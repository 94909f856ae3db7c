//! Output to full pipes and to terminals.

use std::{
    fs,
    io::{self, PipeReader, PipeWriter, Read as _, Write as _},
    os::fd::OwnedFd,
    process::{Child, ExitStatus, Stdio},
    time::Duration,
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fs::{OFlags, fcntl_setfl},
    process::{Pid, Signal, kill_process},
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
};

use super::Fake;
use crate::{
    fake_runs::GOOD,
    harness::{FakeDocker, Sandbox, aienergyscore},
    waiting::{holds_within, until, until_it_sleeps_with_a_handler},
};

/// The time in which a stopped program must end, on a loaded machine.
const GRACE: Duration = Duration::from_secs(20);

/// A benchmark that says more than any pipe holds, on both streams, and ends with its input.
const CHATTY: &str = r#"
  yes out & one=$!
  yes err >&2 & two=$!
  : >"$RESULTS/benchmark.log"
  cat >/dev/null
  kill $one $two
  exit 143
"#;

/// A pipe that is full, with a reader that does not read.
fn full() -> (PipeReader, PipeWriter) {
    let (reader, mut writer) = io::pipe().unwrap();
    fcntl_setfl(&writer, OFlags::NONBLOCK).unwrap();
    while writer.write(&[b'x'; 4096]).is_ok() {}
    fcntl_setfl(&writer, OFlags::empty()).unwrap();
    (reader, writer)
}

/// Whether a pipe takes no more bytes.
fn is_full(writer: &PipeWriter) -> bool {
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    poll(&mut [PollFd::new(writer, PollFlags::OUT)], Some(&now)).unwrap() == 0
}

/// The exit status of a program that must end in time.
fn ended(child: &mut Child, what: &str) -> ExitStatus {
    let mut status = None;
    let has_ended = holds_within(GRACE, || {
        status = child.try_wait().unwrap();
        status.is_some()
    });
    if !has_ended {
        child.kill().unwrap();
        panic!("{what} has not ended");
    }
    status.unwrap()
}

#[test]
fn stopped_run_ends_while_its_pipe_is_full() {
    for (out, err) in [(true, false), (false, true), (true, true)] {
        let fake = Fake::new(CHATTY);
        // It fills while the run goes on: what a run says before the benchmark waits for its reader.
        let (_reader, writer) = io::pipe().unwrap();
        let stream = |is_pipe: bool| match is_pipe {
            true => Stdio::from(writer.try_clone().unwrap()),
            false => Stdio::null(),
        };
        let mut command = fake.command(&[]);
        let mut child = command.stdout(stream(out)).stderr(stream(err)).spawn().unwrap();
        let log = fake.results().join("benchmark.log");
        until("the benchmark", || log.exists());
        until("a full pipe", || is_full(&writer));
        kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
        let status = ended(&mut child, "the run");
        assert_eq!(status.code(), Some(143), "out {out}, err {err}: {status}");
        assert_eq!(fake.containers(), [""; 0]);
    }
}

#[test]
fn signal_ends_a_summary_that_nobody_reads_with_success() {
    // The summary alone is left to be shown: the benchmark itself says nothing.
    let fake = Fake::new(&GOOD.replace("echo said by the benchmark", ""));
    let (_reader, writer) = full();
    let mut command = fake.command(&[]);
    let mut child = command.stdout(writer).stderr(Stdio::null()).spawn().unwrap();
    let host = fake.results().join("host_meter.json");
    until("the container's removal", || !fake.docker.calls_of("rm").is_empty());
    until_it_sleeps_with_a_handler(child.id(), Signal::TERM);
    assert_eq!(child.try_wait().unwrap(), None, "a reader is waited for");
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    let status = ended(&mut child, "the run");
    assert_eq!(status.code(), Some(0), "{status}");
    assert!(host.exists());
}

#[test]
fn signal_ends_a_check_that_nobody_reads() {
    let fake = Fake::new(GOOD);
    let (_reader, writer) = full();
    let mut command = fake.sandbox.command(["cache", "verify"]);
    fs::create_dir_all(fake.sandbox.home().join(".cache/huggingface/hub")).unwrap();
    let mut child = command.stdout(writer).stderr(Stdio::null()).spawn().unwrap();
    until_it_sleeps_with_a_handler(child.id(), Signal::TERM);
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    ended(&mut child, "the check");
}

/// Escape sequences of a hostile benchmark.
const HOSTILE: &str = "\u{1b}]0;owned\u{7}\u{1b}[2J\u{1b}[31mred\u{1b}[0m \u{9b}2J\u{202e}txt\r\n";

#[test]
fn terminal_gets_no_escape_sequence_but_colours() {
    let fake = Fake::new(&format!("printf '%s' '{HOSTILE}'\n{GOOD}"));
    let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
    grantpt(&terminal).unwrap();
    unlockpt(&terminal).unwrap();
    let name = ptsname(&terminal, vec![]).unwrap().into_string().unwrap();
    let side =
        || -> OwnedFd { fs::File::options().read(true).write(true).open(&name).unwrap().into() };
    let mut command = fake.command(&[]);
    let mut child = command.stdout(side()).stderr(Stdio::null()).spawn().unwrap();
    drop(command);
    let mut shown = Vec::new();
    // A terminal whose other side is closed is an error to read.
    let _ = fs::File::from(terminal).read_to_end(&mut shown);
    assert!(child.wait().unwrap().success());
    let shown = String::from_utf8(shown).unwrap();
    let expected = "\\x1b]0;owned\\x07\u{1b}[31mred\u{1b}[0m \\u{9b}2J\\u{202e}txt\r";
    assert!(shown.starts_with(expected), "{shown:?}");
}

#[test]
fn pipe_gets_every_byte() {
    let docker = FakeDocker::with_run(&format!("printf '%s' '{HOSTILE}'\n{GOOD}"));
    let outcome = aienergyscore(&Sandbox::new(Some(&docker)), ["run", "--flavour", "smoke"]);
    assert!(outcome.stdout.starts_with(HOSTILE), "{:?}", outcome.stdout);
}
