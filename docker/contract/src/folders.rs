//! Whether a container sees the folders that its runner means: the engine's daemon may run on
//! another machine, or have other file systems than the runner.

use serde::{Deserialize, Serialize};

/// Bytes of the longest list of mounts.
pub const LONGEST: u64 = 1 << 20;

/// Entries of a mount that are compared at most.
pub const MOST_SAMPLES: usize = 16;

/// The file that tells which boot of a kernel this is. Containers see their kernel's.
pub const KERNEL: &str = "/proc/sys/kernel/random/boot_id";

/// What a runner knows of the mounts. It lies in the results folder, which proves that one, and
/// [`FOLDERS`](crate::env::FOLDERS) names it. The entrypoint deletes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// The runner's kernel, as [`KERNEL`] tells it.
    pub kernel: Option<String>,
    /// The mounts besides the results folder.
    pub mounts: Vec<ToldMount>,
}

/// A mount, as the runner sees its source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToldMount {
    /// Where it is in the container.
    pub target: String,
    /// Number of its file system.
    pub device: u64,
    /// Its number there.
    pub inode: u64,
    /// Some of what is in it.
    pub samples: Vec<Sample>,
}

/// An entry of a mount, or the mount itself if that is a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sample {
    /// Where, below the mount; empty for a file that is the mount.
    pub path: String,
    /// Bytes, and seconds since 1970 of its last change; none of a folder.
    pub file: Option<(u64, i64)>,
}

/// The entrypoint's answer, in the place of a [`Told`], where mounts differ.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// Targets of the mounts that are something else there.
    pub different: Vec<String>,
}

/// A mount, as the container sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Number of its file system.
    pub device: u64,
    /// Its number there.
    pub inode: u64,
    /// The samples that are there as they were told.
    pub found: Vec<Sample>,
}

impl ToldMount {
    /// Whether the container sees the same. Under one kernel the numbers tell; some file systems
    /// have several numbers, and then the files in it do. A cache that is being written meanwhile
    /// keeps half of them.
    pub fn is(&self, seen: &Seen, same_kernel: Option<bool>) -> bool {
        let same_kernel = same_kernel == Some(true);
        if same_kernel && (self.device, self.inode) == (seen.device, seen.inode) {
            return true;
        }
        let files = |samples: &[Sample]| samples.iter().filter(|it| it.file.is_some()).count();
        match files(&self.samples) {
            0 => !same_kernel && seen.found.len() == self.samples.len(),
            told => files(&seen.found) * 2 >= told,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Sample, Seen, ToldMount};

    fn file(path: &str, size: u64) -> Sample {
        Sample { path: path.to_owned(), file: Some((size, 7)) }
    }

    fn folder(path: &str) -> Sample {
        Sample { path: path.to_owned(), file: None }
    }

    #[test]
    fn same_numbers_under_one_kernel_are_the_same_folder() {
        let told = ToldMount { target: "/t".into(), device: 1, inode: 2, samples: vec![] };
        let seen = |inode| Seen { device: 1, inode, found: vec![] };
        assert!(told.is(&seen(2), Some(true)));
        assert!(!told.is(&seen(3), Some(true)), "an empty folder proves nothing");
        assert!(
            told.is(&seen(3), Some(false)) && told.is(&seen(3), None),
            "another kernel's number"
        );
    }

    #[test]
    fn files_tell_where_numbers_do_not() {
        let samples = vec![folder("hub"), file("a", 1), file("b", 2), file("c", 3)];
        let told = ToldMount { target: "/t".into(), device: 1, inode: 2, samples };
        let seen = |found: &[Sample]| Seen { device: 9, inode: 9, found: found.to_vec() };
        for same_kernel in [Some(true), Some(false), None] {
            let is = |found: &[Sample]| told.is(&seen(found), same_kernel);
            assert!(is(&[file("a", 1), file("b", 2)]), "one went meanwhile");
            assert!(!is(&[folder("hub"), file("a", 1)]), "a folder of this name is everywhere");
            assert!(!is(&[]));
        }
        let told = ToldMount { samples: vec![folder("hub")], ..told };
        assert!(told.is(&seen(&[folder("hub")]), Some(false)) && !told.is(&seen(&[]), Some(false)));
        assert!(!told.is(&seen(&[folder("hub")]), Some(true)));
    }
}
