//! What ran in a run, and how to run it again.

use contract::summary::Repeat;

use super::{
    super::{
        number::count,
        record::{Details, Origin, RunRecord, Told},
    },
    markup::Markup,
};
use crate::shell::quote_text;

pub(super) fn what_ran(page: &mut Markup, run: &RunRecord) {
    let of = &run.summary.run;
    let Details { dataset, dtype, batch_size, gpus, seed } = &run.details;
    let by = format!("{}: {}", of.backend, of.backend.about());
    let mut rows = vec![
        Fact::of("Model", of.model.clone(), in_summary(run, "run.model")),
        Fact::of("Backend", by, in_summary(run, "run.backend")),
    ];
    if let Some(asked) = of.prompts_asked.filter(|asked| *asked != of.prompts) {
        let from = in_summary(run, "run.prompts_asked");
        rows.push(Fact::of("Prompts asked for", count(asked), from));
    }
    if of.prompts_failed > 0 {
        let from = in_summary(run, "run.prompts_failed");
        rows.push(Fact::of("Prompts failed", count(of.prompts_failed), from));
    }
    if let Some(tokens) = of.prompt_tokens {
        rows.push(Fact::of("Tokens read", count(tokens), in_summary(run, "run.prompt_tokens")));
    }
    if let Some(prompts) = of.prompts_cut.filter(|prompts| *prompts > 0) {
        rows.push(Fact::of("Prompts cut", count(prompts), in_summary(run, "run.prompts_cut")));
    }
    if let Some(tokens) = of.prompt_tokens_cut.filter(|tokens| *tokens > 0) {
        let from = in_summary(run, "run.prompt_tokens_cut");
        rows.push(Fact::of("Tokens cut off", count(tokens), from));
    }
    rows.extend(dataset.as_ref().map(|told| Fact::told("Dataset", told)));
    rows.extend(dtype.as_ref().map(|told| Fact::told("Number type", told)));
    rows.extend(batch_size.as_ref().map(|told| Fact::told("Batch size", told)));
    rows.extend(gpus.as_ref().map(|told| Fact::told("GPUs counted", told)));
    rows.extend(seed.as_ref().map(|told| Fact::told("Seed", told)));
    rows.push(Fact::of("Results", run.folder.to_string_lossy().into_owned(), String::new()));
    facts(page, &rows);
}

/// Where a fact of the summary is found, if not made just now of files that the numbers name.
fn in_summary(run: &RunRecord, key: &str) -> String {
    match run.origin {
        Origin::Summary => format!("GPU_ENERGY_SUMMARY.json: {key}"),
        Origin::Report(_) => "benchmark_report.json and what is beside it".to_owned(),
    }
}

/// Something that is no measure, and where it is from.
struct Fact {
    name: &'static str,
    value: String,
    from: String,
}

impl Fact {
    fn of(name: &'static str, value: String, from: impl Into<String>) -> Self {
        Self { name, value, from: from.into() }
    }

    fn told(name: &'static str, told: &Told<impl ToString>) -> Self {
        Self::of(name, told.value.to_string(), told.from)
    }
}

fn facts(page: &mut Markup, facts: &[Fact]) {
    page.raw("<dl class=\"facts\">");
    for Fact { name, value, from } in facts {
        page.element("dt", &[], name).raw("<dd>").text(value);
        if !from.is_empty() {
            page.raw(" <code>").text(from).raw("</code>");
        }
        page.raw("</dd>");
    }
    page.raw("</dl>");
}

pub(super) fn again(page: &mut Markup, repeat: &Repeat) {
    let Repeat { version, begun, command, container, engine, image, image_id, image_digest } =
        repeat;
    page.raw("<p>The command, with the defaults of that day spelled out:</p>");
    shell(page, command);
    page.raw("<p>What it executed:</p>");
    shell(page, container);
    let known =
        |value: &Option<String>, none: &str| value.clone().unwrap_or_else(|| none.to_owned());
    let fact =
        |name, value, key| Fact::of(name, value, format!("GPU_ENERGY_SUMMARY.json: repeat.{key}"));
    facts(
        page,
        &[
            fact("Begun", begun.clone(), "begun"),
            fact("Engine", engine.clone(), "engine"),
            fact("Image", known(image, "none: the program ran without a container"), "image"),
            fact("Image id", known(image_id, "not recorded"), "image_id"),
            fact("Registry digest", known(image_digest, "none known"), "image_digest"),
            fact("Made by", format!("aienergyscore {version}"), "version"),
        ],
    );
}

/// A command as a shell takes it, an option a line.
fn shell(page: &mut Markup, words: &[String]) {
    page.raw("<pre tabindex=\"0\"><code>");
    for (index, word) in words.iter().enumerate() {
        let begins = word.starts_with('-') || words[index.saturating_sub(1)] == "--";
        page.raw(match (index, begins) {
            (0, _) => "",
            (_, true) => " \\\n  ",
            (_, false) => " ",
        });
        page.text(&quote_text(word));
    }
    page.raw("</code></pre>");
}
