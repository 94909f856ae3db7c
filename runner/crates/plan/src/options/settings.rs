//! The settings of a run: flags over environment over defaults, validated.

use contract::{
    Backend, DEFAULT_NUM_SAMPLES, Flavour,
    argument::{self, NUM_SAMPLES},
    env,
};
use engine::{EngineChoice, Wanted};
use host::{
    exit::Usage,
    gpus::Gpus,
    machine::Host,
    paths::{host_path::HostPath, results_folder::results_folder},
    run_files::run_id::run_id,
};
use hub::{HubCache, boundary::Boundary, token::TokenSource};

use super::request::{Request, Runtime, SecurityOverrides, Target};
use crate::{
    addresses::{self, ShellAddress},
    endpoint,
    local_input::Inputs,
    server::Server,
};

/// A valid request, with environment and defaults filled in. [`Settings::resolve`] checks it on the disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Unique name of the run: start time in UTC and the runner's process id.
    pub run_id: String,
    /// The engine of `--engine`.
    pub engine: EngineChoice,
    /// Full reference of the image.
    pub image: String,
    /// Whether the user chose the image.
    pub image_chosen: bool,
    /// The backend, if the user chose one.
    pub backend: Option<Backend>,
    /// Address of the `vllm` backend's server.
    pub endpoint: Option<String>,
    /// Settings of that server's client, for the `vllm` backend.
    pub server: Option<Server>,
    /// Proxies and the Hub's address, unless the run is offline.
    pub addresses: Vec<ShellAddress>,
    /// CPU threads of the Python backends, if the user chose a number.
    pub threads: Option<String>,
    /// Results folder.
    pub results: HostPath,
    /// HuggingFace home and Hub cache.
    pub cache: HubCache,
    /// Source of the access token, if the user allows one.
    pub token: Option<TokenSource>,
    /// The GPUs of `--gpus`.
    pub gpus: Gpus,
    /// Whether the run has no network and a read-only cache.
    pub offline: bool,
    /// Memory limit of the container, in the engine's notation.
    pub memory: Option<String>,
    /// Default limits of the container that the user lifts.
    pub security: SecurityOverrides,
    /// Options of the host's meter.
    pub meter: meter::Options,
    /// Local models and datasets in the arguments.
    pub inputs: Inputs,
    /// Arguments of the benchmark, including the number of samples.
    pub args: Vec<String>,
}

impl Settings {
    /// Fills in environment and defaults.
    ///
    /// # Errors
    /// When options contradict each other, or a variable of the environment is invalid.
    pub fn new(request: Request, host: &Host) -> Result<Self, Usage> {
        let Request { num_samples, wait, offline, target, args } = request;
        let Target {
            backend,
            runtime,
            results,
            gpus,
            memory,
            no_token,
            no_api_key,
            security,
            meter,
        } = target;
        let Runtime { engine, image, flavour } = runtime;
        let backend = match (backend, host.env.text(env::BENCHMARK_BACKEND)) {
            (None, Some(name)) => Some(name.parse().map_err(|error| {
                Usage(format!("{} in the environment: {error}", env::BENCHMARK_BACKEND))
            })?),
            (backend, _) => backend,
        };
        let run_id = run_id(host.now, host.pid);
        let endpoint = host.env.text(env::VLLM_ENDPOINT);
        let mut server = None;
        if backend == Some(Backend::Vllm) {
            let Some(address) = &endpoint else {
                return Err(Usage(format!(
                    "backend `vllm` sends its prompts to a server, and {0} names none; set it, for \
                     example {0}=http://{1}:8000/v1",
                    env::VLLM_ENDPOINT,
                    contract::HOST_GATEWAY
                )));
            };
            endpoint::check(address)?;
            if offline {
                return Err(Usage(
                    "backend `vllm` needs the network that `--offline` takes away; leave one out"
                        .to_owned(),
                ));
            }
            server = Some(Server::locate(host, address, &run_id, wait, no_api_key)?);
        } else if wait.is_some() {
            return Err(Usage(
                "`--wait-for-endpoint` waits for the server of the `vllm` backend; leave it out, or \
                 add `--backend vllm`"
                    .to_owned(),
            ));
        }
        // The `vllm` backend needs the network, but not the Hub.
        let offline = offline || (backend != Some(Backend::Vllm) && host.env.offline().is_some());
        let cache = HubCache::locate(host)?;
        let image_chosen =
            image.is_some() || flavour.is_some() || host.env.get(env::DOCKER_IMAGE).is_some();
        let args = with_num_samples(args, num_samples)?;
        let results = results_folder(results, host)?;
        Ok(Self {
            engine,
            image_chosen,
            image: image_reference(image, flavour, backend, host),
            backend,
            endpoint,
            server,
            addresses: if offline { vec![] } else { addresses::in_environment(host, &run_id)? },
            threads: host.env.text(env::OMP_NUM_THREADS),
            results,
            token: if no_token { None } else { Some(TokenSource::locate(host, &cache, &run_id)?) },
            cache,
            gpus,
            offline,
            memory,
            security,
            meter,
            inputs: Inputs::find(&args, backend, host)?,
            args,
            run_id,
        })
    }

    /// What the run needs of its engine.
    pub fn wanted(&self) -> Wanted<'_> {
        Wanted {
            engine: self.engine,
            image: &self.image,
            image_chosen: self.image_chosen,
            backend: self.backend,
            offline: self.offline,
            gpus: &self.gpus,
        }
    }

    /// The secrets that the benchmark gets as files.
    pub fn secret_files(&self) -> impl Iterator<Item = &TokenSource> {
        let key = self.server.iter().filter_map(|server| server.key.as_ref());
        let addresses = self.addresses.iter().filter_map(|given| given.secret.as_ref());
        self.token.iter().chain(key).chain(addresses)
    }

    /// The same as [`Settings::new`], with `..` in paths resolved on the disk.
    ///
    /// # Errors
    /// The same as for [`Settings::new`], and when a container of an earlier run may have replaced a path
    /// by a symlink.
    pub fn read(request: Request, host: &Host) -> Result<Self, Usage> {
        let settings = Self::new(request, host)?;
        // Checked first, because a path without `..` hides the symlinks on its way.
        let boundary = Boundary::of(&settings.results, &settings.cache, host);
        boundary.check_parent_dirs(&settings.cache)?;
        settings.check_paths(&boundary, host)?;
        let HubCache { home, hub } = settings.cache;
        let token = settings.token.map(TokenSource::without_parents).transpose()?;
        Ok(Self {
            token,
            server: settings.server.map(Server::without_parents).transpose()?,
            results: settings.results.without_parents("results folder")?,
            cache: HubCache {
                home: home.without_parents("HuggingFace home")?,
                hub: hub.without_parents("Hub cache")?,
            },
            inputs: settings.inputs.without_parents()?,
            ..settings
        })
    }

    /// Refuses paths that a container of an earlier run may have replaced by a symlink.
    pub(super) fn check_paths(&self, boundary: &Boundary, host: &Host) -> Result<(), Usage> {
        boundary.check("results folder", self.results.as_path())?;
        let files = self.server.iter().flat_map(Server::files);
        let inputs = self.inputs.local.iter().map(|input| (input.kind.word(), &input.path));
        for (what, path) in files.chain(inputs) {
            boundary.check(what, path.as_path())?;
        }
        match &self.token {
            Some(TokenSource::File(file)) if host.env.get(env::HF_TOKEN_PATH).is_some() => {
                boundary.check("token file", file.as_path())
            }
            // A token in the HuggingFace home is refused later if it is a symlink.
            Some(TokenSource::File(_)) => {
                boundary.check("HuggingFace home", self.cache.home.as_path())
            }
            _ => Ok(()),
        }
    }

    /// Refuses a cache folder that a container of an earlier run may have replaced by a symlink. Called before
    /// the run creates missing folders.
    ///
    /// # Errors
    /// When a container may have replaced it.
    pub fn check_cache(&self, host: &Host) -> Result<(), Usage> {
        if !self.backend.is_none_or(Backend::needs_hub_cache) {
            return Ok(());
        }
        Boundary::of(&self.results, &self.cache, host).check_cache(&self.cache)
    }
}

/// The image: `--image` over `--flavour` over `DOCKER_IMAGE` over the backend's default.
fn image_reference(
    image: Option<String>,
    flavour: Option<Flavour>,
    backend: Option<Backend>,
    host: &Host,
) -> String {
    image
        .or_else(|| flavour.map(Flavour::image))
        .or_else(|| host.env.text(env::DOCKER_IMAGE))
        .unwrap_or_else(|| Flavour::of_backend(backend.unwrap_or(Backend::Optimum)).image())
}

/// The benchmark's arguments with the number of samples. An explicit `scenario.num_samples=` wins over the
/// default, and must not contradict `-n`.
pub(super) fn with_num_samples(
    mut args: Vec<String>,
    flag: Option<u32>,
) -> Result<Vec<String>, Usage> {
    let explicit = args.iter().rev().find_map(|arg| {
        let (key, value) = argument::split(arg)?;
        (key == NUM_SAMPLES).then_some(value)
    });
    match (explicit, flag) {
        (Some(value), Some(n)) if value.parse() != Ok(n) => Err(Usage(format!(
            "`-n {n}` and `{NUM_SAMPLES}={value}` contradict each other; give one of them"
        ))),
        (Some(_), _) => Ok(args),
        (None, n) => {
            args.push(format!("{NUM_SAMPLES}={}", n.unwrap_or(DEFAULT_NUM_SAMPLES)));
            Ok(args)
        }
    }
}
