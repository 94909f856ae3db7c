//! Round numbers for the axes of a chart.

/// The smallest round number not below `value`: 1, 2, 2.5 or 5 times a power of ten.
pub(super) fn round_up(value: f64) -> f64 {
    if !value.is_finite() || value <= 0.0 {
        return 1.0;
    }
    let power = 10_f64.powf(value.log10().floor());
    let steps = [1.0, 2.0, 2.5, 5.0, 10.0];
    let fits =
        steps.into_iter().map(|step| step * power).find(|round| *round >= value * (1.0 - 1e-9));
    fits.unwrap_or(value)
}

/// Round numbers from 0 to `end`, which divide an axis into at most `parts` steps.
pub(super) fn ticks(end: f64, parts: u32) -> Vec<f64> {
    let step = round_up(end / f64::from(parts));
    (0..=parts)
        .map(|tick| f64::from(tick) * step)
        .take_while(|tick| *tick <= end * (1.0 + 1e-9))
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{round_up, ticks};

    #[test]
    fn axes_end_at_round_numbers() {
        for (value, round) in [(0.0, 1.0), (0.3, 0.5), (1.0, 1.0), (21.0, 25.0), (612.0, 1000.0)] {
            assert!((round_up(value) - round).abs() < 1e-9, "{value}");
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
        fn a_number_is_rounded_up_to_at_most_two_and_a_half_times_itself(value in 1e-9..1e12_f64) {
            let round = round_up(value);
            prop_assert!(round >= value * (1.0 - 1e-6) && round <= value * 2.5 + 1e-12, "{}", round);
        }
    }
}
