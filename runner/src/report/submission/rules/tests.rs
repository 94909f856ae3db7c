//! Runs that may be submitted, and each thing that excludes one.

use contract::{
    Backend,
    output::{COMPLETION, ENERGY_WH, LOG, REPORT, SUMMARY},
    summary::{DeviceKind, Status},
};
use reports::energy_text;

use super::{Evidence, Rule, between, judge};
use crate::report::{
    figures::Figures,
    groups::groups,
    record::{Broken, RunRecord, Runs},
    submission::{ModelClass, evidence::LogFile},
    testing::{measured, on_cpu},
};

/// A run that the rules admit.
fn good() -> RunRecord {
    let mut run = measured("1", 21.6);
    (run.summary.run.prompts, run.summary.run.prompts_asked) = (1000, Some(1000));
    run
}

/// All that its run left, as it must be.
fn evidence(run: &RunRecord) -> Evidence {
    let file = |name: &str, text: String| LogFile { name: name.into(), bytes: text.into() };
    let names = [COMPLETION, LOG, REPORT, SUMMARY];
    let mut files: Vec<_> = names.map(|name| file(name, String::new())).into();
    files.push(file(ENERGY_WH, energy_text(&run.summary) + "\n"));
    Evidence { files, remade: Ok(run.summary.clone()) }
}

fn refused(run: &RunRecord, evidence: &Evidence, class: Option<ModelClass>) -> Vec<Rule> {
    let found = judge(run, &Figures::of(run), evidence, class);
    found.into_iter().map(|refusal| refusal.rule).collect()
}

#[test]
fn a_run_by_the_rules_is_admitted() {
    let run = good();
    assert_eq!(judge(&run, &Figures::of(&run), &evidence(&run), None), []);
}

#[test]
fn each_rule_excludes_what_it_says() {
    type Edit = fn(&mut RunRecord);
    let cases: [(Edit, &[Rule]); 15] = [
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
        (|run| run.details.batch_size.as_mut().unwrap().value = 8, &[Rule::Batch]),
        (
            |run| run.details.dtype.as_mut().unwrap().value = "torch.float32".into(),
            &[Rule::Precision],
        ),
        (|run| run.details.dtype.as_mut().unwrap().value = "torch.float16".into(), &[]),
        (
            |run| run.summary.total = None,
            // What the host's meter saw is not in the benchmark's logs.
            &[Rule::Energy],
        ),
    ];
    for (index, (edit, rules)) in cases.into_iter().enumerate() {
        let mut run = good();
        edit(&mut run);
        assert_eq!(refused(&run, &evidence(&run), None), rules, "case {index}");
    }
    let mut few = good();
    (few.summary.run.prompts, few.summary.run.prompts_asked) = (20, Some(20));
    assert_eq!(refused(&few, &evidence(&few), None), [Rule::Dataset]);
    let mut several = good();
    several.details.gpus.as_mut().unwrap().value = 8;
    for (class, rules) in [
        (ModelClass::A, &[Rule::OneGpu][..]),
        (ModelClass::B, &[Rule::OneGpu]),
        (ModelClass::C, &[]),
    ] {
        assert_eq!(refused(&several, &evidence(&several), Some(class)), rules);
    }
}

#[test]
fn a_run_on_a_processor_is_refused_for_every_reason_at_once() {
    let run = on_cpu("2");
    let rules = refused(&run, &evidence(&run), None);
    assert_eq!(rules, [Rule::Task, Rule::Energy, Rule::Dataset, Rule::Dataset]);
}

#[test]
fn outputs_that_were_edited_are_found_out() {
    let run = good();
    let mut less = run.clone();
    less.summary.total = Some(20.0);
    assert_eq!(refused(&less, &evidence(&run), None), [Rule::Unaltered, Rule::Unaltered]);
    let mut named = run.clone();
    named.summary.measurement.devices[0].name = "NVIDIA H100 SXM".into();
    assert_eq!(refused(&named, &evidence(&run), None), [Rule::Unaltered]);
    let mut faster = run.clone();
    faster.summary.run.seconds = Some(1.0);
    assert_eq!(refused(&faster, &evidence(&run), None), [Rule::Unaltered]);
    // What the host adds is no edit.
    let mut completed = run.clone();
    completed.summary.notes.push("of the host".into());
    completed.summary.repeat = None;
    assert_eq!(refused(&completed, &evidence(&run), None), []);

    let mut gone = evidence(&run);
    gone.remade = Err("it is empty".into());
    assert_eq!(refused(&run, &gone, None), [Rule::Unaltered]);
    let mut text = evidence(&run);
    text.files.last_mut().unwrap().bytes = b"1.5\n".into();
    assert_eq!(refused(&run, &text, None), [Rule::Unaltered]);
    let mut incomplete = evidence(&run);
    incomplete.files.retain(|file| file.name != LOG);
    assert_eq!(refused(&run, &incomplete, None), [Rule::Logs]);
}

#[test]
fn runs_of_one_archive_are_whole_and_of_the_same() {
    let mut other = good();
    other.summary.run.model = "org/other".into();
    let broken = Broken { folder: "results/3".into(), reason: "it is empty".into() };
    let all = Runs { runs: vec![good(), good(), other], broken: vec![broken] };
    let figures: Vec<_> = all.runs.iter().map(Figures::of).collect();
    let found = between(&all, &groups(&all, &figures));
    let rules: Vec<_> = found.iter().map(|refusal| refusal.rule).collect();
    assert_eq!(rules, [Rule::Logs, Rule::OneModel]);
    assert_eq!(figures[0].gpu.as_ref().unwrap().kind, DeviceKind::Gpu);
}
