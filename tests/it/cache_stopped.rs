//! Signals while `aienergyscore cache` hashes files.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};

use crate::{
    harness::program,
    waiting::{until, until_delivered},
};

/// A blob without end: 64 GiB of zeros, which take no space.
const ENDLESS: u64 = 64 << 30;

/// Clock ticks of a process's time after which it surely reads: it starts in less.
const BUSY: u64 = 20;

/// Whether the process has a file below `folder` open. Only root sees the open files of an
/// undumpable process; its processor time is public.
fn reads_below(pid: u32, folder: &Path) -> bool {
    let Ok(open) = fs::read_dir(format!("/proc/{pid}/fd")) else { return ticks(pid) > BUSY };
    let links = open.flatten().filter_map(|entry| fs::read_link(entry.path()).ok());
    links.into_iter().any(|file| file.starts_with(folder) && file.is_file())
}

/// The processor time of a process, as proc(5) has it behind the name in brackets.
fn ticks(pid: u32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let fields = stat.rsplit(')').next().unwrap_or_default();
    fields.split_whitespace().skip(11).take(2).filter_map(|it| it.parse::<u64>().ok()).sum()
}

/// Exit code and output of `aienergyscore cache …` when a signal stops it in an endless cache.
fn stopped(args: &[&str], signal: Signal) -> (Option<i32>, String) {
    stopped_by(Command::new(program()), args, &[signal])
}

/// The same for `command`, with several signals.
fn stopped_by(mut command: Command, args: &[&str], signals: &[Signal]) -> (Option<i32>, String) {
    let home = tempfile::tempdir().unwrap();
    let hub = home.path().canonicalize().unwrap().join("hub");
    let blobs = hub.join("models--org--m/blobs");
    fs::create_dir_all(&blobs).unwrap();
    let blob = blobs.join("a".repeat(64));
    fs::File::create(&blob).unwrap().set_len(ENDLESS).unwrap();
    let mut child = command
        .arg("cache")
        .args(args)
        .env_clear()
        .env("HF_HUB_CACHE", &hub)
        .env("HOME", home.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    until("a read of the blob", || {
        assert_eq!(child.try_wait().unwrap(), None, "it ended before it was stopped");
        reads_below(child.id(), &blobs)
    });
    for signal in signals {
        kill_process(Pid::from_child(&child), *signal).unwrap();
        until_delivered(child.id(), *signal);
    }
    let output = child.wait_with_output().unwrap();
    assert_eq!(blob.metadata().unwrap().len(), ENDLESS);
    assert!(blobs.read_dir().unwrap().count() == 1, "it was left where it was");
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(said).unwrap())
}

#[test]
fn a_verification_that_is_stopped_says_how_far_it_came() {
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143), (Signal::HUP, 129)] {
        let (ended, said) = stopped(&["verify"], signal);
        assert_eq!(ended, Some(code), "{said}");
        assert!(said.contains("interrupted") && said.contains("1 not checked"), "{said}");
    }
}

#[test]
fn a_repair_that_is_stopped_while_it_looks_changes_nothing() {
    let (code, said) = stopped(&["repair", "--yes"], Signal::INT);
    assert_eq!(code, Some(130), "{said}");
    assert!(said.contains("interrupted"), "{said}");
}

#[test]
fn a_closed_terminal_does_not_stop_what_nohup_started() {
    let mut nohup = Command::new("/usr/bin/nohup");
    nohup.arg(program());
    let (code, said) = stopped_by(nohup, &["verify"], &[Signal::HUP, Signal::INT]);
    assert_eq!(code, Some(130), "{said}");
}
