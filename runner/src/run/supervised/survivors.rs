//! Processes of a run that its engine does not end: its daemon is dead or hangs, or it has forgotten
//! the container. They are looked for among the processes of this machine.

use std::{
    collections::BTreeSet,
    thread,
    time::{Duration, Instant},
};

use contract::env;
use host::{
    process::processes::Processes,
    run_files::{container_id, run_id::PREFIX},
};
use rustix::process::{Pid, Signal, kill_process};

/// From one look at the processes to the next.
const PAUSE: Duration = Duration::from_millis(50);

/// How long a killed process may take to be gone.
const DYING: Duration = Duration::from_secs(2);

/// What the processes of a run are known by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Marks {
    /// The run's id, which is in the environment of the entrypoint and of all that it starts.
    pub run_id: String,
    /// The container's name, which is among the words of what Podman starts to make it.
    pub container: String,
    /// The container's own id, if it has one: the name of its control group.
    pub id: Option<String>,
}

impl Marks {
    /// Those of the run whose container has this name and this id.
    pub(crate) fn of(container: &str, id: Option<String>) -> Self {
        Self {
            run_id: container.strip_prefix(PREFIX).unwrap_or(container).to_owned(),
            container: container.to_owned(),
            id,
        }
    }

    /// The processes of the benchmark itself.
    pub(crate) fn benchmark(&self) -> Vec<Process> {
        let processes = Processes::of_this_machine();
        let variable = format!("{}={}", env::RUN_ID, self.run_id);
        let is_ours = |pid: &u32| {
            let is_in_group = |id| {
                processes.cgroups(*pid).is_some_and(|groups| container_id::is_in_group(&groups, id))
            };
            *pid != std::process::id()
                && (self.id.as_deref().is_some_and(is_in_group)
                    || processes
                        .list(*pid, "environ")
                        .iter()
                        .any(|word| word == variable.as_bytes()))
        };
        processes.pids().filter(is_ours).filter_map(Process::of).collect()
    }
}

/// The names of all containers that Podman makes or holds.
pub(crate) fn containers() -> BTreeSet<String> {
    let processes = Processes::of_this_machine();
    processes.pids().filter_map(|pid| container_of_conmon(&processes, pid)).collect()
}

/// The processes that make or hold Podman's container `name`, and all that come from them.
pub(crate) fn makers(name: &str) -> Vec<Process> {
    let processes = Processes::of_this_machine();
    let is_maker =
        |pid: &u32| container_of_conmon(&processes, *pid).is_some_and(|held| held == name);
    let trees = processes.pids().filter(is_maker).filter_map(|pid| processes.tree(pid));
    let found: BTreeSet<u32> = trees.flatten().collect();
    found.into_iter().filter_map(Process::of).collect()
}

/// The name of the container that a process holds, if it is Podman's monitor of one.
fn container_of_conmon(processes: &Processes, pid: u32) -> Option<String> {
    let words = processes.list(pid, "cmdline");
    let program = words.first()?.rsplit(|byte| *byte == b'/').next()?;
    let at = words.iter().position(|word| word == b"-n").filter(|_| program == b"conmon")?;
    String::from_utf8(words.get(at + 1)?.clone()).ok()
}

/// Whether a process has a variable of any run in its environment: a benchmark goes on there.
pub(crate) fn works(process: &Process) -> bool {
    let name = format!("{}=", env::RUN_ID);
    let variables = Processes::of_this_machine().list(process.pid, "environ");
    variables.iter().any(|variable| variable.starts_with(name.as_bytes()))
}

/// Ends the benchmark's processes: asks them first if they have `grace` for it. What is left.
pub(crate) fn end_benchmark(marks: &Marks, grace: Duration) -> Ended {
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
pub(crate) fn end_makers(marks: &Marks) -> Ended {
    let found = makers(&marks.container);
    wait(&found, DYING);
    end(&found.into_iter().filter(Process::is_alive).collect::<Vec<_>>())
}

/// Kills these.
pub(crate) fn end(found: &[Process]) -> Ended {
    signal(found, Signal::KILL);
    wait(found, DYING);
    let left = found.iter().filter(|process| process.is_alive()).copied().collect();
    Ended { pids: found.iter().map(|process| process.pid).collect(), left }
}

/// What became of processes.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Ended {
    /// Those that were there.
    pub pids: Vec<u32>,
    /// Those that still are.
    pub left: Vec<Process>,
}

impl Ended {
    /// What to tell the user of those that are left.
    pub(crate) fn warning(&self) -> Option<String> {
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
pub(crate) struct Process {
    pub pid: u32,
    pub start: u64,
}

impl Process {
    fn of(pid: u32) -> Option<Self> {
        let stat = Processes::of_this_machine().stat(pid).filter(|stat| !stat.is_dead)?;
        Some(Self { pid, start: stat.start })
    }

    /// Whether it is still there.
    pub(crate) fn is_alive(&self) -> bool {
        Self::of(self.pid).as_ref() == Some(self)
    }
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

    use super::{Marks, end, end_benchmark, end_makers, makers, works};

    fn start(command: &mut Command) -> Child {
        command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap()
    }

    #[test]
    fn a_benchmark_is_found_by_its_environment_and_ended() {
        let marks = Marks::of(&format!("survivors-{}", std::process::id()), None);
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
        let ended = end_makers(&Marks::of(&name, None));
        assert!(ended.pids.len() == 2 && ended.warning().is_none(), "{ended:?}");
        ours.wait().unwrap();
        assert!(fs::metadata(format!("/proc/{}/stat", other.id())).is_ok());
        end(&makers("another"));
        other.wait().unwrap();
    }
}
