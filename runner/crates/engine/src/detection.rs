//! Selects the engine of a run, and explains the choice to the user.

use anyhow::{Context as _, anyhow, bail};
use clap::ValueEnum;
use contract::{Backend, Flavour, env};
use host::{
    gpus::{Devices, Gpus},
    machine::Host,
    process::is_on_path,
};
use untrusted::escape;

use super::{Client, DOCKER, Engine, Limits, Location, Mode, Nvidia, PODMAN, docker, podman};

/// The engine of a run, with an explanation of the choice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Detected {
    /// The engine.
    pub engine: Engine,
    /// Name of the engine and the reason for it, on one line.
    pub why: String,
    /// A warning if the engine is not the usual one, or does not support an option.
    pub warning: Option<String>,
}

/// The value of `--engine`.
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

/// Requirements of a run for its engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted<'a> {
    /// `--engine`.
    pub engine: EngineChoice,
    /// Full reference of the image.
    pub image: &'a str,
    /// Whether the user chose the image.
    pub image_chosen: bool,
    /// The backend, if the user chose one.
    pub backend: Option<Backend>,
    /// Whether the benchmark runs without a network.
    pub offline: bool,
    /// `--gpus`.
    pub gpus: &'a Gpus,
}

impl EngineChoice {
    /// The value as `--engine` takes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Docker => "docker",
            Self::Podman => "podman",
            Self::Host => "host",
        }
    }

    /// The choice that selects `engine`.
    pub fn of(engine: &Engine) -> Self {
        match engine.client {
            Client::None => Self::Host,
            Client::Podman if engine.program == PODMAN => Self::Podman,
            Client::Docker | Client::Podman => Self::Docker,
        }
    }
}

/// Finds the engine for `wanted`.
///
/// # Errors
/// When no such engine answers, or its output has an unknown format.
pub fn detect(wanted: &Wanted<'_>, host: &Host) -> anyhow::Result<Detected> {
    match wanted.engine {
        EngineChoice::Docker => detected(docker::ask()?, wanted, "asked for"),
        EngineChoice::Podman => detected(podman::ask(PODMAN)?, wanted, "asked for"),
        EngineChoice::Host => host_engine(wanted, host, "asked for"),
        EngineChoice::Auto => {
            let failure = match ask_docker_or_podman() {
                Ok((engine, warning)) => {
                    return Ok(Detected { warning, ..detected(engine, wanted, "it answers")? });
                }
                Err(error) => error,
            };
            if !host_engine_suffices(wanted) {
                return Err(failure.context("no container engine for this backend and image"));
            }
            let detected = host_engine(wanted, host, "no container engine answers")
                .with_context(|| format!("no engine at all: {failure:#}"))?;
            let mut warning = format!("no container: {failure:#}");
            if let Some(more) = &detected.warning {
                warning = format!("{warning}; {more}");
            }
            Ok(Detected { warning: Some(warning), ..detected })
        }
    }
}

/// Finds Docker, or Podman if Docker does not answer.
///
/// # Errors
/// When neither answers.
pub fn container_engine(wanted: &Wanted<'_>) -> anyhow::Result<Detected> {
    let (engine, warning) = ask_docker_or_podman()?;
    Ok(Detected { warning, ..detected(engine, wanted, "it answers")? })
}

/// The first engine that answers, with a warning if an installed Docker does not: the user's images may
/// be there.
fn ask_docker_or_podman() -> anyhow::Result<(Engine, Option<String>)> {
    let docker = match docker::ask() {
        Ok(engine) => return Ok((engine, None)),
        Err(error) => error,
    };
    let engine = podman::ask(PODMAN)
        .map_err(|podman| anyhow!("{docker:#}; nor does Podman serve: {podman:#}"))?;
    let warning =
        is_on_path(DOCKER).then(|| format!("Podman is used, as Docker does not serve: {docker:#}"));
    Ok((engine, warning))
}

/// Whether the run measures the same without a container. Only the `native` backend does.
fn host_engine_suffices(wanted: &Wanted<'_>) -> bool {
    match wanted.backend {
        Some(backend) => backend == Backend::Native,
        None => !wanted.image_chosen || Flavour::of_image(wanted.image) == Flavour::Smoke,
    }
}

fn detected(engine: Engine, wanted: &Wanted<'_>, why: &str) -> anyhow::Result<Detected> {
    let image = engine.ask_image(wanted.image)?;
    let engine = Engine { image, ..engine };
    let Engine { program, client, mode, version, location, .. } = &engine;
    let through = match client {
        Client::Docker if mode.is_podman() => " behind docker's client",
        Client::Podman if program == DOCKER => " under the name of docker",
        _ => "",
    };
    let at = match location {
        Location::ThisMachine => String::new(),
        Location::DesktopVm => " in Docker Desktop's virtual machine".to_owned(),
        Location::LocalAddress(address) | Location::Remote(address) => {
            format!(" at {}", escape(address))
        }
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
            nvidia: if host.has_nvidia() { Nvidia::Gpus } else { Nvidia::No },
            limits: Limits::NONE,
            ..Engine::typical(Mode::Host)
        },
        why: format!("host, without a container: {why}"),
        warning: not_enforced(wanted),
    })
}

/// A warning about options that only a container enforces.
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
    offline.into_iter().chain(gpus).reduce(|offline, gpus| format!("{offline}; {gpus}"))
}

#[cfg(test)]
mod tests {
    use contract::{Backend, Flavour};

    use super::{Devices, EngineChoice, Gpus, Wanted, host_engine_suffices, not_enforced};

    const DEFAULT: Wanted<'_> = Wanted {
        engine: EngineChoice::Auto,
        image: "ai_energy_score:latest",
        image_chosen: false,
        backend: None,
        offline: false,
        gpus: &Gpus::Auto,
    };

    #[test]
    fn host_engine_replaces_a_container_only_for_the_native_backend() {
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
            assert_eq!(host_engine_suffices(&wanted), expected, "{wanted:?}");
        }
    }

    #[test]
    fn options_that_need_a_container_are_warned_of_on_the_host_engine() {
        assert_eq!(not_enforced(&DEFAULT), None);
        let gpus = &Gpus::Exactly(Devices::None);
        let both = Wanted { offline: true, gpus, ..DEFAULT };
        insta::assert_snapshot!(not_enforced(&both).unwrap(), @"--offline leaves network and cache open without a container, and only sets HF_HUB_OFFLINE for the libraries; use --engine docker or podman to close them; --gpus none hides no GPU without a container; set CUDA_VISIBLE_DEVICES to nothing for that, or use --engine docker or podman");
    }
}
