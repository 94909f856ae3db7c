//! Several runs side by side: bars of what they drew, and a table of all their numbers.

use contract::summary::{DeviceKind, Status};

use super::{
    super::{
        figures::{Figure, Figures},
        groups::{Energy, Group},
        number::{count, digits, few_digits},
        record::{RunRecord, Runs},
    },
    bars::{Bar, draw},
    markup::Markup,
    run::{badge, no_badge, phases_legend},
};

/// Bars that share a scale: the same devices, metered by the same.
type Kind = (DeviceKind, bool);

/// Shows all runs of `all` side by side.
pub(super) fn section(page: &mut Markup, all: &Runs, figures: &[Figures], groups: &[Group]) {
    let kind = |group: &&Group| group.energy.map(|energy| (energy.kind, energy.by_host));
    let mut kinds: Vec<Kind> = vec![];
    for found in groups.iter().filter_map(|group| kind(&group)) {
        if !kinds.contains(&found) {
            kinds.push(found);
        }
    }
    // The score's kind comes first.
    kinds.sort_by_key(|(kind, by_host)| (*kind != DeviceKind::Gpu, *by_host));
    page.raw("<section aria-labelledby=\"energy\"><h2 id=\"energy\">Energy per 1,000 prompts</h2>");
    for wanted in kinds {
        let mut alike: Vec<_> = groups.iter().filter(|group| kind(group) == Some(wanted)).collect();
        alike.sort_by(|one, two| mean(one).total_cmp(&mean(two)));
        chart(page, all, figures, wanted, &alike);
    }
    let unknown: Vec<_> = groups.iter().filter(|group| group.energy.is_none()).collect();
    if !unknown.is_empty() {
        page.raw("<h3>Nothing measured</h3><ul class=\"plainlist\">");
        for group in unknown {
            let run = &all.runs[group.runs[0]];
            page.raw("<li>");
            link(page, group.runs[0], &label(run));
            let too_short = figures[group.runs[0]].too_short.as_ref();
            let why = too_short.unwrap_or(&run.summary.measurement.source);
            page.raw(" ").text(why).raw("</li>");
        }
        page.raw("</ul>");
    }
    page.close("section");
    table(page, all, figures);
}

fn mean(group: &Group) -> f64 {
    group.energy.map_or(f64::INFINITY, |energy| energy.per_thousand.mean)
}

fn label(run: &RunRecord) -> String {
    run.summary.run.model.clone()
}

fn link(page: &mut Markup, index: usize, text: &str) {
    page.element("a", &[("href", &format!("#run-{}", index + 1))], text);
}

fn chart(page: &mut Markup, all: &Runs, figures: &[Figures], kind: Kind, groups: &[&Group]) {
    let (device, by_host) = kind;
    let most =
        groups.iter().filter_map(|group| group.energy).map(|energy| energy.per_thousand.most);
    let scale = most.fold(0.0, f64::max);
    page.raw("<figure class=\"bars\"><figcaption><b>").raw(match device {
        DeviceKind::Gpu => "GPU energy",
        DeviceKind::Cpu => "CPU energy, where no GPU was measured",
        DeviceKind::Ram => "Memory’s energy, where nothing else was measured",
    });
    page.raw("</b>").raw(if by_host { ", by the host’s meter" } else { "" });
    page.raw(", least first; Wh per 1,000 prompts</figcaption><ol>");
    for group in groups {
        row(page, all, figures, group, scale);
    }
    page.raw("</ol>");
    let phases = groups.iter().any(|group| !parts(group, figures).1.is_empty());
    if phases && device == DeviceKind::Gpu {
        phases_legend(page);
    }
    if groups.iter().any(|group| group.runs.len() > 1) {
        page.raw(
            "<p class=\"from\">Of repeats, a bar is the mean, each mark on it one run, and ± their \
             standard deviation in percent of the mean.</p>",
        );
    }
    page.close("figure");
}

/// The mean energies of a group's phases, and those of them that are known of every run.
fn parts(group: &Group, figures: &[Figures]) -> (f64, Vec<(&'static str, f64)>) {
    let mean = mean(group);
    let runs = || group.runs.iter().map(|run| &figures[*run].phases);
    let Some(first) = runs().next().filter(|phases| !phases.is_empty()) else {
        return (mean, vec![]);
    };
    let names: Vec<_> = first.iter().map(|(name, _)| *name).collect();
    let is_same = |phases: &Vec<(&str, Figure)>| {
        phases.iter().map(|(name, _)| *name).eq(names.iter().copied())
    };
    if !runs().all(is_same) {
        return (mean, vec![]);
    }
    let several = group.runs.len() as f64;
    let of = |index: usize| runs().map(|phases| phases[index].1.value).sum::<f64>() / several;
    (mean, names.iter().enumerate().map(|(index, name)| (*name, of(index))).collect())
}

fn row(page: &mut Markup, all: &Runs, figures: &[Figures], group: &Group, scale: f64) {
    let Some(Energy { kind, by_host: _, status, per_thousand }) = group.energy else { return };
    let first = group.runs[0];
    let run = &all.runs[first];
    page.raw("<li><div class=\"name\">");
    link(page, first, &label(run));
    let mut about = run.summary.run.backend.to_string();
    match group.runs.len() {
        1 => about += &format!(" · {}", all.name(&run.folder)),
        several => about += &format!(" · {several} runs"),
    }
    page.raw(" ").element("small", &[], &about).raw("</div>");

    let deviation = per_thousand.percent().map(|percent| format!(" ± {percent:.1} %"));
    let deviation = deviation.unwrap_or_default();
    let (mean, phases) = parts(group, figures);
    let whole = if status == Status::Estimated { "estimate" } else { "whole" };
    let bar = Bar {
        id: &format!("bar-{}", first + 1),
        title: &format!(
            "{}: {} {} Wh per 1,000 prompts{deviation}, {}",
            label(run),
            kind.name(),
            digits(mean),
            status.word()
        ),
        parts: if phases.is_empty() { vec![(whole, mean)] } else { phases },
        marks: match &group.runs[..] {
            [_] => vec![],
            runs => runs
                .iter()
                .filter_map(|run| figures[*run].headline())
                .map(|drawn| drawn.figure.value)
                .collect(),
        },
        scale,
    };
    draw(page, &bar);
    page.raw("<div class=\"value\"><b>").text(&digits(mean)).raw("</b> ");
    page.element("small", &[], &deviation);
    badge(page, status);
    page.raw("</div></li>");
}

fn table(page: &mut Markup, all: &Runs, figures: &[Figures]) {
    page.raw(
        "<section aria-labelledby=\"all\"><h2 id=\"all\">All runs</h2>\
         <table class=\"all\" role=\"table\" aria-labelledby=\"all\"><thead role=\"rowgroup\"><tr role=\"row\">\
         <th role=\"columnheader\">Run</th><th role=\"columnheader\">Wh per 1,000 prompts</th>\
         <th role=\"columnheader\">Tokens per second</th>\
         <th role=\"columnheader\">Tokens per joule</th><th role=\"columnheader\">First token</th>\
         <th role=\"columnheader\">Prompts</th></tr></thead><tbody role=\"rowgroup\">",
    );
    for (index, (run, figures)) in all.runs.iter().zip(figures).enumerate() {
        page.raw("<tr role=\"row\"><th role=\"rowheader\">");
        link(page, index, &all.name(&run.folder));
        page.raw(" ").element("small", &[], &label(run)).raw("</th><td role=\"cell\">");
        match figures.headline() {
            Some(drawn) => {
                let who = if drawn.by_host { " by host" } else { "" };
                page.element("b", &[], &digits(drawn.figure.value)).raw(" ");
                page.element("small", &[], &format!("{}{who}", drawn.kind.name())).raw(" ");
                badge(page, drawn.figure.status);
            }
            None => no_badge(page, figures.no_headline()),
        }
        let cell = |page: &mut Markup, label: &'static str, value: Option<String>| {
            page.open("td", &[("role", "cell"), ("data-label", label)]);
            match value {
                Some(value) => page.text(&value),
                None => page.element("small", &[], Status::NotMeasured.word()),
            };
            page.close("td");
        };
        page.close("td");
        let few = |figure: Option<&Figure>, unit: &str| {
            figure.map(|figure| format!("{}{unit}", few_digits(figure.value)))
        };
        cell(page, "Tokens/s", few(figures.tokens_per_second.as_ref(), ""));
        let joule = figures.tokens_per_joule.as_ref();
        let of = joule.map_or("", |(kind, _)| kind.name());
        cell(page, "Tokens/J", few(joule.map(|(_, figure)| figure), &format!(" {of}")));
        cell(page, "First token", few(figures.first_token.as_ref(), " s"));
        let failed = match run.summary.run.prompts_failed {
            0 => String::new(),
            failed => format!(", {failed} failed"),
        };
        cell(page, "Prompts", Some(format!("{}{failed}", count(run.summary.run.prompts))));
        page.close("tr");
    }
    page.raw("</tbody></table></section>");
}
