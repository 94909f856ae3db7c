//! Tables of mounts and flags, from the plan of a run.

use contract::env;
use engine::{Engine, Mode};
use host::shell::Part;
use plan::{
    render::command_line,
    run_plan::{Access, Input, Mount, MountVariable, RunPlan},
};

use crate::docs::{
    content::{Content, code},
    examples::{Example, NATIVE, PYTORCH, plan, plan_of_program, portable, portable_part},
};

/// Every possible mount, with its reason.
pub(crate) fn mounts() -> anyhow::Result<Content> {
    let plan = plan_with_all_mounts()?;
    let inputs = plan.inputs.iter().map(|input| input_row(input, &plan.args));
    let rows = plan.mounts.iter().map(mount_row).chain(inputs).collect();
    let head = vec!["On your machine", "Chosen by", "In the container", "Access", "Why"];
    Ok(Content::Table { head, rows })
}

/// Every option of a `docker run` command that is not in the table of mounts, with its reason.
pub(crate) fn flags() -> anyhow::Result<Content> {
    let engine = Engine::typical(Mode::DockerRootful);
    let plan = plan_with_all_mounts()?;
    let inputs = plan.inputs.iter().map(|input| &input.reason);
    let mounted: Vec<_> = plan.mounts.iter().map(|mount| &mount.reason).chain(inputs).collect();
    let parts = command_line(&engine, &plan).parts;
    let options = parts.iter().filter(|part| !mounted.contains(&&part.reason));
    let rows = options.map(|part| vec![code(&portable_part(part)), part.reason.clone()]);
    let rows = rows.filter(|row| row[0].starts_with("`--")).collect();
    Ok(Content::Table { head: vec!["Option", "Why"], rows })
}

/// The parts that the program adds to the `docker run` command of the guides.
pub(crate) fn supervision() -> anyhow::Result<Content> {
    let engine = Engine::typical(Mode::DockerRootful);
    let plan = plan_of_program(&NATIVE, &engine)?;
    let run_id = plan.run_id.clone();
    let program = command_line(&engine, &plan).parts;
    let guide = command_line(&engine, &plan.for_guide()).parts;
    let added = program.iter().filter(|part| !guide.contains(part));
    let rows = added.map(|part| {
        let text = portable_part(part).replace(&run_id, "RUN");
        vec![code(&text), part.reason.clone()]
    });
    Ok(Content::Table { head: vec!["Part", "Why"], rows: rows.collect() })
}

/// The user that a container runs as, by the mode of the engine.
pub(crate) fn identity() -> anyhow::Result<Content> {
    let mut rows = vec![];
    for mode in Mode::WITH_CONTAINERS {
        let engine = Engine::typical(mode);
        let command = command_line(&engine, &plan(&NATIVE, &engine)?);
        let is_identity = |part: &&Part| {
            part.words.first().is_some_and(|word| ["--user", "--userns"].contains(&&*word.value()))
        };
        let parts = command.parts.iter().filter(is_identity);
        let (flags, reasons): (Vec<_>, Vec<_>) =
            parts.map(|part| (portable_part(part), part.reason.as_str())).unzip();
        rows.push(vec![mode.to_string(), code(&flags.join(" ")), reasons.join("; ")]);
    }
    Ok(Content::Table { head: vec!["Engine", "Flags", "Why"], rows })
}

/// A run with a Hub cache on another disk, a token, a local model and local prompts.
fn plan_with_all_mounts() -> anyhow::Result<RunPlan> {
    let env = &[(env::HF_HUB_CACHE, "/disk/hub")];
    plan(&Example { env, token: true, ..PYTORCH }, &Engine::typical(Mode::DockerRootful))
}

/// The row of a local input. The argument with its path in the container chooses it.
fn input_row(input: &Input, args: &[String]) -> Vec<String> {
    let Input { source, target, by: _, reason } = input;
    let chosen =
        args.iter().filter_map(|arg| arg.split_once('=')).find(|(_, value)| value == target);
    let chosen = chosen.map(|(key, _)| code(&format!("{key}=")));
    let (source, access) = (code(&unquoted(source.as_str())), "read only".to_owned());
    vec![source, chosen.unwrap_or_default(), code(target), access, reason.clone()]
}

fn mount_row(mount: &Mount) -> Vec<String> {
    let Mount { source, target, access, variable, reason } = mount;
    let (MountVariable::Always(variable) | MountVariable::OnHost(variable)) = variable;
    let access = match access {
        Access::ReadWrite => "read, write",
        Access::ReadOnly => "read only",
    };
    let source = code(&unquoted(source.as_str()));
    vec![source, code(variable), code(target), access.to_owned(), reason.clone()]
}

/// A portable path without the quotes that only a shell needs.
fn unquoted(path: &str) -> String {
    portable(path).replace('"', "")
}
