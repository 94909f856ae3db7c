//! Converts the GGUF model to weights for the Python stacks, which cannot load GGUF. The conversion
//! runs in the container, because the host may have no Python.

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
use untrusted::Dir;
use xshell::Shell;

use super::{
    hub::{Model, Repo},
    model::ScratchDir,
    progress::detail,
};
use crate::{process, sha256};

/// Suffix of GGUF repos, removed from the name of the weights' repo.
const GGUF_SUFFIX: &str = "-GGUF";
/// Suffix of the weights' repo if the GGUF repo has no such suffix.
const WEIGHTS_SUFFIX: &str = "-weights";

/// Output folder in the container's results.
const FOLDER: &str = "weights";

/// Source of the converter. A changed converter makes new weights.
const CONVERTER: &[u8] = include_bytes!("../../../docker/adapter/gguf.py");

/// Puts weights of `model` into the Hub cache of `folder`. Complete weights in the cache are used
/// again.
///
/// # Errors
/// When the conversion fails.
pub(super) fn ensure(
    sh: &Shell,
    engine: &Engine,
    flavour: Flavour,
    model: &Model,
    folder: &Path,
) -> anyhow::Result<Model> {
    let home = folder.join("huggingface");
    let source = model.id.rsplit('/').next().unwrap_or(&model.id);
    let name = match source.strip_suffix(GGUF_SUFFIX) {
        Some(name) => name.to_owned(),
        None => format!("{source}{WEIGHTS_SUFFIX}"),
    };
    let repo = Repo::new(&home.join("hub"), &name);
    let digest = sha256::of_bytes([model.digest.as_bytes(), CONVERTER].concat());
    if repo.is_complete(&digest)? {
        return Ok(Model { status: "already here".to_owned(), ..repo.model(&digest) });
    }
    detail(&format!("making weights of {} in the container; this is done once", model.id));
    let scratch = ScratchDir::new(folder)?;
    let gguf = model.file.strip_prefix(&home).context("the model lies in its Hub cache")?;
    let gguf = format!("{}/{}", path::HF_HOME, gguf.display());
    let command = conversion(engine, flavour, &home, scratch.path(), gguf)?;
    let (program, arguments) = command.split_first().context("a command has a program")?;
    let status = process::stream(sh.cmd(program).args(arguments), &[])?;
    if !status.success() {
        bail!("making weights of `{}` failed ({status}); the container says above why", model.id);
    }
    let made = scratch.path().join(FOLDER);
    let weights = Dir::open(scratch.path()).and_then(|scratch| scratch.dir(FOLDER)?.list());
    for (name, _) in weights.context("reading the new weights")? {
        repo.add(&made.join(&name), &name.to_string_lossy(), &digest)?;
    }
    repo.write_ref(&digest)?;
    fs::remove_dir(&made).with_context(|| format!("removing `{}`", made.display()))?;
    Ok(Model { status: "made of the GGUF model".to_owned(), ..repo.model(&digest) })
}

/// The command of the conversion. Mounts and identity are those of a benchmark run.
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
