//! Which GPUs a run gets, and why.

use std::collections::BTreeSet;

use contract::{Backend, gpus::Expected};
use engine::{Engine, Location, Nvidia};
use host::{
    exit::Usage,
    gpus::{Devices, Gpus},
    machine::Host,
};

use super::{Reasoned, reasoned};

/// Why a machine with AMD GPUs alone runs on the CPU.
const AMD_ALONE: &str = "this machine has only an AMD GPU, and no image has ROCm";

/// What the container must have for the benchmark to start. An engine may drop a request, so the
/// entrypoint looks.
pub fn expected(devices: &Devices) -> Option<Expected> {
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
    Some(Expected { least })
}

/// What a run gets of what was asked for.
pub(super) fn devices(
    asked: &Gpus,
    backend: Backend,
    host: &Host,
    engine: &Engine,
) -> Result<Reasoned<Devices>, Usage> {
    match asked {
        Gpus::Auto if !backend.uses_gpus() => {
            Ok(reasoned(Devices::None, format!("auto: the `{backend}` backend uses none")))
        }
        Gpus::Auto => Ok(automatic(host, engine)),
        Gpus::Exactly(Devices::All | Devices::Count(_) | Devices::List(_))
            if has_amd_alone(host) =>
        {
            Err(Usage(format!(
                "--gpus asks for GPUs, but {AMD_ALONE}; run on the CPU with `--gpus none`, or use a \
                 machine with an NVIDIA GPU"
            )))
        }
        Gpus::Exactly(Devices::Count(_) | Devices::List(_)) if !engine.has_containers() => {
            Err(Usage(
                "the host engine cannot choose GPUs; set CUDA_VISIBLE_DEVICES, or use a container \
                 engine"
                    .to_owned(),
            ))
        }
        Gpus::Exactly(devices) => match (devices, there_are(host, engine)) {
            (Devices::Count(asked), Some(there)) if *asked as usize > there => {
                Err(Usage(format!("--gpus asks for {asked} GPUs, and this machine has {there}")))
            }
            _ => Ok(reasoned(devices.clone(), "asked for with --gpus")),
        },
    }
}

/// How many GPUs the engine can hand over at most, where that is known: its daemon may be another
/// machine's, and not every driver lists its GPUs.
fn there_are(host: &Host, engine: &Engine) -> Option<usize> {
    (engine.location == Location::ThisMachine && host.nvidia_gpus > 0).then_some(host.nvidia_gpus)
}

/// Whether a machine has a GPU, and none of NVIDIA.
const fn has_amd_alone(host: &Host) -> bool {
    host.amd_driver && !host.has_nvidia()
}

fn automatic(host: &Host, engine: &Engine) -> Reasoned<Devices> {
    if has_amd_alone(host) {
        return reasoned(Devices::None, format!("auto: {AMD_ALONE}"));
    }
    if !host.has_nvidia() {
        return reasoned(Devices::None, "auto: this machine has no NVIDIA GPU");
    }
    let found = match host.nvidia_gpus {
        0 => "GPU of WSL2 (`/dev/dxg`)".to_owned(),
        count => format!("{count} NVIDIA GPU(s)"),
    };
    if engine.nvidia != Nvidia::No {
        return reasoned(Devices::All, format!("auto: {found} found"));
    }
    let mode = engine.mode;
    let then = if mode.is_podman() {
        "run `sudo nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml`"
    } else {
        "restart it"
    };
    reasoned(
        Devices::None,
        format!(
            "auto: {mode} cannot hand over the {found} found; install the NVIDIA Container Toolkit \
             and {then}"
        ),
    )
}

/// A warning when a run on a machine with GPUs gets none, though nobody asked for that.
pub(super) fn missed(
    asked: &Gpus,
    backend: Backend,
    gpus: &Reasoned<Devices>,
    host: &Host,
) -> Option<String> {
    let there_are = host.nvidia_gpus > 0 || host.amd_driver;
    let is_missed = *asked == Gpus::Auto && backend.uses_gpus() && gpus.value == Devices::None;
    (there_are && is_missed).then(|| {
        format!(
            "NO GPU is used: the benchmark runs on the CPU ({}); pass `--gpus none` if you mean that",
            gpus.reason
        )
    })
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use engine::{Client, Engine, Location, Mode, Nvidia, testing::engine};
    use host::{
        gpus::{Devices, Gpus},
        machine::{Host, isolation::Isolation},
        testing::host,
    };

    use crate::{options::Settings, render::command_line, run_plan::RunPlan, testing::request};

    fn plan(asked: &str, host: &Host, engine: &Engine) -> RunPlan {
        let request = request(&format!("--gpus {asked}"));
        let mut options = Settings::new(request, host).unwrap();
        options.token = None;
        RunPlan::new(&options.assume(host).unwrap(), host, engine).unwrap()
    }

    /// Ada's machine with a GPU of AMD.
    fn with_amd() -> Host {
        Host { amd_driver: true, ..host() }
    }

    /// What the plan tells the engine of GPUs, and its reasons.
    fn shown(asked: &str, host: &Host, engine: &Engine) -> String {
        let plan = plan(asked, host, engine);
        let argv = command_line(engine, &plan).argv();
        let mut text = format!("{asked} ({}):", plan.gpus.reason);
        for words in argv.windows(2) {
            let told = ["--gpus", "--device"].contains(&&*words[0]);
            if told || words[1].starts_with("AIENERGYSCORE_GPUS=") {
                write!(text, " {} {}", words[0], words[1]).unwrap();
            }
        }
        text + "\n"
    }

    #[test]
    fn every_engine_is_asked_in_its_own_way() {
        let mut text = String::new();
        let host = Host { nvidia_gpus: 4, ..host() };
        for mode in Mode::WITH_CONTAINERS {
            writeln!(text, "{mode}:").unwrap();
            let mut engine = engine(mode);
            engine.nvidia = if mode.is_podman() { Nvidia::Device } else { Nvidia::Gpus };
            for asked in ["auto", "all", "2", "device=0,2", "none"] {
                text += &shown(asked, &host, &engine);
            }
            text.push('\n');
        }
        insta::assert_snapshot!("every_engine", text);
    }

    #[test]
    fn what_must_be_there_follows_the_request() {
        let expected = |asked: &str| {
            let Gpus::Exactly(devices) = asked.parse().unwrap() else { panic!("{asked}") };
            super::expected(&devices).map(|expected| expected.to_string())
        };
        assert_eq!(expected("all").as_deref(), Some("nvidia:1"));
        assert_eq!(expected("3").as_deref(), Some("nvidia:3"));
        assert_eq!(expected("device=0,2").as_deref(), Some("nvidia:2"));
        assert_eq!(expected("device=0,0").as_deref(), Some("nvidia:1"));
        assert_eq!(expected("device=MIG-a,MIG-b").as_deref(), Some("nvidia:1"));
        assert_eq!(expected("none"), None);
    }

    #[test]
    fn amd_gpu_alone_means_the_cpu_or_an_error() {
        let host = with_amd();
        let docker = engine(Mode::DockerRootful);
        let auto = plan("auto", &host, &docker);
        assert_eq!(auto.gpus.value, Devices::None);
        insta::assert_snapshot!(auto.warning().unwrap(), @"NO GPU is used: the benchmark runs on the CPU (auto: this machine has only an AMD GPU, and no image has ROCm); pass `--gpus none` if you mean that");
        for (asked, mode) in [("all", Mode::DockerRootful), ("2", Mode::Host)] {
            let request = request(&format!("--gpus {asked}"));
            let options = Settings::new(request, &host).unwrap();
            let error = RunPlan::new(&options.assume(&host).unwrap(), &host, &engine(mode))
                .unwrap_err()
                .to_string();
            insta::allow_duplicates! {
                insta::assert_snapshot!(error, @"--gpus asks for GPUs, but this machine has only an AMD GPU, and no image has ROCm; run on the CPU with `--gpus none`, or use a machine with an NVIDIA GPU");
            }
        }
        assert_eq!(plan("none", &host, &docker).warning(), None);
        let both = Host { nvidia_gpus: 1, ..host };
        assert_eq!(plan("all", &both, &docker).gpus.value, Devices::All);
    }

    #[test]
    fn more_gpus_than_the_machine_has_are_refused_where_that_is_known() {
        let told = |asked: &str, host: &Host, engine: &Engine| {
            let request = request(&format!("--gpus {asked}"));
            let options = Settings::new(request, host).unwrap();
            RunPlan::new(&options.assume(host).unwrap(), host, engine)
                .err()
                .map(|usage| usage.to_string())
        };
        let four = Host { nvidia_gpus: 4, ..host() };
        let docker = engine(Mode::DockerRootful);
        let podman = engine(Mode::PodmanRootless);
        for engine in [&docker, &podman] {
            let said = told("5", &four, engine);
            assert_eq!(said.as_deref(), Some("--gpus asks for 5 GPUs, and this machine has 4"));
            assert_eq!(told("4", &four, engine), None);
            assert_eq!(told("3", &host(), engine), None, "not every driver lists its GPUs");
        }
        let location = Location::LocalAddress("tcp://localhost:2375".to_owned());
        assert_eq!(
            told("5", &four, &Engine { location, ..docker }),
            None,
            "of another machine, maybe"
        );
    }

    #[test]
    fn the_gpu_of_wsl_is_found_and_not_counted() {
        let isolation = Isolation { wsl_gpu: true, ..Isolation::default() };
        let host = Host { isolation, ..host() };
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
            |asked: &str, host: &Host, engine: &Engine| plan(asked, host, engine).warning();
        let four = Host { nvidia_gpus: 4, ..host() };
        let docker = engine(Mode::DockerRootful);
        insta::assert_snapshot!(missed("auto", &four, &docker).unwrap(), @"NO GPU is used: the benchmark runs on the CPU (auto: docker, rootful cannot hand over the 4 NVIDIA GPU(s) found; install the NVIDIA Container Toolkit and restart it); pass `--gpus none` if you mean that");
        insta::assert_snapshot!(missed("auto", &four, &engine(Mode::PodmanRootless)).unwrap(), @"NO GPU is used: the benchmark runs on the CPU (auto: podman, rootless cannot hand over the 4 NVIDIA GPU(s) found; install the NVIDIA Container Toolkit and run `sudo nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml`); pass `--gpus none` if you mean that");
        assert_eq!(missed("none", &four, &docker), None, "nobody wants them");
        assert_eq!(missed("auto", &host(), &docker), None, "there are none");
    }
}
