//! The outcome of a run. Exit codes of engine clients are unreliable, so all evidence is combined.

use contract::{
    exit::of_signal,
    output::{COMPLETION, Completion, LOG, REPORT, SUMMARY},
};
use host::{exit::Exit, process::Captured};
use serde::Deserialize;

/// Exit code of a killed process.
const KILLED: i32 = 128 + signal_hook::consts::SIGKILL;

/// Note on a container that ran out of memory.
const OOM_KILLED: &str = "the kernel killed one of its processes for lack of memory";

/// The evidence after a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Evidence {
    /// Name of the engine.
    pub engine: &'static str,
    /// Exit code of the engine's client, or of the child of the host engine.
    pub client_code: i32,
    /// First signal that asked this process to stop.
    pub signal: Option<i32>,
    /// Whether the engine gave the container an id.
    pub created: bool,
    /// State of the container.
    pub state: ContainerState,
    /// The completion marker, unless it is missing or invalid.
    pub completion: Option<Completion>,
    /// Whether the backend's report exists.
    pub has_report: bool,
    /// Whether the summary exists.
    pub has_summary: bool,
    /// The message about mounts that are different folders in the container.
    pub mount_mismatch: Option<String>,
}

/// The engine's answer about the container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ContainerState {
    /// The engine has no containers.
    NoContainers,
    /// The container does not exist.
    Missing,
    /// The container has this state.
    Known(State),
    /// The engine gave this answer instead of a state.
    Unknown(String),
}

impl ContainerState {
    /// Exit code of the container, if it is known.
    pub(super) const fn exit_code(&self) -> Option<i32> {
        match self {
            Self::Known(state) => Some(state.exit_code),
            _ => None,
        }
    }

    /// Whether the container ran out of memory.
    pub(super) const fn is_oom_killed(&self) -> bool {
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

/// Exit of the run, with the reason of a failure or a note on a success.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Verdict {
    pub exit: Exit,
    pub message: Option<String>,
    pub note: Option<String>,
}

/// Parses the engine's answer to [`Query::State`](engine::Query::State).
pub(super) fn parse_state(answer: &Captured) -> ContainerState {
    let Captured { code, stdout, stderr } = answer;
    if *code != 0 {
        // Docker and Podman capitalize this differently.
        return if stderr.to_lowercase().contains("no such container") {
            ContainerState::Missing
        } else {
            ContainerState::Unknown(format!("exit code {code}: {}", stderr.trim()))
        };
    }
    serde_json::from_str(stdout)
        .map_or_else(|_| ContainerState::Unknown(format!("{stdout:?}")), ContainerState::Known)
}

/// Exit code of the process in the container, or why it is unknown. `client_code` is the exit code of the
/// engine's client. `created` means that the engine gave the container an id.
pub(super) fn exit_code(
    engine: &str,
    client_code: i32,
    created: bool,
    state: &ContainerState,
) -> Result<i32, String> {
    Err(match state {
        ContainerState::NoContainers => return Ok(client_code),
        ContainerState::Missing if created => {
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

/// Decides whether the run `run_id` succeeded.
pub(super) fn verdict(run_id: &str, evidence: &Evidence) -> Verdict {
    let Evidence { engine, client_code, signal, created, state, .. } = evidence;
    let missing = missing_output(run_id, evidence);
    let is_complete = missing.is_none();
    if let Some(signal) = signal {
        if is_complete {
            let note = "the signal came after the benchmark's end; its results are complete";
            return success(Some(note.to_owned()));
        }
        let name = signal_hook::low_level::signal_name(*signal).unwrap_or("a signal");
        return failed(
            Exit::Benchmark(of_signal(*signal)),
            format!("stopped by {name}; the benchmark is ended, and what it wrote is kept"),
        );
    }
    if let Some(message) = &evidence.mount_mismatch {
        return failed(Exit::Failed, message.clone());
    }
    let anomaly = match state {
        ContainerState::Missing => Some("somebody else removed the container".to_owned()),
        ContainerState::Unknown(answer) => {
            Some(format!("{engine} does not tell how the container ended: {answer}"))
        }
        ContainerState::Known(state) if state.has_started() && state.running => {
            Some(format!("the container had not ended; {engine} removed it"))
        }
        ContainerState::NoContainers | ContainerState::Known(_) => None,
    };
    if let Some(anomaly) = anomaly.filter(|_| is_complete) {
        return success(Some(format!("the results are complete, but {anomaly}")));
    }
    let code = match exit_code(engine, *client_code, *created, state) {
        Ok(code) => code,
        Err(why) => return failed(Exit::Failed, why),
    };
    let is_oom_killed = state.is_oom_killed();
    let exit = Exit::Benchmark(shell_code(code));
    if is_oom_killed && code == KILLED {
        return failed(exit, "the benchmark ran out of memory and was killed".to_owned());
    }
    // The entrypoint writes the completion marker unless it is killed itself.
    if code == KILLED && evidence.completion.is_none() {
        let message = format!(
            "the benchmark was killed, and all that watched it there (exit code {code}): somebody \
             ended it, or the machine ran out of memory; what it wrote is kept"
        );
        return failed(exit, message);
    }
    if code != 0 {
        // Only the project's entrypoint writes a completion marker and a log.
        let log =
            evidence.completion.as_ref().map(|_| format!(" and in {LOG}")).unwrap_or_default();
        let oom = if is_oom_killed { format!("; {OOM_KILLED}") } else { String::new() };
        let message =
            format!("the benchmark failed (exit code {code}); its last words are above{log}{oom}");
        return failed(exit, message);
    }
    match missing {
        None => {
            success(is_oom_killed.then(|| format!("the results are complete, but {OOM_KILLED}")))
        }
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

/// The reason why the results do not prove that this run succeeded.
fn missing_output(run_id: &str, evidence: &Evidence) -> Option<String> {
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

/// The code as this process can return it. A code out of range becomes 1.
fn shell_code(code: i32) -> u8 {
    u8::try_from(code).ok().filter(|code| *code != 0).unwrap_or(1)
}

#[cfg(test)]
mod properties;

#[cfg(test)]
mod tests {
    use contract::output::Completion;

    use host::process::Captured;

    use super::{ContainerState, Evidence, Exit, Verdict, parse_state, verdict};

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
            created: true,
            state: exited(0),
            completion: Some(Completion {
                run_id: "r".to_owned(),
                exit_code: 0,
                same_kernel: None,
            }),
            has_report: true,
            has_summary: true,
            mount_mismatch: None,
        }
    }

    #[test]
    fn every_failure_has_an_exit_code_and_a_reason() {
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
                created: false,
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
            Evidence { mount_mismatch: Some("it sees other files".to_owned()), ..success() },
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
    fn missing_container_is_distinguished_from_an_unreachable_engine() {
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
