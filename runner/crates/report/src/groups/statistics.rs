//! Mean, deviation and range of the values of several runs.

use serde::Serialize;

/// Summary statistics.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Statistics {
    /// Number of values.
    pub n: usize,
    /// Mean.
    pub mean: f64,
    /// Standard deviation of the sample, with n-1. One value has none.
    pub deviation: Option<f64>,
    /// Smallest value.
    pub least: f64,
    /// Largest value.
    pub most: f64,
}

impl Statistics {
    /// The statistics of `values`; `None` without any value.
    pub(crate) fn of(values: &[f64]) -> Option<Self> {
        let (first, rest) = values.split_first()?;
        let n = values.len();
        // Around the first, so that large numbers keep their digits.
        let mean = first + rest.iter().map(|value| value - first).sum::<f64>() / n as f64;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        let least = values.iter().copied().fold(*first, f64::min);
        let most = values.iter().copied().fold(*first, f64::max);
        Some(Self {
            n,
            mean: mean.clamp(least, most),
            deviation: (n > 1).then(|| (squares / (n - 1) as f64).sqrt()),
            least,
            most,
        })
    }

    /// The deviation in percent of the mean as ` ± 3.3 %`; empty without a deviation.
    pub(crate) fn deviation_text(&self) -> String {
        match self.deviation {
            Some(deviation) if self.mean > 0.0 => {
                format!(" ± {:.1} %", deviation / self.mean * 100.0)
            }
            _ => String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::Statistics;

    #[test]
    fn one_value_has_no_deviation_and_none_has_no_statistics() {
        assert_eq!(Statistics::of(&[]), None);
        let one = Statistics::of(&[2.5]).unwrap();
        assert_eq!((one.n, one.mean, one.deviation, &*one.deviation_text()), (1, 2.5, None, ""));
        let some = Statistics::of(&[2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0]).unwrap();
        assert_eq!((some.mean, some.least, some.most), (5.0, 2.0, 9.0));
        assert!((some.deviation.unwrap() - (32.0_f64 / 7.0).sqrt()).abs() < 1e-12);
    }

    proptest! {
        #[test]
        fn mean_and_deviation_are_bounded_by_the_range(values in vec(-1e12..1e12_f64, 1..50)) {
            let found = Statistics::of(&values).unwrap();
            prop_assert!(found.least <= found.mean && found.mean <= found.most);
            prop_assert!(values.iter().all(|value| found.least <= *value && *value <= found.most));
            // Popoviciu's inequality, with the factor of a sample.
            let n = values.len() as f64;
            let most = (found.most - found.least) / 2.0 * (n / (n - 1.0)).sqrt();
            prop_assert!(found.deviation.is_none_or(|deviation| deviation <= most * (1.0 + 1e-9)));
        }

        #[test]
        fn order_does_not_matter_and_equal_values_have_no_deviation(
            mut values in vec(0.0..1e6_f64, 2..20), same in 0.0..1e9_f64, n in 2..20_usize,
        ) {
            let before = Statistics::of(&values).unwrap();
            values.reverse();
            let after = Statistics::of(&values).unwrap();
            prop_assert!((before.mean - after.mean).abs() <= 1e-9 * before.most.max(1.0));
            let equal = Statistics::of(&vec![same; n]).unwrap();
            prop_assert_eq!((equal.mean, equal.deviation), (same, Some(0.0)));
        }
    }
}
