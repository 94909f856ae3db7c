//! The page as a whole. `tests/it/page.rs` looks at it in a browser.

use std::collections::BTreeSet;

use contract::summary::Tracked;

use super::html;
use crate::{
    finished_run::{Broken, FinishedRun},
    report::Report,
    testing::{measured, on_cpu},
};

fn page(runs: Vec<FinishedRun>, broken: Vec<Broken>) -> String {
    html(&Report::of(runs, broken))
}

/// The body with one element per line, and the long paths of charts shortened.
fn shown(page: &str) -> String {
    let body = &page[page.find("<body>").unwrap()..];
    let lines = body.replace("><", ">\n<");
    let short = lines.lines().map(|line| match line.contains(" d=\"M0 ") && line.len() > 400 {
        true => format!("{}…", &line[..60]),
        false => line.to_owned(),
    });
    short.collect::<Vec<_>>().join("\n")
}

#[test]
fn a_single_run_fills_the_page() {
    insta::assert_snapshot!("page_of_one_run", shown(&page(vec![measured("1", 0.42)], vec![])));
}

#[test]
fn several_runs_are_compared_and_broken_folders_listed() {
    let broken = Broken { folder: "results/4".into(), reason: "half a file".into() };
    let runs = vec![measured("1", 0.42), measured("2", 0.44), on_cpu("3")];
    insta::assert_snapshot!("page_of_three_runs", shown(&page(runs, vec![broken])));
}

#[test]
fn a_run_that_is_too_short_has_no_headline() {
    let short = |run: FinishedRun| {
        let mut run = FinishedRun { meter: None, ..run };
        run.summary.total = None;
        run.summary.measurement.tracked =
            Some(Tracked { worked_seconds: 0.04, waited_seconds: 1.0 });
        run
    };
    let gpu = page(vec![short(measured("1", 0.42))], vec![]);
    assert!(gpu.contains("<p class=\"big none\"><b>too short to measure</b>"), "{gpu}");
    let cpu = page(vec![short(on_cpu("1"))], vec![]);
    let mark = "estimated</span> <span class=\"how unknown\">too short to measure</span>";
    assert!(cpu.contains("<b>1.800</b> Wh CPU ") && cpu.contains(mark), "{cpu}");
    let several = page(vec![short(measured("1", 0.42)), short(on_cpu("2"))], vec![]);
    assert!(!several.contains("<figure class=\"bars\">"), "{several}");
    assert!(several.contains("beside 0.04 s of work</li>"), "{several}");
}

#[test]
fn cut_prompts_are_counted() {
    let plain = measured("1", 0.42);
    let mut cut = plain.clone();
    cut.summary.run.prompts_cut = Some(3);
    cut.summary.run.prompt_tokens_cut = Some(123_456);
    let [plain, cut] = [plain, cut].map(|run| page(vec![run], vec![]));
    for (name, value, key) in [
        ("Prompts cut", "3", "run.prompts_cut"),
        ("Tokens cut off", "123,456", "run.prompt_tokens_cut"),
    ] {
        let fact =
            format!("<dt>{name}</dt><dd>{value} <code>GPU_ENERGY_SUMMARY.json: {key}</code>");
        assert!(cut.contains(&fact), "{cut}");
        assert!(!plain.contains(name));
    }
}

#[test]
fn without_a_run_the_page_says_so() {
    let broken = Broken { folder: "results".into(), reason: "it is empty".into() };
    let page = page(vec![], vec![broken]);
    assert!(page.contains("<h1>No run could be read</h1>") && page.contains("it is empty"));
}

#[test]
fn hostile_names_are_text_and_nothing_is_loaded() {
    let mut run = measured("1", 0.42);
    run.summary.run.model = "<script src=//x.example/y.js></script><img src=x onerror=z>".into();
    run.summary.notes = vec!["</style><iframe src='http://x.example'>".into()];
    run.summary.measurement.devices[0].name = "\"><svg onload=z>".into();
    run.folder = "'><a href=javascript:z>".into();
    run.summary.repeat.as_mut().unwrap().command.push("</code></pre><script>".into());
    let runs = vec![run, measured("2", 0.5)];
    let page = page(runs, vec![Broken { folder: "<b>".into(), reason: "<i>".into() }]);
    for part in [
        "<script",
        "<img",
        "<iframe",
        "onload=z>",
        "<a href=javascript",
        "url(",
        "@import",
        "src=\"",
    ] {
        assert!(!page.contains(part), "{part}");
    }
    assert_eq!(page.matches("<style>").count(), 1);
    assert_eq!(page.matches("</style>").count(), 1);
}

#[test]
fn ids_are_unique_and_references_have_a_target() {
    let runs: Vec<_> =
        (0..40).map(|run| measured(&run.to_string(), f64::from(run) + 0.5)).collect();
    let page = page(runs, vec![]);
    let values = |name: &str| {
        let begin = format!(" {name}=\"");
        let parts = page.split(&begin).skip(1).map(|part| part.split('"').next().unwrap());
        parts.flat_map(|part| part.split(' ')).collect::<Vec<_>>()
    };
    let ids = values("id");
    let known: BTreeSet<_> = ids.iter().copied().collect();
    assert_eq!(known.len(), ids.len());
    let anchors = values("href").into_iter().map(|link| link.trim_start_matches('#'));
    for wanted in values("aria-labelledby").into_iter().chain(anchors) {
        assert!(known.contains(wanted), "{wanted}");
    }
    assert!(page.len() < 1_500_000, "{} bytes", page.len());
}
