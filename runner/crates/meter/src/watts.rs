//! Power as an option value.

use std::{fmt, str::FromStr};

/// Power in milliwatts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Watts(u32);

impl Watts {
    /// Power in watts.
    pub fn value(self) -> f64 {
        f64::from(self.0) / 1000.0
    }
}

impl fmt::Display for Watts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.value())
    }
}

impl FromStr for Watts {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let watts: Option<f64> = text.parse().ok();
        let fits = watts.filter(|watts| (0.001..=10_000.0).contains(watts));
        fits.map(|watts| Self((watts * 1000.0).round() as u32))
            .ok_or_else(|| "watts are a number above 0, such as 7.5, and 10000 at most".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::Watts;

    #[test]
    fn watts_are_a_number_above_zero_and_at_most_10000() {
        for (text, shown) in [("10", "10"), ("7.5", "7.5"), ("0.001", "0.001"), ("1e1", "10")] {
            assert_eq!(text.parse::<Watts>().unwrap().to_string(), shown);
        }
        for text in ["", "0", "-1", "NaN", "inf", "10001", "10W", "0.0001"] {
            assert!(text.parse::<Watts>().is_err(), "{text}");
        }
    }
}
