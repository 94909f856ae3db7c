//! Whose an entry is, and whether it may be given to somebody else.

use std::path::Path;

use contract::give_back::Grouped;
use untrusted::{Dir, Kind, Stamp};

use crate::subids::Ids;

/// Why an entry that is not the user's is left alone.
pub(crate) fn leave(entry: &Stamp, ids: &Ids) -> Option<String> {
    let owner = entry.uid;
    if !ids.is_container(owner) {
        return Some(format!(
            "it belongs to uid {owner}, who is neither root nor a container of yours; if it should \
             be yours, `sudo chown -h {}` makes it so",
            ids.user
        ));
    }
    if entry.kind == Kind::Device {
        return Some("it is a device, which its owner could read and write; delete it".to_owned());
    }
    (entry.kind != Kind::Folder && entry.links > 1).then(|| {
        format!(
            "it has {} names (hard links), and the others may lie outside of the folder; put a \
             copy in its place, which will be yours",
            entry.links
        )
    })
}

/// The group that users share the entry at `path` of `folder` by, if they do: the same one that the
/// container finds.
pub(crate) fn shared_group(folder: &Dir, path: &Path) -> Option<u32> {
    let look = |path: &Path| {
        let stamp = folder.look(path).ok()?;
        Some(Grouped { mode: stamp.mode, gid: stamp.gid })
    };
    look(path)?.shared(path.parent().and_then(look))
}
