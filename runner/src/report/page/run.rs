//! One run: its headline, its phases, its power and every number with where it is from.

use contract::summary::{DeviceKind, Status};

use super::{
    super::{
        figures::{Drawn, Figure, Figures, PHASES, SERVER_NOT_MEASURED, TOO_SHORT},
        number::{count, digits, few_digits},
        record::{Origin, RunRecord},
    },
    bars::{Bar, draw},
    markup::Markup,
    power,
    what_ran::{again, what_ran},
};

/// Shows the only run of a page.
pub(super) fn alone(page: &mut Markup, run: &RunRecord, figures: &Figures) {
    page.raw("<section class=\"hero\" aria-labelledby=\"energy\">");
    page.raw("<h2 id=\"energy\" class=\"eyebrow\">Energy per 1,000 prompts</h2>");
    headline(page, run, figures);
    tiles(page, figures);
    phases(page, "run-1", figures);
    page.close("section");
    body(page, "run-1", run, figures, "h2");
}

/// Shows a run among others, folded unless there are few.
pub(super) fn folded(
    page: &mut Markup,
    index: usize,
    name: &str,
    run: &RunRecord,
    figures: &Figures,
    is_open: bool,
) {
    page.raw("<details class=\"run\"").raw(if is_open { " open>" } else { ">" });
    page.raw("<summary><b>").text(name).raw("</b> ");
    page.element("small", &[], &run.summary.run.model).raw("<span class=\"at\">");
    match figures.headline() {
        Some(drawn) => {
            let text = format!("{} {} Wh", drawn.kind.name(), digits(drawn.figure.value));
            page.text(&text).raw(" ");
            badge(page, drawn.figure.status);
        }
        None => no_badge(page, figures.no_headline()),
    }
    page.raw("</span></summary>");
    let id = format!("run-{}", index + 1);
    // Inside, so that a link to it unfolds it.
    page.open("div", &[("id", &id), ("class", "inside")]);
    headline(page, run, figures);
    tiles(page, figures);
    phases(page, &id, figures);
    body(page, &id, run, figures, "h3");
    page.raw("</div></details>");
}

/// How a number is known, as a mark that is read without its colour.
pub(super) fn badge(page: &mut Markup, status: Status) {
    let class = match status {
        Status::Measured => "how measured",
        Status::Estimated => "how estimated",
        Status::NotMeasured => "how unknown",
    };
    page.element("span", &[("class", class)], status.word());
}

/// Why there is no number, in the place of its mark.
pub(super) fn no_badge(page: &mut Markup, why: &str) {
    page.element("span", &[("class", "how unknown")], why);
}

/// What the colours of phases stand for.
pub(super) fn phases_legend(page: &mut Markup) {
    page.raw("<ul class=\"legend\">");
    for name in PHASES {
        page.raw("<li>").element("i", &[("class", name)], "").text(name).raw("</li>");
    }
    page.raw("</ul>");
}

fn headline(page: &mut Markup, run: &RunRecord, figures: &Figures) {
    page.raw("<div class=\"headline\">");
    match &figures.gpu {
        Some(gpu) => {
            page.raw("<p class=\"big\"><b>")
                .text(&digits(gpu.figure.value))
                .raw("</b> <span>Wh</span> ");
            badge(page, gpu.figure.status);
            page.raw("</p><p class=\"what\">").text(&who(gpu, run)).raw("</p>");
        }
        None => {
            let is_gpu = figures.others.iter().any(|drawn| drawn.kind == DeviceKind::Gpu);
            let none = match figures.served {
                true => SERVER_NOT_MEASURED,
                false if is_gpu => TOO_SHORT,
                false => "GPU not measured",
            };
            page.raw("<p class=\"big none\"><b>").text(none).raw("</b></p><p class=\"what\">");
            page.text(&run.summary.measurement.source).raw("</p>");
        }
    }
    if figures.gpu.is_none() && !figures.others.is_empty() {
        let what = match figures.served {
            true => "What its client’s machine drew, per 1,000 prompts:",
            false => "What there is instead, per 1,000 prompts:",
        };
        page.raw("<p class=\"instead\">").text(what).raw("</p><ul class=\"others\">");
        for Drawn { kind, by_host, too_short, figure } in &figures.others {
            page.raw("<li><b>").text(&digits(figure.value)).raw("</b> Wh ").text(kind.name());
            page.raw(if *by_host { ", by the host’s meter " } else { " " });
            badge(page, figure.status);
            if *too_short {
                page.raw(" ");
                no_badge(page, TOO_SHORT);
            }
            page.raw("</li>");
        }
        page.raw("</ul>");
    }
    page.close("div");
}

/// What drew the headline's energy, and what told it.
fn who(gpu: &Drawn, run: &RunRecord) -> String {
    let names: Vec<_> = match (&run.meter, gpu.by_host) {
        (Some((meter, _)), true) => {
            let gpus = meter.devices.iter().filter(|device| device.kind == DeviceKind::Gpu);
            gpus.map(|device| device.name.clone()).collect()
        }
        _ => {
            let devices = run.summary.measurement.devices.iter();
            let gpus = devices.filter(|device| device.kind == DeviceKind::Gpu);
            gpus.map(|device| device.name.clone()).collect()
        }
    };
    let by = if gpu.by_host { "the host’s meter: " } else { "" };
    format!("{} · {by}{}", names.join(", "), gpu.figure.source)
}

fn tiles(page: &mut Markup, figures: &Figures) {
    let Figures { tokens_per_second, tokens_per_joule, first_token, seconds, prompts, .. } =
        figures;
    page.raw("<dl class=\"tiles\">");
    let mut tile = |name: &str, figure: Option<&Figure>, unit: &str| {
        page.raw("<div>").element("dt", &[], name).raw("<dd>");
        match figure {
            Some(figure) => {
                let value = few_or_count(figure.value, unit);
                page.element("b", &[], &value).raw(" ").element("span", &[], unit);
            }
            None => {
                page.element("span", &[("class", "none")], Status::NotMeasured.word());
            }
        }
        page.raw("</dd></div>");
    };
    tile("Tokens per second", tokens_per_second.as_ref(), "tokens/s");
    let of = tokens_per_joule.as_ref().map_or("GPU", |(kind, _)| kind.name());
    let joule = tokens_per_joule.as_ref().map(|(_, figure)| figure);
    tile(&format!("Tokens per joule, {of}"), joule, "tokens/J");
    tile("Time to first token", first_token.as_ref(), "s");
    tile("Time for the prompts", seconds.as_ref(), "s");
    tile("Prompts answered", Some(prompts), "");
    page.raw("</dl>");
}

fn phases(page: &mut Markup, id: &str, figures: &Figures) {
    let (Some(gpu), false) = (&figures.gpu, figures.phases.is_empty()) else { return };
    let total: f64 = figures.phases.iter().map(|(_, figure)| figure.value.max(0.0)).sum();
    let list: Vec<_> = figures
        .phases
        .iter()
        .map(|(name, figure)| format!("{name} {} Wh", digits(figure.value)))
        .collect();
    page.raw("<figure class=\"phases\"><figcaption>By phase</figcaption>");
    let bar = Bar {
        id: &format!("{id}-phases"),
        title: &format!("GPU energy per 1,000 prompts by phase: {}", list.join(", ")),
        parts: figures.phases.iter().map(|(name, figure)| (*name, figure.value)).collect(),
        marks: vec![],
        scale: total,
    };
    draw(page, &bar);
    page.raw("<ul class=\"legend\">");
    for (name, figure) in &figures.phases {
        page.raw("<li>").element("i", &[("class", name)], "").text(name).raw(" ");
        page.element("span", &[], &format!("{} Wh", digits(figure.value)));
        if gpu.figure.value > 0.0 {
            let share = figure.value / gpu.figure.value * 100.0;
            page.raw(" ").element("small", &[], &format!("{share:.0} %"));
        }
        page.raw("</li>");
    }
    page.raw("</ul></figure>");
}

/// Everything below the headline, with headings of the level `heading`.
fn body(page: &mut Markup, id: &str, run: &RunRecord, figures: &Figures, heading: &'static str) {
    let section = |page: &mut Markup, name: &str, fill: &dyn Fn(&mut Markup)| {
        page.open("section", &[]).element(heading, &[], name);
        fill(page);
        page.close("section");
    };
    let notes: Vec<_> = run.summary.notes.iter().chain(&run.doubts).collect();
    let metered = run.meter.iter().flat_map(|(meter, _)| &meter.notes);
    let notes: Vec<_> = notes.into_iter().chain(metered).collect();
    if !notes.is_empty() {
        section(page, "Notes", &|page| {
            page.raw("<ul class=\"notes\">");
            for note in &notes {
                page.raw("<li>").prose(note).raw("</li>");
            }
            page.raw("</ul>");
        });
    }
    section(page, "Power over time", &|page| match &run.meter {
        Some((meter, file)) if meter.devices.iter().any(|device| device.power.len() > 1) => {
            power::charts(page, id, meter, file);
        }
        Some((_, file)) => {
            page.raw("<p>The host metered energies alone: <code>").text(file);
            page.raw("</code> has no power over time.</p>");
        }
        None => {
            page.raw("<p>Not measured: the results have no <code>host_meter.json</code>.</p>");
        }
    });
    section(page, "Every number, and where it is from", &|page| numbers(page, run, figures));
    section(page, "What ran", &|page| what_ran(page, run));
    section(page, "Run it again", &|page| match &run.summary.repeat {
        Some(repeat) => again(page, repeat),
        None => {
            page.raw("<p>Not recorded: the results are not of <code>aienergyscore run</code>.</p>");
        }
    });
}

fn numbers(page: &mut Markup, run: &RunRecord, figures: &Figures) {
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
    page.raw(
        "<table class=\"numbers\" role=\"table\" aria-label=\"Every number\"><thead role=\"rowgroup\"><tr role=\"row\">\
         <th role=\"columnheader\">Number</th><th role=\"columnheader\">Value</th>\
         <th role=\"columnheader\">How</th><th role=\"columnheader\">From</th></tr></thead>\
         <tbody role=\"rowgroup\">",
    );
    match gpu {
        Some(gpu) => drawn(page, gpu),
        None => {
            let from = match run.origin {
                Origin::Summary => "GPU_ENERGY_SUMMARY.json: measurement.source",
                Origin::Report(_) => "benchmark_report.json",
            };
            absent(page, "GPU energy per 1,000 prompts", &run.summary.measurement.source, from);
        }
    }
    for (name, figure) in phases {
        row(page, &format!("GPU energy per 1,000 prompts, {name}"), figure, "Wh");
    }
    others.iter().for_each(|other| drawn(page, other));
    let line = |page: &mut Markup, name: &str, figure: Option<&Figure>, unit| match figure {
        Some(figure) => row(page, name, figure, unit),
        None => absent(page, name, "the backend does not tell", "–"),
    };
    line(page, "Generated tokens per second", tokens_per_second.as_ref(), "tokens/s");
    match tokens_per_joule {
        Some((kind, figure)) => {
            let name = format!("Generated tokens per joule of the {}", kind.name());
            line(page, &name, Some(figure), "tokens/J");
        }
        None => {
            let why = match tokens {
                Some(_) => "no energy was measured",
                None => "the backend does not count tokens",
            };
            absent(page, "Generated tokens per joule", why, "–");
        }
    }
    line(page, "Time to first token, mean", first_token.as_ref(), "s");
    line(page, "Time for the prompts", seconds.as_ref(), "s");
    line(page, "Prompts answered", Some(prompts), "");
    line(page, "Tokens generated", tokens.as_ref(), "");
    page.raw("</tbody></table>");
}

fn drawn(page: &mut Markup, drawn: &Drawn) {
    let Drawn { kind, by_host, too_short, figure } = drawn;
    let by = if *by_host { ", by the host’s meter" } else { "" };
    let short = if *too_short { ", too short to measure" } else { "" };
    row(page, &format!("{} energy per 1,000 prompts{by}{short}", kind.name()), figure, "Wh");
}

fn row(page: &mut Markup, name: &str, figure: &Figure, unit: &str) {
    let Figure { value, status, source, trace } = figure;
    row_head(page, name);
    page.raw("<td role=\"cell\" class=\"number\">");
    page.element("b", &[], &digits_or_count(*value, unit)).raw(" ").text(unit);
    page.raw("</td><td role=\"cell\">");
    badge(page, *status);
    page.raw(" ")
        .text(source)
        .raw("</td><td role=\"cell\" class=\"trace\"><code>")
        .text(&trace.to_string());
    page.raw("</code></td></tr>");
}

/// Begins a row. Roles are said outright: on a phone the rows are no table's to a browser's eye.
fn row_head(page: &mut Markup, name: &str) {
    page.raw("<tr role=\"row\">").element("th", &[("role", "rowheader")], name);
}

/// Counts have no unit here, and all of their digits.
fn digits_or_count(value: f64, unit: &str) -> String {
    if unit.is_empty() { count(value as u64) } else { digits(value) }
}

/// The same with less room.
fn few_or_count(value: f64, unit: &str) -> String {
    if unit.is_empty() { count(value as u64) } else { few_digits(value) }
}

fn absent(page: &mut Markup, name: &str, why: &str, from: &str) {
    row_head(page, name);
    page.raw("<td role=\"cell\" class=\"number\">–</td><td role=\"cell\">");
    badge(page, Status::NotMeasured);
    page.raw(" ").text(why).raw("</td><td role=\"cell\" class=\"trace\"><code>").text(from);
    page.raw("</code></td></tr>");
}
