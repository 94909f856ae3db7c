//! The meter's request for a run: its GPUs, or those of a server on this machine.

use std::{sync::Arc, time::Duration};

use contract::Backend;
use engine::{Engine, Query};
use host::{
    gpus::{Devices, Gpus},
    machine::Host,
};
use meter::{Benchmark, CounterPaths, ModelLocation, Options, Request};
use plan::{options::Settings, run_plan::RunPlan};

/// The meter's request for the run of `plan`.
pub(crate) fn request(
    settings: &Settings,
    plan: &RunPlan,
    engine: &Engine,
    host: &Host,
) -> Request {
    let endpoint = settings.endpoint.as_deref().filter(|_| plan.backend.value == Backend::Vllm);
    let location = ModelLocation::of_endpoint(endpoint);
    let (gpus, only_used) = gpus(settings, plan, engine, host, location);
    let no_gpus = (gpus == Devices::None && host.has_gpus())
        .then(|| format!("no GPU is metered, as the run has none: {}", plan.gpus.reason));
    let benchmark = match &plan.supervision {
        Some(supervision) if engine.has_containers() => Benchmark::Container {
            cidfile: supervision.cidfile.as_path().to_owned(),
            pid_command: Query::Pid(&supervision.container).command(engine),
        },
        _ => Benchmark::Child(Arc::default()),
    };
    let Options { idle_seconds, watts_per_cpu } = settings.meter;
    Request {
        location,
        gpus,
        no_gpus,
        only_used,
        idle: idle_seconds.map(|seconds| Duration::from_secs(seconds.into())),
        watts_per_cpu,
        benchmark,
        counters: CounterPaths::default(),
    }
}

/// GPUs to measure, and whether to leave out GPUs without processes.
fn gpus(
    settings: &Settings,
    plan: &RunPlan,
    engine: &Engine,
    host: &Host,
    location: ModelLocation,
) -> (Devices, bool) {
    if location == ModelLocation::ThisMachine {
        return match &settings.gpus {
            Gpus::Exactly(devices) => (devices.clone(), false),
            Gpus::Auto if host.has_nvidia() => (Devices::All, true),
            Gpus::Auto => (Devices::None, false),
        };
    }
    let chosen = host.env.text("CUDA_VISIBLE_DEVICES").filter(|_| !engine.has_containers());
    match (&plan.gpus.value, chosen) {
        // The child of the host engine sees the GPUs that this variable shows.
        (Devices::All, Some(chosen)) => (visible(&chosen), false),
        (devices, _) => (devices.clone(), false),
    }
}

/// Devices of CUDA_VISIBLE_DEVICES. CUDA ignores everything from the first invalid name on.
fn visible(list: &str) -> Devices {
    let is_device = |name: &&str| !matches!(*name, "" | "-1" | "none" | "NoDevFiles");
    let names: Vec<_> =
        list.split(',').map(str::trim).take_while(is_device).map(str::to_owned).collect();
    if names.is_empty() { Devices::None } else { Devices::List(names) }
}

#[cfg(test)]
mod tests {
    use contract::Backend;
    use engine::{Mode, Nvidia, testing::engine};
    use host::{gpus::Devices, machine::Host, testing::host};
    use meter::{Benchmark, ModelLocation, Request};
    use plan::{
        options,
        run_plan::RunPlan,
        testing::{self, resolved},
    };

    use super::visible;

    fn request(mode: Mode, request: options::Request, host: &Host) -> Request {
        let mut engine = engine(mode);
        engine.nvidia = Nvidia::Gpus;
        let run = resolved(request, host);
        let plan = RunPlan::new(&run, host, &engine).unwrap();
        super::request(&run.settings, &plan, &engine, host)
    }

    fn options(backend: Backend, gpus: &str) -> options::Request {
        testing::request(&format!("--backend {backend} --gpus {gpus}"))
    }

    #[test]
    fn gpus_of_the_run_are_measured() {
        let host = Host { nvidia_gpus: 4, ..host() };
        let docker = |backend, gpus| request(Mode::DockerRootful, options(backend, gpus), &host);
        let list = Devices::List(vec!["0".into(), "2".into()]);
        assert_eq!(docker(Backend::Pytorch, "auto").gpus, Devices::All);
        assert_eq!(docker(Backend::Pytorch, "device=0,2").gpus, list);
        assert_eq!(docker(Backend::Pytorch, "2").gpus, Devices::Count(2));
        let native = docker(Backend::Native, "auto");
        assert_eq!(native.gpus, Devices::None);
        insta::assert_snapshot!(native.no_gpus.unwrap(), @"no GPU is metered, as the run has none: auto: the `native` backend uses none");
        assert!(matches!(native.benchmark, Benchmark::Container { .. }));
    }

    #[test]
    fn child_has_the_gpus_of_its_environment() {
        let mut host = Host { nvidia_gpus: 4, ..host() };
        host.env = [("CUDA_VISIBLE_DEVICES", "3, 1")].into_iter().collect();
        let child = request(Mode::Host, options(Backend::Pytorch, "all"), &host);
        assert_eq!(child.gpus, Devices::List(vec!["3".into(), "1".into()]));
        assert!(matches!(child.benchmark, Benchmark::Child(_)));
        let container = request(Mode::DockerRootful, options(Backend::Pytorch, "all"), &host);
        assert_eq!(container.gpus, Devices::All);
        for (list, expected) in [
            ("", Devices::None),
            ("-1", Devices::None),
            ("0,-1,2", Devices::List(vec!["0".into()])),
            ("GPU-1", Devices::List(vec!["GPU-1".into()])),
        ] {
            assert_eq!(visible(list), expected, "{list}");
        }
    }

    #[test]
    fn server_on_this_machine_has_the_gpus_in_use() {
        let location = |endpoint: &str, gpus: &str| {
            let mut host = Host { nvidia_gpus: 4, ..host() };
            host.env = [("VLLM_ENDPOINT", endpoint)].into_iter().collect();
            let request = request(Mode::DockerRootful, options(Backend::Vllm, gpus), &host);
            (request.location, request.gpus, request.only_used)
        };
        let here = "http://host.docker.internal:8000/v1";
        assert_eq!(location(here, "auto"), (ModelLocation::ThisMachine, Devices::All, true));
        assert_eq!(location(here, "1"), (ModelLocation::ThisMachine, Devices::Count(1), false));
        let far = "http://192.0.2.1:8000/v1";
        assert_eq!(location(far, "auto"), (ModelLocation::OtherMachine, Devices::None, false));
    }
}
