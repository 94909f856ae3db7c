//! What the files beside a summary tell of what ran. Facts of our adapter's record, of
//! optimum-benchmark 0.6 and of ai_energy_benchmarks 0.0.7.

use std::path::Path;

use contract::output::{RECORD, REPORT};
use reports::json;
use serde_json::Value;

use super::record::{Details, Facts};

/// optimum-benchmark's own configuration.
pub(super) const CONFIG: &str = "benchmark_config.json";
/// optimum-benchmark: seconds of the pass that writes the answers, by version.
const LAST_PASS: [&str; 2] = ["generate_codecarbon.json", "task_codecarbon.json"];

/// What is told; a file that cannot be read is a doubt.
pub(super) fn read(folder: &Path, doubts: &mut Vec<String>) -> Details {
    let mut file = |name: &str| match json::read(&folder.join(name)) {
        Ok(value) => value.unwrap_or_default(),
        Err(error) => {
            doubts.push(format!("`{name}` tells nothing: {error:#}"));
            Value::Null
        }
    };
    let (record, config, report) = (file(RECORD), file(CONFIG), file(REPORT));
    told(&record, &config, &report)
}

fn told(record: &Value, config: &Value, report: &Value) -> Details {
    let text = |value: &Value, path: &str| {
        let value = value.pointer(path)?;
        match value {
            Value::String(text) if !text.is_empty() => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        }
    };
    let length = |value: &Value, path: &str| Some(value.pointer(path)?.as_array()?.len());
    let dataset = [
        (record, "/dataset", "run_record.json: dataset"),
        (config, "/scenario/dataset_name", "benchmark_config.json: scenario.dataset_name"),
        (report, "/config/dataset", "benchmark_report.json: config.dataset"),
    ];
    let statistics = || Some(report.pointer("/gpu_stats")?.as_object()?.len());
    Details {
        dataset: dataset
            .into_iter()
            .find_map(|(file, path, whence)| Some((text(file, path)?, whence))),
        dtype: text(record, "/dtype")
            .or_else(|| text(config, "/backend/torch_dtype"))
            .or_else(|| text(report, "/config/weights_computed")),
        batch_size: config.pointer("/scenario/input_shapes/batch_size").and_then(Value::as_u64),
        gpus: length(record, "/energy/gpu/devices")
            .or_else(|| length(record, "/gpus_counted").filter(|count| *count > 0))
            .or_else(|| statistics().filter(|count| *count > 0))
            .or_else(|| length(config, "/environment/gpu")),
        seed: text(record, "/seed").or_else(|| text(config, "/backend/seed")),
    }
}

/// What decides under which keys the backend's own files have their numbers.
///
/// # Errors
/// When one of them cannot be read.
pub(super) fn facts(folder: &Path) -> anyhow::Result<Facts> {
    let file = |name: &str| -> anyhow::Result<Value> {
        Ok(json::read(&folder.join(name))?.unwrap_or_default())
    };
    let (record, config, report) = (file(RECORD)?, file(CONFIG)?, file(REPORT)?);
    let preprocess = match report.get("preprocess_dataset") {
        Some(_) => "preprocess_dataset",
        None => "preprocess",
    };
    // As the reader of reports has it.
    let watt_hours = |phase: &str| {
        let unit = report.pointer(&format!("/{phase}/energy/unit")).and_then(Value::as_str);
        match unit.map(str::to_ascii_lowercase).as_deref() {
            Some("wh") => 1.0,
            Some("j") => 1.0 / 3600.0,
            _ => 1000.0,
        }
    };
    let latency = |phase| report.pointer(&format!("/{phase}/latency/total")).is_some();
    let seconds = if latency("prefill") && latency("decode") {
        Some(REPORT)
    } else {
        LAST_PASS.into_iter().find(|name| folder.join(name).exists())
    };
    Ok(Facts {
        record: record.is_object(),
        preprocess,
        watt_hours: [preprocess, "prefill", "decode"].map(watt_hours),
        configured: config.pointer("/scenario/num_samples").is_some_and(Value::is_u64),
        seconds,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::told;

    #[test]
    fn a_record_wins_over_the_stacks_own_files() {
        let record = json!({
            "dataset": "EnergyStarAI/text_generation", "dtype": "bfloat16", "seed": 42,
            "gpus_counted": [0, 1], "energy": {"gpu": {"devices": ["NVIDIA H100 80GB HBM3"]}},
        });
        let config = json!({
            "scenario": {"dataset_name": "other", "input_shapes": {"batch_size": 8}},
            "backend": {"torch_dtype": "float32", "seed": 7}, "environment": {"gpu": ["a", "b"]},
        });
        let both = told(&record, &config, &Value::Null);
        assert_eq!(both.dataset.unwrap().0, "EnergyStarAI/text_generation");
        assert_eq!((both.dtype.as_deref(), both.gpus), (Some("bfloat16"), Some(1)));
        assert_eq!((both.batch_size, both.seed.as_deref()), (Some(8), Some("42")));
        let alone = told(&Value::Null, &config, &Value::Null);
        assert_eq!((alone.dtype.as_deref(), alone.gpus), (Some("float32"), Some(2)));
        let report = json!({"config": {"dataset": "/d"}, "gpu_stats": {"gpu_0": {}}});
        let report = told(&Value::Null, &Value::Null, &report);
        assert_eq!(report.dataset.unwrap().1, "benchmark_report.json: config.dataset");
        assert_eq!(report.gpus, Some(1));
        assert_eq!(told(&json!([]), &json!(7), &json!("x")), super::Details::default());
    }
}
