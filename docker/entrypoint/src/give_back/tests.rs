//! Owners can be changed by root alone; anybody may give entries to themselves.

use std::{
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink},
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
};

use contract::give_back::{Answer, Line};
use rustix::process::{getgid, getuid};

use super::{Request, give_back};

/// Gives entries of `folder` to uid and gid 4242, or to the tester.
fn request(folder: &Path) -> Request {
    let ids =
        if getuid().is_root() { (4242, 4242) } else { (getuid().as_raw(), getgid().as_raw()) };
    let folder = folder.to_str().unwrap().to_owned();
    Request { uid: ids.0, gid: ids.1, folder, inode: None }
}

fn list(lines: &[(Option<u32>, &str)]) -> Vec<u8> {
    let mut list = vec![];
    for (mode, path) in lines {
        Line { mode: *mode, path: path.as_bytes() }.write(&mut list);
    }
    list
}

fn asked(request: &Request, lines: &[(Option<u32>, &str)]) -> Answer {
    give_back(request, list(lines).as_slice()).unwrap()
}

#[test]
fn entries_are_given_back_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let at = |path: &str| folder.path().join(path);
    fs::create_dir_all(at("a/-b\n\"c")).unwrap();
    for path in ["a/-b\n\"c/d:e,f", "other"] {
        fs::write(at(path), "").unwrap();
    }
    symlink("../other", at("a/link")).unwrap();
    let before = fs::metadata(at("other")).unwrap();
    let request = request(folder.path());
    let lines = [
        (None, ""),
        (Some(0o750), "a"),
        (None, "a/-b\n\"c"),
        (Some(0o600), "a/-b\n\"c/d:e,f"),
        (None, "a/link"),
    ];
    assert_eq!(asked(&request, &lines), Answer { done: 5, failed: vec![] });
    for (mode, path) in lines {
        let data = fs::symlink_metadata(at(path)).unwrap();
        assert_eq!((data.uid(), data.gid()), (request.uid, request.gid), "{path}");
        assert!(mode.is_none_or(|mode| data.mode() & 0o7777 == mode), "{path}");
    }
    let after = fs::metadata(at("other")).unwrap();
    assert_eq!(
        (after.uid(), after.gid(), after.mode(), after.ctime_nsec()),
        (before.uid(), before.gid(), before.mode(), before.ctime_nsec())
    );
}

#[test]
fn what_may_be_outside_is_refused() {
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("file"), "").unwrap();
    let folder = tempfile::tempdir_in(outside.path()).unwrap();
    let at = |path: &str| folder.path().join(path);
    fs::hard_link(outside.path().join("file"), at("hard")).unwrap();
    symlink("..", at("up")).unwrap();
    symlink("../file", at("link")).unwrap();
    fs::write(at("plain"), "").unwrap();
    let before = fs::metadata(outside.path().join("file")).unwrap();
    let absolute = outside.path().join("file");
    let lines = [
        (None, "hard"),
        (None, "up/file"),
        (Some(0o777), "link"),
        (None, "../file"),
        (None, absolute.to_str().unwrap()),
        (None, "plain/"),
        (None, "none"),
        (None, "plain"),
    ];
    let Answer { done, failed } = asked(&request(folder.path()), &lines);
    assert_eq!(done, 1);
    let told = failed
        .iter()
        .map(|failed| {
            let word = if failed.refused { "refused" } else { "failed" };
            let path = failed.path.replace(outside.path().to_str().unwrap(), "OUTSIDE");
            format!("{} {path}: {word}: {}", failed.entry, failed.error)
        })
        .collect::<Vec<_>>();
    insta::assert_snapshot!(told.join("\n"));
    let after = fs::metadata(outside.path().join("file")).unwrap();
    assert_eq!(
        (after.uid(), after.mode(), after.ctime_nsec()),
        (before.uid(), before.mode(), before.ctime_nsec())
    );
}

#[test]
fn a_folder_that_is_swapped_for_a_link_leads_nowhere() {
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("file"), "").unwrap();
    fs::set_permissions(outside.path().join("file"), fs::Permissions::from_mode(0o644)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let at = |path: &str| folder.path().join(path);
    fs::create_dir(at("folder")).unwrap();
    fs::write(at("folder/file"), "").unwrap();
    symlink(outside.path(), at("link")).unwrap();
    let before = fs::metadata(outside.path().join("file")).unwrap();
    let request = request(folder.path());
    let lines = vec![(Some(0o600), "folder/file"); 200];
    let ended = AtomicBool::new(false);
    let answers = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !ended.load(Ordering::Relaxed) {
                for (from, to) in [("folder", "aside"), ("link", "folder")] {
                    fs::rename(at(from), at(to)).unwrap();
                }
                for (from, to) in [("folder", "link"), ("aside", "folder")] {
                    fs::rename(at(from), at(to)).unwrap();
                }
            }
        });
        let answers: Vec<_> = (0..50).map(|_| asked(&request, &lines)).collect();
        ended.store(true, Ordering::Relaxed);
        answers
    });
    let given: usize = answers.iter().map(|answer| answer.done).sum();
    assert!(given > 0 && given < 50 * lines.len(), "{given}");
    let after = fs::metadata(outside.path().join("file")).unwrap();
    assert_eq!(
        (after.uid(), after.mode(), after.ctime_nsec()),
        (before.uid(), before.mode(), before.ctime_nsec())
    );
}

#[test]
fn a_list_that_breaks_off_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("file"), "").unwrap();
    fs::set_permissions(folder.path().join("file"), fs::Permissions::from_mode(0o644)).unwrap();
    let mut list = list(&[(Some(0o600), "file"), (None, "file2")]);
    list.pop();
    let error = give_back(&request(folder.path()), list.as_slice()).unwrap_err();
    insta::assert_snapshot!(error, @"the list breaks off inside of an entry");
    let mode = fs::metadata(folder.path().join("file")).unwrap().mode();
    assert_eq!(mode & 0o777, 0o644);
}

#[test]
fn another_folder_than_the_one_meant_is_not_touched() {
    let folder = tempfile::tempdir().unwrap();
    let inode = fs::metadata(folder.path()).unwrap().ino();
    let request = request(folder.path());
    let right = Request { inode: Some(inode), ..request.clone() };
    assert_eq!(asked(&right, &[(None, "")]).done, 1);
    let wrong = Request { inode: Some(inode + 1), ..request };
    let error = give_back(&wrong, list(&[(None, "")]).as_slice()).unwrap_err().to_string();
    assert!(error.contains("another machine"), "{error}");
}

#[test]
fn a_device_stays_the_systems() {
    let request = request(Path::new("/dev"));
    let Answer { done, failed } = asked(&request, &[(None, "null")]);
    assert!(done == 0 && failed[0].refused && failed[0].error.contains("device"), "{failed:?}");
}

#[test]
fn a_folder_that_passes_on_its_group_is_shared_by_it() {
    let folder = tempfile::tempdir().unwrap();
    let at = |path: &str| folder.path().join(path);
    // Only root knows other groups than its own.
    let group = if getuid().is_root() { 2500 } else { getgid().as_raw() };
    fs::create_dir_all(at("shared/in")).unwrap();
    fs::create_dir(at("plain")).unwrap();
    for path in ["shared/file", "shared/in/file", "plain/file"] {
        fs::write(at(path), "").unwrap();
    }
    for (path, mode) in [("shared", 0o2770), ("shared/in", 0o0500)] {
        std::os::unix::fs::chown(at(path), None, Some(group)).unwrap();
        fs::set_permissions(at(path), fs::Permissions::from_mode(mode)).unwrap();
    }
    let request = request(folder.path());
    let lines = [
        (None, "shared"),
        (None, "shared/file"),
        (Some(0o2770), "shared/in"),
        (None, "shared/in/file"),
        (None, "plain/file"),
    ];
    assert_eq!(asked(&request, &lines), Answer { done: 5, failed: vec![] });
    for path in ["shared", "shared/file", "shared/in", "shared/in/file"] {
        let data = fs::metadata(at(path)).unwrap();
        assert_eq!((data.uid(), data.gid()), (request.uid, group), "{path}");
        assert!(!data.is_dir() || data.mode() & 0o7777 == 0o2770, "{path}");
    }
    assert_eq!(fs::metadata(at("plain/file")).unwrap().gid(), request.gid);
}

#[test]
fn programs_of_roots_are_nobodys_means_to_become_root() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path().join("program");
    fs::write(&at, "").unwrap();
    fs::set_permissions(&at, fs::Permissions::from_mode(0o6755)).unwrap();
    assert_eq!(asked(&request(folder.path()), &[(None, "program")]).done, 1);
    assert_eq!(fs::metadata(&at).unwrap().mode() & 0o7777, 0o755);
}
