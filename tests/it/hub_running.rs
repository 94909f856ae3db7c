//! `aienergyscore cache` while huggingface_hub downloads, and after a download was killed.

use std::{
    fs,
    path::PathBuf,
    process::{Child, Stdio},
    time::{Duration, SystemTime},
};

use serde_json::json;

use crate::{
    hub_cache::{VERSIONS, World, as_peers_do, file, manifest, peers, results, snapshot},
    waiting::holds_within,
};

const LARGE: &str = "models--org--large";
/// The version among those that are tried which goes on with a download that was killed.
const RESUMES: &str = "0.36.2";
/// The bytes that clients write at a time. The Hub stops before they have twice as much.
const AT_ONCE: u64 = 10 << 20;

/// Lets a download of `org/large` come to its middle; where it writes.
fn half_way(world: &mut World) -> (Child, PathBuf) {
    world.order("hold");
    let mut client = world.client(&json!([snapshot("org/large")]));
    let mut client = client.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    world.order("held");
    let blobs = world.hub.join(LARGE).join("blobs");
    let config = world.hub.join(pointer(world, "config.json"));
    let mut unfinished = None;
    // What the Hub has sent, the client has yet to write; and its other file is to be done.
    let is_written = holds_within(Duration::from_secs(60), || {
        unfinished =
            fs::read_dir(&blobs).unwrap().flatten().map(|entry| entry.path()).find(|path| {
                let is_it = path.extension().is_some_and(|end| end == "incomplete");
                is_it && path.metadata().is_ok_and(|data| data.len() == AT_ONCE)
            });
        unfinished.is_some() && config.exists()
    });
    if !is_written {
        client.kill().unwrap();
        panic!("nothing was written: {:?}", client.wait_with_output());
    }
    (client, unfinished.unwrap().strip_prefix(&world.hub).unwrap().to_owned())
}

fn pointer(world: &World, file: &str) -> String {
    format!("{LARGE}/snapshots/{}/{file}", world.commit("org/large", 0))
}

#[test]
#[ignore = "needs python3 with venv, and a network for huggingface_hub"]
fn running_download_is_left_alone() {
    for version in VERSIONS {
        let mut world = World::new(version);
        world.fetch(&json!([file("alone", "config.json")]));
        let (client, unfinished) = half_way(&mut world);
        let before = manifest(&world.hub);
        let list = world.json(&["ls"]);
        assert_eq!(as_peers_do(&list), peers(&world.hub), "{version}");
        let here = list["repos"].as_array().unwrap().iter().find(|repo| repo["id"] == "org/large");
        assert_eq!(here.unwrap()["unfinished_bytes"], AT_ONCE, "{version}");
        let found = world.json(&["verify"]);
        assert_eq!(found["errors"], 0, "{version}: {found:#}");
        let done = world.json(&["repair", "--yes", "--engine", "host"]);
        assert_eq!(done["steps"], json!([]), "{version}");
        assert!(world.hub.join(&unfinished).exists(), "{version}");
        assert_eq!(manifest(&world.hub), before, "{version}");

        world.order("go on");
        let output = client.wait_with_output().unwrap();
        assert!(results(&output)[0]["ok"].is_string(), "{version}: {output:?}");
        world.assert_found(&[]);
        assert_eq!(as_peers_do(&world.json(&["ls"])), peers(&world.hub), "{version}");
        world.load_offline(&json!([snapshot("org/large")]));
    }
}

#[test]
#[ignore = "needs python3 with venv, and a network for huggingface_hub"]
fn partial_file_of_a_killed_download_is_removed() {
    for version in VERSIONS {
        let mut world = World::new(version);
        world.fetch(&json!([file("alone", "config.json")]));
        let (mut client, unfinished) = half_way(&mut world);
        client.kill().unwrap();
        client.wait().unwrap();
        let list = world.json(&["ls"]);
        assert_eq!(as_peers_do(&list), peers(&world.hub), "{version}");
        let found = world.json(&["verify"]);
        let findings = found["findings"].as_array().unwrap();
        let is_it = |what: &str| findings.iter().find(|finding| finding["what"] == what);
        let leftover = is_it("incomplete-download").unwrap_or_else(|| panic!("{found:#}"));
        let path = unfinished.to_str().unwrap();
        assert_eq!((&leftover["path"], &leftover["bytes"]), (&path.into(), &AT_ONCE.into()));

        // A client may be at work, and the older ones resume what they have begun.
        assert_eq!(world.repair(), [], "{version}");
        let file = fs::File::options().append(true).open(world.hub.join(&unfinished)).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(25 * 3600)).unwrap();
        drop(file);
        if version == RESUMES {
            assert_eq!(world.repair(), [], "{version}");
            continue;
        }
        let before = manifest(&world.hub);
        assert_eq!(world.repair(), [("done".to_owned(), path.to_owned())], "{version}");
        let after = manifest(&world.hub);
        let gone = before.iter().filter(|(path, what)| after.get(*path) != Some(what));
        let gone: Vec<_> = gone.map(|(path, _)| path).collect();
        assert_eq!(gone, [&unfinished], "{version}");
        assert_eq!(after.len() + 1, before.len(), "{version}");

        world.order("go on");
        world.order("fetched");
        world.fetch(&json!([snapshot("org/large")]));
        assert_eq!(world.fetched(), [world.etag("org/large", 0, "model.safetensors")].into());
        world.assert_found(&[]);
        world.load_offline(&json!([snapshot("org/large")]));
    }
}

#[test]
#[ignore = "needs python3 with venv, and a network for huggingface_hub"]
fn repairs_beside_downloads_change_nothing() {
    for version in VERSIONS {
        let world = World::new(version);
        fs::create_dir(&world.hub).unwrap();
        let mut calls = ["alone", "org/twin", "org/whole"].map(snapshot).to_vec();
        let mut again = snapshot("org/whole");
        again["force_download"] = json!(true);
        calls.resize(10, again);
        let calls = json!(calls);
        let mut client = world.client(&calls);
        let mut client = client.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut repairs = 0;
        while client.try_wait().unwrap().is_none() {
            let steps = world.json(&["repair", "--yes", "--engine", "host"]);
            for step in steps["steps"].as_array().unwrap() {
                assert_eq!(step["state"], "left", "{version}: {steps:#}");
            }
            let found = world.json(&["verify", "--full"]);
            assert_eq!(found["errors"], 0, "{version}: {found:#}");
            repairs += 1;
        }
        assert!(repairs > 1, "{version}");
        let results = results(&client.wait_with_output().unwrap());
        assert!(results.iter().all(|result| result["ok"].is_string()), "{version}: {results:?}");
        world.assert_found(&[]);
        world.load_offline(&json!([snapshot("org/whole")]));
    }
}
