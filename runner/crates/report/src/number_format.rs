//! Numbers as people read them.

use host::output::units::significant;

/// Four digits that count, with commas between thousands: `0.001235`, `12.35`, `1,235`.
pub(super) fn four_digits(value: f64) -> String {
    thousands(&significant(value, 4))
}

/// Three digits that count, for what is less certain or less room.
pub(super) fn three_digits(value: f64) -> String {
    thousands(&significant(value, 3))
}

/// A count with commas between thousands.
pub(super) fn count(value: u64) -> String {
    thousands(&value.to_string())
}

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

/// A number no less than `value` that is good to divide an axis by: 1, 2, 2.5 or 5 times a power of
/// ten.
pub(super) fn nice_above(value: f64) -> f64 {
    if !value.is_finite() || value <= 0.0 {
        return 1.0;
    }
    let power = 10_f64.powf(value.log10().floor());
    let steps = [1.0, 2.0, 2.5, 5.0, 10.0];
    let fits =
        steps.into_iter().map(|step| step * power).find(|nice| *nice >= value * (1.0 - 1e-9));
    fits.unwrap_or(value)
}

/// Round numbers from 0 on that divide an axis up to `end` in about `parts`: the last is `end` or
/// less.
pub(super) fn ticks(end: f64, parts: u32) -> Vec<f64> {
    let step = nice_above(end / f64::from(parts));
    (0..=parts)
        .map(|tick| f64::from(tick) * step)
        .take_while(|tick| *tick <= end * (1.0 + 1e-9))
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{count, four_digits, nice_above, three_digits, ticks};

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

    #[test]
    fn axes_end_at_round_numbers() {
        for (value, nice) in [(0.0, 1.0), (0.3, 0.5), (1.0, 1.0), (21.0, 25.0), (612.0, 1000.0)] {
            assert!((nice_above(value) - nice).abs() < 1e-9, "{value}");
        }
    }

    #[test]
    fn ticks_are_round() {
        assert_eq!(ticks(470.0, 5), [0.0, 100.0, 200.0, 300.0, 400.0]);
        assert_eq!(ticks(16.0, 5), [0.0, 5.0, 10.0, 15.0]);
        assert_eq!(ticks(0.0, 5), [0.0]);
    }

    proptest! {
        #[test]
        fn what_is_shown_is_what_was_meant(value in -1e12..1e12_f64) {
            let shown: f64 = four_digits(value).replace(',', "").parse().unwrap();
            prop_assert!((shown - value).abs() <= value.abs() * 5.1e-4, "{value} {shown}");
        }

        #[test]
        fn an_axis_holds_its_values(value in 1e-9..1e12_f64) {
            let nice = nice_above(value);
            prop_assert!(nice >= value * (1.0 - 1e-6) && nice <= value * 2.5 + 1e-12, "{}", nice);
        }
    }
}
