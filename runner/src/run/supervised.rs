//! A planned command, from its start until its container is removed.

mod client;
mod container;
mod hang_watch;
mod mount_check;
pub(super) mod orphans;
mod pump;
pub(super) mod reaper;

use anyhow::bail;
use contract::Backend;
use host::{
    machine::Host, output::terminal::warn, run_files::run_file::RunFile, shell::shown_for_shell,
};
use hub::token::TokenSource;
use plan::render::command_line;

use self::{
    client::{Client, ClientExit},
    container::Container,
    mount_check::MountCheck,
    reaper::Reaper,
};
use super::{Planned, lock::ResultsLock, outcome::ContainerState};

/// How a command is supervised.
#[derive(Debug)]
pub(super) struct Supervised<'a> {
    /// Name of the task in messages.
    pub(super) task: &'static str,
    /// Whether standard output is redirected to standard error.
    pub(super) to_stderr: bool,
    /// Lock of its results folder, if it has one.
    pub(super) lock: Option<&'a ResultsLock>,
}

/// A command whose container is removed.
#[derive(Debug)]
pub(super) struct Finished<'a> {
    /// How the engine's client ended.
    pub(super) client: ClientExit,
    /// Whether the engine gave the container an id.
    pub(super) created: bool,
    /// State of the container before it was removed.
    pub(super) state: ContainerState,
    /// The comparison of mounts in the container, if there was one.
    pub(super) mount_check: Option<MountCheck<'a>>,
}

impl<'a> Supervised<'a> {
    /// Starts the command, waits for its end and removes its container. `start` gets the process id
    /// of the client, and `finish` gets its result once the container is gone.
    ///
    /// # Errors
    /// When the command cannot be started or waited for.
    pub(super) fn run<M, R>(
        self,
        planned: &'a Planned,
        host: &Host,
        start: impl FnOnce(u32) -> M,
        finish: impl FnOnce(M) -> R,
    ) -> anyhow::Result<(Finished<'a>, R)> {
        let Planned { settings, detected, plan, .. } = planned;
        let engine = &detected.engine;
        // The reaper comes first, so that the container is removed even if this process is killed.
        let container = Container::of(engine, plan)?;
        let mut reaper = Reaper::start(&container, settings, self.lock)?;
        let command = command_line(engine, plan);
        let alive = container.mark_alive()?;
        let started = write_secrets(planned, host).and_then(|secrets| {
            let folder = self.lock.map(ResultsLock::folder);
            let check = folder.map(|folder| MountCheck::write(folder, engine, plan)).transpose()?;
            let client = Client::start(&command, &container, plan, self.to_stderr)?;
            Ok((secrets, check.flatten(), client))
        });
        let (secrets, mount_check, client) = match started {
            Ok(started) => started,
            Err(error) => {
                // The engine was not asked for a container, so none can appear later.
                reaper.dismiss()?;
                return Err(error);
            }
        };
        // A run without a reaper is still complete.
        warn(reaper.watch(client.pid()).err().map(|error| format!("{error:#}")));
        let watcher = start(client.pid());
        let client = client.wait(&container, self.task)?;
        drop(secrets);
        let id = client.container_id.clone().or_else(|| container.id());
        let created = id.is_some();
        let state = container.state();
        let late = (client.signal.is_some() || client.killed) && !created;
        container.remove(late, id)?;
        let result = finish(watcher);
        drop(alive);
        reaper.dismiss()?;
        Ok((Finished { client, created, state, mount_check }, result))
    }
}

/// Writes the secrets that a container gets as files, which are deleted when the result is dropped.
fn write_secrets(planned: &Planned, host: &Host) -> anyhow::Result<Vec<RunFile>> {
    let Planned { settings, detected, plan, .. } = planned;
    let mut secrets = vec![];
    if detected.engine.has_containers() {
        if let Some(token) = &settings.token {
            check_readable(token, plan.backend.value, host)?;
        }
        if let Some(server) = &settings.server {
            server.readable(host)?;
        }
        for secret in settings.secret_files() {
            secrets.extend(secret.write(host)?);
        }
    }
    Ok(secrets)
}

/// Checks that a token file is readable. huggingface_hub fails on an unreadable one, even offline. The
/// `native` backend does not use that library, so it gets a warning.
fn check_readable(token: &TokenSource, backend: Backend, host: &Host) -> anyhow::Result<()> {
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
