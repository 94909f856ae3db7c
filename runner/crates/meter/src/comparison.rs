//! Compares the backend's energies with those of the host's meter.

mod rules;

use contract::{
    host_meter::{HostMeter, MeteredDevice},
    summary::{Device, DeviceKind, Status, Summary},
};
use host::output::units::watt_hours;

use self::rules::rules;
use crate::model_location::ModelLocation;

/// Accepted difference of two energies, relative to the larger one.
const TOLERANCE: f64 = 0.05;

/// Seconds of counted phases below which the steps of a GPU's counter matter. A step takes up to a tenth
/// of a second.
const SHORT_SECONDS: f64 = 5.0;

/// Notes for the summary on the energies of a run.
pub fn compare(summary: &Summary, meter: &HostMeter, location: ModelLocation) -> Vec<String> {
    let server = server_note(meter, location);
    let differences = match location {
        ModelLocation::InBenchmark => differences(summary, meter),
        // The backend measures the client, not the server.
        ModelLocation::ThisMachine | ModelLocation::OtherMachine => vec![],
    };
    let others = match location {
        ModelLocation::ThisMachine => vec![],
        ModelLocation::InBenchmark | ModelLocation::OtherMachine => {
            gpus(meter).filter_map(others).collect::<Vec<_>>()
        }
    };
    let rules = rules(summary, meter, location);
    server.into_iter().chain(differences).chain(others).chain(rules).collect()
}

/// GPUs that were metered.
fn gpus(meter: &HostMeter) -> impl Iterator<Item = &MeteredDevice> {
    meter.devices.iter().filter(|device| device.kind == DeviceKind::Gpu)
}

/// Energy of all measured devices of a kind over the counted phases, as the host metered it.
fn metered_energy(meter: &HostMeter, kind: DeviceKind) -> Option<f64> {
    let devices = meter.devices.iter();
    let is_measured =
        |device: &&MeteredDevice| device.kind == kind && device.status == Status::Measured;
    sum(devices.filter(is_measured).map(|device| device.counted_wh))
}

/// Energy of all measured devices of a kind, as the backend reports it.
fn reported_energy(summary: &Summary, kind: DeviceKind) -> Option<f64> {
    if kind == DeviceKind::Gpu {
        return summary.total;
    }
    let devices = summary.measurement.devices.iter();
    let is_measured = |device: &&Device| device.kind == kind && device.status == Status::Measured;
    sum(devices.filter(is_measured).map(|device| Some(device.energy_wh)))
}

/// Sum of the energies; `None` if there are none or one is unknown.
fn sum(energies: impl Iterator<Item = Option<f64>>) -> Option<f64> {
    let mut energies = energies.peekable();
    energies.peek()?;
    energies.sum()
}

/// A note on the energy of a server, as far as the host can meter it.
fn server_note(meter: &HostMeter, location: ModelLocation) -> Option<String> {
    let unseen = "the energy of the server's GPUs cannot be seen from here";
    match location {
        ModelLocation::InBenchmark => None,
        ModelLocation::OtherMachine => Some(format!("{unseen}: it is not on this machine")),
        ModelLocation::ThisMachine if gpus(meter).next().is_none() => {
            Some(format!("the server is on this machine, and no GPU was metered: {unseen}"))
        }
        ModelLocation::ThisMachine => {
            let energy = match metered_energy(meter, DeviceKind::Gpu) {
                Some(energy) => {
                    format!("{} Wh over the counted phases stand as this run's", watt_hours(energy))
                }
                None => "their energy over the counted phases is not known".to_owned(),
            };
            let processes = gpus(meter).flat_map(|gpu| &gpu.others).map(|other| {
                format!("{} ({})", other.pid, other.name.as_deref().unwrap_or("of no known name"))
            });
            let processes = match processes.collect::<Vec<_>>().join(", ") {
                none if none.is_empty() => none,
                some => format!("; on them: {some}, and whatever is not the server's spoils it"),
            };
            Some(format!(
                "the server is on this machine, and its GPUs were seen from the host: \
                 {energy}{processes}"
            ))
        }
    }
}

/// A note for each kind of device whose energies differ between host and backend.
fn differences(summary: &Summary, meter: &HostMeter) -> Vec<String> {
    let kinds = DeviceKind::ALL.into_iter();
    let notes = kinds.filter_map(|kind| {
        let (host, backend) = (metered_energy(meter, kind)?, reported_energy(summary, kind)?);
        difference(kind.name(), host, backend, &reasons(kind, meter))
    });
    notes.collect()
}

/// A note if the two energies differ by more than [`TOLERANCE`].
fn difference(name: &str, host: f64, backend: f64, reasons: &str) -> Option<String> {
    let larger = host.abs().max(backend.abs());
    let deviation = (host - backend).abs() / larger;
    (larger > 0.0 && deviation > TOLERANCE).then(|| {
        let side = if backend < host { "less" } else { "more" };
        let percent = 100.0 * (backend - host).abs() / if host == 0.0 { larger } else { host.abs() };
        format!(
            "{name}: the host metered {} Wh over the counted phases, and the backend {} Wh, which is \
             {percent:.0} % {side}; likely reasons: {reasons}",
            watt_hours(host),
            watt_hours(backend)
        )
    })
}

/// Likely reasons for a difference.
fn reasons(kind: DeviceKind, meter: &HostMeter) -> String {
    let seconds = meter.counted_seconds();
    let short = (seconds < SHORT_SECONDS).then(|| {
        format!("the phases took {seconds:.1} s, in which the counters' steps matter (take more prompts)")
    });
    let several = (kind == DeviceKind::Gpu && gpus(meter).count() > 1).then(|| {
        "the host counts every GPU that was handed over, the backend those that it uses".to_owned()
    });
    let sampled = (kind == DeviceKind::Gpu && gpus(meter).any(|gpu| gpu.source.contains("power")))
        .then(|| "the host has samples of power alone, and no counter".to_owned());
    let tracker = match kind {
        // codecarbon 3.0.8 measures the CPU load for half a second first, as its task durations show.
        DeviceKind::Gpu => {
            "the backend's tracker reads the counter up to half a second after a phase, or of other GPUs"
        }
        DeviceKind::Cpu | DeviceKind::Ram => {
            "the backend's tracker counts other packages or zones than the host"
        }
    };
    let reasons = short.into_iter().chain(several).chain(sampled).chain([tracker.to_owned()]);
    reasons.collect::<Vec<_>>().join("; or ")
}

/// A note on other processes that used a GPU.
fn others(gpu: &MeteredDevice) -> Option<String> {
    let names = gpu.others.iter().map(|other| match &other.name {
        Some(name) => format!("{} ({name})", other.pid),
        None => other.pid.to_string(),
    });
    let names = names.collect::<Vec<_>>().join(", ");
    (!names.is_empty()).then(|| {
        format!(
            "{} was used by processes besides the benchmark, whose energy counts: {names}; end them \
             and run again",
            gpu.name
        )
    })
}

#[cfg(test)]
mod tests {
    use contract::{
        Backend,
        host_meter::{HostMeter, MeteredDevice, OtherProcess, Phase},
        summary::{Device, DeviceKind, Measurement, Run, Status, Summary},
    };
    use proptest::prelude::*;

    use super::{ModelLocation, compare, difference};

    fn gpu(name: &str, counted_wh: f64) -> MeteredDevice {
        MeteredDevice {
            name: name.into(),
            id: None,
            kind: DeviceKind::Gpu,
            energy_wh: 2.0 * counted_wh,
            counted_wh: Some(counted_wh),
            idle_watts: Some(72.0),
            status: Status::Measured,
            source: "NVML energy counter of the whole GPU".into(),
            power: vec![],
            others: vec![],
        }
    }

    fn meter(devices: Vec<MeteredDevice>) -> HostMeter {
        HostMeter {
            begun: 1000.0,
            seconds: 100.0,
            phases: vec![Phase { name: "prompts".into(), from: 20.0, to: 70.0 }],
            idle_seconds: Some(10.0),
            devices,
            own_percent: None,
            notes: vec![],
        }
    }

    fn summary(total: Option<f64>, gpu_name: &str) -> Summary {
        let device = Device {
            name: gpu_name.into(),
            kind: DeviceKind::Gpu,
            energy_wh: total.unwrap_or_default(),
            status: Status::Measured,
            source: "NVML, by codecarbon".into(),
        };
        Summary {
            units: "Wh".into(),
            total,
            format: "optimum".into(),
            preprocess_wh: None,
            prefill_wh: None,
            decode_wh: None,
            measurement: Measurement {
                status: Status::Measured,
                source: "NVML".into(),
                devices: total.map(|_| device).into_iter().collect(),
                tracked: None,
            },
            run: Run {
                backend: Backend::Optimum,
                model: "m".into(),
                prompts_asked: None,
                prompts: 10,
                prompts_failed: 0,
                prompt_tokens: None,
                prompts_cut: None,
                prompt_tokens_cut: None,
                completion_tokens: None,
                seconds: None,
                tokens_per_second: None,
                time_to_first_token_seconds: None,
                phases: vec![Phase { name: "prompts".into(), from: 1020.0, to: 1070.0 }],
            },
            notes: vec![],
            cache: None,
            host: None,
            repeat: None,
        }
    }

    const H100: &str = "NVIDIA H100 80GB HBM3";

    #[test]
    fn agreeing_energies_on_one_h100_give_no_note() {
        let summary = summary(Some(4.0), H100);
        assert!(
            compare(&summary, &meter(vec![gpu(H100, 4.1)]), ModelLocation::InBenchmark).is_empty()
        );
        assert!(compare(&summary, &meter(vec![]), ModelLocation::InBenchmark).is_empty());
    }

    #[test]
    fn differences_and_broken_rules_become_notes() {
        let mut shared = gpu("NVIDIA L4", 4.0);
        let other = |pid, name: Option<&str>| OtherProcess { pid, name: name.map(str::to_owned) };
        shared.others = vec![other(5, Some("Xorg")), other(9, None)];
        let mut short = meter(vec![gpu(H100, 4.0), shared]);
        short.phases[0].to = 21.5;
        let mut cpus = meter(vec![MeteredDevice {
            kind: DeviceKind::Cpu,
            name: "package-0".into(),
            ..gpu("", 1.0)
        }]);
        cpus.devices.push(MeteredDevice {
            status: Status::Estimated,
            name: "processors".into(),
            ..cpus.devices[0].clone()
        });
        let mut native = summary(None, "");
        native.run.phases.clear();
        native.measurement.devices = vec![Device {
            name: "package-0".into(),
            kind: DeviceKind::Cpu,
            energy_wh: 1.5,
            status: Status::Measured,
            source: "RAPL counter".into(),
        }];
        let mut without_phases = summary(Some(3.0), "NVIDIA A100-SXM4-80GB, NVIDIA A100-SXM4-80GB");
        without_phases.run.phases.clear();
        let notes = [
            compare(&summary(Some(4.0), H100), &short, ModelLocation::InBenchmark),
            compare(&native, &cpus, ModelLocation::InBenchmark),
            compare(&without_phases, &meter(vec![]), ModelLocation::InBenchmark),
        ];
        insta::assert_snapshot!(notes.map(|notes| notes.join("\n")).join("\n---\n"), @r"
        GPU: the host metered 8.000 Wh over the counted phases, and the backend 4.000 Wh, which is 50 % less; likely reasons: the phases took 1.5 s, in which the counters' steps matter (take more prompts); or the host counts every GPU that was handed over, the backend those that it uses; or the backend's tracker reads the counter up to half a second after a phase, or of other GPUs
        NVIDIA L4 was used by processes besides the benchmark, whose energy counts: 5 (Xorg), 9; end them and run again
        not comparable with the score, which is measured on NVIDIA H100 80GB alone: this run had NVIDIA L4
        the rules of the score want a single GPU for models of class A and B, those of up to 66 billion parameters: on 2 a run of such a model is not valid
        ---
        CPU: the host metered 1.000 Wh over the counted phases, and the backend 1.500 Wh, which is 50 % more; likely reasons: the backend's tracker counts other packages or zones than the host
        not comparable with the score, which is the energy of an NVIDIA H100 80GB: no GPU was measured
        ---
        not comparable with the score, which is measured on NVIDIA H100 80GB alone: this run had NVIDIA A100-SXM4-80GB
        the rules of the score want a single GPU for models of class A and B, those of up to 66 billion parameters: on 2 a run of such a model is not valid
        the score counts the phases preprocess, prefill and decode, and never loading: when they ran was not told, so this could not be checked
        ");
    }

    #[test]
    fn energy_of_a_server_is_known_on_this_machine_only() {
        let mut server = gpu(H100, 4.0);
        server.others = vec![OtherProcess { pid: 70, name: Some("vllm".into()) }];
        let mut unplaced = gpu(H100, 4.0);
        unplaced.counted_wh = None;
        let client = summary(None, "");
        let notes = [
            compare(&client, &meter(vec![server]), ModelLocation::ThisMachine),
            compare(&client, &meter(vec![unplaced]), ModelLocation::ThisMachine),
            compare(&client, &meter(vec![]), ModelLocation::ThisMachine),
            compare(&client, &meter(vec![]), ModelLocation::OtherMachine),
        ];
        insta::assert_snapshot!(notes.map(|notes| notes.join("\n")).join("\n---\n"), @r"
        the server is on this machine, and its GPUs were seen from the host: 4.000 Wh over the counted phases stand as this run's; on them: 70 (vllm), and whatever is not the server's spoils it
        ---
        the server is on this machine, and its GPUs were seen from the host: their energy over the counted phases is not known
        ---
        the server is on this machine, and no GPU was metered: the energy of the server's GPUs cannot be seen from here
        not comparable with the score, which is the energy of an NVIDIA H100 80GB: no GPU was measured
        ---
        the energy of the server's GPUs cannot be seen from here: it is not on this machine
        not comparable with the score, which is the energy of an NVIDIA H100 80GB: no GPU was measured
        ");
    }

    #[test]
    fn idle_power_is_subtracted_over_the_counted_phases_only() {
        let meter = meter(vec![gpu(H100, 4.0)]);
        assert_eq!(meter.above_idle(&meter.devices[0]), Some(3.0));
        let mut unknown = meter.devices[0].clone();
        unknown.idle_watts = None;
        assert_eq!(meter.above_idle(&unknown), None);
    }

    proptest! {
        #[test]
        fn difference_is_noted_above_five_percent_of_the_larger_energy(host in 1e-6..1e6_f64, factor in 0.0..3.0_f64) {
            let backend = host * factor;
            let note = difference("GPU", host, backend, "r");
            let deviation = (factor - 1.0).abs() / factor.max(1.0);
            prop_assume!((deviation - 0.05).abs() > 1e-9);
            prop_assert_eq!(note.is_some(), deviation > 0.05);
            if let Some(note) = note {
                let side = if backend < host { "% less" } else { "% more" };
                prop_assert!(note.contains(side), "{}", note);
            }
        }
    }
}
