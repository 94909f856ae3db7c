//! The report as JSON. The guides describe the keys; a change of their meaning needs a new [`VERSION`].

use host::output::json_text::json_text;
use serde_json::{Map, Value, json};

use backend_reports::{Details, Sourced};

use crate::{
    finished_run::{Broken, FinishedRun, Origin},
    metrics::Metrics,
    metrics::ReportedRun,
    report::Report,
};

/// Version of the keys.
const VERSION: u32 = 2;

/// The report as JSON text, with control and invisible characters escaped.
pub(crate) fn text(report: &Report) -> String {
    json_text(&value(report))
}

fn value(Report { parent: _, runs, groups, broken }: &Report) -> Value {
    let broken_value = |Broken { folder, reason }: &Broken| json!({ "folder": folder.to_string_lossy(), "reason": reason });
    json!({
        "format": "aienergyscore report",
        "version": VERSION,
        "runs": runs.iter().map(run_value).collect::<Vec<_>>(),
        "groups": groups,
        "broken": broken.iter().map(broken_value).collect::<Vec<_>>(),
    })
}

fn run_value(ReportedRun { run, metrics }: &ReportedRun) -> Value {
    let FinishedRun { folder, origin, summary, completion, meter, details, warnings } = run;
    let Metrics {
        gpu,
        phases,
        others,
        served: _,
        too_short,
        tokens_per_second,
        tokens_per_joule,
        first_token,
        seconds,
        prompts,
        tokens,
    } = metrics;
    let Details { dataset, dtype, batch_size, gpus, seed } = details;
    let text = |setting: &Option<Sourced<String>>| json!(setting.as_ref().map(|of| &of.value));
    let phases: Map<_, _> =
        phases.iter().map(|(name, metric)| ((*name).to_owned(), json!(metric))).collect();
    json!({
        "folder": folder.to_string_lossy(),
        "numbers_from": match origin { Origin::Summary => "summary", Origin::Report(_) => "report" },
        "complete": completion.is_some(),
        "wh_per_1000_prompts": {
            "gpu": gpu,
            "gpu_phases": phases,
            "others": others,
            "too_short": too_short,
        },
        "tokens_per_second": tokens_per_second,
        "tokens_per_joule": tokens_per_joule.as_ref().map(|(kind, metric)| {
            let mut metric = json!(metric);
            metric["kind"] = json!(kind);
            metric
        }),
        "time_to_first_token_seconds": first_token,
        "seconds": seconds,
        "prompts": prompts,
        "completion_tokens": tokens,
        "dataset": text(dataset),
        "dtype": text(dtype),
        "batch_size": batch_size.as_ref().map(|of| of.value),
        "gpus": gpus.as_ref().map(|of| of.value),
        "seed": text(seed),
        "warnings": warnings,
        "summary": summary,
        "host_meter": meter.as_ref().map(|(meter, _)| meter),
    })
}

#[cfg(test)]
mod tests {
    use super::{text, value};
    use crate::{
        finished_run::Broken,
        report::Report,
        testing::{measured, on_cpu},
    };

    #[test]
    fn keys_are_those_of_the_guide() {
        let mut run = measured("1", 0.42);
        run.meter = None;
        run.summary.repeat = None;
        let broken = Broken { folder: "x".into(), reason: "empty".into() };
        let mut found = value(&Report::of(vec![run, on_cpu("2")], vec![broken]));
        for run in found["runs"].as_array_mut().unwrap() {
            run.as_object_mut().unwrap().remove("summary").unwrap();
        }
        insta::assert_snapshot!("json", format!("{found:#}"));
    }

    #[test]
    fn hostile_names_are_escaped_and_survive_parsing() {
        let name = "a\u{1b}[2J\u{9b}b\u{202e}\u{e0041}\"ü";
        let mut run = measured("1", 0.42);
        run.summary.run.model = name.into();
        let text = text(&Report::of(vec![run], vec![]));
        assert!(text.chars().all(|char| char == '\n' || !untrusted::is_unseen(char)));
        let back: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(back["runs"][0]["summary"]["run"]["model"], name);
    }
}
