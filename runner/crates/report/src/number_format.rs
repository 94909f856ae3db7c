//! Formats numbers for people.

use host::output::units::significant;

/// Four significant digits, with commas between thousands: `0.001235`, `12.35`, `1,235`.
pub(super) fn four_digits(value: f64) -> String {
    thousands(&significant(value, 4))
}

/// Three significant digits, for less certain numbers and narrow places.
pub(super) fn three_digits(value: f64) -> String {
    thousands(&significant(value, 3))
}

/// A count with commas between thousands.
pub(super) fn count(value: u64) -> String {
    thousands(&value.to_string())
}

/// Inserts commas between thousands.
fn thousands(text: &str) -> String {
    let (sign, rest) = text.strip_prefix('-').map_or(("", text), |rest| ("-", rest));
    let (whole, fraction) = rest.find(['.', 'e']).map_or((rest, ""), |at| rest.split_at(at));
    let mut grouped = String::new();
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    format!("{sign}{grouped}{fraction}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{count, four_digits, three_digits};

    #[test]
    fn thousands_have_commas() {
        for (value, text) in [
            (12.3456, "12.35"),
            (1234.56, "1,235"),
            (-1234567.0, "-1,234,567"),
            (1e-20, "1.000e-20"),
        ] {
            assert_eq!(four_digits(value), text);
        }
        assert_eq!(three_digits(0.12345), "0.123");
        assert_eq!(count(1_234_567), "1,234,567");
    }

    proptest! {
        #[test]
        fn rounding_changes_at_most_half_a_digit(value in -1e12..1e12_f64) {
            let shown: f64 = four_digits(value).replace(',', "").parse().unwrap();
            prop_assert!((shown - value).abs() <= value.abs() * 5.1e-4, "{value} {shown}");
        }
    }
}
