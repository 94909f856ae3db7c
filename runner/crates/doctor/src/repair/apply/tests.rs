//! Each fix applied, skipped and failing.

use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::Path,
    time::{Duration, SystemTime},
};

use super::{Fix, Outcome, UNFINISHED, apply};
use crate::finding::{DAY, HOUR};

const EMPTY: &str = "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391";

fn cache() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for part in ["r/blobs", "r/snapshots/c", "r/refs", "other/blobs"] {
        fs::create_dir_all(folder.path().join(part)).unwrap();
    }
    folder
}

fn later() -> SystemTime {
    SystemTime::now() + Duration::from_secs(7200)
}

#[test]
fn each_fix_makes_its_change() {
    let folder = cache();
    let root = folder.path();
    let at = |path: &str| root.join(path);
    let done = |fix: Fix| assert_eq!(apply(root, &fix, later()).unwrap(), Outcome::Done, "{fix:?}");
    let path = |path: &str| Path::new(path).to_owned();

    fs::write(at("r/refs/main"), "abc\n").unwrap();
    done(Fix::WriteRef { path: path("r/refs/main"), commit: "abc".into() });
    assert_eq!(fs::read_to_string(at("r/refs/main")).unwrap(), "abc");

    symlink("/r/blobs/x", at("r/snapshots/c/f")).unwrap();
    done(Fix::Link { path: path("r/snapshots/c/f"), text: "../../blobs/x".into() });
    assert_eq!(fs::read_link(at("r/snapshots/c/f")).unwrap(), Path::new("../../blobs/x"));
    done(Fix::Unlink { path: path("r/snapshots/c/f") });

    fs::write(at("r/blobs/bad"), "bad").unwrap();
    done(Fix::Quarantine { path: path("r/blobs/bad"), repo: path("r") });
    let aside = fs::read_dir(at("r/.set-aside")).unwrap().next().unwrap().unwrap().path();
    assert_eq!(fs::read_to_string(aside).unwrap(), "bad");

    fs::write(at("r/blobs/.x.old"), "only").unwrap();
    done(Fix::Rename { path: path("r/blobs/.x.old"), to: path("r/blobs/x") });
    assert!(
        apply(root, &Fix::Rename { path: path("r/blobs/x"), to: path("r/refs/main") }, later())
            .is_err()
    );

    fs::write(at("other/blobs").join(EMPTY), "").unwrap();
    let copy =
        || Fix::Copy { from: path("other/blobs").join(EMPTY), path: path("r/blobs").join(EMPTY) };
    done(copy());
    assert!(matches!(apply(root, &copy(), later()).unwrap(), Outcome::Skipped(_)));

    fs::set_permissions(at("r/refs/main"), fs::Permissions::from_mode(0o000)).unwrap();
    done(Fix::Mode { path: path("r/refs/main"), mode: 0o644 });
    done(Fix::Remove { path: path("r/refs/main"), lock: None, idle: HOUR });
    assert_eq!(fs::read_dir(at("r/refs")).unwrap().count(), 0);
}

#[test]
fn blob_with_a_wrong_digest_is_not_copied() {
    let folder = cache();
    let root = folder.path();
    fs::write(root.join("other/blobs").join(EMPTY), "not empty").unwrap();
    let fix = Fix::Copy {
        from: Path::new("other/blobs").join(EMPTY),
        path: Path::new("r/blobs").join(EMPTY),
    };
    let error = apply(root, &fix, later()).unwrap_err().to_string();
    assert!(error.contains("not whole"), "{error}");
    assert_eq!(fs::read_dir(root.join("r/blobs")).unwrap().count(), 0);
}

#[test]
fn symlink_is_kept_if_its_blob_was_downloaded_since() {
    let folder = cache();
    let root = folder.path();
    fs::create_dir(root.join("r/snapshots/c/sub")).unwrap();
    fs::write(root.join("r/blobs/x"), "").unwrap();
    let links = [("f", "../../blobs/x"), ("sub/f", "../../../blobs/x"), ("g", "../../blobs/y")];
    let skipped = links.map(|(name, text)| {
        let path = Path::new("r/snapshots/c").join(name);
        symlink(text, root.join(&path)).unwrap();
        matches!(apply(root, &Fix::Unlink { path }, later()).unwrap(), Outcome::Skipped(_))
    });
    assert_eq!(skipped, [true, true, false]);
    // An unfinished symlink of a repair is removed even if its target exists.
    let path = Path::new("r/snapshots/c").join(format!("{UNFINISHED}7"));
    symlink("../../blobs/x", root.join(&path)).unwrap();
    assert_eq!(apply(root, &Fix::Unlink { path }, later()).unwrap(), Outcome::Done);
}

#[test]
fn fix_of_a_removed_entry_is_skipped() {
    let folder = cache();
    let path = || Path::new("r/blobs/x").to_owned();
    for fix in [
        Fix::Remove { path: path(), lock: Some("r/none.lock".into()), idle: DAY },
        Fix::Quarantine { path: path(), repo: "r".into() },
        Fix::Unlink { path: "gone/snapshots/x".into() },
        Fix::Rename { path: path(), to: "r/blobs/y".into() },
    ] {
        let skipped = apply(folder.path(), &fix, later()).unwrap();
        assert_eq!(skipped, Outcome::Skipped("it is gone by now".to_owned()), "{fix:?}");
    }
    // The target of a copy is always missing, so a missing source is a failure.
    let from = format!("other/blobs/{EMPTY}").into();
    let copy = Fix::Copy { from, path: format!("r/blobs/{EMPTY}").into() };
    assert!(apply(folder.path(), &copy, later()).is_err());
}

#[test]
fn recent_leftover_and_folder_with_foreign_files_are_kept() {
    let folder = cache();
    let root = folder.path();
    fs::write(root.join("r/refs/main.0011aabb.tmp"), "x").unwrap();
    let fix = Fix::Remove { path: "r/refs/main.0011aabb.tmp".into(), lock: None, idle: HOUR };
    let skipped = apply(root, &fix, SystemTime::now()).unwrap();
    assert!(matches!(skipped, Outcome::Skipped(why) if why.contains("less than 1 hour")));
    fs::create_dir(root.join("tmpabcd0123")).unwrap();
    fs::write(root.join("tmpabcd0123/dummy_file_src"), "").unwrap();
    fs::write(root.join("tmpabcd0123/dummy_file_dst"), "mine").unwrap();
    let fix = Fix::Remove { path: "tmpabcd0123".into(), lock: None, idle: HOUR };
    // The client that still tests would conclude that symlinks are unsupported.
    let skipped = apply(root, &fix, SystemTime::now()).unwrap();
    assert!(matches!(skipped, Outcome::Skipped(why) if why.contains("less than 1 hour")));
    assert!(root.join("tmpabcd0123/dummy_file_src").exists());
    assert!(matches!(apply(root, &fix, later()).unwrap(), Outcome::Skipped(_)));
    fs::remove_file(root.join("tmpabcd0123/dummy_file_dst")).unwrap();
    assert_eq!(apply(root, &fix, later()).unwrap(), Outcome::Done);
}

#[test]
fn leftovers_of_killed_repairs_do_not_block_fixes() {
    let folder = cache();
    let root = folder.path();
    let process = std::process::id();
    let commit = "0".repeat(40);
    fs::write(root.join("r/refs/main"), format!("{commit}\n")).unwrap();
    fs::set_permissions(root.join("r/refs/main"), fs::Permissions::from_mode(0o666)).unwrap();
    symlink("x", root.join("r/snapshots/c/f")).unwrap();
    symlink("y", root.join(format!("r/snapshots/c/.aienergyscore-{process}"))).unwrap();
    fs::write(root.join("other/blobs").join(EMPTY), "").unwrap();
    fs::write(root.join(format!("r/blobs/{UNFINISHED}{process}")), "").unwrap();
    for fix in [
        Fix::WriteRef { path: "r/refs/main".into(), commit: commit.clone() },
        Fix::Link { path: "r/snapshots/c/f".into(), text: "../../blobs/x".into() },
        Fix::Copy {
            from: Path::new("other/blobs").join(EMPTY),
            path: Path::new("r/blobs").join(EMPTY),
        },
    ] {
        assert_eq!(apply(root, &fix, later()).unwrap(), Outcome::Done, "{fix:?}");
    }
    assert_eq!(fs::read_to_string(root.join("r/refs/main")).unwrap(), commit);
    let mode = fs::metadata(root.join("r/refs/main")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o666, "a group may go on writing");
    assert_eq!(fs::read_dir(root.join("r/refs")).unwrap().count(), 1);
    // A ref is written even in a repo without blobs.
    fs::create_dir_all(root.join("bare/refs")).unwrap();
    fs::write(root.join("bare/refs/main"), "x").unwrap();
    let fix = Fix::WriteRef { path: "bare/refs/main".into(), commit };
    assert_eq!(apply(root, &fix, later()).unwrap(), Outcome::Done);

    fs::write(root.join("r/blobs/.x.0011aabb.old"), "only").unwrap();
    fs::create_dir_all(root.join(".locks/r")).unwrap();
    let lock = fs::File::create(root.join(".locks/r/x.lock")).unwrap();
    lock.lock().unwrap();
    let fix = Fix::Rename { path: "r/blobs/.x.0011aabb.old".into(), to: "r/blobs/x".into() };
    let skipped = apply(root, &fix, later()).unwrap();
    assert!(matches!(skipped, Outcome::Skipped(why) if why.contains("is held")));
    lock.unlock().unwrap();
    assert_eq!(apply(root, &fix, later()).unwrap(), Outcome::Done);
}
