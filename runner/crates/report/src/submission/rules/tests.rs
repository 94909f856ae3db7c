//! Runs that may be submitted, and a violation of each rule.

use backend_reports::{CONFIG, Folder, energy_text};
use contract::{
    Backend,
    output::{COMPLETION, ENERGY_WH, LOG, RECORD, REPORT, SUMMARY},
    summary::Status,
};
use serde_json::{Value, json};

use super::{Rule, RunLogs, Violation, check, check_together};
use crate::{
    finished_run::{Broken, FinishedRun},
    metrics::ReportedRun,
    report::Report,
    submission::{ModelClass, logs::LogFile},
    testing::{measured, on_cpu, real},
};

/// A run that the rules admit.
fn admitted() -> FinishedRun {
    let mut run = measured("1", 21.6);
    set_prompts(&mut run, 1000);
    run
}

fn set_prompts(run: &mut FinishedRun, count: u64) {
    let run = &mut run.summary.run;
    (run.prompts, run.prompts_asked, run.completion_tokens) =
        (count, Some(count), Some(10 * count));
}

/// The settings of an admitted run, as its record and optimum-benchmark's configuration have them.
fn scenario() -> Value {
    json!({
        "dataset_name": "EnergyStarAI/text_generation",
        "dataset_split": "train",
        "text_column_name": "text",
        "truncation": true,
        "reasoning": false,
        "input_shapes": {"batch_size": 1},
        "generate_kwargs": {
            "min_new_tokens": 10,
            "max_new_tokens": 10,
            "do_sample": false,
            "num_beams": 1,
            "repetition_penalty": 1.0,
        },
    })
}

/// The logs of an admitted run.
fn logs(run: &FinishedRun) -> RunLogs {
    let file = |name: &str, text: String| LogFile { name: name.into(), bytes: text.into() };
    let names = [COMPLETION, LOG, REPORT, SUMMARY];
    let mut files: Vec<_> = names.map(|name| file(name, String::new())).into();
    files.push(file(ENERGY_WH, energy_text(&run.summary) + "\n"));
    let record = json!({"prompt_format": "plain text", "scenario": scenario()});
    let settings = [(RECORD, record), (CONFIG, json!({"scenario": scenario()}))];
    RunLogs { files, recomputed: Ok(run.summary.clone()), settings }
}

fn checked(run: &FinishedRun, logs: &RunLogs, class: Option<ModelClass>) -> Vec<(Rule, String)> {
    let violations = check(&ReportedRun::from(run.clone()), logs, class);
    violations.into_iter().map(|Violation { rule, why, .. }| (rule, why)).collect()
}

fn violated(run: &FinishedRun, logs: &RunLogs, class: Option<ModelClass>) -> Vec<Rule> {
    checked(run, logs, class).into_iter().map(|(rule, _)| rule).collect()
}

#[test]
fn each_rule_has_its_violations() {
    type Edit = fn(&mut FinishedRun);
    let cases: [(Edit, &[Rule]); 22] = [
        (|_| {}, &[]),
        (|run| set_prompts(run, 20), &[Rule::Dataset]),
        (|run| run.completion = None, &[Rule::Logs]),
        (|run| run.summary.run.backend = Backend::Vllm, &[Rule::Task]),
        (|run| run.summary.measurement.devices[0].status = Status::Estimated, &[Rule::Energy]),
        (
            |run| run.summary.measurement.devices[0].name = "NVIDIA A100-SXM4".into(),
            &[Rule::Hardware],
        ),
        (|run| run.summary.measurement.devices[0].name = "GPU".into(), &[Rule::Hardware]),
        (|run| run.details.gpus.as_mut().unwrap().value = 2, &[Rule::OneGpu]),
        (
            |run| run.summary.measurement.devices[0].name = "NVIDIA H100, NVIDIA H100".into(),
            &[Rule::OneGpu],
        ),
        (|run| run.summary.run.prompts_failed = 1, &[Rule::Dataset]),
        (|run| run.summary.run.prompts_asked = Some(1001), &[Rule::Dataset]),
        (|run| run.details.dataset = None, &[Rule::Dataset]),
        (|run| run.details.dataset.as_mut().unwrap().value = "/data/p".into(), &[Rule::Dataset]),
        (
            |run| run.details.dtype.as_mut().unwrap().value = "torch.float32".into(),
            &[Rule::Precision],
        ),
        (|run| run.details.dtype.as_mut().unwrap().value = "torch.float16".into(), &[]),
        (|run| run.details.dtype.as_mut().unwrap().value = "auto".into(), &[Rule::Precision]),
        (|run| run.details.dtype = None, &[Rule::Precision]),
        (|run| run.summary.run.completion_tokens = Some(3000), &[Rule::Length]),
        (|run| run.summary.run.completion_tokens = None, &[Rule::Length]),
        (|run| run.summary.run.prompts_cut = Some(1), &[Rule::Truncation]),
        (|run| run.summary.run.prompts_cut = None, &[Rule::Truncation]),
        (
            |run| run.summary.total = None,
            // The benchmark's logs do not have the host's energies.
            &[Rule::Energy],
        ),
    ];
    for (index, (edit, rules)) in cases.into_iter().enumerate() {
        let mut run = admitted();
        edit(&mut run);
        assert_eq!(violated(&run, &logs(&run), None), rules, "case {index}");
    }
    let mut several = admitted();
    several.details.gpus.as_mut().unwrap().value = 8;
    for (class, rules) in [
        (ModelClass::A, &[Rule::OneGpu][..]),
        (ModelClass::B, &[Rule::OneGpu]),
        (ModelClass::C, &[]),
    ] {
        assert_eq!(violated(&several, &logs(&several), Some(class)), rules);
    }
}

#[test]
fn a_run_violates_several_rules_at_once() {
    let run = on_cpu("2");
    let rules = [Rule::Task, Rule::Energy, Rule::Dataset, Rule::Dataset, Rule::Precision];
    assert_eq!(violated(&run, &logs(&run), None), rules);
}

/// Every setting of the task, another value, and the rule that it violates.
const OTHERS: [(&str, &str, Rule); 10] = [
    ("dataset_split", "\"test\"", Rule::Dataset),
    ("text_column_name", "\"prompt\"", Rule::Dataset),
    ("input_shapes.batch_size", "8", Rule::Batch),
    ("generate_kwargs.min_new_tokens", "1", Rule::Length),
    ("generate_kwargs.max_new_tokens", "3", Rule::Length),
    ("generate_kwargs.do_sample", "true", Rule::Sampling),
    ("generate_kwargs.num_beams", "4", Rule::Sampling),
    ("generate_kwargs.repetition_penalty", "1.2", Rule::Sampling),
    ("reasoning", "true", Rule::Template),
    ("truncation", "false", Rule::Truncation),
];

#[test]
fn a_setting_is_named_somewhere_and_is_the_tasks_wherever_it_is_named() {
    let run = admitted();
    for (key, other, rule) in OTHERS {
        let pointer = format!("/scenario/{}", key.replace('.', "/"));
        let with = |values: [Option<&str>; 2]| {
            let mut logs = logs(&run);
            for ((_, file), value) in logs.settings.iter_mut().zip(values) {
                let value = value.map(|value| serde_json::from_str(value).unwrap());
                *file.pointer_mut(&pointer).unwrap() = value.unwrap_or_default();
            }
            checked(&run, &logs, None)
        };
        let original = scenario().pointer(&pointer[9..]).unwrap().to_string();
        let task = Some(original.as_str());
        for (values, file) in [
            ([Some(other), task], "run_record.json"),
            ([task, Some(other)], "benchmark_config.json"),
        ] {
            let [(found, why)] = &with(values)[..] else { panic!("{key} in {file}") };
            assert_eq!(*found, rule, "{why}");
            let said = format!("`scenario.{key}` was {other} (`{file}`)");
            assert!(why.starts_with(&said), "{why}");
        }
        assert_eq!(with([task, None]), []);
        assert_eq!(with([None, task]), []);
        let [(found, why)] = &with([None, None])[..] else { panic!("{key} is named nowhere") };
        assert_eq!(*found, rule, "{why}");
        assert!(why.contains(&format!("do not tell `scenario.{key}`")), "{why}");
    }
}

#[test]
fn prompts_are_the_plain_texts_of_the_dataset() {
    let run = admitted();
    let why = |edit: fn(&mut Value)| {
        let mut logs = logs(&run);
        edit(&mut logs.settings[0].1);
        let found = checked(&run, &logs, None);
        found.into_iter().map(|(rule, why)| format!("{rule:?}: {why}")).collect::<Vec<_>>()
    };
    insta::assert_debug_snapshot!(
        [
            why(|record| record["scenario"]["prompt_prefix"] = json!("/think")),
            why(|record| record["prompt_format"] = json!("chat template, reasoning_effort=low")),
            why(|record| record["prompt_format"] = Value::Null),
            why(|record| *record = Value::Null),
            why(|record| record["scenario"]["prompt_prefix"] = json!("")),
        ],
        @r#"
    [
        [
            "Template: `/think` stood before every prompt; leave `scenario.prompt_prefix` out",
        ],
        [
            "Template: the model got its prompts by way of its chat template, reasoning_effort=low, and the task's are plain text; leave `scenario.reasoning` out",
        ],
        [
            "Template: the logs do not tell how the model got its prompts; run again with `aienergyscore run`, whose logs tell it",
        ],
        [
            "Template: the logs do not tell whether `scenario.prompt_prefix` was set; run again with `aienergyscore run`, whose logs tell it",
        ],
        [],
    ]
    "#
    );
}

#[test]
fn logs_of_a_stack_alone_do_not_name_every_setting() {
    let settings = [Rule::Length, Rule::Sampling, Rule::Template, Rule::Truncation];
    for (name, unnamed) in [
        // Its configuration names the length, which the answers have.
        ("optimum_cpu", &settings[1..]),
        ("ai_energy_benchmarks_cpu", &settings[..]),
    ] {
        let folder = real(name);
        let (run, logs) = RunLogs::read(&Folder::open(folder.path()).unwrap()).unwrap();
        let rules = violated(&run, &logs.unwrap(), None);
        let found: Vec<_> = settings.into_iter().filter(|rule| rules.contains(rule)).collect();
        assert_eq!(found, unnamed, "{name}");
    }
}

#[test]
fn edited_logs_are_found() {
    type Edit = fn(&mut FinishedRun, &mut RunLogs);
    let cases: [(Edit, &[Rule]); 7] = [
        (|run, _| run.summary.total = Some(20.0), &[Rule::Unaltered, Rule::Unaltered]),
        (
            |run, _| run.summary.measurement.devices[0].name = "NVIDIA H100 SXM".into(),
            &[Rule::Unaltered],
        ),
        (|run, _| run.summary.run.seconds = Some(1.0), &[Rule::Unaltered]),
        // The host adds notes and the command.
        (
            |run, _| (run.summary.notes, run.summary.repeat) = (vec!["of the host".into()], None),
            &[],
        ),
        (|_, logs| logs.recomputed = Err("it is empty".into()), &[Rule::Unaltered]),
        (|_, logs| logs.files.last_mut().unwrap().bytes = b"1.5\n".into(), &[Rule::Unaltered]),
        (|_, logs| logs.files.retain(|file| file.name != LOG), &[Rule::Logs]),
    ];
    for (index, (edit, rules)) in cases.into_iter().enumerate() {
        let mut run = admitted();
        let mut logs = logs(&run);
        edit(&mut run, &mut logs);
        assert_eq!(violated(&run, &logs, None), rules, "case {index}");
    }
}

#[test]
fn runs_of_one_archive_are_readable_and_of_one_model() {
    let mut other = admitted();
    other.summary.run.model = "org/other".into();
    let broken = Broken { folder: "results/3".into(), reason: "it is empty".into() };
    let report = Report::of(vec![admitted(), admitted(), other], vec![broken]);
    let found = check_together(&report);
    let rules: Vec<_> = found.iter().map(|violation| violation.rule).collect();
    assert_eq!(rules, [Rule::Logs, Rule::OneModel]);
}
