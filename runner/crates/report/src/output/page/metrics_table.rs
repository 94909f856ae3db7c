//! The table of all metrics of a run on the page: value, how it was obtained, and the files and keys.

use contract::summary::Status;
use maud::{Markup, html};

use super::elements::{BY_HOST, badge, value_or_count};
use crate::{
    finished_run::{FinishedRun, Origin},
    metrics::{EnergyMetric, Metric, Metrics},
    number_format::four_digits,
};

/// The table of a run's metrics. A missing metric has a row with the reason.
pub(super) fn metrics_table(run: &FinishedRun, metrics: &Metrics) -> Markup {
    let Metrics {
        gpu,
        phases,
        others,
        served: _,
        too_short: _,
        tokens_per_second,
        tokens_per_joule,
        first_token,
        seconds,
        prompts,
        tokens,
    } = metrics;
    let from = match run.origin {
        Origin::Summary => "GPU_ENERGY_SUMMARY.json: measurement.source",
        Origin::Report(_) => "benchmark_report.json",
    };
    let why = match tokens {
        Some(_) => "no energy was measured",
        None => "the backend does not count tokens",
    };
    let line = |name: &str, metric: &Option<Metric>, unit| match metric {
        Some(metric) => row(name, metric, unit),
        None => absent(name, "the backend does not tell", "–"),
    };
    // The roles are explicit: on phones, the style shows cells as blocks, and browsers drop the implicit
    // roles of such cells.
    html! {
        table class="numbers" role="table" aria-label="Every number" {
            thead role="rowgroup" {
                tr role="row" {
                    @for name in ["Number", "Value", "How", "From"] {
                        th role="columnheader" { (name) }
                    }
                }
            }
            tbody role="rowgroup" {
                @match gpu {
                    Some(gpu) => (energy_row(gpu)),
                    None => {
                        (absent("GPU energy per 1,000 prompts", &run.summary.measurement.source, from))
                    }
                }
                @for (name, metric) in phases {
                    (row(&format!("GPU energy per 1,000 prompts, {name}"), metric, "Wh"))
                }
                @for other in others { (energy_row(other)) }
                (line("Generated tokens per second", tokens_per_second, "tokens/s"))
                @match tokens_per_joule {
                    Some((kind, metric)) => {
                        (row(
                            &format!("Generated tokens per joule of the {}", kind.name()),
                            metric,
                            "tokens/J",
                        ))
                    }
                    None => (absent("Generated tokens per joule", why, "–")),
                }
                (line("Time to first token, mean", first_token, "s"))
                (line("Time for the prompts", seconds, "s"))
                (row("Prompts answered", prompts, ""))
                (line("Tokens generated", tokens, ""))
            }
        }
    }
}

/// The row of an energy.
fn energy_row(energy: &EnergyMetric) -> Markup {
    let EnergyMetric { kind, by_host, too_short, metric, .. } = energy;
    let by = if *by_host { BY_HOST } else { "" };
    let short = if *too_short { ", too short to measure" } else { "" };
    row(&format!("{} energy per 1,000 prompts{by}{short}", kind.name()), metric, "Wh")
}

/// The row of a metric.
fn row(name: &str, metric: &Metric, unit: &str) -> Markup {
    let Metric { value, status, source, trace } = metric;
    let value = html! { b { (value_or_count(*value, unit, four_digits)) } " " (unit) };
    cells(name, value, *status, source, &trace.to_string())
}

/// The row of a missing metric, with the reason.
fn absent(name: &str, why: &str, from: &str) -> Markup {
    cells(name, html! { "–" }, Status::NotMeasured, why, from)
}

/// The cells of a row.
fn cells(name: &str, value: Markup, status: Status, source: &str, from: &str) -> Markup {
    html! {
        tr role="row" {
            th role="rowheader" { (name) }
            td role="cell" class="number" { (value) }
            td role="cell" { (badge(status)) " " (source) }
            td role="cell" class="trace" { code { (from) } }
        }
    }
}
