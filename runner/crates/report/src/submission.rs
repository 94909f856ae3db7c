//! Packs the logs of runs for AIEnergyScore's submission portal, if its rules admit them.
//!
//! The portal takes "the zipped log files", unaltered, and any backend's `GPU_ENERGY_WH.txt` and
//! `GPU_ENERGY_SUMMARY.json` among them (README.md and index.md of
//! <https://github.com/huggingface/AIEnergyScore>, commit a5b9a048ecd44aa087cdd5b575a17d705128c424,
//! December 2025). Neither document names more files, or folders inside the archive.

mod archive;
mod logs;
mod model_class;
mod rule;
mod rules;
mod settings;

use std::path::PathBuf;

use host::{exit::Exit, output::terminal};
use untrusted::escape;

pub use self::model_class::ModelClass;
use self::{
    archive::pack,
    logs::RunLogs,
    rule::Rule,
    rules::{Violation, check, check_together},
};
use super::{output_file::OutputFile, read::read_all, report::Report, sanitize::sanitized};

/// Where archives are uploaded.
const PORTAL: &str = "https://huggingface.co/spaces/AIEnergyScore/submission_portal";
/// Runs that the score is the mean of.
const REPEATS: usize = 10;

/// Every rule, for the guides: its name, its text, and the values of a run that are checked.
pub fn rule_table() -> Vec<[&'static str; 3]> {
    Rule::ALL.map(Rule::row).into()
}

/// Packs the logs of all runs in `folders` into `target`, or prints the rules that they violate.
///
/// # Errors
/// When a log cannot be read or the archive cannot be written.
pub(super) fn submit(
    folders: &[PathBuf],
    previous: bool,
    class: Option<ModelClass>,
    target: &OutputFile,
) -> anyhow::Result<Exit> {
    let (read, broken) = read_all(folders, previous, RunLogs::read);
    let (runs, logs): (Vec<_>, Vec<_>) = read.into_iter().unzip();
    let logs = logs.into_iter().collect::<anyhow::Result<Vec<_>>>()?;
    let report = Report::of(runs, broken);
    let runs = || report.runs.iter().zip(&logs);
    let mut violations: Vec<_> =
        runs().flat_map(|(reported, logs)| check(reported, logs, class)).collect();
    violations.extend(check_together(&report));
    if !violations.is_empty() {
        for Violation { folder, rule, why } in &violations {
            let (folder, [name, text, _]) = (sanitized(&folder.to_string_lossy()), rule.row());
            terminal::say(format_args!("refused {folder}: {} [{name}: {text}]", escape(why)));
        }
        terminal::say(format_args!(
            "error: no submission was made; the rules are in {}",
            rules::SOURCE
        ));
        return Ok(Exit::Failed);
    }
    let packed: Vec<_> = runs().map(|(reported, logs)| (reported, &logs.files[..])).collect();
    target.write(&pack(&packed, class)?)?;
    if packed.len() < REPEATS {
        terminal::say(format_args!(
            "note: the score is the mean of {REPEATS} runs, and this is {}",
            packed.len()
        ));
    }
    terminal::say(format_args!(
        "submission: {}; its logs are unaltered, so they name folders of this machine; upload it at \
         {PORTAL} and agree to the terms there",
        target.shown()
    ));
    Ok(Exit::Success)
}
