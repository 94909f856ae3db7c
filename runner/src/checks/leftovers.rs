//! Containers that a crash left behind, found by their label.

use std::fs;

use contract::label;

use super::Finding;
use crate::{
    engine::{Client, Engine},
    process::capture,
};

/// Looks for containers of runs that are gone. Usually a run's reaper removes them; one that went
/// down with the machine did not.
pub(super) fn check(engine: &Engine) -> anyhow::Result<Option<Finding>> {
    if !engine.has_containers() {
        return Ok(None);
    }
    let filter = format!("label={}", label::RUN);
    let label = match engine.client {
        Client::Podman => format!("index .Labels \"{}\"", label::RUN),
        Client::Docker | Client::None => format!(".Label \"{}\"", label::RUN),
    };
    let format = format!("{{{{.Names}}}}\t{{{{.State}}}}\t{{{{{label}}}}}");
    let command = [&engine.program, "ps", "--all", "--filter", &filter, "--format", &format];
    let answer = capture(&command)?;
    if answer.code != 0 {
        let text = format!("`{}` failed: {}", command.join(" "), answer.complaint());
        return Ok(Some(Finding::error("engine", "containers", text)));
    }
    let left = left_behind(&answer.stdout, is_runner);
    Ok((!left.is_empty()).then(|| {
        let text = format!(
            "left behind by a run that is gone; remove with `{} rm --force {}`",
            engine.program,
            left.join(" ")
        );
        Finding::warning("engine", format!("{} container(s)", left.len()), text)
    }))
}

/// The names of the containers that do not run, and have no runner any more that would start or
/// remove them.
fn left_behind(listing: &str, is_runner: impl Fn(u32) -> bool) -> Vec<&str> {
    listing
        .lines()
        .filter_map(|line| {
            let mut fields = line.split('\t');
            let (name, state, run_id) = (fields.next()?, fields.next()?, fields.next()?);
            let runner = run_id.rsplit('-').next().and_then(|pid| pid.parse().ok());
            // Podman writes it with a capital.
            let is_left = !state.eq_ignore_ascii_case("running") && !runner.is_some_and(&is_runner);
            is_left.then_some(name)
        })
        .collect()
}

/// Whether the process `pid` is one of ours. After a restart the number may be anybody's.
fn is_runner(pid: u32) -> bool {
    let comm = fs::read_to_string(format!("/proc/{pid}/comm"));
    comm.is_ok_and(|name| name == "aienergyscore\n")
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::{is_runner, left_behind};
    use crate::run_id::run_id;

    #[test]
    fn only_what_nobody_looks_after_is_a_leftover() {
        let run = |pid| run_id(SystemTime::UNIX_EPOCH, pid);
        let (dead, alive) = (run(1), run(2));
        let listing = format!(
            "running\tRunning\t{dead}\nstarting\tcreated\t{alive}\nending\texited\t{alive}\n\
             crashed\tcreated\t{dead}\nold\texited\t{dead}\nodd\texited\tby-hand\n"
        );
        assert_eq!(left_behind(&listing, |pid| pid == 2), ["crashed", "old", "odd"]);
        assert!(!is_runner(std::process::id()), "a test is no runner");
    }
}
