//! Verifications of small caches.

mod linked;
mod proofs;

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    sync::atomic::AtomicBool,
    time::{Duration, SystemTime},
};

use host::output::{progress::Progress, severity::Severity};
use hub::{
    layout::{Repo, RepoName},
    testing::{COMMIT, Fixture, Kept, git_id},
};

use super::{
    Cache, Context, HashJobs, Inspection, Problem, Scope, Tally, User, hash_all, inspect,
    top_level, verify,
};
use crate::{
    finding::{DAY, Details, Finding},
    repair::{Choice, Fix, choose},
    report::Report,
    tests::{everything, me, verified},
};

/// Problems of a cache.
pub(crate) fn found(fixture: &Fixture) -> Vec<Problem> {
    verified(fixture, &everything(), None).findings.iter().map(|found| found.problem).collect()
}

const FILES: [(&str, &str, Kept); 3] = [
    ("config.json", "{}", Kept::Git),
    ("onnx/model.onnx", "large", Kept::Large),
    ("model.safetensors", "weights", Kept::Shared),
];

#[test]
fn intact_cache_has_no_findings_and_stays_unchanged() {
    let fixture = Fixture::empty();
    fixture.model("org/m", &FILES, true);
    fixture.model("gpt2", &FILES[..2], false);
    fixture.write(format!("models--gpt2/.no_exist/{COMMIT}/adapter_config.json"), "");
    fixture.write("version.txt", "1");
    let before = fixture.manifest(&[]);
    let found = verified(&fixture, &everything(), None);
    assert_eq!(found.findings, []);
    let tally = Tally { hashed: 5, hashed_bytes: 2 + 5 + 7 + 2 + 5, ..Tally::default() };
    assert_eq!((found.repos, found.tally), (2, tally));
    assert_eq!(Report::of(found).unwrap().exit().code(), 0);
    assert_eq!(fixture.manifest(&[]), before, "a verification changes nothing");
}

#[test]
fn every_kind_of_problem_is_reported() {
    let fixture = Fixture::empty();
    let model = |id: &str, listed| fixture.model(id, &FILES, listed);
    let snapshot = |repo: &str, path: &str| format!("models--{repo}/snapshots/{COMMIT}/{path}");

    let names = model("a/corrupt", true);
    fixture.write(format!("models--a--corrupt/blobs/{}", names["config.json"]), "[]");
    let names = model("b/truncated", true);
    fixture.write(format!("models--b--truncated/blobs/{}", names["onnx/model.onnx"]), "lar");
    let names = model("c/dangling", false);
    fs::remove_file(fixture.at(format!("models--c--dangling/blobs/{}", names["config.json"])))
        .unwrap();
    model("d/absolute", true);
    let link = fixture.at(snapshot("d--absolute", "config.json"));
    let text = fixture.path().join(format!("models--d--absolute/blobs/{}", git_id(b"{}")));
    fs::remove_file(&link).unwrap();
    fixture.link(snapshot("d--absolute", "config.json"), text);
    model("e/escaping", false);
    fixture.link(snapshot("e--escaping", "passwd"), "/etc/passwd");
    model("f/partial", true);
    fs::remove_file(fixture.at(snapshot("f--partial", "config.json"))).unwrap();
    let index = r#"{"weight_map": {"a": "model-1.safetensors"}}"#;
    fixture.model("g/parts", &[("model.safetensors.index.json", index, Kept::Git)], false);
    model("h/refs", true);
    fixture.write("models--h--refs/refs/main", format!("{COMMIT}\n"));
    fixture.write("models--h--refs/refs/gone", "f".repeat(40));
    fixture.write("models--h--refs/refs/main.0011aabb.tmp", COMMIT);
    model("i/leftovers", true);
    let blob = |name: &str| format!("models--i--leftovers/blobs/{name}");
    let old = |path: &str| {
        let file = fs::File::options().write(true).open(fixture.at(path)).unwrap();
        file.set_modified(SystemTime::now() - DAY - Duration::from_secs(60)).unwrap();
    };
    fixture.write(blob(&format!("{}.0011aabb.incomplete", "a".repeat(64))), "half");
    old(&blob(&format!("{}.0011aabb.incomplete", "a".repeat(64))));
    fixture.write(blob(&format!("{}.0011aabb.incomplete", "b".repeat(64))), "half");
    fixture.write(blob(&format!("{}.incomplete", "c".repeat(64))), "half");
    fixture.write(blob("tmp_7a1f37b8-1b5e-4d1c-9c0e-0123456789ab"), "");
    fixture.write(blob(&"b".repeat(40)), "nobody's");
    fixture.write(blob("notes.txt"), "mine");
    fixture.write("models--i--leftovers/tmp_7a1f37b8-1b5e-4d1c-9c0e-0123456789ab", "");
    fixture.write("models--i--leftovers/tmp_notes.txt", "mine");
    fixture.write("models--i--leftovers/trees/tmpx.tmp", "{");
    fs::create_dir(fixture.at("models--i--leftovers/tmpabcd0123")).unwrap();
    model("j/tree", true);
    fixture.write(format!("models--j--tree/trees/{COMMIT}.json"), "{");
    model("k/copy", true);
    let config = fixture.at(snapshot("k--copy", "config.json"));
    fs::remove_file(&config).unwrap();
    fixture.write(snapshot("k--copy", "config.json"), "{}");
    fixture.write(snapshot("k--copy", "build.o"), "mine");
    fs::create_dir(fixture.at("models--l--nothing")).unwrap();
    model("L/Nothing", true);
    for name in ["b", "c"] {
        let lock = format!(".locks/models--a--corrupt/{}.lock", name.repeat(40));
        fixture.write(lock, "1\nelsewhere\n");
    }
    old(&format!(".locks/models--a--corrupt/{}.lock", "c".repeat(40)));
    fixture.write("notes.txt", "mine");
    let name = "9".repeat(64);
    fixture.write(format!("blobs/99/{name}"), "unknown");

    let found = verified(&fixture, &everything(), None);
    let (root, count) = (fixture.path(), found.findings.len());
    let found = Report::of(found).unwrap();
    let text = found.lines().replace(root.to_str().unwrap(), "HUB");
    insta::assert_snapshot!(text);
    assert_eq!(found.exit().code(), 1);
    let json = found.json();
    assert_eq!(json["findings"].as_array().unwrap().len(), count);
    assert_eq!(json["findings"][0]["what"], "corrupt-blob");
    assert_eq!(json["findings"][0]["repo"]["id"], "a/corrupt");
}

#[test]
fn shared_payload_is_checked_for_each_repo() {
    let fixture = Fixture::empty();
    let files = [("m.safetensors", "shared", Kept::Shared)];
    fixture.model("a/one", &files, false);
    fixture.model("b/two", &files, false);
    let tally = verified(&fixture, &everything(), None).tally;
    assert_eq!(tally.hashed, 2, "each link counts, even if its file was read for another one");
    let shard = walkdir::WalkDir::new(fixture.at("blobs")).into_iter().flatten();
    let payload = shard
        .map(walkdir::DirEntry::into_path)
        .find(|path| {
            path.extension().is_none() && path.is_file() && path.file_name().unwrap().len() == 64
        })
        .unwrap();
    fs::write(&payload, "SHARED").unwrap();
    assert_eq!(found(&fixture), [Problem::CorruptBlob, Problem::CorruptBlob]);
    fs::remove_file(&payload).unwrap();
    assert_eq!(found(&fixture), [Problem::DanglingPointer, Problem::DanglingPointer]);
}

#[test]
fn digest_is_remembered_until_the_file_changes() {
    let fixture = Fixture::empty();
    let names = fixture.model("org/m", &FILES[..2], true);
    let past = SystemTime::now() - Duration::from_secs(60);
    let digest_cache = tempfile::tempdir().unwrap();
    let tally = |scope: &Scope| verified(&fixture, scope, Some(digest_cache.path())).tally;
    assert_eq!((tally(&everything()).hashed, tally(&everything()).hashed), (2, 0));
    assert_eq!(tally(&everything()).remembered, 2);
    assert_eq!(tally(&Scope { full: true, ..everything() }).hashed, 2);

    let blob = fixture.at(format!("models--org--m/blobs/{}", names["config.json"]));
    fs::write(&blob, "[]").unwrap();
    fs::File::options().write(true).open(&blob).unwrap().set_modified(past).unwrap();
    let found = verified(&fixture, &everything(), Some(digest_cache.path()));
    assert_eq!((found.tally.hashed, found.tally.remembered), (1, 1));
    assert_eq!(found.findings[0].problem, Problem::CorruptBlob);
}

#[test]
fn digest_of_a_payload_known_from_a_file_list_is_remembered() {
    let fixture = Fixture::empty();
    let names = fixture.model("org/m", &[("m.safetensors", "shared", Kept::Shared)], true);
    fs::remove_file(fixture.at(format!("models--org--m/blobs/{}", names["m.safetensors"])))
        .unwrap();
    let digest_cache = tempfile::tempdir().unwrap();
    let tally = || verified(&fixture, &everything(), Some(digest_cache.path())).tally;
    let [first, second] = [tally(), tally()];
    assert_eq!((first.hashed, first.remembered), (1, 0));
    assert_eq!((second.hashed, second.remembered), (0, 1));
}

#[test]
fn remembered_digests_are_removed_with_their_repo() {
    let fixture = Fixture::empty();
    fixture.model("org/m", &FILES[..1], true);
    fixture.model("org/gone", &FILES[..1], true);
    let digest_cache = tempfile::tempdir().unwrap();
    let memories = |scope: &Scope| {
        verified(&fixture, scope, Some(digest_cache.path()));
        let files = walkdir::WalkDir::new(digest_cache.path()).into_iter().map(Result::unwrap);
        files.filter(|entry| entry.file_type().is_file()).count()
    };
    assert_eq!(memories(&everything()), 2);
    fs::remove_dir_all(fixture.at("models--org--gone")).unwrap();
    let one = Scope { repos: vec!["org/m".to_owned()], ..everything() };
    assert_eq!(memories(&one), 2, "only who looks at all knows what is gone");
    assert_eq!(memories(&everything()), 1);
}

#[test]
fn repos_are_selected_by_name() {
    let fixture = Fixture::empty();
    fixture.model("org/m", &FILES[..2], true);
    fixture.model("org/other", &FILES[..2], true);
    for name in ["org/m", "model/org/m", "models--org--m"] {
        let scope = Scope { repos: vec![name.to_owned()], ..everything() };
        assert_eq!(verified(&fixture, &scope, None).repos, 1, "{name}");
    }
    let quick = Scope { bytes: false, ..everything() };
    assert_eq!(verified(&fixture, &quick, None).tally, Tally::default());
}

#[test]
fn interrupted_verification_counts_unchecked_files() {
    let fixture = Fixture::empty();
    fixture.model("org/m", &FILES, true);
    let (host, places) = me(&fixture);
    let stop = AtomicBool::new(true);
    let context = Context { host: &host, token: None, digest_cache: None, stop: &stop };
    let found = verify(&places, &everything(), &context).unwrap();
    assert!(found.interrupted);
    assert_eq!(found.tally.unchecked, 3);
    let lines = Report::of(found).unwrap().lines();
    assert!(lines.contains("interrupted"), "{lines}");
}

#[test]
fn readable_token_and_cache_in_a_tilde_folder_are_reported() {
    let fixture = Fixture::empty();
    fixture.model("org/m", &FILES[..1], true);
    let token = fixture.at("token");
    fs::write(&token, "hf_x").unwrap();
    fs::set_permissions(&token, fs::Permissions::from_mode(0o644)).unwrap();
    let user = User { uid: rustix::process::geteuid().as_raw(), gid: 0, groups: &[] };
    let home = |cwd: &Path| top_level::home_and_token(&fixture.path(), Some(&token), cwd, user);
    let found = home(Path::new("/"));
    assert_eq!(found.len(), 1);
    assert_eq!(
        (found[0].problem, found[0].problem.severity()),
        (Problem::TokenFile, Severity::Error)
    );
    fs::create_dir_all(fixture.at("~/.cache/huggingface")).unwrap();
    assert_eq!(home(&fixture.path())[1].problem, Problem::ForeignFile);
}

#[test]
fn file_removed_before_it_is_read_is_changing() {
    let fixture = Fixture::empty();
    let names = fixture.model("org/m", &FILES[..2], true);
    let cache = Cache::open(&fixture.path()).unwrap();
    let mut jobs = HashJobs::default();
    let mut batches = cache.map_repos(&cache.repos, |_, repo| {
        let Inspection { checks, .. } = inspect(&repo.unwrap());
        super::Batch::new(checks, None, false)
    });
    batches.iter().for_each(|batch| batch.add_jobs(&mut jobs));
    fs::remove_file(fixture.at(format!("models--org--m/blobs/{}", names["config.json"]))).unwrap();
    let never = AtomicBool::new(false);
    let hashed = hash_all(&jobs.jobs, &Progress::hidden(), &never);
    let (mut found, mut tally) = (vec![], Tally::default());
    batches.remove(0).finish(&jobs, &hashed, SystemTime::now(), &mut found, &mut tally);
    assert_eq!((found.len(), found[0].problem), (1, Problem::Changing));
    assert_eq!((tally.hashed, tally.unchecked), (1, 1));
}

#[test]
fn payload_is_orphaned_only_if_every_repo_is_readable() {
    let fixture = Fixture::empty();
    let name = "9".repeat(64);
    fixture.write("blobs/.huggingface-shared-blobs", "1\n");
    fixture.write(format!("blobs/99/{name}"), "unknown");
    assert_eq!(found(&fixture), [Problem::OrphanBlob, Problem::Unverifiable]);
    // A file in place of `blobs` is unreadable even for root.
    fixture.write("models--org--m/blobs", "no folder");
    fs::create_dir(fixture.at("models--org--m/snapshots")).unwrap();
    assert_eq!(found(&fixture), [Problem::ForeignFile, Problem::Unverifiable]);
}

#[test]
fn unreadable_token_is_reported_and_a_missing_one_is_not() {
    let fixture = Fixture::empty();
    fixture.link("loop", "loop");
    fixture.link("gone", "nowhere");
    fixture.write("file", "");
    let user = User { uid: rustix::process::geteuid().as_raw(), gid: 0, groups: &[] };
    let found = |token: &Path| {
        let hub = fixture.path();
        let found = top_level::home_and_token(&hub, Some(token), Path::new("/"), user);
        found.into_iter().map(|found| found.problem).collect::<Vec<_>>()
    };
    assert_eq!(found(&fixture.at("loop")), [Problem::TokenFile]);
    assert_eq!(found(&fixture.at("file/token")), [Problem::TokenFile]);
    assert_eq!(found(&fixture.path()), [Problem::TokenFile]);
    assert_eq!(found(&fixture.at("gone")), []);
    assert_eq!(found(Path::new("/dev/null")), [], "it stands for no token");
}

#[test]
fn missing_blob_is_copied_from_a_repo_with_a_complete_copy() {
    let fixture = Fixture::empty();
    let names = fixture.model("a/corrupt", &FILES[..2], false);
    for id in ["b/lacking", "c/whole"] {
        fixture.model(id, &FILES[..2], false);
    }
    let name = &names["onnx/model.onnx"];
    let blob = |repo: &str| PathBuf::from(format!("models--{repo}/blobs/{name}"));
    fixture.write(blob("a--corrupt"), "LARGE");
    fs::remove_file(fixture.at(blob("b--lacking"))).unwrap();
    let chosen = || {
        let found = verified(&fixture, &everything(), None).findings;
        let choices = choose(&fixture.path(), &found).unwrap();
        let dangling = |(found, choice): (Finding, Choice)| {
            (found.problem == Problem::DanglingPointer).then_some(choice.fixes)
        };
        found.into_iter().zip(choices).filter_map(dangling).flatten().collect::<Vec<_>>()
    };
    let copy = Fix::Copy { from: blob("c--whole"), path: blob("b--lacking") };
    assert_eq!(chosen(), [copy]);
    fs::remove_file(fixture.at(blob("c--whole"))).unwrap();
    let fixes = chosen();
    assert_eq!(fixes.len(), 2);
    assert!(fixes.iter().all(|fix| matches!(fix, Fix::Unlink { .. })), "{fixes:?}");
}

#[test]
fn blob_downloaded_during_the_inspection_is_not_missing() {
    let fixture = Fixture::empty();
    let names = fixture.model("org/m", &FILES[..1], true);
    let blob = fixture.at(format!("models--org--m/blobs/{}", names["config.json"]));
    let (name, path) = (RepoName::of_folder("models--org--m").unwrap(), "models--org--m");
    fs::remove_file(&blob).unwrap();
    let repo = Repo::read(&fixture.at(path), name).unwrap();
    let kinds = || inspect(&repo).findings.iter().map(|found| found.problem).collect::<Vec<_>>();
    assert_eq!(kinds(), [Problem::DanglingPointer]);
    fs::write(&blob, "{}").unwrap();
    assert_eq!(kinds(), []);
}

#[test]
fn file_in_place_of_a_folder_is_foreign() {
    for folder in ["refs", "trees", "blobs", "snapshots"] {
        let fixture = Fixture::empty();
        fixture.model("org/m", &FILES[..1], true);
        let path = format!("models--org--m/{folder}");
        fs::remove_dir_all(fixture.at(&path)).unwrap();
        fixture.write(&path, "");
        let found = verified(&fixture, &everything(), None).findings;
        let is_reported = found
            .iter()
            .any(|found| found.problem == Problem::ForeignFile && found.path == Path::new(&path));
        assert!(is_reported, "{folder}: {found:#?}");
        assert!(
            found.iter().all(|found| found.problem != Problem::DiskError),
            "{folder}: {found:#?}"
        );
    }
}
