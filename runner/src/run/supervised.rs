//! A planned command from its start to the end of its container, whatever it is for.

mod client_watch;
mod container;
mod pump;
pub(super) mod reaper;
mod same_folders;
mod supervise;
pub(super) mod survivors;

use anyhow::bail;
use contract::Backend;
use host::{
    machine::Host, output::terminal::warn, run_files::run_file::RunFile, shell::shown_for_shell,
};
use hub::token::TokenSource;
use plan::render::command_line;

use super::{Planned, lock::ResultsLock, outcome::ContainerState};
use crate::run::supervised::{
    container::Container,
    reaper::Reaper,
    same_folders::List,
    supervise::{Ended, Running},
};

/// A command that somebody looks after.
#[derive(Debug)]
pub(super) struct Supervised<'a> {
    /// What it is, in a word.
    pub(super) what: &'static str,
    /// Whether all of its output goes to standard error.
    pub(super) to_stderr: bool,
    /// The hold on its results folder, if it has one.
    pub(super) lock: Option<&'a ResultsLock>,
}

/// What is known of it at its end.
#[derive(Debug)]
pub(super) struct Over<'a> {
    /// How the engine's client ended.
    pub(super) ended: Ended,
    /// Whether the engine ever gave the container an id.
    pub(super) made: bool,
    /// The container's own state, before it was removed.
    pub(super) state: ContainerState,
    /// The list of folders that the container compared, if it had one.
    pub(super) list: Option<List<'a>>,
}

impl<'a> Supervised<'a> {
    /// Starts it, waits for its end and cleans up. `started` is told of its process, and
    /// what it makes of it is finished once the container is gone.
    ///
    /// # Errors
    /// When it could not be started or watched.
    pub(super) fn run<M, R>(
        self,
        planned: &'a Planned,
        host: &Host,
        started: impl FnOnce(u32) -> M,
        finish: impl FnOnce(M) -> R,
    ) -> anyhow::Result<(Over<'a>, R)> {
        let Planned { options, detected, plan, .. } = planned;
        let engine = &detected.engine;
        // First the reaper: from here on somebody cleans up, whatever becomes of this process.
        let container = Container::of(engine, plan)?;
        let mut reaper = Reaper::start(&container, options, self.lock)?;
        let command = command_line(engine, plan);
        let alive = container.mark_alive()?;
        let begun = hand_over(planned, host).and_then(|secrets| {
            let folder = self.lock.map(ResultsLock::folder);
            let list = folder.map(|folder| List::write(folder, engine, plan)).transpose()?;
            let running = Running::start(&command, &container, plan, self.to_stderr)?;
            Ok((secrets, list.flatten(), running))
        });
        let (secrets, list, running) = match begun {
            Ok(begun) => begun,
            Err(error) => {
                // Nobody was asked for a container, so nobody has to wait for one to come.
                reaper.dismiss()?;
                return Err(error);
            }
        };
        // The run itself needs no reaper.
        warn(reaper.watch(running.pid()).err().map(|error| format!("{error:#}")));
        let meant = started(running.pid());
        let ended = running.wait(&container, self.what)?;
        drop(secrets);
        let id = ended.id.clone().or_else(|| container.id());
        let made = id.is_some();
        let state = container.state();
        let late = (ended.signal.is_some() || ended.killed) && !made;
        container.remove(late, id)?;
        let finished = finish(meant);
        drop(alive);
        reaper.dismiss()?;
        Ok((Over { ended, made, state, list }, finished))
    }
}

/// Writes the secrets that a container gets as files; they go with what is returned.
fn hand_over(planned: &Planned, host: &Host) -> anyhow::Result<Vec<RunFile>> {
    let Planned { options, detected, plan, .. } = planned;
    let mut secrets = vec![];
    if detected.engine.has_containers() {
        if let Some(token) = &options.token {
            readable(token, plan.backend.value, host)?;
        }
        if let Some(server) = &options.server {
            server.readable(host)?;
        }
        for secret in options.secret_files() {
            secrets.extend(secret.write(host)?);
        }
    }
    Ok(secrets)
}

/// A token that is there but closed stops huggingface_hub even offline, so it stops us first;
/// only the `native` backend does without that library.
fn readable(token: &TokenSource, backend: Backend, host: &Host) -> anyhow::Result<()> {
    let TokenSource::File(file) = token else { return Ok(()) };
    let Err(error) = untrusted::file(file.as_path()) else { return Ok(()) };
    let text = format!(
        "the token file `{file}` cannot be read: {error}; make it yours with `sudo chown {} {}`, \
         or name another in {}",
        host.uid,
        shown_for_shell(file.as_path()),
        contract::env::HF_TOKEN_PATH
    );
    if backend == Backend::Native {
        warn(Some(text));
        return Ok(());
    }
    bail!("{text}; with a closed token the Hub client refuses to work at all")
}
