//! Supervision of shell scripts.

use std::{
    fs::{self, File},
    io::{self, PipeReader, Read},
    process::Command,
    sync::mpsc::{self, Sender},
    thread,
    time::Duration,
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    process::{Pid, PidfdFlags, pidfd_open},
};

use super::{Event, Outcome, Sinks, supervise};

/// Timeout for a test that hangs.
const PATIENCE: Duration = Duration::from_secs(60);

struct Finished {
    outcome: Outcome,
    out: String,
    err: String,
    log: String,
}

/// Supervises a shell script until it exits. `meanwhile` can read its output and send events.
fn shell(
    script: &str,
    grace: Duration,
    meanwhile: impl FnOnce(&mut PipeReader, Sender<Event>),
) -> Finished {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let (mut out, out_writer) = io::pipe().unwrap();
    let (mut err, err_writer) = io::pipe().unwrap();
    let sinks = Sinks { out: out_writer, err: err_writer, log: Some(File::create(&log).unwrap()) };
    let mut command = Command::new("/bin/sh");
    command.args(["-c", script]);
    let (sender, events) = mpsc::channel();
    let outside = sender.clone();
    let supervisor =
        thread::spawn(move || supervise(command, sinks, &sender, &events, grace).unwrap());
    meanwhile(&mut out, outside);
    let outcome = supervisor.join().unwrap();
    let mut finished =
        Finished { outcome, out: String::new(), err: String::new(), log: String::new() };
    out.read_to_string(&mut finished.out).unwrap();
    err.read_to_string(&mut finished.err).unwrap();
    finished.log = fs::read_to_string(log).unwrap();
    finished
}

/// Waits for the next line that the script prints.
fn line(out: &mut PipeReader) -> String {
    let mut line = Vec::new();
    let mut byte = [0];
    while out.read(&mut byte).unwrap() == 1 && byte[0] != b'\n' {
        line.push(byte[0]);
    }
    String::from_utf8(line).unwrap()
}

/// Waits for the exit of a process that is no child of this one.
fn assert_exits(pid: &str) {
    let id = Pid::from_raw(pid.trim().parse().unwrap()).unwrap();
    // Without such a process it has exited already.
    let Ok(process) = pidfd_open(id, PidfdFlags::empty()) else { return };
    let patience = Timespec::try_from(PATIENCE).unwrap();
    let exited = poll(&mut [PollFd::new(&process, PollFlags::IN)], Some(&patience)).unwrap();
    assert_eq!(exited, 1, "process {pid} is still running");
}

#[test]
fn output_is_copied_and_the_exit_code_returned() {
    let finished = shell("echo one; echo two >&2; exit 7", PATIENCE, |_, _| {});
    assert_eq!(finished.outcome, Outcome { code: 7, cause: None });
    assert_eq!((finished.out.as_str(), finished.err.as_str()), ("one\n", "two\n"));
    assert!(finished.log.contains("one\n") && finished.log.contains("two\n"), "{}", finished.log);
}

#[test]
fn standard_input_is_empty() {
    assert_eq!(shell("read -r line; echo $?", PATIENCE, |_, _| {}).out, "1\n");
}

#[test]
fn exit_code_of_a_killed_program_is_128_plus_the_signal() {
    assert_eq!(shell("kill -SEGV $$", PATIENCE, |_, _| {}).outcome.code, 139);
}

#[test]
fn signal_reaches_the_whole_process_group() {
    let mut pid = String::new();
    let finished = shell("sleep 600 & echo $!; wait", PATIENCE, |out, events| {
        pid = line(out);
        events.send(Event::Signal).unwrap();
    });
    assert_eq!(finished.outcome, Outcome { code: 143, cause: Some(Event::Signal) });
    assert_exits(&pid);
}

#[test]
fn program_can_handle_sigterm_itself() {
    let script = "trap 'echo bye; exit 3' TERM; echo ready; sleep 600 & wait";
    let finished = shell(script, PATIENCE, |out, events| {
        line(out);
        events.send(Event::Signal).unwrap();
    });
    assert_eq!((finished.outcome.code, finished.out.as_str()), (3, "bye\n"));
}

#[test]
fn program_that_ignores_sigterm_is_killed() {
    let grace = Duration::from_millis(50);
    let script = "trap '' TERM; echo ready; while :; do sleep 600; done";
    let finished = shell(script, grace, |out, events| {
        line(out);
        events.send(Event::SupervisorGone).unwrap();
    });
    assert_eq!(finished.outcome, Outcome { code: 137, cause: Some(Event::SupervisorGone) });
}

#[test]
fn background_processes_are_killed_after_the_exit() {
    let finished = shell("sleep 600 >/dev/null 2>&1 & echo $!", PATIENCE, |_, _| {});
    assert_eq!(finished.outcome.code, 0);
    assert_exits(finished.out.trim());
}

#[test]
fn closed_output_does_not_stop_the_program() {
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
