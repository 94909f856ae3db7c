//! Energies as the stacks' tracker gives them, with what they stand on.

use contract::summary::{Device, DeviceKind, Measurement, Status};

use super::record::{Record, Source, Sources};

/// Energy by kind of device over the counted phases, in Wh.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Energies {
    /// GPUs.
    pub(super) gpu: f64,
    /// Processors.
    pub(super) cpu: f64,
    /// Memory.
    pub(super) ram: f64,
}

/// The measurement of a run, and what to note of it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Judged {
    /// Energies with their sources.
    pub(super) measurement: Measurement,
    /// Whether GPU energy was measured and counts.
    pub(super) gpu_counts: bool,
    /// What a reader must know.
    pub(super) notes: Vec<String>,
}

/// Names the source of every energy. Without a record, as in a report from elsewhere, only a GPU's
/// energy is known to come from a counter: the tracker has no model of one.
pub(super) fn judge(energies: Energies, record: Option<&Record>) -> Judged {
    let unknown = |status| Source {
        status,
        source: "the stack's tracker; its report does not name the source".to_owned(),
        devices: vec![],
    };
    let Sources { gpu, cpu, ram } = match record {
        Some(record) => record.energy.clone(),
        None => Sources {
            gpu: (energies.gpu > 0.0).then(|| unknown(Status::Measured)),
            cpu: Some(unknown(Status::Estimated)),
            ram: Some(unknown(Status::Estimated)),
        },
    };
    let mut notes = Vec::new();
    let device = record.map_or("cuda", |record| &record.device);
    let gpu = gpu.filter(|_| {
        if device != "cuda" {
            notes.push(format!(
                "GPUs were in sight, but the model ran on the {}: theirs does not count",
                device.replace("cpu", "CPU")
            ));
        }
        device == "cuda"
    });
    let gpu = gpu.filter(|_| {
        let moved = energies.gpu > 0.0;
        if !moved {
            notes.push(
                "the GPUs' energy counter did not move: their energy is not known".to_owned(),
            );
        }
        moved
    });
    let gpu_counts = gpu.is_some();
    let kinds = [
        (gpu, DeviceKind::Gpu, "GPU", energies.gpu),
        (cpu, DeviceKind::Cpu, "CPU", energies.cpu),
        (ram, DeviceKind::Ram, "RAM", energies.ram),
    ];
    let mut said = if gpu_counts { vec![] } else { vec!["no GPU was measured".to_owned()] };
    let mut devices = Vec::new();
    for (source, kind, name, energy_wh) in kinds {
        let Some(Source { status, source, devices: names }) = source else { continue };
        let how = if status == Status::Measured { "" } else { "estimated from " };
        said.push(format!("{name}: {how}{source}"));
        let names = if names.is_empty() { name.to_owned() } else { names.join(", ") };
        devices.push(Device { name: names, kind, energy_wh, status, source });
    }
    let strongest = [Status::Measured, Status::Estimated];
    let has = |status: &Status| devices.iter().any(|device| device.status == *status);
    let status = strongest.into_iter().find(has).unwrap_or(Status::NotMeasured);
    let measurement = Measurement { status, source: said.join("; "), devices };
    Judged { measurement, gpu_counts, notes }
}
