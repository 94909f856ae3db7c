//! One run: headline, phases, power, all metrics with their sources, settings, command.

use contract::summary::{DeviceKind, Status};
use maud::{Markup, html};

use super::{
    bars::{Bar, draw},
    details::{details, reproduction},
    elements::{BY_HOST, badge, no_badge, prose},
    power,
};
use crate::{
    finished_run::{FinishedRun, Origin},
    metrics::{EnergyMetric, Metric, Metrics, SERVER_NOT_MEASURED, TOO_SHORT},
    number_format::{count, four_digits, three_digits},
    report::ReportedRun,
};

/// The only run of a page.
pub(super) fn alone(reported: &ReportedRun) -> Markup {
    html! {
        section class="hero" aria-labelledby="energy" {
            h2 id="energy" class="eyebrow" { "Energy per 1,000 prompts" }
            (top("run-1", reported))
        }
        @for (name, content) in sections("run-1", reported) {
            section { h2 { (name) } (content) }
        }
    }
}

/// One of several runs, which can be unfolded.
pub(super) fn folded(index: usize, name: &str, reported: &ReportedRun, is_open: bool) -> Markup {
    let ReportedRun { run, metrics } = reported;
    let id = format!("run-{}", index + 1);
    html! {
        details class="run" open[is_open] {
            summary {
                b { (name) } " "
                small { (run.summary.run.model) }
                span class="at" {
                    @if let Some(energy) = metrics.headline() {
                        (energy.kind.name()) " " (four_digits(energy.metric.value)) " Wh "
                        (badge(energy.metric.status))
                    } @else {
                        (no_badge(metrics.no_headline()))
                    }
                }
            }
            // The id is inside, so that a link to it unfolds the run.
            div id=(id) class="inside" {
                (top(&id, reported))
                @for (name, content) in sections(&id, reported) {
                    section { h3 { (name) } (content) }
                }
            }
        }
    }
}

fn top(id: &str, ReportedRun { run, metrics }: &ReportedRun) -> Markup {
    html! {
        (headline(run, metrics))
        (tiles(metrics))
        (phases(id, metrics))
    }
}

fn headline(run: &FinishedRun, metrics: &Metrics) -> Markup {
    html! {
        div class="headline" {
            @if let Some(gpu) = &metrics.gpu {
                p class="big" {
                    b { (four_digits(gpu.metric.value)) } " " span { "Wh" } " " (badge(gpu.metric.status))
                }
                p class="what" { (who(gpu, run)) }
            } @else {
                p class="big none" { b { (no_headline(metrics)) } }
                p class="what" { (run.summary.measurement.source) }
                @if !metrics.others.is_empty() { (instead(metrics)) }
            }
        }
    }
}

fn no_headline(metrics: &Metrics) -> &'static str {
    let is_gpu = metrics.others.iter().any(|energy| energy.kind == DeviceKind::Gpu);
    match metrics.served {
        true => SERVER_NOT_MEASURED,
        false if is_gpu => TOO_SHORT,
        false => "GPU not measured",
    }
}

/// The other energies of a run without GPU energy.
fn instead(metrics: &Metrics) -> Markup {
    html! {
        p class="instead" {
            @if metrics.served {
                "What its client’s machine drew, per 1,000 prompts:"
            } @else {
                "What there is instead, per 1,000 prompts:"
            }
        }
        ul class="others" {
            @for EnergyMetric { kind, by_host, too_short, metric, .. } in &metrics.others {
                li {
                    b { (four_digits(metric.value)) } " Wh " (kind.name())
                    @if *by_host { (BY_HOST) } " "
                    (badge(metric.status))
                    @if *too_short { " " (no_badge(TOO_SHORT)) }
                }
            }
        }
    }
}

/// The devices of the headline's energy, and what measured it.
fn who(gpu: &EnergyMetric, run: &FinishedRun) -> String {
    let is_gpu = |kind| kind == DeviceKind::Gpu;
    let names: Vec<_> = match &run.meter {
        Some((meter, _)) if gpu.by_host => {
            let gpus = meter.devices.iter().filter(|device| is_gpu(device.kind));
            gpus.map(|device| device.name.as_str()).collect()
        }
        _ => {
            let devices = run.summary.measurement.devices.iter();
            let gpus = devices.filter(|device| is_gpu(device.kind));
            gpus.map(|device| device.name.as_str()).collect()
        }
    };
    let by = if gpu.by_host { "the host’s meter: " } else { "" };
    format!("{} · {by}{}", names.join(", "), gpu.metric.source)
}

fn tiles(metrics: &Metrics) -> Markup {
    let joule = metrics.tokens_per_joule.as_ref();
    let of = joule.map_or("GPU", |(kind, _)| kind.name());
    let tiles = [
        ("Tokens per second".to_owned(), metrics.tokens_per_second.as_ref(), "tokens/s"),
        (format!("Tokens per joule, {of}"), joule.map(|(_, metric)| metric), "tokens/J"),
        ("Time to first token".to_owned(), metrics.first_token.as_ref(), "s"),
        ("Time for the prompts".to_owned(), metrics.seconds.as_ref(), "s"),
        ("Prompts answered".to_owned(), Some(&metrics.prompts), ""),
    ];
    html! {
        dl class="tiles" {
            @for (name, metric, unit) in tiles {
                div {
                    dt { (name) }
                    dd {
                        @if let Some(metric) = metric {
                            b { (value_or_count(metric.value, unit, three_digits)) } " " span { (unit) }
                        } @else {
                            span class="none" { (Status::NotMeasured.word()) }
                        }
                    }
                }
            }
        }
    }
}

fn phases(id: &str, metrics: &Metrics) -> Markup {
    let (Some(gpu), false) = (&metrics.gpu, metrics.phases.is_empty()) else { return html! {} };
    let values = || metrics.phases.iter().map(|(name, metric)| (*name, metric.value));
    let list: Vec<_> =
        values().map(|(name, value)| format!("{name} {} Wh", four_digits(value))).collect();
    let bar = Bar {
        id: &format!("{id}-phases"),
        title: &format!("GPU energy per 1,000 prompts by phase: {}", list.join(", ")),
        parts: values().collect(),
        marks: vec![],
        scale: values().map(|(_, value)| value.max(0.0)).sum(),
    };
    html! {
        figure class="phases" {
            figcaption { "By phase" }
            (draw(&bar))
            ul class="legend" {
                @for (name, value) in values() {
                    li {
                        i class=(name) {} (name) " " span { (four_digits(value)) " Wh" }
                        @if gpu.metric.value > 0.0 {
                            " " small { (format!("{:.0} %", value / gpu.metric.value * 100.0)) }
                        }
                    }
                }
            }
        }
    }
}

/// The sections below the headline: heading and content.
fn sections(id: &str, ReportedRun { run, metrics }: &ReportedRun) -> Vec<(&'static str, Markup)> {
    let meter = run.meter.as_ref();
    let metered = meter.into_iter().flat_map(|(meter, _)| &meter.notes);
    let own = meter.and_then(|(meter, _)| meter.own_percent);
    let own = own.map(|percent| format!("the meter itself took {percent:.1} % of one processor"));
    let notes: Vec<_> =
        run.summary.notes.iter().chain(&run.warnings).chain(metered).chain(&own).collect();
    let list = html! {
        ul class="notes" {
            @for note in &notes { li { (prose(note)) } }
        }
    };
    let power = html! {
        @match meter {
            Some((meter, file)) if meter.devices.iter().any(|device| device.power.len() > 1) => {
                (power::charts(id, meter, file))
            }
            Some((_, file)) => p {
                "The host metered energies alone: " code { (file) } " has no power over time."
            },
            None => p { "Not measured: the results have no " code { "host_meter.json" } "." },
        }
    };
    let repeat = html! {
        @match &run.summary.repeat {
            Some(repeat) => (reproduction(repeat)),
            None => p {
                "Not recorded: the results are not of " code { "aienergyscore run" } "."
            },
        }
    };
    let notes = (!notes.is_empty()).then_some(("Notes", list));
    notes
        .into_iter()
        .chain([
            ("Power over time", power),
            ("Every number, and where it is from", numbers(run, metrics)),
            ("What ran", details(run)),
            ("Run it again", repeat),
        ])
        .collect()
}

fn numbers(run: &FinishedRun, metrics: &Metrics) -> Markup {
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
    // The roles are explicit, because the phone's style turns the table into blocks.
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

fn energy_row(energy: &EnergyMetric) -> Markup {
    let EnergyMetric { kind, by_host, too_short, metric, .. } = energy;
    let by = if *by_host { BY_HOST } else { "" };
    let short = if *too_short { ", too short to measure" } else { "" };
    row(&format!("{} energy per 1,000 prompts{by}{short}", kind.name()), metric, "Wh")
}

fn row(name: &str, metric: &Metric, unit: &str) -> Markup {
    let Metric { value, status, source, trace } = metric;
    let value = html! { b { (value_or_count(*value, unit, four_digits)) } " " (unit) };
    cells(name, value, *status, source, &trace.to_string())
}

fn absent(name: &str, why: &str, from: &str) -> Markup {
    cells(name, html! { "–" }, Status::NotMeasured, why, from)
}

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

/// `value` as `format` writes it, or with all of its digits if it is a count, without a unit.
fn value_or_count(value: f64, unit: &str, format: fn(f64) -> String) -> String {
    if unit.is_empty() { count(value as u64) } else { format(value) }
}
