//! Renders a plan for the host engine: the entrypoint as a child process.

use contract::env;
use engine::Engine;
use host::shell::{CommandLine, Part, Piece, Word};

use super::args_reason;
use crate::run_plan::{Mount, MountVariable, RunPlan, Variable};

/// The entrypoint, with the plan's folders and variables in its environment.
pub(super) fn command_line(engine: &Engine, plan: &RunPlan) -> CommandLine {
    let RunPlan {
        run_id,
        // A child process has no image and no limits. It sees the host as its user does.
        image: _,
        identity: _,
        gpus: _,
        network: _,
        shm_size: _,
        root: _,
        limits: _,
        pinned_folders: _,
        masked_files: _,
        tmpfs: _,
        inputs: _,
        backend: _, // passed by a variable
        mounts,
        env,
        supervision,
        args,
        // These are printed, not executed.
        notes: _,
        missed_gpus: _,
        warnings: _,
    } = plan;
    let mut variables = vec![];
    if supervision.is_some() {
        variables.push((env::RUN_ID.to_owned(), Word::text(run_id)));
    }
    for Mount { source, variable, target: _, access: _, reason: _ } in mounts {
        let (MountVariable::Always(name) | MountVariable::OnHost(name)) = variable;
        variables.push(((*name).to_owned(), Word::of([Piece::Path(source.as_str().to_owned())])));
    }
    for Variable { name, value, reason: _ } in env {
        variables.push(((*name).to_owned(), Word::text(value)));
    }
    let program = Word::of([Piece::Path(engine.program.clone())]);
    let mut parts = vec![Part::new([program], "the program that every image starts")];
    if !args.is_empty() {
        parts.push(Part::new(args.iter().map(String::as_str), args_reason(plan)));
    }
    CommandLine { env: variables, parts }
}
