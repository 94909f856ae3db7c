//! GPUs that the entrypoint requires before it starts the benchmark. Podman before 5.0, and its
//! socket behind Docker's client, ignore a request for GPUs without an error.

use std::{fmt, str::FromStr};

/// Prefix of the value of [`GPUS`](crate::env::GPUS).
const NVIDIA: &str = "nvidia:";

/// Required NVIDIA GPUs: the value of [`GPUS`](crate::env::GPUS), such as `nvidia:2`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expected {
    /// Minimum number.
    pub least: u32,
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{NVIDIA}{}", self.least)
    }
}

impl FromStr for Expected {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let least = text.strip_prefix(NVIDIA).and_then(|least| least.parse().ok());
        least.map(|least| Self { least }).ok_or_else(|| format!("`{text}` is not like `nvidia:2`"))
    }
}

#[cfg(test)]
mod tests {
    use super::Expected;

    #[test]
    fn any_other_text_is_named_in_the_error() {
        let expected = Expected { least: 8 };
        assert_eq!(expected.to_string().parse(), Ok(expected));
        for text in ["", "all", "nvidia", "amd:1", "nvidia:-1", "nvidia:x"] {
            assert!(text.parse::<Expected>().unwrap_err().contains(&format!("`{text}`")));
        }
    }
}
