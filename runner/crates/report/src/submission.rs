//! Packs the logs of runs for AIEnergyScore's submission portal, if its rules admit them.
//!
//! The portal, <https://huggingface.co/spaces/AIEnergyScore/submission_portal>, takes "the zipped
//! log files", unaltered, and any backend's `GPU_ENERGY_WH.txt` and `GPU_ENERGY_SUMMARY.json` among
//! them: facts of README.md and index.md of <https://github.com/huggingface/AIEnergyScore>, commit
//! a5b9a048ecd44aa087cdd5b575a17d705128c424, of December 2025. Neither names more files, nor where
//! in the archive they should lie.

mod archive;
mod logs;
mod model_class;
mod rule;
mod rules;
mod settings;

use anyhow::ensure;
use host::{exit::Exit, output::terminal};
use untrusted::escape;

pub use self::model_class::ModelClass;
use self::{
    archive::{Packed, pack},
    logs::RunLogs,
    rules::{Violation, check, check_together},
};
use super::{
    finished_run::{FinishedRun, Runs},
    groups::groups,
    metrics::Metrics,
    output_file::OutputFile,
    read::read,
    sanitize::sanitized,
};

/// Where the archive goes.
const PORTAL: &str = "https://huggingface.co/spaces/AIEnergyScore/submission_portal";
/// How often the score's own runs are repeated.
const REPEATS: usize = 10;

/// The rules for the guides: name, words, and what of a run is looked at.
pub fn rule_table() -> Vec<[String; 3]> {
    let rules = rule::Rule::ALL.iter();
    rules
        .map(|rule| [rule.to_string(), rule.text().to_owned(), rule.looked_at().to_owned()])
        .collect()
}

/// Packs the logs of all runs into `archive`, or says which rules exclude them.
///
/// # Errors
/// When a log cannot be read, or the archive not be written.
pub(super) fn submit(
    all: &Runs,
    metrics: &[Metrics],
    class: Option<ModelClass>,
    target: &OutputFile,
) -> anyhow::Result<Exit> {
    let logs = all.runs.iter().map(|run| RunLogs::read(&run.open()?));
    let logs = logs.collect::<anyhow::Result<Vec<_>>>()?;
    let runs = || all.runs.iter().zip(metrics).zip(&logs);
    let mut violations: Vec<_> =
        runs().flat_map(|((run, metrics), logs)| check(run, metrics, logs, class)).collect();
    violations.extend(check_together(all, &groups(all, metrics)));
    if !violations.is_empty() {
        for violation in &violations {
            terminal::say(told(violation));
        }
        terminal::say(format_args!(
            "error: no submission was made; the rules are in {}",
            rules::SOURCE
        ));
        return Ok(Exit::Failed);
    }
    let packed: Vec<_> =
        runs().map(|((run, metrics), logs)| Packed { run, metrics, files: &logs.files }).collect();
    let bytes = pack(&packed, class)?;
    for (run, logs) in all.runs.iter().zip(&logs) {
        unchanged(run, logs)?;
    }
    target.write(&bytes)?;
    if all.runs.len() < REPEATS {
        terminal::say(format_args!(
            "note: the score is the mean of {REPEATS} runs, and this is {}",
            all.runs.len()
        ));
    }
    terminal::say(format_args!(
        "submission: {}; its logs are unaltered, so they name folders of this machine; upload it at \
         {PORTAL} and agree to the terms there",
        target.shown()
    ));
    Ok(Exit::Success)
}

/// Makes sure that what was judged is what was packed: a run that writes to the folder meanwhile
/// leaves a part of each.
fn unchanged(run: &FinishedRun, logs: &RunLogs) -> anyhow::Result<()> {
    let again = run.open().is_ok_and(|folder| {
        read(&folder).is_ok_and(|again| FinishedRun { below: run.below.clone(), ..again } == *run)
            && RunLogs::read(&folder).is_ok_and(|again| again == *logs)
    });
    ensure!(
        again,
        "the logs in `{}` changed while they were packed: no submission was made; wait until nothing \
         writes there, and pack them again",
        sanitized(&run.folder.to_string_lossy())
    );
    Ok(())
}

/// A reason, with the rule that it is by.
fn told(violation: &Violation) -> String {
    let Violation { folder, rule, why } = violation;
    let folder = sanitized(&folder.to_string_lossy());
    format!("refused {folder}: {} [{rule}: {}]", escape(why), rule.text())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use contract::output::{COMPLETION, LOG};

    use super::{RunLogs, unchanged};
    use crate::{
        read::tests::read,
        testing::{measured, written},
    };

    #[test]
    fn what_changes_while_it_is_packed_is_not_submitted() {
        let folder = written(&measured("1", 0.42));
        let log = folder.path().join(LOG);
        fs::write(&log, "first").unwrap();
        let run = read(folder.path()).unwrap();
        let logs = RunLogs::read(&run.open().unwrap()).unwrap();
        unchanged(&run, &logs).unwrap();
        fs::write(&log, "first and second").unwrap();
        let error = unchanged(&run, &logs).unwrap_err().to_string();
        assert!(error.contains("changed while they were packed"), "{error}");
        fs::write(&log, "first").unwrap();
        unchanged(&run, &logs).unwrap();
        fs::remove_file(folder.path().join(COMPLETION)).unwrap();
        unchanged(&run, &logs).unwrap_err();
    }
}
