//! One run in a few lines, as the terminal shows it when the run ends.

use contract::{
    Backend,
    host_meter::{HostMeter, MeteredDevice},
    output::{ENERGY_WH, HOST_METER, REPORT, SUMMARY},
    summary::{CacheDelta, DeviceKind, Measurement, Status, Summary},
};
use host::{
    output::units::{bytes, watt_hours},
    paths::host_path::HostPath,
};
use untrusted::escape;

use crate::metrics::SERVER_NOT_MEASURED;

/// The summary of one run as a few lines of text.
pub fn describe(summary: &Summary, results: &HostPath) -> String {
    let Summary { run, measurement, cache, notes, host, .. } = summary;
    let mut rows = vec![
        ("Model", format!("{} (backend {})", run.model, run.backend)),
        ("Energy", energy(measurement)),
    ];
    if run.backend == Backend::Vllm {
        // Its own measurement is of the client.
        rows[1] = ("Client", energy(measurement));
        let of_server = host
            .as_ref()
            .is_some_and(|meter| meter.devices.iter().any(|device| device.kind == DeviceKind::Gpu));
        if !of_server {
            rows.push(("Energy", SERVER_NOT_MEASURED.to_owned()));
        }
    }
    rows.extend(host.as_ref().map(|meter| ("Host", host_energy(meter))));
    let asked = run.prompts_asked.filter(|asked| *asked != run.prompts);
    let asked = asked.map_or_else(String::new, |asked| format!(" of {asked} asked for"));
    let cut = run.prompts_cut.filter(|cut| *cut > 0);
    let mut prompts = vec![format!("{}{asked}", run.prompts)];
    prompts.extend((run.prompts_failed > 0).then(|| format!("{} FAILED", run.prompts_failed)));
    prompts.extend(cut.map(|cut| format!("{cut} CUT")));
    let seconds = run.seconds.map(|seconds| format!("in {seconds:.2} s"));
    match (&mut prompts[..], seconds) {
        ([answered], Some(seconds)) => *answered += &format!(" {seconds}"),
        (_, seconds) => prompts.extend(seconds),
    }
    prompts.extend(run.completion_tokens.map(|tokens| format!("{tokens} tokens")));
    prompts.extend(run.tokens_per_second.map(|rate| format!("{rate:.1} tokens/s")));
    let first = run.time_to_first_token_seconds;
    prompts.extend(first.map(|first| format!("first token after {first:.3} s")));
    rows.push(("Prompts", prompts.join(", ")));
    rows.extend(notes.iter().map(|note| ("Note", note.clone())));
    if let Some(delta) = cache {
        rows.push(("Hub cache", reuse(delta)));
    }
    rows.push(("Results", results.to_string()));
    rows.push(("", format!("{SUMMARY}, {ENERGY_WH}, {REPORT}")));
    rows.iter().map(|(name, text)| format!("{name:<10}{}\n", escape(text))).collect()
}

/// The energy of a run in one line: what was measured and by what, or why nothing was.
pub fn energy(measurement: &Measurement) -> String {
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

/// The energy that stands for a run in one line: as [`energy`], or as the host metered it where the
/// benchmark itself measured nothing that is the model's.
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

/// The host's energies in one line: over the counted phases where these are known, else over all of
/// the run.
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
        host_meter::{HostMeter, MeteredDevice, Phase},
        summary::{CacheDelta, Device, DeviceKind, Measurement, Run, Status, Summary, Tracked},
    };

    use super::{best_energy, describe, energy, host_energy};
    use host::paths::host_path::HostPath;

    use crate::{
        finished_run::FinishedRun,
        testing::{measured, on_cpu},
    };

    #[test]
    fn a_summary_reads_well() {
        let summary = Summary {
            units: "Wh".into(),
            total: None,
            format: "native".into(),
            preprocess_wh: None,
            prefill_wh: None,
            decode_wh: None,
            measurement: Measurement {
                status: Status::NotMeasured,
                source: "no GPU was used".into(),
                devices: vec![],
                tracked: None,
            },
            run: Run {
                backend: Backend::Native,
                model: "smoke/tiny".into(),
                prompts_asked: Some(5),
                prompts: 4,
                prompts_failed: 1,
                prompt_tokens: Some(20),
                prompts_cut: Some(2),
                prompt_tokens_cut: Some(900),
                completion_tokens: Some(40),
                seconds: Some(1.6),
                tokens_per_second: Some(25.0),
                time_to_first_token_seconds: Some(0.0421),
                phases: vec![],
            },
            notes: vec!["a prompt failed".into()],
            cache: Some(CacheDelta::default()),
            host: None,
            repeat: None,
        };
        let results = HostPath::new("", "/r".as_ref(), "/".as_ref()).unwrap();
        insta::assert_snapshot!(describe(&summary, &results), @r"
        Model     smoke/tiny (backend native)
        Energy    not measured: no GPU was used
        Prompts   4 of 5 asked for, 1 FAILED, 2 CUT, in 1.60 s, 40 tokens, 25.0 tokens/s, first token after 0.042 s
        Note      a prompt failed
        Hub cache weights reused: 0 B downloaded
        Results   /r
                  GPU_ENERGY_SUMMARY.json, GPU_ENERGY_WH.txt, benchmark_report.json
        ");
        let run = Run { backend: Backend::Vllm, ..summary.run };
        let served = describe(&Summary { run, ..summary }, &results);
        insta::assert_snapshot!(served.lines().take(3).collect::<Vec<_>>().join("\n"), @r"
        Model     smoke/tiny (backend vllm)
        Client    not measured: no GPU was used
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
    fn what_stands_for_a_run_is_the_models_or_says_that_it_is_not() {
        let mut run = on_cpu("1");
        let shown = |run: &FinishedRun| best_energy(&run.summary);
        let own = shown(&run);
        run.summary.measurement.tracked =
            Some(Tracked { worked_seconds: 0.04, waited_seconds: 1.0 });
        let short = shown(&run);
        let (mut meter, _) = measured("2", 0.42).meter.unwrap();
        meter.devices[0].kind = DeviceKind::Cpu;
        run.summary.host = Some(meter);
        run.summary.measurement.tracked = None;
        let counted = shown(&run);
        run.summary.host.as_mut().unwrap().devices[0].status = Status::Estimated;
        assert_eq!(shown(&run), own, "one estimate is as good as the other");
        run.summary.measurement.status = Status::NotMeasured;
        let estimated = shown(&run);
        insta::assert_snapshot!([own, short, counted, estimated].join("\n"), @r"
        CPU 0.03600 Wh estimated (no GPU was measured; CPU: estimated from CPU seconds)
        too short to measure: 1.00 s of the tracker's own waiting count beside 0.04 s of work; it counted CPU 0.03600 Wh estimated (no GPU was measured; CPU: estimated from CPU seconds)
        CPU 0.4242 Wh measured (0.2554 Wh above idle) over the counted phases; NVML total energy counter (host_meter.json)
        CPU 0.4242 Wh estimated (0.2554 Wh above idle) over the counted phases; NVML total energy counter (host_meter.json)
        ");
    }

    fn metered(name: &str, kind: DeviceKind, source: &str) -> MeteredDevice {
        MeteredDevice {
            name: name.into(),
            id: None,
            kind,
            energy_wh: 3.0,
            counted_wh: Some(1.5),
            idle_watts: Some(36.0),
            status: Status::Measured,
            source: source.into(),
            power: vec![],
            others: vec![],
        }
    }

    #[test]
    fn the_hosts_line_says_what_it_is_over_and_where_it_comes_from() {
        let gpus = ["A", "B"].map(|name| metered(name, DeviceKind::Gpu, "NVML energy counter"));
        let mut processors = metered("processors", DeviceKind::Cpu, "2.00 CPU seconds x 9 W");
        processors.status = Status::Estimated;
        processors.idle_watts = None;
        let mut meter = HostMeter {
            begun: 0.0,
            seconds: 100.0,
            phases: vec![Phase { name: "prompts".into(), from: 10.0, to: 60.0 }],
            idle_seconds: Some(5.0),
            devices: gpus.into_iter().chain([processors]).collect(),
            own_percent: None,
            notes: vec!["no NVML".into(), "no RAPL".into()],
        };
        let counted = host_energy(&meter);
        meter.devices[1].counted_wh = None;
        let whole = host_energy(&meter);
        meter.devices.clear();
        insta::assert_snapshot!([counted, whole, host_energy(&meter)].join("\n"), @r"
        GPU 3.000 Wh measured (2.000 Wh above idle), CPU 1.500 Wh estimated over the counted phases; NVML energy counter; 2.00 CPU seconds x 9 W (host_meter.json)
        GPU 6.000 Wh measured, CPU 3.000 Wh estimated over the whole run; NVML energy counter; 2.00 CPU seconds x 9 W (host_meter.json)
        not metered: no NVML; no RAPL
        ");
    }
}
