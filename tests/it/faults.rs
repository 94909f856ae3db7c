//! Faults, and what each leaves: exit code, messages, files, containers, and whether the program ended in
//! time.

mod benchmark;
mod cache;
mod engine;
mod image;
mod killed;
mod limits;
mod process;
mod results;
mod streams;
mod waits;

use std::{
    fs::{self, File},
    os::unix::fs::{PermissionsExt as _, lchown},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, geteuid, getuid, kill_process};

use crate::{
    ada::Ada,
    harness::{FakeDocker, Sandbox, copy_program},
    waiting::holds_within,
};

/// Within this a program must be back after a fault, on a machine that has other work, too. The
/// longest that it may wait of its own are the ten seconds after which a benchmark is killed.
const IN_TIME: Duration = Duration::from_secs(40);

/// The user of the programs when files have another owner.
const ADA: u32 = 4242;

/// A run under way, and the places where it leaves something.
struct Run {
    child: Child,
    said: PathBuf,
    results: PathBuf,
    /// Folders, and how they are called in an expectation.
    folders: Vec<(PathBuf, &'static str)>,
    /// When the fault happened.
    struck: Instant,
    _log: tempfile::TempDir,
}

impl Run {
    fn start(mut command: Command, results: &Path, folders: &[(PathBuf, &'static str)]) -> Self {
        let log = tempfile::tempdir().unwrap();
        let said = log.path().join("said");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(File::create(&said).unwrap());
        Self {
            child: command.spawn().unwrap(),
            said,
            results: results.to_owned(),
            folders: folders.to_vec(),
            struck: Instant::now(),
            _log: log,
        }
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_raw(self.child.id().try_into().unwrap()).unwrap(), signal).unwrap();
    }

    /// Waits until `holds`; that the run ends before, or a minute passes, is a failure.
    fn until(&mut self, what: &str, mut holds: impl FnMut() -> bool) {
        let has_come = holds_within(Duration::from_secs(60), || {
            let (holds, ended) = (holds(), self.child.try_wait().unwrap());
            assert!(holds || ended.is_none(), "before {what}: {ended:?} {}", self.said());
            holds
        });
        assert!(has_come, "waited in vain for {what}: {}", self.said());
        self.struck = Instant::now();
    }

    fn said(&self) -> String {
        fs::read_to_string(&self.said).unwrap()
    }

    /// What the user is left with.
    fn left(mut self, containers: impl FnOnce() -> Vec<String>) -> String {
        let status = self.child.wait().unwrap();
        let took = self.struck.elapsed();
        let (said, kept) = (self.named(&messages(&self.said())), self.named(&self.kept()));
        let time = if took < IN_TIME { "in time".to_owned() } else { format!("in {took:?}") };
        let containers = match containers().as_slice() {
            [] => "none".to_owned(),
            left => left.join(", "),
        };
        let code = status.code().map_or_else(|| status.to_string(), |code| code.to_string());
        format!("exit code {code}, {time}\n{said}kept: {kept}\ncontainers: {containers}\n")
    }

    /// The files in the results folder.
    fn kept(&self) -> String {
        // The results folder may be a file or missing.
        let files =
            walkdir::WalkDir::new(&self.results).min_depth(1).sort_by_file_name().into_iter();
        let files = files.filter_map(|entry| {
            let entry = entry.ok().filter(|entry| !entry.file_type().is_dir())?;
            Some(entry.path().strip_prefix(&self.results).ok()?.display().to_string())
        });
        let files = files.filter(|name| name != ".aienergyscore.lock").collect::<Vec<_>>();
        if files.is_empty() { "nothing".to_owned() } else { files.join(", ") }
    }

    /// `text` without what differs from run to run.
    fn named(&self, text: &str) -> String {
        let text = self
            .folders
            .iter()
            .fold(text.to_owned(), |text, (path, name)| text.replace(path.to_str().unwrap(), name));
        let text = text.replace(&format!("(process {})", self.child.id()), "(process PID)");
        without_times(&text)
    }
}

/// The messages of a run, without the lines that announce its plan.
fn messages(said: &str) -> String {
    let plain = ["engine: ", "image: ", "GPUs: ", "warning: you are root"];
    let lines = said.lines().filter(|line| !plain.iter().any(|plain| line.starts_with(plain)));
    lines.map(|line| format!("{line}\n")).collect()
}

/// Run ids as `RUN`, and the folders of earlier results as `TIME`.
fn without_times(text: &str) -> String {
    let is_digit = |c: char| c.is_ascii_digit();
    let mut named = String::new();
    for (at, part) in text.split("previous/").enumerate() {
        let time = part.find('Z').filter(|_| at > 0 && part.starts_with(is_digit));
        named.push_str(if at > 0 { "previous/" } else { "" });
        named.push_str(if time.is_some() { "TIME" } else { "" });
        let rest = time.map_or(part, |end| &part[end + 1..]);
        // Two of one second are told apart.
        named.push_str(if time.is_some() { rest.trim_start_matches("-2") } else { rest });
    }
    let mut words = vec![];
    for word in named.split("aienergyscore-") {
        let id = word.find("Z-").filter(|_| word.starts_with(is_digit) && !words.is_empty());
        words.push(id.map_or(word.to_owned(), |id| {
            format!("RUN{}", word[id + 2..].trim_start_matches(is_digit))
        }));
    }
    words.join("aienergyscore-")
}

/// A machine with a fake engine.
struct Fake {
    sandbox: Sandbox,
    docker: FakeDocker,
    /// The user, if it is another than the tester.
    user: Option<u32>,
}

impl Fake {
    /// `docker run` is this shell text there, as [`FakeDocker::with_run`] has it.
    fn new(run: &str) -> Self {
        let docker = FakeDocker::with_run(run);
        let sandbox = Sandbox::new(Some(&docker));
        Self { sandbox, docker, user: None }
    }

    fn results(&self) -> PathBuf {
        self.sandbox.cwd().join("results")
    }

    /// Makes the file `name` of the results folder, the user's.
    fn result(&self, name: &str, text: &str) {
        fs::create_dir_all(self.results()).unwrap();
        fs::write(self.results().join(name), text).unwrap();
    }

    /// Gives all that is there to Ada, who uses the machine from now on.
    fn of_ada(self) -> Self {
        self.of(ADA)
    }

    /// The same for any user.
    fn of(mut self, uid: u32) -> Self {
        assert!(getuid().is_root(), "only root can be another user");
        self.user = Some(uid);
        let root = self.sandbox.folder("");
        fs::set_permissions(&root, fs::Permissions::from_mode(0o755)).unwrap();
        for name in ["home", "cwd", "run"] {
            for entry in walkdir::WalkDir::new(root.join(name)) {
                lchown(entry.unwrap().path(), Some(uid), Some(uid)).unwrap();
            }
        }
        // The fake engine notes every call.
        let engine = PathBuf::from(self.docker.path().split(':').next().unwrap());
        fs::set_permissions(engine, fs::Permissions::from_mode(0o777)).unwrap();
        // The build folder may lie where Ada cannot go.
        copy_program(root.join("aienergyscore"));
        self
    }

    /// A run there. Modes bind its user, even if that is root.
    fn command(&self, args: &[&str]) -> Command {
        self.aienergyscore(&[&["run", "--flavour", "smoke"], args].concat())
    }

    /// Any command there, as its user.
    fn aienergyscore(&self, args: &[&str]) -> Command {
        let asked = self.sandbox.command(args);
        let mut command = Command::new(asked.get_program());
        if let Some(uid) = self.user {
            command = Command::new("/usr/bin/setpriv");
            command.args([format!("--reuid={uid}"), format!("--regid={uid}")]);
            command.args(["--clear-groups", "--"]).arg(self.sandbox.folder("aienergyscore"));
        } else if geteuid().is_root() {
            command = Command::new("/usr/bin/setpriv");
            command.arg("--bounding-set=-all").arg("--").arg(asked.get_program());
        }
        command.args(asked.get_args()).env_clear().current_dir(self.sandbox.cwd());
        command.envs(asked.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command
    }

    fn start(&self, args: &[&str]) -> Run {
        let sandbox = &self.sandbox;
        let folders =
            [(sandbox.cwd(), "CWD"), (sandbox.home(), "HOME"), (sandbox.folder(""), "ROOT/")];
        Run::start(self.command(args), &self.results(), &folders)
    }

    /// Runs to the end and reports what is left.
    fn run(&self, args: &[&str]) -> String {
        self.left(self.start(args))
    }

    fn left(&self, run: Run) -> String {
        run.left(|| self.containers())
    }

    /// The containers that were asked for and never removed.
    fn containers(&self) -> Vec<String> {
        let removed = self.docker.calls_of("rm").concat();
        let made = self.docker.calls_of("run").into_iter().map(|call| call[3].clone());
        made.filter(|name| !removed.contains(name)).collect()
    }
}

/// A run of Ada's on real Docker, with the smoke test's model.
fn start(ada: &Ada, args: &[&str]) -> Run {
    let fixed = ["run", "--engine", "docker", "--flavour", "smoke"];
    let folders = [(ada.results(), "RESULTS"), (ada.home(), "HOME")];
    Run::start(ada.command(&[&fixed, args].concat()), &ada.results(), &folders)
}

/// Makes a small disk of the user `uid`'s at `folder`. It is full when `bytes` are written.
struct SmallDisk<'a>(&'a Path);

impl<'a> SmallDisk<'a> {
    fn at(folder: &'a Path, bytes: u64, uid: u32) -> Self {
        assert!(getuid().is_root(), "only root can mount a small disk");
        fs::create_dir_all(folder).unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={bytes},uid={uid},gid={uid}"), "tmpfs"]);
        assert!(mount.arg(folder).status().unwrap().success());
        Self(folder)
    }
}

impl Drop for SmallDisk<'_> {
    fn drop(&mut self) {
        // A test that fails has its own message.
        let _ = Command::new("umount").arg("--lazy").arg(self.0).status();
    }
}
