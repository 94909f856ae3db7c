//! Orphaned processes of a run: its engine does not end them, because its daemon is dead or hangs, or
//! has lost the container. They are searched among the processes of this machine.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use contract::env;
use host::{
    process::{processes::Processes, wait_within},
    run_files::{container_id, run_id::PREFIX},
};
use rustix::process::{Pid, Signal, kill_process};

/// Interval between kills.
const PAUSE: Duration = Duration::from_millis(50);

/// Timeout of the end of a killed process.
const DYING: Duration = Duration::from_secs(2);

/// How the processes of a run are recognized.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RunIdentity {
    /// Id of the run, a variable of the entrypoint and of its child processes.
    run_id: String,
    /// Name of the container, an argument of Podman's monitor.
    container: String,
    /// Id of the container, if it has one: the name of its control group.
    id: Option<String>,
}

impl RunIdentity {
    /// The identity of the run whose container has this name and id.
    pub(crate) fn new(container: &str, id: Option<String>) -> Self {
        Self {
            run_id: container.strip_prefix(PREFIX).unwrap_or(container).to_owned(),
            container: container.to_owned(),
            id,
        }
    }

    /// Processes of the benchmark, without those of the engine.
    pub(crate) fn benchmark_processes(&self) -> Vec<Process> {
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

/// Names of all containers that have a monitor of Podman.
pub(crate) fn conmon_containers() -> BTreeSet<String> {
    let processes = Processes::of_this_machine();
    processes.pids().filter_map(|pid| container_of_conmon(&processes, pid)).collect()
}

/// Podman's monitor of the container `name`, and its descendants.
pub(crate) fn conmon_processes(name: &str) -> Vec<Process> {
    let processes = Processes::of_this_machine();
    let is_conmon =
        |pid: &u32| container_of_conmon(&processes, *pid).is_some_and(|held| held == name);
    let trees = processes.pids().filter(is_conmon).filter_map(|pid| processes.tree(pid));
    let found: BTreeSet<u32> = trees.flatten().collect();
    found.into_iter().filter_map(Process::of).collect()
}

/// Name of the container whose monitor this process is, if it is one.
fn container_of_conmon(processes: &Processes, pid: u32) -> Option<String> {
    let words = processes.list(pid, "cmdline");
    let program = words.first()?.rsplit(|byte| *byte == b'/').next()?;
    let at = words.iter().position(|word| word == b"-n").filter(|_| program == b"conmon")?;
    String::from_utf8(words.get(at + 1)?.clone()).ok()
}

/// Whether a process belongs to the benchmark of any run.
pub(crate) fn is_benchmark(process: &Process) -> bool {
    let name = format!("{}=", env::RUN_ID);
    let variables = Processes::of_this_machine().list(process.pid, "environ");
    variables.iter().any(|variable| variable.starts_with(name.as_bytes()))
}

/// Kills the benchmark's processes. With a `grace` they are terminated first.
pub(crate) fn kill_benchmark(identity: &RunIdentity, grace: Duration) -> Killed {
    let found = identity.benchmark_processes();
    if found.is_empty() {
        return Killed::default();
    }
    if !grace.is_zero() {
        signal(&found, Signal::TERM);
        wait_for_end(&found, grace);
    }
    // A killed process may have started another one just before.
    let end = Instant::now() + DYING;
    let mut alive = identity.benchmark_processes();
    while !alive.is_empty() && Instant::now() < end {
        signal(&alive, Signal::KILL);
        wait_for_end(&alive, PAUSE);
        alive = identity.benchmark_processes();
    }
    Killed { pids: found.iter().map(|process| process.pid).collect(), alive }
}

/// Kills Podman's monitor of a removed container, if it does not end by itself.
pub(crate) fn kill_conmon(identity: &RunIdentity) -> Killed {
    let found = conmon_processes(&identity.container);
    wait_for_end(&found, DYING);
    kill(&found.into_iter().filter(Process::is_alive).collect::<Vec<_>>())
}

/// Kills these processes.
pub(crate) fn kill(found: &[Process]) -> Killed {
    signal(found, Signal::KILL);
    wait_for_end(found, DYING);
    let alive = found.iter().filter(|process| process.is_alive()).copied().collect();
    Killed { pids: found.iter().map(|process| process.pid).collect(), alive }
}

/// Result of killing processes.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Killed {
    /// Ids of the processes that were found.
    pub pids: Vec<u32>,
    /// Processes that are still alive.
    pub alive: Vec<Process>,
}

impl Killed {
    /// A warning about processes that are still alive.
    pub(crate) fn warning(&self) -> Option<String> {
        let pids: Vec<_> = self.alive.iter().map(|process| process.pid.to_string()).collect();
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
            // `Killed::warning` names a process that could not be signalled.
            let _ = kill_process(pid, signal);
        }
    }
}

/// Waits until all processes have ended, or for the timeout.
fn wait_for_end(processes: &[Process], timeout: Duration) {
    let _ = wait_within(timeout, || Ok(!processes.iter().any(Process::is_alive)));
}

/// A process. Its start time distinguishes it from a later process with the same id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Process {
    pub pid: u32,
    /// Start time in clock ticks after boot.
    pub start: u64,
}

impl Process {
    fn of(pid: u32) -> Option<Self> {
        let stat = Processes::of_this_machine().stat(pid).filter(|stat| !stat.is_dead)?;
        Some(Self { pid, start: stat.start })
    }

    /// Whether it exists and is not a zombie.
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

    use super::{RunIdentity, conmon_processes, is_benchmark, kill, kill_benchmark, kill_conmon};

    fn start(command: &mut Command) -> Child {
        command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap()
    }

    #[test]
    fn benchmark_is_found_by_its_environment_and_killed() {
        let identity = RunIdentity::new(&format!("orphans-{}", std::process::id()), None);
        assert!(kill_benchmark(&identity, Duration::ZERO).pids.is_empty());
        for (script, grace) in [("sleep 600", 5), ("trap '' TERM; while :; do sleep 1; done", 0)] {
            let mut command = Command::new("sh");
            let mut child =
                start(command.args(["-c", script]).env(contract::env::RUN_ID, &identity.run_id));
            // A new process has no environment for a moment.
            while identity.benchmark_processes().is_empty() {
                thread::sleep(Duration::from_millis(1));
            }
            let killed = kill_benchmark(&identity, Duration::from_secs(grace));
            assert!(killed.pids.contains(&child.id()) && killed.alive.is_empty(), "{killed:?}");
            child.wait().unwrap();
        }
    }

    #[test]
    fn conmon_is_found_by_its_containers_name_with_its_children() {
        let name = format!("made-{}", std::process::id());
        let conmon = |name: &str| {
            // A shell under the name of `conmon`. It ignores the further arguments.
            let mut command = Command::new("/bin/sh");
            command.arg0("/usr/bin/conmon").args(["-c", "sleep 600 & wait", "-n", name]);
            start(&mut command)
        };
        let (mut ours, mut other) = (conmon(&name), conmon("another"));
        let found = loop {
            let found = conmon_processes(&name);
            if found.len() == 2 {
                break found;
            }
        };
        assert!(found.iter().any(|process| process.pid == ours.id()));
        assert!(!found.iter().any(is_benchmark));
        let killed = kill_conmon(&RunIdentity::new(&name, None));
        assert!(killed.pids.len() == 2 && killed.warning().is_none(), "{killed:?}");
        ours.wait().unwrap();
        assert!(fs::metadata(format!("/proc/{}/stat", other.id())).is_ok());
        kill(&conmon_processes("another"));
        other.wait().unwrap();
    }
}
