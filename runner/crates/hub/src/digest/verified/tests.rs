//! Memories, whole, stale and damaged.

use std::{
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use untrusted::{Dir, NEW};

use super::{Verified, file, parse, sweep};
use crate::layout::{
    dir::{Kind, Stamp},
    names::Digest,
};

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

/// That long after the last change of [`stamp`].
fn after(ms: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::new(1000, 5) + Duration::from_millis(ms)
}

/// A memory of two files in a folder of its own.
fn saved() -> (tempfile::TempDir, PathBuf) {
    let base = tempfile::tempdir().unwrap();
    let path = file(base.path(), Path::new("/hub"), "models--a--b");
    let mut memory = Verified::load(&path);
    memory.remember(&stamp(1), SHA256, after(5000));
    memory.remember(&stamp(2), GIT, after(5000));
    memory.save(&path).unwrap();
    (base, path)
}

#[test]
fn what_is_remembered_is_recalled_by_the_next_run() {
    let (base, path) = saved();
    let hub = path.parent().unwrap();
    assert_eq!(
        path.strip_prefix(base.path()).unwrap().to_str().unwrap(),
        "aienergyscore/verified/2382ac746042bf1e/models--a--b"
    );
    assert_eq!(fs::metadata(hub).unwrap().permissions().mode() & 0o777, 0o700);
    assert_eq!(fs::read_dir(hub).unwrap().count(), 1);
    let mut memory = Verified::load(&path);
    assert_eq!(memory.recall(&stamp(1), Digest::Sha256([0; 32])), Some(SHA256));
    assert_eq!(memory.recall(&stamp(2), Digest::Git([0; 20])), Some(GIT));
    assert_eq!(memory.recall(&stamp(1), GIT), None);
    // Nothing new: the file stays as it is.
    let inode = || fs::metadata(&path).unwrap().ino();
    let before = inode();
    memory.save(&path).unwrap();
    assert_eq!(inode(), before);
}

#[test]
fn another_stamp_is_another_file() {
    let (_base, path) = saved();
    let mut memory = Verified::load(&path);
    let one = stamp(1);
    for other in [
        Stamp { device: 2, ..one },
        Stamp { inode: 3, ..one },
        Stamp { size: 4, ..one },
        Stamp { modified: (-4, 6), ..one },
        Stamp { changed: (1001, 5), ..one },
    ] {
        assert_eq!(memory.recall(&other, SHA256), None, "{other:?}");
    }
    // Reading it, or giving it to somebody, does not change the bytes.
    assert_eq!(memory.recall(&Stamp { accessed: (9, 9), ..one }, SHA256), Some(SHA256));
}

#[test]
fn what_was_not_met_is_forgotten() {
    let (_base, path) = saved();
    let mut memory = Verified::load(&path);
    memory.recall(&stamp(2), GIT).unwrap();
    memory.save(&path).unwrap();
    let mut memory = Verified::load(&path);
    assert_eq!(memory.recall(&stamp(1), SHA256), None);
    assert_eq!(memory.recall(&stamp(2), GIT), Some(GIT));
    assert_eq!(memory.entries.len(), 1);
}

#[test]
fn memories_of_repos_that_are_gone_are_swept() {
    let (base, path) = saved();
    let hub = path.parent().unwrap();
    let (gone, other) = (hub.join("models--gone"), hub.join("thesis.tex"));
    for file in [&gone, &other] {
        fs::write(file, "").unwrap();
    }
    let swept = || sweep(base.path(), Path::new("/hub"), &["models--a--b".into()].into());
    swept().unwrap();
    assert_eq!([&path, &gone, &other].map(|file| file.exists()), [true, false, true]);
    // A symlink in the folder's place leads nowhere.
    let moved = base.path().join("moved");
    fs::rename(hub, &moved).unwrap();
    symlink(&moved, hub).unwrap();
    fs::write(moved.join("models--gone"), "").unwrap();
    swept().unwrap_err();
    assert!(moved.join("models--gone").exists());
    assert!(Verified::load(&path).entries.is_empty());
    // A cache that nobody verified has none.
    sweep(base.path(), Path::new("/other"), &[].into()).unwrap();
}

#[test]
fn what_a_killed_run_had_begun_is_removed_when_it_is_old() {
    let (_base, path) = saved();
    let folder = path.parent().unwrap();
    fs::write(folder.join(NEW.to_owned() + "abc"), "half").unwrap();
    let count = |now| {
        super::remove_leftovers(&Dir::open(folder).unwrap(), now).unwrap();
        fs::read_dir(folder).unwrap().count()
    };
    let now = SystemTime::now();
    assert_eq!(count(now), 2);
    assert_eq!(count(now + Duration::from_secs(3700)), 1);
    assert!(path.exists());
}

#[test]
fn a_file_that_was_just_changed_is_not_remembered() {
    let mut memory = Verified::default();
    let mut is_remembered = |stamp: Stamp, now| {
        memory.remember(&stamp, SHA256, now);
        memory.recall(&stamp, SHA256).is_some()
    };
    assert!(!is_remembered(stamp(1), after(0)));
    assert!(!is_remembered(stamp(1), after(100)));
    assert!(!is_remembered(stamp(1), SystemTime::UNIX_EPOCH));
    assert!(is_remembered(stamp(1), after(101)));
    let whole_seconds = Stamp { changed: (1000, 0), ..stamp(2) };
    assert!(!is_remembered(whole_seconds, after(2000)));
    assert!(is_remembered(whole_seconds, after(2200)));
}

#[test]
fn a_damaged_memory_is_empty() {
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
    assert!(Verified::load(&path).entries.is_empty());
    assert!(Verified::load(path.parent().unwrap()).entries.is_empty());
    assert!(Verified::load(&path.join("below")).entries.is_empty());
}
