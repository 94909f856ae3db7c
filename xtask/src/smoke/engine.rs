//! The best engine at hand, before there is an image or a program for it.

use std::path::Path;

use anyhow::Context as _;
use contract::{Flavour, env};
use engine::{Detected, Engine, EngineChoice, Mode, detect};
use host::machine::Host;
use plan::options::{Request, Runtime, Settings, Target};

/// The choice, and what to say of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Chosen {
    /// What will run the benchmark.
    pub(super) engine: Engine,
    /// Which engine and why, in one line.
    pub(super) why: String,
    /// What is uncertain about it, or is not tested by it.
    pub(super) notes: Vec<String>,
}

/// Asks the engines as the runner will. Nothing of the caller's environment plays a part: a
/// variable that does not suit a smoke test is not this test's subject.
///
/// # Errors
/// When the engine that was asked for does not answer.
pub(super) fn choose(
    engine: EngineChoice,
    flavour: Flavour,
    folder: &Path,
) -> anyhow::Result<Chosen> {
    let mut host = Host::read()?;
    host.env = [(env::HF_HOME, folder)].into_iter().collect();
    // The host engine's program is built once that engine is chosen; until then any will do.
    host.entrypoint = std::env::current_exe().ok();
    let runtime = Runtime { engine, image: None, flavour: Some(flavour) };
    let target = Target { runtime, results: Some(folder.to_owned()), ..Target::default() };
    let request = Request { target, ..Request::default() };
    let detected = detect(&Settings::new(request, &host)?.wanted(), &host);
    Ok(describe(detected.context("no container engine; `--engine host` does without one")?))
}

fn describe(Detected { engine, why, warning }: Detected) -> Chosen {
    let left_out = (engine.mode == Mode::Host).then(|| {
        "left out: the image, and mounts and identity in a container; `cargo xtask smoke` tests \
         them where Docker runs and you are in its group"
            .to_owned()
    });
    Chosen { engine, why, notes: warning.into_iter().chain(left_out).collect() }
}

#[cfg(test)]
mod tests {
    use engine::{Client, Detected, Engine, Limits, Location, Mode, Nvidia};

    use super::{Chosen, describe};

    #[test]
    fn without_a_container_it_is_said_what_is_left_out() {
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
        let Chosen { notes, .. } = describe(detected(Mode::DockerRootless));
        assert_eq!(notes, [""; 0]);
        let Chosen { engine, why, notes } = describe(detected(Mode::Host));
        assert_eq!((engine.mode, why.as_str()), (Mode::Host, "it answers"));
        insta::assert_snapshot!(notes.join("\n"), @"left out: the image, and mounts and identity in a container; `cargo xtask smoke` tests them where Docker runs and you are in its group");
    }
}
