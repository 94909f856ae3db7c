//! What is metered beside a run.

use std::{ffi::OsString, path::PathBuf, time::Duration};

use clap::Args;
use contract::summary::DeviceKind;
use host::gpus::Devices;
use nvml_wrapper::Nvml;

use super::{
    gauge::{About, Gauge},
    served::Served,
    target::Subject,
    watts::Watts,
};
use crate::gauge::{
    nvml::{self, LIBRARY},
    rapl,
};

/// What a user says about the meter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Args)]
#[command(next_help_heading = "The host's meter")]
pub struct Options {
    /// Meter the idle machine for so long before the benchmark [default: not at all]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=3600))]
    pub idle_seconds: Option<u32>,
    /// Power of a busy CPU: where none can be measured, its time makes an estimate [default: none]
    #[arg(long, value_name = "W")]
    pub watts_per_cpu: Option<Watts>,
}

/// What is metered, and whose processes are the benchmark's.
#[derive(Debug, Clone)]
pub struct Request {
    /// Where the model runs.
    pub served: Served,
    /// The GPUs.
    pub gpus: Devices,
    /// Why the run has none of this machine's GPUs.
    pub no_gpus: Option<String>,
    /// Whether GPUs without a process on them are left out: which ones a server has is not told.
    pub only_used: bool,
    /// How long the idle machine is metered before.
    pub idle: Option<Duration>,
    /// The power of a processor, for an estimate.
    pub watts_per_cpu: Option<Watts>,
    /// What runs the benchmark.
    pub subject: Subject,
    /// Where the counters are.
    pub machine: Machine,
}

/// Where a machine's counters are.
#[derive(Debug, Clone)]
pub struct Machine {
    /// NVIDIA's library.
    pub(super) library: OsString,
    /// The folder that holds `proc` and `sys`.
    pub(super) root: PathBuf,
}

impl Default for Machine {
    /// Those of this machine.
    fn default() -> Self {
        Self { library: LIBRARY.into(), root: "/".into() }
    }
}

impl Request {
    /// NVIDIA's library, if it is needed.
    pub(super) fn load(&self) -> Option<Result<Nvml, String>> {
        (self.gpus != Devices::None).then(|| nvml::load(&self.machine.library))
    }

    /// Everything that can be read of what was asked for, and why the rest cannot: GPUs first.
    pub(super) fn find<'a>(&self, library: Option<&'a Result<Nvml, String>>) -> [Found<'a>; 2] {
        let (subject, (gauges, refused)) = match library {
            Some(Ok(nvml)) => ("NVML", nvml::gauges(nvml, &self.gpus)),
            Some(Err(why)) => ("NVML", (vec![], vec![why.clone()])),
            None => ("GPUs", (vec![], self.no_gpus.iter().cloned().collect())),
        };
        let gpus = Found { subject, gauges, refused };
        let (gauges, refused) = rapl::gauges(&self.machine.root.join("sys/class/powercap"));
        [gpus, Found { subject: "RAPL", gauges, refused }]
    }

    /// What can be metered on this machine, and why the rest cannot.
    pub fn look(&self) -> Vec<Look> {
        let library = self.load();
        let mut found = self.find(library.as_ref());
        if library.is_none() && self.no_gpus.is_none() {
            found[0].refused.push("this machine has no GPU that a run would get".to_owned());
        }
        let is_blind = !found.iter().any(|found| counts_processors(&found.gauges));
        let mut looks: Vec<_> = found.into_iter().map(Found::look).collect();
        if is_blind {
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
            looks.push(Look { subject: "processors", is_metered, text: vec![text] });
        }
        looks
    }
}

/// Whether one of the gauges counts the energy of processors.
pub(super) fn counts_processors(gauges: &[Gauge<'_>]) -> bool {
    gauges.iter().any(|gauge| gauge.about.kind == DeviceKind::Cpu)
}

/// What one kind of counter gives.
#[derive(Debug)]
pub(super) struct Found<'a> {
    subject: &'static str,
    pub(super) gauges: Vec<Gauge<'a>>,
    /// Why others are not metered.
    pub(super) refused: Vec<String>,
}

impl Found<'_> {
    fn look(self) -> Look {
        let Self { subject, gauges, refused } = self;
        let names = gauges.iter().map(|gauge| {
            let About { name, source, .. } = &gauge.about;
            format!("{name} ({source})")
        });
        let names = names.collect::<Vec<_>>().join(", ");
        let text = [names].into_iter().filter(|text| !text.is_empty()).chain(refused).collect();
        Look { subject, is_metered: !gauges.is_empty(), text }
    }
}

/// What can be metered of a kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    /// What reads it.
    pub subject: &'static str,
    /// Whether there is anything.
    pub is_metered: bool,
    /// What there is, and why the rest is not metered.
    pub text: Vec<String>,
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{Machine, Request};
    use host::gpus::Devices;

    use crate::{gauge::nvml::fake::FakeNvml, served::Served, target::Subject};

    #[test]
    fn what_could_be_metered_is_told_before_a_run() {
        let root = tempfile::tempdir().unwrap();
        let machine = Machine { root: root.path().to_owned(), ..Machine::default() };
        let mut request = Request {
            served: Served::ByItself,
            gpus: Devices::None,
            no_gpus: None,
            only_used: false,
            idle: None,
            watts_per_cpu: None,
            subject: Subject::Child(Arc::default()),
            machine,
        };
        let shown = |request: &Request| {
            let looks = request.look().into_iter();
            let lines = looks.map(|look| format!("{look:?}"));
            lines.collect::<Vec<_>>().join("\n").replace(root.path().to_str().unwrap(), "")
        };
        let nothing = shown(&request);
        request.watts_per_cpu = "9".parse().ok();
        request.gpus = Devices::All;
        request.machine.library = "libnvidia-ml-of-nobody.so.1".into();
        let closed = shown(&request);
        let zone = root.path().join("sys/class/powercap/intel-rapl:0");
        std::fs::create_dir_all(&zone).unwrap();
        for (file, text) in
            [("name", "package-0"), ("energy_uj", "1"), ("max_energy_range_uj", "9")]
        {
            std::fs::write(zone.join(file), text).unwrap();
        }
        let fake = FakeNvml::new(&["NVIDIA L4"]);
        request.machine.library = fake.library();
        let open = shown(&request);
        insta::assert_snapshot!([nothing, closed, open].join("\n---\n"), @r#"
        Look { subject: "GPUs", is_metered: false, text: ["this machine has no GPU that a run would get"] }
        Look { subject: "RAPL", is_metered: false, text: ["this machine has no RAPL counters (`/sys/class/powercap`): virtual machines mostly have none, others need the kernel module `intel_rapl_msr`, for AMD's processors, too"] }
        Look { subject: "processors", is_metered: false, text: ["processors are not metered; `aienergyscore run --watts-per-cpu W` gives an estimate from their time"] }
        ---
        Look { subject: "NVML", is_metered: false, text: ["NVML, which tells the energy of NVIDIA's GPUs, does not serve: libnvidia-ml-of-nobody.so.1: cannot open shared object file: No such file or directory; `libnvidia-ml.so.1` comes with NVIDIA's driver: install that, or add the folder that has it to LD_LIBRARY_PATH"] }
        Look { subject: "RAPL", is_metered: false, text: ["this machine has no RAPL counters (`/sys/class/powercap`): virtual machines mostly have none, others need the kernel module `intel_rapl_msr`, for AMD's processors, too"] }
        Look { subject: "processors", is_metered: true, text: ["processors are estimated: CPU seconds of the benchmark x 9 W as stated"] }
        ---
        Look { subject: "NVML", is_metered: true, text: ["NVIDIA L4 (NVML energy counter of the whole GPU)"] }
        Look { subject: "RAPL", is_metered: true, text: ["package-0 (RAPL counter of the whole machine)"] }
        "#);
    }
}
