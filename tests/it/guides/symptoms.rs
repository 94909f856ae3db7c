//! Provokes each message that the guides explain, and compares it with the quote.

mod faults;
mod reader;
mod servers;

use std::{
    fs::{self, File},
    os::unix::fs::{PermissionsExt as _, lchown, symlink},
};

use rustix::process::getuid;

use self::reader::{Here, ada, by_hand, offline, words};
use super::markdown::quotes;
use crate::{ada::Ada, harness::workspace, machine::On};

/// A message of the guide, by its heading, and how it comes about.
type Symptom = (&'static str, fn() -> String);

/// What needs nothing but the programs.
const ANYWHERE: [Symptom; 22] = [
    ("Docker does not answer", || {
        let says = "permission denied while trying to connect to the Docker daemon socket at \
                    unix:///var/run/docker.sock: Get \
                    \"http://%2Fvar%2Frun%2Fdocker.sock/v1.50/info\": dial unix \
                    /var/run/docker.sock: connect: permission denied";
        let here = Here::new(&format!("info) echo '{says}' >&2; exit 1 ;;"));
        here.said(&["run", "--engine", "docker", "backend.model=o/m"])
    }),
    ("There is no engine at all", || {
        let says = "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the \
                    docker daemon running?";
        let mut here = Here::new(&format!("info) echo '{says}' >&2; exit 1 ;;"));
        let nowhere = here.root().join("nowhere");
        here.0.set("AIENERGYSCORE_ENTRYPOINT", nowhere);
        here.said(&["run", "backend.model=o/m"])
    }),
    ("Podman does not report whether it is rootless", || {
        let answer = r#"{"Components":[{"Name":"Podman Engine","Version":"4.3.1"}]}"#;
        let far = "context) echo tcp://gpu7:2375; exit ;;";
        let here = Here::new(&format!("version) echo '{answer}'; exit ;; {far}"));
        here.said(&["run", "--engine", "docker", "backend.model=o/m"])
    }),
    ("The image is missing", || {
        let here = Here::new("image) echo 'Error: No such image: x' >&2; exit 1 ;;");
        here.said(&["run", "--flavour", "cpu", "backend.model=o/m"])
    }),
    ("The backend is not in the image", || {
        Here::new("").entrypoint("optimum", &["backend.model=o/m"])
    }),
    ("A model is not in the cache", || {
        let here = Here::new("");
        here.said(&["run", "--flavour", "cpu", "--offline", "backend.model=org/model"])
    }),
    ("A dataset is not in the cache", || {
        let here = Here::new("");
        // Of a version that nothing here knows, so that only the benchmark could refuse it.
        fs::write(here.0.cwd().join("m.gguf"), b"GGUF\x09\0\0\0").unwrap();
        let fixed = ["run", "--flavour", "smoke", "--backend", "native", "--offline"];
        let inputs = ["backend.model=./m.gguf", "scenario.dataset_name=org/prompts"];
        here.said(&[&fixed[..], &inputs].concat())
    }),
    ("A file is a Git LFS pointer", || {
        let here = Here::new("");
        fs::create_dir(here.0.cwd().join("my-model")).unwrap();
        let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n";
        fs::write(here.0.cwd().join("my-model/config.json"), pointer).unwrap();
        here.said(&["run", "--flavour", "cpu", "backend.model=./my-model"])
    }),
    ("A web address instead of a Hub id", || {
        let model = "backend.model=https://huggingface.co/org/model";
        Here::new("").said(&["run", "--flavour", "cpu", model])
    }),
    ("A model is not in the cache", || {
        let model = "backend.model=HuggingFaceTB/SmolLM2-360M-Instruct-GGUF";
        Here::new("").entrypoint("native", &[model])
    }),
    ("An argument is unknown", || Here::new("").entrypoint("native", &["backend.modle=o/m"])),
    ("A path does not exist", || {
        Here::new("").said(&["run", "--flavour", "cpu", "backend.model=./my-model"])
    }),
    ("A Hub id that is also a local folder", || {
        let here = Here::new("");
        fs::create_dir_all(here.0.cwd().join("org/my-model")).unwrap();
        here.said(&["run", "--dry-run", "backend.model=org/my-model"])
    }),
    ("A symlink in the Hub cache", || {
        let here = Here::new("");
        let hub = here.0.home().join(".cache/huggingface/hub");
        fs::create_dir_all(&hub).unwrap();
        fs::create_dir(here.0.home().join("disk")).unwrap();
        symlink("../../../disk", hub.join("models--org--model")).unwrap();
        here.said(&["run", "--flavour", "smoke", "backend.model=o/m"])
    }),
    ("A symlink in the Hub cache", || {
        let here = Here::new("run) exit 1 ;;");
        here.said(&["run", "--flavour", "smoke", "backend.model=o/m"]);
        let hub = here.0.home().join(".cache/huggingface/hub");
        fs::remove_dir(&hub).unwrap();
        fs::create_dir(here.0.home().join("disk")).unwrap();
        symlink("../../disk", &hub).unwrap();
        here.said(&["run", "--flavour", "smoke", "backend.model=o/m"])
    }),
    ("The token file is refused", || {
        let here = Here::new("");
        fs::create_dir_all(here.0.home().join(".cache/huggingface")).unwrap();
        symlink("../../key", here.0.home().join(".cache/huggingface/token")).unwrap();
        here.said(&["run", "--flavour", "smoke", "backend.model=o/m"])
    }),
    ("The results folder is in use", || {
        let here = Here::new("");
        fs::create_dir(here.0.cwd().join("results")).unwrap();
        let lock = here.0.cwd().join("results/.aienergyscore.lock");
        fs::write(&lock, "20260101T000000Z-7 (process 7)\n").unwrap();
        let lock = File::open(lock).unwrap();
        lock.lock().unwrap();
        here.said(&["run", "--flavour", "smoke", "backend.model=o/m"])
    }),
    ("The benchmark ran out of memory", || {
        let state =
            r#"{"Running":false,"OOMKilled":true,"ExitCode":137,"Error":"","StartedAt":"2026"}"#;
        let here = Here::new(&format!("container) echo '{state}'; exit ;;"));
        here.said(&["run", "--flavour", "smoke", "backend.model=o/m"])
    }),
    ("Memory cannot be limited", || {
        let info = r#"{"ServerVersion":"28.5.2","SecurityOptions":[],"MemoryLimit":false}"#;
        let here = Here::new(&format!("info) echo '{info}'; exit ;;"));
        here.said(&["run", "--flavour", "smoke", "--memory", "8g", "backend.model=o/m"])
    }),
    ("The run is incomplete", || {
        let here = Here::new("run) exit 0 ;;");
        here.said(&["run", "--flavour", "smoke", "backend.model=o/m"])
    }),
    ("The token file is refused", || {
        let here = Here::new("");
        here.fill(".cache/huggingface");
        let token = here.0.home().join(".cache/huggingface/token");
        fs::write(&token, "hf_x").unwrap();
        fs::set_permissions(&token, fs::Permissions::from_mode(0o644)).unwrap();
        here.said(&["verify", "--flavour", "smoke"])
    }),
    ("A download is repeated", || {
        let blobs = "$HOME/.cache/huggingface/hub/models--o--m/blobs";
        let here = Here::new(&format!(
            "run) mkdir -p {blobs}; truncate -s 270000000 {blobs}/1; truncate -s 1000000 {blobs}/2 ;;"
        ));
        here.said(&["run", "--flavour", "smoke", "backend.model=o/m"])
    }),
];

/// Messages about root-owned files.
const AS_ROOT: [Symptom; 5] = [
    ("The results folder is root-owned", || {
        let here = Here::new("").of_ada();
        fs::create_dir(here.0.cwd().join("results")).unwrap();
        here.ada_said(&["run", "--flavour", "smoke", "backend.model=o/m"])
    }),
    ("The cache is root-owned", || {
        let here = Here::new("").of_ada();
        here.fill(".cache/huggingface/hub");
        here.ada_said(&["run", "--flavour", "smoke", "backend.model=o/m"])
    }),
    ("The cache is root-owned", || {
        let here = Here::new("");
        here.fill(".cache/huggingface/hub");
        let here = here.of_ada();
        here.fill(".cache/huggingface/hub/models--org--model");
        here.ada_said(&["run", "--flavour", "smoke", "backend.model=o/m"])
    }),
    ("The token file is refused", || {
        let here = Here::new("");
        here.fill(".cache/huggingface/hub");
        let here = here.of_ada();
        let token = here.0.home().join(".cache/huggingface/token");
        fs::write(&token, "hf_x").unwrap();
        fs::set_permissions(&token, fs::Permissions::from_mode(0o600)).unwrap();
        here.ada_said(&["run", "--flavour", "cpu", "backend.model=o/m"])
    }),
    ("The results folder is root-owned", || {
        let here = Here::new("");
        fs::create_dir(here.0.cwd().join("results")).unwrap();
        fs::write(here.0.cwd().join("results/benchmark.log"), "").unwrap();
        let here = here.of_ada();
        fs::create_dir(here.0.cwd().join("results/previous")).unwrap();
        here.ada_said(&["run", "--flavour", "smoke", "backend.model=o/m"])
    }),
];

/// Messages of real Docker and of the stacks in the `cpu` image.
const IN_CONTAINERS: [Symptom; 3] = [
    ("A mounted folder is missing", || {
        by_hand(&["--mount", "type=bind,\"source=/home/ada/bench/results\",target=/results"])
    }),
    ("There is no GPU for the container", || by_hand(&["--gpus", "all"])),
    ("A column is missing", || {
        offline(&["scenario.dataset_name=./prompts.csv", "scenario.text_column_name=prompt"])
    }),
];

/// What takes both.
const AS_ROOT_IN_CONTAINERS: [Symptom; 1] = [("A folder belongs to a group", || {
    let mut ada = Ada::on(On::DockerRootless, &[]);
    ada.join(2500);
    fs::create_dir(ada.results()).unwrap();
    fs::set_permissions(ada.results(), fs::Permissions::from_mode(0o770)).unwrap();
    lchown(ada.results(), Some(0), Some(2500)).unwrap();
    words(ada.command(&["verify", "--engine", "docker", "--flavour", "smoke"]))
})];

#[test]
fn what_the_programs_say_is_what_the_guide_quotes() {
    assert_quoted(&ANYWHERE);
    assert_quoted(&faults::ANYWHERE);
    assert_quoted(&servers::ANYWHERE);
}

#[test]
#[ignore = "needs root, to make root-owned files"]
fn what_root_left_behind_is_what_the_guide_quotes() {
    assert!(getuid().is_root(), "only root can make root-owned files");
    assert_quoted(&AS_ROOT);
}

#[test]
#[ignore = "needs Docker, the cpu image and `cargo xtask smoke` once before"]
fn what_containers_say_is_what_the_guide_quotes() {
    assert_quoted(&IN_CONTAINERS);
    assert_quoted(&servers::IN_CONTAINERS);
}

#[test]
#[ignore = "needs root, to make a group's folder, Docker and the smoke image"]
fn what_a_groups_folder_makes_of_a_container_is_what_the_guide_quotes() {
    assert!(getuid().is_root(), "only root can make a folder that root and a group own");
    assert_quoted(&AS_ROOT_IN_CONTAINERS);
}

#[test]
fn every_message_that_the_guide_quotes_is_provoked() {
    let anywhere = [&ANYWHERE[..], &faults::ANYWHERE, &servers::ANYWHERE].concat();
    let in_containers = [&IN_CONTAINERS[..], &servers::IN_CONTAINERS].concat();
    let all = [anywhere, in_containers, AS_ROOT.to_vec(), AS_ROOT_IN_CONTAINERS.to_vec()].concat();
    let mut provoked: Vec<_> = all.iter().map(|(heading, _)| (*heading).to_owned()).collect();
    let mut quoted: Vec<_> = guide().into_iter().map(|(heading, _)| heading).collect();
    provoked.sort();
    quoted.sort();
    assert_eq!(quoted, provoked);
}

#[test]
fn every_quote_stands_on_one_line() {
    for (heading, quote) in guide() {
        assert_eq!(quote.lines().count(), 1, "{heading}: {quote}");
        assert!(!quote.trim().is_empty(), "{heading}");
    }
}

#[test]
fn index_has_the_beginning_of_every_quote() {
    let page = fs::read_to_string(workspace().join("ai_helpers/TROUBLESHOOTING.md")).unwrap();
    let rows = page.lines().filter_map(|line| line.strip_prefix("| ")?.split_once(" … | ["));
    let rows: Vec<_> = rows.collect();
    for (heading, quote) in guide() {
        let own = rows.iter().any(|(beginning, link)| {
            let link = link.strip_prefix(&heading).is_some_and(|rest| rest.starts_with("]("));
            let message = quote.trim_start_matches("error: ").trim_start_matches("warning: ");
            link && message.starts_with(beginning)
        });
        assert!(own, "the index lacks `{quote}` of `{heading}`");
    }
}

fn assert_quoted(symptoms: &[Symptom]) {
    let guide = guide();
    let mut faults = vec![];
    for (heading, provoke) in symptoms {
        let said = on_one_line(&provoke());
        let quotes = guide.iter().filter(|(found, _)| found == heading);
        let quotes: Vec<_> = quotes.map(|(_, text)| text.trim_end()).collect();
        if !quotes.iter().any(|quote| said.contains(quote)) {
            faults.push(format!("### {heading}\nquoted: {quotes:#?}\nsaid:   {said}\n"));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Headings and messages of the guides about troubles.
fn guide() -> Vec<(String, String)> {
    let pages = ["TROUBLESHOOTING.md", "DOCKER_VOLUME_MOUNTING.md"];
    let pages = pages.map(|name| workspace().join("ai_helpers").join(name));
    pages.iter().flat_map(|page| quotes(&fs::read_to_string(page).unwrap())).collect()
}

fn on_one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
