//! The root of this workspace.

use std::path::Path;

/// The top folder of this workspace.
pub(crate) fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("a package lies one folder below the root")
}
