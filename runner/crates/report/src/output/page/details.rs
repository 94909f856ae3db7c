//! The settings of a run, and how to reproduce it.

use backend_reports::{Details, Sourced};
use contract::summary::{Repeat, Run};
use host::shell::quote_text;
use maud::{Markup, html};

use crate::{
    finished_run::{FinishedRun, Origin},
    number_format::count,
};

/// A setting: its name, its value, and the file and key that it is from.
type Fact = (&'static str, String, String);

/// The settings of a run, with their sources.
pub(super) fn details(run: &FinishedRun) -> Markup {
    let Run { backend, model, prompts_asked, prompts, .. } = &run.summary.run;
    let Run { prompts_failed, prompt_tokens, prompts_cut, prompt_tokens_cut, .. } =
        &run.summary.run;
    let Details { dataset, dtype, batch_size, gpus, seed } = &run.details;
    let in_summary = |key: &str| match run.origin {
        Origin::Summary => format!("GPU_ENERGY_SUMMARY.json: {key}"),
        // The metrics name the exact files.
        Origin::Report(_) => "benchmark_report.json and what is beside it".to_owned(),
    };
    let counted = |name, number: Option<u64>, key| {
        number.map(|number| (name, count(number), in_summary(key)))
    };
    let above_zero = |number: &u64| *number > 0;
    let by = format!("{backend}: {}", backend.about());
    let rows = [
        Some(("Model", model.clone(), in_summary("run.model"))),
        Some(("Backend", by, in_summary("run.backend"))),
        counted(
            "Prompts asked for",
            prompts_asked.filter(|asked| asked != prompts),
            "run.prompts_asked",
        ),
        counted("Prompts failed", Some(*prompts_failed).filter(above_zero), "run.prompts_failed"),
        counted("Tokens read", *prompt_tokens, "run.prompt_tokens"),
        counted("Prompts cut", prompts_cut.filter(above_zero), "run.prompts_cut"),
        counted("Tokens cut off", prompt_tokens_cut.filter(above_zero), "run.prompt_tokens_cut"),
        sourced("Dataset", dataset),
        sourced("Number type", dtype),
        sourced("Batch size", batch_size),
        sourced("GPUs counted", gpus),
        sourced("Seed", seed),
        Some(("Results", run.folder.to_string_lossy().into_owned(), String::new())),
    ];
    facts(rows.into_iter().flatten())
}

/// A setting from the backend's files, if they have it.
fn sourced(name: &'static str, value: &Option<Sourced<impl ToString>>) -> Option<Fact> {
    let Sourced { value, from } = value.as_ref()?;
    Some((name, value.to_string(), (*from).to_owned()))
}

/// The settings as a list.
fn facts(facts: impl IntoIterator<Item = Fact>) -> Markup {
    html! {
        dl class="facts" {
            @for (name, value, from) in facts {
                dt { (name) }
                dd { (value) @if !from.is_empty() { " " code { (from) } } }
            }
        }
    }
}

/// The commands of the run, to repeat it.
pub(super) fn reproduction(repeat: &Repeat) -> Markup {
    let Repeat { version, begun, command, container, engine, image, image_id, image_digest } =
        repeat;
    let known =
        |value: &Option<String>, none: &str| value.clone().unwrap_or_else(|| none.to_owned());
    let fact = |name, value, key| (name, value, format!("GPU_ENERGY_SUMMARY.json: repeat.{key}"));
    html! {
        p { "The command, with the defaults of that day spelled out:" }
        (shell(command))
        p { "What it executed:" }
        (shell(container))
        (facts([
            fact("Begun", begun.clone(), "begun"),
            fact("Engine", engine.clone(), "engine"),
            fact("Image", known(image, "none: the program ran without a container"), "image"),
            fact("Image id", known(image_id, "not recorded"), "image_id"),
            fact("Registry digest", known(image_digest, "none known"), "image_digest"),
            fact("Made by", format!("aienergyscore {version}"), "version"),
        ]))
    }
}

/// A command for a shell, one option per line.
fn shell(words: &[String]) -> Markup {
    let mut text = String::new();
    for (index, word) in words.iter().enumerate() {
        let begins = word.starts_with('-') || words[index.saturating_sub(1)] == "--";
        text += match (index, begins) {
            (0, _) => "",
            (_, true) => " \\\n  ",
            (_, false) => " ",
        };
        text += &quote_text(word);
    }
    html! { pre tabindex="0" { code { (text) } } }
}
