//! The machine of the guide's reader, and what programs say there.

use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, lchown},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::{
    ada::Ada,
    fake_runs::GOOD,
    harness::{FakeDocker, Sandbox, entrypoint, program, smoke},
};

/// User id of the reader.
const ADA: u32 = 1000;

/// The reader's machine, with an engine that answers as told.
pub(super) struct Here(pub(super) Sandbox, FakeDocker);

impl Here {
    /// `cases` are branches of a `case $1` in which Docker answers; else it does well.
    pub(super) fn new(cases: &str) -> Self {
        let docker = FakeDocker::with_run(GOOD);
        let mut sandbox = Sandbox::new(Some(&docker));
        let (before, path) = (sandbox.folder("before"), docker.path());
        fs::create_dir(&before).unwrap();
        let script =
            format!("#!/bin/sh\ncase $1 in\n{cases}\nesac\nPATH='{path}'\nexec docker \"$@\"\n");
        fs::write(before.join("docker"), script).unwrap();
        fs::set_permissions(before.join("docker"), fs::Permissions::from_mode(0o755)).unwrap();
        sandbox.set("PATH", format!("{}:{path}", before.display()));
        Self(sandbox, docker)
    }

    /// What `aienergyscore` says.
    pub(super) fn said(&self, args: &[&str]) -> String {
        self.words(self.0.command(args))
    }

    /// What the program in an image says of the benchmark's arguments.
    pub(super) fn entrypoint(&self, backend: &str, args: &[&str]) -> String {
        let mut command = Command::new(entrypoint());
        command.args(args).env_clear().current_dir(self.0.cwd());
        command.env("HOME", self.0.home()).env("RESULTS_DIR", self.0.cwd().join("results"));
        command.env("BENCHMARK_BACKEND", backend);
        self.words(command).replace("/home/ada/.cache", "/home/user/.cache")
    }

    /// Makes the guide's reader the owner of everything on this machine so far.
    pub(super) fn of_ada(self) -> Self {
        let root = self.root();
        fs::set_permissions(&root, fs::Permissions::from_mode(0o755)).unwrap();
        for name in ["home", "cwd", "run"] {
            for entry in walkdir::WalkDir::new(root.join(name)) {
                lchown(entry.unwrap().path(), Some(ADA), Some(ADA)).unwrap();
            }
        }
        // The fake engine notes every call.
        let engine = self.1.path();
        let engine = Path::new(engine.split(':').next().expect("a first folder"));
        fs::set_permissions(engine, fs::Permissions::from_mode(0o777)).unwrap();
        // The build folder may lie where Ada cannot go.
        fs::copy(program(), root.join("aienergyscore")).unwrap();
        self
    }

    /// What `aienergyscore` says to the guide's reader.
    pub(super) fn ada_said(&self, args: &[&str]) -> String {
        let asked = self.0.command(args);
        let mut command = Command::new("setpriv");
        command.args([format!("--reuid={ADA}"), format!("--regid={ADA}"), "--clear-groups".into()]);
        command.arg("--").arg(self.root().join("aienergyscore")).args(args).env_clear();
        let set = asked.get_envs().filter_map(|(name, value)| Some((name, value?)));
        command.envs(set).current_dir(self.0.cwd());
        self.words(command)
    }

    /// Makes a folder below the home, the tester's.
    pub(super) fn fill(&self, name: &str) {
        fs::create_dir_all(self.0.home().join(name)).unwrap();
    }

    pub(super) fn root(&self) -> PathBuf {
        self.0.folder("")
    }

    /// What a command says, in the words of the guide.
    pub(super) fn words(&self, command: Command) -> String {
        [(self.0.cwd(), "/home/ada/bench"), (self.0.home(), "/home/ada")]
            .iter()
            .fold(words(command), |said, (folder, name)| {
                said.replace(folder.to_str().unwrap(), name)
            })
    }
}

/// What a command says.
pub(super) fn words(mut command: Command) -> String {
    let output = command.stdin(Stdio::null()).output().expect("it can be started");
    String::from_utf8([output.stderr, output.stdout].concat()).expect("UTF-8")
}

/// What Docker says to `docker run ARGS` of the smoke image.
pub(super) fn by_hand(args: &[&str]) -> String {
    let mut command = Command::new("docker");
    command.args(["run", "--rm", "--pull", "never"]).args(args);
    command.args(["ai_energy_score:smoke", "probe"]);
    words(command)
}

/// Somebody with prompts and an empty cache.
pub(super) fn ada() -> Ada {
    let ada = Ada::with(&[smoke::WEIGHTS]);
    let prompts = ada.home().join("prompts.csv");
    fs::write(&prompts, "text\nHello\n").unwrap();
    ada.own(&prompts);
    ada
}

/// What a run in the `cpu` image says, whose cache has the model and no more.
pub(super) fn offline(args: &[&str]) -> String {
    let model = "backend.model=smoke/SmolLM2-135M-Instruct";
    let fixed = ["run", "--engine", "docker", "--flavour", "cpu", "--offline", model];
    words(ada().command(&[&fixed, args].concat()))
}
