//! Energies from the stacks' tracker, with their sources.

use anyhow::ensure;
use contract::summary::{Device, DeviceKind, Measurement, Status, Tracked};

use super::{
    numbers::EnergyNumbers,
    numbers::traced::Traced,
    record::{Record, Source, Sources},
    source::json::AGAIN,
    source::node::Node,
};

/// Upper limit of an energy, in Wh. A large power station generates less in a year.
pub const MOST_WATT_HOURS: f64 = 1e13;

/// Energies of the counted phases by kind of device, in Wh.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Energies {
    /// GPUs.
    pub(super) gpu: Traced,
    /// Processors.
    pub(super) cpu: Traced,
    /// Memory.
    pub(super) ram: Traced,
}

/// Devices according to the report itself, for runs without a record.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Reported {
    /// The tracker, with its version.
    pub(super) tracker: Option<String>,
    /// Device of the model.
    pub(super) device: Option<String>,
    /// Whether GPUs are listed.
    pub(super) gpus_listed: bool,
    /// Names of the GPUs.
    pub(super) gpus: Vec<String>,
}

/// Sources of the energies, and the device of the model.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Basis {
    sources: Sources,
    device: Option<String>,
    /// Whether the device was detected, not only requested.
    seen: bool,
    tracked: Option<Tracked>,
}

impl Basis {
    /// From the record.
    pub(super) fn recorded(record: &Record) -> Self {
        Self {
            sources: record.energy.clone(),
            device: record.device.clone(),
            seen: true,
            tracked: record.tracked,
        }
    }

    /// From a report without a record. Only a GPU's energy is known to be measured then, as the tracker
    /// has no model of a GPU.
    pub(super) fn reported(energies: &Energies, reported: Reported) -> Self {
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
            gpu: (energies.gpu.value > 0.0 || gpus_listed).then_some(gpu),
            cpu: Some(unknown.clone()),
            ram: Some(unknown),
        };
        Self { sources, device, seen: false, tracked: None }
    }
}

/// Parses an energy in Wh, and checks its limit.
pub(super) fn believable(energy: &Node<'_>) -> anyhow::Result<Traced> {
    in_reach(energy.path(), energy.traced(energy.amount()?))
}

/// Checks the limit of `energy`, the value at `path`.
pub(super) fn in_reach(path: &str, energy: Traced) -> anyhow::Result<Traced> {
    let watt_hours = energy.value;
    ensure!(
        watt_hours.abs() <= MOST_WATT_HOURS,
        "`{path}` is {watt_hours:e} Wh, more than a power station gives in a year; {AGAIN}"
    );
    Ok(energy)
}

/// The measurement of a run, with notes.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Attributed {
    /// Energies with their sources.
    pub(super) measurement: Measurement,
    /// Numbers of the measurement. The total is set if GPU energy was measured and counts.
    pub(super) numbers: EnergyNumbers,
    /// Notes for readers of the summary.
    pub(super) notes: Vec<String>,
}

/// Adds the source to every energy, and decides whether GPUs count.
pub(super) fn attribute(energies: Energies, basis: Basis) -> Attributed {
    let Basis { sources: Sources { gpu, cpu, ram }, device, seen, tracked } = basis;
    let mut notes = Vec::new();
    // A GPU can have an index, as in `cuda:0`.
    let elsewhere = device.filter(|device| !device.starts_with("cuda"));
    let elsewhere = elsewhere.map(|device| device.replace("cpu", "CPU"));
    let moved = energies.gpu.value > 0.0;
    let gpu = gpu.filter(|_| {
        let (note, counts) = match elsewhere {
            Some(device) if seen => (
                format!("GPUs were in sight, but the model ran on the {device}: theirs does not count"),
                false,
            ),
            // The stacks may use GPUs whatever device was requested.
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
    let total = gpu.as_ref().map(|_| energies.gpu.clone());
    let kinds = [
        (gpu, DeviceKind::Gpu, energies.gpu),
        (cpu, DeviceKind::Cpu, energies.cpu),
        (ram, DeviceKind::Ram, energies.ram),
    ];
    let mut said = if total.is_some() { vec![] } else { vec!["no GPU was measured".to_owned()] };
    let (mut devices, mut numbers) = (vec![], vec![]);
    for (source, kind, energy) in kinds {
        let name = kind.name();
        let Some(Source { status, source, devices: names }) = source else { continue };
        // Every device uses power, so 0 is a missing value.
        let energy_wh = energy.value;
        if energy_wh == 0.0 {
            said.push(format!("{name}: not known, as its tracker tells 0 Wh"));
            continue;
        }
        let how = if status == Status::Measured { "" } else { "estimated from " };
        said.push(format!("{name}: {how}{source}"));
        let names = if names.is_empty() { name.to_owned() } else { names.join(", ") };
        devices.push(Device { name: names, kind, energy_wh, status, source });
        numbers.push(energy);
    }
    let strongest = [Status::Measured, Status::Estimated];
    let has = |status: &Status| devices.iter().any(|device| device.status == *status);
    let status = strongest.into_iter().find(has).unwrap_or(Status::NotMeasured);
    let measurement = Measurement { status, source: said.join("; "), devices, tracked };
    let total = total.filter(|_| measurement.too_short().is_none());
    let numbers = EnergyNumbers { total, devices: numbers, ..EnergyNumbers::default() };
    Attributed { measurement, numbers, notes }
}
