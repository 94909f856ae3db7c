//! Decides which GPUs a run gets: `--gpus`, the backend, the machine and the engine.

use std::collections::BTreeSet;

use contract::{Backend, gpus::Expected};
use engine::{Engine, Location, Nvidia};
use host::{
    exit::Usage,
    gpus::{Devices, Gpus},
    machine::Host,
};

use super::Reasoned;

/// Reason to run on the CPU if the machine has only AMD GPUs.
const AMD_ONLY: &str = "this machine has only an AMD GPU, and no image has ROCm";

/// The GPUs that the entrypoint must find to start the benchmark: an engine may ignore a request without
/// an error.
pub fn expected(devices: &Devices) -> Option<Expected> {
    let least = match devices {
        Devices::None => return None,
        // The engine may run on another machine.
        Devices::All => 1,
        Devices::Count(count) => *count,
        // The MIG instances of a GPU share its device.
        Devices::List(list) if list.iter().any(|name| name.starts_with("MIG-")) => 1,
        Devices::List(list) => {
            let different = list.iter().collect::<BTreeSet<_>>().len();
            u32::try_from(different).unwrap_or(u32::MAX)
        }
    };
    Some(Expected { least })
}

/// The GPUs of a run. `asked` is `--gpus`.
pub(super) fn devices(
    asked: &Gpus,
    backend: Backend,
    host: &Host,
    engine: &Engine,
) -> Result<Reasoned<Devices>, Usage> {
    let devices = match asked {
        Gpus::Auto if backend.uses_gpus() => return Ok(automatic(host, engine)),
        Gpus::Auto => {
            let reason = format!("auto: the `{backend}` backend uses none");
            return Ok(Reasoned::new(Devices::None, reason));
        }
        Gpus::Exactly(devices) => devices,
    };
    if *devices != Devices::None && has_only_amd(host) {
        return Err(Usage(format!(
            "--gpus asks for GPUs, but {AMD_ONLY}; run on the CPU with `--gpus none`, or use a \
             machine with an NVIDIA GPU"
        )));
    }
    if matches!(devices, Devices::Count(_) | Devices::List(_)) && !engine.has_containers() {
        return Err(Usage(
            "the host engine cannot choose GPUs; set CUDA_VISIBLE_DEVICES, or use a container engine"
                .to_owned(),
        ));
    }
    if let (Devices::Count(asked), Some(available)) = (devices, available(host, engine))
        && *asked as usize > available
    {
        return Err(Usage(format!(
            "--gpus asks for {asked} GPUs, and this machine has {available}"
        )));
    }
    Ok(Reasoned::new(devices.clone(), "asked for with --gpus"))
}

/// The number of GPUs that the engine can pass on, if known: the daemon may run on another machine, and
/// not every driver lists its GPUs.
fn available(host: &Host, engine: &Engine) -> Option<usize> {
    (engine.location == Location::ThisMachine && host.nvidia_gpus > 0).then_some(host.nvidia_gpus)
}

/// Whether the machine has AMD GPUs and no NVIDIA GPU.
const fn has_only_amd(host: &Host) -> bool {
    host.amd_driver && !host.has_nvidia()
}

/// The GPUs of a run with `--gpus auto`.
fn automatic(host: &Host, engine: &Engine) -> Reasoned<Devices> {
    if has_only_amd(host) {
        return Reasoned::new(Devices::None, format!("auto: {AMD_ONLY}"));
    }
    if !host.has_nvidia() {
        return Reasoned::new(Devices::None, "auto: this machine has no NVIDIA GPU");
    }
    let found = match host.nvidia_gpus {
        0 => "GPU of WSL2 (`/dev/dxg`)".to_owned(),
        count => format!("{count} NVIDIA GPU(s)"),
    };
    if engine.nvidia != Nvidia::No {
        return Reasoned::new(Devices::All, format!("auto: {found} found"));
    }
    let mode = engine.mode;
    let next_step = if mode.is_podman() {
        "run `sudo nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml`"
    } else {
        "restart it"
    };
    Reasoned::new(
        Devices::None,
        format!(
            "auto: {mode} cannot hand over the {found} found; install the NVIDIA Container Toolkit \
             and {next_step}"
        ),
    )
}

/// A warning that the run uses no GPU although the machine has one and the user did not refuse it.
pub(super) fn missed(
    asked: &Gpus,
    backend: Backend,
    gpus: &Reasoned<Devices>,
    host: &Host,
) -> Option<String> {
    let has_gpu = host.nvidia_gpus > 0 || host.amd_driver;
    let is_missed = *asked == Gpus::Auto && backend.uses_gpus() && gpus.value == Devices::None;
    (has_gpu && is_missed).then(|| {
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

    /// The GPU options of the plan's command, and the reason.
    fn shown(asked: &str, host: &Host, engine: &Engine) -> String {
        let plan = plan(asked, host, engine);
        let argv = command_line(engine, &plan).argv();
        let mut text = format!("{asked} ({}):", plan.gpus.reason);
        for words in argv.windows(2) {
            let is_gpu = ["--gpus", "--device"].contains(&&*words[0]);
            if is_gpu || words[1].starts_with("AIENERGYSCORE_GPUS=") {
                write!(text, " {} {}", words[0], words[1]).unwrap();
            }
        }
        text + "\n"
    }

    #[test]
    fn each_engine_has_its_own_gpu_options() {
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
    fn expected_gpus_follow_the_request() {
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
    fn machine_with_only_amd_gpus_runs_on_the_cpu_or_fails() {
        let host = Host { amd_driver: true, ..host() };
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
    fn more_gpus_than_the_machine_has_are_refused_if_their_number_is_known() {
        let refusal = |asked: &str, host: &Host, engine: &Engine| {
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
            let said = refusal("5", &four, engine);
            assert_eq!(said.as_deref(), Some("--gpus asks for 5 GPUs, and this machine has 4"));
            assert_eq!(refusal("4", &four, engine), None);
            assert_eq!(refusal("3", &host(), engine), None, "not every driver lists its GPUs");
        }
        let location = Location::LocalAddress("tcp://localhost:2375".to_owned());
        assert_eq!(
            refusal("5", &four, &Engine { location, ..docker }),
            None,
            "the engine may run on another machine"
        );
    }

    #[test]
    fn gpu_of_wsl_is_found_and_not_counted() {
        let isolation = Isolation { wsl_gpu: true, ..Isolation::default() };
        let host = Host { isolation, ..host() };
        let mut docker = engine(Mode::DockerRootful);
        assert_eq!(plan("auto", &host, &docker).gpus.value, Devices::None);
        docker.nvidia = Nvidia::Gpus;
        insta::assert_snapshot!(shown("auto", &host, &docker).trim(), @"auto (auto: GPU of WSL2 (`/dev/dxg`) found): --gpus all --env AIENERGYSCORE_GPUS=nvidia:1");
        assert_eq!(plan("2", &host, &docker).gpus.value, Devices::Count(2));
    }

    #[test]
    fn gpus_are_named_if_the_engine_supports_cdi() {
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
    fn run_that_misses_the_gpus_of_its_machine_warns() {
        let missed =
            |asked: &str, host: &Host, engine: &Engine| plan(asked, host, engine).warning();
        let four = Host { nvidia_gpus: 4, ..host() };
        let docker = engine(Mode::DockerRootful);
        insta::assert_snapshot!(missed("auto", &four, &docker).unwrap(), @"NO GPU is used: the benchmark runs on the CPU (auto: docker, rootful cannot hand over the 4 NVIDIA GPU(s) found; install the NVIDIA Container Toolkit and restart it); pass `--gpus none` if you mean that");
        insta::assert_snapshot!(missed("auto", &four, &engine(Mode::PodmanRootless)).unwrap(), @"NO GPU is used: the benchmark runs on the CPU (auto: podman, rootless cannot hand over the 4 NVIDIA GPU(s) found; install the NVIDIA Container Toolkit and run `sudo nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml`); pass `--gpus none` if you mean that");
        assert_eq!(missed("none", &four, &docker), None, "the user refuses them");
        assert_eq!(missed("auto", &host(), &docker), None, "the machine has none");
    }
}
