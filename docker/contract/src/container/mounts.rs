//! Check of a container's mounts: the engine's daemon may run on another machine, or see other file
//! systems than the runner.

use serde::{Deserialize, Serialize};

/// Bytes of the longest list of mounts.
pub const MAX_LIST_BYTES: u64 = 1 << 20;

/// Most entries of a mount that are compared.
pub const MAX_SAMPLES: usize = 16;

/// The file with the id of a kernel's boot. A container sees the id of the kernel it runs on.
pub const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// The mounts as the runner sees them. The list lies in the results folder, so finding it proves
/// that one mount, and [`FOLDERS`](crate::env::FOLDERS) names it. The entrypoint deletes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MountList {
    /// Boot id of the runner's kernel, from [`BOOT_ID`].
    pub kernel: Option<String>,
    /// The mounts besides the results folder.
    pub mounts: Vec<ExpectedMount>,
}

/// A mount, as the runner sees its source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExpectedMount {
    /// Path in the container.
    pub target: String,
    /// Device number of the file system.
    pub device: u64,
    /// Inode number.
    pub inode: u64,
    /// Some of the entries below.
    pub samples: Vec<Sample>,
}

/// An entry of a mount, or the mount itself if that is a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sample {
    /// Path below the mount; empty if the mount is a file.
    pub path: String,
    /// Size in bytes and time of modification in seconds since 1970; `None` for a folder.
    pub file: Option<(u64, i64)>,
}

/// The entrypoint's answer, which replaces the [`MountList`] when mounts differ.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mismatch {
    /// Targets of the mounts that are other folders in the container.
    pub different: Vec<String>,
}

/// A mount, as the container sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActualMount {
    /// Device number of the file system.
    pub device: u64,
    /// Inode number.
    pub inode: u64,
    /// The expected samples that were found unchanged.
    pub found: Vec<Sample>,
}

impl ExpectedMount {
    /// Whether the container sees the same folder. Under one kernel, equal device and inode numbers
    /// prove it. Some file systems have several device numbers, so files count as well: half of
    /// them are enough, because another process may be writing to a cache.
    pub fn matches(&self, actual: &ActualMount, same_kernel: Option<bool>) -> bool {
        let same_kernel = same_kernel == Some(true);
        if same_kernel && (self.device, self.inode) == (actual.device, actual.inode) {
            return true;
        }
        let files = |samples: &[Sample]| samples.iter().filter(|it| it.file.is_some()).count();
        match files(&self.samples) {
            0 => !same_kernel && actual.found.len() == self.samples.len(),
            expected => files(&actual.found) * 2 >= expected,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{ActualMount, ExpectedMount, Sample};

    fn file(path: &str, size: u64) -> Sample {
        Sample { path: path.to_owned(), file: Some((size, 7)) }
    }

    fn folder(path: &str) -> Sample {
        Sample { path: path.to_owned(), file: None }
    }

    #[test]
    fn equal_numbers_under_one_kernel_match() {
        let expected = ExpectedMount { target: "/t".into(), device: 1, inode: 2, samples: vec![] };
        let actual = |inode| ActualMount { device: 1, inode, found: vec![] };
        assert!(expected.matches(&actual(2), Some(true)));
        assert!(!expected.matches(&actual(3), Some(true)), "an empty folder proves nothing");
        assert!(
            expected.matches(&actual(3), Some(false)) && expected.matches(&actual(3), None),
            "another kernel's number"
        );
    }

    #[test]
    fn half_of_the_files_match_where_numbers_differ() {
        let samples = vec![folder("hub"), file("a", 1), file("b", 2), file("c", 3)];
        let expected = ExpectedMount { target: "/t".into(), device: 1, inode: 2, samples };
        let actual = |found: &[Sample]| ActualMount { device: 9, inode: 9, found: found.to_vec() };
        for same_kernel in [Some(true), Some(false), None] {
            let is = |found: &[Sample]| expected.matches(&actual(found), same_kernel);
            assert!(is(&[file("a", 1), file("b", 2)]), "one was removed meanwhile");
            assert!(!is(&[folder("hub"), file("a", 1)]), "any folder may have that name");
            assert!(!is(&[]));
        }
        let expected = ExpectedMount { samples: vec![folder("hub")], ..expected };
        assert!(
            expected.matches(&actual(&[folder("hub")]), Some(false))
                && !expected.matches(&actual(&[]), Some(false))
        );
        assert!(!expected.matches(&actual(&[folder("hub")]), Some(true)));
    }
}
