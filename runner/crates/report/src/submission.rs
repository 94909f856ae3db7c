//! Packs the logs of runs for AIEnergyScore's submission portal, if its rules admit them.
//!
//! The portal, <https://huggingface.co/spaces/AIEnergyScore/submission_portal>, takes "the zipped
//! log files", unaltered, and any backend's `GPU_ENERGY_WH.txt` and `GPU_ENERGY_SUMMARY.json` among
//! them: facts of README.md and index.md of <https://github.com/huggingface/AIEnergyScore>, commit
//! a5b9a048ecd44aa087cdd5b575a17d705128c424, of December 2025. Neither names more files, nor where
//! in the archive they should lie.

mod archive;
mod evidence;
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
    evidence::Evidence,
    rules::{Refusal, between, judge},
};
use super::{
    figures::Figures,
    groups::groups,
    output_file::OutputFile,
    plain::plain,
    read::read,
    record::{RunRecord, Runs},
};

/// Where the archive goes.
const PORTAL: &str = "https://huggingface.co/spaces/AIEnergyScore/submission_portal";
/// How often the score's own runs are repeated.
const REPEATS: usize = 10;

/// The rules for the guides: name, words, and what of a run is looked at.
pub fn documented() -> Vec<[String; 3]> {
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
    figures: &[Figures],
    class: Option<ModelClass>,
    target: &OutputFile,
) -> anyhow::Result<Exit> {
    let evidence = all.runs.iter().map(|run| Evidence::read(&run.open()?));
    let evidence = evidence.collect::<anyhow::Result<Vec<_>>>()?;
    let runs = || all.runs.iter().zip(figures).zip(&evidence);
    let mut refusals: Vec<_> = runs()
        .flat_map(|((run, figures), evidence)| judge(run, figures, evidence, class))
        .collect();
    refusals.extend(between(all, &groups(all, figures)));
    if !refusals.is_empty() {
        for refusal in &refusals {
            terminal::say(told(refusal));
        }
        terminal::say(format_args!(
            "error: no submission was made; the rules are in {}",
            rules::SOURCE
        ));
        return Ok(Exit::Failed);
    }
    let packed: Vec<_> = runs()
        .map(|((run, figures), evidence)| Packed { run, figures, files: &evidence.files })
        .collect();
    let bytes = pack(&packed, class)?;
    for (run, evidence) in all.runs.iter().zip(&evidence) {
        unchanged(run, evidence)?;
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
fn unchanged(run: &RunRecord, evidence: &Evidence) -> anyhow::Result<()> {
    let again = run.open().is_ok_and(|folder| {
        read(&folder).is_ok_and(|again| RunRecord { below: run.below.clone(), ..again } == *run)
            && Evidence::read(&folder).is_ok_and(|again| again == *evidence)
    });
    ensure!(
        again,
        "the logs in `{}` changed while they were packed: no submission was made; wait until nothing \
         writes there, and pack them again",
        plain(&run.folder.to_string_lossy())
    );
    Ok(())
}

/// A reason, with the rule that it is by.
fn told(refusal: &Refusal) -> String {
    let Refusal { folder, rule, why } = refusal;
    let folder = plain(&folder.to_string_lossy());
    format!("refused {folder}: {} [{rule}: {}]", escape(why), rule.text())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use contract::output::{COMPLETION, LOG};

    use super::{Evidence, unchanged};
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
        let evidence = Evidence::read(&run.open().unwrap()).unwrap();
        unchanged(&run, &evidence).unwrap();
        fs::write(&log, "first and second").unwrap();
        let error = unchanged(&run, &evidence).unwrap_err().to_string();
        assert!(error.contains("changed while they were packed"), "{error}");
        fs::write(&log, "first").unwrap();
        unchanged(&run, &evidence).unwrap();
        fs::remove_file(folder.path().join(COMPLETION)).unwrap();
        unchanged(&run, &evidence).unwrap_err();
    }
}
