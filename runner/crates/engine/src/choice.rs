//! Which engine a run gets, and what the user should hear about the choice.

use anyhow::{Context as _, anyhow, bail};
use clap::ValueEnum;
use contract::{Backend, Flavour, env};
use host::{
    gpus::{Devices, Gpus},
    machine::Host,
    process::is_on_path,
};
use untrusted::escape;

use super::{Client, DOCKER, Engine, Limits, Mode, Nvidia, PODMAN, Place, docker, podman};

/// The chosen engine, and what the user should hear about the choice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Detected {
    /// The engine.
    pub engine: Engine,
    /// Which and why, in one line.
    pub why: String,
    /// What is uncertain about it, or less than was asked for.
    pub warning: Option<String>,
}

/// The engine that is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum EngineChoice {
    /// The first that really answers
    #[default]
    Auto,
    /// Docker
    Docker,
    /// Podman
    Podman,
    /// No container: the entrypoint as a child process
    Host,
}

/// What decides over the engine of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted<'a> {
    /// `--engine`.
    pub engine: EngineChoice,
    /// The image, whole reference.
    pub image: &'a str,
    /// Whether anybody chose the image.
    pub image_chosen: bool,
    /// The backend, if anybody chose one.
    pub backend: Option<Backend>,
    /// Whether there shall be no network.
    pub offline: bool,
    /// The GPUs that are asked for.
    pub gpus: &'a Gpus,
}

impl EngineChoice {
    /// As `--engine` takes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Docker => "docker",
            Self::Podman => "podman",
            Self::Host => "host",
        }
    }

    /// The choice that leads to `engine` again.
    pub fn again(engine: &Engine) -> Self {
        match engine.client {
            Client::None => Self::Host,
            Client::Podman if engine.program == PODMAN => Self::Podman,
            Client::Docker | Client::Podman => Self::Docker,
        }
    }
}

/// Finds the engine that is wanted.
///
/// # Errors
/// When it does not answer, or answers what is not understood.
pub fn detect(wanted: &Wanted<'_>, host: &Host) -> anyhow::Result<Detected> {
    match wanted.engine {
        EngineChoice::Docker => detected(docker::ask()?, wanted, "asked for"),
        EngineChoice::Podman => detected(podman::ask(PODMAN)?, wanted, "asked for"),
        EngineChoice::Host => host_engine(wanted, host, "asked for"),
        EngineChoice::Auto => {
            let refused = match ask_either() {
                Ok((engine, passed_over)) => {
                    let found = detected(engine, wanted, "it answers")?;
                    return Ok(Detected { warning: passed_over, ..found });
                }
                Err(error) => error,
            };
            if !host_will_do(wanted) {
                return Err(refused.context("no container engine for this backend and image"));
            }
            let Detected { engine, why, warning } =
                host_engine(wanted, host, "no container engine answers")
                    .with_context(|| format!("no engine at all: {refused:#}"))?;
            let no_container = format!("no container: {refused:#}");
            let warnings = [no_container].into_iter().chain(warning).collect::<Vec<_>>();
            Ok(Detected { engine, why, warning: Some(warnings.join("; ")) })
        }
    }
}

/// Docker, or Podman where no Docker answers.
///
/// # Errors
/// When neither does.
pub fn container_engine(wanted: &Wanted<'_>) -> anyhow::Result<Detected> {
    let (engine, passed_over) = ask_either()?;
    Ok(Detected { warning: passed_over, ..detected(engine, wanted, "it answers")? })
}

/// The engine that answers, and why it is not Docker where there is one: images and rights may be there.
fn ask_either() -> anyhow::Result<(Engine, Option<String>)> {
    let docker = match docker::ask() {
        Ok(engine) => return Ok((engine, None)),
        Err(error) => error,
    };
    let engine = podman::ask(PODMAN)
        .map_err(|podman| anyhow!("{docker:#}; nor does Podman serve: {podman:#}"))?;
    let passed_over =
        is_on_path(DOCKER).then(|| format!("Podman is used, as Docker does not serve: {docker:#}"));
    Ok((engine, passed_over))
}

/// Whether a run without a container is what was asked for: another backend, or an image of
/// another, would be another measurement.
fn host_will_do(wanted: &Wanted<'_>) -> bool {
    match wanted.backend {
        Some(backend) => backend == Backend::Native,
        None => !wanted.image_chosen || Flavour::of_image(wanted.image) == Flavour::Smoke,
    }
}

fn detected(engine: Engine, wanted: &Wanted<'_>, why: &str) -> anyhow::Result<Detected> {
    let image = engine.ask_image(wanted.image)?;
    let engine = Engine { image, ..engine };
    let Engine { program, client, mode, version, place, .. } = &engine;
    let through = match client {
        Client::Docker if mode.is_podman() => " behind docker's client",
        Client::Podman if program == DOCKER => " under the name of docker",
        _ => "",
    };
    let at = match place {
        Place::Here => String::new(),
        Place::Desktop => " in Docker Desktop's virtual machine".to_owned(),
        Place::Behind(address) | Place::Elsewhere(address) => format!(" at {}", escape(address)),
    };
    let why = format!("{} {version}{through}{at} ({mode}): {why}", mode.engine());
    Ok(Detected { engine, why, warning: None })
}

fn host_engine(wanted: &Wanted<'_>, host: &Host, why: &str) -> anyhow::Result<Detected> {
    let Some(program) = host.entrypoint.as_ref().filter(|program| program.is_file()) else {
        bail!(
            "the program of the host engine, `{}`, was not found beside the runner or on PATH; \
             build it with `cargo xtask smoke`, or name it in {}",
            contract::ENTRYPOINT,
            env::ENTRYPOINT
        );
    };
    let program = program.to_str().context("the path of the host engine's program is not UTF-8")?;
    Ok(Detected {
        engine: Engine {
            program: program.to_owned(),
            client: Client::None,
            mode: Mode::Host,
            version: String::new(),
            runtime: String::new(),
            nvidia: if host.has_nvidia() { Nvidia::Gpus } else { Nvidia::No },
            limits: Limits::NONE,
            architecture: String::new(),
            image: None,
            place: Place::Here,
        },
        why: format!("host, without a container: {why}"),
        warning: not_enforced(wanted),
    })
}

/// What was asked for and takes a container.
fn not_enforced(wanted: &Wanted<'_>) -> Option<String> {
    let offline = wanted.offline.then(|| {
        format!(
            "--offline leaves network and cache open without a container, and only sets {} for \
             the libraries; use --engine docker or podman to close them",
            env::HF_HUB_OFFLINE
        )
    });
    let gpus = (*wanted.gpus == Gpus::Exactly(Devices::None)).then(|| {
        "--gpus none hides no GPU without a container; set CUDA_VISIBLE_DEVICES to nothing for \
         that, or use --engine docker or podman"
            .to_owned()
    });
    let warnings = offline.into_iter().chain(gpus).collect::<Vec<_>>();
    (!warnings.is_empty()).then(|| warnings.join("; "))
}

#[cfg(test)]
mod tests {
    use contract::{Backend, Flavour};

    use super::{Devices, EngineChoice, Gpus, Wanted, host_will_do, not_enforced};

    const DEFAULT: Wanted<'_> = Wanted {
        engine: EngineChoice::Auto,
        image: "ai_energy_score:latest",
        image_chosen: false,
        backend: None,
        offline: false,
        gpus: &Gpus::Auto,
    };

    #[test]
    fn only_a_native_run_may_do_without_its_container() {
        let [smoke, cuda] = [Flavour::Smoke, Flavour::Cuda].map(Flavour::image);
        let image = |image| Wanted { image, image_chosen: true, ..DEFAULT };
        let backend = |backend| Wanted { backend: Some(backend), ..DEFAULT };
        for (wanted, expected) in [
            (DEFAULT, true),
            (image(&smoke), true),
            (image(&cuda), false),
            (image("bench:7"), false),
            (backend(Backend::Native), true),
            (backend(Backend::Pytorch), false),
        ] {
            assert_eq!(host_will_do(&wanted), expected, "{wanted:?}");
        }
    }

    #[test]
    fn what_takes_a_container_is_said_to_be_missing_without_one() {
        assert_eq!(not_enforced(&DEFAULT), None);
        let gpus = &Gpus::Exactly(Devices::None);
        let both = Wanted { offline: true, gpus, ..DEFAULT };
        insta::assert_snapshot!(not_enforced(&both).unwrap(), @"--offline leaves network and cache open without a container, and only sets HF_HUB_OFFLINE for the libraries; use --engine docker or podman to close them; --gpus none hides no GPU without a container; set CUDA_VISIBLE_DEVICES to nothing for that, or use --engine docker or podman");
    }
}
