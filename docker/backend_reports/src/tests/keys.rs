//! One summary for all four backends: the same keys, and under each the same kind of value.

use std::collections::BTreeMap;

use contract::Backend;
use serde_json::Value;

use super::{native, read, real, record, with_record};

/// Every place of a value with what is there; lists of what they hold are one place.
fn places(value: &Value, path: &str, found: &mut BTreeMap<String, &'static str>) {
    let kind = match value {
        Value::Null => "nothing",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "text",
        Value::Array(items) => {
            items.iter().for_each(|item| places(item, &format!("{path}[]"), found));
            "list"
        }
        Value::Object(map) => {
            map.iter().for_each(|(key, value)| places(value, &format!("{path}.{key}"), found));
            "object"
        }
    };
    found.insert(path.to_owned(), kind);
}

#[test]
fn every_backends_summary_has_the_same_keys_and_types() {
    // Real reports of each backend, those of the Python stacks with a record as every run leaves one.
    let mut served = record("vllm", false);
    served["model"] = "SmolLM2-135M-Instruct".into();
    let folders = [
        (Backend::Optimum, with_record(real("optimum_cpu"), record("optimum", false))),
        (Backend::Pytorch, with_record(real("ai_energy_benchmarks_cpu"), record("pytorch", false))),
        (Backend::Vllm, with_record(real("vllm_llama_cpp"), served)),
        (Backend::Native, real("native_cpu")),
    ];
    let found = folders.map(|(backend, folder)| {
        let summary = read(folder.path()).unwrap_or_else(|error| panic!("{backend}: {error:#}"));
        assert_eq!(summary.run.backend, backend);
        let mut found = BTreeMap::new();
        places(&serde_json::to_value(&summary).unwrap(), "", &mut found);
        (backend, found)
    });
    let (_, expected) = &found[0];
    assert!(expected.contains_key(".run.completion_tokens"), "{expected:?}");
    for (backend, places) in &found[1..] {
        for (place, kind) in places {
            // What a list holds is known where it holds something.
            let Some(other) = expected.get(place) else {
                assert!(place.contains("[]"), "{backend} alone has `{place}`");
                continue;
            };
            let known = [*kind, *other].iter().all(|kind| *kind != "nothing");
            assert!(!known || kind == other, "{backend}: `{place}` is {kind}, not {other}");
        }
        let lacks =
            expected.keys().find(|place| !place.contains("[]") && !places.contains_key(*place));
        assert_eq!(lacks, None, "{backend}");
    }
}

#[test]
fn a_report_in_memory_has_the_keys_of_the_real_one() {
    let folder = real("native_cpu");
    let text = std::fs::read_to_string(folder.path().join(contract::output::REPORT)).unwrap();
    let mut all = [BTreeMap::new(), BTreeMap::new()];
    for (text, found) in [text, native(2)].iter().zip(&mut all) {
        places(&serde_json::from_str(text).unwrap(), "", found);
    }
    let [real, made] = all.map(|places| places.into_keys().collect::<Vec<_>>());
    assert_eq!(real, made);
}
