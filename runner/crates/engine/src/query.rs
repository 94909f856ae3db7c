//! Commands of an engine's client for the containers of runs.

use std::time::Duration;

use contract::label;
use host::process::{Captured, ask, ask_within};

use super::{Client, Engine};

/// A command of the engine's client for one container, or for all containers of runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Query<'a> {
    /// The state of the container of this name, as JSON.
    State(&'a str),
    /// The process id of the container of this name, on the engine's machine.
    Pid(&'a str),
    /// Kill and remove the container of this name.
    Remove(&'a str),
    /// All containers of runs: a line each, with name, state, run and user separated by tabs.
    Runs,
}

impl Query<'_> {
    /// The command of the engine's client; `None` for an engine without containers.
    pub fn command(&self, engine: &Engine) -> Option<Vec<String>> {
        let runs = (format!("label={}", label::RUN), format_of_runs(engine.client));
        let words = match self {
            Self::State(name) => vec!["container", "inspect", "--format", "{{json .State}}", name],
            Self::Pid(name) => vec!["container", "inspect", "--format", "{{.State.Pid}}", name],
            // Podman waits ten seconds by default, which the container already had.
            Self::Remove(name) if engine.client == Client::Podman => {
                vec!["rm", "--force", "--time", "0", name]
            }
            Self::Remove(name) => vec!["rm", "--force", name],
            Self::Runs => vec!["ps", "--all", "--filter", &runs.0, "--format", &runs.1],
        };
        let words = [&*engine.program].into_iter().chain(words).map(str::to_owned);
        engine.has_containers().then(|| words.collect())
    }
}

impl Engine {
    /// Runs the query; `None` for an engine without containers.
    ///
    /// # Errors
    /// When the client cannot be started, or gives no answer in time.
    pub fn ask(&self, query: Query<'_>) -> Option<anyhow::Result<Captured>> {
        query.command(self).map(|command| ask(&command))
    }

    /// The same as [`Engine::ask`] with a timeout.
    ///
    /// # Errors
    /// The same as for [`Engine::ask`].
    pub fn ask_within(
        &self,
        query: Query<'_>,
        timeout: Duration,
    ) -> Option<anyhow::Result<Captured>> {
        query.command(self).map(|command| ask_within(&command, timeout))
    }
}

/// The Go template for [`Query::Runs`].
fn format_of_runs(client: Client) -> String {
    let label = |name: &str| match client {
        Client::Podman => format!("{{{{index .Labels \"{name}\"}}}}"),
        Client::Docker | Client::None => format!("{{{{.Label \"{name}\"}}}}"),
    };
    ["{{.Names}}", "{{.State}}", &label(label::RUN), &label(label::USER)].join("\t")
}

#[cfg(test)]
mod tests {
    use super::{Engine, Query};
    use crate::Mode;

    #[test]
    fn each_client_has_its_own_syntax() {
        let asked = |mode, query: Query<'_>| {
            query.command(&Engine::typical(mode)).map(|words| words.join(" "))
        };
        let queries = [Query::State("c"), Query::Pid("c"), Query::Remove("c"), Query::Runs];
        for query in queries {
            assert_eq!(asked(Mode::Host, query), None);
        }
        let words = [Mode::DockerRootful, Mode::PodmanRootless]
            .map(|mode| queries.map(|query| asked(mode, query).unwrap()).join("\n"));
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
}
