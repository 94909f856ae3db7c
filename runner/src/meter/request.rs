//! What is metered beside a run.

use std::{ffi::OsString, path::PathBuf, sync::Arc, time::Duration};

use contract::{Backend, summary::DeviceKind};

use super::{
    amd,
    nvml::{self, LIBRARY},
    rapl,
    served::Served,
    server,
    target::Subject,
    watts::Watts,
};
use crate::{
    engine::{Engine, Query},
    gpus::{Devices, Gpus, VISIBLE},
    host::Host,
    options::RunOptions,
    plan::{Driver, RunPlan},
};

/// What a user says about the meter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Options {
    /// `--idle-seconds`.
    pub idle_seconds: Option<u32>,
    /// `--watts-per-cpu`.
    pub watts_per_cpu: Option<Watts>,
}

/// What is metered, and whose processes are the benchmark's.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// Where the model runs.
    pub(crate) served: Served,
    pub(super) driver: Driver,
    pub(super) gpus: Devices,
    /// Whether GPUs without a process on them are left out: which ones a server has is not told.
    pub(super) only_used: bool,
    pub(super) idle: Option<Duration>,
    pub(super) watts_per_cpu: Option<Watts>,
    pub(super) subject: Subject,
    pub(super) notes: Vec<String>,
    /// NVIDIA's library.
    pub(super) library: OsString,
    /// The folder that holds `proc` and `sys`.
    pub(super) root: PathBuf,
}

impl Request {
    /// What a run asks for: its own GPUs, or those of a server on this machine.
    pub(crate) fn of(options: &RunOptions, plan: &RunPlan, engine: &Engine, host: &Host) -> Self {
        let endpoint = options.endpoint.as_ref().filter(|_| plan.backend.value == Backend::Vllm);
        let served = match endpoint {
            None => Served::ByItself,
            Some(endpoint) if server::is_here(endpoint) => Served::Here,
            Some(_) => Served::Elsewhere,
        };
        let (gpus, only_used) = gpus(options, plan, engine, host, served);
        let none = (gpus == Devices::None && host.has_gpus())
            .then(|| format!("no GPU is metered, as the run has none: {}", plan.gpus.reason));
        let subject = match &plan.supervision {
            Some(supervision) if engine.has_containers() => Subject::Container {
                cidfile: supervision.cidfile.as_path().to_owned(),
                pid_command: Query::Pid(&supervision.container).command(engine),
            },
            _ => Subject::Child(Arc::default()),
        };
        let Options { idle_seconds, watts_per_cpu } = options.meter;
        Self {
            served,
            driver: plan.gpu_driver.clone(),
            gpus,
            only_used,
            idle: idle_seconds.map(|seconds| Duration::from_secs(seconds.into())),
            watts_per_cpu,
            subject,
            notes: none.into_iter().collect(),
            library: LIBRARY.into(),
            root: "/".into(),
        }
    }

    /// Whether NVIDIA's library is needed.
    pub(super) fn wants_nvml(&self) -> bool {
        self.driver == Driver::Nvidia && self.gpus != Devices::None
    }

    /// What can be metered on this machine, and why the rest cannot.
    pub(crate) fn look(&self) -> Vec<Look> {
        let names = |gauges: &[super::Gauge<'_>]| {
            let named = gauges.iter().map(|gauge| {
                let super::gauge::About { name, source, .. } = &gauge.about;
                format!("{name} ({source})")
            });
            named.collect::<Vec<_>>().join(", ")
        };
        let look = |subject, found: String, refused: Vec<String>| Look {
            subject,
            is_metered: !found.is_empty(),
            text: [found].into_iter().filter(|text| !text.is_empty()).chain(refused).collect(),
        };
        let mut looks = Vec::new();
        if self.wants_nvml() {
            match nvml::load(&self.library) {
                Ok(library) => {
                    let (gauges, refused) = nvml::gauges(&library, &self.gpus);
                    looks.push(look("NVML", names(&gauges), refused));
                }
                Err(why) => looks.push(look("NVML", String::new(), vec![why])),
            }
        } else if self.gpus != Devices::None {
            let (gauges, refused) = amd::gauges(&self.root, &self.gpus);
            looks.push(look("amdgpu", names(&gauges), refused));
        } else {
            let why = match self.notes.as_slice() {
                [] => "this machine has no GPU that a run would get".to_owned(),
                notes => notes.join("; "),
            };
            looks.push(look("GPUs", String::new(), vec![why]));
        }
        let (gauges, refused) = rapl::gauges(&self.root.join("sys/class/powercap"));
        let is_blind = gauges.iter().all(|gauge| gauge.about.kind != DeviceKind::Cpu);
        looks.push(look("RAPL", names(&gauges), refused));
        if is_blind {
            let text = match self.watts_per_cpu {
                Some(watts) => format!(
                    "processors are estimated: CPU seconds of the benchmark x {watts} W as stated"
                ),
                None => {
                    "processors are not metered; `aienergyscore run --watts-per-cpu W` gives an \
                         estimate from their time"
                        .to_owned()
                }
            };
            let is_metered = self.watts_per_cpu.is_some();
            looks.push(Look { subject: "processors", is_metered, text: vec![text] });
        }
        looks
    }
}

/// What can be metered of a kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Look {
    /// What reads it.
    pub(crate) subject: &'static str,
    /// Whether there is anything.
    pub(crate) is_metered: bool,
    /// What there is, and why the rest is not metered.
    pub(crate) text: Vec<String>,
}

/// The GPUs of a run, and whether those that nothing runs on are to be left out.
fn gpus(
    options: &RunOptions,
    plan: &RunPlan,
    engine: &Engine,
    host: &Host,
    served: Served,
) -> (Devices, bool) {
    if served == Served::Here {
        return match &options.gpus {
            Gpus::Exactly(devices) => (devices.clone(), false),
            Gpus::Auto if host.has_gpus() => (Devices::All, true),
            Gpus::Auto => (Devices::None, false),
        };
    }
    let variable = match plan.gpu_driver {
        Driver::Nvidia => "CUDA_VISIBLE_DEVICES",
        Driver::Amd { .. } => VISIBLE,
    };
    let chosen = host.env.text(variable).filter(|_| !engine.has_containers());
    match (&plan.gpus.value, chosen) {
        // A child of ours sees what its environment lets it see.
        (Devices::All, Some(chosen)) => (visible(&chosen), false),
        (devices, _) => (devices.clone(), false),
    }
}

/// What a list of visible devices stands for: it ends where something is no device.
fn visible(list: &str) -> Devices {
    let is_device = |name: &&str| !matches!(*name, "" | "-1" | "none" | "NoDevFiles");
    let names: Vec<_> =
        list.split(',').map(str::trim).take_while(is_device).map(str::to_owned).collect();
    if names.is_empty() { Devices::None } else { Devices::List(names) }
}

#[cfg(test)]
mod tests {
    use contract::Backend;

    use super::{Options, Request, visible};
    use crate::{
        engine::{Mode, Nvidia},
        gpus::Devices,
        host::Host,
        meter::{served::Served, target::Subject},
        options::{self, RunOptions},
        plan::RunPlan,
        testing::{engine, host},
    };

    fn request(mode: Mode, asked: options::Request, host: &Host) -> Request {
        let mut engine = engine(mode);
        engine.nvidia = Nvidia::Gpus;
        let options = RunOptions::new(asked, host).unwrap();
        let plan = RunPlan::new(&options, host, &engine).unwrap();
        Request::of(&options, &plan, &engine, host)
    }

    fn asked(backend: Backend, gpus: &str) -> options::Request {
        let backend = Some(backend);
        options::Request { backend, gpus: gpus.parse().unwrap(), ..options::Request::default() }
    }

    #[test]
    fn the_gpus_of_the_run_are_metered() {
        let host = Host { nvidia_gpus: 4, ..host() };
        let docker = |backend, gpus| request(Mode::DockerRootful, asked(backend, gpus), &host);
        let list = Devices::List(vec!["0".into(), "2".into()]);
        assert_eq!(docker(Backend::Pytorch, "auto").gpus, Devices::All);
        assert_eq!(docker(Backend::Pytorch, "device=0,2").gpus, list);
        assert_eq!(docker(Backend::Pytorch, "2").gpus, Devices::Count(2));
        let native = docker(Backend::Native, "auto");
        assert_eq!(native.gpus, Devices::None);
        insta::assert_snapshot!(native.notes.join("\n"), @"no GPU is metered, as the run has none: auto: the `native` backend uses none");
        assert!(matches!(native.subject, Subject::Container { .. }));
    }

    #[test]
    fn a_child_has_the_gpus_that_its_environment_shows() {
        let mut host = Host { nvidia_gpus: 4, ..host() };
        host.env = [("CUDA_VISIBLE_DEVICES", "3, 1")].into_iter().collect();
        let child = request(Mode::Host, asked(Backend::Pytorch, "all"), &host);
        assert_eq!(child.gpus, Devices::List(vec!["3".into(), "1".into()]));
        assert!(matches!(child.subject, Subject::Child(_)));
        let container = request(Mode::DockerRootful, asked(Backend::Pytorch, "all"), &host);
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
    fn a_server_on_this_machine_has_the_gpus_that_are_in_use() {
        let served = |endpoint: &str, gpus: &str| {
            let mut host = Host { nvidia_gpus: 4, ..host() };
            host.env = [("VLLM_ENDPOINT", endpoint)].into_iter().collect();
            let request = request(Mode::DockerRootful, asked(Backend::Vllm, gpus), &host);
            (request.served, request.gpus, request.only_used)
        };
        let here = "http://host.docker.internal:8000/v1";
        assert_eq!(served(here, "auto"), (Served::Here, Devices::All, true));
        assert_eq!(served(here, "1"), (Served::Here, Devices::Count(1), false));
        let far = "http://192.0.2.1:8000/v1";
        assert_eq!(served(far, "auto"), (Served::Elsewhere, Devices::None, false));
    }

    #[test]
    fn what_could_be_metered_is_told_before_a_run() {
        let mut request = request(Mode::DockerRootful, asked(Backend::Native, "auto"), &host());
        let root = tempfile::tempdir().unwrap();
        request.root = root.path().to_owned();
        let shown = |request: &Request| {
            let looks = request.look().into_iter();
            let lines = looks.map(|look| format!("{look:?}"));
            lines.collect::<Vec<_>>().join("\n").replace(root.path().to_str().unwrap(), "")
        };
        let nothing = shown(&request);
        request.watts_per_cpu =
            Options { watts_per_cpu: "9".parse().ok(), ..Options::default() }.watts_per_cpu;
        request.gpus = Devices::All;
        request.library = "libnvidia-ml-of-nobody.so.1".into();
        let closed = shown(&request);
        let zone = root.path().join("sys/class/powercap/intel-rapl:0");
        std::fs::create_dir_all(&zone).unwrap();
        for (file, text) in
            [("name", "package-0"), ("energy_uj", "1"), ("max_energy_range_uj", "9")]
        {
            std::fs::write(zone.join(file), text).unwrap();
        }
        let fake = crate::meter::nvml::fake::FakeNvml::new(&["NVIDIA L4"]);
        request.library = fake.library();
        let open = shown(&request);
        insta::assert_snapshot!([nothing, closed, open].join("\n---\n"), @r#"
        Look { subject: "GPUs", is_metered: false, text: ["this machine has no GPU that a run would get"] }
        Look { subject: "RAPL", is_metered: false, text: ["this machine has no RAPL counters (`/sys/class/powercap`): virtual machines mostly have none, others need the kernel module `intel_rapl_msr`, for AMD's processors, too"] }
        Look { subject: "processors", is_metered: false, text: ["processors are not metered; `aienergyscore run --watts-per-cpu W` gives an estimate from their time"] }
        ---
        Look { subject: "NVML", is_metered: false, text: ["NVML, which tells the energy of NVIDIA's GPUs, does not serve: libnvidia-ml-of-nobody.so.1: cannot open shared object file: No such file or directory; `libnvidia-ml.so.1` comes with NVIDIA's driver: install that, or add the folder that has it to LD_LIBRARY_PATH"] }
        Look { subject: "RAPL", is_metered: false, text: ["this machine has no RAPL counters (`/sys/class/powercap`): virtual machines mostly have none, others need the kernel module `intel_rapl_msr`, for AMD's processors, too"] }
        Look { subject: "processors", is_metered: true, text: ["processors are estimated: CPU seconds of the benchmark x 9 W as stated"] }
        ---
        Look { subject: "NVML", is_metered: true, text: ["NVIDIA L4 (NVML energy counter of the whole GPU)"] }
        Look { subject: "RAPL", is_metered: true, text: ["package-0 (RAPL counter of the whole machine)"] }
        "#);
    }
}
