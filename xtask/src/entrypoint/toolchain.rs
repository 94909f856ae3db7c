//! The Rust compiler and the options that the static program is built with.

use anyhow::{Context as _, bail};
use xshell::{Shell, cmd};

/// The package of the program.
pub(super) const PACKAGE: &str = "entrypoint";

/// The compiler's version and target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Toolchain {
    /// The output of `rustc -vV`.
    pub(super) version: String,
    /// The target triple.
    triple: String,
}

impl Toolchain {
    /// Asks `rustc` for its version.
    ///
    /// # Errors
    /// When `rustc` fails, or does not build for Linux.
    pub(super) fn read(sh: &Shell) -> anyhow::Result<Self> {
        let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
        let version = cmd!(sh, "{rustc} -vV").read().context("asking rustc for its version")?;
        Self::parse(version)
    }

    pub(super) fn parse(version: String) -> anyhow::Result<Self> {
        let triple = version.lines().find_map(|line| line.strip_prefix("host: "));
        let triple = triple.context("`rustc -vV` names no host")?.to_owned();
        if !triple.contains("-linux-") {
            bail!("containers need a Linux program, and this is `{triple}`; use a Linux machine");
        }
        Ok(Self { version, triple })
    }

    /// Options for cargo.
    pub(super) fn arguments(&self) -> [&str; 8] {
        let triple = self.triple.as_str();
        ["--locked", "--release", "--package", PACKAGE, "--features", "native", "--target", triple]
    }
}

/// Options for the compiler. A static program needs no library of the image. The inference library
/// detects vector instructions at run time, so one program serves every processor.
pub(super) const FLAGS: [&str; 1] = ["-Ctarget-feature=+crt-static"];

#[cfg(test)]
mod tests {
    use super::Toolchain;

    #[test]
    fn target_is_the_host_of_rustc_and_must_be_linux() {
        let parse =
            |triple: &str| Toolchain::parse(format!("rustc 1.90.0\nhost: {triple}\nrelease: 1"));
        let arm = parse("aarch64-unknown-linux-gnu").unwrap();
        assert_eq!(arm.triple, "aarch64-unknown-linux-gnu");
        insta::assert_snapshot!(parse("aarch64-apple-darwin").unwrap_err(), @"containers need a Linux program, and this is `aarch64-apple-darwin`; use a Linux machine");
    }
}
