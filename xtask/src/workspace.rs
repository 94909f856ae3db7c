//! Where this workspace and its build folder are.

use std::path::{Path, PathBuf};

use anyhow::Context as _;

/// The folder of the top-level `Cargo.toml`.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies one folder below the root")
}

/// The build folder, `target` unless cargo was told otherwise: the one this program lies in.
///
/// # Errors
/// When the path of this program cannot be told.
pub(crate) fn target() -> anyhow::Result<PathBuf> {
    let program = std::env::current_exe().context("finding the build folder")?;
    let target = program.ancestors().nth(2).context("this program lies in no build folder")?;
    Ok(target.to_owned())
}
