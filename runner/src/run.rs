//! A run, from the request to the exit code: the only place where a plan meets the world.

mod aftermath;
mod dry_run;
mod earlier_runs;
mod fetch;
mod launch;
mod lock;
mod outcome;
mod prepare;
mod repeat;
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
    let options = Settings::read(request, &host)?;
    match show {
        Show::Command | Show::Explanation | Show::Plan => {
            dry_run::show(&Planned::new(options, &host)?, show)
        }
        Show::Run | Show::RunJson => {
            let prepared = prepare::prepare(options, &host)?;
            if let Some(trust) = &prepared.planned.trust {
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
    options: Settings,
    trust: Option<Trust>,
    detected: Detected,
    plan: RunPlan,
}

impl Planned {
    fn new(options: Settings, host: &Host) -> anyhow::Result<Self> {
        let run = options.resolve(host)?;
        let detected = engine::detect(&run.settings.wanted(), host)?;
        let plan = RunPlan::new(&run, host, &detected.engine)?;
        Ok(Self { options: run.settings, trust: run.trust, detected, plan })
    }
}
