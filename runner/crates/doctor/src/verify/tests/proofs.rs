//! Contents against their file lists and against etags of other servers.

use std::{fs, path::Path};

use contract::hex;
use hub::testing::{COMMIT, Fixture, Kept, git_id};
use sha1::Sha1;
use sha2::{Digest as _, Sha256};

use super::{Details, Finding, Problem, Scope, Severity, everything, verified};

const TEXT: &str = "weights";
const REPO: &str = "models--org--m";

/// Writes the blob `name` with [`TEXT`], a symlink to it and the file list of its commit.
fn write_blob(fixture: &Fixture, name: &str, entry: &str) {
    fixture.write(format!("{REPO}/refs/main"), COMMIT);
    fixture.write(format!("{REPO}/blobs/{name}"), TEXT);
    let link = fixture.at(format!("{REPO}/snapshots/{COMMIT}/w"));
    let _ = fs::remove_file(&link);
    fixture.link(format!("{REPO}/snapshots/{COMMIT}/w"), format!("../../blobs/{name}"));
    let list = format!(r#"{{"format_version": 1, "files": {{"w": {{{entry}}}}}}}"#);
    fixture.write(format!("{REPO}/trees/{COMMIT}.json"), list);
}

fn findings(fixture: &Fixture, bytes: bool) -> Vec<Finding> {
    verified(fixture, &Scope { bytes, ..everything() }, None).findings
}

fn is_repairable(finding: &Finding) -> bool {
    finding.details != Details::None
}

#[test]
fn etags_of_other_servers_are_accepted_as_digests() {
    let sha1 = hex::encode(Sha1::digest(TEXT));
    let git = git_id(TEXT.as_bytes());
    let sha256 = hex::encode(Sha256::digest(TEXT));
    let in_git = hex::encode(Sha256::digest(format!("blob {}\0{TEXT}", TEXT.len())));
    for name in [&sha1, &git, &sha256, &in_git] {
        for id in [&sha1, &git, &sha256, &in_git] {
            let fixture = Fixture::empty();
            write_blob(&fixture, name, &format!(r#""size": 7, "blob_id": "{id}""#));
            assert_eq!(findings(&fixture, true), [], "{name} listed as {id}");
        }
        let fixture = Fixture::empty();
        let large = format!(r#""size": 7, "blob_id": "{sha256}", "lfs_sha256": "{sha256}""#);
        write_blob(&fixture, name, &large);
        assert_eq!(findings(&fixture, true), [], "{name} listed as LFS");
        fixture.write(format!("{REPO}/blobs/{name}"), "WEIGHTS");
        let found = findings(&fixture, true);
        assert!(
            found.iter().any(|found| found.problem == Problem::CorruptBlob),
            "{name}: {found:?}"
        );
    }
}

#[test]
fn file_list_with_a_wrong_size_is_disproved_by_the_digest() {
    let fixture = Fixture::empty();
    let git = git_id(TEXT.as_bytes());
    write_blob(&fixture, &git, &format!(r#""size": 8, "blob_id": "{git}""#));
    assert_eq!(findings(&fixture, true), []);
    let [suspected] = findings(&fixture, false).try_into().unwrap();
    assert_eq!((suspected.problem, is_repairable(&suspected)), (Problem::TruncatedBlob, false));
    fixture.write(format!("{REPO}/blobs/{git}"), "weight");
    let [truncated] = findings(&fixture, true).try_into().unwrap();
    assert_eq!((truncated.problem, is_repairable(&truncated)), (Problem::TruncatedBlob, true));
    // Without a digest as name, only the file list has the size.
    fs::remove_dir_all(fixture.at(REPO)).unwrap();
    write_blob(&fixture, "etag", r#""size": 8, "blob_id": "etag""#);
    let found = findings(&fixture, true);
    assert_eq!((found[0].problem, is_repairable(&found[0])), (Problem::TruncatedBlob, true));
}

#[test]
fn listed_blob_is_not_orphaned() {
    let fixture = Fixture::empty();
    let files = [("a", "one", Kept::Git), ("b", "two", Kept::Large), ("c", "three", Kept::Shared)];
    fixture.model("org/m", &files, true);
    let snapshot = fixture.at(format!("{REPO}/snapshots/{COMMIT}"));
    fs::remove_dir_all(&snapshot).unwrap();
    assert_eq!(findings(&fixture, true), []);
    for link in walkdir::WalkDir::new(fixture.at(format!("{REPO}/blobs"))).into_iter().flatten() {
        if link.path_is_symlink() {
            fs::remove_file(link.path()).unwrap();
        }
    }
    assert_eq!(findings(&fixture, true), [], "nor is its payload");
    fs::remove_dir_all(fixture.at(format!("{REPO}/trees"))).unwrap();
    let found = findings(&fixture, true).into_iter();
    assert_eq!(found.filter(|found| found.problem == Problem::OrphanBlob).count(), 3);
}

#[test]
fn file_list_of_a_newer_client_is_kept() {
    let fixture = Fixture::empty();
    fixture.model("org/m", &[("a", "one", Kept::Git)], false);
    let tree = format!("{REPO}/trees/{COMMIT}.json");
    for (list, is_moved) in [(r#"{"format_version": 2, "files": {}}"#, false), ("{", true)] {
        fixture.write(&tree, list);
        let [broken] = findings(&fixture, true).try_into().unwrap();
        assert_eq!(
            (broken.problem, is_repairable(&broken)),
            (Problem::BrokenTree, is_moved),
            "{list}"
        );
    }
}

#[test]
fn missing_shard_is_reported_with_and_without_a_file_list() {
    let index = r#"{"weight_map": {"x": "1.safetensors", "y": "2.safetensors"}}"#;
    let files = [
        ("model.safetensors.index.json", index, Kept::Git),
        ("1.safetensors", "one", Kept::Large),
        ("2.safetensors", "two", Kept::Large),
    ];
    for listed in [true, false] {
        let fixture = Fixture::empty();
        fixture.model("org/m", &files, listed);
        assert_eq!(findings(&fixture, true), []);
        fs::remove_file(fixture.at(format!("{REPO}/snapshots/{COMMIT}/2.safetensors"))).unwrap();
        let found = findings(&fixture, true);
        let missing = found.iter().find(|found| found.problem == Problem::PartialSnapshot).unwrap();
        assert_eq!(missing.problem.severity(), Severity::Warning);
        assert!(missing.evidence.contains("`2.safetensors`"));
        let count = found.iter().filter(|found| found.problem == Problem::PartialSnapshot).count();
        assert_eq!(count, 1, "{found:?}");
    }
}

#[test]
fn symlink_to_an_unlisted_blob_is_repairable_only_after_reading() {
    let fixture = Fixture::empty();
    let files = [("a", "one", Kept::Git), ("b", "two", Kept::Git)];
    let names = fixture.model("org/m", &files, true);
    let link = fixture.at(format!("{REPO}/snapshots/{COMMIT}/a"));
    fs::remove_file(&link).unwrap();
    fixture.link(
        Path::new(REPO).join("snapshots").join(COMMIT).join("a"),
        format!("../../blobs/{}", names["b"]),
    );
    let is_repairable_by = |bytes| {
        let found = findings(&fixture, bytes);
        let wrong = found.into_iter().find(|found| found.problem == Problem::CorruptBlob);
        wrong.map(|wrong| is_repairable(&wrong))
    };
    assert_eq!((is_repairable_by(true), is_repairable_by(false)), (Some(true), Some(false)));
}
