//! `cache repair --yes` changes the paths of its plan and nothing else.

use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, lchown},
    path::{Path, PathBuf},
    process::Command,
};

use rustix::{
    fs::{CWD, FileType, Mode, makedev, mknodat},
    process::getuid,
};
use serde_json::Value;

use crate::broken_cache::{BrokenCache, SOMEBODY, Seen};

/// The paths that the steps of a repair in this state name.
fn named(repair: &Value, state: &str) -> BTreeSet<PathBuf> {
    let steps = repair["steps"].as_array().unwrap().iter();
    let steps = steps.filter(|step| step["state"] == state);
    steps
        .flat_map(|step| step["paths"].as_array().unwrap())
        .map(|path| PathBuf::from(path.as_str().unwrap()))
        .collect()
}

#[test]
fn a_repair_changes_what_its_plan_names_and_nothing_else() {
    let cache = BrokenCache::new();
    let before = cache.manifest();
    let planned = named(&cache.repair(&[]), "planned");
    assert_eq!(cache.manifest(), before, "a plan changes nothing");

    let done = cache.repair(&["--yes"]);
    let after = cache.manifest();
    let named: BTreeSet<_> = planned.into_iter().chain(named(&done, "done")).collect();
    let is_named = |path: &Path| {
        named.contains(path) || path.parent().is_some_and(|parent| named.contains(parent))
    };
    // What comes or goes changes its folder's time; a ref comes from among the blobs.
    let holds_named = |path: &Path| {
        let of_ref = path.ends_with("blobs").then(|| path.with_file_name("refs"));
        named.iter().any(|named| {
            named.parent() == Some(path)
                || of_ref.as_ref().is_some_and(|refs| named.starts_with(refs))
        })
    };
    let timeless = |seen: Option<&Seen>| Seen { modified: None, ..seen.unwrap().clone() };
    let paths: BTreeSet<_> = before.keys().chain(after.keys()).collect();
    let changed: Vec<_> =
        paths.into_iter().filter(|path| before.get(*path) != after.get(*path)).collect();
    assert!(changed.len() >= 15, "{changed:?}");
    for path in changed {
        let (was, is) = (before.get(path), after.get(path));
        let is_expected = is_named(path) || holds_named(path) && timeless(was) == timeless(is);
        assert!(is_expected, "{} was {was:?} and is {is:?}", path.display());
        if let (Some(was), Some(is)) = (was, is) {
            assert_eq!((was.kind, was.owner), (is.kind, is.owner), "{}", path.display());
            assert_eq!(was.attributes, is.attributes, "{}", path.display());
        }
    }
}

/// Adds a model with root-owned entries, some of which must not be reclaimed: a hard link to a file
/// outside, a device, and a file of a third user.
fn traps(cache: &BrokenCache) -> PathBuf {
    let hub = cache.hub();
    let outside = hub.with_file_name("shadow");
    fs::write(&outside, "secret").unwrap();
    fs::set_permissions(&outside, fs::Permissions::from_mode(0o600)).unwrap();
    let repo = hub.join("models--org--trap");
    fs::create_dir_all(repo.join("blobs")).unwrap();
    fs::hard_link(&outside, repo.join("blobs/hard")).unwrap();
    let node = |name: &str, kind, device| {
        mknodat(CWD, repo.join("blobs").join(name), kind, Mode::from_raw_mode(0o600), device)
    };
    node("pipe", FileType::Fifo, 0).unwrap();
    node("device", FileType::CharacterDevice, makedev(1, 3)).unwrap();
    fs::write(repo.join("blobs/theirs"), "").unwrap();
    lchown(repo.join("blobs/theirs"), Some(SOMEBODY + 1), Some(SOMEBODY + 1)).unwrap();
    outside
}

#[test]
#[ignore = "needs python3, and root to make device files"]
fn hard_links_and_devices_are_not_reclaimed() {
    assert!(getuid().is_root(), "only root can lay these traps");
    let cache = BrokenCache::new();
    traps(&cache);
    let planned = cache.repair(&[]);
    let trap = |name: &str| Path::new("models--org--trap/blobs").join(name);
    let (taken, left) = (named(&planned, "planned"), named(&planned, "left"));
    for name in ["hard", "device", "theirs"] {
        assert!(left.contains(&trap(name)) && !taken.contains(&trap(name)), "{name}: {planned:#}");
    }
    assert!(taken.contains(&trap("pipe")), "{planned:#}");

    // The line with sudo does what it says, and no more.
    let line = planned["sudo"].as_str().unwrap().replace("sudo ", "");
    let names = ["", "hard", "device", "theirs"].map(trap);
    let before = names.clone().map(|name| Seen::at(&cache.hub().join(name)));
    let output = Command::new("sh").args(["-c", &line]).output().unwrap();
    assert!(output.status.success(), "{line}: {output:?}");
    let after = names.map(|name| Seen::at(&cache.hub().join(name)));
    assert_eq!(after[1..], before[1..], "{line}");
    // The group stays: a shared folder keeps being shared.
    assert_eq!(after[0].owner, (SOMEBODY, 0));
    let pipe = fs::symlink_metadata(cache.hub().join(trap("pipe"))).unwrap();
    assert_eq!(pipe.uid(), SOMEBODY);
}
