//! The report as one self-contained HTML page: no script, font, image or network. The template escapes
//! all text.

mod axis;
mod bars;
mod details;
mod elements;
mod metrics_table;
mod overview;
mod power;
mod run;

use maud::{DOCTYPE, Markup, PreEscaped, html};
use untrusted::escape;

use self::elements::prose;
use crate::{finished_run::Broken, groups::indices_by_key, number_format::count, report::Report};

/// Styles for light and dark mode, phones and paper.
const STYLE: &str = include_str!("page/style.css");

/// Up to this number of runs, all are unfolded.
const UNFOLDED: usize = 3;

/// Content security policy: nothing but the page's own style may load.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'";

/// The report as HTML.
pub(crate) fn html(report: &Report) -> String {
    let title = title(report);
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
                    p class="sub" { (subtitle(report)) }
                }
                main {
                    (runs(report))
                    (broken(report))
                }
                (foot())
            }
        }
    };
    // Names may be hostile: invisible characters and marks of direction are shown as their numbers.
    page.into_string().split('\n').map(escape).collect::<Vec<_>>().join("\n")
}

/// The runs: one alone, or an overview and a section for each.
fn runs(report: &Report) -> Markup {
    match &report.runs[..] {
        [] => html! {},
        [only] => run::alone(only),
        runs => html! {
            (overview::section(report))
            section aria-labelledby="each" {
                h2 id="each" { "Each run" }
                @for (index, reported) in runs.iter().enumerate() {
                    @let name = report.name(&reported.run.folder);
                    (run::folded(index, &name, reported, runs.len() <= UNFOLDED))
                }
            }
        },
    }
}

/// The model, or the number of runs and models.
fn title(report: &Report) -> String {
    let models = report.runs.iter().map(|reported| &reported.run.summary.run.model);
    match (&report.runs[..], &indices_by_key(models)[..]) {
        ([], _) => "No run could be read".to_owned(),
        ([_], [(model, _)]) => (*model).clone(),
        (runs, [(model, _)]) => format!("{} runs of {model}", count(runs.len() as u64)),
        (runs, models) => format!("{} runs of {} models", count(runs.len() as u64), models.len()),
    }
}

/// Backends, days and folder of the runs.
fn subtitle(report: &Report) -> String {
    let mut parts = vec![];
    let backends = report.runs.iter().map(|reported| reported.run.summary.run.backend.name());
    let backends: Vec<_> = indices_by_key(backends).into_iter().map(|(name, _)| name).collect();
    if !backends.is_empty() {
        let plural = if backends.len() > 1 { "backends" } else { "backend" };
        parts.push(format!("{plural} {}", backends.join(", ")));
    }
    let repeats = report.runs.iter().filter_map(|reported| reported.run.summary.repeat.as_ref());
    let mut days: Vec<_> = repeats.filter_map(|repeat| repeat.begun.get(..10)).collect();
    days.sort_unstable();
    match (days.first(), days.last()) {
        (Some(first), Some(last)) if first == last => parts.push((*first).to_owned()),
        (Some(first), Some(last)) => parts.push(format!("{first} to {last}")),
        _ => {}
    }
    let folder = match (&report.runs[..], &report.parent) {
        (_, Some(parent)) => Some(format!("in {}", parent.display())),
        ([only], None) => Some(only.run.folder.display().to_string()),
        _ => None,
    };
    parts.extend(folder);
    if !report.broken.is_empty() {
        parts.push(format!("{} broken", report.broken.len()));
    }
    parts.join(" · ")
}

/// The list of folders that could not be read.
fn broken(report: &Report) -> Markup {
    html! {
        @if !report.broken.is_empty() {
            section class="broken" aria-labelledby="broken" {
                h2 id="broken" { "Broken" }
                p { "These could not be read. Nothing on this page is of them." }
                dl {
                    @for Broken { folder, reason } in &report.broken {
                        dt { code { (report.name(folder)) } }
                        dd { (prose(reason)) }
                    }
                }
            }
        }
    }
}

/// Explains the statuses of numbers, and names the version.
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
