//! What optimum-benchmark leaves beside its report.

use anyhow::Context;
use serde_json::Value;

use super::{Folder, json, part::Part, tracked::Reported};

/// Tracker's files of the pass that writes the answers. Facts of optimum-benchmark: up to 0.4.0
/// every pass wrote the second one, and this pass was the last.
const LAST_PASS: [&str; 2] = ["generate_codecarbon.json", "task_codecarbon.json"];

/// The parts that a summary needs. All may be missing: a report can come alone.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Beside {
    /// The model.
    pub(super) model: Option<String>,
    /// Prompts asked for; -1 for all that there are.
    pub(super) num_samples: Option<i64>,
    /// The length of every answer, if all have one.
    pub(super) answer_tokens: Option<u64>,
    /// Seconds of the pass that writes the answers.
    pub(super) seconds: Option<f64>,
    /// The devices and their tracker.
    pub(super) reported: Reported,
}

impl Beside {
    /// Reads what is there.
    pub(super) fn read(folder: &Folder) -> anyhow::Result<Self> {
        let mut beside = Self::default();
        read_into(&mut beside, folder, "benchmark_config.json", Self::take_config)?;
        for name in LAST_PASS {
            if read_into(&mut beside, folder, name, Self::take_tracked)? {
                break;
            }
        }
        Ok(beside)
    }

    fn take_config(&mut self, config: &Part<'_>) -> anyhow::Result<()> {
        if let Some(backend) = config.find("backend") {
            let text = |key: &str| backend.find(key).map(|part| part.text()).transpose();
            self.model = text("model")?.map(str::to_owned);
            self.reported.device = text("device")?.map(str::to_owned);
        }
        if let Some(scenario) = config.find("scenario") {
            self.num_samples =
                scenario.find("num_samples").map(|part| part.integer()).transpose()?;
            // Other kinds of values than a number stand for no length.
            let length = |key| scenario.find("generate_kwargs")?.find(key)?.count().ok();
            let longest = length("max_new_tokens");
            self.answer_tokens =
                longest.filter(|longest| length("min_new_tokens") == Some(*longest));
        }
        // A list of names; the key is only there on a machine with GPUs.
        let gpus = config.find("environment").and_then(|environment| environment.find("gpu"));
        self.reported.gpus = gpus.map(|gpus| gpus.texts()).transpose()?.unwrap_or_default();
        self.reported.gpus_listed = !self.reported.gpus.is_empty();
        if self.reported.gpus.len() > 1 {
            // All of the machine, not only the measured ones.
            self.reported.gpus.clear();
        }
        Ok(())
    }

    fn take_tracked(&mut self, tracked: &Part<'_>) -> anyhow::Result<()> {
        self.seconds = tracked.find("duration").map(|part| part.seconds()).transpose()?;
        let version = tracked.find("codecarbon_version").map(|part| part.text()).transpose()?;
        self.reported.tracker = version.map(|version| format!("codecarbon {version}"));
        Ok(())
    }
}

/// Has `take` read the file `name`; whether there is one.
fn read_into(
    beside: &mut Beside,
    folder: &Folder,
    name: &str,
    take: impl FnOnce(&mut Beside, &Part<'_>) -> anyhow::Result<()>,
) -> anyhow::Result<bool> {
    let value: Option<Value> = json::read(folder, name)?;
    let taken = value.as_ref().map(|value| {
        let whole = Part::whole(value);
        whole.object().and_then(|_| take(beside, &whole))
    });
    let taken = taken.transpose();
    let taken =
        taken.with_context(|| format!("`{}` is not what it should be", folder.shown(name)))?;
    Ok(taken.is_some())
}
