//! GPUs as arguments of `docker` or `podman`.

use contract::env;

use crate::{
    engine::{Engine, Groups, Nvidia},
    gpus::{DRI, Devices, KFD, VISIBLE},
    plan::{Driver, RunPlan},
    shell::Part,
};

/// What hands the plan's GPUs over, and tells the entrypoint of them.
pub(super) fn parts(engine: &Engine, plan: &RunPlan) -> Vec<Part> {
    let devices = &plan.gpus.value;
    let Some(expected) = plan.gpu_driver.expected(devices) else { return vec![] };
    let mut parts = match &plan.gpu_driver {
        Driver::Nvidia => nvidia(engine, devices, &plan.gpus.reason),
        Driver::Amd { groups } => amd(engine, plan, groups),
    };
    parts.push(Part::new(
        ["--env", &format!("{}={expected}", env::GPUS)],
        "GPUs without which the benchmark is not started: an engine may drop a request for them",
    ));
    parts
}

fn nvidia(engine: &Engine, devices: &Devices, reason: &str) -> Vec<Part> {
    if engine.mode.is_podman() || engine.nvidia == Nvidia::Device {
        // Podman 4.3 drops `--gpus` without a word, and so does any behind Docker's client.
        let device = |name: &dyn std::fmt::Display| {
            Part::new(["--device", &format!("nvidia.com/gpu={name}")], reason)
        };
        return match devices {
            Devices::None => vec![],
            Devices::All => vec![device(&"all")],
            Devices::Count(count) => (0..*count).map(|gpu| device(&gpu)).collect(),
            Devices::List(devices) => devices.iter().map(|gpu| device(gpu)).collect(),
        };
    }
    let value = match devices {
        Devices::None => return vec![],
        Devices::All => "all".to_owned(),
        Devices::Count(count) => count.to_string(),
        // The value is a CSV record, so a list must be one quoted field of it.
        Devices::List(devices) => format!("\"device={}\"", devices.join(",")),
    };
    vec![Part::new(["--gpus", &value], reason)]
}

/// Devices of all GPUs, groups that may open them, and which of them to use.
fn amd(engine: &Engine, plan: &RunPlan, groups: &[u32]) -> Vec<Part> {
    let mut parts = vec![Part::new(["--device", KFD, "--device", DRI], &plan.gpus.reason)];
    let there = &plan.identity.value.groups;
    let why = "the group that AMD's devices are open to";
    match engine.groups() {
        Groups::ByNumber => {
            let missing = groups.iter().filter(|group| !there.contains(group));
            parts.extend(missing.map(|group| Part::new(["--group-add", &group.to_string()], why)));
        }
        Groups::AllOrNone if there.is_empty() && !groups.is_empty() => {
            parts.push(Part::new(
                ["--group-add", "keep-groups"],
                "your groups, to which AMD's devices are open",
            ));
        }
        Groups::AllOrNone | Groups::Never(_) => {}
    }
    let chosen = match &plan.gpus.value {
        Devices::None | Devices::All => None,
        Devices::Count(count) => {
            Some((0..*count).map(|gpu| gpu.to_string()).collect::<Vec<_>>().join(","))
        }
        Devices::List(list) => Some(list.join(",")),
    };
    parts.extend(chosen.map(|chosen| {
        let word = format!("{VISIBLE}={chosen}");
        Part::new(["--env", &word], "ROCm uses these; the devices of all lie in one folder")
    }));
    parts
}
