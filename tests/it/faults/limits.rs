//! Process limits, and secrets in environments, memory and core dumps.

use std::{fs, process::Command};

use rustix::process::{Resource, getrlimit, getuid};

use super::Fake;
use crate::fake_runs::GOOD;

/// A user who has no other processes.
const NOBODY_ELSE: u32 = 2_424_243;

#[test]
fn secrets_are_in_no_other_environment_and_no_core_dump() {
    let look = r#"
      env >"$RESULTS/env"
      for pid in /proc/[0-9]*; do
        grep -qs "^container-reaper" "$pid/cmdline" && tr '\0' '\n' <"$pid/environ" >>"$RESULTS/env"
      done
      ulimit -c >"$RESULTS/core"
      ulimit -Hc >>"$RESULTS/core"
      grep 'core file' /proc/$PPID/limits >>"$RESULTS/core"
    "#;
    let mut fake = Fake::new(&format!("{look}\n{GOOD}"));
    for name in ["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "VLLM_API_KEY"] {
        fake.sandbox.set(name, "hf_secret_of_ada");
    }
    assert!(fake.command(&[]).output().unwrap().status.success());
    let seen = fs::read_to_string(fake.results().join("env")).unwrap();
    assert!(seen.contains("PATH=") && !seen.contains("hf_secret_of_ada"), "{seen}");
    let core = fs::read_to_string(fake.results().join("core")).unwrap();
    let words: Vec<_> = core.split_whitespace().collect();
    // A hard limit of 0, as some machines have, cannot be raised.
    let limit = match getrlimit(Resource::Core).maximum {
        Some(0) if !getuid().is_root() => "0",
        _ => "1",
    };
    assert_eq!(words, ["0", "0", "Max", "core", "file", "size", limit, limit, "bytes"]);
}

#[test]
#[ignore = "needs root, to run as another user"]
fn memory_of_a_runner_is_unreadable() {
    let look = r#"
      cat "/proc/$PPID/environ" >"$RESULTS/seen" 2>&1
      readlink "/proc/$PPID/exe" >>"$RESULTS/seen" 2>&1
    "#;
    let mut fake = Fake::new(&format!("{look}\n{GOOD}"));
    fake.sandbox.set("HF_TOKEN", "hf_secret_of_ada");
    let fake = fake.of(NOBODY_ELSE + 1);
    assert!(fake.command(&[]).output().unwrap().status.success());
    let seen = fs::read_to_string(fake.results().join("seen")).unwrap();
    assert!(seen.contains("Permission denied"), "{seen}");
}

#[test]
#[ignore = "needs root, to run as a user with a process limit"]
fn process_limit_is_an_error() {
    let mut codes = vec![];
    for limit in (1..12).chain([40]) {
        let mut fake = Fake::new(GOOD);
        fake.sandbox.set("HF_TOKEN", "hf_secret_of_ada");
        let fake = fake.of(NOBODY_ELSE);
        let asked = fake.command(&[]);
        let mut command = Command::new("/usr/bin/setpriv");
        let words: Vec<_> = asked.get_args().collect();
        let at = words.iter().position(|word| *word == "--").unwrap();
        command.args(&words[..=at]).args(["prlimit", &format!("--nproc={limit}"), "--"]);
        command.args(&words[at + 1..]).env_clear().current_dir(fake.sandbox.cwd());
        command.envs(asked.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let code = output.status.code();
        assert!(matches!(code, Some(0 | 1)), "{limit}: {:?} {said}", output.status);
        assert!(!said.contains("panicked"), "{limit}: {said}");
        assert_eq!(code == Some(1), said.contains("error: "), "{limit}: {said}");
        assert_eq!(fs::read_dir(fake.sandbox.folder("run")).unwrap().count(), 0, "{limit}");
        codes.push(code);
    }
    assert!(codes[0] == Some(1) && *codes.last().unwrap() == Some(0), "{codes:?}");
}
