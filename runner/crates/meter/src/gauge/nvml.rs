//! NVIDIA GPUs, read through the driver's management library (NVML).

use std::ffi::OsStr;

use contract::summary::DeviceKind;
use host::gpus::Devices;
use nvml_wrapper::{Device, Nvml, error::NvmlError, struct_wrappers::device::ProcessInfo};

use crate::{
    gauge::{Gauge, Reading, Sensor},
    recording::DeviceInfo,
};

/// Name of the library for the loader.
pub(crate) const LIBRARY: &str = "libnvidia-ml.so.1";

/// Loads the library and lets it find the GPUs.
///
/// # Errors
/// Why it failed, with a hint.
pub(crate) fn load(library: &OsStr) -> Result<Nvml, String> {
    Nvml::builder().lib_path(library).init().map_err(|error| unavailable(&error))
}

/// Why NVML does not work, with a hint.
fn unavailable(error: &NvmlError) -> String {
    let why = "NVML, which tells the energy of NVIDIA's GPUs, does not serve";
    match error {
        NvmlError::LibloadingError(error) => format!(
            "{why}: {error}; `{LIBRARY}` comes with NVIDIA's driver: install that, or add the folder \
             that has it to LD_LIBRARY_PATH"
        ),
        NvmlError::DriverNotLoaded => format!(
            "{why}: NVIDIA's kernel module is not loaded; `sudo modprobe nvidia` loads it, or \
             `dmesg` says why not"
        ),
        NvmlError::LibRmVersionMismatch => format!(
            "{why}: the library and the loaded kernel module are of different versions, as after an \
             update; start the machine again"
        ),
        NvmlError::NoPermission => {
            format!(
                "{why}: `/dev/nvidiactl` is closed to you; ask for the group that `ls -l` names"
            )
        }
        error => format!("{why}: {error}"),
    }
}

/// Gauges for the requested GPUs, and notes on the others.
pub(crate) fn gauges<'a>(nvml: &'a Nvml, requested: &Devices) -> (Vec<Gauge<'a>>, Vec<String>) {
    let (mut gauges, mut notes) = (vec![], vec![]);
    let count = match nvml.device_count() {
        Ok(count) => count,
        Err(error) => return (gauges, vec![unavailable(&error)]),
    };
    let mut seen = vec![];
    for device in chosen(nvml, count, requested, &mut notes) {
        let gauge = device.map_err(|why| why.to_string()).and_then(gauge);
        match gauge {
            // MIG slices share their GPU's counter, and a GPU can be named twice.
            Ok(gauge) if seen.contains(&gauge.record.info.id) => {}
            Ok(gauge) => {
                seen.push(gauge.record.info.id.clone());
                gauges.push(gauge);
            }
            Err(why) => notes.push(format!("a GPU is not metered: {why}")),
        }
    }
    (gauges, notes)
}

/// The requested GPUs. Engines number them as NVML does, and take the first ones for a count.
fn chosen<'a>(
    nvml: &'a Nvml,
    count: u32,
    requested: &Devices,
    notes: &mut Vec<String>,
) -> Vec<Result<Device<'a>, NvmlError>> {
    let first = |count: u32| (0..count).map(|index| nvml.device_by_index(index)).collect();
    match requested {
        Devices::None => vec![],
        Devices::All => first(count),
        Devices::Count(wanted) => first(count.min(*wanted)),
        Devices::List(names) => {
            let mut found = vec![];
            for name in names {
                match named(nvml, count, name, notes) {
                    Some(device) => found.push(device),
                    None => notes.push(format!("NVML knows no GPU `{name}`: it is not metered")),
                }
            }
            found
        }
    }
}

/// The GPU with this index or UUID. For a MIG slice, its GPU.
fn named<'a>(
    nvml: &'a Nvml,
    count: u32,
    name: &str,
    notes: &mut Vec<String>,
) -> Option<Result<Device<'a>, NvmlError>> {
    if let Ok(index) = name.parse::<u32>() {
        return (index < count).then(|| nvml.device_by_index(index));
    }
    if name.starts_with("MIG-") {
        let part = nvml.device_by_uuid(name).ok()?;
        let note = format!("`{name}` is a part of a GPU: the energy is that of the whole GPU");
        if !notes.contains(&note) {
            notes.push(note);
        }
        return Some(part.mig_parent_device());
    }
    let devices = (0..count).map(|index| nvml.device_by_index(index));
    // Engines accept the start of a UUID.
    let is_named = |device: &Result<Device<'a>, NvmlError>| {
        let uuid = device.as_ref().ok().and_then(|device| device.uuid().ok());
        uuid.is_some_and(|uuid| uuid.starts_with(name))
    };
    devices.into_iter().find(is_named)
}

fn gauge(device: Device<'_>) -> Result<Gauge<'_>, String> {
    let name = device.name().map_err(|error| error.to_string())?;
    let id = device.uuid().ok();
    let (counter, source) = match device.total_energy_consumption() {
        Ok(now) => (Some(Counter::at(now)), "NVML energy counter of the whole GPU".to_owned()),
        Err(no_counter) => {
            device.power_usage().map_err(|error| {
                format!("{name} has neither counter ({no_counter}) nor power ({error})")
            })?;
            let why = match no_counter {
                // GPUs before Volta have none.
                NvmlError::NotSupported => "this GPU has no energy counter".to_owned(),
                error => format!("its energy counter does not serve: {error}"),
            };
            (None, format!("NVML power samples of the whole GPU, integrated: {why}"))
        }
    };
    let info = DeviceInfo { name, id, kind: DeviceKind::Gpu, source };
    Ok(Gauge::new(info, Gpu { device, counter }))
}

/// Sensor of a GPU: its energy counter, or its power if it has none.
struct Gpu<'a> {
    device: Device<'a>,
    counter: Option<Counter>,
}

impl Sensor for Gpu<'_> {
    fn read(&mut self) -> Result<Reading, String> {
        let read = match &mut self.counter {
            Some(counter) => self
                .device
                .total_energy_consumption()
                .map(|now| Reading::Joules(counter.follow(now) as f64 / 1000.0)),
            None => self
                .device
                .power_usage()
                .map(|milliwatts| Reading::Watts(f64::from(milliwatts) / 1000.0)),
        };
        read.map_err(|error| error.to_string())
    }

    fn processes(&mut self) -> Result<Vec<u32>, String> {
        // Drivers before 510 lack these functions.
        let listed = |processes: Result<Vec<ProcessInfo>, NvmlError>| {
            processes.map_err(|error| error.to_string())
        };
        let computing = listed(self.device.running_compute_processes())?;
        let drawing = listed(self.device.running_graphics_processes())?;
        let mut pids: Vec<_> = computing.iter().chain(&drawing).map(|one| one.pid).collect();
        pids.sort_unstable();
        pids.dedup();
        Ok(pids)
    }

    fn warning(&self) -> Option<String> {
        let resets = self.counter.as_ref().map_or(0, |counter| counter.resets);
        (resets > 0).then(|| {
            format!(
                "its energy counter began again {resets} time(s), as after a reset of the GPU: what \
                 it used between two samples around that is missing"
            )
        })
    }
}

/// Follows a counter of millijoules, which starts when the driver is loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Counter {
    last: u64,
    total: u64,
    resets: u64,
}

impl Counter {
    fn at(last: u64) -> Self {
        Self { last, total: 0, resets: 0 }
    }

    /// Millijoules since the first reading. The 64 bits never wrap around, but a GPU reset sets them to 0.
    fn follow(&mut self, now: u64) -> u64 {
        if now < self.last {
            self.resets += 1;
            self.total += now;
        } else {
            self.total += now - self.last;
        }
        self.last = now;
        self.total
    }
}

#[cfg(test)]
#[path = "../../testing/nvml.rs"]
pub(crate) mod fake;
#[cfg(test)]
mod tests;
