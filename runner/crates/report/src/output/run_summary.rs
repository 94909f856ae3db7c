//! The summary of one run as text, printed when the run ends.

use contract::{
    Backend,
    host_meter::{HostMeter, MeteredDevice},
    output::{ENERGY_WH, HOST_METER, REPORT, SUMMARY},
    summary::{CacheDelta, DeviceKind, Measurement, Run, Status, Summary},
};
use host::{
    output::units::{bytes, watt_hours},
    paths::host_path::HostPath,
};
use untrusted::escape;

use crate::metrics::SERVER_NOT_MEASURED;

/// The summary of one run as lines of text.
pub fn describe(summary: &Summary, results: &HostPath) -> String {
    let Summary { run, measurement, cache, notes, host, .. } = summary;
    let mut rows = vec![
        ("Model", format!("{} (backend {})", run.model, run.backend)),
        ("Energy", energy(measurement)),
    ];
    if run.backend == Backend::Vllm {
        // The benchmark measures the client only.
        rows[1] = ("Client", energy(measurement));
        let of_server = host
            .as_ref()
            .is_some_and(|meter| meter.devices.iter().any(|device| device.kind == DeviceKind::Gpu));
        if !of_server {
            rows.push(("Energy", SERVER_NOT_MEASURED.to_owned()));
        }
    }
    rows.extend(host.as_ref().map(|meter| ("Host", host_energy(meter))));
    rows.push(("Prompts", prompts(run)));
    rows.extend(notes.iter().map(|note| ("Note", note.clone())));
    if let Some(delta) = cache {
        rows.push(("Hub cache", reuse(delta)));
    }
    rows.push(("Results", results.to_string()));
    rows.push(("", format!("{SUMMARY}, {ENERGY_WH}, {REPORT}")));
    rows.iter().map(|(name, text)| format!("{name:<10}{}\n", escape(text))).collect()
}

/// How many prompts were answered, and how fast.
fn prompts(run: &Run) -> String {
    let asked = run.prompts_asked.filter(|asked| *asked != run.prompts);
    let asked = asked.map_or_else(String::new, |asked| format!(" of {asked} asked for"));
    let cut = run.prompts_cut.filter(|cut| *cut > 0);
    let mut parts = vec![format!("{}{asked}", run.prompts)];
    parts.extend((run.prompts_failed > 0).then(|| format!("{} FAILED", run.prompts_failed)));
    parts.extend(cut.map(|cut| format!("{cut} CUT")));
    let seconds = run.seconds.map(|seconds| format!("in {seconds:.2} s"));
    match (&mut parts[..], seconds) {
        ([answered], Some(seconds)) => *answered += &format!(" {seconds}"),
        (_, seconds) => parts.extend(seconds),
    }
    parts.extend(run.completion_tokens.map(|tokens| format!("{tokens} tokens")));
    parts.extend(run.tokens_per_second.map(|rate| format!("{rate:.1} tokens/s")));
    let first = run.time_to_first_token_seconds;
    parts.extend(first.map(|first| format!("first token after {first:.3} s")));
    parts.join(", ")
}

/// The energies of a run and their source in one line, or the reason why they are missing.
fn energy(measurement: &Measurement) -> String {
    let Measurement { status, source, devices, tracked: _ } = measurement;
    let part = |kind: DeviceKind| {
        let mut devices = devices.iter().filter(|device| device.kind == kind).peekable();
        let status = devices.peek()?.status;
        let energy: f64 = devices.map(|device| device.energy_wh).sum();
        Some(format!("{} {} Wh {}", kind.name(), watt_hours(energy), status.word()))
    };
    let parts: Vec<_> = DeviceKind::ALL.into_iter().filter_map(part).collect();
    match (status, measurement.too_short()) {
        (Status::NotMeasured, _) if parts.is_empty() => format!("not measured: {source}"),
        (_, Some(why)) => format!("{why}; it counted {} ({source})", parts.join(", ")),
        (_, None) => format!("{} ({source})", parts.join(", ")),
    }
}

/// The headline energy of a run in one line. The host's energy replaces a missing one of the benchmark,
/// and a measured one of the host replaces an estimate.
pub fn best_energy(summary: &Summary) -> String {
    let Summary { measurement, host, .. } = summary;
    let own = match measurement.too_short() {
        None => measurement.status,
        Some(_) => Status::NotMeasured,
    };
    let by_host = host.as_ref().filter(|meter| !meter.devices.is_empty());
    let is_measured =
        |meter: &&HostMeter| meter.devices.iter().all(|device| device.status == Status::Measured);
    match (own, by_host) {
        (Status::NotMeasured, Some(meter)) => host_energy(meter),
        (Status::Estimated, Some(meter)) if is_measured(&meter) => host_energy(meter),
        _ => energy(measurement),
    }
}

fn reuse(CacheDelta { blobs_added, bytes_added, repos }: &CacheDelta) -> String {
    match blobs_added {
        0 => "weights reused: 0 B downloaded".to_owned(),
        _ => {
            let size = bytes(*bytes_added);
            format!("{size} added during the run in {blobs_added} blob(s) of {}", repos.join(", "))
        }
    }
}

/// The host's energies in one line: over the counted phases, or over the whole run if the phases are
/// unknown.
fn host_energy(meter: &HostMeter) -> String {
    let HostMeter { devices, notes, .. } = meter;
    if devices.is_empty() {
        return format!("not metered: {}", notes.join("; "));
    }
    let is_counted = devices.iter().all(|device| device.counted_wh.is_some());
    let over = if is_counted { "over the counted phases" } else { "over the whole run" };
    let parts = DeviceKind::ALL.into_iter().filter_map(|kind| {
        let devices: Vec<_> = devices.iter().filter(|device| device.kind == kind).collect();
        let status = devices.first()?.status;
        let sum = |energy: fn(&MeteredDevice) -> Option<f64>| {
            devices.iter().map(|device| energy(device)).sum::<Option<f64>>()
        };
        let energy = match sum(|device| device.counted_wh).filter(|_| is_counted) {
            Some(energy) => energy,
            None => devices.iter().map(|device| device.energy_wh).sum(),
        };
        let above = devices.iter().map(|device| meter.above_idle(device)).sum::<Option<f64>>();
        let above = above.filter(|_| is_counted);
        let above = above
            .map_or_else(String::new, |above| format!(" ({} Wh above idle)", watt_hours(above)));
        Some(format!("{} {} Wh {}{above}", kind.name(), watt_hours(energy), status.word()))
    });
    let parts = parts.collect::<Vec<_>>().join(", ");
    let mut sources: Vec<_> = devices.iter().map(|device| device.source.as_str()).collect();
    sources.dedup();
    format!("{parts} {over}; {} ({HOST_METER})", sources.join("; "))
}

#[cfg(test)]
mod tests {
    use contract::{
        Backend,
        summary::{CacheDelta, Device, DeviceKind, Measurement, Status, Summary, Tracked},
    };
    use host::paths::host_path::HostPath;

    use super::{best_energy, describe, energy, host_energy};
    use crate::testing::{measured, on_cpu};

    fn described(summary: &Summary) -> String {
        describe(summary, &HostPath::new("", "/r".as_ref(), "/".as_ref()).unwrap())
    }

    #[test]
    fn a_summary_has_a_line_for_each_subject() {
        let mut summary = on_cpu("1").summary;
        summary.run.prompts_asked = Some(22);
        summary.run.prompts_failed = 1;
        summary.run.prompts_cut = Some(2);
        summary.cache = Some(CacheDelta::default());
        insta::assert_snapshot!(described(&summary), @r"
        Model     HuggingFaceTB/SmolLM2-360M-Instruct-GGUF (backend native)
        Energy    CPU 0.03600 Wh estimated (no GPU was measured; CPU: estimated from CPU seconds)
        Prompts   20 of 22 asked for, 1 FAILED, 2 CUT, in 8.00 s, 200 tokens, 25.0 tokens/s, first token after 0.042 s
        Note      the weights are quantised
        Hub cache weights reused: 0 B downloaded
        Results   /r
                  GPU_ENERGY_SUMMARY.json, GPU_ENERGY_WH.txt, benchmark_report.json
        ");
        summary.run.backend = Backend::Vllm;
        summary.measurement.status = Status::NotMeasured;
        summary.measurement.devices.clear();
        let served = described(&summary);
        insta::assert_snapshot!(served.lines().take(3).collect::<Vec<_>>().join("\n"), @r"
        Model     HuggingFaceTB/SmolLM2-360M-Instruct-GGUF (backend vllm)
        Client    not measured: no GPU was measured; CPU: estimated from CPU seconds
        Energy    the server's energy was not measured
        ");
    }

    #[test]
    fn energies_are_summed_by_kind_and_say_their_source() {
        let device = |name: &str, kind, energy_wh| Device {
            name: name.into(),
            kind,
            energy_wh,
            status: Status::Measured,
            source: "c".into(),
        };
        let measurement = Measurement {
            status: Status::Measured,
            source: "RAPL counters".into(),
            devices: vec![
                device("package-0", DeviceKind::Cpu, 0.001),
                device("package-1", DeviceKind::Cpu, 0.0002),
                device("dram", DeviceKind::Ram, 0.5),
            ],
            tracked: None,
        };
        insta::assert_snapshot!(energy(&measurement), @"CPU 0.001200 Wh measured, RAM 0.5000 Wh measured (RAPL counters)");
    }

    #[test]
    fn the_best_energy_is_the_hosts_where_the_benchmarks_is_none_or_an_estimate() {
        let mut run = on_cpu("1");
        let own = best_energy(&run.summary);
        run.summary.measurement.tracked =
            Some(Tracked { worked_seconds: 0.04, waited_seconds: 1.0 });
        let short = best_energy(&run.summary);
        let (mut meter, _) = measured("2", 0.42).meter.unwrap();
        meter.devices[0].kind = DeviceKind::Cpu;
        run.summary.host = Some(meter);
        run.summary.measurement.tracked = None;
        let counted = best_energy(&run.summary);
        run.summary.host.as_mut().unwrap().devices[0].status = Status::Estimated;
        assert_eq!(best_energy(&run.summary), own, "an estimate of the host is no better");
        run.summary.measurement.status = Status::NotMeasured;
        let estimated = best_energy(&run.summary);
        insta::assert_snapshot!([own, short, counted, estimated].join("\n"), @r"
        CPU 0.03600 Wh estimated (no GPU was measured; CPU: estimated from CPU seconds)
        too short to measure: 1.00 s of the tracker's own waiting count beside 0.04 s of work; it counted CPU 0.03600 Wh estimated (no GPU was measured; CPU: estimated from CPU seconds)
        CPU 0.4242 Wh measured (0.2554 Wh above idle) over the counted phases; NVML total energy counter (host_meter.json)
        CPU 0.4242 Wh estimated (0.2554 Wh above idle) over the counted phases; NVML total energy counter (host_meter.json)
        ");
    }

    #[test]
    fn the_hosts_line_names_what_it_covers_and_its_sources() {
        let (mut meter, _) = measured("1", 1.5).meter.unwrap();
        let mut cpu = meter.devices[0].clone();
        cpu.kind = DeviceKind::Cpu;
        cpu.status = Status::Estimated;
        cpu.source = "2.00 CPU seconds x 9 W".into();
        cpu.idle_watts = None;
        meter.devices.extend([meter.devices[0].clone(), cpu]);
        meter.notes = vec!["no NVML".into(), "no RAPL".into()];
        let counted = host_energy(&meter);
        meter.devices[1].counted_wh = None;
        let whole = host_energy(&meter);
        meter.devices.clear();
        insta::assert_snapshot!([counted, whole, host_energy(&meter)].join("\n"), @r"
        GPU 3.030 Wh measured (2.692 Wh above idle), CPU 1.515 Wh estimated over the counted phases; NVML total energy counter; 2.00 CPU seconds x 9 W (host_meter.json)
        GPU 4.800 Wh measured, CPU 2.400 Wh estimated over the whole run; NVML total energy counter; 2.00 CPU seconds x 9 W (host_meter.json)
        not metered: no NVML; no RAPL
        ");
    }
}
