//! The current date for chat templates, in UTC like in containers.

use std::time::SystemTime;

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// Formats the current time like C's `strftime`.
pub(super) fn now(format: &str) -> Result<String, String> {
    text(format, SystemTime::now())
}

fn text(format: &str, time: SystemTime) -> Result<String, String> {
    // Such as `2026-12-01T09:39:10Z`.
    let time = humantime::format_rfc3339_seconds(time).to_string();
    let month = time[5..7].parse::<usize>().ok().and_then(|month| MONTHS.get(month - 1));
    let month = month.copied().unwrap_or_default();
    let mut out = String::new();
    let mut characters = format.chars();
    while let Some(character) = characters.next() {
        if character != '%' {
            out.push(character);
            continue;
        }
        out += match characters.next() {
            Some('Y') => &time[..4],
            Some('m') => &time[5..7],
            Some('d') => &time[8..10],
            Some('B') => month,
            Some('b') => &month[..3],
            Some('H') => &time[11..13],
            Some('M') => &time[14..16],
            Some('S') => &time[17..19],
            Some('%') => "%",
            other => {
                let code = other.map(String::from).unwrap_or_default();
                return Err(format!(
                    "the date's format `{format}` has `%{code}`, which is not known"
                ));
            }
        };
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    fn text(format: &str, seconds: u64) -> Result<String, String> {
        super::text(format, SystemTime::UNIX_EPOCH + Duration::from_secs(seconds))
    }

    #[test]
    fn codes_give_the_date_in_utc() {
        for (seconds, expected) in [
            (0, "1970-01-01 00:00:00"),
            (951_782_399, "2000-02-28 23:59:59"),
            (951_782_400, "2000-02-29 00:00:00"),
            (1_764_028_800, "2025-11-25 00:00:00"),
            (1_798_761_599, "2026-12-31 23:59:59"),
        ] {
            assert_eq!(text("%Y-%m-%d %H:%M:%S", seconds).as_deref(), Ok(expected));
        }
        assert_eq!(
            text("%d %b %Y, %B, 100%%", 951_782_400).unwrap(),
            "29 Feb 2000, February, 100%"
        );
        assert!(text("%j", 0).unwrap_err().contains("`%j`"));
        assert!(text("%", 0).is_err());
    }
}
