//! Properties of labels and references with arbitrary text.

use std::collections::BTreeMap;

use contract::{Flavour, IMAGE, label};
use host::{process::Captured, testing::broken};
use proptest::{collection::btree_map, prelude::*, sample::select};

use super::{LocalImage, parse};
use crate::{Mode, testing::engine};

const ANSWER: &str = r#"{"Architecture":"amd64","Config":{"Labels":{"org.aienergyscore.flavour":"smoke","org.aienergyscore.inputs":"ab"}}}"#;

fn read(code: i32, stdout: &str, stderr: &str) -> anyhow::Result<Option<LocalImage>> {
    let answer = Captured { code, stdout: stdout.to_owned(), stderr: stderr.to_owned() };
    parse("docker", "bench:1", &answer)
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
        let answer = serde_json::json!({ "Architecture": "arm64", "Config": { "Labels": labels } });
        let image = read(0, &answer.to_string(), "").unwrap().unwrap();
        let LocalImage { flavour: found, inputs: read, version: _, architecture, .. } = image;
        prop_assert_eq!((found, read), (Some(flavour), Some(inputs)));
        prop_assert_eq!(architecture, "arm64");
    }

    #[test]
    fn any_answer_is_an_image_or_an_error_that_names_it(
        code in prop_oneof![Just(0), any::<i32>()],
        stdout in prop_oneof![broken(ANSWER), any::<String>()],
        stderr in prop_oneof![broken("Error: No such image: bench:1"), any::<String>()],
    ) {
        match read(code, &stdout, &stderr) {
            Ok(image) => prop_assert_eq!(image.is_some(), code == 0),
            Err(error) if code != 0 => prop_assert!(error.to_string().contains("`bench:1`")),
            Err(error) => prop_assert!(error.to_string().contains("image"), "{}", error),
        }
    }

    #[test]
    fn build_hint_promises_a_tag_only_if_the_build_makes_it(
        reference in prop_oneof!["ai_energy_score(:[a-z]{0,6})?", "[a-z:@/-]{0,20}", any::<String>()],
    ) {
        let flavour = Flavour::of_image(&reference);
        let command = format!("`cargo xtask build-image --flavour {flavour}`");
        let hint = engine(Mode::DockerRootful).build_hint(&reference);
        prop_assert!(hint.contains(&command), "{}", hint);
        let is_built = [IMAGE, &flavour.image()].contains(&&*reference);
        prop_assert_eq!(hint.starts_with("build it with"), is_built, "{}", hint);
    }
}
