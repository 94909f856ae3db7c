//! What a run was asked for: flags over environment over defaults, validated.

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
use meter;

use super::request::{Request, Runtime, SecurityOverrides, Target};
use crate::{
    addresses::{self, Given},
    endpoint,
    local_input::Inputs,
    server::Server,
};

/// A request that makes sense, with environment and defaults filled in. The disk is not looked at yet:
/// [`Settings::resolve`] does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Names this run: start time in UTC and the runner's process.
    pub run_id: String,
    /// Which engine to look for.
    pub engine: EngineChoice,
    /// The image, whole reference.
    pub image: String,
    /// Whether anybody chose the image.
    pub image_chosen: bool,
    /// The backend, if anybody chose one.
    pub backend: Option<Backend>,
    /// Server of the `vllm` backend.
    pub endpoint: Option<String>,
    /// What its client is given, for the `vllm` backend alone.
    pub server: Option<Server>,
    /// Proxies and the Hub's address, where the run has a network.
    pub addresses: Vec<Given>,
    /// Threads of the Python stacks, if anybody chose how many.
    pub threads: Option<String>,
    /// Results folder.
    pub results: HostPath,
    /// HuggingFace home and Hub cache.
    pub cache: HubCache,
    /// Access token, if there may be one.
    pub token: Option<TokenSource>,
    /// GPUs asked for.
    pub gpus: Gpus,
    /// No network, nothing written to the cache.
    pub offline: bool,
    /// Memory of the container at most.
    pub memory: Option<String>,
    /// Limits of the container to do without.
    pub security: SecurityOverrides,
    /// About the host's meter.
    pub meter: meter::Options,
    /// Models and datasets of this machine that the arguments name.
    pub inputs: Inputs,
    /// Arguments of the benchmark, the number of samples among them.
    pub args: Vec<String>,
}

impl Settings {
    /// Fills in environment and defaults.
    ///
    /// # Errors
    /// When parts of the request contradict each other or the environment makes no sense.
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
        let backend = match backend {
            Some(backend) => Some(backend),
            None => match host.env.text(env::BENCHMARK_BACKEND) {
                Some(name) => Some(name.parse().map_err(|error| {
                    Usage(format!("{} in the environment: {error}", env::BENCHMARK_BACKEND))
                })?),
                None => None,
            },
        };
        let endpoint = host.env.text(env::VLLM_ENDPOINT);
        if backend == Some(Backend::Vllm) {
            match &endpoint {
                Some(endpoint) => endpoint::check(endpoint)?,
                None => {
                    return Err(Usage(format!(
                        "backend `vllm` sends its prompts to a server, and {0} names none; set it, \
                         for example {0}=http://{1}:8000/v1",
                        env::VLLM_ENDPOINT,
                        contract::HOST_GATEWAY
                    )));
                }
            }
            if offline {
                return Err(Usage(
                    "backend `vllm` needs the network that `--offline` takes away; leave one out"
                        .to_owned(),
                ));
            }
        } else if wait.is_some() {
            return Err(Usage(
                "`--wait-for-endpoint` waits for the server of the `vllm` backend; leave it out, or \
                 add `--backend vllm`"
                    .to_owned(),
            ));
        }
        // A server is reached without the Hub.
        let offline = offline || (backend != Some(Backend::Vllm) && host.env.offline().is_some());
        let cache = HubCache::locate(host)?;
        let run_id = run_id(host.now, host.pid);
        let served = endpoint.as_ref().filter(|_| backend == Some(Backend::Vllm));
        let server = served.map(|address| Server::locate(host, address, &run_id, wait, no_api_key));
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
            server: server.transpose()?,
            addresses: if offline { vec![] } else { addresses::given(host, &run_id)? },
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

    /// The engine that is wanted.
    pub fn wanted(&self) -> Wanted<'_> {
        let Self { engine, image, image_chosen, backend, offline, gpus, .. } = self;
        Wanted {
            engine: *engine,
            image,
            image_chosen: *image_chosen,
            backend: *backend,
            offline: *offline,
            gpus,
        }
    }

    /// The secrets that the benchmark is given as files.
    pub fn handed_over(&self) -> impl Iterator<Item = &TokenSource> {
        let key = self.server.iter().filter_map(|server| server.key.as_ref());
        let addresses = self.addresses.iter().filter_map(|given| given.secret.as_ref());
        self.token.iter().chain(key).chain(addresses)
    }

    /// [`Settings::new`] with `..` in paths followed on the disk.
    ///
    /// # Errors
    /// As [`Settings::new`], and when a container may have chosen one of the paths.
    pub fn read(request: Request, host: &Host) -> Result<Self, Usage> {
        let options = Self::new(request, host)?;
        // Here, because without `..` a symlink on the way is no longer seen.
        let boundary = Boundary::of(&options.results, &options.cache, host);
        boundary.check_parent_dirs(&options.cache)?;
        options.check_paths(&boundary, host)?;
        let HubCache { home, hub } = options.cache;
        let token = options.token.map(|token| token.without_parents()).transpose()?;
        Ok(Self {
            token,
            server: options.server.map(Server::without_parents).transpose()?,
            results: options.results.without_parents("results folder")?,
            cache: HubCache {
                home: home.without_parents("HuggingFace home")?,
                hub: hub.without_parents("Hub cache")?,
            },
            inputs: options.inputs.without_parents()?,
            ..options
        })
    }

    /// Makes sure that the user chose what the paths of the request lead to.
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
            // One in the HuggingFace home that is a symlink is refused as such.
            Some(TokenSource::File(_)) => {
                boundary.check("HuggingFace home", self.cache.home.as_path())
            }
            _ => Ok(()),
        }
    }

    /// Makes sure that no container chose a folder of the cache, before any is made.
    ///
    /// # Errors
    /// When one may have.
    pub fn check_cache(&self, host: &Host) -> Result<(), Usage> {
        if !self.backend.is_none_or(Backend::needs_hub_cache) {
            return Ok(());
        }
        Boundary::of(&self.results, &self.cache, host).check_cache(&self.cache)
    }
}

/// `--image` over `--flavour` over `DOCKER_IMAGE` over the image of the backend.
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

/// The benchmark's arguments with `-n` among them: an explicit `scenario.num_samples=` wins over
/// the default, and must not contradict `-n`.
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
