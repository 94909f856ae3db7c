//! Runners that are killed while the engine creates the container leave no container, process or file.

use std::{
    fs,
    path::Path,
    process::{Child, Stdio},
};

use rustix::process::Signal;

use crate::{ada::Ada, harness::smoke, machine::On, under_way::signal, waiting::until};

/// Processes of Ada's run by this runner: a client, a reaper, a monitor of its container.
fn left(ada: &Ada, runner: u32) -> Vec<String> {
    let results = ada.results().display().to_string();
    let words = |pid: &str, file: &str| {
        let bytes = fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).replace('\0', " ")
    };
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let pids = pids.filter(|pid| pid.parse::<u32>().is_ok());
    let described = pids.map(|pid| format!("{pid}: {}", words(&pid, "cmdline")));
    let is_ours = |text: &String| {
        text.contains(&results)
            || text.contains(&format!("Z-{runner}-"))
            || (text.contains("conmon ") && text.contains(&format!("Z-{runner} ")))
            || text.ends_with("runc init ")
    };
    described.filter(is_ours).collect()
}

/// The files of a run by this runner in a folder.
fn files_of(runner: u32, folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap().flatten();
    let names = entries.map(|entry| entry.file_name().into_string().unwrap());
    let of_run = format!("Z-{runner}-");
    names.filter(|name| name.contains(&of_run)).collect()
}

/// Waits until processes and files of a run have changed so often since its client began. Returns
/// false if the benchmark began before.
fn is_early_after(steps: u32, ada: &Ada, child: &Child, files: &Path) -> bool {
    let log = ada.results().join("benchmark.log");
    let seen = || (left(ada, child.id()), files_of(child.id(), files));
    until("the client", || ada.client().is_some());
    let (mut last, mut changes) = (seen(), 0);
    until("a step of the run", || {
        let now = seen();
        changes += u32::from(now != last);
        last = now;
        changes >= steps || log.exists()
    });
    !log.exists()
}

fn leaves_nothing(on: On) {
    let mut ada = Ada::on(on, &[smoke::GGUF]);
    let files = ada.home().join("files");
    fs::create_dir(&files).unwrap();
    ada.own(&files);
    // Podman's own folder is in the variable that comes first.
    let files = match on.env().into_iter().find(|(name, _)| *name == "XDG_RUNTIME_DIR") {
        Some((_, folder)) => folder.into(),
        None => files,
    };
    ada.set("TMPDIR", files.to_str().unwrap());
    let args = ["run", "--engine", on.choice(), "--flavour", "smoke", smoke::MODEL, "-n", "1000"];
    let (mut steps, mut is_early) = (0, true);
    while is_early {
        let mut command = ada.command(&args);
        command.env("HF_TOKEN", "hf_secret_of_ada");
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        is_early = is_early_after(steps, &ada, &child, &files);
        signal(child.id(), Signal::KILL);
        child.wait().unwrap();
        // The reaper holds the folder's lock until it has done its work.
        until("the reaper's end", || {
            let lock = fs::File::open(ada.results().join(".aienergyscore.lock")).unwrap();
            lock.try_lock().is_ok()
        });
        assert_eq!(ada.containers(), [""; 0], "killed after {steps} steps");
        until("its processes' end", || left(&ada, child.id()).is_empty());
        assert_eq!(files_of(child.id(), &files), [""; 0], "killed after {steps} steps");
        // An earlier run's log would be taken for the next one's.
        let _ = fs::remove_file(ada.results().join("benchmark.log"));
        steps += 1;
    }
    assert!(steps > 2, "{steps} steps before the benchmark");
}

#[test]
#[ignore = "needs Docker and `cargo xtask smoke` once before"]
fn killed_runner_leaves_nothing_with_docker() {
    leaves_nothing(On::DockerRootful);
}

#[test]
#[ignore = "needs root, to bring the engine up, and `cargo xtask smoke` once before"]
fn killed_runner_leaves_nothing_with_rootless_podman() {
    leaves_nothing(On::PodmanRootless);
}
