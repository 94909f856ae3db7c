//! `aienergyscore run`, from the request to the exit code: resolve settings, detect the engine, plan, prepare
//! folders, launch, check the results.

mod dry_run;
mod earlier_runs;
mod fetch;
mod launch;
mod lock;
mod outcome;
mod prepare;
mod repeat;
mod results;
mod supervised;

use engine::Detected;
use host::{exit::Exit, machine::Host};
use hub::boundary::Trust;
use plan::{
    options::{Request, Settings},
    run_plan::RunPlan,
};

pub use fetch::fetch;
pub use supervised::reaper::reap;

/// What `run` does and prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Show {
    /// Runs, and prints the summary as text.
    Run,
    /// Runs, and prints the summary as JSON.
    RunJson,
    /// Prints the command for a shell.
    Command,
    /// Prints each part of the command with its reason.
    Explanation,
    /// Prints engine, argument vector and plan as JSON.
    Plan,
}

/// Plans a run, and runs it or shows the plan.
///
/// # Errors
/// When the run cannot be planned, started or supervised. A benchmark that fails is an exit code.
pub fn run(request: Request, show: Show) -> anyhow::Result<Exit> {
    let host = Host::read()?;
    let settings = Settings::read(request, &host)?;
    match show {
        Show::Command | Show::Explanation | Show::Plan => {
            dry_run::show(&Planned::new(settings, &host)?, show)
        }
        Show::Run | Show::RunJson => {
            let prepared = prepare::prepare(settings, &host)?;
            prepared.planned.remember_trust();
            launch::launch(&prepared, &host, show)
        }
    }
}

/// The plan of a run, with its settings and its engine.
#[derive(Debug)]
struct Planned {
    settings: Settings,
    /// The record of a Hub cache that a container could have replaced.
    trust: Option<Trust>,
    detected: Detected,
    plan: RunPlan,
}

impl Planned {
    /// Resolves the settings on the disk, detects the engine and plans the run.
    fn new(settings: Settings, host: &Host) -> anyhow::Result<Self> {
        let run = settings.resolve(host)?;
        let detected = engine::detect(&run.settings.wanted(), host)?;
        let plan = RunPlan::new(&run, host, &detected.engine)?;
        Ok(Self { settings: run.settings, trust: run.trust, detected, plan })
    }

    /// Records the target of a cache that is a symlink. Without this record, the next run checks the
    /// symlink by its target alone.
    fn remember_trust(&self) {
        if let Some(trust) = &self.trust {
            // An error is ignored, because the run does not need the record.
            let _ = trust.remember();
        }
    }
}
