//! The report for other programs. README.md describes the keys; a change of their meaning is a new
//! [`VERSION`].

use host::output::json_text::json_text;
use serde_json::{Map, Value, json};

use crate::{
    finished_run::{Broken, Details, FinishedRun, Origin, Runs},
    groups::Group,
    metrics::Metrics,
};

/// Version of the keys.
const VERSION: u32 = 2;

/// The report as JSON text, in which what a terminal would obey has its number. `metrics` are those
/// of the runs, `groups` made of both.
pub(crate) fn text(all: &Runs, metrics: &[Metrics], groups: &[Group]) -> String {
    json_text(&value(all, metrics, groups))
}

fn value(all: &Runs, metrics: &[Metrics], groups: &[Group]) -> Value {
    let Runs { runs, broken } = all;
    json!({
        "format": "aienergyscore report",
        "version": VERSION,
        "runs": runs.iter().zip(metrics).map(|(run, metrics)| of_run(run, metrics)).collect::<Vec<_>>(),
        "groups": groups,
        "broken": broken.iter().map(of_broken).collect::<Vec<_>>(),
    })
}

fn of_run(run: &FinishedRun, metrics: &Metrics) -> Value {
    let FinishedRun { folder, below: _, origin, summary, completion, meter, details, warnings } =
        run;
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
        "dataset": dataset.as_ref().map(|told| &told.value),
        "dtype": dtype.as_ref().map(|told| &told.value),
        "batch_size": batch_size.as_ref().map(|told| told.value),
        "gpus": gpus.as_ref().map(|told| told.value),
        "seed": seed.as_ref().map(|told| &told.value),
        "warnings": warnings,
        "summary": summary,
        "host_meter": meter.as_ref().map(|(meter, _)| meter),
    })
}

fn of_broken(broken: &Broken) -> Value {
    let Broken { folder, reason } = broken;
    json!({ "folder": folder.to_string_lossy(), "reason": reason })
}

#[cfg(test)]
mod tests {
    use super::{text, value};
    use crate::{
        finished_run::{Broken, Runs},
        groups::groups,
        metrics::Metrics,
        testing::{measured, on_cpu},
    };

    #[test]
    fn keys_are_those_of_the_guide() {
        let mut run = measured("1", 0.42);
        run.meter = None;
        run.summary.repeat = None;
        let all = Runs {
            runs: vec![run, on_cpu("2")],
            broken: vec![Broken { folder: "x".into(), reason: "empty".into() }],
        };
        let metrics: Vec<_> = all.runs.iter().map(Metrics::of).collect();
        let mut found = value(&all, &metrics, &groups(&all, &metrics));
        for run in found["runs"].as_array_mut().unwrap() {
            run.as_object_mut().unwrap().remove("summary").unwrap();
        }
        insta::assert_snapshot!("json", format!("{found:#}"));
    }

    #[test]
    fn hostile_names_come_through_and_do_nothing_on_the_way() {
        let name = "a\u{1b}[2J\u{9b}b\u{202e}\u{e0041}\"ü";
        let mut run = measured("1", 0.42);
        run.summary.run.model = name.into();
        let all = Runs { runs: vec![run], broken: vec![] };
        let metrics = [Metrics::of(&all.runs[0])];
        let text = text(&all, &metrics, &groups(&all, &metrics));
        assert!(text.chars().all(|char| char == '\n' || !untrusted::is_unseen(char)));
        let back: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(back["runs"][0]["summary"]["run"]["model"], name);
    }
}
