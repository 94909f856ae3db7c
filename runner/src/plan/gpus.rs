//! Which GPUs a run gets, and why.

use std::collections::BTreeSet;

use contract::{
    Backend,
    gpus::{Expected, Maker},
};
use serde::Serialize;

use super::{Because, because};
use crate::{
    engine::{Engine, Groups, Nvidia, Place},
    exit::Usage,
    gpus::{AmdGpus, Devices, Gpus},
    host::Host,
};

/// Whose GPUs a run gets, and what they take.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Driver {
    /// NVIDIA's, which the engine hands over.
    Nvidia,
    /// AMD's, whose devices belong to these groups.
    Amd {
        /// Groups that the devices are open to.
        groups: Vec<u32>,
    },
}

impl Driver {
    /// AMD's where this machine has these alone.
    pub(super) fn of(host: &Host) -> Self {
        match &host.amd {
            AmdGpus { count: 1.., groups } if !host.has_nvidia() => {
                Self::Amd { groups: groups.clone() }
            }
            _ => Self::Nvidia,
        }
    }

    /// What the container must have for the benchmark to start. An engine may drop a request, so the
    /// entrypoint looks.
    pub(crate) fn expected(&self, devices: &Devices) -> Option<Expected> {
        let least = match devices {
            Devices::None => return None,
            // The engine may be another machine's.
            Devices::All => 1,
            Devices::Count(count) => *count,
            // Parts of a GPU share its device.
            Devices::List(list) if list.iter().any(|name| name.starts_with("MIG-")) => 1,
            Devices::List(list) => {
                let different = list.iter().collect::<BTreeSet<_>>().len();
                u32::try_from(different).unwrap_or(u32::MAX)
            }
        };
        let maker = match self {
            Self::Nvidia => Maker::Nvidia,
            Self::Amd { .. } => Maker::Amd,
        };
        Some(Expected { maker, least })
    }
}

/// What a run gets of what was asked for.
pub(super) fn devices(
    asked: &Gpus,
    backend: Backend,
    host: &Host,
    engine: &Engine,
) -> Result<Because<Devices>, Usage> {
    match asked {
        Gpus::Auto if !backend.uses_gpus() => {
            Ok(because(Devices::None, format!("auto: the `{backend}` backend uses none")))
        }
        Gpus::Auto => Ok(automatic(host, engine)),
        Gpus::Exactly(Devices::Count(_) | Devices::List(_)) if !engine.has_containers() => {
            let variable = match Driver::of(host) {
                Driver::Nvidia => "CUDA_VISIBLE_DEVICES",
                Driver::Amd { .. } => crate::gpus::VISIBLE,
            };
            Err(Usage(format!(
                "the host engine cannot choose GPUs; set {variable}, or use a container engine"
            )))
        }
        Gpus::Exactly(devices) => match (devices, there_are(host, engine)) {
            (Devices::Count(asked), Some(there)) if *asked as usize > there => {
                Err(Usage(format!("--gpus asks for {asked} GPUs, and this machine has {there}")))
            }
            _ => Ok(because(devices.clone(), "asked for with --gpus")),
        },
    }
}

/// How many GPUs the engine can hand over at most, where that is known: its daemon may be another
/// machine's, and not every driver lists its GPUs.
fn there_are(host: &Host, engine: &Engine) -> Option<usize> {
    let there = match Driver::of(host) {
        Driver::Nvidia => host.nvidia_gpus,
        Driver::Amd { .. } => host.amd.count,
    };
    (engine.place == Place::Here && there > 0).then_some(there)
}

fn automatic(host: &Host, engine: &Engine) -> Because<Devices> {
    let (nvidia, amd) = (host.nvidia_gpus, host.amd.count);
    let mode = engine.mode;
    let found = match nvidia {
        0 => "GPU of WSL2 (`/dev/dxg`)".to_owned(),
        nvidia => format!("{nvidia} NVIDIA GPU(s)"),
    };
    match Driver::of(host) {
        Driver::Nvidia if !host.has_nvidia() => {
            because(Devices::None, "auto: this machine has no NVIDIA or AMD GPU")
        }
        Driver::Nvidia if engine.nvidia == Nvidia::No => {
            let then = if mode.is_podman() {
                "run `sudo nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml`"
            } else {
                "restart it"
            };
            because(
                Devices::None,
                format!(
                    "auto: {mode} cannot hand over the {found} found; install the NVIDIA Container \
                     Toolkit and {then}"
                ),
            )
        }
        Driver::Nvidia => because(Devices::All, format!("auto: {found} found")),
        Driver::Amd { groups } => match closed(&groups, host, engine) {
            Some(why) => because(
                Devices::None,
                format!(
                    "auto: {mode} cannot open the {amd} AMD GPU(s) found: {why}; if they are open \
                     to you otherwise, ask for them with `--gpus all`"
                ),
            ),
            None => because(Devices::All, format!("auto: {amd} AMD GPU(s) found")),
        },
    }
}

/// A warning when a run on a machine with GPUs gets none, though nobody asked for that.
pub(super) fn missed(
    asked: &Gpus,
    backend: Backend,
    gpus: &Because<Devices>,
    host: &Host,
) -> Option<String> {
    let there_are = host.nvidia_gpus > 0 || host.amd.count > 0;
    let is_missed = *asked == Gpus::Auto && backend.uses_gpus() && gpus.value == Devices::None;
    (there_are && is_missed).then(|| {
        format!(
            "NO GPU is used: the benchmark runs on the CPU ({}); pass `--gpus none` if you mean that",
            gpus.reason
        )
    })
}

/// A warning when the devices that were asked for may be closed to the benchmark.
pub(super) fn doubt(devices: &Devices, host: &Host, engine: &Engine) -> Option<String> {
    let Driver::Amd { groups } = Driver::of(host) else { return None };
    let why = closed(&groups, host, engine).filter(|_| *devices != Devices::None)?;
    Some(format!(
        "AMD's devices may be closed to the benchmark: {why}; open them to you (`setfacl -m \
         u:$(id -u):rw /dev/kfd /dev/dri/renderD*`), or use a rootful engine"
    ))
}

/// Why the benchmark is not in the groups that the devices are open to.
fn closed(groups: &[u32], host: &Host, engine: &Engine) -> Option<String> {
    let is_mine = |group: &u32| host.uid == 0 || host.gid == *group || host.groups.contains(group);
    let others = groups.iter().filter(|group| !is_mine(group)).map(u32::to_string);
    let others = others.collect::<Vec<_>>().join(", ");
    let outside = (!others.is_empty())
        .then(|| format!("they are open to group {others}, which you are not in (`usermod -aG`)"));
    if groups.is_empty() {
        return None;
    }
    match engine.groups() {
        _ if !engine.has_containers() => outside,
        Groups::ByNumber => None,
        Groups::AllOrNone => outside,
        Groups::Never(why) => Some(format!("their groups are lost: {why}")),
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use crate::{
        engine::{Client, Engine, Mode, Nvidia, Place},
        gpus::{AmdGpus, Devices, Gpus},
        host::Host,
        options::{Request, RunOptions},
        plan::RunPlan,
        render::command_line,
        surroundings::Surroundings,
        testing::{engine, host},
    };

    fn plan(asked: &str, host: &Host, engine: &Engine) -> RunPlan {
        let request = Request { gpus: asked.parse().unwrap(), ..Request::default() };
        let mut options = RunOptions::new(request, host).unwrap();
        options.token = None;
        RunPlan::new(&options, host, engine).unwrap()
    }

    /// Ada's machine with two GPUs of AMD's, and Ada in one of their groups.
    fn with_amd() -> Host {
        let amd = AmdGpus { count: 2, groups: vec![44, 109] };
        Host { amd, groups: vec![44], ..host() }
    }

    /// What the plan tells the engine of GPUs, and its reasons.
    fn shown(asked: &str, host: &Host, engine: &Engine) -> String {
        let plan = plan(asked, host, engine);
        let argv = command_line(engine, &plan).argv();
        let mut text = format!("{asked} ({}):", plan.gpus.reason);
        for words in argv.windows(2) {
            let told = ["--gpus", "--device", "--group-add"].contains(&&*words[0]);
            let env =
                ["AIENERGYSCORE_GPUS=", "ROCR_"].iter().any(|name| words[1].starts_with(name));
            if told || env {
                write!(text, " {} {}", words[0], words[1]).unwrap();
            }
        }
        let doubts = plan.doubts.iter().map(|doubt| format!("\n  doubt: {doubt}"));
        text + &doubts.collect::<String>() + "\n"
    }

    #[test]
    fn every_engine_is_asked_in_its_own_way() {
        let mut text = String::new();
        for (maker, host) in [("NVIDIA", Host { nvidia_gpus: 4, ..host() }), ("AMD", with_amd())] {
            for mode in Mode::WITH_CONTAINERS {
                writeln!(text, "{maker}, {mode}:").unwrap();
                let mut engine = engine(mode);
                engine.nvidia = if mode.is_podman() { Nvidia::Device } else { Nvidia::Gpus };
                for asked in ["auto", "all", "2", "device=0,2", "none"] {
                    text += &shown(asked, &host, &engine);
                }
                text.push('\n');
            }
        }
        insta::assert_snapshot!("every_engine", text);
    }

    #[test]
    fn devices_that_are_open_need_no_group() {
        let mut host = with_amd();
        host.amd.groups.clear();
        let text = Mode::WITH_CONTAINERS.map(|mode| shown("auto", &host, &engine(mode))).concat();
        assert!(!text.contains("group") && !text.contains("doubt"), "{text}");
        assert_eq!(text.matches("--device /dev/kfd --device /dev/dri").count(), 5);
    }

    #[test]
    fn rootless_podman_hands_over_groups_that_are_yours() {
        let mut host = with_amd();
        host.groups.push(109);
        insta::assert_snapshot!(shown("auto", &host, &engine(Mode::PodmanRootless)).trim(), @"auto (auto: 2 AMD GPU(s) found): --device /dev/kfd --device /dev/dri --group-add keep-groups --env AIENERGYSCORE_GPUS=amd:1");
        let mut runc = engine(Mode::PodmanRootless);
        runc.runtime = "runc".to_owned();
        insta::assert_snapshot!(shown("all", &host, &runc), @r"
        all (asked for with --gpus): --device /dev/kfd --device /dev/dri --env AIENERGYSCORE_GPUS=amd:1
          doubt: AMD's devices may be closed to the benchmark: their groups are lost: rootless Podman does it with crun alone, and drops them otherwise; open them to you (`setfacl -m u:$(id -u):rw /dev/kfd /dev/dri/renderD*`), or use a rootful engine
        ");
    }

    #[test]
    fn what_must_be_there_follows_the_request() {
        let expected = |asked: &str| {
            let Gpus::Exactly(devices) = asked.parse().unwrap() else { panic!("{asked}") };
            super::Driver::Nvidia.expected(&devices).map(|expected| expected.to_string())
        };
        assert_eq!(expected("all").as_deref(), Some("nvidia:1"));
        assert_eq!(expected("3").as_deref(), Some("nvidia:3"));
        assert_eq!(expected("device=0,2").as_deref(), Some("nvidia:2"));
        assert_eq!(expected("device=0,0").as_deref(), Some("nvidia:1"));
        assert_eq!(expected("device=MIG-a,MIG-b").as_deref(), Some("nvidia:1"));
        assert_eq!(expected("none"), None);
    }

    #[test]
    fn without_a_container_amds_own_variable_chooses() {
        let request = Request { gpus: "2".parse().unwrap(), ..Request::default() };
        let host = with_amd();
        let options = RunOptions::new(request, &host).unwrap();
        let error = RunPlan::new(&options, &host, &engine(Mode::Host)).unwrap_err().to_string();
        assert!(error.contains("ROCR_VISIBLE_DEVICES"), "{error}");
        assert_eq!(plan("none", &host, &engine(Mode::Host)).gpus.value, Devices::None);
    }

    #[test]
    fn more_gpus_than_the_machine_has_are_refused_where_that_is_known() {
        let told = |asked: &str, host: &Host, engine: &Engine| {
            let request = Request { gpus: asked.parse().unwrap(), ..Request::default() };
            let options = RunOptions::new(request, host).unwrap();
            RunPlan::new(&options, host, engine).err().map(|usage| usage.to_string())
        };
        let four = Host { nvidia_gpus: 4, ..host() };
        let docker = engine(Mode::DockerRootful);
        let podman = engine(Mode::PodmanRootless);
        for engine in [&docker, &podman] {
            let said = told("5", &four, engine);
            assert_eq!(said.as_deref(), Some("--gpus asks for 5 GPUs, and this machine has 4"));
            assert_eq!(told("4", &four, engine), None);
            assert!(told("3", &with_amd(), engine).unwrap().ends_with("has 2"));
            assert_eq!(told("3", &host(), engine), None, "not every driver lists its GPUs");
        }
        let place = Place::Behind("tcp://localhost:2375".to_owned());
        assert_eq!(
            told("5", &four, &Engine { place, ..docker }),
            None,
            "of another machine, maybe"
        );
    }

    #[test]
    fn the_gpu_of_wsl_is_found_and_not_counted() {
        let surroundings = Surroundings { wsl_gpu: true, ..Surroundings::default() };
        let host = Host { surroundings, ..host() };
        let mut docker = engine(Mode::DockerRootful);
        assert_eq!(plan("auto", &host, &docker).gpus.value, Devices::None);
        docker.nvidia = Nvidia::Gpus;
        insta::assert_snapshot!(shown("auto", &host, &docker).trim(), @"auto (auto: GPU of WSL2 (`/dev/dxg`) found): --gpus all --env AIENERGYSCORE_GPUS=nvidia:1");
        assert_eq!(plan("2", &host, &docker).gpus.value, Devices::Count(2));
    }

    #[test]
    fn gpus_are_named_where_the_engine_takes_names() {
        let mut podman = engine(Mode::PodmanRootful);
        podman.client = Client::Docker;
        let docker = Engine { nvidia: Nvidia::Device, ..engine(Mode::DockerRootful) };
        for engine in [podman, docker] {
            let host = Host { nvidia_gpus: 2, ..host() };
            let text = shown("all", &host, &engine);
            assert!(text.contains("--device nvidia.com/gpu=all --env"), "{text}");
            let text = shown("device=1", &host, &engine);
            assert!(text.contains("--device nvidia.com/gpu=1 --env"), "{text}");
        }
    }

    #[test]
    fn run_without_the_gpus_of_its_machine_says_so() {
        let missed =
            |asked: &str, host: &Host, engine: &Engine| plan(asked, host, engine).surprise();
        let four = Host { nvidia_gpus: 4, ..host() };
        let docker = engine(Mode::DockerRootful);
        insta::assert_snapshot!(missed("auto", &four, &docker).unwrap(), @"NO GPU is used: the benchmark runs on the CPU (auto: docker, rootful cannot hand over the 4 NVIDIA GPU(s) found; install the NVIDIA Container Toolkit and restart it); pass `--gpus none` if you mean that");
        insta::assert_snapshot!(missed("auto", &four, &engine(Mode::PodmanRootless)).unwrap(), @"NO GPU is used: the benchmark runs on the CPU (auto: podman, rootless cannot hand over the 4 NVIDIA GPU(s) found; install the NVIDIA Container Toolkit and run `sudo nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml`); pass `--gpus none` if you mean that");
        assert!(
            missed("auto", &with_amd(), &engine(Mode::DockerRootless))
                .unwrap()
                .contains("NO GPU is used")
        );
        assert_eq!(missed("none", &four, &docker), None, "nobody wants them");
        assert_eq!(missed("auto", &host(), &docker), None, "there are none");
    }
}
