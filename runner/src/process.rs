//! The one door to other programs; only the reaper, which is this program again, has its own.

mod talk;

use std::{
    ffi::OsStr,
    io,
    os::unix::process::CommandExt as _,
    path::PathBuf,
    process::{Child, Output},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use contract::env;
use rustix::{
    fs::{Access, access},
    process::{Pid, Signal, kill_process_group},
};
use untrusted::escape;

use self::talk::Talk;

/// How long an engine has for an answer that usually takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(30);

/// Lines of a complaint that are shown.
const MOST_LINES: usize = 20;

/// How long a container has that works for us: thousands of files may be given back by one.
const LONGEST_WORK: Duration = Duration::from_secs(600);

/// Variables whose values are secrets. No engine's client needs them.
pub(crate) const SECRETS: [&str; 3] =
    [env::HF_TOKEN, env::HUGGING_FACE_HUB_TOKEN, env::VLLM_API_KEY];

/// Has Docker's client look every image up at a notary, even one that it shall not pull.
const CONTENT_TRUST: &str = "DOCKER_CONTENT_TRUST";

/// What a short command said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Captured {
    /// Exit code; 128+n for signal n.
    pub(crate) code: i32,
    /// Standard output.
    pub(crate) stdout: String,
    /// Standard error.
    pub(crate) stderr: String,
}

impl Captured {
    /// What an ended command said, whose streams were captured.
    pub(crate) fn of(output: &Output) -> Self {
        Self {
            code: exit_code(output.status),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// What it complained of, for a message of one line.
    pub(crate) fn complaint(&self) -> String {
        let lines = self.stderr.lines().map(str::trim).filter(|line| !line.is_empty());
        let lines: Vec<_> = lines.take(MOST_LINES).map(escape).collect();
        if lines.is_empty() { "it said nothing".to_owned() } else { lines.join(" | ") }
    }
}

/// Has a command answer that an engine knows in a moment. One that does not answer hangs.
///
/// # Errors
/// When the program cannot be started, or gives no answer within [`PATIENCE`]. Its exit code is the
/// caller's to judge.
pub(crate) fn ask(argv: &[impl AsRef<str>]) -> anyhow::Result<Captured> {
    heard(argv, command(argv)?, &[], PATIENCE, None)
}

/// [`ask`], until `given_up` is set.
///
/// # Errors
/// As [`ask`], and when it was given up.
pub(crate) fn ask_until(
    argv: &[impl AsRef<str>],
    given_up: &AtomicBool,
) -> anyhow::Result<Captured> {
    heard(argv, command(argv)?, &[], PATIENCE, Some(given_up))
}

/// Runs a command that works for us, with variables on top of ours.
///
/// # Errors
/// As [`ask`], after [`LONGEST_WORK`].
pub(crate) fn capture_with_env<'a>(
    argv: &[impl AsRef<str>],
    env: impl IntoIterator<Item = (&'a str, String)>,
) -> anyhow::Result<Captured> {
    let command =
        env.into_iter().fold(command(argv)?, |command, (name, value)| command.env(name, value));
    heard(argv, command, &[], LONGEST_WORK, None)
}

/// Runs a command that works for us, with `input` for it to read. That it ends before it has read
/// everything is no error.
///
/// # Errors
/// As [`ask`], after [`LONGEST_WORK`].
pub(crate) fn capture_with_input(
    argv: &[impl AsRef<str>],
    input: &[u8],
) -> anyhow::Result<Captured> {
    heard(argv, command(argv)?, input, LONGEST_WORK, None)
}

fn heard(
    argv: &[impl AsRef<str>],
    command: duct::Expression,
    input: &[u8],
    patience: Duration,
    given_up: Option<&AtomicBool>,
) -> anyhow::Result<Captured> {
    // Pipes of ours: duct would read its own in threads, which may not be had.
    let (mut talk, streams) = Talk::new().with_context(|| starting(argv))?;
    let child = streams.connect(command).unchecked().start().with_context(|| starting(argv))?;
    let end = Instant::now() + patience;
    let is_over = || {
        Instant::now() >= end || given_up.is_some_and(|given_up| given_up.load(Ordering::SeqCst))
    };
    match talk.until_end(&child, input, &is_over) {
        Ok(Some(output)) => return Ok(Captured::of(&output)),
        Ok(None) => end_group(&child),
        Err(error) => {
            end_group(&child);
            return Err(error).with_context(|| format!("waiting for `{}`", argv[0].as_ref()));
        }
    }
    let asked = argv.iter().take_while(|word| !word.as_ref().starts_with('-'));
    let asked = asked.map(AsRef::as_ref).collect::<Vec<_>>().join(" ");
    bail!(
        "`{asked}` has not answered for {} seconds, and was ended: its daemon hangs, or the machine \
         does; look at the daemon's log, or start it anew",
        patience.as_secs()
    )
}

/// What fails when a program cannot be started.
pub(crate) fn starting(argv: &[impl AsRef<str>]) -> String {
    format!("starting `{}`", argv[0].as_ref())
}

/// Kills a child and its process group, and waits for a moment until it is gone.
fn end_group(child: &duct::Handle) {
    if let Some(group) = group(child) {
        // One that ends just now is as good.
        let _ = kill_process_group(group, Signal::KILL);
    }
    let end = Instant::now() + Duration::from_secs(1);
    // One that hangs in the kernel is left to it.
    while matches!(child.try_wait(), Ok(None)) && Instant::now() < end {
        thread::sleep(Duration::from_millis(5));
    }
}

/// The process group that a [`command`] leads.
pub(crate) fn group(child: &duct::Handle) -> Option<Pid> {
    child.pids().first().and_then(|pid| i32::try_from(*pid).ok()).and_then(Pid::from_raw)
}

/// Waits for the end of a child; whether it came in time.
///
/// # Errors
/// When it is not a child any more.
pub(crate) fn wait_within(child: &mut Child, patience: Duration) -> io::Result<bool> {
    let end = Instant::now() + patience;
    while child.try_wait()?.is_none() {
        if Instant::now() >= end {
            return Ok(false);
        }
        thread::sleep(Duration::from_millis(5));
    }
    Ok(true)
}

/// The answers to two questions that are asked at the same time; one after the other where no
/// thread can be started.
pub(crate) fn both<A, B: Send>(
    one: impl FnOnce() -> A,
    other: impl Fn() -> B + Send + Sync,
) -> (A, B) {
    thread::scope(|scope| {
        let beside = thread::Builder::new().spawn_scoped(scope, &other);
        let first = one();
        let second = match beside {
            Ok(thread) => thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
            Err(_) => other(),
        };
        (first, second)
    })
}

/// Whether there is a program of this name.
pub(crate) fn is_on_path(name: &str) -> bool {
    find_on_path(name).is_some()
}

/// An engine's client, as [`program`], without our secrets. An image that was built here is signed by
/// nobody.
///
/// # Errors
/// As [`program`].
pub(crate) fn command(argv: &[impl AsRef<str>]) -> anyhow::Result<duct::Expression> {
    let command = SECRETS.iter().fold(program(argv)?, |command, name| command.env_remove(name));
    let pulls_never =
        argv.windows(2).any(|words| words[0].as_ref() == "--pull" && words[1].as_ref() == "never");
    Ok(if pulls_never { command.env_remove(CONTENT_TRUST) } else { command })
}

/// The command in a process group of its own: the terminal's Ctrl-C is for us to pass on, and our
/// questions are to be answered even then.
///
/// # Errors
/// When the program is not on PATH.
pub(crate) fn program(argv: &[impl AsRef<str>]) -> anyhow::Result<duct::Expression> {
    let words = argv.iter().map(AsRef::as_ref).collect::<Vec<_>>();
    let [name, args @ ..] = words.as_slice() else { bail!("an empty command") };
    // Found here and not after a fork: a program with a path is started without one, which is
    // faster by a third.
    let path = std::env::var_os("PATH").unwrap_or_default();
    let program = find(name, &path)
        .with_context(|| format!("`{name}` is not on PATH; install it, or correct PATH"))?;
    let name = (*name).to_owned();
    Ok(duct::cmd(program, args).before_spawn(move |command| {
        command.process_group(0).arg0(&name);
        Ok(())
    }))
}

/// The program of this name that would be started.
pub(crate) fn find_on_path(name: &str) -> Option<PathBuf> {
    find(name, &std::env::var_os("PATH").unwrap_or_default())
}

/// The program `name` in the folders of `path`; a name with a slash is the program itself.
fn find(name: &str, path: &OsStr) -> Option<PathBuf> {
    if name.contains('/') {
        return Some(name.into());
    }
    std::env::split_paths(path)
        .map(|folder| folder.join(name))
        .find(|program| program.is_file() && access(program, Access::EXEC_OK).is_ok())
}

/// The code as a shell tells it: 128+n for signal n.
pub(crate) fn exit_code(status: std::process::ExitStatus) -> i32 {
    use std::os::unix::process::ExitStatusExt as _;
    status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

    use super::{Captured, ask, both, capture_with_input, find};

    #[test]
    fn a_program_is_the_first_on_path_that_may_run() {
        let folder = tempfile::tempdir().unwrap();
        let [a, b] = ["a", "b"].map(|name| folder.path().join(name));
        for (folder, mode) in [(&a, 0o644), (&b, 0o755)] {
            fs::create_dir(folder).unwrap();
            fs::write(folder.join("tool"), "").unwrap();
            fs::set_permissions(folder.join("tool"), fs::Permissions::from_mode(mode)).unwrap();
        }
        let path = std::env::join_paths([&a, &b]).unwrap();
        assert_eq!(find("tool", &path), Some(b.join("tool")));
        assert_eq!(find("other", &path), None);
        assert_eq!(find("/opt/tool", &path).as_deref(), Some(Path::new("/opt/tool")));
    }

    #[test]
    fn a_captured_program_keeps_its_name_and_its_code() {
        let said = ask(&["sh", "-c", "echo $0; echo why >&2; exit 3"]).unwrap();
        assert_eq!((said.code, said.stdout.as_str(), said.stderr.as_str()), (3, "sh\n", "why\n"));
        let missing = ask(&["no-such-program"]).unwrap_err().to_string();
        assert!(missing.contains("`no-such-program` is not on PATH"), "{missing}");
    }

    #[test]
    fn a_complaint_is_one_line() {
        let said = Captured {
            code: 1,
            stdout: String::new(),
            stderr: "docker: a\u{1b}[2J\n\n  see 'docker run --help'\n".to_owned(),
        };
        assert_eq!(said.complaint(), "docker: a\\u{1b}[2J | see 'docker run --help'");
        assert_eq!(Captured { stderr: "\n".to_owned(), ..said }.complaint(), "it said nothing");
    }

    #[test]
    fn two_questions_have_two_answers() {
        assert_eq!(both(|| 1, || "two"), (1, "two"));
    }

    #[test]
    fn a_program_reads_its_input_or_leaves_it() {
        let input = [b"a\0\xff\n".as_slice(), &[b'x'; 1 << 20]].concat();
        let said = capture_with_input(&["wc", "-c"], &input).unwrap();
        assert_eq!((said.code, said.stdout.trim()), (0, "1048580"));
        assert_eq!(capture_with_input(&["false"], &input).unwrap().code, 1);
    }
}
