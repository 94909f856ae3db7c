//! The program comes back, whatever its streams and the machine's limits do.

use std::{
    fs,
    io::{self, PipeReader, PipeWriter, Write as _},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use rustix::{
    fs::{OFlags, fcntl_setfl},
    process::{Resource, getrlimit, getuid},
};

use crate::program::{completion, program};

/// A full pipe. Its reader lives and does not read.
fn full() -> (PipeReader, PipeWriter) {
    let (reader, mut writer) = io::pipe().unwrap();
    fcntl_setfl(&writer, OFlags::NONBLOCK).unwrap();
    while writer.write(&[b'x'; 4096]).is_ok() {}
    fcntl_setfl(&writer, OFlags::empty()).unwrap();
    (reader, writer)
}

#[test]
fn full_streams_do_not_keep_it() {
    let (_reader, writer) = full();
    for (to_out, to_err) in [(true, false), (false, true), (true, true)] {
        let results = tempfile::tempdir().unwrap();
        let stream = |full: bool| match full {
            true => Stdio::from(writer.try_clone().unwrap()),
            false => Stdio::null(),
        };
        let mut command = program(results.path());
        command.arg("backend.model=org/absent").stdout(stream(to_out)).stderr(stream(to_err));
        let mut child = command.spawn().unwrap();
        let end = Instant::now() + Duration::from_secs(30);
        while child.try_wait().unwrap().is_none() {
            if Instant::now() > end {
                child.kill().unwrap();
                panic!("full: {to_out} {to_err}");
            }
            thread::sleep(Duration::from_millis(10));
        }
        assert_eq!(child.wait().unwrap().code(), Some(1));
        assert_eq!(completion(results.path()).0, 1);
        let log = fs::read_to_string(results.path().join("benchmark.log")).unwrap();
        assert!(log.contains("not in the Hub cache"), "{log}");
    }
}

#[test]
fn no_process_leaves_its_memory_on_a_disk() {
    let results = tempfile::tempdir().unwrap();
    // It waits for its list, so that its limits can be seen; what it starts inherits them.
    const WAITING: &str = r#"{"folder":"/","inode":0,"uid":0,"gid":0,"owners":[],"listed":true}"#;
    assert_ne!(getrlimit(Resource::Core).maximum, Some(0), "nothing would be proven");
    let mut child = program(results.path());
    let mut child = child.args(["reclaim", WAITING]).stdin(Stdio::piped()).spawn().unwrap();
    let limits = || fs::read_to_string(format!("/proc/{}/limits", child.id())).unwrap();
    let end = Instant::now() + Duration::from_secs(30);
    let is_set = |limits: &str| {
        let line = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
        line.split_whitespace().skip(4).take(2).all(|limit| limit == "1")
    };
    while !is_set(&limits()) {
        assert!(Instant::now() < end, "{}", limits());
        thread::sleep(Duration::from_millis(10));
    }
    drop(child.stdin.take());
    child.wait().unwrap();
}

#[test]
#[ignore = "needs root, to be somebody who may start no more processes"]
fn threads_that_cannot_start_are_an_error() {
    assert!(getuid().is_root(), "root alone can be somebody else");
    let results = tempfile::tempdir().unwrap();
    std::os::unix::fs::chown(results.path(), Some(2_424_242), None).unwrap();
    for processes in 1..6 {
        let asked = program(results.path());
        let mut command = Command::new("setpriv");
        command.args(["--reuid=2424242", "--clear-groups", "prlimit"]);
        command.arg(format!("--nproc={processes}")).arg(asked.get_program());
        command.arg("backend.model=org/absent").env_clear().stdin(Stdio::null());
        command.envs(asked.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let output = command.output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{processes}: {said}");
        assert!(!said.contains("panicked"), "{processes}: {said}");
        let words = ["Resource temporarily unavailable", "not in the Hub cache"];
        assert!(words.iter().any(|word| said.contains(word)), "{processes}: {said}");
    }
}
