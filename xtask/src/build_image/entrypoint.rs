//! The static program of every image and of the host engine: built once, used by both.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use host::{atomic_file, output::terminal};
use tempfile::NamedTempFile;
use xshell::{Cmd, Shell};

use super::{
    inputs::program_digest,
    toolchain::{FLAGS, Toolchain, arguments},
};
use crate::{cargo, workspace};

/// Builds the program, if its sources have changed, and tells where it is.
///
/// # Errors
/// When it cannot be built.
pub(crate) fn ensure_entrypoint() -> anyhow::Result<PathBuf> {
    let toolchain = Toolchain::read()?;
    let digest = program_digest(workspace::root(), &toolchain)?;
    let program = workspace::target()?.join("entrypoint").join(contract::ENTRYPOINT);
    let built_from = program.with_extension("inputs");
    let up_to_date = fs::read_to_string(&built_from).is_ok_and(|known| known == digest);
    if up_to_date && program.is_file() {
        return Ok(program);
    }
    terminal::say(format_args!(
        "building the static `{}`; the first time takes minutes",
        contract::ENTRYPOINT
    ));
    let sh = Shell::new()?;
    sh.change_dir(workspace::root());
    let command = cargo_for_program(&sh, "build", &toolchain);
    install(&cargo::build(command, contract::ENTRYPOINT)?, &program)?;
    atomic_file::write(&built_from, digest.as_bytes())?;
    Ok(program)
}

/// Lints and tests the program with the flags that it is built with, its `native` backend and the
/// tests of the real model included.
///
/// # Errors
/// When a lint or a test fails.
pub(crate) fn test_entrypoint() -> anyhow::Result<()> {
    let toolchain = Toolchain::read()?;
    let sh = Shell::new()?;
    sh.change_dir(workspace::root());
    let lint = ["--all-targets", "--", "--deny", "warnings"];
    for (task, args) in [("clippy", lint.as_slice()), ("test", &["--", "--include-ignored"])] {
        let command = cargo_for_program(&sh, task, &toolchain);
        let target = workspace::target()?;
        let command = command.arg("--target-dir").arg(target).args(args);
        terminal::say(format_args!("$ {command}"));
        command.quiet().run()?;
    }
    Ok(())
}

/// `cargo TASK` for the program as it is built for images.
fn cargo_for_program<'a>(sh: &'a Shell, task: &str, toolchain: &Toolchain) -> Cmd<'a> {
    cargo::cargo(sh)
        .arg(task)
        .args(arguments(toolchain))
        // These win over all other flags, so that only the digest's own count; build scripts
        // do not see them.
        .env("CARGO_ENCODED_RUSTFLAGS", FLAGS.join("\x1f"))
}

/// Copies a program to its place, where it may be running: whole or not at all.
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
