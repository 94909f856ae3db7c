//! Only root can change owners, so any other user gives the entries to themselves.

use std::{
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink},
    path::Path,
};

use contract::reclaim::{Answer, Request};
use rustix::process::{getgid, getuid};
use untrusted::Dir;

use super::{reclaim, take};

/// Gives the entries of this user in `folder` to 4242 if the test runs as root, else to the same
/// user.
fn request(folder: &Path) -> Request {
    let me = getuid().as_raw();
    let (uid, gid) = if me == 0 { (4242, 4242) } else { (me, getgid().as_raw()) };
    Request {
        folder: folder.to_str().unwrap().to_owned(),
        inode: fs::metadata(folder).unwrap().ino(),
        uid,
        gid,
        owners: vec![(me, me)],
        listed: false,
    }
}

fn reclaim_all(request: &Request) -> Answer {
    reclaim(request, &b""[..]).unwrap()
}

/// Reclaims only the entries `paths`.
fn reclaim_listed(request: &Request, paths: &[&str]) -> Answer {
    let list: String = paths.iter().map(|path| format!("{path}\0")).collect();
    reclaim(&Request { listed: true, ..request.clone() }, list.as_bytes()).unwrap()
}

fn failures(answer: &Answer) -> String {
    let failed = answer.failed.iter().map(|failed| format!("{}: {}", failed.path, failed.error));
    failed.collect::<Vec<_>>().join("\n")
}

/// Owner, group, mode and change time of an entry, which change when it is touched.
fn state(path: &Path) -> (u32, u32, u32, i64) {
    let data = fs::metadata(path).unwrap();
    (data.uid(), data.gid(), data.mode(), data.ctime_nsec())
}

#[test]
fn whole_folder_is_reclaimed_and_nothing_outside() {
    let outside = tempfile::tempdir().unwrap();
    let target = outside.path().join("target");
    fs::write(&target, "").unwrap();
    fs::write(outside.path().join("linked"), "").unwrap();
    let folder = tempfile::tempdir_in(outside.path()).unwrap();
    let at = |path: &str| folder.path().join(path);
    fs::create_dir_all(at("a/-b\n\"c")).unwrap();
    fs::write(at("a/-b\n\"c/d:e,f"), "").unwrap();
    fs::set_permissions(at("a/-b\n\"c/d:e,f"), fs::Permissions::from_mode(0o044)).unwrap();
    fs::set_permissions(at("a"), fs::Permissions::from_mode(0o050)).unwrap();
    symlink(&target, at("link")).unwrap();
    symlink(outside.path(), at("up")).unwrap();
    fs::hard_link(outside.path().join("linked"), at("hard")).unwrap();
    if !getuid().is_root() {
        // Only root can read a folder without permissions.
        fs::set_permissions(at("a"), fs::Permissions::from_mode(0o700)).unwrap();
    }
    let before = [state(&target), state(&outside.path().join("linked"))];

    let request = request(folder.path());
    let answer = reclaim_all(&request);
    assert_eq!(answer.reclaimed, 6, "{answer:?}");
    insta::assert_snapshot!(failures(&answer), @"hard: it has 2 names (hard links), and the others may lie outside of the folder; put a copy in its place, which will be yours");
    for (path, mode) in [
        ("", None),
        ("a", Some(if getuid().is_root() { 0o750 } else { 0o700 })),
        ("a/-b\n\"c", None),
        ("a/-b\n\"c/d:e,f", Some(0o644)),
        ("link", None),
        ("up", None),
    ] {
        let data = fs::symlink_metadata(at(path)).unwrap();
        assert_eq!((data.uid(), data.gid()), (request.uid, request.gid), "{path}");
        assert!(mode.is_none_or(|mode| data.mode() & 0o7777 == mode), "{path}: {:o}", data.mode());
    }
    assert_eq!([state(&target), state(&outside.path().join("linked"))], before);
}

#[test]
fn entries_of_other_owners_are_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let me = getuid().as_raw();
    let request = Request { owners: vec![(me + 1, me + 9)], ..request(folder.path()) };
    let before = state(folder.path());
    assert_eq!(reclaim_all(&request), Answer::default());
    assert_eq!(reclaim_listed(&request, &[""]), Answer::default());
    assert_eq!(state(folder.path()), before);
}

#[test]
fn listed_path_outside_the_folder_is_refused_and_modes_are_kept() {
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("file"), "").unwrap();
    let folder = tempfile::tempdir_in(outside.path()).unwrap();
    symlink("..", folder.path().join("up")).unwrap();
    for name in ["plain", "other"] {
        fs::write(folder.path().join(name), "").unwrap();
    }
    let plain = folder.path().join("plain");
    fs::set_permissions(&plain, fs::Permissions::from_mode(0o444)).unwrap();
    let absolute = outside.path().join("file");
    let before = [state(&absolute), state(&folder.path().join("other"))];
    let request = request(folder.path());
    let answer = reclaim_listed(
        &request,
        &["up/file", "../file", absolute.to_str().unwrap(), "plain/", "none", "plain"],
    );
    assert_eq!(answer.reclaimed, 1);
    insta::assert_snapshot!(failures(&answer).replace(outside.path().to_str().unwrap(), "OUTSIDE"), @r"
    up/file: a symlink is in its path, and is not followed
    ../file: its path does not lie below the folder
    OUTSIDE/file: its path does not lie below the folder
    plain/: its path does not lie below the folder
    none: No such file or directory (os error 2)
    ");
    assert_eq!([state(&absolute), state(&folder.path().join("other"))], before);
    let data = fs::metadata(&plain).unwrap();
    assert_eq!((data.uid(), data.mode() & 0o7777), (request.uid, 0o444));

    let cut = reclaim(&Request { listed: true, ..request }, &b"plain\0oth"[..]).unwrap_err();
    insta::assert_snapshot!(cut, @"the list on standard input breaks off inside of an entry");
}

/// A container that still runs can rename folders at any time.
#[test]
fn folder_replaced_by_a_symlink_is_not_followed() {
    let outside = tempfile::tempdir().unwrap();
    let target = outside.path().join("file");
    fs::write(&target, "").unwrap();
    fs::set_permissions(&target, fs::Permissions::from_mode(0o044)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let at = |path: &str| folder.path().join(path);
    fs::create_dir(at("folder")).unwrap();
    fs::write(at("folder/file"), "").unwrap();
    let before = state(&target);
    let request = request(folder.path());
    let dir = Dir::open(folder.path()).unwrap();
    let taken =
        || take(&request, &dir, Path::new("folder/file")).map_err(|error| error.to_string());

    assert_eq!(taken(), Ok(true));
    fs::rename(at("folder"), at("aside")).unwrap();
    assert_eq!(taken(), Err("No such file or directory (os error 2)".to_owned()));
    symlink(outside.path(), at("folder")).unwrap();
    assert_eq!(taken(), Err("a symlink is in its path, and is not followed".to_owned()));
    assert_eq!(state(&target), before);
}

#[test]
fn folder_with_another_inode_is_not_touched() {
    let folder = tempfile::tempdir().unwrap();
    let right = request(folder.path());
    assert_eq!(reclaim_all(&right).reclaimed, 1);
    let wrong = Request { inode: right.inode + 1, ..right };
    let error = reclaim(&wrong, &b""[..]).unwrap_err().to_string();
    assert!(error.contains("another machine"), "{error}");
}

#[test]
fn device_keeps_its_owner() {
    let request = Request { owners: vec![(0, 0)], ..request(Path::new("/dev")) };
    let answer = reclaim_listed(&request, &["null"]);
    assert!(answer.reclaimed == 0 && answer.failed[0].error.contains("device"), "{answer:?}");
}

#[test]
fn entries_of_a_set_group_id_folder_keep_its_group() {
    let folder = tempfile::tempdir().unwrap();
    let at = |path: &str| folder.path().join(path);
    // Only root can use a group that it is not a member of.
    let group = if getuid().is_root() { 2500 } else { getgid().as_raw() };
    fs::create_dir_all(at("shared/in")).unwrap();
    fs::create_dir(at("plain")).unwrap();
    for path in ["shared/file", "shared/in/file", "plain/file"] {
        fs::write(at(path), "").unwrap();
    }
    for (path, mode) in [("shared", 0o2770), ("shared/in", 0o2570)] {
        std::os::unix::fs::chown(at(path), None, Some(group)).unwrap();
        fs::set_permissions(at(path), fs::Permissions::from_mode(mode)).unwrap();
    }
    // Set-group-ID with root's own group shares nothing.
    fs::set_permissions(at("plain"), fs::Permissions::from_mode(0o2700)).unwrap();
    let request = request(folder.path());
    assert_eq!(reclaim_all(&request).failed, []);
    for path in ["shared", "shared/file", "shared/in", "shared/in/file"] {
        let data = fs::metadata(at(path)).unwrap();
        assert_eq!((data.uid(), data.gid()), (request.uid, group), "{path}");
        assert!(!data.is_dir() || data.mode() & 0o7777 == 0o2770, "{path}");
    }
    assert_eq!(fs::metadata(at("plain/file")).unwrap().gid(), request.gid);
}

#[test]
fn set_user_id_bit_is_cleared() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path().join("program");
    fs::write(&at, "").unwrap();
    fs::set_permissions(&at, fs::Permissions::from_mode(0o6755)).unwrap();
    assert_eq!(reclaim_all(&request(folder.path())).reclaimed, 2);
    assert_eq!(fs::metadata(&at).unwrap().mode() & 0o7777, 0o755);
}
