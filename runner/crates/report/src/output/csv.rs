//! The report as CSV, with the columns of AIEnergyScore's `master_results.csv`.
//!
//! Columns, their order, meaning and number of decimals are those of `results_aggregator.py` of
//! <https://github.com/huggingface/AIEnergyScore>, commit a5b9a048ecd44aa087cdd5b575a17d705128c424.
//! Two things differ. What was not measured is 0 there; here the cell is empty, and the error message
//! says why, so that sums leave the row out. Small numbers have more decimals here, so that they are
//! not rounded to 0.

use anyhow::Context as _;
use contract::{
    argument::{REASONING, REASONING_PARAMS, split},
    summary::Status,
};
use host::output::units::decimals;
use untrusted::escape;

use crate::{
    finished_run::{Broken, FinishedRun},
    metrics::ReportedRun,
    metrics::why_no_gpu,
    report::Report,
    sanitize::sanitized,
};

/// The columns, in order.
const COLUMNS: [&str; 21] = [
    "model_name",
    "model_class",
    "task",
    "reasoning_state",
    "total_prompts",
    "successful_prompts",
    "failed_prompts",
    "total_duration_seconds",
    "avg_total_time",
    "avg_time_to_first_token",
    "total_tokens",
    "total_prompt_tokens",
    "total_completion_tokens",
    "throughput_tokens_per_second",
    "gpu_energy_wh",
    "wh_per_1000_queries",
    "co2_emissions_g",
    "tokens_per_joule",
    "avg_energy_per_prompt_wh",
    "timestamp",
    "error_message",
];

/// The value of `task`.
const TASK: &str = "text_gen";

/// The report as CSV.
///
/// # Errors
/// Never in practice: writing to memory does not fail.
pub(crate) fn text(report: &Report) -> anyhow::Result<String> {
    let mut writer = csv::Writer::from_writer(vec![]);
    writer.write_record(COLUMNS)?;
    for reported in &report.runs {
        writer.write_record(row(reported))?;
    }
    for broken in &report.broken {
        writer.write_record(broken_row(broken))?;
    }
    let bytes = writer.into_inner().context("writing CSV")?;
    Ok(String::from_utf8(bytes)?)
}

fn row(ReportedRun { run, metrics }: &ReportedRun) -> [String; COLUMNS.len()] {
    let of = &run.summary.run;
    let number = |value: Option<f64>, least: usize| {
        value.map_or_else(String::new, |value| format!("{value:.*}", least.max(decimals(value, 3))))
    };
    let count = |value: Option<u64>| value.map_or_else(String::new, |value| value.to_string());
    let tokens = of.prompt_tokens.zip(of.completion_tokens);
    let tokens = tokens.map(|(prompt, completion)| prompt.saturating_add(completion));
    let measured = metrics.gpu.as_ref().filter(|gpu| gpu.metric.status == Status::Measured);
    let per_thousand = measured.map(|gpu| gpu.metric.value);
    let energy = per_thousand.map(|energy| energy / 1000.0 * of.prompts as f64);
    // The rates count the tokens of the prompts, too.
    let per_second = tokens.zip(of.seconds.filter(|seconds| *seconds > 0.0));
    let per_joule = tokens.zip(energy.filter(|energy| *energy > 0.0));
    let total = of.prompts.saturating_add(of.prompts_failed);
    let failed = (of.prompts_failed > 0).then(|| {
        let share = of.prompts_failed as f64 / total as f64 * 100.0;
        format!("PARTIAL FAILURE: {}/{total} prompts failed ({share:.1}%)", of.prompts_failed)
    });
    let unmeasured = measured.is_none().then(|| why_no_gpu(run));
    let begun = run.summary.repeat.as_ref().map(|repeat| &repeat.begun);
    let error = failed.into_iter().chain(unmeasured).collect::<Vec<_>>().join("; ");
    [
        no_formula(&sanitized(&of.model)),
        // The results do not have the model's size.
        String::new(),
        TASK.to_owned(),
        reasoning(run),
        total.to_string(),
        of.prompts.to_string(),
        of.prompts_failed.to_string(),
        number(of.seconds, 2),
        number(of.seconds.map(|seconds| seconds / of.prompts as f64), 4),
        number(of.time_to_first_token_seconds, 4),
        count(tokens),
        count(of.prompt_tokens),
        count(of.completion_tokens),
        number(per_second.map(|(tokens, seconds)| tokens as f64 / seconds), 2),
        number(energy, 4),
        number(per_thousand, 4),
        // The location of the machine is unknown.
        String::new(),
        number(per_joule.map(|(tokens, energy)| tokens as f64 / (energy * 3600.0)), 4),
        number(per_thousand.map(|energy| energy / 1000.0), 4),
        begun.map_or_else(String::new, |begun| no_formula(&sanitized(begun))),
        no_formula(&escape(&error)),
    ]
}

fn broken_row(broken: &Broken) -> [String; COLUMNS.len()] {
    let mut row = [const { String::new() }; COLUMNS.len()];
    row[2] = TASK.to_owned();
    let folder = broken.folder.to_string_lossy();
    row[COLUMNS.len() - 1] = no_formula(&escape(&format!("BROKEN: {folder}: {}", broken.reason)));
    row
}

/// `Off`, `On` or `On (High)`; empty if the arguments are unknown.
fn reasoning(run: &FinishedRun) -> String {
    let Some(arguments) = run.arguments() else { return String::new() };
    let effort = format!("{REASONING_PARAMS}.reasoning_effort");
    let value = |wanted: &str| {
        let mut all = arguments.iter().rev().filter_map(|argument| split(argument));
        all.find(|(key, _)| *key == wanted).map(|(_, value)| value.to_string())
    };
    let is_on = |value: String| ["true", "on", "yes", "1"].contains(&&*value.to_lowercase());
    if !value(REASONING).is_some_and(is_on) {
        return "Off".to_owned();
    }
    let Some(effort) = value(&effort) else { return "On".to_owned() };
    let mut letters = effort.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    no_formula(&sanitized(&format!("On ({first}{})", letters.as_str())))
}

/// `text` in a form that no spreadsheet runs as a formula.
fn no_formula(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@']) { format!("'{text}") } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::{COLUMNS, text};
    use crate::{
        finished_run::Broken,
        report::Report,
        testing::{measured, on_cpu},
    };

    #[test]
    fn unmeasured_values_are_empty_cells_with_a_reason() {
        let mut failed = measured("2", 0.4);
        failed.summary.run.prompts_failed = 5;
        let repeat = failed.summary.repeat.as_mut().unwrap();
        repeat.command.extend(
            ["scenario.reasoning=True", "scenario.reasoning_params.reasoning_effort=high"]
                .map(str::to_owned),
        );
        let mut both = on_cpu("5");
        both.summary.run.prompts_failed = 5;
        let broken = Broken { folder: "r/3".into(), reason: "half a file, \"cut\"".into() };
        insta::assert_snapshot!(
            text(&Report::of(vec![measured("1", 0.42), failed, on_cpu("4"), both], vec![broken]))
                .unwrap(),
            @r#"
        model_name,model_class,task,reasoning_state,total_prompts,successful_prompts,failed_prompts,total_duration_seconds,avg_total_time,avg_time_to_first_token,total_tokens,total_prompt_tokens,total_completion_tokens,throughput_tokens_per_second,gpu_energy_wh,wh_per_1000_queries,co2_emissions_g,tokens_per_joule,avg_energy_per_prompt_wh,timestamp,error_message
        openai/gpt-oss-20b,,text_gen,Off,20,20,0,8.00,0.4000,0.0421,7582,7382,200,947.75,0.4200,21.0000,,5.0146,0.0210,2026-11-24T01:05:16Z,
        openai/gpt-oss-20b,,text_gen,On (High),25,20,5,8.00,0.4000,0.0421,7582,7382,200,947.75,0.4000,20.0000,,5.2653,0.0200,2026-11-24T01:05:16Z,PARTIAL FAILURE: 5/25 prompts failed (20.0%)
        HuggingFaceTB/SmolLM2-360M-Instruct-GGUF,,text_gen,Off,20,20,0,8.00,0.4000,0.0421,7582,7382,200,947.75,,,,,,2026-11-24T01:05:16Z,no GPU was measured; CPU: estimated from CPU seconds
        HuggingFaceTB/SmolLM2-360M-Instruct-GGUF,,text_gen,Off,25,20,5,8.00,0.4000,0.0421,7582,7382,200,947.75,,,,,,2026-11-24T01:05:16Z,PARTIAL FAILURE: 5/25 prompts failed (20.0%); no GPU was measured; CPU: estimated from CPU seconds
        ,,text_gen,,,,,,,,,,,,,,,,,,"BROKEN: r/3: half a file, ""cut"""
        "#
        );
    }

    #[test]
    fn small_values_are_not_rounded_to_zero() {
        let mut run = measured("1", 0.000_031_62);
        run.summary.run.seconds = Some(0.036_51);
        let shown = text(&Report::of(vec![run], vec![])).unwrap();
        let mut reader = csv::Reader::from_reader(shown.as_bytes());
        let row = reader.records().next().unwrap().unwrap();
        let cell = |name: &str| &row[COLUMNS.iter().position(|column| *column == name).unwrap()];
        // 20 prompts.
        assert_eq!(cell("gpu_energy_wh"), "0.0000316");
        assert_eq!(cell("wh_per_1000_queries"), "0.00158");
        assert_eq!(cell("avg_energy_per_prompt_wh"), "0.00000158");
        assert_eq!(cell("total_duration_seconds"), "0.0365");
        assert_eq!(cell("throughput_tokens_per_second"), "207669.13");
    }

    #[test]
    fn hostile_names_stay_in_their_cell_and_are_no_formula() {
        let mut run = measured("1", 0.42);
        run.summary.run.model = "=cmd|' /C calc'!A0,\"\n\u{1b}[2J".into();
        let shown = text(&Report::of(vec![run], vec![])).unwrap();
        let mut reader = csv::Reader::from_reader(shown.as_bytes());
        let row = reader.records().next().unwrap().unwrap();
        assert_eq!(row.len(), COLUMNS.len());
        assert_eq!(&row[0], "'=cmd|' /C calc'!A0,\"\\n\\u{1b}[2J");
        assert!(!shown.contains('\u{1b}'));
    }
}
