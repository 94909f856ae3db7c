//! Energies as the stacks' tracker gives them, with their sources.

use anyhow::ensure;
use contract::summary::{Device, DeviceKind, Measurement, Status, Tracked};

use super::{
    numbers::EnergyNumbers,
    numbers::traced::Traced,
    record::{Record, Source, Sources},
    source::json::AGAIN,
    source::node::Node,
};

/// More than a large power station gives in a year, in Wh: no benchmark draws that.
pub const MOST_WATT_HOURS: f64 = 1e13;

/// Energy by kind of device over the counted phases, in Wh.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Energies {
    /// GPUs.
    pub(super) gpu: Traced,
    /// Processors.
    pub(super) cpu: Traced,
    /// Memory.
    pub(super) ram: Traced,
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

/// What the energies of a run were read from, and which device ran the model.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Basis {
    sources: Sources,
    device: Option<String>,
    /// Whether the device was seen, and not only asked for.
    seen: bool,
    tracked: Option<Tracked>,
}

impl Basis {
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

/// An energy in Wh that a run can have drawn.
pub(super) fn believable(energy: &Node<'_>) -> anyhow::Result<Traced> {
    in_reach(energy.path(), energy.traced(energy.amount()?))
}

/// Makes sure that a run can have drawn `energy`, which `path` tells.
pub(super) fn in_reach(path: &str, energy: Traced) -> anyhow::Result<Traced> {
    let watt_hours = energy.value;
    ensure!(
        watt_hours.abs() <= MOST_WATT_HOURS,
        "`{path}` is {watt_hours:e} Wh, more than a power station gives in a year; {AGAIN}"
    );
    Ok(energy)
}

/// The measurement of a run, and what to note of it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Attributed {
    /// Energies with their sources.
    pub(super) measurement: Measurement,
    /// The numbers of the measurement; its total is there if GPU energy was measured and counts.
    pub(super) numbers: EnergyNumbers,
    /// What a reader must know.
    pub(super) notes: Vec<String>,
}

/// Names the source of every energy, and decides whether GPUs count.
pub(super) fn attribute(energies: Energies, basis: Basis) -> Attributed {
    let Basis { sources: Sources { gpu, cpu, ram }, device, seen, tracked } = basis;
    let mut notes = Vec::new();
    // A GPU may have a number: `cuda:0`.
    let elsewhere = device.filter(|device| !device.starts_with("cuda"));
    let elsewhere = elsewhere.map(|device| device.replace("cpu", "CPU"));
    let moved = energies.gpu.value > 0.0;
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
        // Whatever it is, it draws something: this is no energy, but the lack of one.
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
