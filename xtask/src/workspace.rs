//! Paths of this workspace and of its build folder.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use xshell::Shell;

/// The folder of the top-level `Cargo.toml`.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies one folder below the root")
}

/// The build folder that this program was built in: `target`, unless cargo was given another.
///
/// # Errors
/// When the path of this program is unknown.
pub(crate) fn target() -> anyhow::Result<PathBuf> {
    let program = std::env::current_exe().context("finding the build folder")?;
    let target = program.ancestors().nth(2).context("this program lies in no build folder")?;
    Ok(target.to_owned())
}

/// A shell in the root folder.
///
/// # Errors
/// When the working directory was deleted.
pub(crate) fn shell() -> anyhow::Result<Shell> {
    let sh = Shell::new()?;
    sh.change_dir(root());
    Ok(sh)
}
