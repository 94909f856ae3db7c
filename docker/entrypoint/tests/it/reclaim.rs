//! `reclaim`: its JSON answer and its exit code.

use std::{
    fs::{self, File},
    os::unix::fs::MetadataExt as _,
    path::Path,
    process::Output,
};

use contract::reclaim::{Answer, Request};

use crate::program::{program, stderr};

/// Gives the listed entries, or all, to the owner that they have. No privilege is needed for that.
fn reclaim(folder: &Path, another_inode: u64, list: Option<&[u8]>) -> Output {
    let data = fs::metadata(folder).unwrap();
    let request = Request {
        folder: folder.to_str().unwrap().to_owned(),
        inode: data.ino() + another_inode,
        uid: data.uid(),
        gid: data.gid(),
        owners: vec![(data.uid(), data.uid())],
        listed: list.is_some(),
    };
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(&file, list.unwrap_or_default()).unwrap();
    let mut command = program(folder);
    command.args(["reclaim", &serde_json::to_string(&request).unwrap()]);
    command.stdin(File::open(&file).unwrap()).output().unwrap()
}

#[test]
fn answer_is_one_json_object() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a\nb"), "").unwrap();
    for list in [None, Some(&b"\0a\nb\0"[..])] {
        let output = reclaim(folder.path(), 0, list);
        let answer: Answer = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!((output.status.code(), answer.reclaimed), (Some(0), 2), "{answer:?}");
    }
    let output = reclaim(folder.path(), 0, Some(b"a\nb\0../x\0"));
    let answer: Answer = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((output.status.code(), answer.reclaimed), (Some(1), 1), "{answer:?}");
    assert_eq!(answer.failed[0].path, "../x");
}

#[test]
fn wrong_inode_or_truncated_list_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    for (inode, list, why) in [(1, None, "another folder"), (0, Some(&b"x"[..]), "breaks off")] {
        let output = reclaim(folder.path(), inode, list);
        assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(1), b"".as_slice()));
        assert!(stderr(&output).contains(why), "{}", stderr(&output));
    }
}
