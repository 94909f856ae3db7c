//! Containers that a crash left behind: found by their labels, and told with the command that
//! removes them. Usually a run's reaper does; one that went down with the machine did not.

pub mod secrets;

use std::fs;

use anyhow::bail;
use host::{process::Captured, run_files::run_id::runner_of};
use rustix::{
    io::Errno,
    process::{Pid, test_kill_process},
};

use crate::Engine;

/// A container of a run that is gone.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Left<'a> {
    name: &'a str,
    running: bool,
}

/// What the answer to [`Query::Runs`](crate::Query::Runs) says of containers that runs of the user `uid` left: how many
/// they are, and what to do about them.
///
/// # Errors
/// When the engine did not answer.
pub fn told(
    engine: &Engine,
    uid: u32,
    answer: &Captured,
) -> anyhow::Result<Option<(usize, String)>> {
    if answer.code != 0 {
        bail!("`{} ps` failed: {}", engine.program, answer.complaint());
    }
    let left = left_behind(&answer.stdout, uid, &Runner::of);
    Ok((!left.is_empty()).then(|| (left.len(), advice(engine, &left))))
}

fn advice(engine: &Engine, left: &[Left<'_>]) -> String {
    let names = left.iter().map(|left| left.name).collect::<Vec<_>>().join(" ");
    let running = left.iter().filter(|left| left.running).map(|left| left.name);
    let running = running.collect::<Vec<_>>().join(", ");
    let working = match running.as_str() {
        "" => String::new(),
        names => format!("; {names} still works, and spoils what is measured beside it"),
    };
    format!(
        "left behind by a run that is gone{working}; remove with `{} rm --force {names}`",
        engine.program
    )
}

/// What became of the runner that had a process id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Runner {
    /// A runner has that id.
    Alive,
    /// Another program has it: ids are used again, above all after a restart.
    Reused,
    /// No process has it.
    Gone,
}

impl Runner {
    /// What became of the runner with this id.
    pub fn of(pid: u32) -> Self {
        let name = |pid: &str| fs::read_to_string(format!("/proc/{pid}/comm"));
        match name(&pid.to_string()) {
            Ok(name) if name == "aienergyscore\n" => Self::Alive,
            // Whoever gave this program another name runs several under that one.
            Ok(other) if name("self").is_ok_and(|own| own == other) => Self::Alive,
            // Not by its files: some machines hide those of processes that leave no dump.
            _ => match i32::try_from(pid).ok().and_then(Pid::from_raw).map(test_kill_process) {
                None | Some(Err(Errno::SRCH)) => Self::Gone,
                Some(_) => Self::Reused,
            },
        }
    }
}

/// The user's containers that have no runner any more, which would start, watch or remove them.
fn left_behind<'a>(listing: &'a str, uid: u32, process: &dyn Fn(u32) -> Runner) -> Vec<Left<'a>> {
    let of_line = |line: &'a str| {
        let mut fields = line.split('\t');
        let (name, state) = (fields.next()?, fields.next()?);
        let (run_id, user) = (fields.next()?, fields.next()?);
        let runner = runner_of(run_id).map_or(Runner::Reused, process);
        // Podman writes it with a capital.
        let running = ["running", "paused"].iter().any(|word| state.eq_ignore_ascii_case(word));
        // Who may end a benchmark must know more: its runner may have got another name.
        let is_left = if running { runner == Runner::Gone } else { runner != Runner::Alive };
        (is_left && user.parse() == Ok(uid)).then_some(Left { name, running })
    };
    listing.lines().filter_map(of_line).collect()
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::{Runner, advice, left_behind, told};
    use host::{process::Captured, run_files::run_id::run_id};

    use crate::{Mode, testing::engine};

    /// 1 is no process, 2 a runner, 3 something else.
    fn process(pid: u32) -> Runner {
        [Runner::Gone, Runner::Alive, Runner::Reused][pid as usize - 1]
    }

    #[test]
    fn only_what_nobody_looks_after_is_a_leftover() {
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
        let left = left_behind(&listing, 1000, &process);
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
    fn an_engine_that_does_not_list_is_quoted() {
        let answer =
            Captured { code: 1, stdout: String::new(), stderr: "Cannot connect\n".to_owned() };
        let error = told(&engine(Mode::DockerRootful), 1000, &answer).unwrap_err();
        insta::assert_snapshot!(error, @"`docker ps` failed: Cannot connect");
    }
}
