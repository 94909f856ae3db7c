//! The report for a terminal: runs side by side, repeats with their spread, and what is broken.

use std::fmt::Write as _;

use untrusted::escape;

use crate::{
    finished_run::{Broken, FinishedRun, Runs},
    groups::{Energy, Group},
    metrics::{Drawn, Metrics, why_no_gpu},
    number_format::{four_digits, three_digits},
    sanitize::{elided, sanitized},
    statistics::Statistics,
};

/// Characters of the longest name in a table.
const WIDEST: usize = 44;

/// The report, in lines of `width` characters if that is known. `metrics` are those of the runs,
/// `groups` made of both.
pub(crate) fn text(
    all: &Runs,
    metrics: &[Metrics],
    groups: &[Group],
    width: Option<usize>,
) -> String {
    let mut text = all.parent().map_or_else(String::new, |parent| {
        format!("In {}\n\n", sanitized(&parent.to_string_lossy()))
    });
    let before = text.len();
    if !all.runs.is_empty() {
        let head = [
            "Run",
            "Model",
            "Backend",
            "Prompts",
            "Wh/1000 prompts",
            "Tokens/s",
            "Tokens/J",
            "1st token",
        ];
        let rows = all
            .runs
            .iter()
            .zip(metrics)
            .map(|(run, metrics)| row(&all.name(&run.folder), run, metrics));
        text += &columns(&head, &rows.collect::<Vec<_>>(), width);
    }
    let repeated: Vec<_> = groups.iter().filter(|group| group.runs.len() > 1).collect();
    if !repeated.is_empty() {
        let head = ["Repeats", "Backend", "Runs", "Wh/1000 prompts", "Least", "Most", "Tokens/s"];
        let rows = repeated.iter().map(|group| {
            let first = group.runs[0];
            spread(group, &all.runs[first], &metrics[first])
        });
        let _ = write!(text, "\n{}", columns(&head, &rows.collect::<Vec<_>>(), width));
    }
    for (names, lines) in alike(all, metrics) {
        let _ = write!(text, "\n{}\n{lines}", names.join(", "));
    }
    if !all.broken.is_empty() {
        let _ = writeln!(text, "{}Broken", if text.len() == before { "" } else { "\n" });
        for Broken { folder, reason } in &all.broken {
            let _ = writeln!(text, "  {}: {}", sanitized(&all.name(folder)), escape(reason));
        }
    }
    text
}

fn row(name: &str, run: &FinishedRun, metrics: &Metrics) -> Vec<String> {
    let of = &run.summary.run;
    let number = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), three_digits);
    let told = |count: u64, word: &str| match count {
        0 => String::new(),
        count => format!(", {count} {word}"),
    };
    let failed = told(of.prompts_failed, "FAILED");
    let cut = told(of.prompts_cut.unwrap_or_default(), "CUT");
    vec![
        elided(name, WIDEST),
        elided(&of.model, WIDEST),
        of.backend.to_string(),
        format!("{}{failed}{cut}", of.prompts),
        metrics.headline().map_or_else(|| metrics.no_headline().to_owned(), energy),
        number(metrics.tokens_per_second.as_ref().map(|metric| metric.value)),
        number(metrics.tokens_per_joule.as_ref().map(|(_, metric)| metric.value)),
        metrics
            .first_token
            .as_ref()
            .map_or_else(|| "-".to_owned(), |metric| format!("{} s", three_digits(metric.value))),
    ]
}

/// An energy with what drew it and how that is known: `GPU 21.60 measured`.
fn energy(drawn: &Drawn) -> String {
    let Drawn { kind, by_host, too_short: _, metric } = drawn;
    format!(
        "{}{} {} {}",
        by_whom(*by_host),
        kind.name(),
        four_digits(metric.value),
        metric.status.word()
    )
}

fn by_whom(by_host: bool) -> &'static str {
    if by_host { "host's meter: " } else { "" }
}

fn spread(group: &Group, first: &FinishedRun, metrics: &Metrics) -> Vec<String> {
    let with = |found: &Statistics| match found.percent() {
        Some(percent) => format!("{} ± {percent:.1} %", four_digits(found.mean)),
        None => four_digits(found.mean),
    };
    let energy = |of: &dyn Fn(&Energy) -> String| {
        group.energy.as_ref().map_or_else(|| metrics.no_headline().to_owned(), of)
    };
    vec![
        elided(&first.summary.run.model, WIDEST),
        first.summary.run.backend.to_string(),
        group.runs.len().to_string(),
        energy(&|energy| {
            let Energy { kind, by_host, status, per_thousand } = energy;
            let (who, name) = (by_whom(*by_host), kind.name());
            format!("{who}{name} {} {}", with(per_thousand), status.word())
        }),
        energy(&|energy| four_digits(energy.per_thousand.least)),
        energy(&|energy| four_digits(energy.per_thousand.most)),
        group.tokens_per_second.as_ref().map_or_else(|| "-".to_owned(), with),
    ]
}

/// The remarks on all runs, in the order of the first ones; runs with equal remarks share them.
fn alike(all: &Runs, metrics: &[Metrics]) -> Vec<(Vec<String>, String)> {
    let mut known: Vec<(Vec<String>, String)> = vec![];
    for (run, metrics) in all.runs.iter().zip(metrics) {
        let lines = remarks(run, metrics);
        if lines.is_empty() {
            continue;
        }
        let name = sanitized(&all.name(&run.folder));
        match known.iter_mut().find(|(_, other)| *other == lines) {
            Some((names, _)) => names.push(name),
            None => known.push((vec![name], lines)),
        }
    }
    known
}

/// What a reader of a run's numbers must know, a line each.
fn remarks(run: &FinishedRun, metrics: &Metrics) -> String {
    let mut lines = vec![];
    if metrics.gpu.is_none() {
        lines.push(why_no_gpu(run));
    }
    lines.extend(run.summary.notes.iter().chain(&run.warnings).cloned());
    lines.extend(run.meter.iter().flat_map(|(meter, _)| &meter.notes).cloned());
    lines.iter().map(|line| format!("  {}\n", escape(line))).collect()
}

/// Rows under their heads, each column as wide as its widest. Where that is wider than `most`, a
/// paragraph for each row.
fn columns(head: &[&str], rows: &[Vec<String>], most: Option<usize>) -> String {
    let head: Vec<_> = head.iter().map(|name| (*name).to_owned()).collect();
    let all = || std::iter::once(&head).chain(rows);
    let width = |column: usize| all().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<_> = (0..head.len()).map(width).collect();
    if most.is_some_and(|most| widths.iter().map(|width| width + 2).sum::<usize>() > most + 2) {
        return rows.iter().map(|row| paragraph(&head, row)).collect::<Vec<_>>().join("\n");
    }
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned() + "\n"
    };
    all().map(line).collect()
}

fn paragraph(head: &[String], row: &[String]) -> String {
    let widest = head.iter().map(|name| name.chars().count()).max().unwrap_or(0);
    head.iter().zip(row).map(|(name, cell)| format!("{name:<widest$}  {cell}\n")).collect()
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use contract::summary::Tracked;

    use super::text;
    use crate::{
        finished_run::{Broken, FinishedRun, Runs},
        groups::groups,
        metrics::Metrics,
        testing::{measured, on_cpu},
    };

    fn shown(runs: Vec<FinishedRun>, broken: Vec<Broken>) -> String {
        let all = Runs { runs, broken };
        let metrics: Vec<_> = all.runs.iter().map(Metrics::of).collect();
        text(&all, &metrics, &groups(&all, &metrics), None)
    }

    #[test]
    fn runs_stand_side_by_side_and_say_how_they_measured() {
        let mut nothing = on_cpu("4");
        nothing.summary.measurement.devices.clear();
        nothing.summary.measurement.source = "no counter could be read".into();
        nothing.summary.run.prompts_failed = 1;
        nothing.summary.run.prompts_cut = Some(3);
        let broken = Broken { folder: "results/5".into(), reason: "half a file".into() };
        let runs = vec![measured("1", 0.42), measured("2", 0.44), on_cpu("3"), nothing];
        insta::assert_snapshot!(shown(runs, vec![broken]), @r"
        In results

        Run  Model                                     Backend  Prompts              Wh/1000 prompts      Tokens/s  Tokens/J  1st token
        1    openai/gpt-oss-20b                        optimum  20                   GPU 21.00 measured   25.0      0.132     0.0421 s
        2    openai/gpt-oss-20b                        optimum  20                   GPU 22.00 measured   25.0      0.126     0.0421 s
        3    HuggingFaceTB/SmolLM2-360M-Instruct-GGUF  native   20                   CPU 1.800 estimated  25.0      -         0.0421 s
        4    HuggingFaceTB/SmolLM2-360M-Instruct-GGUF  native   20, 1 FAILED, 3 CUT  not measured         25.0      -         0.0421 s

        Repeats             Backend  Runs  Wh/1000 prompts             Least  Most   Tokens/s
        openai/gpt-oss-20b  optimum  2     GPU 21.50 ± 3.3 % measured  21.00  22.00  25.00 ± 0.0 %

        3
          no GPU was measured; CPU: estimated from CPU seconds
          the weights are quantised

        4
          GPU not measured: no counter could be read
          the weights are quantised

        Broken
          5: half a file
        ");
    }

    #[test]
    fn what_is_too_short_to_measure_has_no_number() {
        let mut runs = ["1", "2"].map(on_cpu);
        for run in &mut runs {
            run.summary.measurement.tracked =
                Some(Tracked { worked_seconds: 0.04, waited_seconds: 1.0 });
        }
        insta::assert_snapshot!(shown(runs.into(), vec![]), @r"
        In results

        Run  Model                                     Backend  Prompts  Wh/1000 prompts       Tokens/s  Tokens/J  1st token
        1    HuggingFaceTB/SmolLM2-360M-Instruct-GGUF  native   20       too short to measure  25.0      -         0.0421 s
        2    HuggingFaceTB/SmolLM2-360M-Instruct-GGUF  native   20       too short to measure  25.0      -         0.0421 s

        Repeats                                   Backend  Runs  Wh/1000 prompts       Least                 Most                  Tokens/s
        HuggingFaceTB/SmolLM2-360M-Instruct-GGUF  native   2     too short to measure  too short to measure  too short to measure  25.00 ± 0.0 %

        1, 2
          no GPU was measured; CPU: estimated from CPU seconds
          the weights are quantised
        ");
    }

    #[test]
    fn what_is_to_be_said_of_several_runs_is_said_once() {
        let mut other = on_cpu("4");
        other.summary.notes.push("a prompt failed".into());
        let mut metered = measured("2", 0.4).meter.unwrap();
        metered.0.devices.clear();
        // It differs from run to run, and says nothing of their numbers; the page has it.
        metered.0.own_percent = Some(0.7);
        let mut last = on_cpu("5");
        last.meter = Some(metered);
        let text = shown(vec![on_cpu("2"), on_cpu("3"), other, last], vec![]);
        let remarks = text.split_once("\n\n2").unwrap().1;
        insta::assert_snapshot!(format!("2{remarks}"), @r"
        2, 3, 5
          no GPU was measured; CPU: estimated from CPU seconds
          the weights are quantised

        4
          no GPU was measured; CPU: estimated from CPU seconds
          the weights are quantised
          a prompt failed
        ");
    }

    #[test]
    fn a_narrow_terminal_gets_paragraphs() {
        let all = Runs { runs: vec![measured("1", 0.42), measured("2", 0.44)], broken: vec![] };
        let metrics: Vec<_> = all.runs.iter().map(Metrics::of).collect();
        let text = text(&all, &metrics, &groups(&all, &metrics), Some(80));
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
        insta::assert_snapshot!(text, @r"
        In results

        Run              1
        Model            openai/gpt-oss-20b
        Backend          optimum
        Prompts          20
        Wh/1000 prompts  GPU 21.00 measured
        Tokens/s         25.0
        Tokens/J         0.132
        1st token        0.0421 s

        Run              2
        Model            openai/gpt-oss-20b
        Backend          optimum
        Prompts          20
        Wh/1000 prompts  GPU 22.00 measured
        Tokens/s         25.0
        Tokens/J         0.126
        1st token        0.0421 s

        Repeats          openai/gpt-oss-20b
        Backend          optimum
        Runs             2
        Wh/1000 prompts  GPU 21.50 ± 3.3 % measured
        Least            21.00
        Most             22.00
        Tokens/s         25.00 ± 0.0 %
        ");
    }

    #[test]
    fn a_hostile_name_does_nothing_to_a_terminal() {
        let mut run = measured("1", 0.42);
        run.summary.run.model = "a\u{1b}]0;owned\u{7}\u{202e}b".into();
        run.folder = PathBuf::from("r\u{1b}[2J");
        run.summary.notes = vec!["\u{1b}[31mred".into()];
        let broken = Broken { folder: "\u{9b}2J".into(), reason: "\r\nfine".into() };
        let text = shown(vec![run], vec![broken]);
        assert!(!text.chars().any(|char| char.is_control() && char != '\n'), "{text:?}");
        assert!(!text.contains('\u{202e}'));
        assert_eq!(text.lines().count(), 8, "{text}");
    }
}
