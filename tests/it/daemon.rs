//! A Docker daemon for one test.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::Duration,
};

use rustix::process::getuid;

use crate::{
    ada::docker,
    waiting::{holds_within, until},
};

/// A rootful daemon in its own namespaces. It ends when this value is dropped.
pub(crate) struct Daemon {
    root: tempfile::TempDir,
    namespace: Child,
}

impl Daemon {
    /// A daemon that the group `group` may use, and that sees nothing in the folder `hidden`.
    pub(crate) fn start(group: u32, hidden: Option<&Path>) -> Self {
        assert!(getuid().is_root(), "only root can start a rootful daemon");
        let root = tempfile::tempdir().unwrap();
        fs::set_permissions(root.path(), fs::Permissions::from_mode(0o755)).unwrap();
        // Not the machine's containerd: /run is the daemon's own. The shell is the namespace's
        // first process and stays when the daemon is killed.
        let script = r#"
            cd "$1"
            mount -t tmpfs tmpfs /run
            [ -z "$3" ] || mount -t tmpfs tmpfs "$3"
            daemon() {
                dockerd --bridge=none --iptables=false --storage-driver=vfs --group="$2" \
                    --data-root="$1/data" --exec-root="$1/exec" --host="unix://$1/docker.sock" \
                    --pidfile="$1/docker.pid" </dev/null
            }
            while true; do
                daemon "$@" || true
                rm -f docker.pid
                : >dead
                # Until the test wants another one.
                cat go >/dev/null
            done
        "#;
        let fifo = Command::new("mkfifo").arg(root.path().join("go")).status().unwrap();
        assert!(fifo.success());
        let log = fs::File::create(root.path().join("log")).unwrap();
        let mut command = Command::new("unshare");
        // A second daemon without a bridge would remove the machine's, so it gets a network
        // namespace.
        command.args(["--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"]);
        command.args(["sh", "-euc", script, "sh"]).arg(root.path()).arg(group.to_string());
        command.arg(hidden.unwrap_or(Path::new("")));
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        let daemon = Self { root, namespace: command.spawn().expect("unshare can be started") };
        daemon.wait();
        let image = daemon.path("image.tar");
        docker(&["save", "--output", image.to_str().unwrap(), "ai_energy_score:smoke"]);
        let loaded = daemon.ask(&["load", "--input", image.to_str().unwrap()]);
        assert!(loaded.status.success(), "{loaded:?}");
        daemon
    }

    /// The path of a file in its folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    /// Its address.
    pub(crate) fn socket(&self) -> String {
        format!("unix://{}", self.path("docker.sock").display())
    }

    /// The output of a client of it.
    pub(crate) fn ask(&self, args: &[&str]) -> Output {
        Command::new("docker").args(["--host", &self.socket()]).args(args).output().unwrap()
    }

    fn wait(&self) {
        let answers = || self.ask(&["version"]).status.success();
        if !holds_within(Duration::from_secs(60), answers) {
            panic!("no daemon:\n{}", fs::read_to_string(self.path("log")).unwrap());
        }
    }

    /// Kills it, and nothing that it started.
    pub(crate) fn kill(&self) {
        let namespace = format!("--pid=/proc/{}/ns/pid_for_children", self.namespace.id());
        let pid = fs::read_to_string(self.path("docker.pid")).unwrap();
        let kill = ["nsenter", &namespace, "--", "kill", "-KILL", pid.trim()];
        assert!(Command::new(kill[0]).args(&kill[1..]).status().unwrap().success());
        until("the daemon's end", || self.path("dead").exists());
    }

    /// Starts it again after it was killed.
    pub(crate) fn again(&self) {
        fs::write(self.path("go"), "").unwrap();
        self.wait();
    }

    /// The containers of runs.
    pub(crate) fn containers(&self) -> Vec<String> {
        let label = format!("label={}", contract::label::RUN);
        let output = self.ask(&["ps", "--all", "--filter", &label, "--format", "{{.Names}}"]);
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // The error that counts is the test's. All processes of the namespace end with the first.
        let _ = self.namespace.kill();
        let _ = self.namespace.wait();
    }
}
