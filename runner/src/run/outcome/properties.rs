//! Properties of verdicts for any evidence, and of states for any answer.

use contract::output::Completion;
use host::{process::Captured, testing::broken};
use proptest::{option, prelude::*, sample::select};

use super::{ContainerState, Evidence, Exit, State, parse_state, verdict};

const STATE: &str = r#"{"Running":false,"OOMKilled":false,"ExitCode":0,"Error":"","StartedAt":"2026-01-01T00:00:00Z"}"#;

/// An exit code, mostly 0.
fn code() -> impl Strategy<Value = i32> {
    prop_oneof![3 => Just(0), 1 => any::<i32>()]
}

prop_compose! {
    fn known()(
        running in prop::bool::weighted(0.2),
        oom_killed in prop::bool::weighted(0.2),
        exit_code in code(),
        error in any::<String>(),
        started_at in select(vec!["2026-01-01T00:00:00Z", "2026", "0001-01-01T00:00:00Z"]),
    ) -> State {
        State { running, oom_killed, exit_code, error, started_at: started_at.to_owned() }
    }
}

prop_compose! {
    fn evidence()(
        client_code in code(),
        signal in option::weighted(0.1, 1..65_i32),
        created in any::<bool>(),
        state in prop_oneof![
            2 => Just(ContainerState::NoContainers),
            1 => Just(ContainerState::Missing),
            6 => known().prop_map(ContainerState::Known),
            1 => any::<String>().prop_map(ContainerState::Unknown),
        ],
        completion in option::weighted(
            0.9,
            (prop_oneof![4 => Just("r"), 1 => Just("old")], prop_oneof![4 => Just(0), 1 => any::<u8>()]),
        ),
        has_report in prop::bool::weighted(0.9),
        has_summary in prop::bool::weighted(0.9),
    ) -> Evidence {
        let completion = completion
            .map(|(run_id, exit_code)| Completion { run_id: run_id.to_owned(), exit_code, same_kernel: None, });
        Evidence {
            engine: "docker", client_code, signal, created, state, completion, has_report, has_summary,
            mount_mismatch: None,
        }
    }
}

/// Whether all outputs are complete and no exit code contradicts them.
fn is_success(evidence: &Evidence) -> bool {
    let ended = match &evidence.state {
        ContainerState::NoContainers => evidence.client_code == 0,
        ContainerState::Known(state) => {
            let started = !state.started_at.starts_with("0001-");
            started && (state.running || state.exit_code == 0)
        }
        ContainerState::Missing | ContainerState::Unknown(_) => true,
    };
    let completion = Completion { run_id: "r".to_owned(), exit_code: 0, same_kernel: None };
    (ended || evidence.signal.is_some())
        && evidence.completion == Some(completion)
        && evidence.has_report
        && evidence.has_summary
}

proptest! {
    #[test]
    fn success_needs_complete_outputs_and_failure_has_a_reason(evidence in evidence()) {
        let verdict = verdict("r", &evidence);
        prop_assert_eq!(verdict.exit == Exit::Success, is_success(&evidence));
        prop_assert_eq!(verdict.exit.code() == 0, verdict.exit == Exit::Success);
        prop_assert_eq!(verdict.message.is_none(), verdict.exit == Exit::Success);
        prop_assert!(verdict.note.is_none() || verdict.message.is_none());
    }

    #[test]
    fn every_state_is_parsed_as_the_engine_wrote_it(state in known()) {
        let State { running, oom_killed, exit_code, error, started_at } = &state;
        let stdout = serde_json::json!({
            "Running": running, "OOMKilled": oom_killed, "ExitCode": exit_code, "Error": error,
            "StartedAt": started_at, "Pid": 0,
        });
        let answer = Captured { code: 0, stdout: stdout.to_string(), stderr: String::new() };
        prop_assert_eq!(parse_state(&answer), ContainerState::Known(state));
    }

    #[test]
    fn invalid_answer_is_kept_for_the_user(
        code in code(),
        stdout in prop_oneof![broken(STATE), any::<String>()],
        stderr in prop_oneof![broken("Error: No such container: x"), any::<String>()],
    ) {
        match parse_state(&Captured { code, stdout: stdout.clone(), stderr: stderr.clone() }) {
            ContainerState::Known(_) => prop_assert_eq!(code, 0),
            ContainerState::Missing => prop_assert!(code != 0),
            ContainerState::Unknown(said) if code == 0 => prop_assert_eq!(said, format!("{stdout:?}")),
            ContainerState::Unknown(said) => prop_assert!(said.contains(stderr.trim())),
            ContainerState::NoContainers => prop_assert!(false, "an answer came from an engine"),
        }
    }
}
