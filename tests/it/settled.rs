//! The guides' tables of what the stacks do by themselves, and what a run does instead. Each side of a row
//! has a check. Families of models are in the entrypoint's tests of arguments.

use std::{collections::BTreeSet, fs};

use walkdir::WalkDir;

use crate::{harness::workspace, python::in_cpu_image};

/// The beginning of every row's first column, and the tests that hold its second one: in the order
/// of the table.
const HERE: [(&str, &[&str]); 31] = [
    ("exit code 0 when no prompt ran", &["a_run_that_failed_says_so"]),
    (
        "exit code 0 when every prompt failed",
        &[
            "a_run_that_failed_says_so",
            "part_failures_are_counted_and_shown",
            "more_failures_than_are_allowed_fail_the_run",
        ],
    ),
    ("exit code 0 when an old report was left", &["both_stacks_give_the_same_answers"]),
    (
        "exit code 0 when the report went elsewhere",
        &[
            "every_familiar_example_is_understood_or_refused_by_name",
            "without_a_report_or_a_prompt_there_is_no_summary",
        ],
    ),
    (
        "no seed, sampling always on",
        &[
            "both_stacks_give_the_same_answers",
            "sampling_is_seeded_and_a_models_name_changes_nothing",
        ],
    ),
    ("limits, penalties, searches and sampling", &["the_arguments_alone_choose_the_tokens"]),
    (
        "`min_new_tokens` ignored",
        &[
            "both_stacks_give_the_same_answers",
            "reasoning_lengthens_answers_unless_it_is_off_after_all",
        ],
    ),
    ("chat template switched on", &["sampling_is_seeded_and_a_models_name_changes_nothing"]),
    ("a launcher that keeps", &["a_run_here_is_as_the_table_says"]),
    ("one thread per processor", &["both_stacks_give_the_same_answers"]),
    ("`scenario.reasoning=False` read", &["values_are_what_hydra_makes_of_them"]),
    ("a dataset that is a file", &["the_adapter_reads_every_kind_of_dataset"]),
    ("more samples than", &["both_stacks_give_the_same_answers"]),
    ("prompts cut in silence", &["prompts_are_cut_counted_and_fail_one_by_one"]),
    ("a prompt without a token", &["prompts_are_cut_counted_and_fail_one_by_one"]),
    ("weights that are not numbers", &["prompts_are_cut_counted_and_fail_one_by_one"]),
    ("`NA`, `null` and empty cells", &["the_adapter_reads_every_kind_of_dataset"]),
    ("half a second", &["the_adapter_reads_every_kind_of_dataset"]),
    (
        "unknown or unsupported overrides",
        &["every_familiar_example_is_understood_or_refused_by_name"],
    ),
    ("`backend.torch_dtype`", &["a_run_here_is_as_the_table_says"]),
    ("a Hub id that only works", &["both_stacks_give_the_same_answers"]),
    ("code from a model's repository", &["a_run_here_is_as_the_table_says"]),
    ("CPU and memory figures", &["both_stacks_give_the_same_answers"]),
    ("services of the internet", &["a_run_here_is_as_the_table_says"]),
    ("a server's address", &["the_client_stands_whatever_a_server_sends"]),
    ("tokens not counted", &["the_client_stands_whatever_a_server_sends"]),
    ("an error in the middle", &["the_client_stands_whatever_a_server_sends"]),
    ("what a model thinks", &["the_client_stands_whatever_a_server_sends"]),
    ("reasoning parameters in `extra_body`", &["the_client_stands_whatever_a_server_sends"]),
    ("no API key", &["the_client_stands_whatever_a_server_sends"]),
    ("what is wrong with a server", &["the_client_stands_whatever_a_server_sends"]),
];

#[test]
fn every_row_has_tests_of_what_a_run_here_does() {
    let mut known = BTreeSet::new();
    for folder in ["docker", "runner", "tests"] {
        for entry in WalkDir::new(workspace().join(folder)) {
            let entry = entry.unwrap();
            if entry.path().extension().is_none_or(|ending| ending != "rs") {
                continue;
            }
            let text = fs::read_to_string(entry.path()).unwrap();
            let names = text.lines().filter_map(|line| line.trim().strip_prefix("fn "));
            known.extend(names.filter_map(|rest| Some(rest.split_once("()")?.0.to_owned())));
        }
    }
    let faults = faults();
    assert_eq!(faults.len(), HERE.len());
    for (fault, (beginning, tests)) in faults.iter().zip(HERE) {
        assert!(fault.starts_with(beginning), "`{fault}` is no `{beginning}`");
        let missing: Vec<_> = tests.iter().filter(|name| !known.contains(**name)).collect();
        assert!(!tests.is_empty() && missing.is_empty(), "{beginning}: {missing:?}");
    }
}

mod long {
    use super::{checks, faults, table};

    #[test]
    #[ignore = "needs Docker and the cpu image"]
    fn every_stack_does_by_itself_what_the_table_says() {
        let families = table("BENCHMARK_ARGUMENTS.md", "| Models | AIEnergyScore |");
        let families = families.iter().map(|row| format!("{}: {}", row[0], row[1]));
        let rows: Vec<_> = faults().into_iter().chain(families).collect();
        checks("by_itself.py", &[&serde_json::to_string(&rows).unwrap()]);
    }
}

#[test]
#[ignore = "needs Docker and the cpu image"]
fn a_run_here_is_as_the_table_says() {
    checks("here.py", &[]);
}

/// What the stacks do by themselves: the first column of the guide's table.
fn faults() -> Vec<String> {
    let rows = table("BACKENDS.md", "| The stack by itself |");
    rows.into_iter().map(|mut row| row.swap_remove(0)).collect()
}

/// The cells of the rows of a guide's table.
fn table(guide: &str, head: &str) -> Vec<Vec<String>> {
    let page = fs::read_to_string(workspace().join("ai_helpers").join(guide)).unwrap();
    let lines = page.lines().skip_while(|line| !line.starts_with(head)).skip(2);
    let rows = lines.take_while(|line| line.starts_with('|'));
    rows.map(|line| line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect())
        .collect()
}

fn checks(script: &str, args: &[&str]) {
    let (scripts, stub) = ("tests/it/settled", "tests/it/vllm/stub.py");
    let mounts = [
        (&*workspace().join(scripts), "/checks,readonly"),
        (&*workspace().join(stub), "/stub/stub.py,readonly"),
    ];
    let script = format!("/checks/{script}");
    in_cpu_image("4242:4242", &mounts, &[&[&*script], args].concat());
}
