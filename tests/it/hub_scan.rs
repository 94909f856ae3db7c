//! Compares `cache ls` with huggingface_hub's `scan_cache_dir`, in the cases of its own tests. Repos that
//! it drops are listed with their problems.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, SystemTime},
};

use serde_json::{Value, json};

use crate::hub_cache::{NEWEST, World, as_peers_do, peers, results, snapshot};

const WHOLE: &str = "models--org--whole";
/// Files that file managers of operating systems create in folders.
const SYSTEM_FILES: [&str; 3] = [".DS_Store", "Thumbs.db", "desktop.ini"];

/// A cache with one commit of one repo.
fn one_repo() -> World {
    let world = World::new(NEWEST);
    world.fetch(&json!([snapshot("org/whole")]));
    world
}

/// A copy of the cache `whole`, with `change` applied to its repo.
fn changed(whole: &Path, name: &str, change: impl FnOnce(&Path)) -> PathBuf {
    let copy = whole.with_file_name(name);
    let status = Command::new("cp").arg("-a").arg(whole).arg(&copy).status().unwrap();
    assert!(status.success());
    change(&copy.join(WHOLE));
    copy
}

fn repos(list: &Value) -> &Vec<Value> {
    list["repos"].as_array().unwrap()
}

/// Kinds of all findings of `cache verify`.
fn kinds(world: &World) -> Vec<String> {
    world.findings().into_iter().map(|(what, _)| what).collect()
}

#[test]
#[ignore = "needs python3 with venv, and a network for huggingface_hub"]
fn missing_cache_and_file_are_refused_and_empty_folder_is_accepted() {
    let mut world = World::new(NEWEST);
    let scan = |world: &World| {
        let scan = json!([{ "call": "scan_cache_dir", "cache_dir": world.hub }]);
        (world.calls(&scan)[0]["error"].clone(), world.cache(&["ls"]))
    };
    let (hub_error, output) = scan(&world);
    assert_eq!((hub_error, output.status.code()), ("CacheNotFound".into(), Some(1)));
    assert!(String::from_utf8_lossy(&output.stderr).contains("does not exist"), "{output:?}");
    world.hub = world.hub.with_file_name("file");
    fs::write(&world.hub, "").unwrap();
    let (hub_error, output) = scan(&world);
    assert_eq!((hub_error, output.status.code()), ("ValueError".into(), Some(1)));
    assert!(String::from_utf8_lossy(&output.stderr).contains("is no folder"), "{output:?}");
    fs::remove_file(&world.hub).unwrap();
    fs::create_dir(&world.hub).unwrap();
    assert_eq!(as_peers_do(&world.json(&["ls"])), peers(&world.hub), "an empty folder is a cache");
    world.assert_found(&[]);
}

#[test]
#[ignore = "needs python3 with venv, and a network for huggingface_hub"]
fn damage_ignored_by_huggingface_hub_does_not_change_the_counts() {
    let mut world = one_repo();
    let whole = world.hub.clone();
    let commit = world.commit("org/whole", 0);
    let add_system_files = |folder: &Path| {
        SYSTEM_FILES.iter().for_each(|name| fs::write(folder.join(name), "x").unwrap());
    };
    type Change<'a> = &'a dyn Fn(&Path);
    let cases: [(&str, Change<'_>, &[&str]); 8] = [
        ("as it was written", &|_| (), &[]),
        (
            "system files",
            &|repo| {
                let folders =
                    [repo.parent().unwrap(), repo, &repo.join("refs"), &repo.join("snapshots")];
                folders.into_iter().for_each(add_system_files);
            },
            &[],
        ),
        (
            "a file at the top",
            &|repo| fs::write(repo.with_file_name("a.txt"), "").unwrap(),
            &["foreign-file"],
        ),
        (
            "a folder at the top",
            &|repo| fs::create_dir(repo.with_file_name("a_folder")).unwrap(),
            &["foreign-file"],
        ),
        (
            "an unknown type",
            &|repo| fs::create_dir(repo.with_file_name("other--org--x")).unwrap(),
            &["foreign-file"],
        ),
        (
            "an empty revision",
            &|repo| {
                fs::create_dir(repo.join("snapshots").join("a".repeat(40))).unwrap();
            },
            &[],
        ),
        (
            "no revisions",
            &|repo| {
                for folder in ["snapshots", "refs", "trees", "blobs"] {
                    fs::remove_dir_all(repo.join(folder)).unwrap();
                    fs::create_dir(repo.join(folder)).unwrap();
                }
                fs::write(
                    repo.join("blobs").join(format!("{}.incomplete", "a".repeat(64))),
                    "half",
                )
                .unwrap();
            },
            &["incomplete-download"],
        ),
        (
            "other times",
            &|repo| {
                let blob = repo.join("snapshots").join(&commit).join("config.json");
                let past = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
                let times = fs::FileTimes::new().set_modified(past).set_accessed(past);
                fs::File::open(blob).unwrap().set_times(times).unwrap();
            },
            &[],
        ),
    ];
    for (name, change, expected) in cases {
        world.hub = changed(&whole, name, change);
        let ours = as_peers_do(&world.json(&["ls"]));
        assert_eq!(ours, peers(&world.hub), "{name}");
        assert_eq!(repos(&ours).len(), 1, "{name}");
        assert_eq!(kinds(&world), expected, "{name}");
    }
}

#[test]
#[ignore = "needs python3 with venv, and a network for huggingface_hub"]
fn repo_that_huggingface_hub_drops_is_listed_with_its_faults() {
    let mut world = one_repo();
    let whole = world.hub.clone();
    let commit = world.commit("org/whole", 0);
    let config = world.etag("org/whole", 0, "config.json");
    type Change<'a> = &'a dyn Fn(&Path);
    let cases: [(&str, Change<'_>, &[&str], u64, bool); 6] = [
        (
            "no snapshots",
            &|repo| fs::remove_dir_all(repo.join("snapshots")).unwrap(),
            &["partial-snapshot"],
            0,
            false,
        ),
        (
            "a file in snapshots",
            &|repo| fs::write(repo.join("snapshots/x"), "").unwrap(),
            &["foreign-file"],
            6,
            false,
        ),
        (
            "refs is a file",
            &|repo| {
                fs::remove_dir_all(repo.join("refs")).unwrap();
                fs::write(repo.join("refs"), "").unwrap();
            },
            &["foreign-file"],
            6,
            false,
        ),
        (
            "a ref to nothing",
            &|repo| fs::write(repo.join("refs/old"), "b".repeat(40)).unwrap(),
            &["broken-ref"],
            6,
            false,
        ),
        (
            "a lost blob",
            &|repo| fs::remove_file(repo.join("blobs").join(&config)).unwrap(),
            &["dangling-pointer"],
            5,
            true,
        ),
        (
            "a symlink to itself",
            &|repo| {
                let link = repo.join("snapshots").join(&commit).join("config.json");
                fs::remove_file(&link).unwrap();
                symlink("config.json", link).unwrap();
            },
            &["escaping-link"],
            5,
            true,
        ),
    ];
    for (name, change, expected, files, is_repairable) in cases {
        world.hub = changed(&whole, name, change);
        assert_eq!(peers(&world.hub)["repos"], json!([]), "{name}");
        let ours = world.json(&["ls"]);
        let repo = &repos(&ours)[0];
        assert_eq!(repo["files"], files, "{name}");
        assert_ne!(repo["faults"], json!([]), "{name}");
        let mut found = kinds(&world);
        found.dedup();
        assert_eq!(found, expected, "{name}");
        let done = world.repair();
        assert_eq!(!done.is_empty(), is_repairable, "{name}: {done:?}");
        let back = repos(&peers(&world.hub)).len();
        assert_eq!(back, usize::from(is_repairable), "{name}: it lists repaired repos");
    }
}

#[test]
#[ignore = "needs python3 with venv, and a network for huggingface_hub"]
fn files_in_place_of_symlinks_are_counted_and_repaired() {
    for version in [NEWEST, "1.20.1"] {
        let mut world = World::new(version);
        let without_links = |world: &World, calls: &Value| {
            let output = world.client(calls).env("HF_HUB_DISABLE_SYMLINKS", "1").output().unwrap();
            let results = results(&output);
            assert!(results.iter().all(|result| result["ok"].is_string()), "{results:?}");
        };
        world.fetch(&json!([snapshot("org/whole")]));
        let mut second = snapshot("org/whole");
        second["revision"] = json!("refs/pr/1");
        without_links(&world, &json!([second, snapshot("org/twin")]));
        world.order("fetched");
        assert_eq!(as_peers_do(&world.json(&["ls"])), peers(&world.hub), "{version}");
        let mut found = kinds(&world);
        found.dedup();
        // Without the commit's file list, the checksum of a file is unknown.
        let kept = if version == NEWEST { vec!["copies"] } else { vec!["copies", "unverifiable"] };
        assert_eq!(found, kept, "{version}");
        assert_eq!(world.repair(), []);
        if version != NEWEST {
            continue;
        }

        let twin = format!("models--org--twin/snapshots/{}", world.commit("org/twin", 0));
        let weights = format!("{twin}/model.safetensors");
        let mut bytes = fs::read(world.hub.join(&weights)).unwrap();
        bytes[7] ^= 1;
        fs::write(world.hub.join(&weights), bytes).unwrap();
        assert!(world.findings().contains(&("corrupt-blob".to_owned(), weights.clone())));
        assert_eq!(world.repair(), [("done".to_owned(), weights)]);
        without_links(&world, &json!([snapshot("org/twin")]));
        assert_eq!(world.fetched(), [world.etag("org/twin", 0, "model.safetensors")].into());
        let mut found = kinds(&world);
        found.dedup();
        assert_eq!(found, ["copies", "set-aside"]);
        world.load_offline(&json!([snapshot("org/twin")]));
    }
}
