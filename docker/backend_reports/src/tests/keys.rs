//! Keys and types of the summary for all four backends.

use std::collections::BTreeMap;

use contract::Backend;
use serde_json::Value;

use super::{native, read, real, record, with_record};

/// Paths of a value with their types. All items of a list share a path.
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
fn summaries_of_all_backends_have_the_same_keys_and_types() {
    // A real report of each backend, with a record for the Python stacks, as every run has.
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
            // The type of items is unknown for an empty list.
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
fn native_report_type_has_the_keys_of_a_real_report() {
    let folder = real("native_cpu");
    let text = std::fs::read_to_string(folder.path().join(contract::output::REPORT)).unwrap();
    let mut all = [BTreeMap::new(), BTreeMap::new()];
    for (text, found) in [text, native(2)].iter().zip(&mut all) {
        places(&serde_json::from_str(text).unwrap(), "", found);
    }
    let [real, made] = all.map(|places| places.into_keys().collect::<Vec<_>>());
    assert_eq!(real, made);
}
