//! The static program of every image and of the host engine: built once, used by both.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};
use runner::{atomic_file, terminal};
use tempfile::NamedTempFile;
use xshell::{Cmd, Shell, cmd};

use super::inputs::program_digest;
use crate::{cargo, workspace};

/// The compiler, as far as it decides over the program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Toolchain {
    /// All that `rustc -vV` says.
    pub(super) version: String,
    /// What it builds for.
    pub(super) triple: String,
}

impl Toolchain {
    /// Asks `rustc`.
    ///
    /// # Errors
    /// When it does not answer, or builds for another system than Linux.
    pub(super) fn read() -> anyhow::Result<Self> {
        let sh = Shell::new()?;
        sh.change_dir(workspace::root());
        let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
        let version = cmd!(sh, "{rustc} -vV").read().context("asking rustc for its version")?;
        Self::parse(version)
    }

    fn parse(version: String) -> anyhow::Result<Self> {
        let triple = version.lines().find_map(|line| line.strip_prefix("host: "));
        let triple = triple.context("`rustc -vV` names no host")?.to_owned();
        if !triple.contains("-linux-") {
            bail!("containers need a Linux program, and this is `{triple}`; use a Linux machine");
        }
        Ok(Self { version, triple })
    }
}

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

/// What cargo is asked for.
pub(super) fn arguments(toolchain: &Toolchain) -> Vec<String> {
    ["--locked", "--release", "--package", "entrypoint", "--features", "native"]
        .into_iter()
        .chain(["--target", &toolchain.triple])
        .map(str::to_owned)
        .collect()
}

/// What the compiler is told: a program that needs no library of the image. Its inference library
/// looks for vector instructions when it runs, so one program serves every processor.
pub(super) const FLAGS: [&str; 1] = ["-Ctarget-feature=+crt-static"];

#[cfg(test)]
mod tests {
    use super::Toolchain;

    #[test]
    fn the_host_is_what_rustc_builds_for() {
        let parse =
            |triple: &str| Toolchain::parse(format!("rustc 1.90.0\nhost: {triple}\nrelease: 1"));
        let arm = parse("aarch64-unknown-linux-gnu").unwrap();
        assert_eq!(arm.triple, "aarch64-unknown-linux-gnu");
        insta::assert_snapshot!(parse("aarch64-apple-darwin").unwrap_err(), @"containers need a Linux program, and this is `aarch64-apple-darwin`; use a Linux machine");
    }
}
