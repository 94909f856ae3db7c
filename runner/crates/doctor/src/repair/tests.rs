//! Whole repairs of small caches.

mod killed;
mod owners;

use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    sync::atomic::AtomicBool,
    time::{Duration, SystemTime},
};

use host::paths::host_path::HostPath;
use hub::testing::{COMMIT, Fixture, Kept, git_id};
use ownership::Failure;

use super::{Ownership, Repair, repair};
use crate::{
    finding::{DAY, Details, Finding, Problem},
    tests::{everything, me, verified},
    verify::Context,
};

/// For tests without entries of another user.
struct NoOwners;

impl Ownership for NoOwners {
    fn why_protected(&self, _: &HostPath, path: &Path) -> Option<String> {
        panic!("{path:?} is not to be taken back")
    }

    fn reclaim(&self, _: &HostPath, paths: &[PathBuf]) -> anyhow::Result<Vec<Failure>> {
        panic!("{paths:?} are not to be taken back")
    }

    fn sudo_line(&self, _: &HostPath, paths: &[PathBuf]) -> String {
        panic!("{paths:?} are not to be taken back")
    }
}

fn repaired(fixture: &Fixture, really: bool) -> Repair {
    let (host, places) = me(fixture);
    let stop = AtomicBool::new(false);
    let context = Context { host: &host, token: None, digest_cache: None, stop: &stop };
    repair(&places, &everything(), &context, &NoOwners, really).unwrap()
}

fn found(fixture: &Fixture) -> Vec<Finding> {
    verified(fixture, &everything(), None).findings
}

const FILES: [(&str, &str, Kept); 2] =
    [("config.json", "{}", Kept::Git), ("onnx/model.onnx", "large", Kept::Large)];

/// Makes a file old enough for a repair.
fn age(fixture: &Fixture, below: &str) {
    let then = SystemTime::now() - DAY - Duration::from_secs(60);
    fs::File::options().write(true).open(fixture.at(below)).unwrap().set_modified(then).unwrap();
}

/// A cache with one problem for each kind of fix.
fn broken() -> Fixture {
    let fixture = Fixture::empty();
    let config = git_id(b"{}");
    fixture.model("a/corrupt", &FILES, true);
    fixture.write(format!("models--a--corrupt/blobs/{config}"), "[]");
    fixture.model("b/dangling", &FILES, false);
    fs::remove_file(fixture.at(format!("models--b--dangling/blobs/{config}"))).unwrap();
    fixture.model("c/links", &FILES, true);
    let link = format!("models--c--links/snapshots/{COMMIT}/config.json");
    fs::remove_file(fixture.at(&link)).unwrap();
    fixture.link(&link, fixture.path().join(format!("models--c--links/blobs/{config}")));
    fixture.link(format!("models--c--links/snapshots/{COMMIT}/passwd"), "/etc/passwd");
    fixture.model("d/refs", &FILES, true);
    fixture.write("models--d--refs/refs/main", format!("{COMMIT}\n"));
    fixture.write("models--d--refs/refs/main.0011aabb.tmp", COMMIT);
    age(&fixture, "models--d--refs/refs/main.0011aabb.tmp");
    fixture.model("e/closed", &FILES, true);
    let closed = fixture.at(format!("models--e--closed/blobs/{config}"));
    fs::set_permissions(closed, fs::Permissions::from_mode(0o000)).unwrap();
    let unfinished = format!("models--e--closed/blobs/{}.0011aabb.incomplete", "a".repeat(64));
    fixture.write(&unfinished, "half");
    age(&fixture, &unfinished);
    fixture.write(format!("models--e--closed/blobs/.{}.0011aabb.old", "b".repeat(40)), "only");
    let lock = format!(".locks/models--e--closed/{}.lock", "c".repeat(40));
    fixture.write(&lock, "1\nelsewhere\n");
    age(&fixture, &lock);
    fixture.write("models--e--closed/blobs/notes.txt", "mine");
    fixture
}

#[test]
fn plan_changes_nothing() {
    let fixture = broken();
    let before = fixture.manifest(&[]);
    let planned = repaired(&fixture, false);
    assert_eq!(fixture.manifest(&[]), before);
    assert_eq!(planned.exit().code(), 1);
    let text = planned.lines().replace(fixture.path().to_str().unwrap(), "HUB");
    // Root may read everything, so modes are only planned for other users.
    let text: Vec<_> = text.lines().filter(|line| !line.contains("sets the mode")).collect();
    insta::assert_snapshot!(text[..text.len() - 1].join("\n"));
}

#[test]
fn repair_changes_only_what_it_plans() {
    let fixture = broken();
    let config = git_id(b"{}");
    let touched = [
        format!("models--a--corrupt/blobs/{config}"),
        "models--a--corrupt/.set-aside".to_owned(),
        format!("models--b--dangling/blobs/{config}"),
        format!("models--c--links/snapshots/{COMMIT}/config.json"),
        format!("models--c--links/snapshots/{COMMIT}/passwd"),
        "models--d--refs/refs/main".to_owned(),
        "models--e--closed/blobs".to_owned(),
        ".locks/models--e--closed".to_owned(),
    ];
    let touched: Vec<_> = touched.iter().map(String::as_str).collect();
    let before = fixture.manifest(&touched);
    let done = repaired(&fixture, true);
    assert_eq!(done.exit().code(), 0, "{}", done.lines());
    assert_eq!(fixture.manifest(&touched), before);

    // The symlink is kept, so that the Hub client downloads the file again.
    let link = fixture.at(format!("models--a--corrupt/snapshots/{COMMIT}/config.json"));
    assert!(link.is_symlink() && !link.exists());
    let aside = fs::read_dir(fixture.at("models--a--corrupt/.set-aside")).unwrap();
    let aside: Vec<_> = aside.map(|entry| fs::read(entry.unwrap().path()).unwrap()).collect();
    assert_eq!(aside, [b"[]"]);
    // Another repo had a complete copy.
    let copied = fixture.at(format!("models--b--dangling/blobs/{config}"));
    assert_eq!(fs::read(copied).unwrap(), b"{}");
    assert!(Path::new("/etc/passwd").exists());
    assert_eq!(
        fs::read(fixture.at(format!("models--e--closed/blobs/{}", "b".repeat(40)))).unwrap(),
        b"only"
    );
    assert_eq!(fs::read(fixture.at("models--e--closed/blobs/notes.txt")).unwrap(), b"mine");

    let left: BTreeSet<_> = found(&fixture).into_iter().map(|finding| finding.problem).collect();
    let expected = [
        // The content of the renamed file does not match the digest that this test made up.
        Problem::CorruptBlob,
        Problem::DanglingPointer,
        Problem::ForeignFile,
        Problem::OrphanBlob,
        Problem::SetAside,
    ];
    assert_eq!(left, expected.into_iter().collect());

    // Later repairs keep the symlink that waits for a download.
    repaired(&fixture, true);
    assert!(link.is_symlink());
}

#[test]
fn leftovers_of_a_killed_repair_are_removed() {
    let fixture = Fixture::empty();
    fixture.model("a/m", &FILES, true);
    let snapshot = format!("models--a--m/snapshots/{COMMIT}");
    fixture.link(format!("{snapshot}/.aienergyscore-7"), "../../blobs/x");
    fixture.write("models--a--m/blobs/.aienergyscore-7", "{");
    fixture.write("models--a--m/refs/main.00000007.tmp", "0123");
    age(&fixture, "models--a--m/refs/main.00000007.tmp");
    let done = repaired(&fixture, true);
    assert_eq!(done.exit().code(), 0, "{}", done.lines());
    assert_eq!(found(&fixture), []);
    assert_eq!(repaired(&fixture, true).lines(), "nothing to repair\n");
}

#[test]
fn locked_or_recent_download_is_kept() {
    let fixture = Fixture::empty();
    fixture.model("a/m", &FILES, true);
    let etag = "a".repeat(64);
    let unfinished = format!("models--a--m/blobs/{etag}.0011aabb.incomplete");
    fixture.write(&unfinished, "half");
    let young = found(&fixture);
    assert_eq!(
        (young[0].problem, &young[0].details),
        (Problem::IncompleteDownload, &Details::None)
    );
    age(&fixture, &unfinished);
    fixture.write(format!(".locks/models--a--m/{etag}.lock"), "");
    let lock = fs::File::open(fixture.at(format!(".locks/models--a--m/{etag}.lock"))).unwrap();
    lock.lock().unwrap();
    let left = repaired(&fixture, true);
    assert!(left.lines().contains("a download is at work"), "{}", left.lines());
    assert_eq!(left.exit().code(), 0);
    assert!(fixture.at(format!("models--a--m/blobs/{etag}.0011aabb.incomplete")).exists());
    drop(lock);
    repaired(&fixture, true);
    assert_eq!(found(&fixture), []);
}

#[test]
fn symlinks_copied_as_text_files_become_symlinks_again() {
    let fixture = Fixture::empty();
    let files = [FILES[0], FILES[1], ("m.safetensors", "shared", Kept::Shared)];
    for (id, listed) in [("org/m", false), ("org/n", true)] {
        fixture.model(id, &files, listed);
    }
    let whole = fixture.manifest(&[]);
    let links: Vec<_> = whole.iter().filter(|(_, what)| what.contains("link to ")).collect();
    for (path, what) in &links {
        fs::remove_file(fixture.at(path)).unwrap();
        fixture.write(path, what.split_once("link to ").unwrap().1);
    }
    let kinds: Vec<_> = found(&fixture).into_iter().map(|found| found.problem).collect();
    assert_eq!(kinds, vec![Problem::LinkAsText; links.len()]);
    let done = repaired(&fixture, true);
    assert_eq!(done.exit().code(), 0, "{}", done.lines());
    assert_eq!(fixture.manifest(&[]), whole);
}

#[test]
fn symlink_within_the_repo_is_left_alone() {
    let fixture = Fixture::empty();
    let files = [FILES[0], FILES[1], ("m.safetensors", "shared", Kept::Shared)];
    let names = fixture.model("org/m", &files, false);
    let snapshot = format!("models--org--m/snapshots/{COMMIT}");
    for (path, text) in [
        ("model.bin", "m.safetensors"),
        ("onnx/config.json", "../config.json"),
        ("again.onnx", "onnx/model.onnx"),
        ("once/more.json", "./../onnx/../config.json"),
        ("onnx2", "onnx"),
    ] {
        fixture.link(format!("{snapshot}/{path}"), text);
    }
    let blob = format!("models--org--m/blobs/{}", names["config.json"]);
    fs::rename(fixture.at(&blob), fixture.at("models--org--m/blobs/other")).unwrap();
    fixture.link(&blob, "other");
    let before = fixture.manifest(&[]);
    assert_eq!(repaired(&fixture, true).lines(), "nothing to repair\n");
    assert_eq!(fixture.manifest(&[]), before);
    fixture.link(format!("{snapshot}/gone"), "nowhere");
    let dangling =
        found(&fixture).into_iter().find(|found| found.problem == Problem::DanglingPointer);
    assert_eq!(dangling.unwrap().details, Details::None);
}

#[test]
fn old_download_that_older_clients_resume_is_kept() {
    let fixture = Fixture::empty();
    fixture.model("a/m", &FILES, true);
    let unfinished = format!("models--a--m/blobs/{}.incomplete", "a".repeat(64));
    fixture.write(&unfinished, "half");
    age(&fixture, &unfinished);
    assert_eq!(repaired(&fixture, true).lines(), "nothing to repair\n");
    assert_eq!(fs::read(fixture.at(&unfinished)).unwrap(), b"half");
    assert!(found(&fixture)[0].evidence.contains("before 1.18"));
}

#[test]
fn replaced_blob_takes_the_place_of_its_corrupt_replacement() {
    let fixture = Fixture::empty();
    let names = fixture.model("a/m", &FILES, true);
    let blob = format!("models--a--m/blobs/{}", names["config.json"]);
    let old = format!("models--a--m/blobs/.{}.0011aabb.old", names["config.json"]);
    fs::rename(fixture.at(&blob), fixture.at(&old)).unwrap();
    fixture.write(&blob, "[]");
    age(&fixture, &old);
    let done = repaired(&fixture, true).lines();
    assert!(done.contains("the only copy of its blob"), "{done}");
    repaired(&fixture, true);
    assert_eq!(fs::read(fixture.at(&blob)).unwrap(), b"{}");
}

#[test]
fn symlink_is_removed_together_with_the_symlinks_to_it() {
    let fixture = Fixture::empty();
    let names = fixture.model("org/m", &FILES, false);
    let blob = format!("models--org--m/blobs/{}", names["config.json"]);
    fs::remove_file(fixture.at(&blob)).unwrap();
    fixture.link(&blob, "..");
    let done = repaired(&fixture, true).lines();
    assert!(done.ends_with("2 done, 0 left alone, 0 failed\n"), "{done}");
    assert_eq!(repaired(&fixture, true).lines(), "nothing to repair\n");
}

#[test]
fn symlinked_blobs_do_not_stop_other_repairs() {
    let fixture = Fixture::empty();
    let names = fixture.model("org/m", &FILES, true);
    fixture.write("large", "somebody's");
    let blob = format!("models--org--m/blobs/{}", names["onnx/model.onnx"]);
    fs::remove_file(fixture.at(&blob)).unwrap();
    fixture.link(&blob, "../../large");
    let names = fixture.model("org/n", &FILES, true);
    fs::rename(fixture.at("models--org--n/blobs"), fixture.at("models--org--n/kept")).unwrap();
    fs::remove_file(fixture.at(format!("models--org--n/kept/{}", names["config.json"]))).unwrap();
    fixture.link("models--org--n/blobs", "kept");
    fixture.write("models--org--n/refs/main", format!("{COMMIT}\n"));
    fixture.model("org/o", &FILES[1..], true);
    let names = fixture.model("org/p", &FILES[1..], true);
    fs::remove_dir_all(fixture.at("models--org--p/blobs")).unwrap();
    let done = repaired(&fixture, true).lines();
    assert!(done.ends_with(" 0 left alone, 0 failed\n"), "{done}");
    assert_eq!(repaired(&fixture, true).lines(), "nothing to repair\n");
    assert_eq!(fs::read_to_string(fixture.at("large")).unwrap(), "somebody's");
    let blob = format!("models--org--p/blobs/{}", names["onnx/model.onnx"]);
    assert_eq!(fs::read_to_string(fixture.at(blob)).unwrap(), "large");
}

#[test]
fn symlink_to_the_store_by_another_path_is_corrected() {
    let fixture = Fixture::empty();
    let files = [("m.safetensors", "shared", Kept::Shared)];
    let names = fixture.model("org/m", &files, true);
    let blob = format!("models--org--m/blobs/{}", names["m.safetensors"]);
    let right = fs::read_link(fixture.at(&blob)).unwrap();
    for wrong in [fixture.at(&blob).canonicalize().unwrap(), Path::new(".").join(&right)] {
        fs::remove_file(fixture.at(&blob)).unwrap();
        fixture.link(&blob, wrong);
        let done = repaired(&fixture, true).lines();
        assert!(done.contains("a symlink to") && done.contains("absolute-link"), "{done}");
        assert_eq!(fs::read_link(fixture.at(&blob)).unwrap(), right);
        assert_eq!(repaired(&fixture, true).lines(), "nothing to repair\n");
    }
}
