//! Properties of `--gpus` values.

use proptest::prelude::*;

use super::{Devices, Gpus};

/// The value as a user types it.
fn spelt(gpus: &Gpus) -> String {
    match gpus {
        Gpus::Auto => "auto".to_owned(),
        Gpus::Exactly(Devices::None) => "none".to_owned(),
        Gpus::Exactly(Devices::All) => "all".to_owned(),
        Gpus::Exactly(Devices::Count(count)) => count.to_string(),
        Gpus::Exactly(Devices::List(list)) => format!("device={}", list.join(",")),
    }
}

proptest! {
    #[test]
    fn a_value_is_parsed_to_what_it_spells_or_quoted_in_the_error(text in prop_oneof![
        "(auto|none|all|device=|[+-]?[0-9]{1,11})?([0-9A-Z-]{0,3},?){0,3}",
        any::<String>(),
    ]) {
        match text.parse::<Gpus>() {
            Ok(gpus) => {
                let plain = match text.trim_start_matches('0') {
                    "" => "none",
                    digits if digits.bytes().all(|byte| byte.is_ascii_digit()) => digits,
                    _ => &text,
                };
                prop_assert_eq!(spelt(&gpus), plain);
            }
            Err(error) => prop_assert!(error.to_string().contains(&text)),
        }
    }
}
