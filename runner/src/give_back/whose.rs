//! Whose an entry is, and whether it may be given to somebody else.

use std::{
    fs::{self, Metadata},
    ops::Range,
    os::unix::fs::{FileTypeExt as _, MetadataExt as _},
    path::Path,
};

use contract::give_back::Grouped;

/// Ids by which an entry is judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ids {
    /// The user's.
    pub(crate) user: u32,
    /// Those that containers run under.
    pub(crate) container: Vec<Range<u32>>,
}

impl Ids {
    /// Those of this machine, for `user`.
    pub(crate) fn of_this_machine(user: u32) -> Self {
        let text = fs::read_to_string("/etc/subuid").unwrap_or_default();
        Self { user, container: parse_subids(&text) }
    }
}

/// Why an entry that is not the user's is left alone.
pub(crate) fn leave(data: &Metadata, ids: &Ids) -> Option<String> {
    let (owner, kind) = (data.uid(), data.file_type());
    let is_container = owner == 0 || ids.container.iter().any(|range| range.contains(&owner));
    if !is_container {
        return Some(format!(
            "it belongs to uid {owner}, who is neither root nor a container; if it should be \
             yours, `sudo chown -h {}` makes it so",
            ids.user
        ));
    }
    if kind.is_block_device() || kind.is_char_device() {
        return Some("it is a device, which its owner could read and write; delete it".to_owned());
    }
    (!data.is_dir() && data.nlink() > 1).then(|| {
        format!(
            "it has {} names (hard links), and the others may lie outside of the folder; put a \
             copy in its place, which will be yours",
            data.nlink()
        )
    })
}

/// The group that users share the entry at `path` of `folder` by, if they do: the same one that the
/// container finds.
pub(crate) fn shared_group(folder: &Path, path: &Path) -> Option<u32> {
    let look = |path: &Path| {
        let data = fs::symlink_metadata(folder.join(path)).ok()?;
        Some(Grouped { mode: data.mode(), gid: data.gid() })
    };
    look(path)?.shared(path.parent().and_then(look))
}

/// Ranges of ids in the text of `/etc/subuid`.
fn parse_subids(text: &str) -> Vec<Range<u32>> {
    let range = |line: &str| {
        let mut fields = line.trim().rsplitn(3, ':');
        let count: u32 = fields.next()?.parse().ok()?;
        let first: u32 = fields.next()?.parse().ok()?;
        fields.next()?;
        // Below are people, whatever the file says.
        (first >= 65_536).then(|| first..first.saturating_add(count))
    };
    text.lines().filter_map(range).collect()
}

#[cfg(test)]
mod tests {
    use super::parse_subids;

    #[test]
    fn subordinate_ids_are_containers() {
        let text = "ada:100000:65536\n# a comment\n\ndockremap:165536:65536\nodd:1000:5\nx:1\n";
        assert_eq!(parse_subids(text), [100_000..165_536, 165_536..231_072]);
    }
}
