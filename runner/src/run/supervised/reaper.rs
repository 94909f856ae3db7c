//! A second process that removes the container when the runner is killed.

use std::{
    io::{self, PipeWriter, Read as _, Write as _},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use anyhow::Context as _;
use engine::Query;
use host::{
    output::terminal::warn,
    process::{SECRETS, ask, wait_within},
    run_files::container_id,
};
use hub::token::TokenSource;
use plan::options::Settings;
use rustix::process::{Pid, Signal, kill_process_group};
use signal_hook::{consts, flag};

use super::{
    container::{Container, remove_repeatedly},
    orphans::{self, RunIdentity},
};
use crate::run::lock::ResultsLock;

/// Message of a runner that has removed its container itself.
const DISMISSED: &str = "dismissed";

/// Time in which a container without an id may still appear after the runner's end.
const LATE_CREATION: Duration = Duration::from_secs(5);

/// Timeout of a client that was asked to end. Podman's client then leaves no half-created container.
const CLIENT: Duration = Duration::from_secs(3);

/// Timeout of a benchmark that was asked to end. Its entrypoint kills it after five seconds.
const BENCHMARK: Duration = Duration::from_secs(6);

/// Timeout of a dismissed reaper.
const DISMISSAL: Duration = Duration::from_secs(5);

/// The runner's connection to its reaper. The host engine has none: its child process notices the
/// runner's end by itself.
#[derive(Debug)]
pub(crate) struct Reaper(Option<(PipeWriter, Child)>);

impl Reaper {
    /// Starts the reaper of a run. It shares the lock of the results folder, so that the folder stays
    /// locked until the container is gone.
    pub(crate) fn start(
        container: &Container,
        settings: &Settings,
        lock: Option<&ResultsLock>,
    ) -> anyhow::Result<Self> {
        let Some(remove) = Query::Remove(&container.name).command(&container.engine) else {
            return Ok(Self(None));
        };
        let cidfile = container.cidfile.to_str().context("a name that is no UTF-8")?;
        let mut args = vec!["reap", "--cidfile", cidfile];
        for secret in settings.secret_files() {
            if let TokenSource::Variable { file, .. } = secret {
                args.extend(["--delete", file.as_str()]);
            }
        }
        args.push("--");
        args.extend(remove.iter().map(String::as_str));
        let context = "starting the process that cleans up if this one is killed";
        let (reader, writer) = io::pipe().context(context)?;
        let mut command = Command::new("/proc/self/exe");
        command.args(args).stdin(reader).stderr(Stdio::null());
        let lock = lock.map(ResultsLock::shared_file).transpose().context(context)?;
        command.stdout(lock.map_or_else(Stdio::null, Stdio::from));
        // Its own process group and name protect it from Ctrl-C in the terminal and from `pkill`.
        command.process_group(0).arg0("container-reaper");
        for name in SECRETS {
            command.env_remove(name);
        }
        let child = command.spawn().context(context)?;
        Ok(Self(Some((writer, child))))
    }

    /// Tells the reaper the process id of the engine's client.
    ///
    /// # Errors
    /// When the reaper has died.
    pub(crate) fn watch(&mut self, client: u32) -> anyhow::Result<()> {
        let Some((writer, _)) = &mut self.0 else { return Ok(()) };
        writeln!(writer, "{client}").context("telling the process that cleans up of the client")
    }

    /// Dismisses the reaper and waits for its end, since it holds the lock until then. A reaper that
    /// does not end is killed.
    ///
    /// # Errors
    /// When it cannot be dismissed or waited for.
    pub(crate) fn dismiss(self) -> anyhow::Result<()> {
        let Some((mut writer, mut child)) = self.0 else { return Ok(()) };
        // A reaper that has died does not need the message.
        let sent = writer.write_all(DISMISSED.as_bytes());
        drop(writer);
        let context = "waiting for the process that cleans up";
        if !wait_within(DISMISSAL, || Ok(child.try_wait()?.is_some())).context(context)? {
            child.kill().context(context)?;
            wait_within(DISMISSAL, || Ok(child.try_wait()?.is_some())).context(context)?;
            warn(Some(format!(
                "the cleanup process (pid {}) did not answer for {} seconds and was killed",
                child.id(),
                DISMISSAL.as_secs()
            )));
        }
        match sent {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
            _ => Ok(()),
        }
    }
}

/// The reaper's own work: waits for the runner's end and removes the container and the files, unless it
/// was dismissed.
///
/// # Errors
/// When a file cannot be deleted, or the engine does not answer.
pub fn reap(remove: &[String], cidfile: &Path, delete: &[PathBuf]) -> anyhow::Result<()> {
    for signal in [consts::SIGINT, consts::SIGTERM, consts::SIGHUP, consts::SIGQUIT] {
        flag::register(signal, Arc::new(AtomicBool::new(false)))?;
    }
    let mut words = String::new();
    io::stdin().read_to_string(&mut words).context("waiting for the runner's end")?;
    if words.lines().any(|word| word == DISMISSED) {
        return Ok(());
    }
    // Secrets first: removing a container takes time.
    let deleted = delete.iter().map(|file| delete_file(file)).collect::<Vec<_>>();
    let name = remove.last().context("no container is named")?;
    // Once the runner is dead, other commands may remove the file.
    let id = container_id::read(cidfile);
    let patience = if id.is_some() { Duration::ZERO } else { LATE_CREATION };
    for client in words.lines().filter_map(|word| word.parse().ok()) {
        kill_client(client, name);
    }
    let removed = remove_repeatedly(patience, || ask(remove));
    let identity = RunIdentity::new(name, container_id::read(cidfile).or(id));
    orphans::kill_benchmark(&identity, BENCHMARK);
    orphans::kill_conmon(&identity);
    let of_container = [delete_file(cidfile), delete_file(&container_id::alive(cidfile))];
    let deleted = deleted.into_iter().chain(of_container);
    // Deleting was tried for all of them before the first error is returned.
    deleted.collect::<anyhow::Result<()>>().and(removed.map(|_| ()))
}

fn delete_file(file: &Path) -> anyhow::Result<()> {
    match std::fs::remove_file(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("deleting `{}`", file.display()))
        }
        _ => Ok(()),
    }
}

/// Ends a client that has not created the container yet: it may pull an image for minutes. A client that
/// is creating it gets the time to finish, so that the engine knows the container.
fn kill_client(client: i32, container: &str) {
    let is_client = || {
        // Another process may have the id by now.
        let words = std::fs::read(format!("/proc/{client}/cmdline")).unwrap_or_default();
        words.split(|byte| *byte == 0).any(|word| word == container.as_bytes())
    };
    let Some(pid) = Pid::from_raw(client) else { return };
    for signal in [Signal::TERM, Signal::KILL] {
        if is_client() {
            // The client may have ended meanwhile.
            let _ = kill_process_group(pid, signal);
        }
        let _ = wait_within(CLIENT, || Ok(!is_client()));
    }
}
