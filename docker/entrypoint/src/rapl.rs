//! Energy of processors and memory, from the kernel's RAPL counters.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use contract::summary::{Device, DeviceKind, Measurement, Status};

/// What a figure from here stands on.
const SOURCE: &str = "RAPL counter";

/// Where Linux has the counters.
pub(crate) const ROOT: &str = "/sys/class/powercap";

const MICROJOULES_PER_WH: f64 = 3.6e9;

/// Counters that are being read. They wrap around after minutes of full load, so a long phase
/// needs a [`Meter::sample`] now and then.
#[derive(Debug)]
pub(crate) struct Meter {
    state: Result<Vec<Counter>, String>,
}

#[derive(Debug)]
struct Counter {
    name: String,
    kind: DeviceKind,
    file: PathBuf,
    /// Value after which it begins again at 0.
    range: u64,
    last: u64,
    total: u64,
}

impl Meter {
    /// Begins to measure with all counters below `root`.
    pub(crate) fn start(root: &Path) -> Self {
        let state = match counters(root) {
            Ok(counters) if counters.is_empty() => {
                Err(format!("no RAPL counter is readable here ({})", root.display()))
            }
            Ok(counters) => Ok(counters),
            Err(error) => Err(error),
        };
        Self { state }
    }

    /// Adds what was used since the last sample.
    pub(crate) fn sample(&mut self) {
        if let Ok(counters) = &mut self.state
            && let Err(error) = counters.iter_mut().try_for_each(Counter::sample)
        {
            self.state = Err(error);
        }
    }

    /// Everything since the start, or why there is nothing.
    pub(crate) fn finish(mut self) -> Measurement {
        self.sample();
        match self.state {
            Ok(counters) => Measurement {
                status: Status::Measured,
                source: "RAPL counters; no GPU was used".to_owned(),
                devices: counters.into_iter().map(Counter::into_device).collect(),
            },
            Err(reason) => Measurement {
                status: Status::NotMeasured,
                source: format!("no GPU was used and {reason}"),
                devices: vec![],
            },
        }
    }
}

impl Counter {
    fn open(folder: &Path, name: String, kind: DeviceKind) -> Result<Self, String> {
        let file = folder.join("energy_uj");
        let last = number(&file)?;
        let range = number(&folder.join("max_energy_range_uj"))?;
        Ok(Self { name, kind, file, range, last, total: 0 })
    }

    fn sample(&mut self) -> Result<(), String> {
        let now = number(&self.file)?;
        self.total += used(self.last, now, self.range);
        self.last = now;
        Ok(())
    }

    fn into_device(self) -> Device {
        let Self { name, kind, total, .. } = self;
        Device {
            name,
            kind,
            energy_wh: total as f64 / MICROJOULES_PER_WH,
            status: Status::Measured,
            source: SOURCE.to_owned(),
        }
    }
}

/// From `last` to `now` on a counter that goes from 0 to `range` and begins again.
fn used(last: u64, now: u64, range: u64) -> u64 {
    if now >= last { now - last } else { range.saturating_sub(last) + now }
}

/// Packages and their memory. Cores and graphics lie inside the package and would count twice.
fn counters(root: &Path) -> Result<Vec<Counter>, String> {
    let mut zones = Vec::new();
    let entries = match fs::read_dir(root) {
        Ok(entries) => entries,
        Err(_) => return Ok(vec![]),
    };
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if let Some(zone) = name.strip_prefix("intel-rapl:") {
            zones.push(zone.to_owned());
        }
    }
    zones.sort();

    let mut counters = Vec::new();
    for zone in &zones {
        let folder = root.join(format!("intel-rapl:{zone}"));
        let Some(name) = zone_name(&folder) else { continue };
        match zone.split_once(':') {
            None if name.starts_with("package") => {
                counters.push(Counter::open(&folder, name, DeviceKind::Cpu)?);
            }
            Some((parent, _)) if name == "dram" => {
                let package = zone_name(&root.join(format!("intel-rapl:{parent}")));
                let name = format!("{}/{name}", package.as_deref().unwrap_or(parent));
                counters.push(Counter::open(&folder, name, DeviceKind::Ram)?);
            }
            _ => {}
        }
    }
    Ok(counters)
}

fn zone_name(folder: &Path) -> Option<String> {
    Some(fs::read_to_string(folder.join("name")).ok()?.trim().to_owned())
}

fn number(file: &Path) -> Result<u64, String> {
    let refused = |error: &dyn std::fmt::Display| {
        format!("the RAPL counter `{}` is not readable: {error}", file.display())
    };
    let text = fs::read_to_string(file).map_err(|error: io::Error| refused(&error))?;
    text.trim().parse().map_err(|error| refused(&error))
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use contract::summary::{Device, DeviceKind, Status};

    use super::{Meter, SOURCE, used};

    fn zone(root: &Path, zone: &str, name: &str, energy: u64) {
        let folder = root.join(format!("intel-rapl:{zone}"));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("name"), format!("{name}\n")).unwrap();
        fs::write(folder.join("energy_uj"), format!("{energy}\n")).unwrap();
        fs::write(folder.join("max_energy_range_uj"), "10000000000\n").unwrap();
    }

    fn set(root: &Path, zone: &str, energy: u64) {
        fs::write(root.join(format!("intel-rapl:{zone}/energy_uj")), energy.to_string()).unwrap();
    }

    #[test]
    fn a_counter_may_begin_again() {
        assert_eq!(used(5, 8, 100), 3);
        assert_eq!(used(90, 8, 100), 18);
        assert_eq!(used(7, 7, 100), 0);
    }

    #[test]
    fn packages_and_memory_are_measured_over_a_wrap() {
        let root = tempfile::tempdir().unwrap();
        zone(root.path(), "0", "package-0", 9_000_000_000);
        zone(root.path(), "0:0", "core", 0);
        zone(root.path(), "0:1", "dram", 0);
        zone(root.path(), "1", "psys", 0);
        let mut meter = Meter::start(root.path());
        set(root.path(), "0", 800_000_000);
        meter.sample();
        set(root.path(), "0", 2_600_000_000);
        set(root.path(), "0:1", 360_000_000);
        let measured = meter.finish();
        assert_eq!(measured.status, Status::Measured);
        let device = |name: &str, kind, energy_wh| Device {
            name: name.into(),
            kind,
            energy_wh,
            status: Status::Measured,
            source: SOURCE.into(),
        };
        assert_eq!(
            measured.devices,
            [
                device("package-0", DeviceKind::Cpu, 1.0),
                device("package-0/dram", DeviceKind::Ram, 0.1)
            ]
        );
    }

    #[test]
    fn without_counters_the_source_says_why() {
        let root = tempfile::tempdir().unwrap();
        let missing = Meter::start(&root.path().join("absent")).finish();
        assert_eq!(missing.status, Status::NotMeasured);
        assert!(missing.source.contains("no RAPL counter is readable here"), "{}", missing.source);
        assert!(missing.source.contains("absent"), "{}", missing.source);

        zone(root.path(), "0", "package-0", 0);
        let energy = root.path().join("intel-rapl:0/energy_uj");
        fs::write(&energy, "none").unwrap();
        let broken = Meter::start(root.path()).finish();
        assert_eq!(broken.status, Status::NotMeasured);
        assert!(broken.source.contains(&energy.display().to_string()), "{}", broken.source);

        fs::write(&energy, "1").unwrap();
        let mut meter = Meter::start(root.path());
        fs::remove_file(&energy).unwrap();
        meter.sample();
        assert_eq!(meter.finish().status, Status::NotMeasured);
    }
}
