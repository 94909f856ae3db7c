//! Lists and walks folders.

use std::{
    ffi::{OsStr, OsString},
    io,
    mem::MaybeUninit,
    os::{fd::AsFd as _, unix::ffi::OsStrExt as _},
    path::{Path, PathBuf},
};

use rustix::fs::{FileType, OFlags, RawDir};

use super::{
    dir::Dir,
    stamp::{Kind, Stamp},
};

/// Size of the buffer for reading a folder.
const LISTED_AT_ONCE: usize = 64 * 1024;

/// Result of a walk for one entry.
#[derive(Debug)]
pub enum Found<'a> {
    /// An entry.
    Entry {
        /// Path below the folder of the walk.
        path: &'a Path,
        /// Metadata.
        stamp: Stamp,
    },
    /// A folder that cannot be listed, or an entry without readable metadata.
    Closed {
        /// Path below the folder of the walk.
        path: &'a Path,
        /// The kernel's error.
        error: io::Error,
    },
}

impl Dir {
    /// Calls `see` for every entry, in the order of the file system. Entries that are deleted
    /// meanwhile are skipped. The folder's access time is kept if the user owns it.
    ///
    /// # Errors
    /// When the folder cannot be listed.
    pub fn visit(&self, mut see: impl FnMut(&OsStr, Kind)) -> io::Result<()> {
        let folder = self.open_without_trace(Path::new(""), OFlags::RDONLY | OFlags::DIRECTORY)?;
        let mut buffer = vec![MaybeUninit::uninit(); LISTED_AT_ONCE];
        let mut list = RawDir::new(folder.as_fd(), &mut buffer);
        while let Some(entry) = list.next() {
            let entry = entry?;
            let name = entry.file_name().to_bytes();
            if name == b"." || name == b".." {
                continue;
            }
            let name = OsStr::from_bytes(name);
            let kind = match entry.file_type() {
                // Some file systems do not store the type in the folder.
                FileType::Unknown => match self.look(name) {
                    Ok(stamp) => stamp.kind,
                    Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                    Err(error) => return Err(error),
                },
                known => Kind::of(known),
            };
            see(name, kind);
        }
        Ok(())
    }

    /// Every entry, sorted by name.
    ///
    /// # Errors
    /// When the folder cannot be listed.
    pub fn list(&self) -> io::Result<Vec<(OsString, Kind)>> {
        let mut list = Vec::new();
        self.visit(|name, kind| list.push((name.to_owned(), kind)))?;
        list.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        Ok(list)
    }

    /// Walks through all entries below, sorted by name in each folder. No symlink is followed.
    /// `see` returns whether to enter a folder. No folder is entered below the depth `deepest`.
    pub fn walk(&self, deepest: usize, mut see: impl FnMut(Found<'_>) -> bool) {
        let mut ahead = vec![(PathBuf::new(), 1)];
        while let Some((folder, depth)) = ahead.pop() {
            let listed = self.dir(&folder).and_then(|dir| Ok((dir.list()?, dir)));
            let (list, dir) = match listed {
                Ok(listed) => listed,
                // It was deleted since its parent was listed.
                Err(error) if error.kind() == io::ErrorKind::NotFound && depth > 1 => continue,
                Err(error) => {
                    see(Found::Closed { path: &folder, error });
                    continue;
                }
            };
            let mut folders = Vec::new();
            for (name, _) in list {
                let path = folder.join(&name);
                match dir.look(&name) {
                    Ok(stamp) => {
                        let enters = see(Found::Entry { path: &path, stamp });
                        if enters && stamp.kind == Kind::Folder && depth < deepest {
                            folders.push((path, depth + 1));
                        }
                    }
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    Err(error) => {
                        see(Found::Closed { path: &path, error });
                    }
                }
            }
            ahead.extend(folders.into_iter().rev());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink, path::PathBuf, time::SystemTime};

    use super::{Dir, Found, Kind};

    #[test]
    fn listing_keeps_the_access_time() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("file"), "").unwrap();
        let long_ago = fs::FileTimes::new().set_accessed(SystemTime::UNIX_EPOCH);
        fs::File::open(folder.path()).unwrap().set_times(long_ago).unwrap();
        let dir = Dir::open(folder.path()).unwrap();
        assert_eq!(dir.list().unwrap().len(), 1);
        assert_eq!(dir.look("").unwrap().accessed, (0, 0));
    }

    #[test]
    fn walk_visits_every_entry_once_and_follows_no_symlink() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir_all(at("a/b/c")).unwrap();
        fs::write(at("a/file"), "").unwrap();
        fs::write(at("a/b/c/deep"), "").unwrap();
        symlink("/", at("root")).unwrap();
        symlink(".", at("a/loop")).unwrap();
        let dir = Dir::open(folder.path()).unwrap();
        let walk = |deepest| {
            let mut seen = vec![];
            dir.walk(deepest, |found| match found {
                Found::Entry { path, stamp } => {
                    seen.push((path.to_owned(), stamp.kind));
                    true
                }
                Found::Closed { path, error } => panic!("{path:?}: {error}"),
            });
            seen
        };
        let names = |seen: Vec<(PathBuf, Kind)>| {
            seen.into_iter().map(|(path, _)| path.display().to_string()).collect::<Vec<_>>()
        };
        assert_eq!(names(walk(9)), ["a", "root", "a/b", "a/file", "a/loop", "a/b/c", "a/b/c/deep"]);
        assert_eq!(names(walk(1)), ["a", "root"]);
    }

    #[test]
    fn walk_does_not_enter_a_folder_that_became_a_symlink() {
        let outside = tempfile::tempdir().unwrap();
        fs::write(outside.path().join("secret"), "").unwrap();
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("a")).unwrap();
        let mut seen = vec![];
        Dir::open(folder.path()).unwrap().walk(9, |found| {
            match found {
                Found::Entry { path, .. } => {
                    seen.push(path.display().to_string());
                    fs::rename(at("a"), at("aside")).unwrap();
                    symlink(outside.path(), at("a")).unwrap();
                }
                Found::Closed { path, error } => seen.push(format!("{}: {error}", path.display())),
            }
            true
        });
        assert_eq!(seen, ["a", "a: a symlink is in its path, and is not followed"]);
    }
}
