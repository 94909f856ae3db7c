//! Containers that a crash left behind, found by their label.

use contract::label;

use super::Finding;
use crate::{engine::Engine, process::capture};

/// Looks for containers of runs. One that still runs belongs to a run that is going on.
pub(super) fn check(engine: &Engine) -> anyhow::Result<Option<Finding>> {
    if !engine.has_containers() {
        return Ok(None);
    }
    let filter = format!("label={}", label::RUN);
    let command =
        [&engine.program, "ps", "--all", "--filter", &filter, "--format", "{{.Names}}\t{{.State}}"];
    let answer = capture(&command)?;
    if answer.code != 0 {
        let text = format!("`{}` failed: {}", command.join(" "), answer.stderr.trim());
        return Ok(Some(Finding::error("engine", "containers", text)));
    }
    let ended = ended(&answer.stdout);
    Ok((!ended.is_empty()).then(|| {
        let text = format!(
            "left behind by a run that was killed; remove with `{} rm --force {}`",
            engine.program,
            ended.join(" ")
        );
        Finding::warning("engine", format!("{} container(s)", ended.len()), text)
    }))
}

/// The names of the containers that do not run.
fn ended(listing: &str) -> Vec<&str> {
    listing
        .lines()
        .filter_map(|line| line.split_once('\t'))
        .filter(|(_, state)| *state != "running")
        .map(|(name, _)| name)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::ended;

    #[test]
    fn what_runs_is_no_leftover() {
        let listing = "a-1\trunning\na-2\texited\na-3\tcreated\n";
        assert_eq!(ended(listing), ["a-2", "a-3"]);
    }
}
