//! Containers that a crash left behind, found by their labels. A run's reaper removes its container,
//! unless the machine went down with it.

pub mod secrets;

use std::fs;

use anyhow::bail;
use host::{process::Captured, run_files::run_id::runner_of};
use rustix::{
    io::Errno,
    process::{Pid, test_kill_process},
};

use crate::Engine;

/// A container whose runner is dead.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Leftover<'a> {
    name: &'a str,
    running: bool,
}

/// Number of leftover containers of the user `uid`, and a message with the command that removes them.
/// `answer` is the engine's output for [`Query::Runs`](crate::Query::Runs).
///
/// # Errors
/// When the engine did not answer.
pub fn summary(
    engine: &Engine,
    uid: u32,
    answer: &Captured,
) -> anyhow::Result<Option<(usize, String)>> {
    if answer.code != 0 {
        bail!("`{} ps` failed: {}", engine.program, answer.complaint());
    }
    let leftovers = leftovers(&answer.stdout, uid, &Runner::of);
    Ok((!leftovers.is_empty()).then(|| (leftovers.len(), advice(engine, &leftovers))))
}

fn advice(engine: &Engine, leftovers: &[Leftover<'_>]) -> String {
    let names = leftovers.iter().map(|it| it.name).collect::<Vec<_>>().join(" ");
    let running = leftovers.iter().filter(|it| it.running).map(|it| it.name).collect::<Vec<_>>();
    let working = match running.join(", ").as_str() {
        "" => String::new(),
        names => format!("; {names} still works, and spoils what is measured beside it"),
    };
    format!(
        "left behind by a run that is gone{working}; remove with `{} rm --force {names}`",
        engine.program
    )
}

/// The state of the runner that had a process id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Runner {
    /// The runner is alive.
    Alive,
    /// Another program has the process id now, above all after a restart.
    Reused,
    /// No process has the id.
    Gone,
}

impl Runner {
    /// The state of the runner with this process id.
    pub fn of(pid: u32) -> Self {
        let name = |pid: &str| fs::read_to_string(format!("/proc/{pid}/comm"));
        match name(&pid.to_string()) {
            Ok(name) if name == "aienergyscore\n" => Self::Alive,
            // The user may have renamed this program.
            Ok(other) if name("self").is_ok_and(|own| own == other) => Self::Alive,
            // With `hidepid`, /proc does not show every process, so a signal decides.
            _ => match i32::try_from(pid).ok().and_then(Pid::from_raw).map(test_kill_process) {
                None | Some(Err(Errno::SRCH)) => Self::Gone,
                Some(_) => Self::Reused,
            },
        }
    }
}

/// The user's containers in a listing whose runner is gone, so that nothing starts, watches or removes
/// them.
fn leftovers<'a>(listing: &'a str, uid: u32, runner: &dyn Fn(u32) -> Runner) -> Vec<Leftover<'a>> {
    let of_line = |line: &'a str| {
        let mut fields = line.split('\t');
        let (name, state) = (fields.next()?, fields.next()?);
        let (run_id, user) = (fields.next()?, fields.next()?);
        let runner = runner_of(run_id).map_or(Runner::Reused, runner);
        // Podman capitalizes the state.
        let running = ["running", "paused"].iter().any(|word| state.eq_ignore_ascii_case(word));
        // A running benchmark is only removed if its runner is surely gone: it may have another name.
        let is_left = if running { runner == Runner::Gone } else { runner != Runner::Alive };
        (is_left && user.parse() == Ok(uid)).then_some(Leftover { name, running })
    };
    listing.lines().filter_map(of_line).collect()
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use host::{process::Captured, run_files::run_id::run_id};

    use super::{Runner, advice, leftovers, summary};
    use crate::{Mode, testing::engine};

    /// Process 1 is gone, 2 is a runner, 3 is another program.
    fn runner(pid: u32) -> Runner {
        [Runner::Gone, Runner::Alive, Runner::Reused][pid as usize - 1]
    }

    #[test]
    fn container_is_a_leftover_only_if_its_runner_is_gone() {
        let run = |pid| run_id(SystemTime::UNIX_EPOCH, pid);
        let lines = [
            ("works-on", "Running", run(1), "1000"),
            ("works", "running", run(2), "1000"),
            ("renamed", "running", run(3), "1000"),
            ("starting", "created", run(2), "1000"),
            ("ending", "exited", run(2), "1000"),
            ("crashed", "created", run(1), "1000"),
            ("old", "exited", run(3), "1000"),
            ("odd", "exited", "by-hand".to_owned(), "1000"),
            ("odd-works", "running", "by-hand".to_owned(), "1000"),
            ("another's", "exited", run(1), "1001"),
            ("nobody's", "exited", run(1), ""),
        ];
        let lines = lines.map(|(name, state, run, user)| format!("{name}\t{state}\t{run}\t{user}"));
        let listing = lines.join("\n");
        let left = leftovers(&listing, 1000, &runner);
        let names = left.iter().map(|left| left.name).collect::<Vec<_>>();
        assert_eq!(names, ["works-on", "crashed", "old", "odd"]);
        insta::assert_snapshot!(advice(&engine(Mode::DockerRootful), &left[1..]), @"left behind by a run that is gone; remove with `docker rm --force crashed old odd`");
        insta::assert_snapshot!(advice(&engine(Mode::PodmanRootless), &left[..2]), @"left behind by a run that is gone; works-on still works, and spoils what is measured beside it; remove with `podman rm --force works-on crashed`");
        assert_eq!(Runner::of(std::process::id()), Runner::Alive, "whatever its name is");
        let parent = rustix::process::getppid().unwrap().as_raw_pid();
        assert_eq!(Runner::of(parent.unsigned_abs()), Runner::Reused);
        assert_eq!(Runner::of(4_194_305), Runner::Gone, "no number is that high");
    }

    #[test]
    fn engines_error_is_quoted() {
        let answer =
            Captured { code: 1, stdout: String::new(), stderr: "Cannot connect\n".to_owned() };
        let error = summary(&engine(Mode::DockerRootful), 1000, &answer).unwrap_err();
        insta::assert_snapshot!(error, @"`docker ps` failed: Cannot connect");
    }
}
