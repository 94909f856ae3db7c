//! The one door to other programs; only the reaper, which is this program again, has its own.

use std::{
    ffi::OsStr, os::unix::process::CommandExt as _, path::PathBuf, process::Output, time::Duration,
};

use anyhow::{Context as _, bail};
use rustix::{
    fs::{Access, access},
    process::{Pid, Signal, kill_process_group},
};
use untrusted::escape;

/// How long an engine has for an answer that usually takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(30);

/// Lines of a complaint that are shown.
const MOST_LINES: usize = 20;

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

/// Runs a command to its end, without input, and keeps what it says.
///
/// # Errors
/// When the program cannot be started. Its exit code is the caller's to judge.
pub(crate) fn capture(argv: &[impl AsRef<str>]) -> anyhow::Result<Captured> {
    capture_with_env(argv, [])
}

/// [`capture`] for a question that an engine answers in a moment. One that does not hangs.
///
/// # Errors
/// When there is no answer within [`PATIENCE`], and as [`capture`].
pub(crate) fn ask(argv: &[impl AsRef<str>]) -> anyhow::Result<Captured> {
    let handle = start(argv)?;
    let asking = || format!("waiting for `{}`", argv[0].as_ref());
    if let Some(output) = handle.wait_timeout(PATIENCE).with_context(asking)? {
        return Ok(Captured::of(output));
    }
    end(&handle);
    let asked = argv.iter().take_while(|word| !word.as_ref().starts_with('-'));
    let asked = asked.map(AsRef::as_ref).collect::<Vec<_>>().join(" ");
    bail!(
        "`{asked}` has not answered for {} seconds, and was ended: its daemon hangs, or the machine \
         does; look at the daemon's log, or start it anew",
        PATIENCE.as_secs()
    )
}

/// Ends a client that was [`start`]ed, and what it has started.
pub(crate) fn end(handle: &duct::Handle) {
    for pid in handle.pids() {
        if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
            // One that ends just now is as good.
            let _ = kill_process_group(pid, Signal::KILL);
        }
    }
}

/// [`capture`] with variables on top of ours.
///
/// # Errors
/// As [`capture`].
pub(crate) fn capture_with_env<'a>(
    argv: &[impl AsRef<str>],
    env: impl IntoIterator<Item = (&'a str, String)>,
) -> anyhow::Result<Captured> {
    let command =
        env.into_iter().fold(command(argv)?, |command, (name, value)| command.env(name, value));
    captured(argv[0].as_ref(), &command.stdin_null())
}

/// [`capture`] with `input` for it to read. That it ends before it has read everything is no error.
///
/// # Errors
/// As [`capture`].
pub(crate) fn capture_with_input(
    argv: &[impl AsRef<str>],
    input: Vec<u8>,
) -> anyhow::Result<Captured> {
    captured(argv[0].as_ref(), &command(argv)?.stdin_bytes(input))
}

fn captured(name: &str, command: &duct::Expression) -> anyhow::Result<Captured> {
    let output = listened(command).run().with_context(|| format!("starting `{name}`"))?;
    Ok(Captured::of(&output))
}

/// Starts what [`capture`] runs to its end.
///
/// # Errors
/// As [`capture`].
pub(crate) fn start(argv: &[impl AsRef<str>]) -> anyhow::Result<duct::Handle> {
    let command = command(argv)?.stdin_null();
    listened(&command).start().with_context(|| format!("starting `{}`", argv[0].as_ref()))
}

fn listened(command: &duct::Expression) -> duct::Expression {
    command.stdout_capture().stderr_capture().unchecked()
}

/// Whether there is a program of this name.
pub(crate) fn is_on_path(name: &str) -> bool {
    find(name, &std::env::var_os("PATH").unwrap_or_default()).is_some()
}

/// The command as an expression, in a process group of its own: the terminal's Ctrl-C is for us
/// to pass on, and our questions are to be answered even then.
///
/// # Errors
/// When the program is not on PATH.
pub(crate) fn command(argv: &[impl AsRef<str>]) -> anyhow::Result<duct::Expression> {
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

    use super::{Captured, capture, capture_with_input, find};

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
        let said = capture(&["sh", "-c", "echo $0; echo why >&2; exit 3"]).unwrap();
        assert_eq!((said.code, said.stdout.as_str(), said.stderr.as_str()), (3, "sh\n", "why\n"));
        let missing = capture(&["no-such-program"]).unwrap_err().to_string();
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
    fn a_program_reads_its_input_or_leaves_it() {
        let input = [b"a\0\xff\n".as_slice(), &[b'x'; 1 << 20]].concat();
        let said = capture_with_input(&["wc", "-c"], input.clone()).unwrap();
        assert_eq!((said.code, said.stdout.trim()), (0, "1048580"));
        assert_eq!(capture_with_input(&["false"], input).unwrap().code, 1);
    }
}
