//! Selects the engine, before its image or program is built.

use std::path::Path;

use anyhow::Context as _;
use contract::{Flavour, env};
use engine::{Detected, Engine, EngineChoice, Mode, detect};
use host::machine::Host;
use plan::options::{Request, Runtime, Settings, Target};

/// The selected engine, with messages about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Selected {
    pub(super) engine: Engine,
    /// The engine and the reason for its choice, in one line.
    pub(super) why: String,
    /// Warnings, and what this engine leaves untested.
    pub(super) notes: Vec<String>,
}

/// Selects an engine as the runner will, but ignores the caller's environment variables: they must
/// not change the smoke test.
///
/// # Errors
/// When the requested engine does not answer.
pub(super) fn select(
    engine: EngineChoice,
    flavour: Flavour,
    folder: &Path,
) -> anyhow::Result<Selected> {
    let mut host = Host::read()?;
    host.env = [(env::HF_HOME, folder)].into_iter().collect();
    // The host engine must find a program here. The real one is built after its selection.
    host.entrypoint = std::env::current_exe().ok();
    let runtime = Runtime { engine, image: None, flavour: Some(flavour) };
    let target = Target { runtime, results: Some(folder.to_owned()), ..Target::default() };
    let request = Request { target, ..Request::default() };
    let detected = detect(&Settings::new(request, &host)?.wanted(), &host);
    Ok(describe(detected.context("no container engine; `--engine host` does without one")?))
}

fn describe(Detected { engine, why, warning }: Detected) -> Selected {
    let untested = (engine.mode == Mode::Host).then(|| {
        "left out: the image, and mounts and identity in a container; `cargo xtask smoke` tests \
         them where Docker runs and you are in its group"
            .to_owned()
    });
    Selected { engine, why, notes: warning.into_iter().chain(untested).collect() }
}

#[cfg(test)]
mod tests {
    use engine::{Client, Detected, Engine, Limits, Location, Mode, Nvidia};

    use super::{Selected, describe};

    #[test]
    fn host_engine_reports_what_it_leaves_untested() {
        let detected = |mode| Detected {
            engine: Engine {
                program: "p".to_owned(),
                client: Client::None,
                mode,
                version: String::new(),
                runtime: String::new(),
                nvidia: Nvidia::No,
                limits: Limits::NONE,
                architecture: String::new(),
                image: None,
                location: Location::ThisMachine,
            },
            why: "it answers".to_owned(),
            warning: None,
        };
        let Selected { notes, .. } = describe(detected(Mode::DockerRootless));
        assert_eq!(notes, [""; 0]);
        let Selected { engine, why, notes } = describe(detected(Mode::Host));
        assert_eq!((engine.mode, why.as_str()), (Mode::Host, "it answers"));
        insta::assert_snapshot!(notes.join("\n"), @"left out: the image, and mounts and identity in a container; `cargo xtask smoke` tests them where Docker runs and you are in its group");
    }
}
