//! The report as one page for a browser, which needs nothing else: no script, no font, no image, no
//! network. What it is made of is text to the template, which escapes it.

mod bars;
mod details;
mod elements;
mod overview;
mod power;
mod run;

use maud::{DOCTYPE, Markup, PreEscaped, html};
use untrusted::escape;

use self::elements::prose;
use crate::{
    finished_run::{Broken, FinishedRun, Runs},
    groups::Group,
    metrics::Metrics,
    number_format::count,
};

/// How the page looks: for the light, in the dark, on a phone and on paper.
const STYLE: &str = include_str!("page/style.css");

/// Runs that are shown unfolded.
const UNFOLDED: usize = 3;

/// What is allowed to load: the style that is in the page.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'";

/// The page. `metrics` are those of the runs, `groups` made of both.
pub(crate) fn html(all: &Runs, metrics: &[Metrics], groups: &[Group]) -> String {
    let title = title(all);
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                title { (title) ": energy of AI models" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                header class="top" {
                    p class="brand" { "AI Energy Score " span { "report" } }
                    h1 { (title) }
                    p class="sub" { (subtitle(all)) }
                }
                main {
                    (runs(all, metrics, groups))
                    (broken(all))
                }
                (foot())
            }
        }
    };
    // Names are hostile: what nobody sees, or what turns a text around, is shown as its number.
    page.into_string().split('\n').map(escape).collect::<Vec<_>>().join("\n")
}

fn runs(all: &Runs, metrics: &[Metrics], groups: &[Group]) -> Markup {
    match (&all.runs[..], metrics) {
        ([run], [metrics]) => run::alone(run, metrics),
        ([], _) => html! {},
        (runs, _) => html! {
            (overview::section(all, metrics, groups))
            section aria-labelledby="each" {
                h2 id="each" { "Each run" }
                @for (index, (run, metrics)) in runs.iter().zip(metrics).enumerate() {
                    (run::folded(index, &all.name(&run.folder), run, metrics, runs.len() <= UNFOLDED))
                }
            }
        },
    }
}

/// The model, or how much there is.
fn title(all: &Runs) -> String {
    match &all.runs[..] {
        [] => "No run could be read".to_owned(),
        [run] => run.summary.run.model.clone(),
        runs => {
            let models = different(runs, |run| run.summary.run.model.clone());
            match &models[..] {
                [model] => format!("{} runs of {model}", count(runs.len() as u64)),
                models => format!("{} runs of {} models", count(runs.len() as u64), models.len()),
            }
        }
    }
}

fn subtitle(all: &Runs) -> String {
    let mut parts = vec![];
    let backends = different(&all.runs, |run| run.summary.run.backend.to_string());
    if !backends.is_empty() {
        let plural = if backends.len() > 1 { "backends" } else { "backend" };
        parts.push(format!("{plural} {}", backends.join(", ")));
    }
    let begun = all.runs.iter().filter_map(|run| run.summary.repeat.as_ref());
    let mut days: Vec<_> = begun.filter_map(|repeat| repeat.begun.get(..10)).collect();
    days.sort_unstable();
    match (days.first(), days.last()) {
        (Some(first), Some(last)) if first == last => parts.push((*first).to_owned()),
        (Some(first), Some(last)) => parts.push(format!("{first} to {last}")),
        _ => {}
    }
    let folder = match (&all.runs[..], all.parent()) {
        (_, Some(parent)) => Some(format!("in {}", parent.display())),
        ([run], None) => Some(run.folder.display().to_string()),
        _ => None,
    };
    parts.extend(folder);
    if !all.broken.is_empty() {
        parts.push(format!("{} broken", all.broken.len()));
    }
    parts.join(" · ")
}

fn different(runs: &[FinishedRun], of: impl Fn(&FinishedRun) -> String) -> Vec<String> {
    let mut all = vec![];
    for run in runs {
        let value = of(run);
        if !all.contains(&value) {
            all.push(value);
        }
    }
    all
}

fn broken(all: &Runs) -> Markup {
    html! {
        @if !all.broken.is_empty() {
            section class="broken" aria-labelledby="broken" {
                h2 id="broken" { "Broken" }
                p { "These could not be read. Nothing on this page is of them." }
                dl {
                    @for Broken { folder, reason } in &all.broken {
                        dt { code { (all.name(folder)) } }
                        dd { (prose(reason)) }
                    }
                }
            }
        }
    }
}

fn foot() -> Markup {
    html! {
        footer {
            h2 { "How to read this" }
            p {
                b { "Measured" } " is what a counter of the hardware told, "
                b { "estimated" } " what a model of the hardware gives. "
                b { "Not measured" } " is no number at all, and not 0 Wh. The score counts the GPUs \
                    alone, over the phases preprocess, prefill and decode; loading never counts. \
                    Behind every number are the file and the keys that it is from, in the run’s \
                    results folder."
            }
            p { "Made by aienergyscore " (env!("CARGO_PKG_VERSION")) "." }
        }
    }
}

#[cfg(test)]
mod tests;
