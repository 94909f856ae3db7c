//! What the files beside a summary tell of what ran. Facts of our adapter's record, of
//! optimum-benchmark 0.6 and of ai_energy_benchmarks 0.0.7.

use contract::output::{RECORD, REPORT};
use reports::{Folder, json};
use serde_json::{Map, Value};

use super::record::{Details, Facts, Told};

/// optimum-benchmark's own configuration.
pub(super) const CONFIG: &str = "benchmark_config.json";
/// optimum-benchmark: seconds of the pass that writes the answers, by version.
const LAST_PASS: [&str; 2] = ["generate_codecarbon.json", "task_codecarbon.json"];

/// What is told; a file that cannot be read is a doubt.
pub(super) fn read(folder: &Folder, doubts: &mut Vec<String>) -> Details {
    let mut file = |name: &str| match json::read(folder, name) {
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
    let files = [(RECORD, record), (CONFIG, config), (REPORT, report)];
    let text = |value: &Value| match value {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    // A list, or an object with an entry for each. None in it says nothing.
    let length = |value: &Value| {
        let count = value.as_array().map(Vec::len).or_else(|| value.as_object().map(Map::len))?;
        (count > 0).then_some(count)
    };
    Details {
        dataset: first(
            files,
            &[
                "run_record.json: dataset",
                "benchmark_config.json: scenario.dataset_name",
                "benchmark_report.json: config.dataset",
            ],
            text,
        ),
        dtype: first(
            files,
            &[
                "run_record.json: dtype",
                "benchmark_config.json: backend.torch_dtype",
                "benchmark_report.json: config.weights_computed",
            ],
            text,
        ),
        batch_size: first(
            files,
            &["benchmark_config.json: scenario.input_shapes.batch_size"],
            Value::as_u64,
        ),
        gpus: first(
            files,
            &[
                "run_record.json: energy.gpu.devices",
                "run_record.json: gpus_counted",
                "benchmark_report.json: gpu_stats",
                "benchmark_config.json: environment.gpu",
            ],
            length,
        ),
        seed: first(files, &["run_record.json: seed", "benchmark_config.json: backend.seed"], text),
    }
}

/// What the first of some places, each a file and a key, tells.
fn first<T>(
    files: [(&str, &Value); 3],
    places: &[&'static str],
    read: impl Fn(&Value) -> Option<T>,
) -> Option<Told<T>> {
    places.iter().copied().find_map(|from| {
        let (name, key) = from.split_once(": ")?;
        let (_, file) = files.into_iter().find(|(known, _)| *known == name)?;
        let value = file.pointer(&format!("/{}", key.replace('.', "/")))?;
        Some(Told { value: read(value)?, from })
    })
}

/// What decides under which keys the backend's own files have their numbers.
///
/// # Errors
/// When one of them cannot be read.
pub(super) fn facts(folder: &Folder) -> anyhow::Result<Facts> {
    let file =
        |name: &str| -> anyhow::Result<Value> { Ok(json::read(folder, name)?.unwrap_or_default()) };
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
        LAST_PASS.into_iter().find(|name| folder.dir().has_file(name))
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
        assert_eq!(both.dataset.unwrap().value, "EnergyStarAI/text_generation");
        assert_eq!((both.dtype.unwrap().value, both.gpus.unwrap().value), ("bfloat16".into(), 1));
        assert_eq!((both.batch_size.unwrap().value, both.seed.unwrap().value), (8, "42".into()));
        let alone = told(&Value::Null, &config, &Value::Null);
        assert_eq!((alone.dtype.unwrap().value, alone.gpus.unwrap().value), ("float32".into(), 2));
        let report = json!({"config": {"dataset": "/d"}, "gpu_stats": {"gpu_0": {}}});
        let report = told(&Value::Null, &Value::Null, &report);
        assert_eq!(report.dataset.unwrap().from, "benchmark_report.json: config.dataset");
        assert_eq!(report.gpus.unwrap().value, 1);
        assert_eq!(told(&json!([]), &json!(7), &json!("x")), super::Details::default());
    }
}
