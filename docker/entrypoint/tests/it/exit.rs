//! The program exits despite blocked streams and process limits.

use std::{
    fs,
    io::{self, PipeReader, PipeWriter, Write as _},
    process::{Command, Stdio},
};

use rustix::{
    fs::{OFlags, fcntl_setfl},
    process::{Resource, getrlimit, getuid},
};

use crate::program::{completion, exited, program};

/// A full pipe with a reader that does not read.
fn full() -> (PipeReader, PipeWriter) {
    let (reader, mut writer) = io::pipe().unwrap();
    fcntl_setfl(&writer, OFlags::NONBLOCK).unwrap();
    while writer.write(&[b'x'; 4096]).is_ok() {}
    fcntl_setfl(&writer, OFlags::empty()).unwrap();
    (reader, writer)
}

#[test]
fn blocked_output_does_not_delay_the_exit() {
    let (_reader, writer) = full();
    for (to_out, to_err) in [(true, false), (false, true), (true, true)] {
        let results = tempfile::tempdir().unwrap();
        let stream = |full: bool| match full {
            true => Stdio::from(writer.try_clone().unwrap()),
            false => Stdio::null(),
        };
        let mut command = program(results.path());
        command.arg("backend.model=org/absent").stdout(stream(to_out)).stderr(stream(to_err));
        let status = exited(command.spawn().unwrap());
        assert_eq!(status.code(), Some(1), "{to_out} {to_err}");
        assert_eq!(completion(results.path()).0, 1);
        let log = fs::read_to_string(results.path().join("benchmark.log")).unwrap();
        assert!(log.contains("not in the Hub cache"), "{log}");
    }
}

#[test]
fn core_dumps_are_disabled() {
    let results = tempfile::tempdir().unwrap();
    // The program waits for the end of its list meanwhile.
    const LISTED: &str = r#"{"folder":"/","inode":0,"uid":0,"gid":0,"owners":[],"listed":true}"#;
    assert_ne!(getrlimit(Resource::Core).maximum, Some(0), "core dumps are disabled here anyway");
    let mut child = program(results.path());
    let mut child = child.args(["reclaim", LISTED]).stdin(Stdio::piped()).spawn().unwrap();
    // More than a pipe holds: the program reads by now, so it has set its limits.
    child.stdin.as_mut().unwrap().write_all(&[0; 1 << 20]).unwrap();
    let limits = fs::read_to_string(format!("/proc/{}/limits", child.id())).unwrap();
    let line = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(line.split_whitespace().skip(4).take(2).collect::<Vec<_>>(), ["1", "1"]);
    drop(child.stdin.take());
    exited(child);
}

#[test]
#[ignore = "needs root, to become a user with a process limit"]
fn process_limit_is_an_error() {
    assert!(getuid().is_root(), "only root can become another user");
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
