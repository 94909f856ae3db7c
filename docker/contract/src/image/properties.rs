//! Properties of names in any text.

use proptest::{prelude::*, sample::select};

use super::{Backend, Flavour};

proptest! {
    #[test]
    fn names_parse_in_their_exact_spelling_only(text in prop_oneof![
        "(?i)(optimum|pytorch|vllm|native|cuda|cpu|smoke)[ \n]?",
        any::<String>(),
    ]) {
        match text.parse::<Backend>() {
            Ok(backend) => prop_assert_eq!(backend.to_string(), text.clone()),
            Err(error) => prop_assert!(error.to_string().contains(&text)),
        }
        match text.parse::<Flavour>() {
            Ok(flavour) => prop_assert_eq!(flavour.to_string(), text.clone()),
            Err(error) => prop_assert!(error.to_string().contains(&text)),
        }
    }

    #[test]
    fn registry_version_and_digest_do_not_change_the_flavour(
        registry in "([a-z.]{1,9}(:[0-9]{1,4})?/)?",
        version in "([0-9.]{1,5}-)?",
        flavour in select(Flavour::ALL.to_vec()),
        digest in "(@sha256:[0-9a-f]{4})?",
    ) {
        let reference = format!("{registry}bench:{version}{flavour}{digest}");
        prop_assert_eq!(Flavour::of_image(&reference), flavour, "{}", reference);
        prop_assert_eq!(Flavour::of_image(&format!("{registry}smoke{digest}")), Flavour::Cuda);
    }
}
