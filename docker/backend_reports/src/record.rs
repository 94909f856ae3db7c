//! What the Python adapter saw of a run, `run_record.json`.

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

/// One run.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Record {
    /// What ran.
    pub(super) run: Run,
    /// Its numbers.
    pub(super) numbers: RunNumbers,
    /// What it ran on, if the adapter could see that.
    pub(super) device: Option<String>,
    /// What the energies were read from.
    pub(super) energy: Sources,
    /// How long their tracker measured; records of before it was looked at lack it.
    pub(super) tracked: Option<Tracked>,
    /// What a reader of the numbers must know.
    pub(super) notes: Vec<String>,
}

/// The source of the energy of each kind of device that was tracked.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
pub(super) struct Sources {
    /// GPUs.
    pub(super) gpu: Option<Source>,
    /// Processors.
    pub(super) cpu: Option<Source>,
    /// Memory.
    pub(super) ram: Option<Source>,
}

/// One source.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(super) struct Source {
    /// Whether it is a counter or a model.
    pub(super) status: Status,
    /// What it is, in words.
    pub(super) source: String,
    /// The devices, by name.
    #[serde(default)]
    pub(super) devices: Vec<String>,
}

/// What a report says of its run, as far as a record says it, too.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Claims<'a> {
    /// The backend.
    pub(super) backend: Backend,
    /// The model.
    pub(super) model: Option<&'a str>,
    /// Prompts answered.
    pub(super) prompts: Option<u64>,
    /// Prompts whose answer failed.
    pub(super) prompts_failed: Option<u64>,
    /// Whether GPUs spent energy.
    pub(super) gpu: bool,
}

impl Record {
    /// The record in `value`, the file's contents, if there is one.
    pub(super) fn read(folder: &Folder, value: Option<&Value>) -> anyhow::Result<Option<Self>> {
        let record = value.map(|value| Self::parse(&Node::root(output::RECORD, value)));
        record
            .transpose()
            .with_context(|| format!("`{}` is not what it should be", folder.shown(output::RECORD)))
    }

    fn parse(record: &Node<'_>) -> anyhow::Result<Self> {
        let count = |key: &str| record.need(key)?.count();
        // Older records lack it.
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

    /// Makes sure that this is a record of the run of a report.
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
