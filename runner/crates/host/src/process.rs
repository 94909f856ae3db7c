//! Starts other programs. The reaper is this program itself, and is started elsewhere.

pub mod processes;
pub mod signals;

use std::{
    ffi::{OsStr, OsString},
    fs::File,
    io::{self, Read as _, Seek as _, Write as _},
    os::unix::process::CommandExt as _,
    path::PathBuf,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use contract::{env, exit::of_status};
use rustix::{
    fs::{Access, MemfdFlags, access, memfd_create},
    process::{Pid, Signal, kill_process_group},
};
use untrusted::escape;

use crate::environment::Environment;

/// Timeout for an answer that usually takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(30);

/// Timeout for a container that may change thousands of files.
const LONGEST_WORK: Duration = Duration::from_secs(600);

/// Size limit of an answer, in bytes.
const MOST_BYTES: u64 = 64 << 20;

/// Lines of standard error that an error message shows.
const MOST_LINES: usize = 20;

/// Variables that hold secrets. No engine's client needs them.
pub const SECRETS: [&str; 3] = [env::HF_TOKEN, env::HUGGING_FACE_HUB_TOKEN, env::VLLM_API_KEY];

/// Makes Docker's client look up every image at a notary, even one that it must not pull.
const CONTENT_TRUST: &str = "DOCKER_CONTENT_TRUST";

/// Exit code and output of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Captured {
    /// Exit code; 128+n for signal n.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Captured {
    /// Standard error on one line.
    pub fn complaint(&self) -> String {
        let lines = self.stderr.lines().map(str::trim).filter(|line| !line.is_empty());
        let lines: Vec<_> = lines.take(MOST_LINES).map(escape).collect();
        if lines.is_empty() { "it said nothing".to_owned() } else { lines.join(" | ") }
    }
}

/// Runs a short command and captures its output.
///
/// # Errors
/// When it cannot be started, or has not ended after [`PATIENCE`]. Any exit code is a success.
pub fn ask(argv: &[impl AsRef<str>]) -> anyhow::Result<Captured> {
    ask_within(argv, PATIENCE)
}

/// As [`ask`], with another timeout.
///
/// # Errors
/// As [`ask`].
pub fn ask_within(argv: &[impl AsRef<str>], patience: Duration) -> anyhow::Result<Captured> {
    capture(argv, client(argv)?, &[], patience)
}

/// Runs a long command with additional environment variables.
///
/// # Errors
/// As [`ask`], after [`LONGEST_WORK`].
pub fn capture_with_env<'a>(
    argv: &[impl AsRef<str>],
    env: impl IntoIterator<Item = (&'a str, String)>,
) -> anyhow::Result<Captured> {
    let client =
        env.into_iter().fold(client(argv)?, |client, (name, value)| client.env(name, value));
    capture(argv, client, &[], LONGEST_WORK)
}

/// Runs a long command with `input` on its standard input, which it need not read to the end.
///
/// # Errors
/// As [`ask`], after [`LONGEST_WORK`].
pub fn capture_with_input(argv: &[impl AsRef<str>], input: &[u8]) -> anyhow::Result<Captured> {
    capture(argv, client(argv)?, input, LONGEST_WORK)
}

fn capture(
    argv: &[impl AsRef<str>],
    client: duct::Expression,
    input: &[u8],
    patience: Duration,
) -> anyhow::Result<Captured> {
    let (child, stdout, stderr) = start(client, input).with_context(|| starting(argv))?;
    let waiting = || format!("waiting for `{}`", argv[0].as_ref());
    let has_ended = || Ok(child.try_wait()?.is_some());
    if !wait_within(patience, has_ended).with_context(waiting)? {
        for pid in child.pids() {
            let group = i32::try_from(pid).ok().and_then(Pid::from_raw);
            // It may have ended by itself just now.
            let _ = group.map(|group| kill_process_group(group, Signal::KILL));
        }
        // A process that hangs in the kernel cannot be ended.
        wait_within(Duration::from_secs(1), has_ended).with_context(waiting)?;
        let asked = argv.iter().take_while(|word| !word.as_ref().starts_with('-'));
        let asked = asked.map(AsRef::as_ref).collect::<Vec<_>>().join(" ");
        bail!(
            "`{asked}` has not answered for {} seconds, and was ended: its daemon hangs, or the \
             machine does; look at the daemon's log, or start it anew",
            patience.as_secs()
        );
    }
    Ok(Captured {
        code: of_status(child.wait().with_context(waiting)?.status).into(),
        stdout: written(stdout).with_context(waiting)?,
        stderr: written(stderr).with_context(waiting)?,
    })
}

/// Starts the program with `input` and returns the files that it writes to. They are in memory: pipes
/// would have to be read meanwhile, and background processes of the program would keep them open.
fn start(client: duct::Expression, input: &[u8]) -> io::Result<(duct::Handle, File, File)> {
    let [mut stdin, stdout, stderr] = [memory_file()?, memory_file()?, memory_file()?];
    stdin.write_all(input)?;
    stdin.rewind()?;
    let client = client.stdin_file(stdin).stdout_file(stdout.try_clone()?);
    let client = client.stderr_file(stderr.try_clone()?).unchecked();
    Ok((client.start()?, stdout, stderr))
}

/// Creates an anonymous file in memory.
fn memory_file() -> io::Result<File> {
    Ok(memfd_create("stream", MemfdFlags::CLOEXEC)?.into())
}

/// Reads a file from its beginning, as text.
fn written(mut file: File) -> io::Result<String> {
    let mut bytes = vec![];
    file.rewind()?;
    file.take(MOST_BYTES).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Error context for a program that cannot be started.
pub fn starting(argv: &[impl AsRef<str>]) -> String {
    format!("starting `{}`", argv[0].as_ref())
}

/// Waits for the end of a process. Returns false after the timeout.
///
/// # Errors
/// Those of `has_ended`.
pub fn wait_within(
    patience: Duration,
    mut has_ended: impl FnMut() -> io::Result<bool>,
) -> io::Result<bool> {
    let end = Instant::now() + patience;
    while !has_ended()? {
        if Instant::now() >= end {
            return Ok(false);
        }
        thread::sleep(Duration::from_millis(2));
    }
    Ok(true)
}

/// Runs two functions at the same time, or one after the other if no thread can be started.
pub fn both<A, B: Send>(one: impl FnOnce() -> A, other: impl Fn() -> B + Send + Sync) -> (A, B) {
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

/// Whether a program is on PATH.
pub fn is_on_path(name: &str) -> bool {
    find_on_path(name).is_some()
}

/// As [`program`], without secrets in the environment, and without content trust for `--pull never`:
/// images built here are not signed.
///
/// # Errors
/// As [`program`].
pub fn command(argv: &[impl AsRef<str>]) -> anyhow::Result<Command> {
    let mut command = program(argv)?;
    for name in SECRETS {
        command.env_remove(name);
    }
    if argv.windows(2).any(|words| words[0].as_ref() == "--pull" && words[1].as_ref() == "never") {
        command.env_remove(CONTENT_TRUST);
    }
    Ok(command)
}

/// As [`command`], as an expression of duct.
fn client(argv: &[impl AsRef<str>]) -> anyhow::Result<duct::Expression> {
    let command = command(argv)?;
    let name = argv[0].as_ref().to_owned();
    let hidden: Vec<_> = command.get_envs().map(|(name, _)| name.to_owned()).collect();
    let client = duct::cmd(command.get_program(), command.get_args());
    Ok(client.before_spawn(move |child| {
        child.arg0(&name).process_group(0);
        for name in &hidden {
            child.env_remove(name);
        }
        Ok(())
    }))
}

/// The command in its own process group, so that Ctrl-C reaches this program alone.
///
/// # Errors
/// When the program is not on PATH.
pub fn program(argv: &[impl AsRef<str>]) -> anyhow::Result<Command> {
    let [name, args @ ..] = argv else { bail!("an empty command") };
    let name = name.as_ref();
    let program = find_on_path(name)
        .with_context(|| format!("`{name}` is not on PATH; install it, or correct PATH"))?;
    let mut command = Command::new(program);
    command.arg0(name).args(args.iter().map(AsRef::as_ref)).process_group(0);
    Ok(command)
}

/// Looks up a program on PATH. Starting one by its path is faster by a third (measured).
pub(crate) fn find_on_path(name: &str) -> Option<PathBuf> {
    let env = Environment::of_process();
    find(name, env.get("PATH").map_or(OsStr::new(""), OsString::as_os_str))
}

/// Looks up `name` in the folders of `path`. A name with a slash is a path already.
fn find(name: &str, path: &OsStr) -> Option<PathBuf> {
    if name.contains('/') {
        return Some(name.into());
    }
    std::env::split_paths(path)
        .map(|folder| folder.join(name))
        .find(|program| program.is_file() && access(program, Access::EXEC_OK).is_ok())
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt as _, path::Path, time::Duration};

    use super::{Captured, ask, ask_within, both, capture_with_input, find};

    #[test]
    fn first_executable_on_path_is_taken() {
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
    fn captured_program_keeps_its_name_and_exit_code() {
        let said = ask(&["sh", "-c", "echo $0; echo why >&2; exit 3"]).unwrap();
        assert_eq!((said.code, said.stdout.as_str(), said.stderr.as_str()), (3, "sh\n", "why\n"));
        let missing = ask(&["no-such-program"]).unwrap_err().to_string();
        assert!(missing.contains("`no-such-program` is not on PATH"), "{missing}");
    }

    #[test]
    fn program_is_killed_after_its_timeout() {
        let error = ask_within(&["sh", "-c", "sleep 600"], Duration::from_millis(50)).unwrap_err();
        assert!(error.to_string().starts_with("`sh` has not answered"), "{error}");
    }

    #[test]
    fn background_process_does_not_delay_the_answer() {
        let said = ask(&["sh", "-c", "sleep 600 & echo a $!"]).unwrap();
        let pid = said.stdout.trim().strip_prefix("a ").unwrap();
        assert_eq!(ask(&["kill", pid]).unwrap().code, 0);
    }

    #[test]
    fn standard_error_is_shown_on_one_line() {
        let said = Captured {
            code: 1,
            stdout: String::new(),
            stderr: "docker: a\u{1b}[2J\n\n  see 'docker run --help'\n".to_owned(),
        };
        assert_eq!(said.complaint(), "docker: a\\u{1b}[2J | see 'docker run --help'");
        assert_eq!(Captured { stderr: "\n".to_owned(), ..said }.complaint(), "it said nothing");
    }

    #[test]
    fn both_functions_return_their_value() {
        assert_eq!(both(|| 1, || "two"), (1, "two"));
    }

    #[test]
    fn program_may_leave_its_input_unread() {
        let input = [b"a\0\xff\n".as_slice(), &[b'x'; 1 << 20]].concat();
        let said = capture_with_input(&["wc", "-c"], &input).unwrap();
        assert_eq!((said.code, said.stdout.trim()), (0, "1048580"));
        assert_eq!(capture_with_input(&["false"], &input).unwrap().code, 1);
    }
}
