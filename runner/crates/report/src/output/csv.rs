//! The report as a table of AIEnergyScore's `master_results.csv`.
//!
//! Columns, their order, their meaning and the number of their decimals are facts of
//! `results_aggregator.py` of <https://github.com/huggingface/AIEnergyScore>, commit
//! a5b9a048ecd44aa087cdd5b575a17d705128c424. There what was not measured is 0; here its cell is
//! empty, and the message says why, so that its reader leaves the row out of its sums. What is small
//! has more decimals here: it is not 0, either.

use anyhow::Context as _;
use contract::{
    argument::{REASONING, REASONING_PARAMS, split},
    summary::Status,
};
use host::output::units::decimals;
use untrusted::escape;

use crate::{
    finished_run::{Broken, FinishedRun, Runs},
    metrics::{Metrics, why_no_gpu},
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

/// The task, as the file names it.
const TASK: &str = "text_gen";

/// The report as CSV. `metrics` are those of the runs.
///
/// # Errors
/// When a row cannot be written, which a text in memory always can.
pub(crate) fn text(all: &Runs, metrics: &[Metrics]) -> anyhow::Result<String> {
    let mut writer = csv::Writer::from_writer(vec![]);
    writer.write_record(COLUMNS)?;
    for (run, metrics) in all.runs.iter().zip(metrics) {
        writer.write_record(row(run, metrics))?;
    }
    for broken in &all.broken {
        writer.write_record(broken_row(broken))?;
    }
    let bytes = writer.into_inner().context("writing CSV")?;
    Ok(String::from_utf8(bytes)?)
}

fn row(run: &FinishedRun, metrics: &Metrics) -> [String; COLUMNS.len()] {
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
    // Tokens read count there, too.
    let per_second = tokens.zip(of.seconds.filter(|seconds| *seconds > 0.0));
    let per_joule = tokens.zip(energy.filter(|energy| *energy > 0.0));
    let total = of.prompts.saturating_add(of.prompts_failed);
    let failed = (of.prompts_failed > 0).then(|| {
        let share = of.prompts_failed as f64 / total as f64 * 100.0;
        format!("PARTIAL FAILURE: {}/{total} prompts failed ({share:.1}%)", of.prompts_failed)
    });
    let unmeasured = measured.is_none().then(|| why_no_gpu(run));
    let error = failed.into_iter().chain(unmeasured).collect::<Vec<_>>().join("; ");
    [
        harmless(&sanitized(&of.model)),
        // The model's size is not in its results.
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
        // Nobody is asked where the machine is.
        String::new(),
        number(per_joule.map(|(tokens, energy)| tokens as f64 / (energy * 3600.0)), 4),
        number(per_thousand.map(|energy| energy / 1000.0), 4),
        run.summary
            .repeat
            .as_ref()
            .map_or_else(String::new, |repeat| harmless(&sanitized(&repeat.begun))),
        harmless(&escape(&error)),
    ]
}

fn broken_row(broken: &Broken) -> [String; COLUMNS.len()] {
    let mut row = [const { String::new() }; COLUMNS.len()];
    row[2] = TASK.to_owned();
    let folder = broken.folder.to_string_lossy();
    row[COLUMNS.len() - 1] = harmless(&escape(&format!("BROKEN: {folder}: {}", broken.reason)));
    row
}

/// `Off`, `On` or `On (High)`, as far as the arguments are known.
fn reasoning(run: &FinishedRun) -> String {
    let Some(arguments) = run.arguments() else { return String::new() };
    let effort = format!("{REASONING_PARAMS}.reasoning_effort");
    let value = |wanted: &str| {
        let all = arguments.iter().rev().filter_map(|argument| split(argument));
        all.into_iter().find(|(key, _)| *key == wanted).map(|(_, value)| value.to_string())
    };
    if value(REASONING)
        .is_none_or(|value| !["true", "on", "yes", "1"].contains(&&*value.to_lowercase()))
    {
        return "Off".to_owned();
    }
    let Some(effort) = value(&effort) else { return "On".to_owned() };
    let mut letters = effort.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    harmless(&sanitized(&format!("On ({first}{})", letters.as_str())))
}

/// A text that a spreadsheet does not take for a formula.
fn harmless(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@']) { format!("'{text}") } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::{COLUMNS, text};
    use crate::{
        finished_run::{Broken, FinishedRun, Runs},
        metrics::Metrics,
        testing::{measured, on_cpu},
    };

    fn shown(runs: Vec<FinishedRun>, broken: Vec<Broken>) -> String {
        let metrics: Vec<_> = runs.iter().map(Metrics::of).collect();
        text(&Runs { runs, broken }, &metrics).unwrap()
    }

    #[test]
    fn what_was_not_measured_has_an_empty_cell() {
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
            shown(vec![measured("1", 0.42), failed, on_cpu("4"), both], vec![broken]),
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
    fn what_was_measured_is_never_rounded_to_nothing() {
        let mut run = measured("1", 0.000_031_62);
        run.summary.run.seconds = Some(0.036_51);
        let shown = shown(vec![run], vec![]);
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
    fn every_row_has_every_column_whatever_its_names() {
        let mut run = measured("1", 0.42);
        run.summary.run.model = "=cmd|' /C calc'!A0,\"\n\u{1b}[2J".into();
        let shown = shown(vec![run], vec![]);
        let mut reader = csv::Reader::from_reader(shown.as_bytes());
        let row = reader.records().next().unwrap().unwrap();
        assert_eq!(row.len(), COLUMNS.len());
        assert_eq!(&row[0], "'=cmd|' /C calc'!A0,\"\\n\\u{1b}[2J");
        assert!(!shown.contains('\u{1b}'));
    }
}
