//! A process that outlives the runner: it removes the container when the runner is killed.

use std::{
    io::{self, PipeWriter, Read as _, Write as _},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, atomic::AtomicBool},
    thread,
    time::{Duration, Instant},
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

use crate::run::{
    lock::ResultsLock,
    supervised::{
        container::{Container, keep_removing},
        survivors::{self, Marks},
    },
};

/// What the runner says when it has cleaned up itself.
const DISMISSED: &str = "dismissed";

/// How long the reaper looks for a container that had no id yet: one that was asked for in the
/// runner's last moment may appear after its end.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long a client may take to end when it is asked to. Podman's leaves no half-made container then.
const CLIENT: Duration = Duration::from_secs(3);

/// How long the benchmark may take to end when it is asked to: its entrypoint kills it after five
/// seconds.
const BENCHMARK: Duration = Duration::from_secs(6);

/// How long the reaper may take to end when it is dismissed.
const DISMISSAL: Duration = Duration::from_secs(5);

/// The runner's end of its reaper; none for an engine without containers, whose child process
/// notices by itself.
#[derive(Debug)]
pub(crate) struct Reaper(Option<(PipeWriter, Child)>);

impl Reaper {
    /// Starts the reaper of a run. It shares the lock of the results folder, if there is one, which is
    /// thus not free before the container is gone.
    pub(crate) fn start(
        container: &Container,
        options: &Settings,
        lock: Option<&ResultsLock>,
    ) -> anyhow::Result<Self> {
        let Some(remove) = Query::Remove(&container.name).command(&container.engine) else {
            return Ok(Self(None));
        };
        let cidfile = container.cidfile.to_str().context("a name that is no UTF-8")?;
        let mut args = vec!["reap", "--cidfile", cidfile];
        for secret in options.secret_files() {
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
        // Out of reach of the terminal's Ctrl-C, and of those who kill by our name.
        command.process_group(0).arg0("container-reaper");
        for name in SECRETS {
            command.env_remove(name);
        }
        let child = command.spawn().context(context)?;
        Ok(Self(Some((writer, child))))
    }

    /// Tells the reaper which process asks the engine for the container.
    ///
    /// # Errors
    /// When the reaper is gone.
    pub(crate) fn watch(&mut self, client: u32) -> anyhow::Result<()> {
        let Some((writer, _)) = &mut self.0 else { return Ok(()) };
        writeln!(writer, "{client}").context("telling the process that cleans up of the client")
    }

    /// Tells the reaper that there is nothing left to do, and waits until it is gone: until then
    /// it holds the lock. One that does not go is killed.
    ///
    /// # Errors
    /// When it cannot be told or waited for.
    pub(crate) fn dismiss(self) -> anyhow::Result<()> {
        let Some((mut writer, mut child)) = self.0 else { return Ok(()) };
        // A reaper that is dead already needs no word.
        let told = writer.write_all(DISMISSED.as_bytes());
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
        match told {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
            _ => Ok(()),
        }
    }
}

/// The reaper itself: waits for the runner's end, then removes the container and the files,
/// unless it was dismissed.
///
/// # Errors
/// When a file could not be deleted, or the engine not be asked.
pub fn reap(remove: &[String], cidfile: &Path, delete: &[PathBuf]) -> anyhow::Result<()> {
    for signal in [consts::SIGINT, consts::SIGTERM, consts::SIGHUP, consts::SIGQUIT] {
        flag::register(signal, Arc::new(AtomicBool::new(false)))?;
    }
    let mut words = String::new();
    io::stdin().read_to_string(&mut words).context("waiting for the runner's end")?;
    if words.lines().any(|word| word == DISMISSED) {
        return Ok(());
    }
    // The secrets first: a container may keep us waiting.
    let deleted = delete.iter().map(|file| delete_file(file)).collect::<Vec<_>>();
    let name = remove.last().context("no container is named")?;
    // With the runner's death, other commands may remove the file.
    let id = container_id::read(cidfile);
    let patience = if id.is_some() { Duration::ZERO } else { PATIENCE };
    for client in words.lines().filter_map(|word| word.parse().ok()) {
        end_client(client, name);
    }
    let removed = keep_removing(patience, || ask(remove));
    let marks = Marks::of(name, container_id::read(cidfile).or(id));
    survivors::end_benchmark(&marks, BENCHMARK);
    survivors::end_makers(&marks);
    let of_container = [delete_file(cidfile), delete_file(&container_id::alive(cidfile))];
    let deleted = deleted.into_iter().chain(of_container);
    // Every one was tried, whatever became of the others.
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

/// Ends a client that still asks for the container: it may be pulling an image for minutes. One that
/// is just making the container is given the time to finish, so that the engine knows what it made.
fn end_client(client: i32, container: &str) {
    let is_client = || {
        // The number may be another process's by now.
        let words = std::fs::read(format!("/proc/{client}/cmdline")).unwrap_or_default();
        words.split(|byte| *byte == 0).any(|word| word == container.as_bytes())
    };
    let Some(pid) = Pid::from_raw(client) else { return };
    for signal in [Signal::TERM, Signal::KILL] {
        if is_client() {
            // A client that ended meanwhile is as good.
            let _ = kill_process_group(pid, signal);
        }
        let end = Instant::now() + CLIENT;
        while is_client() && Instant::now() < end {
            thread::sleep(Duration::from_millis(20));
        }
    }
}
