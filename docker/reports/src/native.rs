//! The summary of a report of the `native` backend.

use anyhow::ensure;
use contract::{
    Backend,
    summary::{Device, DeviceKind, Measurement, Run, Status, Summary},
};
use serde_json::Value;

use super::{json::AGAIN, part::Part, phases::phases, rate, record::Source, tracked::believable};

/// The summary of a report.
pub(super) fn summary(report: &Value) -> anyhow::Result<Summary> {
    let whole = Part::whole(report);
    let (config, totals) = (whole.need("config")?, whole.need("summary")?);
    let count = |key: &str| totals.need(key)?.count();
    // Older reports lack it.
    let later = |key: &str| totals.find(key).map(|part| part.count()).transpose();
    let seconds = |key: &str| totals.need(key)?.seconds();
    let prompts = count("prompts")?;
    ensure!(prompts > 0, "no prompt was answered, so there is nothing to sum up; {AGAIN}");
    let (tokens, spent) = (count("completion_tokens")?, seconds("seconds")?);
    let asked = config.need("num_samples_asked")?.count()?;
    let notes = match whole.find("notes") {
        Some(notes) => notes.texts()?,
        // Reports of before there were datasets.
        None if asked == prompts => vec![],
        None => vec![format!("{asked} prompts were asked for, {prompts} are built in")],
    };
    Ok(Summary {
        units: "Wh".to_owned(),
        // This backend uses no GPU, and the score counts nothing else.
        total: None,
        format: Backend::Native.name().to_owned(),
        preprocess_wh: None,
        prefill_wh: None,
        decode_wh: None,
        measurement: measurement(&whole.need("energy")?)?,
        run: Run {
            backend: Backend::Native,
            model: config.need("model")?.text()?.to_owned(),
            prompts_asked: Some(asked),
            prompts,
            prompts_failed: later("prompts_failed")?.unwrap_or_default(),
            prompt_tokens: Some(count("prompt_tokens")?),
            prompts_cut: later("prompts_cut")?,
            prompt_tokens_cut: later("prompt_tokens_cut")?,
            completion_tokens: Some(tokens),
            seconds: Some(spent),
            tokens_per_second: rate(Some(tokens), Some(spent)),
            time_to_first_token_seconds: Some(seconds("time_to_first_token_seconds")?),
            phases: phases(&whole)?,
        },
        notes,
        cache: None,
        host: None,
        repeat: None,
    })
}

fn measurement(energy: &Part<'_>) -> anyhow::Result<Measurement> {
    let status = energy.need("status")?;
    let known = [
        ("measured", Status::Measured),
        ("estimated", Status::Estimated),
        ("not_measured", Status::NotMeasured),
    ];
    Ok(Measurement {
        status: status.one_of(known)?,
        source: energy.need("source")?.text()?.to_owned(),
        devices: energy.need("devices")?.list()?.iter().map(device).collect::<Result<_, _>>()?,
        tracked: None,
    })
}

fn device(device: &Part<'_>) -> anyhow::Result<Device> {
    let kinds = [("gpu", DeviceKind::Gpu), ("cpu", DeviceKind::Cpu), ("ram", DeviceKind::Ram)];
    let energy = device.need("energy_wh")?;
    let Source { status, source, .. } = Source::parse(device)?;
    Ok(Device {
        name: device.need("name")?.text()?.to_owned(),
        kind: device.need("kind")?.one_of(kinds)?,
        energy_wh: believable(energy.place(), energy.amount()?)?,
        status,
        source,
    })
}
