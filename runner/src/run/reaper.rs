//! A process that outlives the runner: it removes the container when the runner is killed.

use std::{
    io::{self, PipeWriter, Read as _, Write as _},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use anyhow::Context as _;
use rustix::process::{Pid, Signal, kill_process_group};
use signal_hook::{consts, flag};

use super::{container, lock::ResultsLock};
use crate::{
    engine::{Engine, Question},
    options::RunOptions,
    plan::RunPlan,
    process::capture,
    token::TokenSource,
};

/// What the runner says when it has cleaned up itself.
const DISMISSED: &str = "dismissed";

/// How long the reaper looks for a container that had no id yet: one that was asked for in the
/// runner's last moment may appear after its end.
const PATIENCE: Duration = Duration::from_secs(5);

/// The runner's end of its reaper; none for an engine without containers, whose child process
/// notices by itself.
#[derive(Debug)]
pub(super) struct Reaper(Option<(PipeWriter, duct::Handle)>);

impl Reaper {
    /// Starts the reaper of a run. It shares the lock of the results folder, which is thus not
    /// free before the container is gone.
    pub(super) fn start(
        engine: &Engine,
        plan: &RunPlan,
        options: &RunOptions,
        lock: &ResultsLock,
    ) -> anyhow::Result<Self> {
        let Some(supervision) = &plan.supervision else { return Ok(Self(None)) };
        let Some(remove) = Question::Remove(&supervision.container).command(engine) else {
            return Ok(Self(None));
        };
        let mut args = vec!["reap", "--cidfile", supervision.cidfile.as_str()];
        for secret in options.handed_over() {
            if let TokenSource::Variable { file, .. } = secret {
                args.extend(["--delete", file.as_str()]);
            }
        }
        args.push("--");
        args.extend(remove.iter().map(String::as_str));
        let context = "starting the process that cleans up if this one is killed";
        let (reader, writer) = io::pipe().context(context)?;
        let handle = duct::cmd("/proc/self/exe", args)
            .stdin_file(reader)
            .stdout_file(lock.shared_file().context(context)?)
            .stderr_null()
            .unchecked()
            .before_spawn(|command| {
                // Out of reach of the terminal's Ctrl-C, and of those who kill by our name.
                command.process_group(0).arg0("container-reaper");
                Ok(())
            })
            .start()
            .context(context)?;
        Ok(Self(Some((writer, handle))))
    }

    /// Tells the reaper which process asks the engine for the container.
    ///
    /// # Errors
    /// When the reaper is gone.
    pub(super) fn watch(&mut self, client: &[u32]) -> anyhow::Result<()> {
        let Some((writer, _)) = &mut self.0 else { return Ok(()) };
        for pid in client {
            writeln!(writer, "{pid}")
                .context("telling the process that cleans up of the client")?;
        }
        Ok(())
    }

    /// Tells the reaper that there is nothing left to do, and waits until it is gone: until then
    /// it holds the lock.
    pub(super) fn dismiss(self) -> anyhow::Result<()> {
        let Some((mut writer, handle)) = self.0 else { return Ok(()) };
        // A reaper that is dead already needs no word.
        let told = writer.write_all(DISMISSED.as_bytes());
        drop(writer);
        handle.wait().context("waiting for the process that cleans up")?;
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
    let name = remove.last().context("no container is named")?;
    let patience = if container::has_id(cidfile) { Duration::ZERO } else { PATIENCE };
    for client in words.lines().filter_map(|word| word.parse().ok()) {
        end_client(client, name);
    }
    // The files first, the token among them: a container may keep us waiting.
    let files = delete.iter().map(PathBuf::as_path).chain([cidfile]);
    let deleted = files.map(|file| match std::fs::remove_file(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("deleting `{}`", file.display()))
        }
        _ => Ok(()),
    });
    // Every one is tried, whatever becomes of the others.
    let deleted = deleted.collect::<Vec<_>>();
    let removed = container::keep_removing(patience, || capture(remove)).map(|_| ());
    deleted.into_iter().collect::<anyhow::Result<()>>().and(removed)
}

/// Ends a client that still asks for the container: it may be pulling an image for minutes.
fn end_client(client: i32, container: &str) {
    let words = std::fs::read(format!("/proc/{client}/cmdline")).unwrap_or_default();
    // The number may be another process's by now.
    let is_client = words.split(|byte| *byte == 0).any(|word| word == container.as_bytes());
    if let Some(pid) = Pid::from_raw(client).filter(|_| is_client) {
        // A client that ended meanwhile is as good.
        let _ = kill_process_group(pid, Signal::KILL);
    }
}
