//! The folders of a run: there, and allowing what a run needs.

use std::{fs, os::unix::fs::MetadataExt as _};

use host::{machine::Host, paths::host_path::HostPath};
use ownership::folders::{Need, prepare_folder};

use super::Finding;

/// Looks at a folder as a run does, which makes it if it is missing.
pub(super) fn check(
    check: &'static str,
    what: &str,
    path: &HostPath,
    host: &Host,
    need: Need,
) -> Finding {
    match prepare_folder(what, path, host, need) {
        Err(error) => return Finding::error(check, path.as_str(), format!("{error:#}")),
        Ok(Some(doubt)) => return Finding::warning(check, path.as_str(), doubt),
        Ok(None) => {}
    }
    match fs::metadata(path.as_path()) {
        Ok(data) if data.uid() == host.uid => {
            Finding::ok(check, path.as_str(), "yours, readable and writable".to_owned())
        }
        Ok(data) => {
            let text = format!(
                "writable, but it belongs to uid {}, who may close it; a folder of yours is safer",
                data.uid()
            );
            Finding::warning(check, path.as_str(), text)
        }
        Err(error) => Finding::error(check, path.as_str(), error.to_string()),
    }
}
