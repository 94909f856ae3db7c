//! Layout of a Hub cache, as far as both sides read it.
//!
//! People replace folders of a repo by symlinks to spread a cache over disks. A container may do
//! the same, with a target of its choice. A folder behind a symlink is therefore opened only when
//! every entry has a name that belongs there.

pub mod data_files;
pub mod download;

use std::{
    error::Error,
    ffi::OsStr,
    fmt, io,
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
};

use untrusted::{Dir, Kind, Refused};

use crate::hex;

/// Folder of a repo with the contents of its files.
pub const BLOBS: &str = "blobs";
/// Folder of a repo with a tree of symlinks for each commit.
pub const SNAPSHOTS: &str = "snapshots";
/// Folder of a repo with the commit of each branch and tag.
pub const REFS: &str = "refs";
/// Folder of a repo with its lists of files.
pub const TREES: &str = "trees";
/// Folder of a repo with the names of files that the Hub does not have.
pub const NO_EXIST: &str = ".no_exist";
/// Folder of a repo with the damaged files that `cache verify` moved away.
pub const SET_ASIDE: &str = ".set-aside";
/// Folder of a cache with the contents that its repos share.
pub const STORE: &str = "blobs";

/// Bytes of the largest ref that is read. A ref holds the 40 digits of a commit.
pub const LARGEST_REF: u64 = 4096;

/// Files that operating systems leave in any folder. huggingface_hub ignores them, too.
const OF_SYSTEMS: [&str; 3] = [".DS_Store", "Thumbs.db", "desktop.ini"];

/// Whether an operating system left this file.
pub fn is_of_system(name: &OsStr) -> bool {
    OF_SYSTEMS.iter().any(|known| name == *known)
}

/// Whether an entry of this name belongs in the folder of a repo.
pub fn is_of_repo(name: &OsStr) -> bool {
    [BLOBS, SNAPSHOTS, REFS, TREES, NO_EXIST, SET_ASIDE].iter().any(|known| name == *known)
        || is_of_system(name)
}

/// Folders whose contents are known by their names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Folder of a repo.
    Repo,
    /// [`BLOBS`] of a repo.
    Blobs,
    /// [`SNAPSHOTS`] of a repo.
    Snapshots,
}

impl Part {
    /// Whether an entry of this name and kind belongs in such a folder.
    fn has(self, name: &OsStr, kind: Kind) -> bool {
        is_of_system(name)
            || match self {
                Self::Repo => is_of_repo(name),
                Self::Blobs => kind != Kind::Folder && is_of_blobs(name.as_bytes()),
                Self::Snapshots => {
                    matches!(kind, Kind::Folder | Kind::Link)
                        && hex::decode::<20>(name.as_bytes()).is_some()
                }
            }
    }
}

/// Error of a symlink to a folder with entries that do not belong there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stranger(Part);

impl Stranger {
    /// Whether this is the cause of `error`.
    pub fn is(error: &io::Error) -> bool {
        error.get_ref().is_some_and(|reason| reason.is::<Self>())
    }
}

impl fmt::Display for Stranger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = match self.0 {
            Part::Repo => "a repo",
            Part::Blobs => "blobs of a repo",
            Part::Snapshots => "snapshots of a repo",
        };
        write!(f, "it is a symlink to a folder that holds more than {part}, and was not read")
    }
}

impl Error for Stranger {}

/// Opens the folder `name` of `dir`. The second value is whether it is behind a symlink.
///
/// # Errors
/// When it is not found, permission is denied, it is not a folder, or it is a symlink to a folder
/// with other entries.
pub fn enter(dir: &Dir, name: impl AsRef<Path>, part: Part) -> io::Result<(Dir, bool)> {
    let name = name.as_ref();
    match dir.dir(name) {
        Err(error) if Refused::of(&error) == Some(Refused::Symlink) => {}
        opened => return Ok((opened?, false)),
    }
    let opened = dir.through(name)?;
    let mut is_part = true;
    opened.visit(|name, kind| is_part &= part.has(name, kind))?;
    if is_part { Ok((opened, true)) } else { Err(io::Error::other(Stranger(part))) }
}

/// The path below the cache that a symlink in a repo's `blobs` points to, if that is in [`STORE`].
pub fn in_store(text: &[u8]) -> Option<PathBuf> {
    let below = text.strip_prefix(b"../../blobs/")?;
    let (shard, name) = below.split_at_checked(2)?;
    let name = name.strip_prefix(b"/")?;
    let is_payload = name.len() == 64 && name.starts_with(shard) && !name.contains(&b'/');
    is_payload.then(|| Path::new(STORE).join(OsStr::from_bytes(below)))
}

/// Whether this is the name of a model's or a dataset's folder.
pub fn is_repo(name: &OsStr) -> bool {
    ["models--", "datasets--"].iter().any(|begin| name.as_bytes().starts_with(begin.as_bytes()))
}

/// Splits a path in a snapshot into the folder of its repo and the path below.
pub fn snapshot(path: &Path) -> Option<(&Path, &Path)> {
    path.ancestors().skip(2).find_map(|repo| {
        let below = path.strip_prefix(repo).ok()?;
        (is_repo(repo.file_name()?) && below.starts_with(SNAPSHOTS)).then_some((repo, below))
    })
}

/// Whether the Hub client creates symlinks with the target `text` in `folder`: from a snapshot to a
/// blob of the same repo, or from a blob into the store. A cache that was copied has absolute ones.
pub fn is_of_the_client(folder: &Path, text: &Path) -> bool {
    if let Some((repo, below)) = snapshot(folder) {
        let up: PathBuf = below.components().map(|_| "..").chain([BLOBS]).collect();
        let blobs = text.parent();
        return text.file_name().is_some()
            && (blobs == Some(&up) || blobs == Some(&repo.join(BLOBS)));
    }
    let is_blobs = folder.file_name().is_some_and(|name| name == BLOBS);
    let repo = folder.parent().and_then(Path::file_name).filter(|_| is_blobs);
    repo.is_some_and(is_repo) && in_store(text.as_os_str().as_bytes()).is_some()
}

/// Whether a client gives a file in `blobs` this name: an etag, or one of its temporary names.
fn is_of_blobs(name: &[u8]) -> bool {
    let stem = name.strip_prefix(b".").unwrap_or(name);
    let etag = stem.split(|byte| *byte == b'.').next().unwrap_or_default();
    hex::decode::<20>(etag).is_some()
        || hex::decode::<32>(etag).is_some()
        || (name.starts_with(b"tmp_") && name.len() == 40)
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink, path::Path};

    use untrusted::Dir;

    use super::{Part, Stranger, enter, in_store, is_of_the_client};

    const COMMIT: &str = "0123456789012345678901234567890123456789";

    #[test]
    fn symlink_to_a_folder_with_other_entries_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for name in ["repo/blobs", "repo/refs", "snapshots", "ssh", "real"] {
            fs::create_dir_all(at(name)).unwrap();
        }
        fs::create_dir(at("snapshots").join(COMMIT)).unwrap();
        for blob in [COMMIT.to_owned(), format!(".{COMMIT}.0011aabb.old"), ".DS_Store".to_owned()] {
            fs::write(at("repo/blobs").join(blob), "").unwrap();
        }
        fs::write(at("ssh/id_rsa"), "").unwrap();
        fs::write(at("real/anything"), "").unwrap();
        for (target, link) in
            [("repo", "r"), ("repo/blobs", "b"), ("snapshots", "s"), ("ssh", "x"), ("none", "n")]
        {
            symlink(target, at(link)).unwrap();
        }
        let dir = Dir::open(folder.path()).unwrap();
        let entered = |name: &str, part| enter(&dir, name, part).map(|(_, is_linked)| is_linked);
        for (name, part) in [("r", Part::Repo), ("b", Part::Blobs), ("s", Part::Snapshots)] {
            assert!(entered(name, part).unwrap(), "{name}");
            assert!(Stranger::is(&entered("x", part).unwrap_err()), "{name}");
        }
        assert!(Stranger::is(&entered("s", Part::Blobs).unwrap_err()));
        assert!(!entered("real", Part::Repo).unwrap(), "no symlink, so its entries do not matter");
        assert_eq!(entered("n", Part::Repo).unwrap_err().kind(), std::io::ErrorKind::NotFound);
    }

    #[test]
    fn only_a_link_to_its_own_shard_points_into_the_store() {
        let name = "ab".repeat(32);
        let text = format!("../../blobs/ab/{name}");
        assert_eq!(in_store(text.as_bytes()).unwrap(), Path::new("blobs/ab").join(&name));
        for text in [
            format!("../../blobs/cd/{name}"),
            format!("../../../blobs/ab/{name}"),
            format!("../../blobs/ab/../{name}"),
            format!("/blobs/ab/{name}"),
            "../../blobs/ab/short".to_owned(),
            "../../blobs/".to_owned(),
        ] {
            assert_eq!(in_store(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn client_symlinks_point_to_a_blob_of_their_repo_or_into_the_store() {
        let is = |folder: &str, text: &str| is_of_the_client(Path::new(folder), Path::new(text));
        let store = format!("../../blobs/ab/ab{}", "0".repeat(62));
        let repo = "/c/models--a--b";
        for (folder, text) in [
            ("snapshots/1", "../../blobs/e"),
            ("snapshots/1/deep", "../../../blobs/e"),
            ("snapshots/1", "/c/models--a--b/blobs/e"),
            ("blobs", &store),
        ] {
            assert!(is(&format!("{repo}/{folder}"), text), "{folder} {text}");
        }
        for (folder, text) in [
            ("snapshots/1", "../../../blobs/e"),
            ("snapshots/1", "../../blobs/x/e"),
            ("snapshots/1", "../../blobs/.."),
            ("snapshots/1", "../../blobs"),
            ("snapshots", "../blobs/e"),
            ("snapshots/1", "/c/models--a--c/blobs/e"),
            ("refs/1", "../../blobs/e"),
            ("blobs", "../../token"),
        ] {
            assert!(!is(&format!("{repo}/{folder}"), text), "{folder} {text}");
        }
        assert!(!is("/c/other/snapshots/1", "../../blobs/e") && !is("/c/other/blobs", &store));
    }
}
