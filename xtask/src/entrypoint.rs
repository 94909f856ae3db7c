//! Builds the static program that every image and the host engine start.

mod sources;
mod toolchain;

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use host::output::terminal;
use tempfile::NamedTempFile;
use xshell::{Cmd, Shell};

use self::toolchain::{FLAGS, Toolchain};
use crate::{atomic_file, cargo, workspace};

/// The program as this tree builds it.
#[derive(Debug)]
pub(crate) struct Entrypoint {
    toolchain: Toolchain,
    /// Digest of everything that the program is built from.
    pub(crate) digest: String,
}

impl Entrypoint {
    /// Reads the sources and the version of the compiler. Builds nothing.
    ///
    /// # Errors
    /// When a source cannot be read, or `rustc` or cargo fails.
    pub(crate) fn read() -> anyhow::Result<Self> {
        let sh = workspace::shell()?;
        let toolchain = Toolchain::read(&sh)?;
        let digest = sources::digest(workspace::root(), &sources::list(&sh)?, &toolchain)?;
        Ok(Self { toolchain, digest })
    }

    /// Returns the path of the program. Builds it first if its sources have changed.
    ///
    /// # Errors
    /// When the build fails.
    pub(crate) fn ensure(&self) -> anyhow::Result<PathBuf> {
        let Self { toolchain, digest } = self;
        let program = workspace::target()?.join("entrypoint").join(contract::ENTRYPOINT);
        let built_from = program.with_extension("inputs");
        let up_to_date = fs::read_to_string(&built_from).is_ok_and(|known| known == *digest);
        if up_to_date && program.is_file() {
            return Ok(program);
        }
        terminal::say(format_args!(
            "building the static `{}`; the first time takes minutes",
            contract::ENTRYPOINT
        ));
        let sh = workspace::shell()?;
        let built = cargo::build(command(&sh, "build", toolchain), contract::ENTRYPOINT)?;
        install(&built, &program)?;
        atomic_file::write(&built_from, digest.as_bytes())?;
        Ok(program)
    }
}

/// Lints and tests the program with the flags of its build, including its `native` backend and the
/// tests that need a real model.
///
/// # Errors
/// When a lint or a test fails.
pub(crate) fn lint_and_test() -> anyhow::Result<()> {
    let sh = workspace::shell()?;
    let toolchain = Toolchain::read(&sh)?;
    let lint = ["--all-targets", "--", "--deny", "warnings"];
    for (task, args) in [("clippy", lint.as_slice()), ("test", &["--", "--include-ignored"])] {
        let target = workspace::target()?;
        let command = command(&sh, task, &toolchain).arg("--target-dir").arg(target).args(args);
        terminal::say(format_args!("$ {command}"));
        command.quiet().run()?;
    }
    Ok(())
}

/// `cargo TASK` for the program as images contain it.
fn command<'a>(sh: &'a Shell, task: &str, toolchain: &Toolchain) -> Cmd<'a> {
    cargo::cargo(sh)
        .arg(task)
        .args(toolchain.arguments())
        // This variable overrides the caller's RUSTFLAGS, which the digest does not cover. Build
        // scripts do not see it.
        .env("CARGO_ENCODED_RUSTFLAGS", FLAGS.join("\x1f"))
}

/// Replaces the installed program atomically, because it may be running.
fn install(built: &Path, program: &Path) -> anyhow::Result<()> {
    let copy = || -> std::io::Result<()> {
        let folder = program.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder)?;
        let temporary = NamedTempFile::new_in(folder)?;
        fs::copy(built, temporary.path())?;
        temporary.persist(program)?;
        Ok(())
    };
    copy().with_context(|| format!("copying `{}` to `{}`", built.display(), program.display()))
}
