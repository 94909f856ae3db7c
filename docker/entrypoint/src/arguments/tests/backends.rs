//! The contract's table of arguments and backends, compared with what the parser refuses.

use contract::{
    Backend,
    argument::{self, DATASET, DEVICE, KEYS, Key, Kind, REASONING, Support},
};
use serde_json::Value;

use super::parsed;

/// Arguments that a key needs to have an effect.
const COMPANIONS: [(&str, &[&str]); 7] = [
    ("scenario.reasoning_params", &["scenario.reasoning=True"]),
    ("scenario.system_prompt", &["scenario.reasoning=True"]),
    ("scenario.generate_kwargs.temperature", &["scenario.generate_kwargs.do_sample=True"]),
    ("scenario.generate_kwargs.top_p", &["scenario.generate_kwargs.do_sample=True"]),
    ("scenario.generate_kwargs.top_k", &["scenario.generate_kwargs.do_sample=True"]),
    ("backend.torch_compile_target", &["backend.torch_compile=True"]),
    ("backend.torch_compile_config", &["backend.torch_compile=True"]),
];

/// Values of a key's kind. Every backend that takes the key takes the first.
fn values(key: &Key) -> Vec<&'static str> {
    match key.kind {
        Kind::Text => vec!["word"],
        Kind::Count => vec!["1", "2"],
        Kind::Whole | Kind::Number => vec!["1"],
        Kind::Bool => vec!["True", "False"],
        Kind::Ids => vec!["0,1"],
        Kind::OneOf(words) => words.to_vec(),
        Kind::Tree => vec!["{name: 1}"],
    }
}

#[test]
fn every_backend_takes_the_arguments_that_the_table_lists() {
    let mut seen = [0; 3];
    for key in &KEYS {
        for backend in Backend::ALL {
            for value in values(key) {
                let argument = format!("{}={value}", key.name);
                let companions = COMPANIONS.iter().find(|(name, _)| *name == key.name);
                let companions = companions.map_or(&[][..], |(_, all)| all);
                let args = [&["backend.model=m"], companions, &[&*argument]].concat();
                let outcome = parsed(backend, &args);
                let named = format!("`{argument}` is not for the `{backend}` backend");
                match key.backends.of(backend) {
                    Support::Full => {
                        seen[0] += 1;
                        let settings = outcome.unwrap_or_else(|why| panic!("{why}"));
                        let value = settings.get(key.name);
                        assert!(value.is_some_and(|value| *value != Value::Null), "{argument}");
                    }
                    Support::Only(only, why) => {
                        seen[1] += 1;
                        assert_eq!(outcome.is_ok(), only.contains(&value), "{backend} {argument}");
                        if let Err(said) = outcome {
                            assert!(said.contains(&named) && said.contains(why), "{said}");
                        }
                    }
                    Support::No(why) => {
                        seen[2] += 1;
                        let said = outcome.unwrap_err();
                        assert!(said.contains(&format!("{named}: {why}")), "{said}");
                    }
                }
            }
        }
    }
    assert!(seen.iter().all(|count| *count > 5), "{seen:?}");
}

#[test]
fn limited_values_are_some_of_the_keys_values() {
    for key in &KEYS {
        for backend in Backend::ALL {
            if let Support::Only(only, _) = key.backends.of(backend) {
                assert!(!only.is_empty() && only.iter().all(|value| values(key).contains(value)));
                assert!(only.len() < values(key).len(), "{}: no limit at all", key.name);
            }
        }
        assert!(Backend::ALL.iter().any(|backend| key.backends.contains(*backend)), "{}", key.name);
    }
    assert!(
        KEYS.iter().any(|key| key.name == DEVICE) && KEYS.iter().any(|key| key.name == DATASET)
    );
}

#[test]
fn arguments_of_the_model_families_table_are_taken_by_every_backend() {
    let guide = include_str!("../../../../../ai_helpers/BENCHMARK_ARGUMENTS.md");
    let (_, table) = guide.split_once("| Models | AIEnergyScore |").unwrap();
    let rows = table.lines().skip(2).take_while(|line| line.starts_with('|'));
    let args =
        rows.flat_map(|row| row.split('|').skip(3)).map(|cell| cell.trim().trim_matches('`'));
    let args: Vec<_> = args.filter(|arg| arg.contains('=')).collect();
    assert!(args.len() > 8, "{args:?}");
    for arg in args {
        let reasoning = format!("{REASONING}=True");
        for backend in Backend::ALL {
            let settings = parsed(backend, &["backend.model=org/m", &reasoning, arg]);
            let settings = settings.unwrap_or_else(|why| panic!("{why}"));
            let (key, _) = argument::split(arg).unwrap();
            assert!(settings.get(key).is_some(), "{backend} {arg}");
        }
    }
}
