//! What to meter during a run, and what of it this machine can measure.

use std::{ffi::OsString, path::PathBuf, time::Duration};

use clap::Args;
use contract::{rapl::ROOT, summary::DeviceKind};
use host::gpus::Devices;
use nvml_wrapper::Nvml;

use crate::{
    benchmark::Benchmark,
    gauge::{
        Gauge,
        nvml::{self, LIBRARY},
        rapl,
    },
    model_location::ModelLocation,
    recording::DeviceInfo,
    watts::Watts,
};

/// Options of the meter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Args)]
#[command(next_help_heading = "The host's meter")]
pub struct Options {
    /// Measure idle power for N seconds before the benchmark [default: off]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=3600))]
    pub idle_seconds: Option<u32>,
    /// Power of a busy CPU: where none can be measured, its time makes an estimate [default: none]
    #[arg(long, value_name = "W")]
    pub watts_per_cpu: Option<Watts>,
}

/// Devices to meter, and the benchmark that they are metered for.
#[derive(Debug, Clone)]
pub struct Request {
    /// Location of the model.
    pub location: ModelLocation,
    /// GPUs to meter.
    pub gpus: Devices,
    /// Reason why the run uses none of this machine's GPUs.
    pub no_gpus: Option<String>,
    /// Whether to drop GPUs without a process: it is unknown which GPUs a server uses.
    pub only_used: bool,
    /// Duration of the idle measurement before the benchmark.
    pub idle: Option<Duration>,
    /// Power of a busy CPU, for an estimate.
    pub watts_per_cpu: Option<Watts>,
    /// The benchmark.
    pub benchmark: Benchmark,
    /// Places of the energy counters.
    pub counters: CounterPaths,
}

/// Places of a machine's energy counters.
#[derive(Debug, Clone)]
pub struct CounterPaths {
    /// NVIDIA's management library (NVML).
    pub(super) library: OsString,
    /// Folder with `proc` and `sys`.
    pub(super) root: PathBuf,
}

impl Default for CounterPaths {
    /// The places on this machine.
    fn default() -> Self {
        Self { library: LIBRARY.into(), root: "/".into() }
    }
}

impl Request {
    /// Loads NVML, unless no GPU is to be metered.
    pub(super) fn load(&self) -> Option<Result<Nvml, String>> {
        (self.gpus != Devices::None).then(|| nvml::load(&self.counters.library))
    }

    /// Gauges for the requested devices, GPUs first.
    pub(super) fn find<'a>(&self, library: Option<&'a Result<Nvml, String>>) -> [Found<'a>; 2] {
        let (subject, (gauges, refused)) = match library {
            Some(Ok(nvml)) => ("NVML", nvml::gauges(nvml, &self.gpus)),
            Some(Err(why)) => ("NVML", (vec![], vec![why.clone()])),
            None => ("GPUs", (vec![], self.no_gpus.iter().cloned().collect())),
        };
        let gpus = Found { subject, gauges, refused };
        let (gauges, refused) =
            rapl::gauges(&self.counters.root.join(ROOT.trim_start_matches('/')));
        [gpus, Found { subject: "RAPL", gauges, refused }]
    }

    /// Availability of each kind of counter on this machine.
    pub fn availability(&self) -> Vec<Availability> {
        let library = self.load();
        let mut found = self.find(library.as_ref());
        if library.is_none() && self.no_gpus.is_none() {
            found[0].refused.push("this machine has no GPU that a run would get".to_owned());
        }
        let has_cpu_counter = found.iter().any(|found| counts_processors(&found.gauges));
        let mut all: Vec<_> = found.into_iter().map(Found::availability).collect();
        if !has_cpu_counter {
            let text = match self.watts_per_cpu {
                Some(watts) => format!(
                    "processors are estimated: CPU seconds of the benchmark x {watts} W as stated"
                ),
                None => {
                    "processors are not metered; `aienergyscore run --watts-per-cpu W` gives an \
                         estimate from their time"
                        .to_owned()
                }
            };
            let is_metered = self.watts_per_cpu.is_some();
            all.push(Availability { subject: "processors", is_metered, text: vec![text] });
        }
        all
    }
}

/// Whether a gauge measures the energy of processors.
pub(super) fn counts_processors(gauges: &[Gauge<'_>]) -> bool {
    gauges.iter().any(|gauge| gauge.record.info.kind == DeviceKind::Cpu)
}

/// Gauges of one kind of counter.
#[derive(Debug)]
pub(super) struct Found<'a> {
    subject: &'static str,
    pub(super) gauges: Vec<Gauge<'a>>,
    /// Reasons why other devices of the kind are not metered.
    pub(super) refused: Vec<String>,
}

impl Found<'_> {
    fn availability(self) -> Availability {
        let Self { subject, gauges, refused } = self;
        let names = gauges.iter().map(|gauge| {
            let DeviceInfo { name, source, .. } = &gauge.record.info;
            format!("{name} ({source})")
        });
        let names = names.collect::<Vec<_>>().join(", ");
        let text = [names].into_iter().filter(|text| !text.is_empty()).chain(refused).collect();
        Availability { subject, is_metered: !gauges.is_empty(), text }
    }
}

/// What one kind of counter can measure here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Availability {
    /// The kind of counter.
    pub subject: &'static str,
    /// Whether any device is metered.
    pub is_metered: bool,
    /// Metered devices, then the reasons why others are not.
    pub text: Vec<String>,
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use host::gpus::Devices;

    use super::{Benchmark, CounterPaths, ModelLocation, Request};
    use crate::gauge::nvml::fake::FakeNvml;

    #[test]
    fn availability_names_metered_devices_and_reasons_for_the_rest() {
        let root = tempfile::tempdir().unwrap();
        let mut request = Request {
            location: ModelLocation::InBenchmark,
            gpus: Devices::None,
            no_gpus: None,
            only_used: false,
            idle: None,
            watts_per_cpu: None,
            benchmark: Benchmark::Child(Arc::default()),
            counters: CounterPaths { root: root.path().to_owned(), ..CounterPaths::default() },
        };
        let shown = |request: &Request| {
            let lines = request.availability().into_iter().map(|one| format!("{one:?}"));
            lines.collect::<Vec<_>>().join("\n").replace(root.path().to_str().unwrap(), "")
        };
        let nothing = shown(&request);
        request.watts_per_cpu = "9".parse().ok();
        request.gpus = Devices::All;
        request.counters.library = "libnvidia-ml-of-nobody.so.1".into();
        let without_library = shown(&request);
        let zone = root.path().join("sys/class/powercap/intel-rapl:0");
        std::fs::create_dir_all(&zone).unwrap();
        for (file, text) in
            [("name", "package-0"), ("energy_uj", "1"), ("max_energy_range_uj", "9")]
        {
            std::fs::write(zone.join(file), text).unwrap();
        }
        let fake = FakeNvml::new(&["NVIDIA L4"]);
        request.counters.library = fake.library();
        let with_counters = shown(&request);
        insta::assert_snapshot!([nothing, without_library, with_counters].join("\n---\n"), @r#"
        Availability { subject: "GPUs", is_metered: false, text: ["this machine has no GPU that a run would get"] }
        Availability { subject: "RAPL", is_metered: false, text: ["this machine has no RAPL counters (`/sys/class/powercap`): virtual machines mostly have none, others need the kernel module `intel_rapl_msr`, for AMD's processors, too"] }
        Availability { subject: "processors", is_metered: false, text: ["processors are not metered; `aienergyscore run --watts-per-cpu W` gives an estimate from their time"] }
        ---
        Availability { subject: "NVML", is_metered: false, text: ["NVML, which tells the energy of NVIDIA's GPUs, does not serve: libnvidia-ml-of-nobody.so.1: cannot open shared object file: No such file or directory; `libnvidia-ml.so.1` comes with NVIDIA's driver: install that, or add the folder that has it to LD_LIBRARY_PATH"] }
        Availability { subject: "RAPL", is_metered: false, text: ["this machine has no RAPL counters (`/sys/class/powercap`): virtual machines mostly have none, others need the kernel module `intel_rapl_msr`, for AMD's processors, too"] }
        Availability { subject: "processors", is_metered: true, text: ["processors are estimated: CPU seconds of the benchmark x 9 W as stated"] }
        ---
        Availability { subject: "NVML", is_metered: true, text: ["NVIDIA L4 (NVML energy counter of the whole GPU)"] }
        Availability { subject: "RAPL", is_metered: true, text: ["package-0 (RAPL counter of the whole machine)"] }
        "#);
    }
}
