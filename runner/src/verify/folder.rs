//! Check of a folder: it exists, belongs to the user and grants access.

use std::{fs, os::unix::fs::MetadataExt as _};

use host::{machine::Host, paths::host_path::HostPath};
use ownership::folders::{Need, prepare_folder};

use super::Finding;

/// Checks a folder, and creates it if it is missing, as a run does.
pub(super) fn check(
    check: &'static str,
    what: &str,
    path: &HostPath,
    host: &Host,
    need: Need,
) -> Finding {
    match prepare_folder(what, path, host, need) {
        Err(error) => return Finding::error(check, path.as_str(), format!("{error:#}")),
        Ok(Some(warning)) => return Finding::warning(check, path.as_str(), warning),
        Ok(None) => {}
    }
    match fs::metadata(path.as_path()) {
        Ok(data) if data.uid() == host.uid => {
            Finding::ok(check, path.as_str(), "yours, readable and writable".to_owned())
        }
        Ok(data) => {
            let text = format!(
                "writable, but it belongs to uid {}, who may close it; your own folder is safer",
                data.uid()
            );
            Finding::warning(check, path.as_str(), text)
        }
        Err(error) => Finding::error(check, path.as_str(), error.to_string()),
    }
}
