//! Files that optimum-benchmark writes beside its report.

use anyhow::Context;
use serde_json::Value;

use crate::{
    energy::Reported,
    numbers::traced::Traced,
    source::{files::CONFIG, folder::Folder, json, node::Node},
};

/// Tracker files of the pass that generates the answers. Up to optimum-benchmark 0.4.0 every pass wrote
/// the second one, and this pass was the last.
const LAST_PASS: [&str; 2] = ["generate_codecarbon.json", "task_codecarbon.json"];

/// Values for the summary. All are optional, as a report can come alone.
#[derive(Debug, Clone, PartialEq, Default)]
pub(in super::super) struct Companions {
    /// The model.
    pub(super) model: Option<String>,
    /// Requested prompts; -1 for all.
    pub(super) num_samples: Option<Traced>,
    /// Length of every answer, if it is fixed.
    pub(super) answer_tokens: Option<Traced>,
    /// Seconds of the pass that generates the answers.
    pub(super) seconds: Option<Traced>,
    /// Devices and their tracker.
    pub(super) reported: Reported,
}

impl Companions {
    /// Reads the files. `config` is the stack's configuration.
    pub(in super::super) fn read(folder: &Folder, config: Option<&Value>) -> anyhow::Result<Self> {
        let mut found = Self::default();
        found.take(folder, CONFIG, config, Self::take_config)?;
        for name in LAST_PASS {
            let tracked = json::read(folder, name)?;
            let is_there = tracked.is_some();
            found.take(folder, name, tracked.as_ref(), Self::take_tracked)?;
            if is_there {
                break;
            }
        }
        Ok(found)
    }

    /// Applies `read` to the file `name`, if it exists.
    fn take(
        &mut self,
        folder: &Folder,
        name: &'static str,
        file: Option<&Value>,
        read: impl FnOnce(&mut Self, &Node<'_>) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let Some(file) = file else { return Ok(()) };
        let root = Node::root(name, file);
        root.object()
            .and_then(|_| read(self, &root))
            .with_context(|| format!("`{}` is not what it should be", folder.shown(name)))
    }

    fn take_config(&mut self, config: &Node<'_>) -> anyhow::Result<()> {
        if let Some(backend) = config.find("backend") {
            self.model = backend.optional("model", Node::text)?.map(str::to_owned);
            self.reported.device = backend.optional("device", Node::text)?.map(str::to_owned);
        }
        if let Some(scenario) = config.find("scenario") {
            self.num_samples =
                scenario.optional("num_samples", |node| Ok(node.traced(node.integer()? as f64)))?;
            // Values other than a number mean no fixed length.
            let length = |key| scenario.find("generate_kwargs")?.find(key)?.counted().ok();
            let shortest = length("min_new_tokens").map(|shortest| shortest.value);
            self.answer_tokens =
                length("max_new_tokens").filter(|longest| shortest == Some(longest.value));
        }
        // A list of names. The key exists only on a machine with GPUs.
        let gpus = config.find("environment").and_then(|environment| environment.find("gpu"));
        self.reported.gpus = gpus.map(|gpus| gpus.texts()).transpose()?.unwrap_or_default();
        self.reported.gpus_listed = !self.reported.gpus.is_empty();
        if self.reported.gpus.len() > 1 {
            // All GPUs of the machine, not only the measured ones.
            self.reported.gpus.clear();
        }
        Ok(())
    }

    fn take_tracked(&mut self, tracked: &Node<'_>) -> anyhow::Result<()> {
        self.seconds = tracked.optional("duration", Node::timed)?;
        let version = tracked.optional("codecarbon_version", Node::text)?;
        self.reported.tracker = version.map(|version| format!("codecarbon {version}"));
        Ok(())
    }
}
