//! Supplementary groups that a container needs.

use std::{collections::BTreeSet, path::Path};

use untrusted::{Dir, Found};

use crate::machine::Host;

/// Depth of the search in a mounted folder: HuggingFace home, Hub cache, repos.
const DEPTH: usize = 2;

/// Supplementary groups of the user that own one of these folders or entries at their top.
pub fn that_own<'a>(folders: impl Iterator<Item = &'a Path>, host: &Host) -> Vec<u32> {
    if host.groups.is_empty() {
        return vec![];
    }
    let mut owners = BTreeSet::new();
    for folder in folders {
        // Another check reports an unreadable folder.
        let Ok(dir) = Dir::open(folder) else { continue };
        owners.extend(dir.look("").map(|stamp| stamp.gid));
        dir.walk(DEPTH, |found| {
            if let Found::Entry { stamp, .. } = found {
                owners.insert(stamp.gid);
            }
            true
        });
    }
    owners.retain(|gid| *gid != host.gid && host.groups.contains(gid));
    owners.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::MetadataExt as _};

    use super::that_own;
    use crate::{machine::Host, testing::host};

    #[test]
    fn supplementary_group_that_owns_a_mounted_folder_is_needed() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("hub/models--a")).unwrap();
        let gid = fs::metadata(folder.path()).unwrap().gid();
        let found = |groups: &[u32], own| {
            let host = Host { gid: own, groups: groups.to_vec(), ..host() };
            that_own([folder.path()].into_iter(), &host)
        };
        assert_eq!(found(&[gid, gid + 1], gid + 2), [gid]);
        assert_eq!(found(&[gid + 1], gid + 2), [0; 0]);
        assert_eq!(found(&[gid], gid), [0; 0]);
    }
}
