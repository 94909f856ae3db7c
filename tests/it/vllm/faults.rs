//! Runs with a server that fails or hangs.

use std::process::Output;

use super::{
    MODEL, ada, run, said,
    server::{Does, serve},
    summary,
};
use crate::ada::Ada;

/// Answers for finding out what the server takes, and for the warm-up.
const BEFORE: usize = 2;

/// Ada, and what becomes of her six prompts with such a server.
fn tried(does: fn(usize) -> Does, args: &[&str]) -> (Ada, Output) {
    let mut ada = ada();
    let port = serve(move |asked| asked.checked_sub(BEFORE).map_or(Does::Answer, does));
    ada.set("VLLM_ENDPOINT", format!("http://host.docker.internal:{port}/v1"));
    let model = format!("backend.model={MODEL}");
    let output = run(&ada, &[&["-n", "6", &model], args].concat());
    (ada, output)
}

#[test]
#[ignore = "needs Docker and the cpu image"]
fn a_prompt_that_fails_is_counted_and_shown() {
    let one = |prompt| if prompt == 2 { Does::Fail } else { Does::Answer };
    let (ada, output) = tried(one, &[]);
    let summary = summary(&ada, &output);
    let run = &summary["run"];
    assert_eq!((&run["prompts"], &run["prompts_failed"]), (&5.into(), &1.into()));
    assert_eq!((&run["prompt_tokens"], &run["completion_tokens"]), (&25.into(), &50.into()));
    assert!(said(&output).contains("HTTP 500, planted"), "{}", said(&output));
    assert!(said(&output).contains("1 of 6 prompts failed"), "{}", said(&output));
}

#[test]
#[ignore = "needs Docker and the cpu image"]
fn more_failures_than_are_allowed_fail_the_run() {
    let third = |prompt| if prompt % 3 == 0 { Does::Fail } else { Does::Answer };
    let (ada, output) = tried(third, &[]);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    let why = "2 of 6 prompts failed, and 1 may";
    assert!(said(&output).contains(why), "{}", said(&output));
    assert!(!ada.results().join("GPU_ENERGY_SUMMARY.json").exists());
    let (ada, output) = tried(third, &["scenario.failed_share=0.34"]);
    assert_eq!(summary(&ada, &output)["run"]["prompts_failed"], 2);
}

#[test]
#[ignore = "needs Docker and the cpu image"]
fn a_server_that_hangs_fails_its_prompt_and_three_in_a_row_the_run() {
    let one = |prompt| if prompt == 1 { Does::Hang } else { Does::Answer };
    let (ada, output) = tried(one, &["backend.timeout=2"]);
    assert_eq!(summary(&ada, &output)["run"]["prompts_failed"], 1);
    assert!(said(&output).contains("the server was silent for 2 s"), "{}", said(&output));
    let (_, output) = tried(|_| Does::Fail, &["scenario.failed_share=1"]);
    assert_eq!(output.status.code(), Some(1));
    let why = "3 consecutive inference failures. Last error: HTTP 500, planted";
    assert!(said(&output).contains(why), "{}", said(&output));
}
