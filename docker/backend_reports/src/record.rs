//! The Python adapter's record of a run, `run_record.json`.

use anyhow::{Context, ensure};
use contract::{
    Backend, output,
    summary::{Run, Status, Tracked},
};
use serde::Deserialize;
use serde_json::Value;

use super::{
    numbers::RunNumbers,
    phases::phases,
    source::folder::Folder,
    source::node::{Node, name},
};

/// The record of a run.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Record {
    /// What ran.
    pub(super) run: Run,
    /// Numbers of the run.
    pub(super) numbers: RunNumbers,
    /// Device of the run, if the adapter could detect it.
    pub(super) device: Option<String>,
    /// Sources of the energies.
    pub(super) energy: Sources,
    /// Time that the tracker measured. Missing in older records.
    pub(super) tracked: Option<Tracked>,
    /// Notes for readers of the numbers.
    pub(super) notes: Vec<String>,
}

/// Source of the energy by kind of tracked device.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
pub(super) struct Sources {
    /// GPUs.
    pub(super) gpu: Option<Source>,
    /// Processors.
    pub(super) cpu: Option<Source>,
    /// Memory.
    pub(super) ram: Option<Source>,
}

/// Source of an energy.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(super) struct Source {
    /// Whether it was measured or estimated.
    pub(super) status: Status,
    /// Description of the source.
    pub(super) source: String,
    /// Names of the devices.
    #[serde(default)]
    pub(super) devices: Vec<String>,
}

/// Values of a report that must match the record.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Claims<'a> {
    /// The backend.
    pub(super) backend: Backend,
    /// The model.
    pub(super) model: Option<&'a str>,
    /// Answered prompts.
    pub(super) prompts: Option<u64>,
    /// Failed prompts.
    pub(super) prompts_failed: Option<u64>,
    /// Whether GPUs used energy.
    pub(super) gpu: bool,
}

impl Record {
    /// Parses the record in `value`, the content of the file.
    pub(super) fn read(folder: &Folder, value: Option<&Value>) -> anyhow::Result<Option<Self>> {
        let record = value.map(|value| Self::parse(&Node::root(output::RECORD, value)));
        record
            .transpose()
            .with_context(|| format!("`{}` is not what it should be", folder.shown(output::RECORD)))
    }

    fn parse(record: &Node<'_>) -> anyhow::Result<Self> {
        let count = |key: &str| record.need(key)?.count();
        // Missing in older records.
        let later = |key: &str| record.optional(key, Node::count);
        // Not every server counts tokens.
        let prompt_tokens = Some(count("prompt_tokens")?).filter(|tokens| *tokens > 0);
        let tokens = Some(record.need("completion_tokens")?.counted()?);
        let numbers = RunNumbers {
            prompts: record.need("prompts_answered")?.counted()?,
            tokens: tokens.filter(|tokens| tokens.value > 0.0),
            seconds: Some(record.need("seconds")?.timed()?),
            first_token: record.optional("first_token_seconds", Node::timed)?,
        };
        let backends = [Backend::Optimum, Backend::Pytorch, Backend::Vllm];
        let backends = backends.map(|backend| (backend.name(), backend));
        let backend = record.need("stack")?.one_of(backends)?;
        let run = Run {
            prompts_asked: Some(count("prompts_asked")?),
            prompts_failed: count("prompts_failed")?,
            prompt_tokens,
            prompts_cut: later("prompts_cut")?,
            prompt_tokens_cut: later("prompt_tokens_cut")?,
            phases: phases(record)?,
            ..numbers.run(backend, record.need("model")?.text()?)
        };
        Ok(Self {
            run,
            numbers,
            device: record.optional("device", Node::text)?.map(str::to_owned),
            energy: record.need("energy")?.typed()?,
            tracked: record.optional("tracked", tracked)?,
            notes: record.need("notes")?.texts()?,
        })
    }

    /// Checks that record and report are from the same run.
    pub(super) fn fits(&self, report: Claims<'_>) -> anyhow::Result<()> {
        let Claims { backend, model, prompts, prompts_failed, gpu } = report;
        let run = &self.run;
        let count = |count: u64| count.to_string();
        let gpus = |some| if some { "tracked" } else { "not tracked" }.to_owned();
        for (what, recorded, reported) in [
            ("the backend", run.backend.to_string(), Some(backend.to_string())),
            ("the model", run.model.clone(), model.map(str::to_owned)),
            ("the number of answered prompts", count(run.prompts), prompts.map(count)),
            ("the number of failed prompts", count(run.prompts_failed), prompts_failed.map(count)),
            ("the energy of GPUs", gpus(self.energy.gpu.is_some()), gpu.then(|| gpus(true))),
        ] {
            let reported = reported.unwrap_or_else(|| recorded.clone());
            ensure!(
                recorded == reported,
                "`{}` is of another run: {what} is {} there, and {} here; keep the files of one run \
                 in a folder",
                output::RECORD,
                name(&recorded),
                name(&reported)
            );
        }
        Ok(())
    }
}

fn tracked(node: &Node<'_>) -> anyhow::Result<Tracked> {
    let seconds = |key| anyhow::Ok(node.need(key)?.timed()?.value);
    Ok(Tracked {
        worked_seconds: seconds("worked_seconds")?,
        waited_seconds: seconds("waited_seconds")?,
    })
}
