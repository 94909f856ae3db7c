//! What holds for real reports that something was done to.

use std::{fs, path::Path};

use contract::{
    output,
    summary::{Status, Summary},
};
use proptest::{collection::vec, prelude::*, sample::select};
use serde_json::{Value, json};

use super::{energy_text, read, real, record, with_record};

/// Something that is done to a value of a file.
#[derive(Debug, Clone)]
enum Harm {
    Drop,
    Negate,
    Scale(f64),
    Replace(Value),
    /// Another value of the same file.
    Copy(usize),
}

fn harm() -> impl Strategy<Value = Harm> {
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
        Just(Harm::Drop),
        Just(Harm::Negate),
        (-1e3..1e3_f64).prop_map(Harm::Scale),
        foreign.prop_map(Harm::Replace),
        any::<usize>().prop_map(Harm::Copy),
    ]
}

/// A kind of real report, and what is done to which value of which of its files.
type Case = (&'static str, Option<bool>, Vec<(usize, usize, Harm)>);

fn case() -> impl Strategy<Value = Case> {
    let name = select(vec![
        "optimum_cpu",
        "optimum_cpu_latency",
        "ai_energy_benchmarks_cpu",
        "vllm_llama_cpp",
        "native",
    ]);
    // Without a record, or with one of a run without or with GPUs.
    (name, any::<Option<bool>>(), vec((any::<usize>(), any::<usize>(), harm()), 1..5))
}

/// Does `harm` to the value that `at` leads to. What cannot be done to it is a loss.
fn inflict(whole: &mut Value, at: usize, harm: &Harm) {
    let other = match harm {
        Harm::Copy(other) => chosen(whole, *other).clone(),
        _ => Value::Null,
    };
    let place = chosen(whole, at);
    match (harm, place.as_f64()) {
        (Harm::Replace(value), _) => *place = value.clone(),
        (Harm::Copy(_), _) => *place = other,
        (Harm::Negate, Some(number)) => *place = json!(-number),
        (Harm::Scale(by), Some(number)) => *place = json!(number * by),
        (Harm::Drop | Harm::Negate | Harm::Scale(_), _) => lose(place, at),
    }
}

/// Takes a key from an object; anything else becomes null.
fn lose(place: &mut Value, at: usize) {
    match place.as_object_mut().filter(|object| !object.is_empty()) {
        Some(object) => {
            let key = object.keys().nth(at % object.len()).cloned();
            object.shift_remove(&key.unwrap());
        }
        None => *place = Value::Null,
    }
}

/// The value that `at` leads to: each step stays or goes one deeper.
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

fn harmed((name, gpu, harms): &Case) -> tempfile::TempDir {
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
    for (file, at, harm) in harms {
        let path = &names[file % names.len()];
        let mut value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
        inflict(&mut value, *at, harm);
        fs::write(path, value.to_string()).unwrap();
    }
    folder
}

/// What makes a summary one.
fn is_sound(summary: &Summary) -> Result<(), TestCaseError> {
    let json = serde_json::to_string(summary).unwrap();
    // A number that is none would be null there.
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

/// What makes an error one that helps.
fn is_told(error: &anyhow::Error, folder: &Path) -> Result<(), TestCaseError> {
    let said = format!("{error:#}");
    prop_assert!(said.contains(folder.to_str().unwrap()), "{}", said);
    prop_assert!(!said.contains(char::is_control), "{:?}", said);
    prop_assert!(said.chars().count() < 2000, "{}", said);
    Ok(())
}

proptest! {
    #[test]
    fn a_harmed_report_is_summed_up_soundly_or_refused_by_name(case in case()) {
        let folder = harmed(&case);
        match read(folder.path()) {
            Ok(summary) => is_sound(&summary)?,
            Err(error) => is_told(&error, folder.path())?,
        }
    }

    #[test]
    fn a_report_of_any_bytes_is_refused_by_name(
        case in case(),
        at in any::<usize>(),
        bytes in vec(any::<u8>(), 0..4),
    ) {
        let (name, gpu, _) = case;
        let folder = harmed(&(name, gpu, vec![]));
        let path = folder.path().join(output::REPORT);
        let mut text = fs::read(&path).unwrap();
        let at = at % text.len();
        text.splice(at..(at + bytes.len()).min(text.len()), bytes);
        fs::write(path, text).unwrap();
        match read(folder.path()) {
            Ok(summary) => is_sound(&summary)?,
            Err(error) => is_told(&error, folder.path())?,
        }
    }

    #[test]
    fn energies_of_any_size_add_up(
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
            // Decode is what a second pass takes more than prefill, here nearly nothing.
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
            Ok(summary) => is_sound(&summary)?,
            Err(error) => is_told(&error, folder.path())?,
        }
    }
}
