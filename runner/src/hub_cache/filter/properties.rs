//! What holds for conditions of any text.

use std::time::Duration;

use proptest::{prelude::*, sample::select};

use super::{COMPARISONS, Filter, Key, bytes};

proptest! {
    #[test]
    fn a_condition_is_understood_or_quoted(text in prop_oneof![
        "(type|id|refs?|complete|size|accessed|modified)? ?[<>=!]{0,2} ?(model|yes|[0-9]{0,3}\\.?[a-zA-Z]{0,3})",
        any::<String>(),
    ]) {
        match text.parse::<Filter>() {
            Ok(filter) => {
                let sign = COMPARISONS.iter().find(|(_, other)| *other == filter.comparison);
                prop_assert!(text.contains(sign.unwrap().0));
            }
            Err(error) => prop_assert!(error.contains(&text), "{}", error),
        }
    }

    #[test]
    fn spaces_around_a_sign_mean_nothing(
        (sign, comparison) in select(COMPARISONS.to_vec()),
        number in any::<u32>(),
        before in " {0,2}",
        after in " {0,2}",
    ) {
        let filter: Filter = format!("size{before}{sign}{after}{number}").parse().unwrap();
        prop_assert_eq!(filter, Filter { key: Key::Size(number.into()), comparison });
    }

    #[test]
    fn a_size_is_its_number_of_its_unit(
        number in 0..1000_u64,
        (unit, factor) in select(vec![
            ("", 1), ("B", 1), ("K", 1000), ("kB", 1000), ("KiB", 1 << 10), ("MB", 1_000_000),
            ("MiB", 1 << 20), ("GB", 1_000_000_000), ("Gi", 1 << 30), ("TB", 1_000_000_000_000),
            ("TiB", 1 << 40), ("PiB", 1 << 50),
        ]),
    ) {
        prop_assert_eq!(bytes(&format!("{number}{unit}")), Some(number * factor));
        prop_assert_eq!(bytes(&format!("{number}.5 {unit}")), Some((2 * number + 1) * factor).map(|twice| twice.div_ceil(2)));
    }

    #[test]
    fn other_units_are_none(text in "[0-9.]{0,3} ?[kKMGTPEBbiI]{0,4}") {
        let plain = text.replace(' ', "").to_ascii_uppercase();
        let unit = plain.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
        let known = ["", "K", "M", "G", "T", "P"].iter().any(|power| {
            let rest = unit.strip_prefix(power);
            rest.is_some_and(|rest| ["", "B"].contains(&rest) || !power.is_empty() && ["I", "IB"].contains(&rest))
        });
        let number = plain[..plain.len() - unit.len()].parse::<f64>().is_ok();
        prop_assert_eq!(bytes(&text).is_some(), known && number, "{}", text);
    }

    #[test]
    fn an_age_is_read_as_it_is_written(seconds in 0..4_000_000_000_u64) {
        let age = Duration::from_secs(seconds);
        let filter: Filter = format!("accessed>{}", humantime::format_duration(age)).parse().unwrap();
        prop_assert_eq!(filter.key, Key::Accessed(age));
    }
}
