//! `reclaim` and `cache repair` on a rootless Docker daemon for one test, whose user exists in its mount
//! namespace alone.

use std::{
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, lchown},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::Duration,
};

use rustix::process::getuid;

use crate::{ada::docker, harness::program, waiting::holds_within};

const ADA: u32 = 42_424;
/// The first of her subordinate ids: that of a container's uid 1.
const FIRST: u32 = 1_000_000;
/// The host's uid of a container's uid 4242.
const STRANGER: u32 = FIRST + 4242 - 1;

/// A rootless daemon, which ends with this value.
struct Rootless {
    root: tempfile::TempDir,
    /// `unshare`, whose end is that of all processes in its namespace.
    namespace: Child,
}

impl Rootless {
    fn start() -> Self {
        assert!(getuid().is_root(), "only root can be another user");
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        fs::set_permissions(root.path(), fs::Permissions::from_mode(0o755)).unwrap();
        fs::copy(program(), at("aienergyscore")).unwrap();
        for folder in ["home", "run"] {
            fs::create_dir(at(folder)).unwrap();
            chown(at(folder), Some(ADA), Some(ADA)).unwrap();
            fs::set_permissions(at(folder), fs::Permissions::from_mode(0o700)).unwrap();
        }
        let passwd = fs::read_to_string("/etc/passwd").unwrap();
        fs::write(at("passwd"), format!("rootless-ada:x:{ADA}:{ADA}::/:/bin/sh\n{passwd}"))
            .unwrap();
        fs::write(at("subids"), format!("rootless-ada:{FIRST}:65536\n")).unwrap();
        let script = r#"
            cd "$1"
            mount --bind passwd /etc/passwd
            for file in /etc/subuid /etc/subgid; do mount --bind subids $file; done
            # The shell stays: a process that becomes another user outlives `unshare`.
            setpriv --reuid=$2 --regid=$2 --clear-groups -- \
                env -i "PATH=$PATH" "HOME=$1/home" "XDG_RUNTIME_DIR=$1/run" \
                rootlesskit --net=host --copy-up=/etc --copy-up=/run --state-dir="$1/run/kit" \
                sh -c 'rm -rf /run/docker /run/containerd /run/xtables.lock
                    exec dockerd --rootless --bridge=none --iptables=false --storage-driver=vfs \
                        --data-root="$HOME/docker" --exec-root="$XDG_RUNTIME_DIR/exec" \
                        --host="unix://$XDG_RUNTIME_DIR/docker.sock" \
                        --pidfile="$XDG_RUNTIME_DIR/docker.pid"'
            exit 1
        "#;
        let log = fs::File::create(at("log")).unwrap();
        let mut command = Command::new("unshare");
        command.args(["--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]);
        command.args(["sh", "-euc", script, "sh"]).arg(root.path()).arg(ADA.to_string());
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        let namespace = command.spawn().expect("unshare can be started");
        let rootless = Self { root, namespace };
        rootless.wait();
        let image = rootless.root.path().join("image.tar");
        docker(&["save", "--output", image.to_str().unwrap(), "ai_energy_score:smoke"]);
        rootless.docker(&["load", "--input", image.to_str().unwrap()]);
        rootless
    }

    fn wait(&self) {
        let answers = || self.engine(&["version"]).status.success();
        if !holds_within(Duration::from_secs(60), answers) {
            let log = fs::read_to_string(self.root.path().join("log")).unwrap_or_default();
            panic!("no daemon:\n{log}");
        }
    }

    fn socket(&self) -> String {
        format!("unix://{}", self.root.path().join("run/docker.sock").display())
    }

    fn engine(&self, args: &[&str]) -> Output {
        Command::new("docker").args(["--host", &self.socket()]).args(args).output().unwrap()
    }

    fn docker(&self, args: &[&str]) {
        let output = self.engine(args);
        assert!(output.status.success(), "docker {args:?}: {output:?}");
    }

    fn home(&self) -> PathBuf {
        self.root.path().join("home")
    }

    /// `aienergyscore` as Ada, who has her subordinate ids.
    fn run(&self, args: &[&str]) -> (Option<i32>, String) {
        let mut command = Command::new("nsenter");
        let namespace = self.namespace.id();
        command.args([format!("--target={namespace}"), "--mount".to_owned()]);
        // Whose `/proc` is there, too.
        command.arg(format!("--pid=/proc/{namespace}/ns/pid_for_children"));
        command.args(["--", "setpriv"]).args([format!("--reuid={ADA}"), format!("--regid={ADA}")]);
        command.args(["--clear-groups", "--"]).arg(self.root.path().join("aienergyscore"));
        command.args(args).env_clear().env("PATH", std::env::var("PATH").unwrap());
        command.env("HOME", self.home()).env("HF_HUB_CACHE", self.home().join("hub"));
        command.env("DOCKER_HOST", self.socket()).stdin(Stdio::null());
        let output = command.output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8(said).unwrap())
    }

    /// A folder of Ada's to which any container may write.
    fn folder(&self, path: &str) -> PathBuf {
        let folder = self.home().join(path);
        fs::create_dir_all(&folder).unwrap();
        for folder in folder.ancestors().take_while(|folder| *folder != self.home()) {
            chown(folder, Some(ADA), Some(ADA)).unwrap();
        }
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)).unwrap();
        folder
    }

    /// Leaves a file of a container's user in a folder, and one that is hidden and closed.
    fn leave(&self, folder: &Path) {
        let volume = format!("{}:/x", folder.display());
        let run = ["run", "--rm", "--pull", "never", "--network", "none", "--user", "4242:4242"];
        let probe =
            ["--volume", &volume, "ai_energy_score:smoke", "probe", "--leave", "left", "/x"];
        self.docker(&[&run[..], &probe].concat());
        fs::create_dir(folder.join("closed")).unwrap();
        fs::write(folder.join("closed/hidden"), "").unwrap();
        for (path, mode) in [("closed/hidden", 0o000), ("closed", 0o700)] {
            lchown(folder.join(path), Some(STRANGER), Some(STRANGER)).unwrap();
            fs::set_permissions(folder.join(path), fs::Permissions::from_mode(mode)).unwrap();
        }
    }
}

impl Drop for Rootless {
    fn drop(&mut self) {
        let namespace = self.namespace.id();
        let children = format!("/proc/{namespace}/task/{namespace}/children");
        let children = fs::read_to_string(children).unwrap_or_default();
        // The error that counts is the test's.
        let _ = self.namespace.kill();
        let _ = self.namespace.wait();
        // The namespace's first process is gone when all the others are: nobody writes any more.
        let first = Path::new("/proc").join(children.trim());
        holds_within(Duration::from_secs(10), || children.trim().is_empty() || !first.exists());
    }
}

fn owners(folder: &Path) -> Vec<u32> {
    let walk = walkdir::WalkDir::new(folder);
    walk.into_iter().map(|entry| entry.unwrap().metadata().unwrap().uid()).collect()
}

#[test]
#[ignore = "needs root, Docker, rootlesskit, uidmap and the smoke image"]
fn files_of_a_rootless_container_are_reclaimed() {
    let rootless = Rootless::start();
    let (results, blobs) =
        (rootless.folder("results"), rootless.folder("hub/models--org--m/blobs"));
    for folder in [&results, &blobs] {
        rootless.leave(folder);
        assert_eq!(owners(folder), [ADA, STRANGER, STRANGER, STRANGER]);
    }
    let (code, said) = rootless.run(&["reclaim", "--yes", results.to_str().unwrap()]);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(owners(&results), [ADA; 4]);
    let (code, said) = rootless.run(&["cache", "repair", "--quick", "--yes"]);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(owners(&blobs), [ADA; 4]);
    for folder in [&results, &blobs] {
        let mode = fs::metadata(folder.join("closed/hidden")).unwrap().mode();
        assert_eq!(mode & 0o600, 0o600, "{}", folder.display());
    }

    // A rootless daemon cannot reclaim files of the machine's root; it still reclaims the rest.
    rootless.leave(&rootless.folder("hub/models--org--n/blobs"));
    let (of_root, theirs) = (blobs.join("root"), rootless.home().join("hub/models--org--n/blobs"));
    fs::write(&of_root, "").unwrap();
    let (code, said) = rootless.run(&["cache", "repair", "--quick", "--yes"]);
    assert_eq!(code, Some(1), "{said}");
    assert_eq!(owners(&theirs), [ADA; 4]);
    let repo = rootless.home().join("hub/models--org--m");
    assert!(said.contains(&format!("sudo find {} -xdev", repo.display())), "{said}");
    assert!(said.contains(&format!("-execdir chown -h {ADA} {{}} +\n")), "{said}");
    assert_eq!(fs::metadata(&of_root).unwrap().uid(), 0);
}
