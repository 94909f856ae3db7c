//! Options and plan of `aienergyscore fetch`.

use clap::{
    Args,
    builder::{NonEmptyStringValueParser, PossibleValuesParser},
};
use contract::{
    Backend, FETCH,
    argument::{CONFIG_NAME, DATASET, DEFAULT_CONFIG, MODEL, REVISION},
    hub::download::hf_download,
    path,
    task::{self, TASKS},
};
use engine::Engine;
use host::{
    exit::Usage,
    gpus::{Devices, Gpus},
    machine::Host,
    shell::quote_text,
};
use plan::{
    local_input::{Kind, hub_url::id_in},
    options::{self, Resolved, Runtime, SecurityOverrides, Target},
    run_plan::RunPlan,
};

/// `aienergyscore fetch`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Args)]
#[command(display_name = "aienergyscore", after_help = EXAMPLES)]
pub struct Request {
    /// Model on the Hub: ORG/NAME, or ORG/NAME:FILE for one GGUF file
    #[arg(value_name = "MODEL", value_parser = NonEmptyStringValueParser::new())]
    model: String,
    /// Task to download the dataset of
    #[arg(
        long,
        value_name = "TASK",
        default_value = DEFAULT_CONFIG,
        value_parser = PossibleValuesParser::new(TASKS)
    )]
    task: String,
    /// Dataset on the Hub [default: the task's]
    #[arg(long, value_name = "DATASET", value_parser = NonEmptyStringValueParser::new())]
    dataset: Option<String>,
    /// Branch, tag or commit of the model [default: main]
    #[arg(long, value_name = "REVISION", value_parser = NonEmptyStringValueParser::new())]
    revision: Option<String>,
    #[command(flatten)]
    runtime: Runtime,
    /// Do not pass a Hugging Face token to the container
    #[arg(long)]
    no_token: bool,
    /// Print the command instead of running it
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    security: SecurityOverrides,
}

const EXAMPLES: &str = "\
Examples:
  # weights, tokenizer and configuration of a model, and the prompts of the leaderboard's task
  aienergyscore fetch openai/gpt-oss-20b
  # a tag of a model, and another dataset, by the image without GPU
  aienergyscore fetch --flavour cpu org/model --revision v2 --dataset org/prompts
  # one file for the `native` backend
  aienergyscore fetch --flavour cpu HuggingFaceTB/SmolLM2-360M-Instruct-GGUF:smollm2-360m-instruct-q8_0.gguf

Only files that a run loads are downloaded. What the cache has is not downloaded again, and an
interrupted download is resumed.

Environment: as for `run`, and HF_ENDPOINT.";

impl Request {
    /// Checks that the model and the dataset can be downloaded.
    ///
    /// # Errors
    /// When an id is not one of the Hub, or a variable sets the Hub client offline.
    pub(crate) fn check(&self, host: &Host) -> Result<(), Usage> {
        if let Some(name) = host.env.offline() {
            return Err(Usage(format!(
                "{name} is set, and `{FETCH}` needs the Hub; leave it out with `env -u {name} \
                 aienergyscore {FETCH} {}`",
                quote_text(&self.model)
            )));
        }
        let names = [("model", Some(&self.model)), ("dataset", self.dataset.as_ref())];
        for (what, name) in names {
            if let Some(name) = name
                && let Some(id) = id_in(name)
            {
                return Err(Usage(format!(
                    "the {what} `{name}` is an address, and its id on the Hub is `{id}`; name it \
                     by that"
                )));
            }
        }
        if Kind::Model.is_path(&self.model) {
            return Err(Usage(format!(
                "the model `{}` is a path, and needs no `{FETCH}`; an id on the Hub is ORG/NAME",
                self.model
            )));
        }
        if self.revision.is_some() && self.model.contains(':') {
            return Err(Usage(format!(
                "`--revision` is not for one file (`{}`): the `{}` backend loads the branch `main` alone; \
                 leave it out",
                self.model,
                Backend::Native
            )));
        }
        Ok(())
    }

    /// Arguments of the benchmark for the same model, task and dataset.
    fn args(&self) -> Vec<String> {
        let revision = self.revision.as_ref().map(|revision| {
            // Quoted, a tag such as 1.0 stays a string.
            let is_number = revision.parse::<f64>().is_ok();
            let quote = if is_number { "'" } else { "" };
            format!("{REVISION}={quote}{revision}{quote}")
        });
        let dataset = self.dataset.as_ref().map(|dataset| format!("{DATASET}={dataset}"));
        let named = [CONFIG_NAME.to_owned(), self.task.clone(), format!("{MODEL}={}", self.model)];
        named.into_iter().chain(revision).chain(dataset).collect()
    }

    /// The run from which the fetch is planned.
    pub(crate) fn as_run(&self) -> options::Request {
        let target = Target {
            // The image of this backend has the Hub client. BENCHMARK_BACKEND is ignored.
            backend: Some(Backend::Optimum),
            gpus: Gpus::Exactly(Devices::None),
            runtime: self.runtime.clone(),
            no_token: self.no_token,
            security: self.security,
            ..Target::default()
        };
        options::Request { target, args: self.args(), ..options::Request::default() }
    }

    /// The `hf` commands that download the same.
    pub(crate) fn hf_commands(&self) -> String {
        let dataset = self.dataset.as_deref().or_else(|| task::dataset(&self.task));
        hf_download(&self.model, self.revision.as_deref(), dataset)
    }

    /// The command that runs the downloaded model offline.
    pub(crate) fn run_offline(&self) -> String {
        let mut words: Vec<_> = ["aienergyscore", "run", "--offline"].map(str::to_owned).into();
        if self.model.contains(':') {
            words.extend(["--backend", Backend::Native.name()].map(str::to_owned));
        }
        words.extend(self.args());
        words.iter().map(|word| quote_text(word)).collect::<Vec<_>>().join(" ")
    }

    /// Id of the model, and the name of one file of it.
    pub(crate) fn model_and_file(&self) -> (&str, Option<&str>) {
        match self.model.split_once(':') {
            Some((id, file)) => (id, Some(file)),
            None => (self.model.as_str(), None),
        }
    }
}

/// Plans the fetch as a run without results folder.
///
/// # Errors
/// When the engine does not support the options.
pub(crate) fn plan(run: &Resolved, host: &Host, engine: &Engine) -> Result<RunPlan, Usage> {
    let mut plan = RunPlan::new(run, host, engine)?;
    plan.mounts.retain(|mount| mount.target != path::RESULTS);
    plan.masked_files.retain(|file| !file.target.starts_with(&format!("{}/", path::RESULTS)));
    plan.pinned_folders.retain(|folder| !folder.target.starts_with(&format!("{}/", path::RESULTS)));
    plan.args.insert(0, FETCH.to_owned());
    if let Some(supervision) = &mut plan.supervision {
        // The list of mounts lies in the results folder.
        supervision.folders = None;
    }
    Ok(plan)
}

#[cfg(test)]
mod tests;
