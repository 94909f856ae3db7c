//! A run, from the request to the exit code: the only place where a plan meets the world.

mod aftermath;
mod client_watch;
mod container;
mod dry_run;
mod earlier_runs;
mod fetch;
mod launch;
mod loadable;
mod lock;
mod other_files;
mod outcome;
mod output_file;
mod prepare;
mod pump;
mod reaper;
mod repeat;
mod same_folders;
mod supervise;
mod supervised;
mod survivors;
mod unfinished;

pub use fetch::fetch;
pub use reaper::reap;

use crate::{
    engine::{self, Detected},
    exit::Exit,
    host::Host,
    options::{Request, RunOptions},
    plan::RunPlan,
};

/// What the user wants to see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Show {
    /// The run, and its summary as text.
    Run,
    /// The run, and its summary as JSON.
    RunJson,
    /// The command as shell text, without running it.
    Command,
    /// Each part of the command with its reason, without running it.
    Explanation,
    /// Engine, argument vector and plan as JSON, without running anything.
    Plan,
}

/// Plans and, unless only the plan is wanted, runs.
///
/// # Errors
/// When the run could not be tried, or failed for another reason than the benchmark's own.
pub fn run(request: Request, show: Show) -> anyhow::Result<Exit> {
    let host = Host::read()?;
    let options = RunOptions::read(request, &host)?;
    match show {
        Show::Command | Show::Explanation | Show::Plan => {
            dry_run::show(&Planned::new(options, &host)?, show)
        }
        Show::Run | Show::RunJson => {
            let prepared = prepare::prepare(options, &host)?;
            if let Some(trust) = &prepared.planned.options.trust {
                // Without a record the next run judges a symlink by its target alone.
                let _ = trust.remember();
            }
            launch::launch(&prepared, &host, show)
        }
    }
}

/// A run on the engine that was found for it.
#[derive(Debug)]
struct Planned {
    options: RunOptions,
    detected: Detected,
    plan: RunPlan,
}

impl Planned {
    fn new(options: RunOptions, host: &Host) -> anyhow::Result<Self> {
        let options = options.settle(host)?;
        let detected = engine::detect(&options, host)?;
        let plan = RunPlan::new(&options, host, &detected.engine)?;
        Ok(Self { options, detected, plan })
    }
}
