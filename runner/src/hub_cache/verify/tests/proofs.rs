//! What bytes prove, against what a list or another server says.

use std::{fs, path::Path};

use sha1::Sha1;
use sha2::{Digest as _, Sha256};

use super::{Scope, everything, verified};
use crate::hub_cache::{
    breakage::{Breakage, What},
    fixture::{COMMIT, Fixture, Kept},
};

const TEXT: &str = "weights";
const REPO: &str = "models--org--m";

fn hex(bytes: impl AsRef<[u8]>) -> String {
    bytes.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The blob `name` with [`TEXT`], a link to it, and the list of its commit.
fn served(fixture: &Fixture, name: &str, entry: &str) {
    fixture.write(format!("{REPO}/refs/main"), COMMIT);
    fixture.write(format!("{REPO}/blobs/{name}"), TEXT);
    let link = fixture.at(format!("{REPO}/snapshots/{COMMIT}/w"));
    let _ = fs::remove_file(&link);
    fixture.link(format!("{REPO}/snapshots/{COMMIT}/w"), format!("../../blobs/{name}"));
    let list = format!(r#"{{"format_version": 1, "files": {{"w": {{{entry}}}}}}}"#);
    fixture.write(format!("{REPO}/trees/{COMMIT}.json"), list);
}

fn breakages(fixture: &Fixture, bytes: bool) -> Vec<Breakage> {
    verified(fixture, &Scope { bytes, ..everything() }, None).breakages
}

#[test]
fn files_of_servers_beside_the_hub_are_sound() {
    let sha1 = hex(Sha1::digest(TEXT));
    let git = crate::hub_cache::fixture::git_id(TEXT.as_bytes());
    let sha256 = hex(Sha256::digest(TEXT));
    let in_git = hex(Sha256::digest(format!("blob {}\0{TEXT}", TEXT.len())));
    for name in [&sha1, &git, &sha256, &in_git] {
        for id in [&sha1, &git, &sha256, &in_git] {
            let fixture = Fixture::new();
            served(&fixture, name, &format!(r#""size": 7, "blob_id": "{id}""#));
            assert_eq!(breakages(&fixture, true), [], "{name} listed as {id}");
        }
        let fixture = Fixture::new();
        let large = format!(r#""size": 7, "blob_id": "{sha256}", "lfs_sha256": "{sha256}""#);
        served(&fixture, name, &large);
        assert_eq!(breakages(&fixture, true), [], "{name} listed as LFS");
        fixture.write(format!("{REPO}/blobs/{name}"), "WEIGHTS");
        let found = breakages(&fixture, true);
        assert!(found.iter().any(|found| found.what == What::CorruptBlob), "{name}: {found:?}");
    }
}

#[test]
fn a_list_is_wrong_about_a_size_that_the_bytes_disprove() {
    let fixture = Fixture::new();
    let git = crate::hub_cache::fixture::git_id(TEXT.as_bytes());
    served(&fixture, &git, &format!(r#""size": 8, "blob_id": "{git}""#));
    assert_eq!(breakages(&fixture, true), []);
    let [suspected] = breakages(&fixture, false).try_into().unwrap();
    assert_eq!((suspected.what, suspected.fixes.len()), (What::TruncatedBlob, 0));
    fixture.write(format!("{REPO}/blobs/{git}"), "weight");
    let [truncated] = breakages(&fixture, true).try_into().unwrap();
    assert_eq!((truncated.what, truncated.fixes.len()), (What::TruncatedBlob, 1));
    // Where a name is no digest, only the list tells.
    fs::remove_dir_all(fixture.at(REPO)).unwrap();
    served(&fixture, "etag", r#""size": 8, "blob_id": "etag""#);
    let found = breakages(&fixture, true);
    assert_eq!((found[0].what, found[0].fixes.len()), (What::TruncatedBlob, 1));
}

#[test]
fn what_a_list_names_is_no_orphan() {
    let fixture = Fixture::new();
    let files = [("a", "one", Kept::Git), ("b", "two", Kept::Large), ("c", "three", Kept::Shared)];
    fixture.model("org/m", &files, true);
    let snapshot = fixture.at(format!("{REPO}/snapshots/{COMMIT}"));
    fs::remove_dir_all(&snapshot).unwrap();
    assert_eq!(breakages(&fixture, true), []);
    for link in walkdir::WalkDir::new(fixture.at(format!("{REPO}/blobs"))).into_iter().flatten() {
        if link.path_is_symlink() {
            fs::remove_file(link.path()).unwrap();
        }
    }
    assert_eq!(breakages(&fixture, true), [], "nor is its payload");
    fs::remove_dir_all(fixture.at(format!("{REPO}/trees"))).unwrap();
    let found = breakages(&fixture, true).into_iter();
    assert_eq!(found.filter(|found| found.what == What::OrphanBlob).count(), 3);
}

#[test]
fn a_list_of_a_newer_client_is_left_to_it() {
    let fixture = Fixture::new();
    fixture.model("org/m", &[("a", "one", Kept::Git)], false);
    let tree = format!("{REPO}/trees/{COMMIT}.json");
    for (list, fixes) in [(r#"{"format_version": 2, "files": {}}"#, 0), ("{", 1)] {
        fixture.write(&tree, list);
        let [broken] = breakages(&fixture, true).try_into().unwrap();
        assert_eq!((broken.what, broken.fixes.len()), (What::BrokenTree, fixes), "{list}");
    }
}

#[test]
fn parts_are_missing_with_a_list_and_without() {
    let index = r#"{"weight_map": {"x": "1.safetensors", "y": "2.safetensors"}}"#;
    let files = [
        ("model.safetensors.index.json", index, Kept::Git),
        ("1.safetensors", "one", Kept::Large),
        ("2.safetensors", "two", Kept::Large),
    ];
    for listed in [true, false] {
        let fixture = Fixture::new();
        fixture.model("org/m", &files, listed);
        assert_eq!(breakages(&fixture, true), []);
        fs::remove_file(fixture.at(format!("{REPO}/snapshots/{COMMIT}/2.safetensors"))).unwrap();
        let found = breakages(&fixture, true);
        let missing = found.iter().find(|found| found.what == What::MissingPart).unwrap();
        assert_eq!(missing.what.severity(), crate::checks::Severity::Warning);
        assert!(missing.evidence.contains("`2.safetensors`"));
        assert!(found.iter().all(|found| found.what != What::PartialSnapshot), "{found:?}");
    }
}

#[test]
fn a_link_to_another_blob_than_listed_is_wrong_unless_the_bytes_are_right() {
    let fixture = Fixture::new();
    let files = [("a", "one", Kept::Git), ("b", "two", Kept::Git)];
    let names = fixture.model("org/m", &files, true);
    let link = fixture.at(format!("{REPO}/snapshots/{COMMIT}/a"));
    fs::remove_file(&link).unwrap();
    fixture.link(
        Path::new(REPO).join("snapshots").join(COMMIT).join("a"),
        format!("../../blobs/{}", names["b"]),
    );
    let fixes = |bytes| {
        let found = breakages(&fixture, bytes);
        let wrong = found.into_iter().find(|found| found.what == What::WrongBlob);
        wrong.map(|wrong| wrong.fixes.len())
    };
    assert_eq!((fixes(true), fixes(false)), (Some(1), Some(0)));
}
