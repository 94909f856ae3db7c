//! Caches that change while they are read, and caches that no client makes.

use std::{
    cell::Cell,
    ffi::OsStr,
    fs,
    os::unix::ffi::OsStrExt as _,
    path::Path,
    sync::atomic::AtomicBool,
    time::{Duration, SystemTime},
};

use host::{machine::Host, testing::host};
use hub::{
    CacheUsage, HubCache, RepoName, RepoUsage,
    cache::Cache,
    layout::{DEEPEST, Dir, Repo, read_unless_removed, was_removed},
    testing::{COMMIT, Fixture, Kept},
};
use rustix::fs::{CWD, FileType, Mode, OFlags, mknodat};

use super::{
    finding::{Details, HOUR, Problem},
    repair::choose,
    verify::{Context, Scope, Verification, layout_of, verify},
};

const FILES: [(&str, &str, Kept); 2] =
    [("config.json", "{}", Kept::Git), ("model.safetensors", "weights", Kept::Large)];
const REPO: &str = "models--org--m";

/// The user who runs the tests, with the cache of `fixture`.
pub(crate) fn me(fixture: &Fixture) -> (Host, HubCache) {
    let mut host = host();
    // Digests are remembered for files that have not changed lately.
    host.now = SystemTime::now() + Duration::from_secs(60);
    host.uid = rustix::process::geteuid().as_raw();
    host.gid = rustix::process::getegid().as_raw();
    let hub = fixture.path();
    host.env = [("HF_HOME", hub.as_path()), ("HF_HUB_CACHE", hub.as_path())].into_iter().collect();
    let places = HubCache::locate(&host).unwrap();
    (host, places)
}

pub(crate) fn everything() -> Scope {
    Scope { repos: vec![], bytes: true, full: false }
}

/// A verification by the user who runs the tests.
pub(crate) fn verified(
    fixture: &Fixture,
    scope: &Scope,
    digest_cache: Option<&Path>,
) -> Verification {
    let (host, places) = me(fixture);
    let stop = AtomicBool::new(false);
    let context = Context { host: &host, token: None, digest_cache, stop: &stop };
    verify(&places, scope, &context).unwrap()
}

fn read(fixture: &Fixture) -> Repo {
    Repo::read(&fixture.path().join(REPO), RepoName::of_folder(REPO).unwrap()).unwrap()
}

fn found(repo: &Repo) -> Vec<Problem> {
    layout_of(repo).into_iter().map(|finding| finding.problem).collect()
}

/// Makes `folders` nested folders below `top`, one by one, as the path becomes too long.
fn nest(top: &Path, folders: usize) {
    let mut dir = rustix::fs::open(top, OFlags::RDONLY, Mode::empty()).unwrap();
    for _ in 0..folders {
        rustix::fs::mkdirat(&dir, "d", Mode::RWXU).unwrap();
        let flags = OFlags::RDONLY;
        dir = rustix::fs::openat(&dir, "d", flags, Mode::empty()).unwrap();
    }
}

/// Shortens the chain of [`nest`] until it can be removed by path.
fn flatten(top: &Path) {
    while top.join("d/d").is_dir() {
        let next = top.join("next");
        fs::rename(top.join("d/d"), &next).unwrap();
        fs::remove_dir(top.join("d")).unwrap();
        fs::rename(next, top.join("d")).unwrap();
    }
}

#[test]
fn download_that_ends_while_the_repo_is_read_is_not_dangling() {
    let fixture = Fixture::empty();
    let names = fixture.model("org/m", &FILES, true);
    let blob = fixture.at(format!("{REPO}/blobs/{}", names["model.safetensors"]));
    let link = fixture.at(format!("{REPO}/snapshots/{COMMIT}/model.safetensors"));
    let unfinished = blob.with_extension("0011aabb.incomplete");
    let text = fs::read_link(&link).unwrap();
    fs::rename(&blob, &unfinished).unwrap();
    fs::remove_file(&link).unwrap();

    let repo = read(&fixture);
    fs::rename(&unfinished, &blob).unwrap();
    std::os::unix::fs::symlink(text, &link).unwrap();
    let usage = RepoUsage::of(&repo);
    assert_eq!(usage.faults, Vec::<String>::new());
    assert_eq!((usage.files, usage.size_bytes), (2, 9));
    // The list of blobs still has the unfinished download.
    assert_eq!(found(&repo), [Problem::IncompleteDownload]);
}

#[test]
fn payload_published_while_the_repo_is_read_is_found() {
    let fixture = Fixture::empty();
    fixture.model("org/m", &[("model.safetensors", "weights", Kept::Shared)], true);
    let store = fixture.at("blobs");
    let aside = fixture.at("aside");
    fs::rename(&store, &aside).unwrap();
    let repo = read(&fixture);
    fs::rename(&aside, &store).unwrap();
    assert_eq!(found(&repo), []);
    let usage = RepoUsage::of(&repo);
    assert_eq!((usage.faults.len(), usage.size_bytes), (0, 7));
}

#[test]
fn snapshot_removed_while_the_repo_is_read_is_skipped() {
    let fixture = Fixture::empty();
    fixture.model("org/m", &FILES, false);
    fixture.write(format!("{REPO}/snapshots/{}/x", "f".repeat(40)), "");
    let repo = read(&fixture);
    fs::remove_dir_all(fixture.at(format!("{REPO}/snapshots/{}", "f".repeat(40)))).unwrap();
    assert!(repo.snapshot(OsStr::new(&"f".repeat(40))).is_none());
    assert_eq!((RepoUsage::of(&repo).faults.len(), RepoUsage::of(&repo).revisions.len()), (0, 1));
    assert_eq!(found(&repo), []);
}

#[test]
fn repo_removed_while_the_cache_is_read_is_skipped() {
    let fixture = Fixture::empty();
    fixture.model("org/m", &FILES, false);
    fixture.model("org/n", &FILES, false);
    let cache = Cache::open(&fixture.path()).unwrap();
    fs::remove_dir_all(fixture.at(REPO)).unwrap();
    let read = cache.map_repos(&cache.repos, |name, repo| (name.id.clone(), repo.is_ok()));
    assert_eq!(read, [("org/n".to_owned(), true)]);
}

#[test]
fn folder_removed_while_open_counts_as_removed() {
    let fixture = Fixture::empty();
    fixture.model("org/m", &FILES, false);
    let hub = Dir::open(fixture.path()).unwrap();
    // A folder removed while it is open lists as empty.
    let remove = || {
        let dir = hub.dir(REPO)?;
        fs::remove_dir_all(fixture.at(REPO)).unwrap();
        dir.list()
    };
    assert!(read_unless_removed(&hub, REPO, remove).is_none());
    fixture.model("org/m", &FILES, false);
    let once = Cell::new(true);
    let replace = || {
        let dir = hub.dir(REPO)?;
        if once.replace(false) {
            fs::remove_dir_all(fixture.at(REPO)).unwrap();
            fixture.model("org/m", &FILES, false);
        }
        dir.list()
    };
    assert_eq!(read_unless_removed(&hub, REPO, replace).unwrap().unwrap().len(), 3);
    fixture.link("models--gone", "nowhere");
    assert!(
        read_unless_removed(&hub, "models--gone", || hub.through("models--gone")?.list())
            .unwrap()
            .is_err()
    );
}

#[test]
fn dangling_ref_is_broken_and_a_removed_one_is_skipped() {
    let fixture = Fixture::empty();
    fixture.model("org/m", &FILES, false);
    fixture.link(format!("{REPO}/refs/gone"), "nowhere");
    fixture.link(format!("{REPO}/refs/loop"), "loop");
    let repo = read(&fixture);
    let names: Vec<_> = repo.refs.iter().map(|reference| reference.name.as_str()).collect();
    assert_eq!(names, ["gone", "loop", "main"]);
    assert_eq!(found(&repo), [Problem::BrokenRef; 2]);
    let gone = std::io::Error::from(std::io::ErrorKind::NotFound);
    assert!(was_removed(&repo.dir, "refs/main.0011aabb.tmp", &gone));
    assert!(!was_removed(&repo.dir, "refs/gone", &gone));
}

#[test]
fn too_deep_folders_are_reported_and_not_entered() {
    let fixture = Fixture::empty();
    fixture.model("org/m", &FILES, true);
    let tops = [format!("{REPO}/snapshots/{COMMIT}"), format!("{REPO}/refs")];
    // The second one exceeds the length limit of a path.
    nest(&fixture.at(&tops[0]), 2 * DEEPEST);
    nest(&fixture.at(&tops[1]), 2500);
    let repo = read(&fixture);
    assert_eq!(repo.errors.len(), 1, "{:?}", repo.errors);
    let snapshot = repo.snapshot(OsStr::new(COMMIT)).unwrap();
    assert_eq!((snapshot.files.len(), snapshot.errors.len()), (2, 1));
    let depth = snapshot.errors[0].path.iter().filter(|part| *part == "d").count();
    assert_eq!(depth, DEEPEST + 1);
    let usage = CacheUsage::of(&fixture.path()).unwrap();
    let faults = usage.repos[0].faults.join("\n");
    assert_eq!(faults.matches("folders deep").count(), 2, "{faults}");
    assert_eq!(usage.repos[0].revisions[0].complete, None);
    assert_eq!(super::verify::tests::found(&fixture), [Problem::ForeignFile; 2]);
    tops.iter().for_each(|top| flatten(&fixture.at(top)));
}

#[test]
fn nothing_is_repaired_below_a_symlinked_snapshot() {
    let fixture = Fixture::empty();
    fixture.model("org/m", &FILES, false);
    // Below a symlink to all snapshots, right symlinks look wrong.
    fixture.link(format!("{REPO}/snapshots/all"), ".");
    fixture.link(format!("{REPO}/snapshots/gone"), "nowhere");
    fixture.link(format!("{REPO}/snapshots/loop"), "loop");
    let repo = read(&fixture);
    let found = layout_of(&repo);
    assert!(found.iter().any(|found| found.path.starts_with(format!("{REPO}/snapshots/all"))));
    let choices = choose(&fixture.path(), &found).unwrap();
    assert!(choices.iter().all(|choice| choice.fixes.is_empty()), "{choices:?}");
    for stray in ["gone", "loop"] {
        let path = format!("{REPO}/snapshots/{stray}");
        let stray_finding = found.iter().find(|found| found.path == Path::new(&path)).unwrap();
        assert_eq!(stray_finding.problem, Problem::ForeignFile);
    }
}

#[test]
fn names_that_are_not_utf_8_keep_their_bytes() {
    let fixture = Fixture::empty();
    fixture.model("org/m", &FILES, false);
    let odd = |bytes: &[u8]| OsStr::from_bytes(bytes).to_owned();
    let snapshots = Path::new(REPO).join("snapshots");
    let dangling = snapshots.join(odd(b"no\xfftext")).join(odd(b"\xfe\x1b"));
    fixture.link(&dangling, format!("../../blobs/{}", "a".repeat(40)));
    let unfinished = Path::new(REPO).join("refs").join(odd(b"\xff.0011aabb.tmp"));
    fixture.write(&unfinished, COMMIT);
    let found = layout_of(&read(&fixture));
    let paths: Vec<_> = found.iter().map(|found| found.path.as_path()).collect();
    assert_eq!(paths, [dangling.as_path(), unfinished.as_path()]);
    assert_eq!(found[0].details, Details::MissingBlob("a".repeat(40).into()));
    assert_eq!(found[1].details, Details::Unused { lock: None, idle: HOUR });
}

#[test]
fn folders_pipes_and_devices_are_not_read_as_files() {
    let fixture = Fixture::empty();
    let names = fixture.model("org/m", &FILES, false);
    let blob = fixture.at(format!("{REPO}/blobs/{}", names["model.safetensors"]));
    fs::remove_file(&blob).unwrap();
    fs::create_dir(&blob).unwrap();
    let pipe = |path: String| {
        let path = fixture.at(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        mknodat(CWD, path, FileType::Fifo, Mode::RWXU, 0).unwrap();
    };
    pipe(format!("{REPO}/trees/{COMMIT}.json"));
    pipe(format!("{REPO}/refs/pipe"));
    fixture.link(format!("{REPO}/refs/zero"), "/dev/zero");
    fixture.link(format!("{REPO}/snapshots/{COMMIT}/x.bin.index.json"), "/dev/zero");
    let repo = read(&fixture);
    let usage = RepoUsage::of(&repo);
    assert_eq!((usage.files, usage.revisions[0].complete), (1, Some(false)));
    let expected = [
        Problem::BrokenTree,
        Problem::DanglingPointer,
        Problem::EscapingLink,
        Problem::BrokenRef,
        Problem::BrokenRef,
        Problem::ForeignFile,
    ];
    let mut found = found(&repo);
    found.sort_unstable();
    let mut expected = expected.to_vec();
    expected.sort_unstable();
    assert_eq!(found, expected);
}
