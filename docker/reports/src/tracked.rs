//! Energies as the stacks' tracker gives them, with what they stand on.

use anyhow::ensure;
use contract::summary::{Device, DeviceKind, Measurement, Status, Tracked};

use super::{
    json::AGAIN,
    record::{Record, Source, Sources},
};

/// More than a large power station gives in a year: no benchmark draws that, in Wh.
const MOST: f64 = 1e13;

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

impl Energies {
    /// Their names in the reports, with their values.
    pub(super) fn by_name(self) -> [(&'static str, f64); 3] {
        let Self { gpu, cpu, ram } = self;
        [("gpu", gpu), ("cpu", cpu), ("ram", ram)]
    }
}

/// What a report itself says of the devices; used where there is no record.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Reported {
    /// The tracker, with its version.
    pub(super) tracker: Option<String>,
    /// What the model ran on.
    pub(super) device: Option<String>,
    /// Whether GPUs are listed.
    pub(super) gpus_listed: bool,
    /// Their names.
    pub(super) gpus: Vec<String>,
}

/// What the energies of a run stand on.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Standing {
    sources: Sources,
    device: Option<String>,
    /// Whether the device was seen, and not only asked for.
    seen: bool,
    tracked: Option<Tracked>,
}

impl Standing {
    /// As the record says.
    pub(super) fn recorded(record: &Record) -> Self {
        Self {
            sources: record.energy.clone(),
            device: record.device.clone(),
            seen: true,
            tracked: record.tracked,
        }
    }

    /// As far as a report from elsewhere tells. Only a GPU's energy is known to come from a counter
    /// then: the tracker has no model of one.
    pub(super) fn reported(energies: Energies, reported: Reported) -> Self {
        let Reported { tracker, device, gpus_listed, gpus } = reported;
        let tracker = tracker.unwrap_or_else(|| "the stack's tracker".to_owned());
        let gpu = Source {
            status: Status::Measured,
            source: format!("energy counter of the GPUs, read by {tracker}"),
            devices: gpus,
        };
        let unknown = Source {
            status: Status::Estimated,
            source: format!("{tracker}; its report does not name the source"),
            devices: vec![],
        };
        let sources = Sources {
            gpu: (energies.gpu > 0.0 || gpus_listed).then_some(gpu),
            cpu: Some(unknown.clone()),
            ram: Some(unknown),
        };
        Self { sources, device, seen: false, tracked: None }
    }
}

/// Makes sure that a run can have spent `watt_hours`, which `place` tells.
pub(super) fn believable(place: &str, watt_hours: f64) -> anyhow::Result<f64> {
    ensure!(
        watt_hours.abs() <= MOST,
        "`{place}` is {watt_hours:e} Wh, more than a power station gives in a year; {AGAIN}"
    );
    Ok(watt_hours)
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

/// Names the source of every energy, and decides whether GPUs count.
pub(super) fn judge(energies: Energies, standing: Standing) -> Judged {
    let Standing { sources: Sources { gpu, cpu, ram }, device, seen, tracked } = standing;
    let mut notes = Vec::new();
    // A GPU may have a number: `cuda:0`.
    let elsewhere = device.filter(|device| !device.starts_with("cuda"));
    let elsewhere = elsewhere.map(|device| device.replace("cpu", "CPU"));
    let moved = energies.gpu > 0.0;
    let gpu = gpu.filter(|_| {
        let (note, counts) = match elsewhere {
            Some(device) if seen => (
                format!("GPUs were in sight, but the model ran on the {device}: theirs does not count"),
                false,
            ),
            // The stacks may use GPUs for all that was asked for.
            Some(device) if moved => (
                format!(
                    "the report has the {device} as the model's device: the GPUs' energy may be what \
                     they draw at rest"
                ),
                true,
            ),
            None if !moved => (
                "the GPUs' energy counter did not move: their energy is not known".to_owned(),
                false,
            ),
            _ => return moved,
        };
        notes.push(note);
        counts
    });
    let is_gpu = gpu.is_some();
    let kinds = [
        (gpu, DeviceKind::Gpu, "GPU", energies.gpu),
        (cpu, DeviceKind::Cpu, "CPU", energies.cpu),
        (ram, DeviceKind::Ram, "RAM", energies.ram),
    ];
    let mut said = if is_gpu { vec![] } else { vec!["no GPU was measured".to_owned()] };
    let mut devices = Vec::new();
    for (source, kind, name, energy_wh) in kinds {
        let Some(Source { status, source, devices: names }) = source else { continue };
        // Whatever it is, it draws something: this is no energy, but the lack of one.
        if energy_wh == 0.0 {
            said.push(format!("{name}: not known, as its tracker tells 0 Wh"));
            continue;
        }
        let how = if status == Status::Measured { "" } else { "estimated from " };
        said.push(format!("{name}: {how}{source}"));
        let names = if names.is_empty() { name.to_owned() } else { names.join(", ") };
        devices.push(Device { name: names, kind, energy_wh, status, source });
    }
    let strongest = [Status::Measured, Status::Estimated];
    let has = |status: &Status| devices.iter().any(|device| device.status == *status);
    let status = strongest.into_iter().find(has).unwrap_or(Status::NotMeasured);
    let measurement = Measurement { status, source: said.join("; "), devices, tracked };
    let gpu_counts = is_gpu && measurement.too_short().is_none();
    Judged { measurement, gpu_counts, notes }
}
