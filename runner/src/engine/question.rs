//! What is asked of an engine around a run: at its daemon's socket where that has answered before,
//! or else by its client, which takes some 20 ms to start.

use std::{collections::BTreeMap, path::Path, sync::atomic::AtomicBool, time::Duration};

use anyhow::Context as _;
use contract::label;
use serde::Deserialize;

use super::{Client, Engine, daemon, socket};
use crate::process::{Captured, ask, ask_until};

/// How long an engine may take to end and remove a container.
const LONGEST_REMOVAL: Duration = Duration::from_secs(15);

/// A question, or a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Question<'a> {
    /// The state of the container of this name, as JSON.
    State(&'a str),
    /// The number of the first process of the container of this name, as its machine has it.
    Pid(&'a str),
    /// That the container of this name is ended and removed; its name is the answer.
    Remove(&'a str),
    /// The containers of runs: name, state, run and user, with tabs between them, a line each.
    Runs,
}

impl Question<'_> {
    /// The command of the engine's client that asks it; none for an engine without containers.
    pub(crate) fn command(&self, engine: &Engine) -> Option<Vec<String>> {
        let runs = (format!("label={}", label::RUN), format_of_runs(engine.client));
        let words = match self {
            Self::State(name) => vec!["container", "inspect", "--format", "{{json .State}}", name],
            Self::Pid(name) => vec!["container", "inspect", "--format", "{{.State.Pid}}", name],
            // Podman gives a container ten seconds to end, which it had.
            Self::Remove(name) if engine.client == Client::Podman => {
                vec!["rm", "--force", "--time", "0", name]
            }
            Self::Remove(name) => vec!["rm", "--force", name],
            Self::Runs => vec!["ps", "--all", "--filter", &runs.0, "--format", &runs.1],
        };
        let words = [&*engine.program].into_iter().chain(words).map(str::to_owned);
        engine.has_containers().then(|| words.collect())
    }

    /// Asks it at the daemon's `socket`.
    ///
    /// # Errors
    /// When the daemon does not answer, or not what is understood.
    pub(crate) fn at(&self, socket: &Path) -> anyhow::Result<Captured> {
        let (method, path) = self.request();
        let patience = match self {
            Self::Remove(_) => LONGEST_REMOVAL,
            Self::State(_) | Self::Pid(_) | Self::Runs => socket::PATIENCE,
        };
        let answer = match socket::request(socket, method, &path, patience) {
            Err(error) if socket::is_late(&error) => {
                let seconds = patience.as_secs();
                return Err(error.context(format!(
                    "the daemon at `{}` has not answered for {seconds} seconds: it hangs, or the \
                     machine does",
                    socket.display()
                )));
            }
            answer => answer?,
        };
        let asking = || format!("asking Docker for {path}");
        if !(200..300).contains(&answer.status) {
            return daemon::captured(&answer).with_context(asking);
        }
        let stdout = self.read(&answer.body).with_context(asking)?;
        Ok(Captured { code: 0, stdout, stderr: String::new() })
    }

    fn request(&self) -> (&'static str, String) {
        match self {
            Self::State(name) | Self::Pid(name) => ("GET", format!("/containers/{name}/json")),
            Self::Remove(name) => ("DELETE", format!("/containers/{name}?force=1")),
            Self::Runs => {
                let label = label::RUN;
                let filter = format!("%7B%22label%22%3A%5B%22{label}%22%5D%7D");
                ("GET", format!("/containers/json?all=1&filters={filter}"))
            }
        }
    }

    /// The daemon's answer in the words of its client.
    fn read(&self, body: &str) -> anyhow::Result<String> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct One {
            state: serde_json::Value,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Listed {
            names: Vec<String>,
            state: String,
            labels: BTreeMap<String, String>,
        }
        Ok(match self {
            Self::State(_) => serde_json::from_str::<One>(body)?.state.to_string(),
            Self::Pid(_) => serde_json::from_str::<One>(body)?.state["Pid"].to_string(),
            Self::Remove(name) => format!("{name}\n"),
            Self::Runs => {
                let listed = serde_json::from_str::<Vec<Listed>>(body)?.into_iter();
                let line = |Listed { names, state, labels }: Listed| {
                    let name = names.first().map_or("", |name| name.trim_start_matches('/'));
                    let [run, user] = [label::RUN, label::USER]
                        .map(|name| labels.get(name).map_or("", String::as_str));
                    format!("{name}\t{state}\t{run}\t{user}\n")
                };
                listed.map(line).collect()
            }
        })
    }
}

impl Engine {
    /// Asks it; none for an engine without containers.
    ///
    /// # Errors
    /// When it cannot be asked, or gives no answer in time.
    pub(crate) fn ask(&self, question: Question<'_>) -> Option<anyhow::Result<Captured>> {
        let command = question.command(self)?;
        Some(self.answer(question, || ask(&command)))
    }

    /// Asks an engine with containers, until `given_up` is set.
    ///
    /// # Errors
    /// As [`Engine::ask`], and when it was given up.
    pub(crate) fn ask_until(
        &self,
        question: Question<'_>,
        given_up: &AtomicBool,
    ) -> anyhow::Result<Captured> {
        let command = question.command(self).context("there are containers")?;
        self.answer(question, || ask_until(&command, given_up))
    }

    fn answer(
        &self,
        question: Question<'_>,
        of_client: impl FnOnce() -> anyhow::Result<Captured>,
    ) -> anyhow::Result<Captured> {
        match self.socket.as_ref().map(|socket| question.at(socket)) {
            Some(Ok(answer)) => Ok(answer),
            // A daemon that hangs does so for its client, too.
            Some(Err(error)) if socket::is_late(&error) => Err(error),
            // One that is gone is told in the client's words.
            Some(Err(_)) | None => of_client(),
        }
    }
}

fn format_of_runs(client: Client) -> String {
    let label = |name: &str| match client {
        Client::Podman => format!("{{{{index .Labels \"{name}\"}}}}"),
        Client::Docker | Client::None => format!("{{{{.Label \"{name}\"}}}}"),
    };
    let fields = ["{{.Names}}".to_owned(), "{{.State}}".to_owned()];
    [&fields[..], &[label(label::RUN), label(label::USER)]].concat().join("\t")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Question;
    use crate::{
        engine::{Engine, Mode},
        testing::broken,
    };

    const STATE: &str = r#"{"Id":"0a","State":{"Status":"exited","Pid":0,"ExitCode":3}}"#;
    const RUNS: &str = r#"[
        {"Names":["/a","/b/a"],"State":"running","Labels":{"org.aienergyscore.run":"r-1","org.aienergyscore.user":"1000"}},
        {"Names":["/c"],"State":"exited","Labels":{"org.aienergyscore.run":"r-2"}}
    ]"#;

    proptest! {
        #[test]
        fn any_text_is_an_answer_or_an_error(
            state in prop_oneof![broken(STATE), any::<String>()],
            runs in prop_oneof![broken(RUNS), any::<String>()],
        ) {
            let _ = Question::State("c").read(&state);
            let _ = Question::Runs.read(&runs);
        }
    }

    #[test]
    fn every_client_is_asked_in_its_words() {
        let asked = |mode, question: Question<'_>| {
            question.command(&Engine::typical(mode)).map(|words| words.join(" "))
        };
        let questions =
            [Question::State("c"), Question::Pid("c"), Question::Remove("c"), Question::Runs];
        for question in questions {
            assert_eq!(asked(Mode::Host, question), None);
        }
        let words = [Mode::DockerRootful, Mode::PodmanRootless]
            .map(|mode| questions.map(|question| asked(mode, question).unwrap()).join("\n"));
        insta::assert_snapshot!(words.join("\n").replace('\t', "\\t"), @r#"
        docker container inspect --format {{json .State}} c
        docker container inspect --format {{.State.Pid}} c
        docker rm --force c
        docker ps --all --filter label=org.aienergyscore.run --format {{.Names}}\t{{.State}}\t{{.Label "org.aienergyscore.run"}}\t{{.Label "org.aienergyscore.user"}}
        podman container inspect --format {{json .State}} c
        podman container inspect --format {{.State.Pid}} c
        podman rm --force --time 0 c
        podman ps --all --filter label=org.aienergyscore.run --format {{.Names}}\t{{.State}}\t{{index .Labels "org.aienergyscore.run"}}\t{{index .Labels "org.aienergyscore.user"}}
        "#);
    }

    #[test]
    fn a_daemon_is_asked_for_the_same() {
        let asked =
            [Question::State("c"), Question::Pid("c"), Question::Remove("c"), Question::Runs].map(
                |question| {
                    let (method, path) = question.request();
                    format!("{method} {path}")
                },
            );
        insta::assert_snapshot!(asked.join("\n"), @"
        GET /containers/c/json
        GET /containers/c/json
        DELETE /containers/c?force=1
        GET /containers/json?all=1&filters=%7B%22label%22%3A%5B%22org.aienergyscore.run%22%5D%7D
        ");
    }

    #[test]
    fn a_daemons_answer_is_put_in_the_clients_words() {
        // Shortened answers of Docker 20.10.
        assert_eq!(
            Question::State("c").read(STATE).unwrap(),
            r#"{"Status":"exited","Pid":0,"ExitCode":3}"#
        );
        assert_eq!(Question::Pid("c").read(STATE).unwrap(), "0");
        assert_eq!(Question::Remove("c").read("").unwrap(), "c\n");
        assert_eq!(Question::Runs.read(RUNS).unwrap(), "a\trunning\tr-1\t1000\nc\texited\tr-2\t\n");
        assert!(Question::Runs.read("{}").is_err() && Question::State("c").read("[]").is_err());
    }
}
