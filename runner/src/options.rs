//! What a run was asked for: flags over environment over defaults, validated.

use std::path::{Path, PathBuf};

use contract::{
    Backend, DEFAULT_NUM_SAMPLES, Flavour,
    argument::{self, NUM_SAMPLES},
    env,
};

use crate::{
    endpoint,
    exit::Usage,
    gpus::Gpus,
    groups,
    host::Host,
    host_path::HostPath,
    hub_cache::HubCache,
    local_input::Inputs,
    meter,
    planted::refuse_planted,
    relaxed::Relaxed,
    run_id::run_id,
    server::Server,
    token::{TokenSource, secrets_below},
};

/// The request, `--engine`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EngineChoice {
    /// The first that really answers.
    #[default]
    Auto,
    /// Docker, or an error.
    Docker,
    /// Podman, or an error.
    Podman,
    /// No container.
    Host,
}

/// What the command line says, before environment and defaults.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Request {
    /// `--engine`.
    pub engine: EngineChoice,
    /// `--image`.
    pub image: Option<String>,
    /// `--flavour`.
    pub flavour: Option<Flavour>,
    /// `--backend`.
    pub backend: Option<Backend>,
    /// `-n`.
    pub num_samples: Option<u32>,
    /// `--results`.
    pub results: Option<PathBuf>,
    /// `--gpus`.
    pub gpus: Gpus,
    /// `--offline`.
    pub offline: bool,
    /// `--memory`.
    pub memory: Option<String>,
    /// `--no-token`.
    pub no_token: bool,
    /// `--no-api-key`.
    pub no_api_key: bool,
    /// `--wait-for-endpoint`, in seconds.
    pub wait: Option<u32>,
    /// Limits of the container to do without.
    pub relaxed: Relaxed,
    /// About the host's meter.
    pub meter: meter::Options,
    /// Everything for the benchmark, in order.
    pub args: Vec<String>,
}

/// A request that makes sense, with environment and defaults filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunOptions {
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
    pub relaxed: Relaxed,
    /// About the host's meter.
    pub meter: meter::Options,
    /// Files with tokens that the HuggingFace home holds, as paths below it.
    pub secrets: Vec<String>,
    /// Models and datasets of this machine that the arguments name.
    pub inputs: Inputs,
    /// Supplementary groups of the user's that own something of what is mounted.
    pub groups: Vec<u32>,
    /// Arguments of the benchmark, the number of samples among them.
    pub args: Vec<String>,
}

impl RunOptions {
    /// Fills in environment and defaults.
    ///
    /// # Errors
    /// When parts of the request contradict each other or the environment makes no sense.
    pub fn new(request: Request, host: &Host) -> Result<Self, Usage> {
        let Request {
            engine,
            image,
            flavour,
            backend,
            num_samples,
            results,
            gpus,
            offline,
            memory,
            no_token,
            no_api_key,
            wait,
            relaxed,
            meter,
            args,
        } = request;
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
        let results = results
            .or_else(|| host.env.get(env::RESULTS_DIR).map(PathBuf::from))
            .unwrap_or_else(|| Path::new("results").to_owned());
        let cache = HubCache::locate(host)?;
        let run_id = run_id(host.now, host.pid);
        let served = endpoint.as_ref().filter(|_| backend == Some(Backend::Vllm));
        let server = served.map(|address| Server::locate(host, address, &run_id, wait, no_api_key));
        let image_chosen =
            image.is_some() || flavour.is_some() || host.env.get(env::DOCKER_IMAGE).is_some();
        let args = with_num_samples(args, num_samples)?;
        Ok(Self {
            engine,
            image_chosen,
            image: image_reference(image, flavour, backend, host),
            backend,
            endpoint,
            server: server.transpose()?,
            threads: host.env.text(env::OMP_NUM_THREADS),
            results: HostPath::new("results folder", &results, &host.cwd)?,
            token: if no_token { None } else { Some(TokenSource::locate(host, &cache, &run_id)?) },
            cache,
            gpus,
            offline,
            memory,
            relaxed,
            meter,
            secrets: vec![],
            inputs: Inputs::find(&args, backend, host)?,
            groups: vec![],
            args,
            run_id,
        })
    }

    /// The secrets that the benchmark is given as files.
    pub fn handed_over(&self) -> impl Iterator<Item = &TokenSource> {
        self.token.iter().chain(self.server.iter().filter_map(|server| server.key.as_ref()))
    }

    /// [`RunOptions::new`] with `..` in paths followed on the disk.
    ///
    /// # Errors
    /// As [`RunOptions::new`], and when a container may have chosen the results folder.
    pub fn read(request: Request, host: &Host) -> Result<Self, Usage> {
        let options = Self::new(request, host)?;
        refuse_planted(&options.results)?;
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

    /// The same, held against the disk: links of the cache and of local inputs followed, no token
    /// where no file is, the tokens in the HuggingFace home, and the groups of the user's that
    /// matter.
    ///
    /// # Errors
    /// When no engine can mount what a link leads to, or a local model or dataset does not serve.
    pub fn settle(self, host: &Host) -> Result<Self, Usage> {
        let cache = self.cache.follow_links()?;
        let inputs = self.inputs.settle(&self.args, &cache.hub)?;
        let mounted = [&self.results, &cache.home, &cache.hub].map(HostPath::as_path);
        let local = inputs.local.iter().map(|input| input.path.as_path());
        Ok(Self {
            secrets: secrets_below(&cache, host),
            groups: groups::that_own(mounted.into_iter().chain(local), host),
            inputs,
            cache,
            token: self.token.filter(TokenSource::exists),
            server: self.server.map(Server::settle).transpose()?,
            ..self
        })
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
fn with_num_samples(mut args: Vec<String>, flag: Option<u32>) -> Result<Vec<String>, Usage> {
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

#[cfg(test)]
mod tests {
    use contract::{Backend, Flavour};

    use super::{Request, RunOptions, with_num_samples};
    use crate::testing::host;

    fn options(request: Request, variables: &[(&str, &str)]) -> Result<RunOptions, String> {
        let mut host = host();
        host.env = variables.iter().copied().collect();
        RunOptions::new(request, &host).map_err(|error| error.to_string())
    }

    #[test]
    fn an_explicit_number_of_samples_wins_over_the_default_alone() {
        let args = |args: &[&str], flag| {
            let args = args.iter().map(|arg| (*arg).to_owned()).collect();
            with_num_samples(args, flag).map_err(|error| error.to_string())
        };
        assert_eq!(args(&["a=1"], None).unwrap(), ["a=1", "scenario.num_samples=20"]);
        assert_eq!(args(&["a=1"], Some(3)).unwrap(), ["a=1", "scenario.num_samples=3"]);
        assert_eq!(
            args(&["scenario.num_samples=7", "b=2"], None).unwrap(),
            ["scenario.num_samples=7", "b=2"]
        );
        assert_eq!(
            args(&["+scenario.num_samples=7"], Some(7)).unwrap(),
            ["+scenario.num_samples=7"]
        );
        assert!(args(&["scenario.num_samples='7'"], Some(7)).is_ok());
        insta::assert_snapshot!(
            args(&["scenario.num_samples=7"], Some(8)).unwrap_err(),
            @"`-n 8` and `scenario.num_samples=7` contradict each other; give one of them"
        );
    }

    #[test]
    fn the_image_follows_flags_then_environment_then_backend() {
        let image = |request: Request, variables: &[(&str, &str)]| {
            options(request, variables).unwrap().image
        };
        let default = Request::default();
        let native = Request { backend: Some(Backend::Native), ..Request::default() };
        let cpu = Request { flavour: Some(Flavour::Cpu), ..native.clone() };
        let named = Request { image: Some("x:1".into()), ..cpu.clone() };
        assert_eq!(image(default.clone(), &[]), "ai_energy_score:latest");
        assert_eq!(image(default, &[("BENCHMARK_BACKEND", "native")]), "ai_energy_score:smoke");
        assert_eq!(image(native.clone(), &[]), "ai_energy_score:smoke");
        assert_eq!(image(native, &[("DOCKER_IMAGE", "mine")]), "mine");
        assert_eq!(image(cpu, &[("DOCKER_IMAGE", "mine")]), "ai_energy_score:cpu");
        assert_eq!(image(named, &[("DOCKER_IMAGE", "mine")]), "x:1");
    }

    #[test]
    fn local_inputs_are_held_against_the_disk() {
        let disk = tempfile::tempdir().unwrap();
        let root = disk.path().canonicalize().unwrap();
        std::fs::create_dir_all(root.join("org/m")).unwrap();
        std::fs::create_dir_all(root.join("deep/er")).unwrap();
        std::os::unix::fs::symlink("deep/er", root.join("link")).unwrap();
        std::fs::write(root.join("deep/p.csv"), "text\n").unwrap();
        let settled = |args: &[&str]| {
            let args = args.iter().map(|arg| (*arg).to_owned()).collect();
            let host = crate::host::Host { cwd: root.clone(), ..host() };
            let options = RunOptions::read(Request { args, ..Request::default() }, &host).unwrap();
            options.settle(&host).map_err(|e| e.to_string().replace(root.to_str().unwrap(), "ROOT"))
        };
        let error = settled(&["backend.model=./none"]).unwrap_err();
        insta::assert_snapshot!(error, @"`backend.model=./none`: there is no `ROOT/none`; a Hub id has the form ORG/REPO");
        let inputs = settled(&["scenario.dataset_name='link/../p.csv'"]).unwrap().inputs;
        assert_eq!(inputs.local[0].path.as_path(), root.join("deep/p.csv"));
        assert_eq!(inputs.local[0].found.as_ref().unwrap().mount, inputs.local[0].path);
        assert_eq!(inputs.doubts, [""; 0]);
        let inputs = settled(&["backend.model=org/m"]).unwrap().inputs;
        assert_eq!(inputs.local, []);
        insta::assert_snapshot!(inputs.doubts.join("\n"), @"`backend.model=org/m` is read from the Hub cache; `./org/m` would mean the one that lies here");
        assert_eq!(settled(&["backend.model=org/other"]).unwrap().inputs.doubts, [""; 0]);
    }

    #[test]
    fn what_cannot_be_is_refused_before_anything_starts() {
        let vllm = Request { backend: Some(Backend::Vllm), ..Request::default() };
        let offline = Request { offline: true, ..vllm.clone() };
        let waiting = Request { wait: Some(60), ..Request::default() };
        let endpoint = [("VLLM_ENDPOINT", "http://h:1/v1")];
        assert_eq!(options(vllm.clone(), &endpoint).unwrap().backend, Some(Backend::Vllm));
        insta::assert_snapshot!(options(vllm.clone(), &[]).unwrap_err(), @"backend `vllm` sends its prompts to a server, and VLLM_ENDPOINT names none; set it, for example VLLM_ENDPOINT=http://host.docker.internal:8000/v1");
        insta::assert_snapshot!(options(offline, &endpoint).unwrap_err(), @"backend `vllm` needs the network that `--offline` takes away; leave one out");
        let error = options(vllm.clone(), &[("VLLM_ENDPOINT", "gpu7:8000")]).unwrap_err();
        assert!(error.contains("it does not begin with http://"), "{error}");
        assert_eq!(options(Request::default(), &[("VLLM_ENDPOINT", "x")]).map(drop), Ok(()));
        insta::assert_snapshot!(options(waiting, &endpoint).unwrap_err(), @"`--wait-for-endpoint` waits for the server of the `vllm` backend; leave it out, or add `--backend vllm`");
        insta::assert_snapshot!(options(Request::default(), &[("BENCHMARK_BACKEND", "tgi")]).unwrap_err(), @"BENCHMARK_BACKEND in the environment: unknown backend `tgi`; known are optimum, pytorch, vllm, native");
    }
}
