//! What the Python adapter saw of a run, `run_record.json`.

use anyhow::{Context, ensure};
use contract::{
    Backend,
    host_meter::Phase,
    output,
    summary::{Run, Status, Tracked},
};
use serde_json::Value;

use super::{Folder, json, part::Part, phases::phases, quoted::name, rate};

/// One run.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Record {
    /// The backend.
    pub(super) stack: Backend,
    /// The model, as it was asked for.
    pub(super) model: String,
    /// What it ran on, if that could be told.
    pub(super) device: Option<String>,
    /// Prompts asked for.
    pub(super) prompts_asked: u64,
    /// Prompts answered.
    pub(super) prompts_answered: u64,
    /// Prompts whose answer failed.
    pub(super) prompts_failed: u64,
    /// Tokens of the answered prompts.
    pub(super) prompt_tokens: u64,
    /// Prompts that were cut; records of before that was counted lack it, and servers cut themselves.
    pub(super) prompts_cut: Option<u64>,
    /// Tokens of these that were not read.
    pub(super) prompt_tokens_cut: Option<u64>,
    /// Tokens of the answers.
    pub(super) completion_tokens: u64,
    /// Seconds spent on the answers.
    pub(super) seconds: f64,
    /// Mean seconds to the first token.
    pub(super) first_token_seconds: Option<f64>,
    /// When the counted phases ran.
    pub(super) phases: Vec<Phase>,
    /// What the energies were read from.
    pub(super) energy: Sources,
    /// How long their tracker measured; records of before it was looked at lack it.
    pub(super) tracked: Option<Tracked>,
    /// What a reader of the numbers must know.
    pub(super) notes: Vec<String>,
}

/// The source of the energy of each kind of device that was tracked.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Sources {
    /// GPUs.
    pub(super) gpu: Option<Source>,
    /// Processors.
    pub(super) cpu: Option<Source>,
    /// Memory.
    pub(super) ram: Option<Source>,
}

/// One source.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Source {
    /// Whether it is a counter or a model.
    pub(super) status: Status,
    /// What it is, in words.
    pub(super) source: String,
    /// The devices, by name.
    pub(super) devices: Vec<String>,
}

/// What a report says of its run, as far as a record says it, too.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Claims<'a> {
    /// The backend.
    pub(super) stack: Backend,
    /// The model.
    pub(super) model: Option<&'a str>,
    /// Prompts answered.
    pub(super) prompts_answered: Option<u64>,
    /// Prompts whose answer failed.
    pub(super) prompts_failed: Option<u64>,
    /// Whether GPUs spent energy.
    pub(super) gpu: bool,
}

impl Record {
    /// Reads the record in `folder`, if there is one.
    pub(super) fn read(folder: &Folder) -> anyhow::Result<Option<Self>> {
        let record =
            json::read(folder, output::RECORD)?.map(|value| Self::parse(&value)).transpose();
        record
            .with_context(|| format!("`{}` is not what it should be", folder.shown(output::RECORD)))
    }

    fn parse(value: &Value) -> anyhow::Result<Self> {
        let record = Part::whole(value);
        let count = |key: &str| record.need(key)?.count();
        let later = |key: &str| record.find(key).map(|part| part.count()).transpose();
        let stacks = [Backend::Optimum, Backend::Pytorch, Backend::Vllm];
        Ok(Self {
            stack: record.need("stack")?.one_of(stacks.map(|stack| (stack.name(), stack)))?,
            model: record.need("model")?.text()?.to_owned(),
            device: record.find("device").map(|part| part.text()).transpose()?.map(str::to_owned),
            prompts_asked: count("prompts_asked")?,
            prompts_answered: count("prompts_answered")?,
            prompts_failed: count("prompts_failed")?,
            prompt_tokens: count("prompt_tokens")?,
            prompts_cut: later("prompts_cut")?,
            prompt_tokens_cut: later("prompt_tokens_cut")?,
            completion_tokens: count("completion_tokens")?,
            seconds: record.need("seconds")?.seconds()?,
            first_token_seconds: record
                .find("first_token_seconds")
                .map(|part| part.seconds())
                .transpose()?,
            phases: phases(&record)?,
            energy: Sources::parse(&record.need("energy")?)?,
            tracked: record.find("tracked").map(|part| tracked(&part)).transpose()?,
            notes: record.need("notes")?.texts()?,
        })
    }

    /// Makes sure that this is a record of the run of a report.
    pub(super) fn fits(&self, report: Claims<'_>) -> anyhow::Result<()> {
        let Claims { stack, model, prompts_answered, prompts_failed, gpu } = report;
        let count = |count: u64| count.to_string();
        let gpus = |some| if some { "tracked" } else { "not tracked" }.to_owned();
        for (what, recorded, reported) in [
            ("the backend", self.stack.to_string(), Some(stack.to_string())),
            ("the model", self.model.clone(), model.map(str::to_owned)),
            (
                "the number of answered prompts",
                count(self.prompts_answered),
                prompts_answered.map(count),
            ),
            ("the number of failed prompts", count(self.prompts_failed), prompts_failed.map(count)),
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

    /// What ran.
    pub(super) fn run(&self) -> Run {
        // Not every server counts tokens.
        let counted = |tokens: u64| (tokens > 0).then_some(tokens);
        Run {
            backend: self.stack,
            model: self.model.clone(),
            prompts_asked: Some(self.prompts_asked),
            prompts: self.prompts_answered,
            prompts_failed: self.prompts_failed,
            prompt_tokens: counted(self.prompt_tokens),
            prompts_cut: self.prompts_cut,
            prompt_tokens_cut: self.prompt_tokens_cut,
            completion_tokens: counted(self.completion_tokens),
            seconds: Some(self.seconds),
            tokens_per_second: rate(counted(self.completion_tokens), Some(self.seconds)),
            time_to_first_token_seconds: self.first_token_seconds,
            phases: self.phases.clone(),
        }
    }
}

fn tracked(part: &Part<'_>) -> anyhow::Result<Tracked> {
    let seconds = |key| part.need(key)?.seconds();
    Ok(Tracked {
        worked_seconds: seconds("worked_seconds")?,
        waited_seconds: seconds("waited_seconds")?,
    })
}

impl Sources {
    fn parse(energy: &Part<'_>) -> anyhow::Result<Self> {
        let source = |key: &str| energy.find(key).map(|part| Source::parse(&part)).transpose();
        Ok(Self { gpu: source("gpu")?, cpu: source("cpu")?, ram: source("ram")? })
    }
}

impl Source {
    /// Reads a source.
    pub(super) fn parse(part: &Part<'_>) -> anyhow::Result<Self> {
        let status = part.need("status")?;
        let devices = part.find("devices").map(|devices| devices.texts()).transpose()?;
        Ok(Self {
            status: status
                .one_of([("measured", Status::Measured), ("estimated", Status::Estimated)])?,
            source: part.need("source")?.text()?.to_owned(),
            devices: devices.unwrap_or_default(),
        })
    }
}
