//! The compiler, and what it is asked for: part of what an image is built from.

use anyhow::{Context as _, bail};
use xshell::{Shell, cmd};

use crate::workspace;

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
