//! The report as a table for the terminal: runs, repeats with their spread, notes, broken folders.

use untrusted::escape;

use crate::{
    finished_run::Broken,
    groups::{Group, GroupEnergy, indices_by_key, statistics::Statistics},
    metrics::ReportedRun,
    metrics::{EnergyMetric, Metric, why_no_gpu},
    number_format::{four_digits, three_digits},
    report::Report,
    sanitize::{elided, sanitized},
};

/// Width limit for a name, in characters.
const MAX_NAME: usize = 44;

/// Placeholder for an unknown number.
const UNKNOWN: &str = "-";

/// The report for a terminal of `width` columns, if that is known.
pub(crate) fn text(report: &Report, width: Option<usize>) -> String {
    let Report { parent, runs, groups, broken } = report;
    let heading = parent.as_ref().map(|parent| sanitized(&parent.to_string_lossy()));
    let heading = heading.map_or_else(String::new, |parent| format!("In {parent}\n\n"));
    let mut parts = vec![];
    if !runs.is_empty() {
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
        let rows = runs.iter().map(|reported| row(&report.name(&reported.run.folder), reported));
        parts.push(columns(&head, &rows.collect::<Vec<_>>(), width));
    }
    let repeated = groups.iter().filter(|group| group.runs.len() > 1);
    let rows: Vec<_> = repeated.map(|group| group_row(group, &runs[group.runs[0]])).collect();
    if !rows.is_empty() {
        let head = ["Repeats", "Backend", "Runs", "Wh/1000 prompts", "Least", "Most", "Tokens/s"];
        parts.push(columns(&head, &rows, width));
    }
    // Runs with the same notes share them.
    for (notes, members) in indices_by_key(runs.iter().map(notes)) {
        if !notes.is_empty() {
            let names = members.iter().map(|run| sanitized(&report.name(&runs[*run].run.folder)));
            parts.push(format!("{}\n{notes}", names.collect::<Vec<_>>().join(", ")));
        }
    }
    if !broken.is_empty() {
        let lines = broken.iter().map(|Broken { folder, reason }| {
            format!("  {}: {}\n", sanitized(&report.name(folder)), escape(reason))
        });
        parts.push(format!("Broken\n{}", lines.collect::<String>()));
    }
    heading + &parts.join("\n")
}

fn row(name: &str, ReportedRun { run, metrics }: &ReportedRun) -> Vec<String> {
    let of = &run.summary.run;
    let number = |metric: Option<&Metric>, unit: &str| {
        metric.map_or(UNKNOWN.to_owned(), |metric| three_digits(metric.value) + unit)
    };
    let problem = |count: u64, word: &str| match count {
        0 => String::new(),
        count => format!(", {count} {word}"),
    };
    let failed = problem(of.prompts_failed, "FAILED");
    let cut = problem(of.prompts_cut.unwrap_or_default(), "CUT");
    vec![
        elided(name, MAX_NAME),
        elided(&of.model, MAX_NAME),
        of.backend.to_string(),
        format!("{}{failed}{cut}", of.prompts),
        metrics.headline().map_or_else(|| metrics.no_headline().to_owned(), energy),
        number(metrics.tokens_per_second.as_ref(), ""),
        number(metrics.tokens_per_joule.as_ref().map(|(_, metric)| metric), ""),
        number(metrics.first_token.as_ref(), " s"),
    ]
}

/// An energy with its devices and status: `GPU 21.60 measured`.
fn energy(energy: &EnergyMetric) -> String {
    let EnergyMetric { kind, by_host, metric, .. } = energy;
    let (by, value) = (by_whom(*by_host), four_digits(metric.value));
    format!("{by}{} {value} {}", kind.name(), metric.status.word())
}

fn by_whom(by_host: bool) -> &'static str {
    if by_host { "host's meter: " } else { "" }
}

fn group_row(group: &Group, ReportedRun { run, metrics }: &ReportedRun) -> Vec<String> {
    let with_deviation = |found: &Statistics| four_digits(found.mean) + &found.deviation_text();
    let energies = group.energy.map(|energy| {
        let GroupEnergy { kind, by_host, status, per_thousand } = energy;
        let (by, mean) = (by_whom(by_host), with_deviation(&per_thousand));
        [
            format!("{by}{} {mean} {}", kind.name(), status.word()),
            four_digits(per_thousand.least),
            four_digits(per_thousand.most),
        ]
    });
    let [mean, least, most] = energies.unwrap_or([metrics.no_headline(); 3].map(str::to_owned));
    vec![
        elided(&run.summary.run.model, MAX_NAME),
        run.summary.run.backend.to_string(),
        group.runs.len().to_string(),
        mean,
        least,
        most,
        group.tokens_per_second.as_ref().map_or(UNKNOWN.to_owned(), with_deviation),
    ]
}

/// Notes and warnings about a run's numbers, one line each.
fn notes(ReportedRun { run, metrics }: &ReportedRun) -> String {
    let no_gpu = metrics.gpu.is_none().then(|| why_no_gpu(run));
    let of_meter = run.meter.iter().flat_map(|(meter, _)| &meter.notes);
    let lines = no_gpu.iter().chain(&run.summary.notes).chain(&run.warnings).chain(of_meter);
    lines.map(|line| format!("  {}\n", escape(line))).collect()
}

/// Aligned columns, or a paragraph for each row where the columns do not fit `width`.
fn columns(head: &[&str], rows: &[Vec<String>], width: Option<usize>) -> String {
    let head: Vec<_> = head.iter().map(|name| (*name).to_owned()).collect();
    let all = || std::iter::once(&head).chain(rows);
    let widest = |column: usize| all().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<_> = (0..head.len()).map(widest).collect();
    if width.is_some_and(|width| widths.iter().map(|column| column + 2).sum::<usize>() > width + 2)
    {
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
        finished_run::{Broken, FinishedRun},
        report::Report,
        testing::{measured, on_cpu},
    };

    fn shown(runs: Vec<FinishedRun>, broken: Vec<Broken>) -> String {
        text(&Report::of(runs, broken), None)
    }

    #[test]
    fn runs_have_a_row_each_and_repeats_one_together() {
        let mut nothing = on_cpu("4");
        nothing.summary.measurement.devices.clear();
        nothing.summary.measurement.source = "no GPU was used and no counter could be read".into();
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
          no GPU was used and no counter could be read
          the weights are quantised

        Broken
          5: half a file
        ");
    }

    #[test]
    fn a_run_that_is_too_short_has_no_energy() {
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
    fn runs_with_the_same_notes_share_them() {
        let mut other = on_cpu("4");
        other.summary.notes.push("a prompt failed".into());
        let mut metered = measured("2", 0.4).meter.unwrap();
        metered.0.devices.clear();
        // Only the page has this: it differs from run to run.
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
        let runs = vec![measured("1", 0.42), measured("2", 0.44)];
        let text = text(&Report::of(runs, vec![]), Some(80));
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
    fn hostile_names_are_escaped() {
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
