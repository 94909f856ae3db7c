//! Where the files of a run lie that are no results: its secrets, and its container's id.

use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};

use crate::{exit::Usage, host::Host, host_path::HostPath, run_id::PREFIX};

/// A file that a run makes: in the user's own folder for such, where there is one that lies in none
/// of `apart`. What `su` or a container hands on may name somebody else's.
///
/// # Errors
/// When no engine can mount its path.
pub(crate) fn file_of_run(
    host: &Host,
    run_id: &str,
    what: &str,
    apart: &[PathBuf],
) -> Result<HostPath, Usage> {
    let is_apart = |folder: &Path| {
        let real = folder.canonicalize().ok();
        real.is_some_and(|real| !apart.iter().any(|other| real.starts_with(other)))
    };
    let serves = |folder: &String| {
        let folder = Path::new(folder);
        folder.is_absolute()
            && folder.is_dir()
            && access(folder, Access::WRITE_OK | Access::EXEC_OK).is_ok()
            && is_apart(folder)
    };
    let named = ["XDG_RUNTIME_DIR", "TMPDIR"].into_iter().filter_map(|name| host.env.text(name));
    let folder = named.into_iter().find(serves).unwrap_or_else(|| "/tmp".to_owned());
    let file = Path::new(&folder).join(format!("{PREFIX}{run_id}-{what}"));
    HostPath::new("file of the run", &file, &host.cwd)
}
