//! `run` on a fake engine: the calls that the engine gets, and the verdict on its answers.

use std::{
    fs,
    os::unix::{fs::PermissionsExt as _, process::ExitStatusExt as _},
    process::{Child, ExitStatus, Stdio},
    time::Duration,
};

use contract::summary::Summary;
use rustix::process::{Pid, Signal, kill_process};

use crate::{
    harness::{FakeDocker, HANGS, Outcome, Sandbox, aienergyscore},
    waiting::holds_within,
};

/// Writes the outputs of a complete run to `$RESULTS`.
pub(crate) const GOOD: &str = r#"
  echo '{}' >"$RESULTS/benchmark_report.json"
  cat >"$RESULTS/GPU_ENERGY_SUMMARY.json" <<JSON
{"units":"Wh","total":null,"format":"native","preprocess_wh":null,"prefill_wh":null,"decode_wh":null,
 "measurement":{"status":"not_measured","source":"nobody looked","devices":[]},
 "run":{"backend":"native","model":"m","prompts_asked":2,"prompts":2,"prompts_failed":0,
        "prompt_tokens":10,"completion_tokens":20,"seconds":1.0,"tokens_per_second":20.0,
        "time_to_first_token_seconds":0.1}}
JSON
  printf '{"run_id":"%s","exit_code":0}' "$RUN_ID" >"$RESULTS/RUN_COMPLETE.json"
  echo said by the benchmark
"#;

/// Docker's error for a missing image.
const NO_IMAGE: &str = "Error response from daemon: no such image: x: No such image: x";

/// A sandbox with `docker`, before which comes another one that answers `cases` itself: branches
/// of a `case $1`, in which `$HERE` is a folder of the sandbox.
pub(crate) fn sandbox_with(docker: &FakeDocker, cases: &str) -> Sandbox {
    let mut sandbox = Sandbox::new(Some(docker));
    let (here, path) = (sandbox.folder("before"), docker.path());
    fs::create_dir(&here).unwrap();
    let shown = here.display();
    let script = format!(
        "#!/bin/sh\nHERE='{shown}'\ncase $1 in\n{cases}\nesac\nPATH='{path}'\nexec docker \"$@\"\n"
    );
    fs::write(here.join("docker"), script).unwrap();
    fs::set_permissions(here.join("docker"), fs::Permissions::from_mode(0o755)).unwrap();
    sandbox.set("PATH", format!("{shown}:{path}"));
    sandbox
}

/// Starts a quiet run.
fn start(sandbox: &Sandbox) -> Child {
    let mut command = sandbox.command(["run", "--flavour", "smoke"]);
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// Waits until `holds`, and kills the run and fails when that takes a minute.
fn until(what: &str, run: &mut Child, mut holds: impl FnMut(&mut Child) -> bool) {
    if !holds_within(Duration::from_secs(60), || holds(run)) {
        run.kill().unwrap();
        panic!("waited in vain for {what}");
    }
}

/// The end of a run that gets one interrupt after the other.
fn interrupted(run: &mut Child) -> ExitStatus {
    let pid = Pid::from_raw(run.id().try_into().unwrap()).unwrap();
    let mut ended = None;
    until("the run's end", run, |run| {
        kill_process(pid, Signal::INT).unwrap();
        ended = run.try_wait().unwrap();
        ended.is_some()
    });
    ended.unwrap()
}

fn run(docker: &FakeDocker) -> (Sandbox, Outcome) {
    let sandbox = Sandbox::new(Some(docker));
    let outcome = aienergyscore(&sandbox, ["run", "--flavour", "smoke", "backend.model=m"]);
    (sandbox, outcome)
}

#[test]
fn complete_run_is_summarised() {
    let docker = FakeDocker::with_run(GOOD);
    let (sandbox, outcome) = run(&docker);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert!(outcome.stdout.starts_with("said by the benchmark\n"), "{}", outcome.stdout);
    assert!(outcome.stdout.contains("not measured: nobody looked"), "{}", outcome.stdout);
    let summary = fs::read(sandbox.cwd().join("results/GPU_ENERGY_SUMMARY.json")).unwrap();
    let summary: serde_json::Value = serde_json::from_slice(&summary).unwrap();
    assert_eq!(
        summary["cache"],
        serde_json::json!({ "blobs_added": 0, "bytes_added": 0, "repos": [] })
    );
    let removed = docker.calls_of("rm");
    let name = &docker.calls_of("run")[0][3];
    assert_eq!(removed, [["rm", "--force", name.as_str()]]);
    let left = fs::read_dir(sandbox.folder("run")).unwrap();
    assert_eq!(left.count(), 0, "the file with the container's id was left");
}

#[test]
fn the_summary_says_how_to_run_it_again() {
    let docker = FakeDocker::with_run(GOOD);
    docker.answer("image", r#"{"Id":"sha256:ab","RepoDigests":[],"Config":{"Labels":null}}"#);
    let (sandbox, _) = run(&docker);
    let results = sandbox.cwd().join("results");
    let read = || -> Summary {
        let text = fs::read(results.join("GPU_ENERGY_SUMMARY.json")).unwrap();
        serde_json::from_slice(&text).unwrap()
    };
    let repeat = read().repeat.unwrap();
    assert_eq!(repeat.container[0], "docker");
    assert_eq!(repeat.container[1..], by_hand(&docker.calls_of("run")[0]));
    assert_eq!(repeat.image_id.as_deref(), Some("sha256:ab"));

    // Its own command does the same again, with nothing left to defaults.
    let at = repeat.command.iter().position(|word| word == "aienergyscore").unwrap();
    let outcome = aienergyscore(&sandbox, &repeat.command[at + 1..]);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    let again = read().repeat.unwrap();
    assert_eq!(again.command, repeat.command);
    let same = |words: &[String], id: &str| -> Vec<_> {
        words.iter().map(|word| word.replace(id, "ID")).collect()
    };
    let id = |words: &[String]| words[4].strip_prefix("aienergyscore-").unwrap().to_owned();
    assert_eq!(
        same(&again.container, &id(&again.container)),
        same(&repeat.container, &id(&repeat.container))
    );
}

#[test]
fn what_runs_is_what_a_dry_run_shows() {
    let docker = FakeDocker::with_run(GOOD);
    let (sandbox, _) = run(&docker);
    let args = ["run", "--flavour", "smoke", "backend.model=m", "--dry-run", "--json"];
    let shown = aienergyscore(&sandbox, args).stdout;
    let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
    let id = shown["plan"]["run_id"].as_str().unwrap();
    let ran = &docker.calls_of("run")[0];
    let ran_id = ran[3].strip_prefix("aienergyscore-").unwrap();
    let argv = shown["argv"].as_array().unwrap().iter().skip(1);
    let argv: Vec<_> = argv.map(|word| word.as_str().unwrap().replace(id, ran_id)).collect();
    assert_eq!(by_hand(ran), argv);
}

/// The arguments without the list of mounts, which only a run writes.
fn by_hand(ran: &[String]) -> Vec<String> {
    let list = format!("{}=", contract::env::FOLDERS);
    let at = ran.iter().position(|word| word.starts_with(&list)).expect("a list");
    [&ran[..at - 1], &ran[at + 1..]].concat()
}

#[test]
fn success_without_a_completion_marker_is_an_error() {
    let (_, outcome) = run(&FakeDocker::new());
    assert_eq!(outcome.code, Some(1));
    assert!(
        outcome.stderr.contains("reports success, which is not believed"),
        "{}",
        outcome.stderr
    );
    assert!(outcome.stderr.contains("RUN_COMPLETE.json"), "{}", outcome.stderr);
}

#[test]
fn exit_code_of_the_container_is_passed_on() {
    let docker = FakeDocker::new();
    docker.answer(
        "container",
        r#"{"Running":false,"OOMKilled":false,"ExitCode":42,"Error":"","StartedAt":"2026-01-01T00:00:00Z"}"#,
    );
    let (_, outcome) = run(&docker);
    assert_eq!(outcome.code, Some(42), "{}", outcome.stderr);
}

#[test]
fn earlier_results_are_kept() {
    let docker = FakeDocker::with_run(GOOD);
    let sandbox = Sandbox::new(Some(&docker));
    let results = sandbox.cwd().join("results");
    fs::create_dir(&results).unwrap();
    fs::write(results.join("benchmark_report.json"), "precious").unwrap();
    fs::write(results.join("notes.txt"), "mine").unwrap();
    let outcome = aienergyscore(&sandbox, ["run", "--flavour", "smoke"]);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    let previous: Vec<_> = fs::read_dir(results.join("previous")).unwrap().collect();
    assert_eq!(previous.len(), 1);
    let kept = previous[0].as_ref().unwrap().path().join("benchmark_report.json");
    assert_eq!(fs::read_to_string(kept).unwrap(), "precious");
    assert_eq!(fs::read_to_string(results.join("notes.txt")).unwrap(), "mine");
}

#[test]
fn a_second_run_into_the_same_folder_is_refused() {
    let docker = FakeDocker::with_run(&format!("touch \"$RESULTS/started\"; wait_for go\n{GOOD}"));
    let sandbox = Sandbox::new(Some(&docker));
    let results = sandbox.cwd().join("results");
    let mut first = sandbox.command(["run", "--flavour", "smoke"]).spawn().unwrap();
    until("the first run", &mut first, |first| {
        assert!(first.try_wait().unwrap().is_none(), "the first run ended early");
        results.join("started").exists()
    });
    let second = aienergyscore(&sandbox, ["run", "--flavour", "smoke"]);
    docker.open("go");
    assert!(first.wait().unwrap().success());
    assert_eq!(second.code, Some(1));
    assert!(second.stderr.contains(&format!("(process {})", first.id())), "{}", second.stderr);
    assert_eq!(docker.calls_of("run").len(), 1);
}

#[test]
fn a_token_of_the_environment_is_a_private_file_while_the_run_lasts() {
    let look = "ls -l \"$XDG_RUNTIME_DIR\"/*-token >\"$RESULTS/seen\"; cat \"$XDG_RUNTIME_DIR\"/*-token >\"$RESULTS/token\"";
    let docker = FakeDocker::with_run(look);
    let mut sandbox = Sandbox::new(Some(&docker));
    sandbox.set("HF_TOKEN", "hf_secret_of_ada");
    let outcome = aienergyscore(&sandbox, ["run", "--flavour", "smoke"]);
    let results = sandbox.cwd().join("results");
    assert_eq!(fs::read_to_string(results.join("token")).unwrap(), "hf_secret_of_ada");
    assert!(fs::read_to_string(results.join("seen")).unwrap().starts_with("-rw------- "));
    assert_eq!(fs::read_dir(sandbox.folder("run")).unwrap().count(), 0, "the token was left");
    let asked = docker.calls().concat().join("\n");
    assert!(!asked.contains("hf_secret_of_ada") && !outcome.stderr.contains("hf_secret_of_ada"));
}

#[test]
fn an_image_that_is_not_built_stops_the_run_before_anything_moves() {
    let docker = FakeDocker::with_run(GOOD);
    let sandbox = sandbox_with(&docker, &format!("image) echo '{NO_IMAGE}' >&2; exit 1 ;;"));
    let results = sandbox.cwd().join("results");
    fs::create_dir(&results).unwrap();
    fs::write(results.join("benchmark_report.json"), "precious").unwrap();
    let outcome = aienergyscore(&sandbox, ["run", "--flavour", "smoke"]);
    assert_eq!(outcome.code, Some(1));
    assert!(
        outcome.stderr.contains("cargo xtask build-image --flavour smoke"),
        "{}",
        outcome.stderr
    );
    assert!(results.join("benchmark_report.json").exists());
    assert!(docker.calls_of("run").is_empty());
}

#[test]
fn an_image_that_cannot_be_asked_for_is_not_a_missing_one() {
    let docker = FakeDocker::with_run(GOOD);
    docker.fail("image");
    let complains = sandbox_with(&docker, "image) echo 'the disk is gone' >&2; exit 1 ;;");
    let silent = Sandbox::new(Some(&docker));
    for (sandbox, complaint) in [(complains, "the disk is gone"), (silent, "it said nothing")] {
        for command in ["run", "verify"] {
            let outcome = aienergyscore(&sandbox, [command, "--flavour", "smoke"]);
            assert_eq!(outcome.code, Some(1));
            let said = outcome.stdout + &outcome.stderr;
            assert!(said.contains(complaint) && !said.contains("xtask"), "{said}");
        }
    }
    assert!(docker.calls_of("run").is_empty());
}

#[test]
fn unknown_engine_runs_nothing() {
    // Only the owner of its socket tells whether Podman of that version is rootless.
    let podman = r#"version) echo '{"Components":[{"Name":"Podman Engine","Version":"4.3.1"}]}'; exit 0 ;;
        context) echo tcp://far:2375; exit 0 ;;"#;
    for (cases, part) in
        [(podman, "`docker` talks to Podman 4.3.1"), ("info) exit 0 ;;", "said nothing")]
    {
        let docker = FakeDocker::with_run(GOOD);
        let sandbox = sandbox_with(&docker, cases);
        for engine in ["docker", "auto"] {
            let args = ["verify", "--engine", engine, "--flavour", "cpu"];
            let outcome = aienergyscore(&sandbox, args);
            assert_eq!(outcome.code, Some(1));
            let line = outcome.stdout.lines().find(|line| line.contains(part)).expect(part);
            assert!(line.starts_with(&format!("error   engine   {engine}: ")), "{line}");
        }
        assert!(docker.calls_of("run").is_empty());
    }
}

#[test]
fn a_daemon_that_hangs_after_the_benchmark_does_not_keep_the_user() {
    let docker = FakeDocker::with_run(GOOD);
    let hangs = format!("rm) : >\"$HERE/asked\"; {HANGS} ;;");
    let sandbox = sandbox_with(&docker, &hangs);
    let mut run = start(&sandbox);
    until("the removal", &mut run, |_| sandbox.folder("before/asked").exists());
    let status = interrupted(&mut run);
    assert_eq!(status.signal(), Some(2), "{status}");
}

#[test]
fn a_container_that_cannot_be_removed_at_once_is_removed_a_moment_later() {
    let docker = FakeDocker::with_run(GOOD);
    let refusing = r#"rm)
  echo >>"$HERE/asked"
  if [ "$(wc -l <"$HERE/asked")" -lt 3 ]; then
    echo "Error: container state improper" >&2
    exit 125
  fi
  echo "$3"
  exit 0 ;;"#;
    let sandbox = sandbox_with(&docker, refusing);
    let outcome = aienergyscore(&sandbox, ["run", "--flavour", "smoke", "backend.model=m"]);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert!(!outcome.stderr.contains("docker rm"), "{}", outcome.stderr);
    let asked = fs::read_to_string(sandbox.folder("before/asked")).unwrap();
    assert_eq!(asked.lines().count(), 3);
}

#[test]
fn a_daemon_that_hangs_while_a_run_is_killed_does_not_keep_the_user() {
    let started = format!("trap '' TERM; : >\"$RESULTS/started\"; {HANGS}");
    let docker = FakeDocker::with_run(&started);
    let sandbox = sandbox_with(&docker, &format!("rm) {HANGS} ;;"));
    let mut run = start(&sandbox);
    let results = sandbox.cwd().join("results");
    until("the benchmark", &mut run, |_| results.join("started").exists());
    let status = interrupted(&mut run);
    assert_eq!(status.signal(), Some(2), "{status}");
}

#[test]
fn a_reader_that_leaves_early_does_not_end_the_run() {
    let say = "i=0; while [ $i -lt 3000 ]; do echo line $i of a long output; i=$((i+1)); done";
    let docker = FakeDocker::with_run(&format!("{say}\n{say} >&2\n{GOOD}"));
    let sandbox = Sandbox::new(Some(&docker));
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = sandbox.command(["run", "--flavour", "smoke"]);
    let status = command.stdout(writer.try_clone().unwrap()).stderr(writer).status().unwrap();
    assert_eq!(status.code(), Some(0));
    assert!(sandbox.cwd().join("results/RUN_COMPLETE.json").exists());
}

#[test]
fn a_full_disk_behind_the_streams_does_not_end_the_run() {
    let docker = FakeDocker::with_run(GOOD);
    let sandbox = Sandbox::new(Some(&docker));
    let full = || fs::File::options().write(true).open("/dev/full").unwrap();
    let mut command = sandbox.command(["run", "--flavour", "smoke"]);
    // The summary cannot be shown, and that is an error; the run itself is whole.
    assert_eq!(command.stdout(full()).stderr(full()).status().unwrap().code(), Some(1));
    assert!(sandbox.cwd().join("results/RUN_COMPLETE.json").exists());
}

#[test]
fn without_docker_the_host_engine_runs_the_entrypoint() {
    let mut sandbox = Sandbox::new(None);
    let entrypoint = sandbox.folder("entry");
    let script = format!(
        "#!/bin/sh\nRESULTS=$RESULTS_DIR RUN_ID=$AIENERGYSCORE_RUN_ID\n{GOOD}\necho \"$@\" $BENCHMARK_BACKEND"
    );
    fs::write(&entrypoint, script).unwrap();
    fs::set_permissions(&entrypoint, fs::Permissions::from_mode(0o755)).unwrap();
    sandbox.set("AIENERGYSCORE_ENTRYPOINT", &entrypoint);
    let outcome =
        aienergyscore(&sandbox, ["run", "--engine", "host", "backend.model=m", "-n", "2"]);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    let said = "backend.model=m scenario.num_samples=2 native";
    assert!(outcome.stdout.contains(said), "{}", outcome.stdout);
    assert!(!outcome.stderr.contains("without a container, and"), "{}", outcome.stderr);
    let args = ["run", "--engine", "host", "--offline", "--gpus", "none"];
    let outcome = aienergyscore(&sandbox, args);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    for promise in ["--offline leaves network", "--gpus none hides no GPU"] {
        assert_eq!(outcome.stderr.matches(promise).count(), 1, "{}", outcome.stderr);
    }
}
