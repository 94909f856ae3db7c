//! Properties of damaged real reports.

use std::{fs, path::Path};

use contract::{
    output,
    summary::{Status, Summary},
};
use proptest::{collection::vec, prelude::*, sample::select};
use serde_json::{Value, json};

use super::{energy_text, read, real, record, with_record};

/// A change of a value in a file.
#[derive(Debug, Clone)]
enum Damage {
    Drop,
    Negate,
    Scale(f64),
    Replace(Value),
    /// Another value of the same file.
    Copy(usize),
}

fn damage() -> impl Strategy<Value = Damage> {
    let foreign = select(vec![
        json!(null),
        json!(true),
        json!(0),
        json!(-0.0),
        json!(-1),
        json!(0.5),
        json!(1e-300),
        json!(1e13),
        json!(f64::MAX),
        json!(i64::MIN),
        json!(u64::MAX),
        json!("NaN"),
        json!("-Infinity"),
        json!(""),
        json!("4"),
        json!("cuda"),
        json!("\u{1b}[2J\n"),
        json!([]),
        json!([1, "a", null]),
        json!({}),
        json!({"value": 1, "total": 1e300}),
    ]);
    prop_oneof![
        Just(Damage::Drop),
        Just(Damage::Negate),
        (-1e3..1e3_f64).prop_map(Damage::Scale),
        foreign.prop_map(Damage::Replace),
        any::<usize>().prop_map(Damage::Copy),
    ]
}

/// A real report, and the changes of values in its files.
type Case = (&'static str, Option<bool>, Vec<(usize, usize, Damage)>);

fn case() -> impl Strategy<Value = Case> {
    let name = select(vec![
        "optimum_cpu",
        "optimum_cpu_latency",
        "ai_energy_benchmarks_cpu",
        "vllm_llama_cpp",
        "native",
    ]);
    // No record, or one for a run without or with GPUs.
    (name, any::<Option<bool>>(), vec((any::<usize>(), any::<usize>(), damage()), 1..5))
}

/// Applies `damage` to the value at `at`. A change that does not fit removes the value.
fn apply(whole: &mut Value, at: usize, damage: &Damage) {
    let other = match damage {
        Damage::Copy(other) => chosen(whole, *other).clone(),
        _ => Value::Null,
    };
    let place = chosen(whole, at);
    match (damage, place.as_f64()) {
        (Damage::Replace(value), _) => *place = value.clone(),
        (Damage::Copy(_), _) => *place = other,
        (Damage::Negate, Some(number)) => *place = json!(-number),
        (Damage::Scale(by), Some(number)) => *place = json!(number * by),
        (Damage::Drop | Damage::Negate | Damage::Scale(_), _) => lose(place, at),
    }
}

/// Removes a key from an object. Other values become null.
fn lose(place: &mut Value, at: usize) {
    match place.as_object_mut().filter(|object| !object.is_empty()) {
        Some(object) => {
            let key = object.keys().nth(at % object.len()).cloned();
            object.shift_remove(&key.unwrap());
        }
        None => *place = Value::Null,
    }
}

/// The value at `at`. Each step stays or goes one level deeper.
fn chosen(value: &mut Value, at: usize) -> &mut Value {
    let ways = 1 + match &*value {
        Value::Array(list) => list.len(),
        Value::Object(object) => object.len(),
        _ => 0,
    };
    let Some(way) = (at % ways).checked_sub(1) else { return value };
    let below = match value {
        Value::Array(list) => &mut list[way],
        Value::Object(object) => object.values_mut().nth(way).unwrap(),
        other => return other,
    };
    chosen(below, at / ways)
}

/// A report of the `native` backend.
fn native() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let report = json!({
        "format": "native",
        "config": {"model": "m", "num_samples_asked": 3},
        "summary": {
            "prompts": 2, "prompt_tokens": 5, "completion_tokens": 20, "seconds": 0.5,
            "time_to_first_token_seconds": 0.1,
        },
        "energy": {
            "status": "measured", "source": "RAPL",
            "devices": [{
                "name": "package-0", "kind": "cpu", "energy_wh": 0.5, "status": "measured",
                "source": "RAPL",
            }],
        },
    });
    fs::write(folder.path().join(output::REPORT), report.to_string()).unwrap();
    folder
}

fn damaged((name, gpu, damages): &Case) -> tempfile::TempDir {
    let folder = if *name == "native" { native() } else { real(name) };
    let folder = match gpu {
        Some(gpu) => {
            let optimum = name.starts_with("optimum");
            with_record(folder, record(if optimum { "optimum" } else { "pytorch" }, *gpu))
        }
        None => folder,
    };
    let mut names: Vec<_> =
        fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.sort();
    for (file, at, damage) in damages {
        let path = &names[file % names.len()];
        let mut value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
        apply(&mut value, *at, damage);
        fs::write(path, value.to_string()).unwrap();
    }
    folder
}

/// Checks that a summary is consistent.
fn is_consistent(summary: &Summary) -> Result<(), TestCaseError> {
    let json = serde_json::to_string(summary).unwrap();
    // NaN would be null in JSON.
    let again: Summary = serde_json::from_str(&json).unwrap();
    prop_assert_eq!(&again, summary);
    let Summary { total, preprocess_wh, prefill_wh, decode_wh, measurement, run, .. } = summary;
    let amounts = [*total, *preprocess_wh, *prefill_wh, run.seconds, run.tokens_per_second];
    let devices = measurement.devices.iter().map(|device| device.energy_wh);
    for amount in amounts.into_iter().flatten().chain(devices) {
        prop_assert!(amount >= 0.0 && amount.is_finite(), "{}", json);
    }
    prop_assert!(decode_wh.is_none_or(f64::is_finite));
    prop_assert!(run.prompts > 0, "{}", json);
    if let (Some(total), Some(first), Some(second), Some(third)) =
        (total, preprocess_wh, prefill_wh, decode_wh)
    {
        let sum = first + second + third;
        prop_assert!((total - sum).abs() <= 1e-9 * sum.abs(), "{} {}", total, sum);
    }
    prop_assert!(total.is_none() || measurement.status != Status::NotMeasured);
    let text = energy_text(summary);
    prop_assert!(text.parse::<f64>().ok() == *total, "{}", text);
    Ok(())
}

/// Checks that an error names its file.
fn is_helpful(error: &anyhow::Error, folder: &Path) -> Result<(), TestCaseError> {
    let message = format!("{error:#}");
    prop_assert!(message.contains(folder.to_str().unwrap()), "{}", message);
    prop_assert!(!message.contains(char::is_control), "{:?}", message);
    prop_assert!(message.chars().count() < 2000, "{}", message);
    Ok(())
}

proptest! {
    #[test]
    fn damaged_report_gives_a_consistent_summary_or_a_named_error(case in case()) {
        let folder = damaged(&case);
        match read(folder.path()) {
            Ok(summary) => is_consistent(&summary)?,
            Err(error) => is_helpful(&error, folder.path())?,
        }
    }

    #[test]
    fn report_with_random_bytes_gives_a_consistent_summary_or_a_named_error(
        case in case(),
        at in any::<usize>(),
        bytes in vec(any::<u8>(), 0..4),
    ) {
        let (name, gpu, _) = case;
        let folder = damaged(&(name, gpu, vec![]));
        let path = folder.path().join(output::REPORT);
        let mut text = fs::read(&path).unwrap();
        let at = at % text.len();
        text.splice(at..(at + bytes.len()).min(text.len()), bytes);
        fs::write(path, text).unwrap();
        match read(folder.path()) {
            Ok(summary) => is_consistent(&summary)?,
            Err(error) => is_helpful(&error, folder.path())?,
        }
    }

    #[test]
    fn energies_of_any_size_sum_up_to_the_total(
        energies in vec([0.0..1e9_f64, 0.0..1e9_f64, -1e-6..1e-6_f64], 3),
        scale in select(vec![1e-9, 1.0, 1e6]),
        exact in any::<bool>(),
        unit in select(vec!["kWh", "Wh", "J"]),
    ) {
        let kinds = ["gpu", "cpu", "ram"];
        let mut report = json!({"preprocess_dataset": {}, "prefill": {}, "decode": {}});
        for phase in ["preprocess_dataset", "prefill", "decode"] {
            report[phase]["energy"] = json!({"unit": unit});
        }
        for (kind, [first, prefill, rest]) in kinds.iter().zip(&energies) {
            let first = if exact { 0.0 } else { first * scale };
            // Decode is the second pass minus prefill, here nearly 0.
            let decode = -prefill * scale * (1.0 + rest * 1e-3);
            report["preprocess_dataset"]["energy"][kind] = json!(first);
            report["prefill"]["energy"][kind] = json!(prefill * scale);
            report["decode"]["energy"][kind] = json!(decode);
        }
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(output::REPORT), report.to_string()).unwrap();
        let config = json!({"scenario": {"num_samples": 4}});
        fs::write(folder.path().join("benchmark_config.json"), config.to_string()).unwrap();
        match read(folder.path()) {
            Ok(summary) => is_consistent(&summary)?,
            Err(error) => is_helpful(&error, folder.path())?,
        }
    }
}
