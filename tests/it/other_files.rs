//! Engines whose containers see other files than this program: on another machine, in a virtual machine, or
//! in another mount namespace.

use std::{
    fs,
    net::{TcpListener, TcpStream},
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, symlink},
    path::Path,
    process::{Child, Command, Stdio},
};

use serde_json::Value;

use crate::{
    ada::Ada,
    daemon::Daemon,
    fake_runs::{GOOD, sandbox_with},
    harness::{FakeDocker, Outcome, Sandbox, aienergyscore, smoke},
    under_way::{run, said},
    waiting::until,
};

/// Output of `docker info` with these values.
fn docker_info(system: &str, name: &str, kernel: &str) -> String {
    format!(
        r#"{{"ServerVersion":"28.3.2","SecurityOptions":["name=seccomp,profile=unconfined"],
        "OperatingSystem":"{system}","Name":"{name}","KernelVersion":"{kernel}"}}"#
    )
}

/// Outcome and plan of `run --dry-run --json`.
fn dry_run(sandbox: &Sandbox) -> (Outcome, Value) {
    let args = ["run", "--flavour", "smoke", "--dry-run", "--json", "backend.model=m"];
    let outcome = aienergyscore(sandbox, args);
    let plan = serde_json::from_str(&outcome.stdout).unwrap_or_default();
    (outcome, plan)
}

#[test]
fn docker_desktop_runs_the_container_as_uid_0_except_on_wsl() {
    let docker = FakeDocker::new();
    let user = |kernel: &str| {
        docker.answer("info", &docker_info("Docker Desktop", "docker-desktop", kernel));
        let (outcome, plan) = dry_run(&Sandbox::new(Some(&docker)));
        let argv = plan["argv"].as_array().unwrap().clone();
        let at = argv.iter().position(|word| word == "--user").unwrap();
        (argv[at + 1].as_str().unwrap().to_owned(), outcome.stderr)
    };
    let (desktop, said) = user("6.10.14-linuxkit");
    assert_eq!(desktop, "0:0");
    assert!(said.contains("in Docker Desktop's virtual machine"), "{said}");
    let (wsl, said) = user("5.15.167.4-microsoft-standard-WSL2");
    let own = format!("{}:{}", rustix::process::geteuid(), rustix::process::getegid());
    assert_eq!(wsl, own);
    assert!(!said.contains("virtual machine"), "{said}");
}

#[test]
fn remote_docker_is_refused_before_earlier_results_are_moved() {
    let context = "context) echo ssh://ada@gpu7.invalid; exit 0 ;;";
    for (variable, cases, address) in [
        (Some("tcp://192.0.2.7:2375"), "", "tcp://192.0.2.7:2375"),
        (Some("ssh://ada@gpu7.invalid"), "", "ssh://gpu7.invalid"),
        (None, context, "ssh://gpu7.invalid"),
    ] {
        let docker = FakeDocker::with_run(GOOD);
        let mut sandbox = sandbox_with(&docker, cases);
        if let Some(variable) = variable {
            sandbox.set("DOCKER_HOST", variable);
        }
        let results = sandbox.cwd().join("results");
        fs::create_dir(&results).unwrap();
        fs::write(results.join("benchmark_report.json"), "precious").unwrap();
        for command in ["run", "verify"] {
            let outcome = aienergyscore(&sandbox, [command, "--flavour", "smoke"]);
            let said = outcome.stdout + &outcome.stderr;
            assert_ne!(outcome.code, Some(0), "{said}");
            let expected = format!("`docker` runs containers on another machine, `{address}`");
            assert_eq!(said.matches(&expected).count(), 1, "{said}");
        }
        assert!(docker.calls_of("run").is_empty());
        assert!(results.join("benchmark_report.json").exists());
    }
}

#[test]
fn remote_podman_is_refused() {
    let mut sandbox = Sandbox::new(None);
    let podman = sandbox.folder("bin").join("podman");
    let info = r#"{"host": {"arch": "amd64", "cgroupVersion": "v2", "ociRuntime": {"name": "crun"},
        "security": {"rootless": true}, "serviceIsRemote": true}, "version": {"Version": "5.4.2"}}"#;
    let script =
        format!("#!/bin/sh\ncase $1 in\ninfo) echo '{info}' ;;\nimage) echo '{{}}' ;;\nesac\n");
    fs::write(&podman, script).unwrap();
    fs::set_permissions(&podman, fs::Permissions::from_mode(0o755)).unwrap();
    sandbox.set("CONTAINER_HOST", "ssh://core@gpu7.invalid/run/podman/podman.sock");
    let outcome = aienergyscore(&sandbox, ["run", "--engine", "podman", "--flavour", "smoke"]);
    let expected =
        "`podman` runs containers on another machine, `ssh://gpu7.invalid/run/podman/podman.sock`";
    assert!(outcome.code == Some(2) && outcome.stderr.contains(expected), "{}", outcome.stderr);
}

#[test]
fn entrypoint_that_sees_other_mounts_is_reported_in_one_error() {
    // The entrypoint's exit code if it does not find the list of mounts that the runner wrote.
    let docker = FakeDocker::with_run("exit 121");
    docker.answer(
        "container",
        r#"{"Running":false,"OOMKilled":false,"ExitCode":121,"Error":"","StartedAt":"2026-01-01T00:00:00Z"}"#,
    );
    let mut sandbox = Sandbox::new(Some(&docker));
    sandbox.set("DOCKER_HOST", "tcp://127.0.0.1:2375");
    let outcome = aienergyscore(&sandbox, ["run", "--flavour", "smoke"]);
    assert_eq!(outcome.code, Some(1));
    let results = sandbox.cwd().join("results");
    let expected = format!(
        "error: `docker` sees other files than this program: `{}` is another one there, as its \
         address `tcp://127.0.0.1:2375` leads to another machine",
        results.display()
    );
    assert_eq!(outcome.stderr.matches("error: ").count(), 1, "{}", outcome.stderr);
    assert!(outcome.stderr.contains(&expected), "{}", outcome.stderr);
    let left: Vec<_> = fs::read_dir(&results).unwrap().map(|it| it.unwrap().file_name()).collect();
    assert_eq!(left, [".aienergyscore.lock"], "the list of mounts was left");
}

#[test]
fn missing_bind_source_is_explained_by_another_file_system() {
    let says = "docker: Error response from daemon: invalid mount config for type \"bind\": bind \
                source path does not exist: /w/results.";
    let docker = FakeDocker::with_run(&format!("echo '{says}' >&2; exit 125"));
    let sandbox =
        sandbox_with(&docker, "container) echo 'Error: No such container: x' >&2; exit 1 ;;");
    let outcome = aienergyscore(&sandbox, ["run", "--flavour", "smoke"]);
    assert_eq!(outcome.code, Some(1));
    let expected =
        "error: `docker` sees other files than this program: a mounted folder is missing there";
    assert!(outcome.stderr.contains(expected), "{}", outcome.stderr);
    assert!(!outcome.stderr.contains("made no container"), "{}", outcome.stderr);
}

#[test]
fn run_under_another_kernel_is_not_metered() {
    let far = GOOD.replace(r#""exit_code":0}"#, r#""exit_code":0,"same_kernel":false}"#);
    let docker = FakeDocker::with_run(&far);
    let sandbox = Sandbox::new(Some(&docker));
    let outcome = aienergyscore(&sandbox, ["run", "--flavour", "smoke", "--watts-per-cpu", "9"]);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    let line = outcome.stdout.lines().find(|line| line.starts_with("Host")).unwrap();
    assert!(line.contains("not metered: the container ran under another kernel"), "{line}");
    // Docker Desktop's virtual machine uses this machine's processors, so it is metered.
    docker.answer("info", &docker_info("Docker Desktop", "docker-desktop", "6.10.14-linuxkit"));
    let outcome = aienergyscore(&sandbox, ["run", "--flavour", "smoke"]);
    assert!(!outcome.stdout.contains("another kernel"), "{}", outcome.stdout);
}

#[test]
fn content_trust_is_off_for_an_image_that_is_never_pulled() {
    let note = "echo \"${DOCKER_CONTENT_TRUST-unset}\" >\"$RESULTS/trust\"";
    let docker = FakeDocker::with_run(&format!("{note}\n{GOOD}"));
    let mut sandbox = Sandbox::new(Some(&docker));
    sandbox.set("DOCKER_CONTENT_TRUST", "1");
    let trust = |image: &[&str]| {
        aienergyscore(&sandbox, [&["run", "--backend", "native"], image].concat());
        fs::read_to_string(sandbox.cwd().join("results/trust")).unwrap()
    };
    assert_eq!(trust(&["--flavour", "smoke"]), "unset\n");
    assert_eq!(trust(&["--image", "r.example/image:1"]), "1\n");
}

#[test]
fn run_files_are_in_the_writable_folder_of_a_snap_client() {
    let docker = FakeDocker::with_run(GOOD);
    let mut sandbox = Sandbox::new(Some(&docker));
    let (snap, path) = (sandbox.folder("snap/bin"), docker.path());
    fs::create_dir_all(&snap).unwrap();
    let engine = Path::new(path.split(':').next().unwrap());
    fs::copy(engine.join("docker"), sandbox.folder("snap/snap")).unwrap();
    symlink("../snap", snap.join("docker")).unwrap();
    let common = sandbox.home().join("snap/docker/common");
    fs::create_dir_all(&common).unwrap();
    sandbox.set("PATH", format!("{}:{path}", snap.display())).set("HF_TOKEN", "hf_x");
    let outcome = aienergyscore(&sandbox, ["run", "--flavour", "smoke"]);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    let call = docker.calls_of("run").remove(0);
    let common = common.display().to_string();
    let cid = call.iter().position(|word| word == "--cidfile").unwrap() + 1;
    assert!(call[cid].starts_with(&common), "{call:?}");
    let token = call.iter().find(|word| word.ends_with("/run/secrets/hf_token,readonly")).unwrap();
    assert!(token.contains(&format!("source={common}/")), "{token}");
    assert_eq!(fs::read_dir(common).unwrap().count(), 0, "a file was left");
}

/// Ada, and a daemon that has an empty folder in place of `hidden`, a folder in Ada's home.
fn with_daemon(hidden: &str) -> (Ada, Daemon) {
    let ada = Ada::with(&[smoke::GGUF]);
    let hidden = ada.home().join(hidden);
    fs::create_dir_all(&hidden).unwrap();
    ada.own(&hidden);
    let group = fs::metadata("/var/run/docker.sock").expect("a Docker socket").gid();
    let daemon = Daemon::start(group, Some(&hidden));
    chown(daemon.path(""), None, Some(group)).unwrap();
    (ada, daemon)
}

/// Asserts that a run is refused because of `folder`, before anything starts.
fn assert_refused(ada: &Ada, daemon: &Daemon, folder: &str) {
    let output = run(ada, &["-n", "1"]);
    let said = said(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    let folder = ada.home().join(folder).display().to_string();
    let expected =
        format!("error: `docker` sees other files than this program: `{folder}` is another");
    assert!(said.contains(&expected) && said.matches("error:").count() == 1, "{said}");
    assert!(!ada.results().join("benchmark.log").exists(), "{said}");
    assert_eq!(daemon.containers(), [""; 0]);
}

#[test]
#[ignore = "needs root, Docker and `cargo xtask smoke` once before"]
fn run_is_refused_if_the_daemon_has_another_results_folder() {
    let (mut ada, daemon) = with_daemon("results");
    ada.set("DOCKER_HOST", daemon.socket());
    assert_refused(&ada, &daemon, "results");
}

#[test]
#[ignore = "needs root, Docker and `cargo xtask smoke` once before"]
fn run_is_refused_if_the_daemon_has_another_hub_cache() {
    let (mut ada, daemon) = with_daemon("hf");
    ada.set("DOCKER_HOST", daemon.socket());
    assert_refused(&ada, &daemon, "hf");
}

/// A process that forwards a local TCP port to the daemon's socket. The number is the port.
struct Tunnel(Child, u16);

impl Tunnel {
    fn to(socket: &str) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let script = r#"
import socket, sys, threading
server = socket.create_server(("127.0.0.1", int(sys.argv[1])))
def copy(a, b):
    while data := a.recv(65536):
        b.sendall(data)
    b.shutdown(socket.SHUT_WR)
while True:
    client = server.accept()[0]
    daemon = socket.socket(socket.AF_UNIX)
    daemon.connect(sys.argv[2])
    for pair in ((client, daemon), (daemon, client)):
        threading.Thread(target=copy, args=pair, daemon=True).start()
"#;
        let mut command = Command::new("python3");
        command.args(["-c", script, &port.to_string(), socket.trim_start_matches("unix://")]);
        let tunnel = Self(command.stdin(Stdio::null()).spawn().unwrap(), port);
        until("the tunnel", || TcpStream::connect(("127.0.0.1", port)).is_ok());
        tunnel
    }
}

impl Drop for Tunnel {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

#[test]
#[ignore = "needs root, Docker and `cargo xtask smoke` once before"]
fn engine_behind_a_local_port_is_accepted_only_with_the_same_files() {
    let mut ada = Ada::with(&[smoke::GGUF]);
    let tunnel = Tunnel::to("/var/run/docker.sock");
    let address = format!("tcp://127.0.0.1:{}", tunnel.1);
    ada.set("DOCKER_HOST", &address);
    let output = run(&ada, &["-n", "1", "--watts-per-cpu", "9"]);
    assert!(output.status.success(), "{}", said(&output));
    assert!(!said(&output).contains("another kernel"), "{}", said(&output));

    let (mut ada, daemon) = with_daemon("results");
    let tunnel = Tunnel::to(&daemon.socket());
    let address = format!("tcp://127.0.0.1:{}", tunnel.1);
    ada.set("DOCKER_HOST", &address);
    assert_refused(&ada, &daemon, "results");
    let expected = format!("as its address `{address}` leads to another machine");
    assert!(said(&run(&ada, &["-n", "1"])).contains(&expected));
}
