//! Refuses impossible numbers: a file may have been edited, or written by another program.

use anyhow::ensure;
use backend_reports::{MOST_SECONDS, MOST_WATT_HOURS};
use contract::{
    host_meter::{HostMeter, MeteredDevice},
    output::SUMMARY,
    summary::{Device, Summary},
};

use crate::sanitize::sanitized;

/// Refuses a summary with impossible numbers. JSON has no infinite numbers.
pub(super) fn check_summary(summary: &Summary) -> anyhow::Result<()> {
    let Summary { units, total, preprocess_wh, prefill_wh, decode_wh, measurement, run, .. } =
        summary;
    ensure!(units == "Wh", "`{SUMMARY}` has the unit {units:?}, and energies of a run are in Wh");
    let energy = |name: &str, energy: f64, least: f64| {
        ensure!(
            (least..=MOST_WATT_HOURS).contains(&energy),
            "`{name}` in `{SUMMARY}` is {energy:e} Wh, which no run draws"
        );
        Ok(())
    };
    for (name, value, least) in [
        ("total", total, 0.0),
        ("preprocess_wh", preprocess_wh, 0.0),
        ("prefill_wh", prefill_wh, 0.0),
        // The difference of two passes may be negative.
        ("decode_wh", decode_wh, -MOST_WATT_HOURS),
    ] {
        value.map_or(Ok(()), |value| energy(name, value, least))?;
    }
    for Device { name, energy_wh, .. } in &measurement.devices {
        energy(&format!("the energy of {name}"), *energy_wh, 0.0)?;
    }
    ensure!(run.prompts > 0, "no prompt was answered, so there is nothing to show");
    let times = [run.seconds, run.tokens_per_second, run.time_to_first_token_seconds];
    for time in times.into_iter().flatten() {
        ensure!(time >= 0.0, "a time in `{SUMMARY}` is below 0, which no run takes");
        ensure!(time <= MOST_SECONDS, "a time in `{SUMMARY}` is {time:e}, which no run takes");
    }
    Ok(())
}

/// Refuses energies and powers that no host can meter.
pub(super) fn check_meter(meter: &HostMeter) -> anyhow::Result<()> {
    for MeteredDevice { name, energy_wh, counted_wh, idle_watts, .. } in &meter.devices {
        let name = sanitized(name);
        for energy in [Some(*energy_wh), *counted_wh].into_iter().flatten() {
            ensure!(
                (0.0..=MOST_WATT_HOURS).contains(&energy),
                "the energy of {name} is {energy:e} Wh, which no run draws"
            );
        }
        if let Some(watts) = idle_watts {
            ensure!(*watts >= 0.0, "{name} draws {watts:e} W at rest, which is below 0");
        }
    }
    Ok(())
}
