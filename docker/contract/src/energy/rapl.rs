//! The kernel's RAPL counters: energy of processors and memory, for the host's meter and for the
//! `native` backend.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use super::device::DeviceKind;

/// Folder of the counters.
pub const ROOT: &str = "/sys/class/powercap";

/// Prefix of the zones that count, on AMD's processors, too. `intel-rapl-mmio:` is a second
/// interface to the same packages, which would count them twice.
const ZONE: &str = "intel-rapl:";

/// Upper bound of the power of a package and its memory, in watts. The largest processors of 2025
/// are rated at 500 W.
const MOST_WATTS: f64 = 2000.0;

/// An open counter. It wraps around after minutes of full load, so it must be sampled every few
/// seconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counter {
    /// Name of the zone, such as `package-0` or `package-0/dram`.
    pub name: String,
    /// Kind of the device.
    pub kind: DeviceKind,
    file: PathBuf,
    /// Value at which it wraps around to 0.
    range: u64,
    last: u64,
    /// Time of the last reading. This clock stops while the machine is suspended.
    read: Instant,
    total: u64,
}

/// Error of reading a counter.
#[derive(Debug)]
pub struct Unreadable {
    /// The file that cannot be read.
    pub file: PathBuf,
    /// The kernel's error.
    pub error: io::Error,
}

impl Counter {
    fn open(folder: &Path, name: String, kind: DeviceKind) -> Result<Self, Unreadable> {
        let file = folder.join("energy_uj");
        let last = number(&file)?;
        let range = number(&folder.join("max_energy_range_uj"))?;
        Ok(Self { name, kind, file, range, last, read: Instant::now(), total: 0 })
    }

    /// Microjoules since it was opened.
    ///
    /// # Errors
    /// When it cannot be read, and once after a reset to 0 that was no wrap-around: the energy since
    /// the previous reading is lost.
    pub fn sample(&mut self) -> Result<u64, Unreadable> {
        let now = number(&self.file)?;
        let used = used(self.last, now, self.range);
        let is_lost = now < self.last && !is_wrap(used, self.read.elapsed());
        (self.last, self.read) = (now, Instant::now());
        if is_lost {
            let why = "it began again at 0 before its end, as when the machine slept: what was used \
                       around that is missing";
            return Err(Unreadable { file: self.file.clone(), error: io::Error::other(why) });
        }
        self.total += used;
        Ok(self.total)
    }
}

/// The difference between two readings of a counter that wraps around at `range`.
fn used(last: u64, now: u64, range: u64) -> u64 {
    if now >= last { now - last } else { range.saturating_sub(last) + now }
}

/// Whether a decrease can be a wrap-around: whether `used` microjoules in `time` are a possible
/// power. The value may be older than its reading, so a second is added.
fn is_wrap(used: u64, time: Duration) -> bool {
    used as f64 / 1e6 <= MOST_WATTS * (time.as_secs_f64() + 1.0)
}

/// The counters of packages and their memory below `root`, in the kernel's order. The zones of
/// cores, graphics and the platform (`psys`) overlap with them and would count twice.
pub fn counters(root: &Path) -> Vec<Result<Counter, Unreadable>> {
    // Without the driver there is no such folder.
    let entries = fs::read_dir(root).into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let mut zones: Vec<_> =
        names.filter_map(|name| name.strip_prefix(ZONE).map(str::to_owned)).collect();
    zones.sort_by_key(|zone| {
        zone.split(':').map(|number| number.parse().unwrap_or(u32::MAX)).collect::<Vec<_>>()
    });
    zones.iter().filter_map(|zone| counter(root, zone)).collect()
}

/// The counter of a zone that is a package or its memory.
fn counter(root: &Path, zone: &str) -> Option<Result<Counter, Unreadable>> {
    let folder = |zone: &str| root.join(format!("{ZONE}{zone}"));
    let name = zone_name(&folder(zone))?;
    match zone.split_once(':') {
        None if name.starts_with("package") => {
            Some(Counter::open(&folder(zone), name, DeviceKind::Cpu))
        }
        Some((parent, _)) if name == "dram" => {
            let package = zone_name(&folder(parent));
            let name = format!("{}/{name}", package.as_deref().unwrap_or(parent));
            Some(Counter::open(&folder(zone), name, DeviceKind::Ram))
        }
        _ => None,
    }
}

fn zone_name(folder: &Path) -> Option<String> {
    Some(fs::read_to_string(folder.join("name")).ok()?.trim().to_owned())
}

fn number(file: &Path) -> Result<u64, Unreadable> {
    let refused = |error| Unreadable { file: file.to_owned(), error };
    let text = fs::read_to_string(file).map_err(refused)?;
    let number = text.trim().parse();
    number.map_err(|error| refused(io::Error::new(io::ErrorKind::InvalidData, error)))
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path, time::Duration};

    use proptest::prelude::*;

    use super::{counters, is_wrap, used};
    use crate::energy::device::DeviceKind;

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
    fn wrap_around_is_added_up() {
        assert_eq!(used(5, 8, 100), 3);
        assert_eq!(used(90, 8, 100), 18);
        assert_eq!(used(7, 7, 100), 0);
    }

    #[test]
    fn zones_that_overlap_with_packages_are_left_out() {
        let root = tempfile::tempdir().unwrap();
        for (number, name) in [
            ("10", "package-10"),
            ("0", "package-0"),
            ("0:0", "core"),
            ("0:1", "uncore"),
            ("0:2", "dram"),
            ("1", "package-1-die-0"),
            ("1:0", "dram"),
            ("2", "psys"),
        ] {
            zone(root.path(), number, name, 0);
        }
        let mmio = root.path().join("intel-rapl-mmio:0");
        fs::create_dir(&mmio).unwrap();
        fs::write(mmio.join("name"), "package-0").unwrap();
        let found = counters(root.path()).into_iter().map(|counter| {
            let counter = counter.unwrap();
            (counter.name, counter.kind)
        });
        let expected = [
            ("package-0", DeviceKind::Cpu),
            ("package-0/dram", DeviceKind::Ram),
            ("package-1-die-0", DeviceKind::Cpu),
            ("package-1-die-0/dram", DeviceKind::Ram),
            ("package-10", DeviceKind::Cpu),
        ];
        assert_eq!(found.collect::<Vec<_>>(), expected.map(|(name, kind)| (name.to_owned(), kind)));
        assert!(counters(&root.path().join("absent")).is_empty());
    }

    #[test]
    fn samples_add_up_over_a_wrap_around() {
        let root = tempfile::tempdir().unwrap();
        zone(root.path(), "0", "package-0", 9_000_000_000);
        let mut counter = counters(root.path()).remove(0).unwrap();
        set(root.path(), "0", 800_000_000);
        assert_eq!(counter.sample().unwrap(), 1_800_000_000);
        set(root.path(), "0", 2_600_000_000);
        assert_eq!(counter.sample().unwrap(), 3_600_000_000);
    }

    #[test]
    fn reset_is_an_error_and_no_wrap_around() {
        let root = tempfile::tempdir().unwrap();
        zone(root.path(), "0", "package-0", 1_000_000_000);
        let mut counter = counters(root.path()).remove(0).unwrap();
        set(root.path(), "0", 1_600_000_000);
        assert_eq!(counter.sample().unwrap(), 600_000_000);
        // A wrap-around would be 8,400 J in no time.
        set(root.path(), "0", 500);
        let error = counter.sample().unwrap_err().error.to_string();
        assert!(error.contains("began again at 0 before its end"), "{error}");
        set(root.path(), "0", 400_000_500);
        assert_eq!(counter.sample().unwrap(), 1_000_000_000);
        assert!(is_wrap(8_400_000_000, Duration::from_secs(60)));
        assert!(!is_wrap(8_400_000_000, Duration::from_secs(1)));
    }

    #[test]
    fn unreadable_counter_names_its_file() {
        let root = tempfile::tempdir().unwrap();
        zone(root.path(), "0", "package-0", 0);
        zone(root.path(), "1", "package-1", 0);
        let energy = root.path().join("intel-rapl:0/energy_uj");
        fs::write(&energy, "none").unwrap();
        let mut found = counters(root.path());
        assert_eq!(found[0].as_ref().unwrap_err().file, energy);
        let second = found[1].as_mut().unwrap();
        fs::remove_file(root.path().join("intel-rapl:1/energy_uj")).unwrap();
        let error = second.sample().unwrap_err();
        assert_eq!(error.error.kind(), std::io::ErrorKind::NotFound);
    }

    proptest! {
        #[test]
        fn steps_add_up_over_wrap_arounds_of_any_range(range in 1..u64::MAX / 4, steps in prop::collection::vec(0..u32::MAX, 1..40)) {
            let (mut real, mut last, mut total) = (0_u64, 0_u64, 0_u64);
            for step in steps {
                let step = u64::from(step) % range;
                real += step;
                // The kernel's counter has the values from 0 to below its range.
                let now = real % range;
                total += used(last, now, range);
                last = now;
            }
            prop_assert_eq!(total, real);
        }
    }
}
