//! A process that outlives the runner: it removes the container when the runner is killed.

use std::{
    io::{self, PipeWriter, Read as _, Write as _},
    os::unix::process::CommandExt as _,
    path::PathBuf,
    sync::{Arc, atomic::AtomicBool},
};

use anyhow::Context as _;
use signal_hook::{consts, flag};

use super::lock::ResultsLock;
use crate::{engine::Engine, options::RunOptions, plan::RunPlan, process, token::TokenSource};

/// What the runner says when it has cleaned up itself.
const DISMISSED: &[u8] = b"dismissed";

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
        let Some(supervision) = &plan.supervision else { return Ok(Self::none()) };
        let Some(remove) = engine.remove_command(&supervision.container) else {
            return Ok(Self::none());
        };
        let mut args = vec!["reap", "--delete", supervision.cidfile.as_str()];
        if let Some(TokenSource::Variable { file, .. }) = &options.token {
            args.extend(["--delete", file.as_str()]);
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

    /// No reaper.
    pub(super) const fn none() -> Self {
        Self(None)
    }

    /// Tells the reaper that there is nothing left to do, and waits until it is gone: until then
    /// it holds the lock.
    pub(super) fn dismiss(self) -> anyhow::Result<()> {
        let Some((mut writer, handle)) = self.0 else { return Ok(()) };
        // A reaper that is dead already needs no word.
        let told = writer.write_all(DISMISSED);
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
/// When the container could not be removed.
pub fn reap(remove: &[String], delete: &[PathBuf]) -> anyhow::Result<()> {
    for signal in [consts::SIGINT, consts::SIGTERM, consts::SIGHUP, consts::SIGQUIT] {
        flag::register(signal, Arc::new(AtomicBool::new(false)))?;
    }
    let mut word = vec![];
    io::stdin().read_to_end(&mut word).context("waiting for the runner's end")?;
    if word == DISMISSED {
        return Ok(());
    }
    let removed = process::capture(remove);
    for file in delete {
        match std::fs::remove_file(file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("deleting `{}`", file.display()));
            }
            _ => {}
        }
    }
    removed.map(drop)
}
