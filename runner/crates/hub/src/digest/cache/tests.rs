//! Digest files: complete, stale and corrupt.

use std::{
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use untrusted::{Dir, NEW};

use super::{DigestCache, parse};
use crate::layout::{Digest, Kind, Stamp};

const SHA256: Digest = Digest::Sha256([7; 32]);
const GIT: Digest = Digest::Git([9; 20]);

fn stamp(inode: u64) -> Stamp {
    Stamp {
        kind: Kind::File,
        device: 1,
        inode,
        links: 1,
        size: 3,
        accessed: (0, 0),
        modified: (-4, 5),
        changed: (1000, 5),
        mode: 0,
        uid: 0,
        gid: 0,
    }
}

/// This long after the last change of [`stamp`].
fn after(ms: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::new(1000, 5) + Duration::from_millis(ms)
}

/// A cache of two files in a folder of its own.
fn saved() -> (tempfile::TempDir, PathBuf) {
    let base = tempfile::tempdir().unwrap();
    let path = DigestCache::path(base.path(), Path::new("/hub"), "models--a--b");
    let mut cache = DigestCache::load(&path);
    cache.insert(&stamp(1), SHA256, after(5000));
    cache.insert(&stamp(2), GIT, after(5000));
    cache.save(&path).unwrap();
    (base, path)
}

#[test]
fn digests_are_found_by_the_next_run() {
    let (base, path) = saved();
    let hub = path.parent().unwrap();
    assert_eq!(
        path.strip_prefix(base.path()).unwrap().to_str().unwrap(),
        "aienergyscore/verified/2382ac746042bf1e/models--a--b"
    );
    assert_eq!(fs::metadata(hub).unwrap().permissions().mode() & 0o777, 0o700);
    assert_eq!(fs::read_dir(hub).unwrap().count(), 1);
    let mut cache = DigestCache::load(&path);
    assert_eq!(cache.get(&stamp(1), Digest::Sha256([0; 32])), Some(SHA256));
    assert_eq!(cache.get(&stamp(2), Digest::Git([0; 20])), Some(GIT));
    assert_eq!(cache.get(&stamp(1), GIT), None);
    // Without changes the file is not rewritten.
    let inode = || fs::metadata(&path).unwrap().ino();
    let before = inode();
    cache.save(&path).unwrap();
    assert_eq!(inode(), before);
}

#[test]
fn another_stamp_has_no_digest() {
    let (_base, path) = saved();
    let mut cache = DigestCache::load(&path);
    let one = stamp(1);
    for other in [
        Stamp { device: 2, ..one },
        Stamp { inode: 3, ..one },
        Stamp { size: 4, ..one },
        Stamp { modified: (-4, 6), ..one },
        Stamp { changed: (1001, 5), ..one },
    ] {
        assert_eq!(cache.get(&other, SHA256), None, "{other:?}");
    }
    // Reading a file does not change its content.
    assert_eq!(cache.get(&Stamp { accessed: (9, 9), ..one }, SHA256), Some(SHA256));
}

#[test]
fn unused_digests_are_not_saved() {
    let (_base, path) = saved();
    let mut cache = DigestCache::load(&path);
    cache.get(&stamp(2), GIT).unwrap();
    cache.save(&path).unwrap();
    let mut cache = DigestCache::load(&path);
    assert_eq!(cache.get(&stamp(1), SHA256), None);
    assert_eq!(cache.get(&stamp(2), GIT), Some(GIT));
    assert_eq!(cache.entries.len(), 1);
}

#[test]
fn files_of_removed_repos_are_deleted() {
    let (base, path) = saved();
    let hub = path.parent().unwrap();
    let (gone, other) = (hub.join("models--gone"), hub.join("thesis.tex"));
    for file in [&gone, &other] {
        fs::write(file, "").unwrap();
    }
    let remove_stale = || {
        DigestCache::remove_stale(base.path(), Path::new("/hub"), &["models--a--b".into()].into())
    };
    remove_stale().unwrap();
    assert_eq!([&path, &gone, &other].map(|file| file.exists()), [true, false, true]);
    // A symlink in place of the folder is not followed.
    let moved = base.path().join("moved");
    fs::rename(hub, &moved).unwrap();
    symlink(&moved, hub).unwrap();
    fs::write(moved.join("models--gone"), "").unwrap();
    remove_stale().unwrap_err();
    assert!(moved.join("models--gone").exists());
    assert!(DigestCache::load(&path).entries.is_empty());
    // A Hub cache that was never verified has no folder.
    DigestCache::remove_stale(base.path(), Path::new("/other"), &[].into()).unwrap();
}

#[test]
fn abandoned_temporary_files_are_deleted() {
    let (_base, path) = saved();
    let folder = path.parent().unwrap();
    fs::write(folder.join(NEW.to_owned() + "abc"), "half").unwrap();
    let count = |now| {
        super::remove_abandoned(&Dir::open(folder).unwrap(), now).unwrap();
        fs::read_dir(folder).unwrap().count()
    };
    let now = SystemTime::now();
    assert_eq!(count(now), 2);
    assert_eq!(count(now + Duration::from_secs(3700)), 1);
    assert!(path.exists());
}

#[test]
fn file_that_just_changed_is_not_cached() {
    let mut cache = DigestCache::default();
    let mut is_cached = |stamp: Stamp, now| {
        cache.insert(&stamp, SHA256, now);
        cache.get(&stamp, SHA256).is_some()
    };
    assert!(!is_cached(stamp(1), after(0)));
    assert!(!is_cached(stamp(1), after(100)));
    assert!(!is_cached(stamp(1), SystemTime::UNIX_EPOCH));
    assert!(is_cached(stamp(1), after(101)));
    let whole_seconds = Stamp { changed: (1000, 0), ..stamp(2) };
    assert!(!is_cached(whole_seconds, after(2000)));
    assert!(is_cached(whole_seconds, after(2200)));
}

#[test]
fn corrupt_file_reads_as_empty() {
    let (_base, path) = saved();
    let whole = fs::read(&path).unwrap();
    assert_eq!(parse(&whole).unwrap().len(), 2);
    for at in 0..whole.len() {
        assert!(parse(&whole[..at]).is_none(), "cut at {at}");
    }
    let text = String::from_utf8(whole).unwrap();
    for (part, other) in [("\"is_git\":true", "\"is_git\":false"), ("0707", "070"), ("device", "d")]
    {
        assert!(parse(text.replacen(part, other, 1).as_bytes()).is_none(), "{part} as {other}");
    }
    // The binary format of earlier versions.
    assert!(parse(b"AIESver\x01").is_none());
    fs::write(&path, b"").unwrap();
    assert!(DigestCache::load(&path).entries.is_empty());
    assert!(DigestCache::load(path.parent().unwrap()).entries.is_empty());
    assert!(DigestCache::load(&path.join("below")).entries.is_empty());
}
