//! All runs side by side: a bar chart of their energies and a table.

use contract::summary::{DeviceKind, Run, Status, Summary};
use maud::{Markup, html};

use super::{
    bars::{Bar, draw},
    elements::{BY_HOST, badge, no_badge},
};
use crate::{
    groups::{Group, GroupEnergy},
    metrics::ReportedRun,
    metrics::{EnergyMetric, Metric, PHASES},
    number_format::{count, four_digits, three_digits},
    report::Report,
};

/// The overview of several runs.
pub(super) fn section(report: &Report) -> Markup {
    let groups = report.groups.iter();
    let mut measured: Vec<_> =
        groups.clone().filter_map(|group| Some((group, group.energy?))).collect();
    let unknown: Vec<_> = groups.filter(|group| group.energy.is_none()).collect();
    // GPU energy, the score, comes first. Within a chart, the lowest energy comes first.
    measured.sort_by(|(_, one), (_, two)| {
        let order = |of: &GroupEnergy| (of.kind != DeviceKind::Gpu, of.by_host, of.kind as u8);
        let least = one.per_thousand.mean.total_cmp(&two.per_thousand.mean);
        order(one).cmp(&order(two)).then(least)
    });
    // Only energies of one kind of device and one meter share a scale.
    let charts =
        measured.chunk_by(|(_, one), (_, two)| (one.kind, one.by_host) == (two.kind, two.by_host));
    html! {
        section aria-labelledby="energy" {
            h2 id="energy" { "Energy per 1,000 prompts" }
            @for groups in charts { (chart(report, groups)) }
            @if !unknown.is_empty() {
                h3 { "Nothing measured" }
                ul class="plainlist" {
                    @for group in unknown {
                        @let first = group.runs[0];
                        @let ReportedRun { run, metrics } = &report.runs[first];
                        @let Summary { run, measurement, .. } = &run.summary;
                        @let why = metrics.too_short.as_ref().unwrap_or(&measurement.source);
                        li { (link(first, &run.model)) " " (why) }
                    }
                }
            }
        }
        (table(report))
    }
}

/// A link to the section of a run.
fn link(index: usize, text: &str) -> Markup {
    html! { a href={ "#run-" (index + 1) } { (text) } }
}

/// The bar chart of groups whose energies share kind of device and meter.
fn chart(report: &Report, groups: &[(&Group, GroupEnergy)]) -> Markup {
    let (_, GroupEnergy { kind, by_host, .. }) = groups[0];
    let scale = groups.iter().map(|(_, energy)| energy.per_thousand.most).fold(0.0, f64::max);
    let has_phases = groups.iter().any(|(group, _)| !mean_phases(report, group).is_empty());
    html! {
        figure class="bars" {
            figcaption {
                b {
                    @match kind {
                        DeviceKind::Gpu => "GPU energy",
                        DeviceKind::Cpu => "CPU energy, where no GPU was measured",
                        DeviceKind::Ram => "Memory’s energy, where nothing else was measured",
                    }
                }
                @if by_host { (BY_HOST) }
                ", least first; Wh per 1,000 prompts"
            }
            ol {
                @for (group, energy) in groups { (row(report, group, energy, scale)) }
            }
            @if has_phases && kind == DeviceKind::Gpu {
                ul class="legend" {
                    @for name in PHASES { li { i class=(name) {} (name) } }
                }
            }
            @if groups.iter().any(|(group, _)| group.runs.len() > 1) {
                p class="from" {
                    "Of repeats, a bar is the mean, each mark on it one run, and ± their standard \
                     deviation in percent of the mean."
                }
            }
        }
    }
}

/// The mean energies of a group's phases, if all of its runs have the same ones.
fn mean_phases(report: &Report, group: &Group) -> Vec<(&'static str, f64)> {
    let runs: Vec<_> = group.runs.iter().map(|run| &report.runs[*run].metrics.phases).collect();
    let phases = runs[0].iter().enumerate().map(|(index, (name, _))| {
        let values = runs.iter().map(|phases| match phases.get(index) {
            Some((other, metric)) if other == name && phases.len() == runs[0].len() => {
                Some(metric.value)
            }
            _ => None,
        });
        Some((*name, values.sum::<Option<f64>>()? / runs.len() as f64))
    });
    phases.collect::<Option<_>>().unwrap_or_default()
}

/// The row of a group in the chart: name, bar and energy.
fn row(report: &Report, group: &Group, energy: &GroupEnergy, scale: f64) -> Markup {
    let GroupEnergy { kind, by_host: _, status, per_thousand } = energy;
    let first = group.runs[0];
    let run = &report.runs[first].run;
    let Run { model, backend, .. } = &run.summary.run;
    let deviation = per_thousand.deviation_text();
    let mean = per_thousand.mean;
    let phases = mean_phases(report, group);
    let whole = if *status == Status::Estimated { "estimate" } else { "whole" };
    let values = group.runs.iter().filter_map(|run| report.runs[*run].metrics.headline());
    let bar = Bar {
        id: &format!("bar-{}", first + 1),
        title: &format!(
            "{model}: {} {} Wh per 1,000 prompts{deviation}, {}",
            kind.name(),
            four_digits(mean),
            status.word()
        ),
        parts: if phases.is_empty() { vec![(whole, mean)] } else { phases },
        marks: match group.runs.len() {
            1 => vec![],
            _ => values.map(|energy| energy.metric.value).collect(),
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
                        1 => (report.name(&run.folder)),
                        several => { (several) " runs" },
                    }
                }
            }
            (draw(&bar))
            div class="value" { b { (four_digits(mean)) } " " small { (deviation) } (badge(*status)) }
        }
    }
}

/// The table with a row for each run.
fn table(report: &Report) -> Markup {
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
                    @for (index, reported) in report.runs.iter().enumerate() {
                        (table_row(index, &report.name(&reported.run.folder), reported))
                    }
                }
            }
        }
    }
}

/// The row of a run in the table.
fn table_row(index: usize, name: &str, ReportedRun { run, metrics }: &ReportedRun) -> Markup {
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
                @if let Some(EnergyMetric { kind, by_host, metric, .. }) = metrics.headline() {
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
