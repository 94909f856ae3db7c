//! `cache repair --yes` that SIGKILL ends after any of its steps, and the one after it.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    process::Stdio,
};

use crate::{
    broken_cache::{BrokenCache, Seen},
    waiting::until,
    watch::Watch,
};

/// The number of killed repairs, in equal steps over the changes of a whole one.
const KILLS: usize = 5;

/// The cache without what differs from repair to repair: times, and moments in names.
fn timeless(manifest: BTreeMap<PathBuf, Seen>) -> BTreeMap<PathBuf, Seen> {
    let timeless = |(path, seen): (PathBuf, Seen)| {
        let is_aside = path.parent().is_some_and(|parent| parent.ends_with(".set-aside"));
        let path = if is_aside { path.with_extension("") } else { path };
        (path, Seen { modified: None, ..seen })
    };
    manifest.into_iter().map(timeless).collect()
}

fn bytes(manifest: &BTreeMap<PathBuf, Seen>) -> BTreeSet<String> {
    let files = manifest.values().filter(|seen| seen.kind == "file");
    files.map(|seen| seen.content.clone()).collect()
}

#[test]
fn a_repair_that_is_killed_is_finished_by_the_next() {
    let cache = BrokenCache::new();
    cache.keep();
    let original = bytes(&cache.manifest());

    let watch = Watch::for_changes(&cache.hub());
    cache.repair(&["--yes"]);
    let changes = watch.names().len();
    assert!(changes > KILLS, "{changes}");
    let whole = timeless(cache.manifest());
    let wrong = cache.findings();
    let gone: BTreeSet<_> = original.difference(&bytes(&whole)).cloned().collect();

    let mut halfway = 0;
    for kill in 0..KILLS {
        cache.restore();
        let untouched = timeless(cache.manifest());
        let watch = Watch::for_changes(&cache.hub());
        let mut command = cache.command(&["repair", "--yes", "--engine", "host"]);
        let mut repair = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let mut seen = 0;
        until("a change of the cache", || {
            seen += watch.names().len();
            seen >= changes * kill / KILLS || repair.try_wait().unwrap().is_some()
        });
        repair.kill().unwrap();
        repair.wait().unwrap();

        let left = timeless(cache.manifest());
        halfway += u32::from(left != untouched && left != whole);
        let lost: Vec<_> = original.difference(&bytes(&left)).cloned().collect();
        assert!(lost.iter().all(|lost| gone.contains(lost)), "kill {kill}: {lost:?}");
        cache.repair(&["--yes"]);
        let differing = |one: &BTreeMap<PathBuf, Seen>, other: &BTreeMap<PathBuf, Seen>| {
            let differs = one.iter().filter(|(path, seen)| other.get(*path) != Some(seen));
            differs.map(|(path, seen)| (path.clone(), seen.clone())).collect::<Vec<_>>()
        };
        let mended = timeless(cache.manifest());
        assert_eq!(differing(&mended, &whole), [], "kill {kill}: what nobody expects");
        assert_eq!(differing(&whole, &mended), [], "kill {kill}: what is missing");
        assert_eq!(cache.findings(), wrong, "kill {kill}");
    }
    println!(
        "{halfway} of {KILLS} repairs were killed halfway, a whole one makes {changes} changes"
    );
}
