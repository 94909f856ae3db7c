//! Weights for the Python stacks, made of the smoke test's GGUF model once, in the container: the
//! stacks cannot load the one, and this machine needs no Python.

use std::{fs, path::Path};

use anyhow::{Context as _, bail};
use contract::{Backend, Flavour, env, path};
use engine::Engine;
use host::machine::Host;
use plan::{
    options::{Request, Runtime, Settings, Target},
    render::command_line,
    run_plan::RunPlan,
};
use sha2::{Digest as _, Sha256};
use untrusted::Dir;
use xshell::Shell;

use super::{
    hub::{Model, Repo},
    model::Scratch,
    say,
};
use crate::{sha256::hex, tool};

/// What the names of the weights' repo lose of the GGUF one's.
const MARK: &str = "-GGUF";
/// What they get where there is nothing to lose.
const INSTEAD: &str = "-weights";

/// The new folder in the container's results.
const FOLDER: &str = "weights";

/// What makes them: other weights are those of another converter.
const CONVERTER: &[u8] = include_bytes!("../../../docker/adapter/gguf.py");

/// Makes weights of `model` ready in the Hub cache of `folder`. What is there and whole is used
/// again.
///
/// # Errors
/// When the container cannot make them.
pub(super) fn ready(
    sh: &Shell,
    engine: &Engine,
    flavour: Flavour,
    model: &Model,
    folder: &Path,
) -> anyhow::Result<Model> {
    let home = folder.join("huggingface");
    let source = model.id.rsplit('/').next().unwrap_or(&model.id);
    let name = match source.strip_suffix(MARK) {
        Some(name) => name.to_owned(),
        None => format!("{source}{INSTEAD}"),
    };
    let repo = Repo::new(&home.join("hub"), &name);
    let mut made_of = Sha256::new_with_prefix(&model.digest);
    made_of.update(CONVERTER);
    let digest = hex(&made_of.finalize());
    if repo.is_whole(&digest)? {
        return Ok(Model { how: "already here".to_owned(), ..repo.model(&digest) });
    }
    say(&format!("making weights of {} in the container; this is done once", model.id));
    let scratch = Scratch::new(folder)?;
    let gguf = model.file.strip_prefix(&home).context("the model lies in its Hub cache")?;
    let gguf = format!("{}/{}", path::HF_HOME, gguf.display());
    let command = conversion(engine, flavour, &home, scratch.path(), gguf)?;
    let (program, arguments) = command.split_first().context("a command has a program")?;
    let status = tool::live(sh.cmd(program).args(arguments), &[])?;
    if !status.success() {
        bail!("making weights of `{}` failed ({status}); the container says above why", model.id);
    }
    let made = scratch.path().join(FOLDER);
    let weights = Dir::open(scratch.path()).and_then(|scratch| scratch.dir(FOLDER)?.list());
    for (name, _) in weights.context("reading the new weights")? {
        repo.adopt(&made.join(&name), &name.to_string_lossy(), &digest)?;
    }
    repo.refer(&digest)?;
    fs::remove_dir(&made).with_context(|| format!("removing `{}`", made.display()))?;
    Ok(Model { how: "made of the GGUF model".to_owned(), ..repo.model(&digest) })
}

/// The command that converts, with the mounts and the identity of any other run.
fn conversion(
    engine: &Engine,
    flavour: Flavour,
    home: &Path,
    results: &Path,
    gguf: String,
) -> anyhow::Result<Vec<String>> {
    let mut host = Host::read()?;
    host.env = [(env::HF_HOME, home)].into_iter().collect();
    let target = Target {
        runtime: Runtime { flavour: Some(flavour), ..Runtime::default() },
        backend: Some(Backend::Optimum),
        results: Some(results.to_owned()),
        ..Target::default()
    };
    let request = Request { target, offline: true, ..Request::default() };
    let options = Settings::new(request, &host)?.resolve(&host)?;
    let mut plan = RunPlan::new(&options, &host, engine)?.for_guide();
    plan.args = vec!["convert".to_owned(), gguf, format!("{}/{FOLDER}", path::RESULTS)];
    Ok(command_line(engine, &plan).argv())
}
