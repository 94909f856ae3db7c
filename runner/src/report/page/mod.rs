//! The report as one page for a browser, which needs nothing else: no script, no font, no image, no
//! network. What it is made of is escaped by [`Markup`].

mod bars;
mod markup;
mod overview;
mod power;
mod run;
mod what_ran;

use self::markup::Markup;
use super::{
    figures::Figures,
    groups::Group,
    number::count,
    record::{Broken, RunRecord, Runs},
};

/// How the page looks: for the light, in the dark, on a phone and on paper.
const STYLE: &str = include_str!("style.css");

/// Runs that are shown unfolded.
const UNFOLDED: usize = 3;

/// The page. `figures` are those of the runs, `groups` made of both.
pub fn html(all: &Runs, figures: &[Figures], groups: &[Group]) -> String {
    let mut page = Markup::default();
    head(&mut page, all);
    match (&all.runs[..], figures) {
        ([run], [figures]) => run::alone(&mut page, run, figures),
        ([], _) => {}
        _ => {
            overview::section(&mut page, all, figures, groups);
            page.raw("<section aria-labelledby=\"each\"><h2 id=\"each\">Each run</h2>");
            for (index, (run, figures)) in all.runs.iter().zip(figures).enumerate() {
                let name = all.name(&run.folder);
                let is_open = all.runs.len() <= UNFOLDED;
                run::folded(&mut page, index, &name, run, figures, is_open);
            }
            page.close("section");
        }
    }
    broken(&mut page, all);
    foot(&mut page);
    page.into_string()
}

fn head(page: &mut Markup, all: &Runs) {
    let title = title(all);
    page.raw(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; \
         style-src 'unsafe-inline'\">\n<title>",
    );
    page.text(&format!("{title}: energy of AI models")).raw("</title>\n<style>");
    page.raw(STYLE).raw("</style>\n</head>\n<body>\n<header class=\"top\">");
    page.raw("<p class=\"brand\">AI Energy Score <span>report</span></p>");
    page.element("h1", &[], &title);
    page.element("p", &[("class", "sub")], &subtitle(all)).raw("</header>\n<main>\n");
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

fn different(runs: &[RunRecord], of: impl Fn(&RunRecord) -> String) -> Vec<String> {
    let mut all = vec![];
    for run in runs {
        let value = of(run);
        if !all.contains(&value) {
            all.push(value);
        }
    }
    all
}

fn broken(page: &mut Markup, all: &Runs) {
    if all.broken.is_empty() {
        return;
    }
    page.raw("<section class=\"broken\" aria-labelledby=\"broken\"><h2 id=\"broken\">Broken</h2>");
    page.raw("<p>These could not be read. Nothing on this page is of them.</p><dl>");
    for Broken { folder, reason } in &all.broken {
        page.raw("<dt><code>").text(&all.name(folder)).raw("</code></dt><dd>");
        page.prose(reason).raw("</dd>");
    }
    page.raw("</dl></section>");
}

fn foot(page: &mut Markup) {
    page.raw(
        "</main>\n<footer><h2>How to read this</h2><p><b>Measured</b> is what a counter of the \
         hardware told, <b>estimated</b> what a model of the hardware gives. <b>Not measured</b> is \
         no number at all, and not 0 Wh. The score counts the GPUs alone, over the phases \
         preprocess, prefill and decode; loading never counts. Behind every number are the file and \
         the keys that it is from, in the run’s results folder.</p><p>Made by aienergyscore ",
    );
    page.text(env!("CARGO_PKG_VERSION")).raw(".</p></footer>\n</body>\n</html>\n");
}

#[cfg(test)]
mod tests;
