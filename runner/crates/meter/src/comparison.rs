//! A run's own numbers beside those of the host's meter.

mod rules;

use contract::{
    host_meter::{HostMeter, MeteredDevice},
    summary::{DeviceKind, Status, Summary},
};
use host::output::units::watt_hours;

use super::served::{Served, gpus};
use crate::comparison::rules::rules;

/// The part of the larger number by which two may differ.
const TOLERANCE: f64 = 0.05;

/// Counters of GPUs move in steps of up to a tenth of a second: in phases of fewer seconds than this
/// that is more than the tolerance.
const SHORT: f64 = 5.0;

/// What a reader of the summary must know.
pub fn notes(summary: &Summary, meter: &HostMeter, served: Served) -> Vec<String> {
    let served_notes = served_by(meter, served);
    let differences = match served {
        Served::ByItself => differences(summary, meter),
        // The benchmark sees the energy of its own machine, and that of no server.
        Served::Here | Served::Elsewhere => vec![],
    };
    let others = match served {
        Served::Here => vec![],
        Served::ByItself | Served::Elsewhere => gpus(meter).filter_map(others).collect::<Vec<_>>(),
    };
    let rules = rules(summary, meter, served);
    served_notes.into_iter().chain(differences).chain(others).chain(rules).collect()
}

/// The energy of one kind of device over the counted phases, as far as it was measured.
fn counted(meter: &HostMeter, kind: DeviceKind) -> Option<f64> {
    let mut measured = meter
        .devices
        .iter()
        .filter(|device| device.kind == kind && device.status == Status::Measured)
        .peekable();
    measured.peek()?;
    measured.map(|device| device.counted_wh).sum()
}

fn served_by(meter: &HostMeter, served: Served) -> Option<String> {
    let unseen = "the energy of the server's GPUs cannot be seen from here";
    match served {
        Served::ByItself => None,
        Served::Elsewhere => Some(format!("{unseen}: it is not on this machine")),
        Served::Here if gpus(meter).next().is_none() => {
            Some(format!("the server is on this machine, and no GPU was metered: {unseen}"))
        }
        Served::Here => {
            let energy = match counted(meter, DeviceKind::Gpu) {
                Some(energy) => {
                    format!("{} Wh over the counted phases stand as this run's", watt_hours(energy))
                }
                None => "their energy over the counted phases is not known".to_owned(),
            };
            let on = gpus(meter).flat_map(|gpu| &gpu.others).map(|other| {
                format!("{} ({})", other.pid, other.name.as_deref().unwrap_or("of no known name"))
            });
            let on = on.collect::<Vec<_>>().join(", ");
            let on = match on.as_str() {
                "" => String::new(),
                on => {
                    format!("; on them: {on}, and whatever is not the server's spoils it")
                }
            };
            Some(format!(
                "the server is on this machine, and its GPUs were seen from the host: {energy}{on}"
            ))
        }
    }
}

/// Where host and backend measured the same, and do not agree.
fn differences(summary: &Summary, meter: &HostMeter) -> Vec<String> {
    let backend = |kind| {
        let is = |device: &&contract::summary::Device| {
            device.kind == kind && device.status == Status::Measured
        };
        let mut devices = summary.measurement.devices.iter().filter(is).peekable();
        devices.peek()?;
        Some(devices.map(|device| device.energy_wh).sum::<f64>())
    };
    let pairs = DeviceKind::ALL.into_iter().filter_map(|kind| {
        let own = if kind == DeviceKind::Gpu { summary.total } else { backend(kind) };
        difference(kind.name(), counted(meter, kind)?, own?, &reasons(kind, meter))
    });
    pairs.collect()
}

/// What to say of two numbers of the same, if they are too far apart.
fn difference(name: &str, host: f64, backend: f64, reasons: &str) -> Option<String> {
    let larger = host.abs().max(backend.abs());
    let apart = (host - backend).abs() / larger;
    (larger > 0.0 && apart > TOLERANCE).then(|| {
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

fn reasons(kind: DeviceKind, meter: &HostMeter) -> String {
    let seconds = meter.counted_seconds();
    let short = (seconds < SHORT).then(|| {
        format!("the phases took {seconds:.1} s, in which the counters' steps matter (take more prompts)")
    });
    let several = (kind == DeviceKind::Gpu && gpus(meter).count() > 1).then(|| {
        "the host counts every GPU that was handed over, the backend those that it uses".to_owned()
    });
    let sampled = (kind == DeviceKind::Gpu && gpus(meter).any(|gpu| gpu.source.contains("power")))
        .then(|| "the host has samples of power alone, and no counter".to_owned());
    let tracker = match kind {
        // codecarbon 3.0.8 measures the load of processors first, for that long: seen in the
        // durations of its tasks.
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

/// Who else was on a GPU.
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

    use super::{Served, difference, notes};

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
    fn one_h100_whose_numbers_agree_needs_no_word() {
        let summary = summary(Some(4.0), H100);
        assert!(notes(&summary, &meter(vec![gpu(H100, 4.1)]), Served::ByItself).is_empty());
        assert!(notes(&summary, &meter(vec![]), Served::ByItself).is_empty());
    }

    #[test]
    fn what_differs_and_what_the_rules_do_not_take_is_told() {
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
        let mut untold = summary(Some(3.0), "NVIDIA A100-SXM4-80GB, NVIDIA A100-SXM4-80GB");
        untold.run.phases.clear();
        let said = [
            notes(&summary(Some(4.0), H100), &short, Served::ByItself),
            notes(&native, &cpus, Served::ByItself),
            notes(&untold, &meter(vec![]), Served::ByItself),
        ];
        insta::assert_snapshot!(said.map(|notes| notes.join("\n")).join("\n---\n"), @r"
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
    fn a_servers_energy_is_seen_where_it_is_here() {
        let mut server = gpu(H100, 4.0);
        server.others = vec![OtherProcess { pid: 70, name: Some("vllm".into()) }];
        let mut unplaced = gpu(H100, 4.0);
        unplaced.counted_wh = None;
        let client = summary(None, "");
        let said = [
            notes(&client, &meter(vec![server]), Served::Here),
            notes(&client, &meter(vec![unplaced]), Served::Here),
            notes(&client, &meter(vec![]), Served::Here),
            notes(&client, &meter(vec![]), Served::Elsewhere),
        ];
        insta::assert_snapshot!(said.map(|notes| notes.join("\n")).join("\n---\n"), @r"
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
    fn idleness_is_taken_off_over_the_counted_phases_alone() {
        let meter = meter(vec![gpu(H100, 4.0)]);
        assert_eq!(meter.above_idle(&meter.devices[0]), Some(3.0));
        let mut unknown = meter.devices[0].clone();
        unknown.idle_watts = None;
        assert_eq!(meter.above_idle(&unknown), None);
    }

    proptest! {
        /// A difference is told when it is over a twentieth of the larger number, and only then.
        #[test]
        fn a_twentieth_is_let_pass(host in 1e-6..1e6_f64, factor in 0.0..3.0_f64) {
            let told = difference("GPU", host, host * factor, "r").is_some();
            let apart = (factor - 1.0).abs() / factor.max(1.0);
            prop_assume!((apart - 0.05).abs() > 1e-9);
            prop_assert_eq!(told, apart > 0.05);
        }
    }
}
