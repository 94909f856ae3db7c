//! One run: its headline, its phases, its power and every number with where it is from.

use contract::summary::{DeviceKind, Status};
use maud::{Markup, html};

use super::{
    bars::{Bar, draw},
    power,
    text::{badge, no_badge, prose},
    what_ran::{again, what_ran},
};
use crate::{
    figures::{Drawn, Figure, Figures, SERVER_NOT_MEASURED, TOO_SHORT},
    number::{count, digits, few_digits},
    record::{Origin, RunRecord},
};

/// Shows the only run of a page.
pub(super) fn alone(run: &RunRecord, figures: &Figures) -> Markup {
    html! {
        section class="hero" aria-labelledby="energy" {
            h2 id="energy" class="eyebrow" { "Energy per 1,000 prompts" }
            (headline(run, figures))
            (tiles(figures))
            (phases("run-1", figures))
        }
        @for (name, content) in sections("run-1", run, figures) {
            section { h2 { (name) } (content) }
        }
    }
}

/// Shows a run among others, folded unless there are few.
pub(super) fn folded(
    index: usize,
    name: &str,
    run: &RunRecord,
    figures: &Figures,
    is_open: bool,
) -> Markup {
    let id = format!("run-{}", index + 1);
    html! {
        details class="run" open[is_open] {
            summary {
                b { (name) } " "
                small { (run.summary.run.model) }
                span class="at" {
                    @if let Some(drawn) = figures.headline() {
                        (drawn.kind.name()) " " (digits(drawn.figure.value)) " Wh "
                        (badge(drawn.figure.status))
                    } @else {
                        (no_badge(figures.no_headline()))
                    }
                }
            }
            // Inside, so that a link to it unfolds it.
            div id=(id) class="inside" {
                (headline(run, figures))
                (tiles(figures))
                (phases(&id, figures))
                @for (name, content) in sections(&id, run, figures) {
                    section { h3 { (name) } (content) }
                }
            }
        }
    }
}

fn headline(run: &RunRecord, figures: &Figures) -> Markup {
    html! {
        div class="headline" {
            @if let Some(gpu) = &figures.gpu {
                p class="big" {
                    b { (digits(gpu.figure.value)) } " " span { "Wh" } " " (badge(gpu.figure.status))
                }
                p class="what" { (who(gpu, run)) }
            } @else {
                p class="big none" { b { (no_headline(figures)) } }
                p class="what" { (run.summary.measurement.source) }
                @if !figures.others.is_empty() { (instead(figures)) }
            }
        }
    }
}

fn no_headline(figures: &Figures) -> &'static str {
    let is_gpu = figures.others.iter().any(|drawn| drawn.kind == DeviceKind::Gpu);
    match figures.served {
        true => SERVER_NOT_MEASURED,
        false if is_gpu => TOO_SHORT,
        false => "GPU not measured",
    }
}

/// What was measured where the GPU was not.
fn instead(figures: &Figures) -> Markup {
    html! {
        p class="instead" {
            @if figures.served {
                "What its client’s machine drew, per 1,000 prompts:"
            } @else {
                "What there is instead, per 1,000 prompts:"
            }
        }
        ul class="others" {
            @for Drawn { kind, by_host, too_short, figure } in &figures.others {
                li {
                    b { (digits(figure.value)) } " Wh " (kind.name())
                    @if *by_host { ", by the host’s meter" } " "
                    (badge(figure.status))
                    @if *too_short { " " (no_badge(TOO_SHORT)) }
                }
            }
        }
    }
}

/// What drew the headline's energy, and what told it.
fn who(gpu: &Drawn, run: &RunRecord) -> String {
    let is_gpu = |kind: &DeviceKind| *kind == DeviceKind::Gpu;
    let names: Vec<_> = match (&run.meter, gpu.by_host) {
        (Some((meter, _)), true) => {
            let gpus = meter.devices.iter().filter(|device| is_gpu(&device.kind));
            gpus.map(|device| device.name.as_str()).collect()
        }
        _ => {
            let devices = run.summary.measurement.devices.iter();
            let gpus = devices.filter(|device| is_gpu(&device.kind));
            gpus.map(|device| device.name.as_str()).collect()
        }
    };
    let by = if gpu.by_host { "the host’s meter: " } else { "" };
    format!("{} · {by}{}", names.join(", "), gpu.figure.source)
}

fn tiles(figures: &Figures) -> Markup {
    let joule = figures.tokens_per_joule.as_ref();
    let of = joule.map_or("GPU", |(kind, _)| kind.name());
    let tiles = [
        ("Tokens per second".to_owned(), figures.tokens_per_second.as_ref(), "tokens/s"),
        (format!("Tokens per joule, {of}"), joule.map(|(_, figure)| figure), "tokens/J"),
        ("Time to first token".to_owned(), figures.first_token.as_ref(), "s"),
        ("Time for the prompts".to_owned(), figures.seconds.as_ref(), "s"),
        ("Prompts answered".to_owned(), Some(&figures.prompts), ""),
    ];
    html! {
        dl class="tiles" {
            @for (name, figure, unit) in tiles {
                div {
                    dt { (name) }
                    dd {
                        @if let Some(figure) = figure {
                            b { (value_or_count(figure.value, unit, few_digits)) } " " span { (unit) }
                        } @else {
                            span class="none" { (Status::NotMeasured.word()) }
                        }
                    }
                }
            }
        }
    }
}

fn phases(id: &str, figures: &Figures) -> Markup {
    let (Some(gpu), false) = (&figures.gpu, figures.phases.is_empty()) else { return html! {} };
    let values = || figures.phases.iter().map(|(name, figure)| (*name, figure.value));
    let list: Vec<_> =
        values().map(|(name, value)| format!("{name} {} Wh", digits(value))).collect();
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
                        i class=(name) {} (name) " " span { (digits(value)) " Wh" }
                        @if gpu.figure.value > 0.0 {
                            " " small { (format!("{:.0} %", value / gpu.figure.value * 100.0)) }
                        }
                    }
                }
            }
        }
    }
}

/// Everything below the headline: headings with what stands under them.
fn sections(id: &str, run: &RunRecord, figures: &Figures) -> Vec<(&'static str, Markup)> {
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
            Some(repeat) => (again(repeat)),
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
            ("Every number, and where it is from", numbers(run, figures)),
            ("What ran", what_ran(run)),
            ("Run it again", repeat),
        ])
        .collect()
}

fn numbers(run: &RunRecord, figures: &Figures) -> Markup {
    let Figures {
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
    } = figures;
    let from = match run.origin {
        Origin::Summary => "GPU_ENERGY_SUMMARY.json: measurement.source",
        Origin::Report(_) => "benchmark_report.json",
    };
    let why = match tokens {
        Some(_) => "no energy was measured",
        None => "the backend does not count tokens",
    };
    let line = |name: &str, figure: &Option<Figure>, unit| match figure {
        Some(figure) => row(name, figure, unit),
        None => absent(name, "the backend does not tell", "–"),
    };
    // Roles are said outright: on a phone the rows are no table's to a browser's eye.
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
                    Some(gpu) => (drawn(gpu)),
                    None => {
                        (absent("GPU energy per 1,000 prompts", &run.summary.measurement.source, from))
                    }
                }
                @for (name, figure) in phases {
                    (row(&format!("GPU energy per 1,000 prompts, {name}"), figure, "Wh"))
                }
                @for other in others { (drawn(other)) }
                (line("Generated tokens per second", tokens_per_second, "tokens/s"))
                @match tokens_per_joule {
                    Some((kind, figure)) => {
                        (row(
                            &format!("Generated tokens per joule of the {}", kind.name()),
                            figure,
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

fn drawn(drawn: &Drawn) -> Markup {
    let Drawn { kind, by_host, too_short, figure } = drawn;
    let by = if *by_host { ", by the host’s meter" } else { "" };
    let short = if *too_short { ", too short to measure" } else { "" };
    row(&format!("{} energy per 1,000 prompts{by}{short}", kind.name()), figure, "Wh")
}

fn row(name: &str, figure: &Figure, unit: &str) -> Markup {
    let Figure { value, status, source, trace } = figure;
    let value = html! { b { (value_or_count(*value, unit, digits)) } " " (unit) };
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

/// `value` as `shown` writes it. Counts have no unit here, and all of their digits.
fn value_or_count(value: f64, unit: &str, shown: fn(f64) -> String) -> String {
    if unit.is_empty() { count(value as u64) } else { shown(value) }
}
