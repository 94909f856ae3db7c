//! The built programs, a sandbox to run them in, and a fake engine that records its calls.

use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    fs::{self, OpenOptions},
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{Arc, Once, atomic::AtomicBool},
};

use rustix::fs::{CWD, FileType, Mode, OFlags, mknodat};
use signal_hook::{consts::SIGHUP, flag};

use crate::waiting::until;

pub(crate) use crate::workspace::workspace;

/// The program under test, which Cargo builds beside the tests.
pub(crate) fn program() -> &'static Path {
    static HANGUPS: Once = Once::new();
    HANGUPS.call_once(let_hangups_count);
    Path::new(env!("CARGO_BIN_EXE_aienergyscore"))
}

/// Copies the program to `to`, for a user who cannot enter the build folder. Another process copies it: a
/// process that another thread starts meanwhile would inherit the open copy, and the kernel does not execute
/// a file that is open for writing.
pub(crate) fn copy_program(to: impl AsRef<Path>) {
    let copied = Command::new("cp").arg(program()).arg(to.as_ref()).status().expect("cp");
    assert!(copied.success());
}

/// The entrypoint, which Cargo builds for the tests of its own package.
pub(crate) fn entrypoint() -> PathBuf {
    let path = program().with_file_name(contract::ENTRYPOINT);
    assert!(path.exists(), "`{}` is missing; run `cargo test --workspace`", path.display());
    path
}

/// Lets a closed terminal end what tests start, also where the tests were told to ignore that, as
/// behind `nohup`: programs inherit what is ignored, and not what is caught.
fn let_hangups_count() {
    let status = fs::read_to_string("/proc/self/status").expect("a process has a status");
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).expect("SigIgn");
    let mask = u64::from_str_radix(mask.trim(), 16).expect("a mask of signals");
    if mask >> (SIGHUP - 1) & 1 == 1 {
        flag::register(SIGHUP, Arc::new(AtomicBool::new(false))).expect("SIGHUP can be caught");
    }
}

/// Exit code and output of a program.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs `aienergyscore` with the environment of the sandbox alone.
pub(crate) fn aienergyscore<S: AsRef<OsStr>>(
    sandbox: &Sandbox,
    args: impl IntoIterator<Item = S>,
) -> Outcome {
    let output = sandbox.command(args).output().expect("aienergyscore can be started");
    Outcome {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).expect("UTF-8 on stdout"),
        stderr: String::from_utf8(output.stderr).expect("UTF-8 on stderr"),
    }
}

/// A home, a working directory and an environment of a test's own.
#[derive(Debug)]
pub(crate) struct Sandbox {
    root: tempfile::TempDir,
    env: BTreeMap<OsString, OsString>,
}

impl Sandbox {
    /// A sandbox whose `PATH` holds `engine` alone, before the system's folders.
    pub(crate) fn new(engine: Option<&FakeDocker>) -> Self {
        let root = tempfile::tempdir().expect("a temporary folder");
        for folder in ["home", "cwd", "run"] {
            fs::create_dir(root.path().join(folder)).expect("a folder");
        }
        no_podman(&root.path().join("bin"));
        let path = engine.map_or_else(|| "/usr/bin:/bin".to_owned(), FakeDocker::path);
        let path = format!("{}:{path}", root.path().join("bin").display());
        let mut sandbox = Self { root, env: BTreeMap::new() };
        let (home, run) = (sandbox.home(), sandbox.folder("run"));
        sandbox.set("PATH", path).set("HOME", home).set("XDG_RUNTIME_DIR", run);
        sandbox
    }

    pub(crate) fn set(&mut self, name: &str, value: impl Into<OsString>) -> &mut Self {
        self.env.insert(name.into(), value.into());
        self
    }

    pub(crate) fn home(&self) -> PathBuf {
        self.folder("home")
    }

    pub(crate) fn cwd(&self) -> PathBuf {
        self.folder("cwd")
    }

    /// The folder `name` beside home and working directory.
    pub(crate) fn folder(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    /// `aienergyscore` in this sandbox, without input.
    pub(crate) fn command<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Command {
        let mut command = Command::new(program());
        command.args(args).env_clear().envs(&self.env);
        command.current_dir(self.cwd()).stdin(Stdio::null());
        command
    }
}

/// Shell text that does not return: its process lives until it is killed.
pub(crate) const HANGS: &str = "exec sleep 300";

/// A program `docker` that records what it is asked and answers as rootful Docker does.
#[derive(Debug)]
pub(crate) struct FakeDocker {
    dir: tempfile::TempDir,
}

impl FakeDocker {
    /// An engine whose `run` succeeds and does nothing.
    pub(crate) fn new() -> Self {
        Self::with_run("exit 0")
    }

    /// An engine whose `run` is this shell text; `$RESULTS` is the mounted results folder,
    /// `$RUN_ID` the run's id, and `wait_for GATE` returns once the test opens that gate.
    pub(crate) fn with_run(run: &str) -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let fake = Self { dir };
        fake.answer("info", r#"{"ServerVersion":"20.10.24","SecurityOptions":["name=seccomp,profile=default"],"Runtimes":{"runc":{}}}"#);
        fake.answer("image", r#"{}"#);
        fake.answer("container", r#"{"Running":false,"OOMKilled":false,"ExitCode":0,"Error":"","StartedAt":"2026-01-01T00:00:00Z"}"#);
        let here = fake.dir.path().to_str().expect("UTF-8");
        let script = format!(
            r#"#!/bin/sh
here='{here}'
wait_for() {{
  mkfifo "$here/gate-$1" 2>/dev/null
  cat "$here/gate-$1"
}}
call=$(mktemp "$here/call-$(date +%s%N)-XXXXXX")
printf '%s\0' "$@" >"$call"
case $1 in
context)
  echo "${{DOCKER_HOST-}}"
  ;;
run)
  for word in "$@"; do
    case $word in
    AIENERGYSCORE_RUN_ID=*) RUN_ID=${{word#*=}} ;;
    type=bind,\"source=*\",target=/results) RESULTS=${{word#*source=}}; RESULTS=${{RESULTS%\",target=/results}} ;;
    esac
  done
  {run}
  ;;
*)
  [ -e "$here/fail-$1" ] && exit 1
  [ -e "$here/answer-$1" ] && cat "$here/answer-$1"
  exit 0
  ;;
esac
"#
        );
        no_podman(fake.dir.path());
        let program = fake.dir.path().join("docker");
        fs::write(&program, script).expect("the fake engine");
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("its mode");
        fake
    }

    /// Sets the output of `docker SUBCOMMAND`.
    pub(crate) fn answer(&self, subcommand: &str, text: &str) {
        fs::write(self.dir.path().join(format!("answer-{subcommand}")), text).expect("an answer");
    }

    /// Makes `docker SUBCOMMAND` fail from now on.
    pub(crate) fn fail(&self, subcommand: &str) {
        fs::write(self.dir.path().join(format!("fail-{subcommand}")), "").expect("a mark");
    }

    /// Lets scripts go on that wait for the gate `name`, now or later.
    pub(crate) fn open(&self, name: &str) {
        let gate = self.dir.path().join(format!("gate-{name}"));
        // The script may have made it first.
        let _ = mknodat(CWD, &gate, FileType::Fifo, Mode::RWXU, 0);
        until("a script at the gate", || {
            OpenOptions::new()
                .write(true)
                .custom_flags(OFlags::NONBLOCK.bits() as i32)
                .open(&gate)
                .is_ok()
        });
    }

    /// A `PATH` on which it comes first.
    pub(crate) fn path(&self) -> String {
        format!("{}:/usr/bin:/bin", self.dir.path().display())
    }

    /// The arguments of every call so far, in order.
    pub(crate) fn calls(&self) -> Vec<Vec<String>> {
        let mut files: Vec<_> = fs::read_dir(self.dir.path())
            .expect("the fake engine's folder")
            .map(|entry| entry.expect("an entry").path())
            .filter(|path| {
                path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"call-"))
            })
            .collect();
        files.sort();
        let calls = files.iter().map(|file| words(&fs::read(file).expect("a call")));
        // A call that has just begun is not written down yet.
        calls.filter(|call| !call.is_empty()).collect()
    }

    /// The arguments of the calls of one subcommand.
    pub(crate) fn calls_of(&self, subcommand: &str) -> Vec<Vec<String>> {
        self.calls().into_iter().filter(|call| call[0] == subcommand).collect()
    }
}

/// Puts a Podman that does not work into `folder`, so that the machine's is not found.
fn no_podman(folder: &Path) {
    let podman = folder.join("podman");
    fs::create_dir_all(folder).expect("a folder");
    let says = "Error: cannot find newuidmap: executable file not found in PATH";
    let script = format!("#!/bin/sh\necho '{says}' >&2\nexit 125\n");
    fs::write(&podman, script).expect("a file");
    fs::set_permissions(&podman, fs::Permissions::from_mode(0o755)).expect("its mode");
}

fn words(bytes: &[u8]) -> Vec<String> {
    let mut words: Vec<_> = bytes
        .split(|byte| *byte == 0)
        .map(|word| String::from_utf8(word.to_vec()).expect("UTF-8"))
        .collect();
    words.pop();
    words
}

/// Files of `cargo xtask smoke`, for tests that need a real model.
pub(crate) mod smoke {
    use std::{fs, path::PathBuf};

    use super::program;

    /// The argument that names the smoke test's model.
    pub(crate) const MODEL: &str = "backend.model=smoke/SmolLM2-135M-Instruct-GGUF";

    /// The repo of that model, in the Hub cache.
    pub(crate) const GGUF: &str = "models--smoke--SmolLM2-135M-Instruct-GGUF";

    /// The repo of its weights for the Python stacks.
    pub(crate) const WEIGHTS: &str = "models--smoke--SmolLM2-135M-Instruct";

    /// The smoke test's HuggingFace home.
    pub(crate) fn home() -> PathBuf {
        made("smoke/huggingface")
    }

    /// The folder of a repo of the smoke test's Hub cache.
    pub(crate) fn repo(name: &str) -> PathBuf {
        made(&format!("smoke/huggingface/hub/{name}"))
    }

    /// The files of a repo's revision in use; those of earlier ones may still be there.
    pub(crate) fn snapshot(name: &str) -> PathBuf {
        let repo = repo(name);
        let commit = fs::read_to_string(repo.join("refs/main")).expect("refs/main");
        repo.join("snapshots").join(commit)
    }

    /// The static program of the image and of the host engine.
    pub(crate) fn entrypoint() -> PathBuf {
        made("entrypoint").join(contract::ENTRYPOINT)
    }

    fn made(name: &str) -> PathBuf {
        let made = program().ancestors().nth(2).expect("target/<profile>/program").join(name);
        assert!(
            made.exists(),
            "`{}` is missing; run `cargo xtask smoke` first, for weights with `--flavour cpu`",
            made.display()
        );
        made
    }
}
