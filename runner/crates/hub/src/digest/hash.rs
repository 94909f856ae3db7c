//! The digest of an open file that another process may be writing.

use std::{
    fs::File,
    io::{self, Read as _, Seek as _},
    sync::atomic::{AtomicBool, Ordering},
};

use rustix::fs::{self, Advice};
use sha1::Sha1;
use sha2::{Sha256, digest::Output};

use crate::layout::{Digest, Kind, Stamp};

/// Bytes per read. They fit into a processor's own cache; larger reads were not faster (measured).
const READ_AT_ONCE: usize = 128 * 1024;

/// The read buffer, aligned to a page. A large `Vec` is not aligned to a cache line, and the kernel then
/// copied five times slower (measured on an AMD EPYC), which was a third of the total time.
#[derive(Debug)]
#[repr(align(4096))]
pub struct Buffer([u8; READ_AT_ONCE]);

impl Buffer {
    /// A new buffer.
    pub fn new() -> Box<Self> {
        Box::new(Self([0; READ_AT_ONCE]))
    }

    /// Its bytes.
    pub fn bytes(&mut self) -> &mut [u8] {
        &mut self.0
    }
}

/// The result of hashing a file.
#[derive(Debug)]
pub enum Hashed {
    /// The digest of the whole file, and its stamp, which did not change while it was read.
    Is(Digest, Box<Stamp>),
    /// The file was written while it was read.
    Changing,
    /// `stop` was set.
    Interrupted,
    /// It is not a regular file, or cannot be read.
    Failed(io::Error),
}

/// Computes the digest of `file` with the algorithm of `like`, the expected digest. If the result differs,
/// it is computed again as servers other than the Hub do: plain SHA-1, or git's SHA-256. `on_read` is called
/// with the number of bytes of each read, and `stop` is checked between reads.
pub fn hash(
    file: File,
    like: Digest,
    buffer: &mut [u8],
    on_read: &dyn Fn(u64),
    stop: &AtomicBool,
) -> Hashed {
    let stamp = match Stamp::of_file(&file) {
        Ok(stamp) if stamp.kind == Kind::File => stamp,
        Ok(_) => {
            return Hashed::Failed(io::Error::new(
                io::ErrorKind::InvalidInput,
                "it is no regular file",
            ));
        }
        Err(error) => return Hashed::Failed(error),
    };
    let mut digest = |header: &str, on_read: &dyn Fn(u64)| match like {
        Digest::Sha256(_) => read::<Sha256>(&file, &stamp, buffer, header, on_read, stop)
            .map(|digest| Digest::Sha256(digest.into())),
        Digest::Git(_) => read::<Sha1>(&file, &stamp, buffer, header, on_read, stop)
            .map(|digest| Digest::Git(digest.into())),
    };
    // Git's header of a blob.
    let git = format!("blob {}\0", stamp.size);
    let (first, second) = match like {
        Digest::Sha256(_) => ("", git.as_str()),
        Digest::Git(_) => (git.as_str(), ""),
    };
    let found = digest(first, on_read).and_then(|found| match found == like {
        true => Ok(found),
        false => digest(second, &|_| ()).map(|other| if other == like { other } else { found }),
    });
    found.map_or_else(|otherwise| otherwise, |digest| Hashed::Is(digest, Box::new(stamp)))
}

/// The digest of `header` and the whole content of `file`. The file must still have `stamp` at the end.
fn read<D: sha2::Digest>(
    mut file: &File,
    stamp: &Stamp,
    buffer: &mut [u8],
    header: &str,
    on_read: &dyn Fn(u64),
    stop: &AtomicBool,
) -> Result<Output<D>, Hashed> {
    if stamp.size > buffer.len() as u64 {
        // Some file systems ignore this, which costs only speed.
        let _ = fs::fadvise(file, 0, None, Advice::Sequential);
    }
    file.rewind().map_err(Hashed::Failed)?;
    let mut digest = D::new().chain_update(header);
    let mut total = 0;
    loop {
        if stop.load(Ordering::Relaxed) {
            return Err(Hashed::Interrupted);
        }
        let count = match file.read(buffer) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(Hashed::Failed(error)),
        };
        total += count as u64;
        if total > stamp.size {
            // A growing file could be read forever.
            return Err(Hashed::Changing);
        }
        digest.update(&buffer[..count]);
        on_read(count as u64);
    }
    let after = Stamp::of_file(file).map_err(Hashed::Failed)?;
    let is_whole = total == stamp.size && is_same(stamp, &after);
    is_whole.then(|| digest.finalize()).ok_or(Hashed::Changing)
}

/// Whether a file was not written between two stamps. The access time may differ.
fn is_same(before: &Stamp, after: &Stamp) -> bool {
    let content =
        |stamp: &Stamp| (stamp.device, stamp.inode, stamp.size, stamp.modified, stamp.changed);
    content(before) == content(after)
}

#[cfg(test)]
mod tests {
    use std::{
        cell::Cell,
        fs::{self, File, OpenOptions},
        io::Write as _,
        path::Path,
        sync::atomic::{AtomicBool, Ordering},
    };

    use untrusted::{Stamp, file as open};

    use super::{Hashed, hash};
    use crate::layout::Digest;

    const SHA256: Digest = Digest::Sha256([0; 32]);
    const GIT: Digest = Digest::Git([0; 20]);
    static NEVER: AtomicBool = AtomicBool::new(false);

    /// The digest as text.
    fn digest(path: &Path, like: Digest, buffer: usize) -> String {
        let file = open(path).unwrap();
        let stamp = Stamp::of_file(&file).unwrap();
        match hash(file, like, &mut vec![0; buffer], &|_| {}, &NEVER) {
            Hashed::Is(digest, seen) if *seen == stamp => digest.to_string(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn digests_are_those_of_the_hub_and_of_git() {
        let folder = tempfile::tempdir().unwrap();
        for (content, sha256, git) in [
            (
                "",
                "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
                "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391",
            ),
            (
                "hello world\n",
                "a948904f2f0f479b8f8197694b30184b0d2ed1c1cd2a1ec0fb85d299a192a447",
                "3b18e512dba79e4c8300dd08aeb37f8e728b8dad",
            ),
        ] {
            let path = folder.path().join("file");
            fs::write(&path, content).unwrap();
            for buffer in [1, 5, 12, 100] {
                assert_eq!(digest(&path, SHA256, buffer), sha256);
                assert_eq!(digest(&path, GIT, buffer), git);
            }
        }
    }

    #[test]
    fn digest_of_any_server_is_accepted() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, "hello world\n").unwrap();
        for name in [
            // SHA-256, git's id, plain SHA-1, and the id in a git repo of SHA-256.
            "a948904f2f0f479b8f8197694b30184b0d2ed1c1cd2a1ec0fb85d299a192a447",
            "3b18e512dba79e4c8300dd08aeb37f8e728b8dad",
            "22596363b3de40b06f981fb85d82312e8c0ed511",
            "0bd69098bd9b9cc5934a610ab65da429b525361147faa7b5b922919e9a23143d",
        ] {
            let like = Digest::of_name(name.as_bytes()).unwrap();
            for buffer in [5, 100] {
                assert_eq!(digest(&path, like, buffer), name);
            }
        }
    }

    #[test]
    fn file_written_during_the_read_is_changing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let grow = |mut file: &File| file.write_all(b"more").unwrap();
        let shorten = |file: &File| file.set_len(1).unwrap();
        let touch = |file: &File| file.set_modified(std::time::UNIX_EPOCH).unwrap();
        for change in [&grow as &dyn Fn(&File), &shorten, &touch] {
            fs::write(&path, "0123456789").unwrap();
            let writer = OpenOptions::new().append(true).open(&path).unwrap();
            let once = Cell::new(true);
            let seen = |_| {
                if once.replace(false) {
                    change(&writer);
                }
            };
            let hashed = hash(open(&path).unwrap(), SHA256, &mut [0; 4], &seen, &NEVER);
            assert!(matches!(hashed, Hashed::Changing), "{hashed:?}");
        }
    }

    #[test]
    fn hashing_stops_between_two_reads() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, "0123456789").unwrap();
        let stop = AtomicBool::new(false);
        let total = Cell::new(0);
        let seen = |bytes| {
            total.set(total.get() + bytes);
            stop.store(total.get() >= 8, Ordering::Relaxed);
        };
        let hashed = hash(open(&path).unwrap(), GIT, &mut [0; 4], &seen, &stop);
        assert!(matches!(hashed, Hashed::Interrupted), "{hashed:?}");
        assert_eq!(total.get(), 8);
    }

    #[test]
    fn folder_is_not_hashed() {
        let folder = File::open(tempfile::tempdir().unwrap().path()).unwrap();
        let hashed = hash(folder, SHA256, &mut [0; 4], &|_| {}, &NEVER);
        assert!(matches!(hashed, Hashed::Failed(_)), "{hashed:?}");
    }
}
