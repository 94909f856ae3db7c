//! Masks token files below the mounts, so that the container reads them as empty.

use std::path::Path;

use host::{exit::Usage, paths::host_path::HostPath};
use hub::boundary::Secret;
use serde::Serialize;

use super::parts::{Access, Input, InputBy, Mount};

/// A file below a mount that the container sees as empty.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MaskedFile {
    /// Path in the container.
    pub target: String,
    /// Why it is masked.
    pub reason: String,
}

/// The token files to mask, under every mount that contains them.
pub(super) fn masked_files(
    secrets: &[Secret],
    mounts: &[Mount],
    inputs: &[Input],
) -> Vec<MaskedFile> {
    let own = mounts.iter().map(|mount| (&mount.source, mount.target));
    let inputs = inputs.iter().filter(|input| input.by == InputBy::OwnMount);
    let places = own.chain(inputs.map(|input| (&input.source, input.target.as_str())));
    let masked = places.flat_map(|(source, target)| {
        let below = secrets.iter().filter(move |secret| secret.folder == *source);
        below.map(move |secret| MaskedFile {
            target: format!("{target}/{}", secret.below),
            reason: "hides a token in your folders from the benchmark".to_owned(),
        })
    });
    masked.collect()
}

/// A folder between the root of a mount and a token file, mounted over itself. A mount point cannot be
/// renamed, so the container cannot move the token to a path that a later run does not mask.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PinnedFolder {
    /// Path on the host.
    pub source: HostPath,
    /// Path in the container.
    pub target: String,
    /// Why it is pinned.
    pub reason: String,
}

/// The folders on the way to masked token files, outermost first.
///
/// # Errors
/// When no engine can mount the path of such a folder.
pub(super) fn pinned_folders(
    secrets: &[Secret],
    mounts: &[Mount],
) -> Result<Vec<PinnedFolder>, Usage> {
    let mut pinned: Vec<PinnedFolder> = vec![];
    for mount in mounts.iter().filter(|mount| mount.access == Access::ReadWrite) {
        let below = secrets.iter().filter(|secret| secret.folder == mount.source);
        let folders = below.flat_map(|Secret { below, .. }| {
            below.match_indices('/').map(move |(end, _)| &below[..end])
        });
        for at in folders {
            let source = mount.source.as_path().join(at);
            pinned.push(PinnedFolder {
                source: HostPath::new("folder of a token", &source, Path::new("/"))?,
                target: format!("{}/{at}", mount.target),
                reason: "holds a token, and cannot be renamed away from its cover like this"
                    .to_owned(),
            });
        }
    }
    pinned.sort_by(|one, other| one.target.cmp(&other.target));
    pinned.dedup();
    Ok(pinned)
}
