//! The verdict on a run by all the evidence: exit codes of engine clients lie.

use contract::output::{COMPLETION, Completion, LOG, REPORT, SUMMARY};
use host::{exit::Exit, process::Captured};
use serde::Deserialize;

/// Exit code of what was killed.
const KILLED: i32 = 128 + signal_hook::consts::SIGKILL;

/// What is said of a container in which memory ran out, whatever came of it.
const SHORT: &str = "the kernel killed one of its processes for lack of memory";

/// What is known after a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Evidence {
    /// Name of the engine.
    pub engine: &'static str,
    /// Exit code of the engine's client, or of the host engine's child.
    pub client_code: i32,
    /// The signal that asked us to stop.
    pub signal: Option<i32>,
    /// Whether the engine ever gave the container an id.
    pub made: bool,
    /// The container's own state.
    pub state: ContainerState,
    /// The completion marker, if one is there and whole.
    pub completion: Option<Completion>,
    /// Whether the backend's report is there.
    pub has_report: bool,
    /// Whether the summary is there.
    pub has_summary: bool,
    /// What is wrong with the folders that the container would have got, or got.
    pub other_files: Option<String>,
}

/// What the engine says of the container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ContainerState {
    /// The engine has no containers.
    NoContainers,
    /// The container does not exist.
    Missing,
    /// It said this.
    Known(State),
    /// It said nothing of use, but this.
    Unknown(String),
}

impl ContainerState {
    /// The exit code that the engine tells.
    pub(super) const fn exit_code(&self) -> Option<i32> {
        match self {
            Self::Known(state) => Some(state.exit_code),
            _ => None,
        }
    }

    /// Whether memory ran out in it.
    pub(super) const fn is_short(&self) -> bool {
        matches!(self, Self::Known(state) if state.oom_killed)
    }
}

/// The state of a container, as Docker reports it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct State {
    running: bool,
    #[serde(rename = "OOMKilled")]
    oom_killed: bool,
    exit_code: i32,
    #[serde(default)]
    error: String,
    started_at: String,
}

impl State {
    fn has_started(&self) -> bool {
        !self.started_at.starts_with("0001-")
    }
}

/// The exit of the run, the reason if it is a failure, and what is odd about a success.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Verdict {
    pub exit: Exit,
    pub message: Option<String>,
    pub note: Option<String>,
}

/// Reads the answer to the engine's state command.
pub(super) fn parse_state(answer: &Captured) -> ContainerState {
    let Captured { code, stdout, stderr } = answer;
    if *code != 0 {
        // Docker's and Podman's words begin differently.
        return if stderr.to_lowercase().contains("no such container") {
            ContainerState::Missing
        } else {
            ContainerState::Unknown(format!("exit code {code}: {}", stderr.trim()))
        };
    }
    serde_json::from_str(stdout)
        .map_or_else(|_| ContainerState::Unknown(format!("{stdout:?}")), ContainerState::Known)
}

/// The exit code of what ran in the container, or why there is none: `client_code` is that of the
/// engine's client, and `made` tells whether the engine ever gave the container an id.
pub(super) fn exit_code(
    engine: &str,
    client_code: i32,
    made: bool,
    state: &ContainerState,
) -> Result<i32, String> {
    Err(match state {
        ContainerState::NoContainers => return Ok(client_code),
        ContainerState::Missing if made => {
            "somebody else removed the container while it ran".to_owned()
        }
        ContainerState::Missing => {
            format!("{engine} made no container and says why above (exit code {client_code})")
        }
        ContainerState::Unknown(answer) => format!(
            "{engine} does not tell how the container ended (its client's exit code was \
             {client_code}); asked for its state it answered: {answer}"
        ),
        ContainerState::Known(state) if !state.has_started() => {
            let why = if state.error.is_empty() { "see above" } else { &state.error };
            format!("the container never started: {why}")
        }
        ContainerState::Known(state) if state.running => format!(
            "the client of {engine} ended (exit code {client_code}) before the container; the \
             container was removed"
        ),
        ContainerState::Known(state) => return Ok(state.exit_code),
    })
}

/// The verdict on the run `run_id`.
pub(super) fn verdict(run_id: &str, evidence: &Evidence) -> Verdict {
    let Evidence { engine, client_code, signal, made, state, .. } = evidence;
    let missing = missing_proof(run_id, evidence);
    let is_whole = missing.is_none();
    if let Some(signal) = signal {
        if is_whole {
            let note = "the signal came after the benchmark's end; its results are complete";
            return success(Some(note.to_owned()));
        }
        let name = signal_hook::low_level::signal_name(*signal).unwrap_or("a signal");
        return failed(
            Exit::Benchmark(shell_code(128 + signal)),
            format!("stopped by {name}; the benchmark is ended, and what it wrote is kept"),
        );
    }
    if let Some(message) = &evidence.other_files {
        return failed(Exit::Failed, message.clone());
    }
    let odd = match state {
        ContainerState::Missing => Some("somebody else removed the container".to_owned()),
        ContainerState::Unknown(answer) => {
            Some(format!("{engine} does not tell how the container ended: {answer}"))
        }
        ContainerState::Known(state) if state.has_started() && state.running => {
            Some(format!("the container had not ended; {engine} removed it"))
        }
        ContainerState::NoContainers | ContainerState::Known(_) => None,
    };
    if let Some(odd) = odd.filter(|_| is_whole) {
        return success(Some(format!("the results are complete, but {odd}")));
    }
    let code = match exit_code(engine, *client_code, *made, state) {
        Ok(code) => code,
        Err(why) => return failed(Exit::Failed, why),
    };
    if state.is_short() && code == KILLED {
        let text = "the benchmark ran out of memory and was killed";
        return failed(Exit::Benchmark(shell_code(code)), text.to_owned());
    }
    let is_short = state.is_short();
    // The entrypoint marks every end that it sees.
    if code == KILLED && evidence.completion.is_none() {
        return failed(
            Exit::Benchmark(shell_code(code)),
            format!(
                "the benchmark was killed, and all that watched it there (exit code {code}): \
                 somebody ended it, or the machine ran out of memory; what it wrote is kept"
            ),
        );
    }
    if code != 0 {
        return failed(
            Exit::Benchmark(shell_code(code)),
            format!(
                "the benchmark failed (exit code {code}); its last words are above{}{}",
                // An image that is none of ours keeps no log.
                if evidence.completion.is_some() {
                    format!(" and in {LOG}")
                } else {
                    String::new()
                },
                if is_short { format!("; {SHORT}") } else { String::new() }
            ),
        );
    }
    match missing {
        None => success(is_short.then(|| format!("the results are complete, but {SHORT}"))),
        Some(missing) => failed(
            Exit::Failed,
            format!("{engine} reports success, which is not believed: {missing}"),
        ),
    }
}

fn success(note: Option<String>) -> Verdict {
    Verdict { exit: Exit::Success, message: None, note }
}

fn failed(exit: Exit, message: String) -> Verdict {
    Verdict { exit, message: Some(message), note: None }
}

/// What a success lacks.
fn missing_proof(run_id: &str, evidence: &Evidence) -> Option<String> {
    match &evidence.completion {
        None => return Some(format!("the completion marker `{COMPLETION}` is missing or broken")),
        Some(completion) if completion.run_id != run_id => {
            return Some(format!(
                "the completion marker `{COMPLETION}` is of another run, {:?}",
                completion.run_id
            ));
        }
        Some(completion) if completion.exit_code != 0 => {
            return Some(format!(
                "the completion marker `{COMPLETION}` says exit code {}",
                completion.exit_code
            ));
        }
        Some(_) => {}
    }
    [(evidence.has_report, REPORT), (evidence.has_summary, SUMMARY)]
        .iter()
        .find_map(|(there, name)| (!there).then(|| format!("`{name}` is missing")))
}

/// A code as a process can return it; one that does not fit is a plain failure.
fn shell_code(code: i32) -> u8 {
    u8::try_from(code).ok().filter(|code| *code != 0).unwrap_or(1)
}

#[cfg(test)]
mod properties;

#[cfg(test)]
mod tests {
    use contract::output::Completion;

    use super::{ContainerState, Evidence, Exit, Verdict, parse_state, verdict};
    use host::process::Captured;

    fn state(json: &str) -> ContainerState {
        parse_state(&Captured { code: 0, stdout: json.to_owned(), stderr: String::new() })
    }

    fn exited(code: i32) -> ContainerState {
        state(&format!(
            r#"{{"Running":false,"OOMKilled":false,"ExitCode":{code},"Error":"","StartedAt":"2026-01-01T00:00:00Z"}}"#
        ))
    }

    fn success() -> Evidence {
        Evidence {
            engine: "docker",
            client_code: 0,
            signal: None,
            made: true,
            state: exited(0),
            completion: Some(Completion {
                run_id: "r".to_owned(),
                exit_code: 0,
                same_kernel: None,
            }),
            has_report: true,
            has_summary: true,
            other_files: None,
        }
    }

    #[test]
    fn every_ending_has_its_code_and_its_reason() {
        let other = Completion { run_id: "old".to_owned(), exit_code: 0, same_kernel: None };
        let bad = Completion { run_id: "r".to_owned(), exit_code: 3, same_kernel: None };
        let oom =
            r#"{"Running":false,"OOMKilled":true,"ExitCode":137,"Error":"","StartedAt":"2026"}"#;
        let up = r#"{"Running":true,"OOMKilled":false,"ExitCode":0,"Error":"","StartedAt":"2026"}"#;
        let never = r#"{"Running":false,"OOMKilled":false,"ExitCode":127,"Error":"exec: no such file","StartedAt":"0001-01-01T00:00:00Z"}"#;
        let cases = [
            success(),
            Evidence { signal: Some(15), client_code: 143, completion: None, ..success() },
            Evidence { signal: Some(15), client_code: 143, ..success() },
            Evidence { state: exited(3), client_code: 3, ..success() },
            Evidence { state: exited(3), client_code: 0, ..success() },
            Evidence { state: ContainerState::NoContainers, client_code: 139, ..success() },
            Evidence { state: exited(137), client_code: 137, completion: None, ..success() },
            Evidence { state: ContainerState::Missing, completion: None, ..success() },
            Evidence { state: ContainerState::Missing, ..success() },
            Evidence {
                state: ContainerState::Missing,
                made: false,
                completion: None,
                client_code: 125,
                ..success()
            },
            Evidence { state: state(never), client_code: 127, ..success() },
            Evidence { state: state(up), client_code: 137, completion: None, ..success() },
            Evidence { state: state(up), client_code: 137, ..success() },
            Evidence { state: state(oom), client_code: 137, completion: None, ..success() },
            Evidence { state: state(&oom.replace("137", "1")), completion: None, ..success() },
            Evidence { state: state(&oom.replace("137", "0")), ..success() },
            Evidence { state: state(""), completion: None, ..success() },
            Evidence { state: state(""), ..success() },
            Evidence { completion: None, ..success() },
            Evidence { completion: Some(other), ..success() },
            Evidence { completion: Some(bad), ..success() },
            Evidence { has_report: false, ..success() },
            Evidence { has_summary: false, ..success() },
            Evidence { other_files: Some("it sees other files".to_owned()), ..success() },
        ];
        let verdicts = cases.map(|evidence| {
            let Verdict { exit, message, note } = verdict("r", &evidence);
            let note = note.map(|note| format!("note: {note}"));
            format!("{}: {}\n", exit.code(), message.or(note).unwrap_or_default())
        });
        insta::assert_snapshot!("verdicts", verdicts.concat());
        assert_eq!(verdict("r", &success()).exit, Exit::Success);
    }

    #[test]
    fn a_container_that_is_not_there_is_told_from_an_engine_that_is_not() {
        let answer = |stderr: &str| {
            let stderr = stderr.to_owned();
            parse_state(&Captured { code: 1, stdout: "[]".to_owned(), stderr })
        };
        for missing in [
            "Error: No such container: x",
            "Error: inspecting object: no such container x",
            "Error response from daemon: no container with name or ID \"x\" found: no such container",
        ] {
            assert_eq!(answer(missing), ContainerState::Missing);
        }
        assert!(matches!(answer("Cannot connect"), ContainerState::Unknown(_)));
    }
}
