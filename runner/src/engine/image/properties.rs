//! What holds for labels and references of any text.

use std::collections::BTreeMap;

use contract::{Flavour, label};
use proptest::{collection::btree_map, prelude::*, sample::select};

use super::{LocalImage, parse_labels, remedy};
use crate::{process::Captured, testing::broken};

const LABELS: &str = r#"{"org.aienergyscore.flavour":"smoke","org.aienergyscore.inputs":"ab"}"#;

fn read(code: i32, stdout: &str, stderr: &str) -> anyhow::Result<Option<LocalImage>> {
    let answer = Captured { code, stdout: stdout.to_owned(), stderr: stderr.to_owned() };
    parse_labels("docker", "bench:1", &answer)
}

proptest! {
    #[test]
    fn labels_are_read_among_any_others(
        others in btree_map(any::<String>(), any::<String>(), 0..4),
        flavour in select(Flavour::ALL.to_vec()),
        inputs in any::<String>(),
    ) {
        let ours = [(label::FLAVOUR, flavour.name()), (label::INPUTS, &inputs)];
        let ours = ours.map(|(key, value)| (key.to_owned(), value.to_owned()));
        let labels: BTreeMap<_, _> = others.into_iter().chain(ours).collect();
        let image = read(0, &serde_json::to_string(&labels).unwrap(), "").unwrap();
        prop_assert_eq!(image, Some(LocalImage { flavour: Some(flavour), inputs: Some(inputs) }));
    }

    #[test]
    fn any_answer_is_labels_or_an_error(
        code in prop_oneof![Just(0), any::<i32>()],
        stdout in prop_oneof![broken(LABELS), any::<String>()],
        stderr in prop_oneof![broken("Error: No such image: bench:1"), any::<String>()],
    ) {
        match read(code, &stdout, &stderr) {
            Ok(image) => prop_assert_eq!(image.is_some(), code == 0),
            Err(error) if code != 0 => prop_assert!(error.to_string().contains("`bench:1`")),
            Err(error) => prop_assert!(error.to_string().contains("labels"), "{}", error),
        }
    }

    #[test]
    fn any_reference_has_a_remedy(reference in prop_oneof!["[a-z:@/-]{0,20}", any::<String>()]) {
        prop_assert!(remedy(&reference).contains("cargo xtask build-image"));
    }
}
