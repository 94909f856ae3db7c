//! A plan as a child process: the entrypoint without a container.

use contract::env;
use engine::Engine;
use host::shell::{CommandLine, Part, Piece, Word};

use super::args_reason;
use crate::run_plan::{Mount, MountVariable, RunPlan, Variable};

/// The entrypoint with the plan's folders and variables in its environment.
pub(super) fn command_line(engine: &Engine, plan: &RunPlan) -> CommandLine {
    let RunPlan {
        run_id,
        image: _,    // there is no container, so there is no image,
        identity: _, // a child process is the caller,
        gpus: _,     // sees the host's devices,
        network: _,  // its network
        shm_size: _, // and its /dev/shm,
        root: _,     // with the host's files
        limits: _,   // and the caller's rights
        pins: _,     // to all
        covers: _,   // of them,
        tmpfs: _,    // as they are,
        inputs: _,   // the user's own among them
        backend: _,  // told by a variable
        mounts,
        env,
        supervision,
        args,
        notes: _,       // told, not done
        missed_gpus: _, // told, not done
        warnings: _,    // told, not done
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
    let mut parts = vec![Part {
        words: vec![Word::of([Piece::Path(engine.program.clone())])],
        reason: "the program that every image starts".to_owned(),
    }];
    if !args.is_empty() {
        parts.push(Part::new(args.iter().map(String::as_str), args_reason(plan)));
    }
    CommandLine { env: variables, parts }
}
