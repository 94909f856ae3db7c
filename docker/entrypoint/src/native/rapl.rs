//! Energy of the `native` backend, measured with RAPL counters.

use std::path::Path;

use contract::{
    rapl::{Counter, Unreadable, counters},
    summary::{Device, Measurement, Status},
};

/// Source that the summary names for a device.
const SOURCE: &str = "RAPL counter";

const MICROJOULES_PER_WH: f64 = 3.6e9;

/// A running measurement. Counters wrap around after minutes of full load, so [`Meter::sample`]
/// must be called more often than that.
#[derive(Debug)]
pub(super) struct Meter {
    /// The counters with their microjoules, or why nothing is measured. One unreadable counter ends
    /// the measurement, because the sum of the others would be too low.
    state: Result<Vec<(Counter, u64)>, String>,
}

impl Meter {
    /// Starts a measurement with all counters below `root`.
    pub(super) fn start(root: &Path) -> Self {
        let counters = counters(root).into_iter().map(|counter| Ok((counter?, 0)));
        let state = match counters.collect::<Result<Vec<_>, _>>() {
            Ok(counters) if counters.is_empty() => {
                Err(format!("no RAPL counter is readable here ({})", root.display()))
            }
            Ok(counters) => Ok(counters),
            Err(counter) => Err(unreadable(&counter)),
        };
        Self { state }
    }

    /// Adds the energy used since the last sample.
    pub(super) fn sample(&mut self) {
        if let Ok(counters) = &mut self.state {
            for (counter, total) in counters {
                match counter.sample() {
                    Ok(microjoules) => *total = microjoules,
                    Err(counter) => {
                        self.state = Err(unreadable(&counter));
                        return;
                    }
                }
            }
        }
    }

    /// The energy used since the start, or why it was not measured.
    pub(super) fn finish(mut self) -> Measurement {
        self.sample();
        match self.state {
            Ok(counters) => Measurement {
                status: Status::Measured,
                source: "RAPL counters; no GPU was used".to_owned(),
                devices: counters.into_iter().map(device).collect(),
                tracked: None,
            },
            Err(reason) => Measurement {
                status: Status::NotMeasured,
                source: format!("no GPU was used and {reason}"),
                devices: vec![],
                tracked: None,
            },
        }
    }
}

fn unreadable(Unreadable { file, error }: &Unreadable) -> String {
    format!("the RAPL counter `{}` is not readable: {error}", file.display())
}

fn device((counter, microjoules): (Counter, u64)) -> Device {
    Device {
        name: counter.name,
        kind: counter.kind,
        energy_wh: microjoules as f64 / MICROJOULES_PER_WH,
        status: Status::Measured,
        source: SOURCE.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use contract::summary::{Device, DeviceKind, Status};

    use super::{Meter, SOURCE};

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
    fn packages_and_memory_are_measured_across_a_wraparound() {
        let root = tempfile::tempdir().unwrap();
        zone(root.path(), "0", "package-0", 9_000_000_000);
        zone(root.path(), "0:1", "dram", 0);
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
    fn unreadable_counter_is_named_as_the_reason() {
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
