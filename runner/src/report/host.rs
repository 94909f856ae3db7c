//! What the host metered beside a run, for people.

use contract::{
    host_meter::{HostMeter, MeteredDevice},
    output::HOST_METER,
    summary::DeviceKind,
};

use crate::units::watt_hours;

/// The host's energies in one line: over the counted phases where these are known, else over all of
/// the run.
pub(super) fn energy(meter: &HostMeter) -> String {
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
        host_meter::{HostMeter, MeteredDevice, Phase},
        summary::{DeviceKind, Status},
    };

    use super::energy;

    fn device(name: &str, kind: DeviceKind, source: &str) -> MeteredDevice {
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
        let gpus = ["A", "B"].map(|name| device(name, DeviceKind::Gpu, "NVML energy counter"));
        let mut processors = device("processors", DeviceKind::Cpu, "2.00 CPU seconds x 9 W");
        processors.status = Status::Estimated;
        processors.idle_watts = None;
        let mut meter = HostMeter {
            begun: 0.0,
            seconds: 100.0,
            phases: vec![Phase { name: "prompts".into(), from: 10.0, to: 60.0 }],
            idle_seconds: Some(5.0),
            devices: gpus.into_iter().chain([processors]).collect(),
            notes: vec!["no NVML".into(), "no RAPL".into()],
        };
        let counted = energy(&meter);
        meter.devices[1].counted_wh = None;
        let whole = energy(&meter);
        meter.devices.clear();
        insta::assert_snapshot!([counted, whole, energy(&meter)].join("\n"), @r"
        GPU 3.000 Wh measured (2.000 Wh above idle), CPU 1.500 Wh estimated over the counted phases; NVML energy counter; 2.00 CPU seconds x 9 W (host_meter.json)
        GPU 6.000 Wh measured, CPU 3.000 Wh estimated over the whole run; NVML energy counter; 2.00 CPU seconds x 9 W (host_meter.json)
        not metered: no NVML; no RAPL
        ");
    }
}
