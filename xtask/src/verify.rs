//! `cargo xtask verify`: runs `aienergyscore verify`, and checks that image and guides are up to date
//! with this tree.

use std::process::ExitCode;

use aienergyscore::{
    cli::VerifyArgs,
    verify::{self, Finding},
};
use contract::{Flavour, env};
use engine::{Engine, Mode};
use host::{environment::Environment, machine::Host, output::terminal};
use plan::options::{Request, Settings};

use crate::{
    build_image::{Builder, inputs_digest},
    docs, workspace,
};

/// Flags of `cargo xtask verify`: those of `aienergyscore verify`. The default image is `smoke`.
#[derive(Debug, clap::Args)]
pub(crate) struct Verify {
    #[command(flatten)]
    args: VerifyArgs,
}

impl Verify {
    /// Runs the task. `xtask` is this program's own command line, which guides show.
    pub(crate) fn run(self, xtask: &clap::Command) -> anyhow::Result<ExitCode> {
        let (json, deep) = (self.args.json, self.args.deep);
        let mut request = self.args.into_request();
        let target = &mut request.target;
        let has_image = target.runtime.image.is_some()
            || target.backend.is_some()
            || Environment::of_process().get(env::DOCKER_IMAGE).is_some();
        if !has_image {
            target.runtime.flavour.get_or_insert(Flavour::Smoke);
        }
        let inputs = match request.target.runtime.flavour {
            Some(flavour) => {
                let builder = container_engine(&request)?.map(|engine| Builder::of(&engine));
                Some(inputs_digest(workspace::root(), builder.as_ref(), flavour)?)
            }
            None => None,
        };
        let mut findings = verify::verify(request, inputs.as_deref(), deep)?;
        findings.push(check_guides(xtask)?);
        terminal::print(&verify::render(&findings, json))?;
        Ok(verify::exit(&findings).into())
    }
}

/// The engine of a run. None if no engine answers, which another check reports, or if it has no
/// containers.
fn container_engine(request: &Request) -> anyhow::Result<Option<Engine>> {
    let host = Host::read()?;
    let options = Settings::new(request.clone(), &host)?;
    let detected = engine::detect(&options.wanted(), &host).ok();
    Ok(detected.map(|detected| detected.engine).filter(|engine| engine.mode != Mode::Host))
}

/// Checks that the guides are up to date.
fn check_guides(xtask: &clap::Command) -> anyhow::Result<Finding> {
    let outdated = docs::outdated(workspace::root(), xtask)?;
    if outdated.is_empty() {
        let text = "every snippet is what the program does".to_owned();
        return Ok(Finding::ok("guides", "snippets", text));
    }
    let names = outdated.iter().map(|guide| guide.name.as_str()).collect::<Vec<_>>().join(", ");
    Ok(Finding::error("guides", names, "out of date; run `cargo xtask docs`".to_owned()))
}
