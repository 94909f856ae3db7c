//! Sizes, ages and energies in units.

/// A size with three significant digits in decimal units, as the Hub shows it.
pub fn bytes(count: u64) -> String {
    const UNITS: [&str; 5] = ["kB", "MB", "GB", "TB", "PB"];
    if count < 1000 {
        return format!("{count} B");
    }
    let mut scaled = count as f64 / 1000.0;
    let mut unit = 0;
    // A number that rounds to four digits belongs to the next unit.
    while scaled >= 999.5 && unit + 1 < UNITS.len() {
        scaled /= 1000.0;
        unit += 1;
    }
    let decimals = if scaled < 9.995 { 2 } else { usize::from(scaled < 99.95) };
    format!("{scaled:.decimals$} {}", UNITS[unit])
}

/// `value` with this many significant digits: `0.001235`, `12.35`, `1235`.
pub fn significant(value: f64, digits: i32) -> String {
    if value == 0.0 || !value.is_finite() {
        return value.to_string();
    }
    let text = format!("{value:.*}", decimals(value, digits));
    // A number that rounds up to a power of ten has one digit too many.
    match text.parse() {
        Ok(0.0) => format!("{value:.3e}"),
        Ok(rounded) => format!("{value:.*}", decimals(rounded, digits)),
        Err(_) => text,
    }
}

/// Decimals that show this many significant digits of `value`.
pub fn decimals(value: f64, digits: i32) -> usize {
    if value == 0.0 || !value.is_finite() {
        return 0;
    }
    (digits - 1 - value.abs().log10().floor() as i32).clamp(0, 15) as usize
}

/// An energy in Wh with four significant digits.
pub fn watt_hours(energy: f64) -> String {
    significant(energy, 4)
}

/// An age in its largest unit.
pub fn ago(seconds: f64) -> String {
    const UNITS: [(f64, &str); 5] = [
        (365.25 * 86_400.0, "year"),
        (30.44 * 86_400.0, "month"),
        (86_400.0, "day"),
        (3600.0, "hour"),
        (60.0, "minute"),
    ];
    for (unit, name) in UNITS {
        if seconds >= unit {
            let count = (seconds / unit).floor();
            let plural = if count > 1.0 { "s" } else { "" };
            return format!("{count} {name}{plural} ago");
        }
    }
    "just now".to_owned()
}

#[cfg(test)]
mod tests {
    use super::{ago, bytes, significant, watt_hours};

    #[test]
    fn sizes_have_three_significant_digits() {
        for (count, text) in [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1.00 kB"),
            (93_215_936, "93.2 MB"),
            (999_499, "999 kB"),
            (999_500, "1.00 MB"),
            (12_345_678_901, "12.3 GB"),
        ] {
            assert_eq!(bytes(count), text);
        }
    }

    #[test]
    fn energies_have_four_significant_digits() {
        for (energy, text) in [
            (0.0, "0"),
            (0.0000123456, "0.00001235"),
            (0.99999, "1.000"),
            (9.9999, "10.00"),
            (12.3456, "12.35"),
            (1234.56, "1235"),
            (1e-15, "0.000000000000001"),
            (1e-20, "1.000e-20"),
        ] {
            assert_eq!(watt_hours(energy), text);
        }
        assert_eq!(significant(0.12345, 3), "0.123");
    }

    #[test]
    fn ages_have_one_unit() {
        for (seconds, text) in [
            (-3.0, "just now"),
            (59.0, "just now"),
            (60.0, "1 minute ago"),
            (7200.0, "2 hours ago"),
            (86_400.0 * 45.0, "1 month ago"),
            (86_400.0 * 800.0, "2 years ago"),
        ] {
            assert_eq!(ago(seconds), text);
        }
    }
}
