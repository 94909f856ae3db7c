//! The results folder.

use std::path::{Path, PathBuf};

use contract::env;

use crate::{
    exit::Usage,
    machine::Host,
    paths::{expand::expand, host_path::HostPath},
};

/// The results folder: `--results`, else `RESULTS_DIR`, else `./results`.
///
/// # Errors
/// When no engine can mount the path.
pub fn results_folder(asked: Option<PathBuf>, host: &Host) -> Result<HostPath, Usage> {
    let named = || {
        let named = host.env.get(env::RESULTS_DIR)?;
        Some(named.to_str().map_or_else(|| named.into(), |text| expand(text, host)))
    };
    let folder = asked.or_else(named).unwrap_or_else(|| Path::new("results").to_owned());
    HostPath::new("results folder", &folder, &host.cwd)
}
