//! `give-back`: a list on standard input, one JSON object, and an exit code.

use std::{
    fs::{self, File},
    os::unix::fs::MetadataExt as _,
    path::Path,
    process::Output,
};

use contract::give_back::{Answer, Line};

use crate::program::{program, stderr};

/// Gives what `list` names to its owner, which anybody may.
fn give_back(folder: &Path, inode: u64, list: &[u8]) -> Output {
    let data = fs::metadata(folder).unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(&file, list).unwrap();
    let ids = format!("{}:{}", data.uid(), data.gid());
    let mut command = program(folder);
    command.args(["give-back", "--inode", &inode.to_string(), &ids]).arg(folder);
    command.stdin(File::open(&file).unwrap()).output().unwrap()
}

#[test]
fn the_answer_is_one_json_object_and_the_exit_code_sums_it_up() {
    let folder = tempfile::tempdir().unwrap();
    let inode = fs::metadata(folder.path()).unwrap().ino();
    let file = folder.path().join("a\nb");
    fs::write(&file, "").unwrap();
    let mut list = vec![];
    Line { mode: None, path: b"" }.write(&mut list);
    Line { mode: Some(0o640), path: b"a\nb" }.write(&mut list);
    let output = give_back(folder.path(), inode, &list);
    let answer: Answer = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((output.status.code(), answer.done), (Some(0), 2), "{answer:?}");
    assert_eq!(fs::metadata(&file).unwrap().mode() & 0o7777, 0o640);

    Line { mode: None, path: b"../x" }.write(&mut list);
    let output = give_back(folder.path(), inode, &list);
    let answer: Answer = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((output.status.code(), answer.done), (Some(1), 2), "{answer:?}");
    assert_eq!((answer.failed[0].entry, answer.failed[0].refused), (2, true));
}

#[test]
fn what_cannot_be_meant_has_no_answer() {
    let folder = tempfile::tempdir().unwrap();
    let inode = fs::metadata(folder.path()).unwrap().ino();
    for (inode, list, why) in
        [(inode + 1, b"-\t\0".as_slice(), "another folder"), (inode, b"-\tx", "breaks off")]
    {
        let output = give_back(folder.path(), inode, list);
        assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(1), b"".as_slice()));
        assert!(stderr(&output).contains(why), "{}", stderr(&output));
    }
}
