//! Processes of a run that its engine does not end: its daemon is dead or hangs, or it has forgotten
//! the container. They are looked for among the processes of this machine.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::Read as _,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use contract::env;
use rustix::process::{Pid, Signal, kill_process};

use crate::{container_id, run_id::PREFIX};

/// From one look at the processes to the next.
const PAUSE: Duration = Duration::from_millis(50);

/// Bytes of a process's file that are read. Linux hands a program 6 MiB of arguments and environment
/// at most (`execve(2)`).
const MOST_BYTES: u64 = 8 << 20;

/// How long a killed process may take to be gone.
const DYING: Duration = Duration::from_secs(2);

/// What the processes of a run are known by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Marks {
    /// The run's id, which is in the environment of the entrypoint and of all that it starts.
    pub run_id: String,
    /// The container's name, which is among the words of what Podman starts to make it.
    pub container: String,
    /// The container's own id, if it has one: the name of its control group.
    pub id: Option<String>,
}

impl Marks {
    /// Of the run whose container has this name and writes its id to `cidfile`.
    pub(super) fn of_container(container: &str, cidfile: &Path) -> Self {
        Self {
            run_id: container.strip_prefix(PREFIX).unwrap_or(container).to_owned(),
            container: container.to_owned(),
            id: container_id::read(cidfile),
        }
    }

    /// The processes of the benchmark itself.
    pub(super) fn benchmark(&self) -> Vec<Process> {
        let variable = format!("{}={}", env::RUN_ID, self.run_id);
        let is_ours = |pid: u32| {
            let in_group = self.id.as_ref().is_some_and(|id| {
                read(pid, "cgroup").is_some_and(|groups| {
                    container_id::is_in_group(&String::from_utf8_lossy(&groups), id)
                })
            });
            in_group || words(pid, "environ").any(|word| word == variable.as_bytes())
        };
        pids().filter(|pid| is_ours(*pid)).filter_map(Process::of).collect()
    }

    /// What Podman started to make the container, and all that comes from it.
    fn makers(&self) -> Vec<Process> {
        makers(&self.container)
    }
}

/// The names of all containers that Podman makes or holds.
pub(super) fn containers() -> BTreeSet<String> {
    pids().filter_map(container_of_conmon).collect()
}

/// The processes that make or hold Podman's container `name`, and all that come from them.
pub(super) fn makers(name: &str) -> Vec<Process> {
    let is_maker = |pid: &u32| container_of_conmon(*pid).is_some_and(|held| held == name);
    let mut found: BTreeSet<u32> = pids().filter(is_maker).collect();
    if found.is_empty() {
        return vec![];
    }
    let parents: BTreeMap<u32, u32> =
        pids().filter_map(|pid| Some((pid, stat(pid)?.parent))).collect();
    // Children of children, too.
    loop {
        let children = parents.iter().filter(|(_, parent)| found.contains(parent));
        let more: BTreeSet<u32> = children.map(|(pid, _)| *pid).chain(found.clone()).collect();
        if more.len() == found.len() {
            break;
        }
        found = more;
    }
    found.into_iter().filter_map(Process::of).collect()
}

/// The name of the container that a process holds, if it is Podman's monitor of one.
fn container_of_conmon(pid: u32) -> Option<String> {
    let words: Vec<_> = words(pid, "cmdline").collect();
    let program = words.first()?.rsplit(|byte| *byte == b'/').next()?;
    let at = words.iter().position(|word| word == b"-n").filter(|_| program == b"conmon")?;
    String::from_utf8(words.get(at + 1)?.clone()).ok()
}

/// Whether a process has a variable of any run in its environment: a benchmark goes on there.
pub(super) fn works(process: &Process) -> bool {
    let name = format!("{}=", env::RUN_ID);
    words(process.pid, "environ").any(|word| word.starts_with(name.as_bytes()))
}

/// Ends the benchmark's processes: asks them first if they have `grace` for it. What is left.
pub(super) fn end_benchmark(marks: &Marks, grace: Duration) -> Ended {
    let found = marks.benchmark();
    if found.is_empty() {
        return Ended::default();
    }
    if !grace.is_zero() {
        signal(&found, Signal::TERM);
        wait(&found, grace);
    }
    // One that is killed may have started another just before.
    let end = Instant::now() + DYING;
    let mut left = marks.benchmark();
    while !left.is_empty() && Instant::now() < end {
        signal(&left, Signal::KILL);
        wait(&left, PAUSE);
        left = marks.benchmark();
    }
    Ended { pids: found.iter().map(|process| process.pid).collect(), left }
}

/// Ends what Podman left of a container that is removed, if it does not end by itself.
pub(super) fn end_makers(marks: &Marks) -> Ended {
    let found = marks.makers();
    wait(&found, DYING);
    end(&found.into_iter().filter(Process::is_alive).collect::<Vec<_>>())
}

/// Kills these.
pub(super) fn end(found: &[Process]) -> Ended {
    signal(found, Signal::KILL);
    wait(found, DYING);
    let left = found.iter().filter(|process| process.is_alive()).copied().collect();
    Ended { pids: found.iter().map(|process| process.pid).collect(), left }
}

/// What became of processes.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Ended {
    /// Those that were there.
    pub pids: Vec<u32>,
    /// Those that still are.
    pub left: Vec<Process>,
}

impl Ended {
    /// What to tell the user of those that are left.
    pub(super) fn warning(&self) -> Option<String> {
        let pids: Vec<_> = self.left.iter().map(|process| process.pid.to_string()).collect();
        (!pids.is_empty()).then(|| {
            let pids = pids.join(" ");
            format!(
                "cannot end process(es) {pids} of the benchmark; end them with \
                 `sudo kill -KILL {pids}`"
            )
        })
    }
}

fn signal(processes: &[Process], signal: Signal) {
    for process in processes.iter().filter(|process| process.is_alive()) {
        if let Some(pid) = i32::try_from(process.pid).ok().and_then(Pid::from_raw) {
            // What is left is told later.
            let _ = kill_process(pid, signal);
        }
    }
}

/// Waits until all are gone, for at most `patience`.
fn wait(processes: &[Process], patience: Duration) {
    let end = Instant::now() + patience;
    while processes.iter().any(Process::is_alive) && Instant::now() < end {
        thread::sleep(PAUSE);
    }
}

/// A process, told from a later one of the same number by its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Process {
    pub pid: u32,
    pub start: u64,
}

impl Process {
    fn of(pid: u32) -> Option<Self> {
        let stat = stat(pid).filter(|stat| !stat.is_dead)?;
        Some(Self { pid, start: stat.start })
    }

    /// Whether it is still there.
    pub(super) fn is_alive(&self) -> bool {
        stat(self.pid).is_some_and(|stat| stat.start == self.start && !stat.is_dead)
    }
}

struct Stat {
    parent: u32,
    start: u64,
    /// Whether only its exit code is left.
    is_dead: bool,
}

/// Reads `/proc/PID/stat` (`proc_pid_stat(5)`), in which a name may hold anything.
fn stat(pid: u32) -> Option<Stat> {
    let text = String::from_utf8_lossy(&read(pid, "stat")?).into_owned();
    let fields: Vec<_> = text.rsplit_once(')')?.1.split_ascii_whitespace().collect();
    // The first one here is the third.
    let field = |number: usize| fields.get(number - 3).copied();
    Some(Stat {
        parent: field(4)?.parse().ok()?,
        start: field(22)?.parse().ok()?,
        is_dead: matches!(field(3)?, "Z" | "X"),
    })
}

fn pids() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let own = std::process::id();
    entries
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(move |pid| *pid != own)
}

fn words(pid: u32, file: &str) -> impl Iterator<Item = Vec<u8>> {
    let bytes = read(pid, file).unwrap_or_default();
    let words: Vec<_> = bytes.split(|byte| *byte == 0).map(<[u8]>::to_vec).collect();
    words.into_iter()
}

/// What is in a file of a process, which says of itself what it likes, and as much of it.
fn read(pid: u32, file: &str) -> Option<Vec<u8>> {
    let mut bytes = vec![];
    let file = fs::File::open(format!("/proc/{pid}/{file}")).ok()?;
    file.take(MOST_BYTES).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        os::unix::process::CommandExt as _,
        process::{Child, Command, Stdio},
        thread,
        time::Duration,
    };

    use super::{Marks, PREFIX, end, end_benchmark, end_makers, makers, works};

    fn marks(run_id: &str) -> Marks {
        let container = format!("{}{run_id}", PREFIX);
        Marks { run_id: run_id.to_owned(), container, id: None }
    }

    fn start(command: &mut Command) -> Child {
        command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap()
    }

    #[test]
    fn a_benchmark_is_found_by_its_environment_and_ended() {
        let marks = marks(&format!("survivors-{}", std::process::id()));
        assert!(end_benchmark(&marks, Duration::ZERO).pids.is_empty());
        for (script, grace) in [("sleep 600", 5), ("trap '' TERM; while :; do sleep 1; done", 0)] {
            let mut command = Command::new("sh");
            let mut child =
                start(command.args(["-c", script]).env(contract::env::RUN_ID, &marks.run_id));
            // A new program has no environment for a moment.
            while marks.benchmark().is_empty() {
                thread::sleep(Duration::from_millis(1));
            }
            let ended = end_benchmark(&marks, Duration::from_secs(grace));
            assert!(ended.pids.contains(&child.id()) && ended.left.is_empty(), "{ended:?}");
            child.wait().unwrap();
        }
    }

    #[test]
    fn what_made_a_container_is_found_by_its_name_with_its_children() {
        let name = format!("made-{}", std::process::id());
        let conmon = |name: &str| {
            // A shell by that name, whose further words it does not look at.
            let mut command = Command::new("/bin/sh");
            command.arg0("/usr/bin/conmon").args(["-c", "sleep 600 & wait", "-n", name]);
            start(&mut command)
        };
        let (mut ours, mut other) = (conmon(&name), conmon("another"));
        let found = loop {
            let found = makers(&name);
            if found.len() == 2 {
                break found;
            }
        };
        assert!(found.iter().any(|process| process.pid == ours.id()));
        assert!(!found.iter().any(works));
        let marks = Marks { container: name, ..marks("x") };
        let ended = end_makers(&marks);
        assert!(ended.pids.len() == 2 && ended.warning().is_none(), "{ended:?}");
        ours.wait().unwrap();
        assert!(fs::metadata(format!("/proc/{}/stat", other.id())).is_ok());
        end(&makers("another"));
        other.wait().unwrap();
    }
}
