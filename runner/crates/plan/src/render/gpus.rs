//! Renders the GPUs of a plan for `docker` or `podman`.

use contract::env;
use engine::{Engine, Nvidia};
use host::{gpus::Devices, shell::Part};

use crate::run_plan::{RunPlan, expected};

/// The options that request the GPUs of the plan, and the variable with the number that the entrypoint must
/// find.
pub(super) fn parts(engine: &Engine, plan: &RunPlan) -> Vec<Part> {
    let devices = &plan.gpus.value;
    let Some(expected) = expected(devices) else { return vec![] };
    let mut parts = device_options(engine, devices, &plan.gpus.reason);
    parts.push(Part::new(
        ["--env", &format!("{}={expected}", env::GPUS)],
        "GPUs without which the benchmark is not started: an engine may drop a request for them",
    ));
    parts
}

/// The options that request `devices`: `--gpus` for Docker, `--device` with CDI names for Podman.
fn device_options(engine: &Engine, devices: &Devices, reason: &str) -> Vec<Part> {
    // Podman 4.3, and every Podman behind Docker's client, ignores `--gpus` without an error.
    if engine.mode.is_podman() || engine.nvidia == Nvidia::Device {
        let names = match devices {
            Devices::None => vec![],
            Devices::All => vec!["all".to_owned()],
            Devices::Count(count) => (0..*count).map(|gpu| gpu.to_string()).collect(),
            Devices::List(devices) => devices.clone(),
        };
        let names = names.iter().map(|name| format!("nvidia.com/gpu={name}"));
        return names.map(|name| Part::new(["--device", &name], reason)).collect();
    }
    let value = match devices {
        Devices::None => return vec![],
        Devices::All => "all".to_owned(),
        Devices::Count(count) => count.to_string(),
        // Docker parses the value as CSV, so a list must be one quoted field.
        Devices::List(devices) => format!("\"device={}\"", devices.join(",")),
    };
    vec![Part::new(["--gpus", &value], reason)]
}
