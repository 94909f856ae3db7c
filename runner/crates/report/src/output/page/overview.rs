//! Several runs side by side: bars of what they drew, and a table of all their numbers.

use contract::summary::{DeviceKind, Run, Status, Summary};
use maud::{Markup, html};

use super::{
    bars::{Bar, draw},
    elements::{badge, no_badge, phases_legend},
};
use crate::{
    finished_run::{FinishedRun, Runs},
    groups::{Energy, Group},
    metrics::{Drawn, Metric, Metrics},
    number_format::{count, four_digits, three_digits},
};

/// Bars that share a scale: the same devices, metered by the same.
type Kind = (DeviceKind, bool);

/// Shows all runs of `all` side by side.
pub(super) fn section(all: &Runs, metrics: &[Metrics], groups: &[Group]) -> Markup {
    let kind = |group: &Group| group.energy.map(|energy| (energy.kind, energy.by_host));
    let mut kinds: Vec<Kind> = groups.iter().filter_map(kind).collect();
    // The score's kind comes first.
    kinds.sort_by_key(|(kind, by_host)| (*kind != DeviceKind::Gpu, *by_host, *kind as u8));
    kinds.dedup();
    let charts = kinds.into_iter().map(|wanted| {
        let mut alike: Vec<_> = groups.iter().filter(|group| kind(group) == Some(wanted)).collect();
        alike.sort_by(|one, two| mean(one).total_cmp(&mean(two)));
        chart(all, metrics, wanted, &alike)
    });
    let unknown: Vec<_> = groups.iter().filter(|group| group.energy.is_none()).collect();
    html! {
        section aria-labelledby="energy" {
            h2 id="energy" { "Energy per 1,000 prompts" }
            @for chart in charts { (chart) }
            @if !unknown.is_empty() {
                h3 { "Nothing measured" }
                ul class="plainlist" {
                    @for group in unknown {
                        @let first = group.runs[0];
                        @let Summary { run, measurement, .. } = &all.runs[first].summary;
                        @let why = metrics[first].too_short.as_ref().unwrap_or(&measurement.source);
                        li { (link(first, &run.model)) " " (why) }
                    }
                }
            }
        }
        (table(all, metrics))
    }
}

fn mean(group: &Group) -> f64 {
    group.energy.map_or(f64::INFINITY, |energy| energy.per_thousand.mean)
}

fn link(index: usize, text: &str) -> Markup {
    html! { a href={ "#run-" (index + 1) } { (text) } }
}

fn chart(all: &Runs, metrics: &[Metrics], (device, by_host): Kind, groups: &[&Group]) -> Markup {
    let most =
        groups.iter().filter_map(|group| group.energy).map(|energy| energy.per_thousand.most);
    let scale = most.fold(0.0, f64::max);
    let has_phases = groups.iter().any(|group| !parts(group, metrics).1.is_empty());
    html! {
        figure class="bars" {
            figcaption {
                b {
                    @match device {
                        DeviceKind::Gpu => "GPU energy",
                        DeviceKind::Cpu => "CPU energy, where no GPU was measured",
                        DeviceKind::Ram => "Memory’s energy, where nothing else was measured",
                    }
                }
                @if by_host { ", by the host’s meter" }
                ", least first; Wh per 1,000 prompts"
            }
            ol {
                @for group in groups { (row(all, metrics, group, scale)) }
            }
            @if has_phases && device == DeviceKind::Gpu { (phases_legend()) }
            @if groups.iter().any(|group| group.runs.len() > 1) {
                p class="from" {
                    "Of repeats, a bar is the mean, each mark on it one run, and ± their standard \
                     deviation in percent of the mean."
                }
            }
        }
    }
}

/// The mean energies of a group's phases, and those of them that are known of every run.
fn parts(group: &Group, metrics: &[Metrics]) -> (f64, Vec<(&'static str, f64)>) {
    let mean = mean(group);
    let runs = || group.runs.iter().map(|run| &metrics[*run].phases);
    let Some(first) = runs().next().filter(|phases| !phases.is_empty()) else {
        return (mean, vec![]);
    };
    let names: Vec<_> = first.iter().map(|(name, _)| *name).collect();
    let is_same = |phases: &Vec<(&str, Metric)>| {
        phases.iter().map(|(name, _)| *name).eq(names.iter().copied())
    };
    if !runs().all(is_same) {
        return (mean, vec![]);
    }
    let several = group.runs.len() as f64;
    let of = |index: usize| runs().map(|phases| phases[index].1.value).sum::<f64>() / several;
    (mean, names.iter().enumerate().map(|(index, name)| (*name, of(index))).collect())
}

fn row(all: &Runs, metrics: &[Metrics], group: &Group, scale: f64) -> Markup {
    let Some(Energy { kind, by_host: _, status, per_thousand }) = group.energy else {
        return html! {};
    };
    let first = group.runs[0];
    let run = &all.runs[first];
    let Run { model, backend, .. } = &run.summary.run;
    let deviation = per_thousand.percent().map(|percent| format!(" ± {percent:.1} %"));
    let deviation = deviation.unwrap_or_default();
    let (mean, phases) = parts(group, metrics);
    let whole = if status == Status::Estimated { "estimate" } else { "whole" };
    let marks = group.runs.iter().filter_map(|run| metrics[*run].headline());
    let bar = Bar {
        id: &format!("bar-{}", first + 1),
        title: &format!(
            "{model}: {} {} Wh per 1,000 prompts{deviation}, {}",
            kind.name(),
            four_digits(mean),
            status.word()
        ),
        parts: if phases.is_empty() { vec![(whole, mean)] } else { phases },
        marks: if group.runs.len() > 1 {
            marks.map(|drawn| drawn.metric.value).collect()
        } else {
            vec![]
        },
        scale,
    };
    html! {
        li {
            div class="name" {
                (link(first, model)) " "
                small {
                    (backend) " · "
                    @match group.runs.len() {
                        1 => (all.name(&run.folder)),
                        several => { (several) " runs" },
                    }
                }
            }
            (draw(&bar))
            div class="value" { b { (four_digits(mean)) } " " small { (deviation) } (badge(status)) }
        }
    }
}

fn table(all: &Runs, metrics: &[Metrics]) -> Markup {
    let head = [
        "Run",
        "Wh per 1,000 prompts",
        "Tokens per second",
        "Tokens per joule",
        "First token",
        "Prompts",
    ];
    html! {
        section aria-labelledby="all" {
            h2 id="all" { "All runs" }
            table class="all" role="table" aria-labelledby="all" {
                thead role="rowgroup" {
                    tr role="row" {
                        @for name in head { th role="columnheader" { (name) } }
                    }
                }
                tbody role="rowgroup" {
                    @for (index, (run, metrics)) in all.runs.iter().zip(metrics).enumerate() {
                        (table_row(index, &all.name(&run.folder), run, metrics))
                    }
                }
            }
        }
    }
}

fn table_row(index: usize, name: &str, run: &FinishedRun, metrics: &Metrics) -> Markup {
    let few = |metric: &Option<Metric>, unit: &str| {
        metric.as_ref().map(|metric| format!("{}{unit}", three_digits(metric.value)))
    };
    let Run { model, prompts, prompts_failed, .. } = &run.summary.run;
    let joule = metrics.tokens_per_joule.as_ref();
    let failed = match prompts_failed {
        0 => String::new(),
        failed => format!(", {failed} failed"),
    };
    let cells = [
        ("Tokens/s", few(&metrics.tokens_per_second, "")),
        (
            "Tokens/J",
            joule.map(|(kind, metric)| format!("{} {}", three_digits(metric.value), kind.name())),
        ),
        ("First token", few(&metrics.first_token, " s")),
        ("Prompts", Some(format!("{}{failed}", count(*prompts)))),
    ];
    html! {
        tr role="row" {
            th role="rowheader" { (link(index, name)) " " small { (model) } }
            td role="cell" {
                @if let Some(Drawn { kind, by_host, too_short: _, metric }) = metrics.headline() {
                    b { (four_digits(metric.value)) } " "
                    small { (kind.name()) @if *by_host { " by host" } } " "
                    (badge(metric.status))
                } @else {
                    (no_badge(metrics.no_headline()))
                }
            }
            @for (label, value) in cells {
                td role="cell" data-label=(label) {
                    @match value {
                        Some(value) => (value),
                        None => small { (Status::NotMeasured.word()) },
                    }
                }
            }
        }
    }
}
