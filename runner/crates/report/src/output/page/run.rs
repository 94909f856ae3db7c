//! One run: headline, phases, notes, power, metrics, settings, commands.

use contract::summary::{DeviceKind, Status};
use maud::{Markup, html};

use super::{
    bars::{Bar, draw},
    details::{details, reproduction},
    elements::{BY_HOST, badge, no_badge, prose, value_or_count},
    metrics_table::metrics_table,
    power,
};
use crate::{
    finished_run::FinishedRun,
    metrics::ReportedRun,
    metrics::{EnergyMetric, Metrics, SERVER_NOT_MEASURED, TOO_SHORT},
    number_format::{four_digits, three_digits},
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

/// The part of a run above its sections: headline, key numbers and phases.
fn top(id: &str, ReportedRun { run, metrics }: &ReportedRun) -> Markup {
    html! {
        (headline(run, metrics))
        (tiles(metrics))
        (phases(id, metrics))
    }
}

/// The GPU energy, or the reason why it is missing and the other energies.
fn headline(run: &FinishedRun, metrics: &Metrics) -> Markup {
    html! {
        div class="headline" {
            @if let Some(gpu) = &metrics.gpu {
                p class="big" {
                    b { (four_digits(gpu.metric.value)) } " " span { "Wh" } " " (badge(gpu.metric.status))
                }
                p class="what" { (devices_and_source(gpu, run)) }
            } @else {
                p class="big none" { b { (no_headline(metrics)) } }
                p class="what" { (run.summary.measurement.source) }
                @if !metrics.others.is_empty() { (instead(metrics)) }
            }
        }
    }
}

/// Text in place of a missing GPU energy.
fn no_headline(metrics: &Metrics) -> &'static str {
    let is_gpu = metrics.others.iter().any(|energy| energy.kind == DeviceKind::Gpu);
    match metrics.served {
        true => SERVER_NOT_MEASURED,
        false if is_gpu => TOO_SHORT,
        false => "GPU not measured",
    }
}

/// The energies to show in place of a missing GPU energy.
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

/// The devices of the headline's energy, and the counter or model behind it.
fn devices_and_source(gpu: &EnergyMetric, run: &FinishedRun) -> String {
    let own = run.summary.measurement.devices.iter().filter(|_| !gpu.by_host);
    let of_host = run.meter.iter().filter(|_| gpu.by_host).flat_map(|(meter, _)| &meter.devices);
    let own = own.map(|device| (device.kind, device.name.as_str()));
    let devices = own.chain(of_host.map(|device| (device.kind, device.name.as_str())));
    let gpus = devices.filter(|(kind, _)| *kind == DeviceKind::Gpu).map(|(_, name)| name);
    let by = if gpu.by_host { "the host’s meter: " } else { "" };
    format!("{} · {by}{}", gpus.collect::<Vec<_>>().join(", "), gpu.metric.source)
}

/// The other key numbers of a run.
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

/// The GPU energy by phase, as a bar and a list.
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
            ("Every number, and where it is from", metrics_table(run, metrics)),
            ("What ran", details(run)),
            ("Run it again", repeat),
        ])
        .collect()
}
