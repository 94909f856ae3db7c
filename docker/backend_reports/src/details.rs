//! Settings of a run, from the files beside a summary: the adapter's record, and the files of
//! optimum-benchmark 0.6 and ai_energy_benchmarks 0.0.7.

use contract::output::{RECORD, REPORT};
use serde_json::{Map, Value};

use super::source::files::{CONFIG, Files};

/// Settings of a run; `None` if unknown.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Details {
    /// The dataset.
    pub dataset: Option<Sourced<String>>,
    /// Data type of the weights.
    pub dtype: Option<Sourced<String>>,
    /// Prompts per forward pass.
    pub batch_size: Option<Sourced<u64>>,
    /// Number of GPUs whose energy was counted.
    pub gpus: Option<Sourced<usize>>,
    /// The seed.
    pub seed: Option<Sourced<String>>,
}

/// A value with its source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sourced<T> {
    /// The value.
    pub value: T,
    /// The file and the key.
    pub from: &'static str,
}

impl Files<'_> {
    /// Settings of the run, and a warning for each unreadable file.
    pub fn details(&self) -> (Details, Vec<String>) {
        let mut warnings = vec![];
        let files = [(RECORD, &self.record), (CONFIG, &self.config), (REPORT, &self.report)];
        let [record, config, report] = files.map(|(name, file)| match file {
            Ok(value) => value.as_ref().unwrap_or(&Value::Null),
            Err(error) => {
                warnings.push(format!("`{name}` tells nothing: {error:#}"));
                &Value::Null
            }
        });
        (details(record, config, report), warnings)
    }
}

fn details(record: &Value, config: &Value, report: &Value) -> Details {
    let files = [(RECORD, record), (CONFIG, config), (REPORT, report)];
    let text = |value: &Value| match value {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    // A list, or an object with a key for each GPU. An empty one means unknown.
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

/// The first value that exists, searched by file and key.
fn first<T>(
    files: [(&str, &Value); 3],
    places: &[&'static str],
    read: impl Fn(&Value) -> Option<T>,
) -> Option<Sourced<T>> {
    places.iter().copied().find_map(|from| {
        let (name, key) = from.split_once(": ")?;
        let (_, file) = files.into_iter().find(|(known, _)| *known == name)?;
        let value = file.pointer(&format!("/{}", key.replace('.', "/")))?;
        Some(Sourced { value: read(value)?, from })
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Details, details};

    #[test]
    fn record_takes_precedence_over_the_files_of_the_stack() {
        let record = json!({
            "dataset": "EnergyStarAI/text_generation", "dtype": "bfloat16", "seed": 42,
            "gpus_counted": [0, 1], "energy": {"gpu": {"devices": ["NVIDIA H100 80GB HBM3"]}},
        });
        let config = json!({
            "scenario": {"dataset_name": "other", "input_shapes": {"batch_size": 8}},
            "backend": {"torch_dtype": "float32", "seed": 7}, "environment": {"gpu": ["a", "b"]},
        });
        let both = details(&record, &config, &Value::Null);
        assert_eq!(both.dataset.unwrap().value, "EnergyStarAI/text_generation");
        assert_eq!((both.dtype.unwrap().value, both.gpus.unwrap().value), ("bfloat16".into(), 1));
        assert_eq!((both.batch_size.unwrap().value, both.seed.unwrap().value), (8, "42".into()));
        let alone = details(&Value::Null, &config, &Value::Null);
        assert_eq!((alone.dtype.unwrap().value, alone.gpus.unwrap().value), ("float32".into(), 2));
        let report = json!({"config": {"dataset": "/d"}, "gpu_stats": {"gpu_0": {}}});
        let report = details(&Value::Null, &Value::Null, &report);
        assert_eq!(report.dataset.unwrap().from, "benchmark_report.json: config.dataset");
        assert_eq!(report.gpus.unwrap().value, 1);
        assert_eq!(details(&json!([]), &json!(7), &json!("x")), Details::default());
    }
}
