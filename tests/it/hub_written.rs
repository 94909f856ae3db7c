//! `aienergyscore cache` on caches that huggingface_hub downloaded from a stub Hub: sizes, corruption and
//! repairs, with each supported version.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};

use crate::hub_cache::{NEWEST, VERSIONS, World, as_peers_do, file, peers, snapshot};

const WHOLE: &str = "models--org--whole";
const WEIGHTS: &str = "model.safetensors";

/// Download calls for two commits of a model, a dataset, and single files of two other models.
fn all_downloads(world: &World) -> Value {
    json!([
        snapshot("org/whole"),
        { "call": "snapshot_download", "repo_id": "org/whole", "revision": "refs/pr/1" },
        { "call": "snapshot_download", "repo_id": "org/lines", "repo_type": "dataset" },
        file("org/twin", WEIGHTS),
        {
            "call": "hf_hub_download", "repo_id": "alone", "filename": "config.json",
            "revision": world.commit("alone", 0),
        },
    ])
}

/// Path of the blob of a file in the first commit of `org/whole`, below the cache.
fn blob(world: &World, file: &str) -> String {
    format!("{WHOLE}/blobs/{}", world.etag("org/whole", 0, file))
}

/// Path of the snapshot's symlink to that blob, below the cache.
fn pointer(world: &World, file: &str) -> String {
    format!("{WHOLE}/snapshots/{}/{file}", world.commit("org/whole", 0))
}

/// The repo `id` in the output of `cache ls --json`.
fn repo<'a>(list: &'a Value, id: &str) -> &'a Value {
    list["repos"].as_array().unwrap().iter().find(|repo| repo["id"] == id).unwrap()
}

/// The refs of each revision of the repo `id`, and whether it is complete.
fn revisions(list: &Value, id: &str) -> Vec<(Value, Value)> {
    let revisions = repo(list, id)["revisions"].as_array().unwrap().iter();
    let mut revisions: Vec<_> =
        revisions.map(|one| (one["refs"].clone(), one["complete"].clone())).collect();
    revisions.sort_by_key(|(refs, _)| refs.to_string());
    revisions
}

/// Changes one byte of a file, even of a read-only one.
fn corrupt_a_byte(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0xff;
    let mode = fs::metadata(path).unwrap().permissions();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(path, bytes).unwrap();
    fs::set_permissions(path, mode).unwrap();
}

#[test]
#[ignore = "needs python3 with venv, and a network for huggingface_hub"]
fn downloaded_cache_has_no_findings_and_the_sizes_of_the_client() {
    for version in VERSIONS {
        let mut world = World::new(version);
        world.fetch(&all_downloads(&world));
        let list = world.json(&["ls"]);
        assert_eq!(as_peers_do(&list), peers(&world.hub), "{version}");
        assert_eq!(list["repos"].as_array().unwrap().len(), 4);
        let expected = [json!(["main"]), json!(["refs/pr/1"])].map(|refs| (refs, json!(true)));
        assert_eq!(revisions(&list, "org/whole"), expected, "{version}");
        assert_eq!(revisions(&list, "alone"), [(json!([]), json!(false))], "{version}");
        let whole = repo(&list, "org/whole");
        let sum: u64 = whole["revisions"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|one| one["files"].as_u64())
            .sum();
        assert_eq!((sum, &whole["files"]), (12, &7.into()), "a blob of two revisions counts once");

        world.assert_found(&[]);
        let checked = &world.json(&["verify", "--full"])["checked"];
        let fetched = world.order("fetched");
        let blobs: u64 = fetched.as_object().unwrap().values().filter_map(Value::as_u64).sum();
        // The client creates an empty file without a download, so the stub does not count it.
        let hashed = (blobs + 1).into();
        assert_eq!((&checked["hashed"], &checked["unverifiable"]), (&hashed, &0.into()));
        assert_eq!(world.repair(), []);
        world.load_offline(&all_downloads(&world));
    }
}

#[test]
#[ignore = "needs python3 with venv, and a network for huggingface_hub"]
fn partial_snapshots_and_missing_files_are_no_errors() {
    for version in VERSIONS {
        let mut world = World::new(version);
        let mut part = snapshot("org/whole");
        part["allow_patterns"] = json!(["*.json", "*.md"]);
        let absent = json!([part, file("org/whole", "absent.json")]);
        let results = world.calls(&absent);
        assert!(results[1]["error"].as_str().unwrap().contains("EntryNotFound"), "{results:?}");
        let list = world.json(&["ls"]);
        assert_eq!(as_peers_do(&list), peers(&world.hub), "{version}");
        assert_eq!(revisions(&list, "org/whole"), [(json!(["main"]), json!(false))]);
        let snapshot_folder = format!("{WHOLE}/snapshots/{}", world.commit("org/whole", 0));
        let partial = [("partial-snapshot", snapshot_folder)];
        let expected = if version == NEWEST { &partial[..] } else { &[] };
        world.assert_found(expected);

        // `main` now names a new commit, of which the cache has no file.
        world.order("move");
        world.calls(&json!([file("org/whole", "absent.json")]));
        let list = world.json(&["ls"]);
        assert_eq!(repo(&list, "org/whole")["files"], 3, "{version}");
        assert_eq!(peers(&world.hub)["repos"], json!([]), "huggingface_hub drops it");
        world.assert_found(expected);
        assert_eq!(world.cache(&["verify"]).status.code(), Some(0));

        // The new commit is downloaded completely.
        world.fetch(&json!([snapshot("org/whole")]));
        let list = world.json(&["ls"]);
        assert_eq!(as_peers_do(&list), peers(&world.hub), "{version}");
        let old = (json!([]), json!(false));
        let new = (json!(["main"]), json!(true));
        assert_eq!(revisions(&list, "org/whole"), [new, old], "{version}");
        world.assert_found(expected);
        assert_eq!(world.repair(), []);
    }
}

#[test]
#[ignore = "needs python3 with venv, and a network for huggingface_hub"]
fn only_corrupt_blobs_are_moved_away_and_downloaded_again() {
    for version in VERSIONS {
        let mut world = World::new(version);
        world.fetch(&all_downloads(&world));
        world.order("fetched");
        let (weights, config) = (blob(&world, WEIGHTS), blob(&world, "config.json"));
        corrupt_a_byte(&world.hub.join(&weights));
        let text = fs::read(world.hub.join(&config)).unwrap();
        fs::write(world.hub.join(&config), &text[..text.len() / 2]).unwrap();
        // Without a file list of the commit, only the digest shows the damage, not the size.
        let truncated = if version == NEWEST { "truncated-blob" } else { "corrupt-blob" };
        world.assert_found(&[("corrupt-blob", weights.clone()), (truncated, config.clone())]);
        assert_eq!(world.cache(&["verify"]).status.code(), Some(1));
        let done: Vec<_> = world.repair();
        let mut aside: Vec<_> = done.iter().map(|(state, path)| (state.as_str(), path)).collect();
        aside.sort();
        let mut expected = [("done", &weights), ("done", &config)];
        expected.sort();
        assert_eq!(aside, expected, "{version}");
        for file in [WEIGHTS, "config.json"] {
            let link = world.hub.join(pointer(&world, file));
            assert!(link.is_symlink() && !link.exists(), "{file}");
        }

        world.fetch(&all_downloads(&world));
        let etags = [WEIGHTS, "config.json"].map(|file| world.etag("org/whole", 0, file));
        assert_eq!(world.fetched(), etags.into(), "{version}");
        world.assert_found(&[("set-aside", format!("{WHOLE}/.set-aside"))]);
        assert_eq!(world.cache(&["verify"]).status.code(), Some(0));
        world.load_offline(&all_downloads(&world));
        assert_eq!(as_peers_do(&world.json(&["ls"])), peers(&world.hub), "{version}");
    }
}

#[test]
#[ignore = "needs python3 with venv, and a network for huggingface_hub"]
fn missing_blob_is_copied_from_another_repo_or_downloaded_again() {
    for version in VERSIONS {
        let mut world = World::new(version);
        world.fetch(&all_downloads(&world));
        world.order("fetched");
        for file in [WEIGHTS, "config.json"] {
            fs::remove_file(world.hub.join(blob(&world, file))).unwrap();
        }
        let main = world.commit("org/whole", 0);
        let other = pointer(&world, WEIGHTS).replace(&main, &world.commit("org/whole", 1));
        let pointers = [pointer(&world, WEIGHTS), other, pointer(&world, "config.json")];
        world.assert_found(&pointers.map(|pointer| ("dangling-pointer", pointer)));
        let unlinked = ("done".to_owned(), pointer(&world, "config.json"));
        let copied = ("done".to_owned(), blob(&world, WEIGHTS));
        assert_eq!(world.repair(), [copied, unlinked], "{version}");
        assert!(world.hub.join(pointer(&world, WEIGHTS)).exists(), "{version}");

        world.fetch(&all_downloads(&world));
        assert_eq!(
            world.fetched(),
            [world.etag("org/whole", 0, "config.json")].into(),
            "{version}"
        );
        world.assert_found(&[]);
        world.load_offline(&all_downloads(&world));
    }
}

/// Lets the client move the weights of two repos into the shared store, and returns their path there.
fn share_weights(world: &World) -> PathBuf {
    let hash = "5e".repeat(32);
    let publish = ["org/whole", "org/twin"].map(|repo| {
        let folder = format!("models--{}", repo.replace('/', "--"));
        let blob = world.hub.join(folder).join("blobs").join(world.etag(repo, 0, WEIGHTS));
        let size = fs::metadata(&blob).unwrap().len();
        json!({
            "call": "_shared_blobs.publish_blob_to_shared_store", "blob_path": blob,
            "xet_hash": hash, "cache_dir": world.hub, "expected_size": size,
            "replace_existing": false,
        })
    });
    let results = world.calls(&json!(publish));
    assert!(results.iter().all(|result| result["ok"] == "True"), "{results:?}");
    world.hub.join("blobs/5e").join(hash)
}

#[test]
#[ignore = "needs python3 with venv, and a network for huggingface_hub"]
fn missing_or_corrupt_file_of_the_shared_store_is_downloaded_again_for_each_repo() {
    for is_lost in [true, false] {
        let mut world = World::new(NEWEST);
        world.fetch(&all_downloads(&world));
        let payload = share_weights(&world);
        world.order("fetched");
        assert_eq!(as_peers_do(&world.json(&["ls"])), peers(&world.hub));
        world.assert_found(&[]);

        let links = ["models--org--twin", WHOLE]
            .map(|folder| format!("{folder}/blobs/{}", world.etag("org/whole", 0, WEIGHTS)));
        if is_lost {
            fs::remove_file(&payload).unwrap();
            world.assert_found(&links.clone().map(|link| ("dangling-pointer", link)));
            assert_eq!(world.repair(), []);
        } else {
            corrupt_a_byte(&payload);
            let below = payload.strip_prefix(&world.hub).unwrap().to_str().unwrap().to_owned();
            world.assert_found(&links.clone().map(|link| ("corrupt-blob", link)));
            assert_eq!(world.repair(), [("done".to_owned(), below)]);
        }
        assert!(!payload.exists());
        assert!(links.iter().all(|link| world.hub.join(link).is_symlink()));

        world.fetch(&all_downloads(&world));
        let fetched = world.order("fetched");
        assert_eq!(fetched, json!({ world.etag("org/whole", 0, WEIGHTS): 2 }), "by each repo");
        let found = world.findings();
        let aside = |(what, _): &(String, String)| what == "set-aside";
        assert_eq!(found.len(), usize::from(!is_lost), "{found:?}");
        assert!(found.iter().all(aside), "{found:?}");
        world.load_offline(&all_downloads(&world));
        assert_eq!(as_peers_do(&world.json(&["ls"])), peers(&world.hub));
    }
}
