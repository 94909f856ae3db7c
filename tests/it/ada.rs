//! An unprivileged user who runs the programs on a real engine.

use std::{
    ffi::OsStr,
    fs,
    os::unix::fs::{PermissionsExt as _, lchown},
    path::{Path, PathBuf},
    process::{self, Command, Stdio},
    sync::{
        MutexGuard,
        atomic::{AtomicU32, Ordering},
    },
    thread,
    time::Duration,
};

use rustix::process::getuid;

use crate::{
    harness::{copy_program, smoke},
    machine::{On, USER},
    waiting::holds_within,
};

/// Somebody without privileges who may use an engine, with a home and a closed cache of their own.
pub(crate) struct Ada {
    pub(crate) on: On,
    root: tempfile::TempDir,
    pub(crate) uid: u32,
    program: PathBuf,
    env: Vec<(&'static str, String)>,
    groups: Vec<u32>,
    /// Dropped last: her containers are gone by then.
    _turn: Option<MutexGuard<'static, ()>>,
}

impl Ada {
    /// Ada on the machine's Docker, with these repos of the smoke test's in her cache.
    pub(crate) fn with(repos: &[&str]) -> Self {
        Self::on(On::DockerRootful, repos)
    }

    /// Ada on an engine in another mode, which only root can bring up. If the tests do not run as root,
    /// she is their user.
    pub(crate) fn on(on: On, repos: &[&str]) -> Self {
        let turn = on.turn();
        on.bring_up();
        let root = tempfile::tempdir().unwrap();
        let uid = match (getuid().is_root(), on) {
            (false, _) => getuid().as_raw(),
            (true, On::DockerRootful) => somebody_new(),
            (true, _) => USER,
        };
        fs::set_permissions(root.path(), fs::Permissions::from_mode(0o755)).unwrap();
        // The build folder may lie where Ada cannot go.
        let copy = root.path().join("aienergyscore");
        copy_program(&copy);
        let groups = on.group().into_iter().collect();
        let ada = Self { on, root, uid, program: copy, env: on.env(), groups, _turn: turn };
        let hub = ada.home().join("hf/hub");
        fs::create_dir_all(&hub).unwrap();
        for repo in repos {
            copy_tree(&smoke::repo(repo), &hub);
        }
        for entry in walkdir::WalkDir::new(ada.home()) {
            let path = entry.unwrap().into_path();
            lchown(&path, Some(uid), Some(uid)).unwrap();
            if path.is_dir() {
                fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
            }
        }
        ada
    }

    /// Her home, which she works in.
    pub(crate) fn home(&self) -> PathBuf {
        self.root.path().join("ada")
    }

    /// Her results folder.
    pub(crate) fn results(&self) -> PathBuf {
        self.home().join("results")
    }

    /// Sets a variable of her environment.
    pub(crate) fn set(&mut self, name: &'static str, value: impl Into<String>) {
        self.env.push((name, value.into()));
    }

    /// Puts her into another group, too.
    pub(crate) fn join(&mut self, group: u32) {
        self.groups.push(group);
    }

    /// `aienergyscore` with a smoke-sized request, as Ada.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        self.other(&self.program, args)
    }

    /// Another program, as Ada.
    pub(crate) fn other(&self, program: impl AsRef<OsStr>, args: &[&str]) -> Command {
        let mut command = if getuid().is_root() {
            let mut command = Command::new("setpriv");
            command.args([format!("--reuid={}", self.uid), format!("--regid={}", self.uid)]);
            let groups: Vec<_> = self.groups.iter().map(u32::to_string).collect();
            match groups.as_slice() {
                [] => command.arg("--clear-groups"),
                groups => command.arg(format!("--groups={}", groups.join(","))),
            };
            command.arg("--").arg(program);
            command
        } else {
            Command::new(program)
        };
        command.args(args).env_clear().current_dir(self.home()).stdin(Stdio::null());
        command.env("PATH", std::env::var("PATH").unwrap());
        let home = self.on.home().map_or_else(|| self.home(), PathBuf::from);
        command.env("HOME", home).env("HF_HOME", self.home().join("hf"));
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Gives her what root wrote into her home.
    pub(crate) fn own(&self, path: &Path) {
        for entry in walkdir::WalkDir::new(path) {
            let path = entry.unwrap().into_path();
            lchown(&path, Some(self.uid), Some(self.uid)).unwrap();
        }
    }

    /// The process that asks the engine for the container of Ada's run.
    pub(crate) fn client(&self) -> Option<i32> {
        let mine = self.results().display().to_string();
        fs::read_dir("/proc")
            .unwrap()
            .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok())
            .find(|pid| {
                let words = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
                let words = String::from_utf8_lossy(&words);
                let begin = format!("{}\0run\0", self.on.choice());
                words.starts_with(&begin) && words.contains(&mine)
            })
    }

    /// Names of the containers of Ada's runs, running or not.
    pub(crate) fn containers(&self) -> Vec<String> {
        let mine = self.results().display().to_string();
        let label = format!("label={}", contract::label::RUN);
        let list = ["ps", "--all", "--no-trunc", "--filter", &label, "--format", "{{.Names}}"];
        let (mut listing, mut looks) = (self.on.output(&list), 1);
        // Podman's service fails where another container goes while it lists them, which takes
        // seconds on a busy machine.
        holds_within(Duration::from_secs(40), || {
            // One whose making was cut short may be written down later than a run waits for it, and
            // then stays until somebody removes it.
            if looks % 50 == 0
                && let Some(id) = broken(&String::from_utf8_lossy(&listing.stderr))
            {
                self.on.output(&["rm", "--force", id]);
            }
            if looks > 1 || !listing.status.success() {
                listing = self.on.output(&list);
            }
            looks += 1;
            listing.status.success()
        });
        assert!(listing.status.success(), "{listing:?}");
        String::from_utf8(listing.stdout)
            .unwrap()
            .lines()
            .map(str::to_owned)
            .filter(|name| {
                let output = self.on.output(&["inspect", name]);
                String::from_utf8_lossy(&output.stdout).contains(&mine)
            })
            .collect()
    }
}

/// The container for which Podman's service lists none: `container "ID": container not known`.
fn broken(complaint: &str) -> Option<&str> {
    complaint.contains("container not known").then(|| complaint.split('"').nth(1))?
}

impl Drop for Ada {
    fn drop(&mut self) {
        // A second panic would end all tests.
        if thread::panicking() && !self.on.output(&["ps"]).status.success() {
            return;
        }
        for name in self.containers() {
            self.on.output(&["rm", "--force", &name]);
        }
    }
}

/// A user whom nobody has been before: what another test leaves for a moment, or tests that were
/// killed leave for good, is not hers.
fn somebody_new() -> u32 {
    static KNOWN: AtomicU32 = AtomicU32::new(0);
    2_000_000 + process::id() * 200 + KNOWN.fetch_add(1, Ordering::Relaxed)
}

fn copy_tree(from: &Path, to: &Path) {
    let status = Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap();
    assert!(status.success());
}

/// The output of the machine's docker for a command that must succeed.
pub(crate) fn docker(args: &[&str]) -> String {
    On::DockerRootful.docker(args)
}
