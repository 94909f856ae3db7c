//! Processors and memory, read from the kernel's RAPL counters.

use std::{io, path::Path};

use contract::rapl::{Counter, Unreadable, counters};

use crate::{
    gauge::{Gauge, Reading, Sensor},
    recording::DeviceInfo,
};

/// Gauges for the readable counters below `root`, and the reasons for the others.
pub(crate) fn gauges(root: &Path) -> (Vec<Gauge<'static>>, Vec<String>) {
    let (mut gauges, mut refused) = (vec![], vec![]);
    for counter in counters(root) {
        match counter {
            Ok(counter) => {
                let info = DeviceInfo {
                    name: counter.name.clone(),
                    id: None,
                    kind: counter.kind,
                    source: "RAPL counter of the whole machine".to_owned(),
                };
                gauges.push(Gauge::new(info, counter));
            }
            Err(unreadable) => refused.push(why(&unreadable)),
        }
    }
    if gauges.is_empty() && refused.is_empty() {
        refused.push(format!(
            "this machine has no RAPL counters (`{}`): virtual machines mostly have none, others need \
             the kernel module `intel_rapl_msr`, for AMD's processors, too",
            root.display()
        ));
    }
    (gauges, refused)
}

/// Why a counter is not metered, with a hint. Since CVE-2020-8694 only root may read them.
fn why(Unreadable { file, error }: &Unreadable) -> String {
    let file = file.display();
    match error.kind() {
        io::ErrorKind::PermissionDenied => format!(
            "the RAPL counter `{file}` is closed to you, as the kernel has it; until the next start \
             of the machine, `sudo chmod a+r /sys/class/powercap/intel-rapl:*/energy_uj` opens all \
             of them, to every user"
        ),
        _ => format!("the RAPL counter `{file}` cannot be read: {error}"),
    }
}

impl Sensor for Counter {
    fn read(&mut self) -> Result<Reading, String> {
        match self.sample() {
            Ok(microjoules) => Ok(Reading::Joules(microjoules as f64 / 1e6)),
            Err(Unreadable { file, error }) => Err(format!("`{}`: {error}", file.display())),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::{Unreadable, gauges, why};

    fn zone(root: &Path, zone: &str, name: &str, energy: &str) {
        let folder = root.join(format!("intel-rapl:{zone}"));
        fs::create_dir_all(&folder).unwrap();
        for (file, text) in
            [("name", name), ("energy_uj", energy), ("max_energy_range_uj", "1000000")]
        {
            fs::write(folder.join(file), format!("{text}\n")).unwrap();
        }
    }

    #[test]
    fn packages_and_memory_are_followed_over_a_wrap_around() {
        let root = tempfile::tempdir().unwrap();
        zone(root.path(), "0", "package-0", "900000");
        zone(root.path(), "0:0", "dram", "0");
        zone(root.path(), "1", "psys", "0");
        let (mut found, refused) = gauges(root.path());
        assert!(refused.is_empty(), "{refused:?}");
        found.iter_mut().for_each(|gauge| gauge.sample(0.0));
        zone(root.path(), "0", "package-0", "400000");
        zone(root.path(), "0:0", "dram", "250000");
        found.iter_mut().for_each(|gauge| gauge.sample(2.0));
        let joules =
            found.iter().map(|gauge| (gauge.record.info.name.as_str(), gauge.record.trace.total()));
        assert_eq!(joules.collect::<Vec<_>>(), [("package-0", 0.5), ("package-0/dram", 0.25)]);
    }

    #[test]
    fn unreadable_counter_is_named_with_a_hint_and_the_others_are_metered() {
        let root = tempfile::tempdir().unwrap();
        let missing = gauges(&root.path().join("powercap"));
        assert!(
            missing.0.is_empty() && missing.1[0].contains("no RAPL counters"),
            "{:?}",
            missing.1
        );
        zone(root.path(), "0", "package-0", "1");
        zone(root.path(), "1", "package-1", "x");
        let (mut found, refused) = gauges(root.path());
        assert_eq!(found.len(), 1);
        assert!(refused[0].contains("intel-rapl:1/energy_uj` cannot be read"), "{}", refused[0]);
        let file = "/sys/class/powercap/intel-rapl:0/energy_uj".into();
        let closed = Unreadable { file, error: std::io::ErrorKind::PermissionDenied.into() };
        assert!(why(&closed).contains("sudo chmod a+r"), "{}", why(&closed));
        fs::remove_file(root.path().join("intel-rapl:0/energy_uj")).unwrap();
        found[0].sample(0.0);
        let [note] = &found[0].notes()[..] else { panic!("one note") };
        assert!(note.starts_with("package-0 could not be read 1 time(s), first: `"), "{note}");
    }
}
