//! The GPUs that a container must have, as its entrypoint is told: Podman before 5.0, and its socket
//! behind Docker's client, drop a request for GPUs without a word.

use std::{fmt, str::FromStr};

/// Who makes GPUs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Maker {
    /// NVIDIA.
    Nvidia,
    /// AMD.
    Amd,
}

/// GPUs that must be there: the value of [`GPUS`](crate::env::GPUS), such as `nvidia:2`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expected {
    /// Whose.
    pub maker: Maker,
    /// How many at least.
    pub least: u32,
}

impl Maker {
    /// Its name for people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Nvidia => "NVIDIA",
            Self::Amd => "AMD",
        }
    }
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { maker, least } = self;
        let maker = match maker {
            Maker::Nvidia => "nvidia",
            Maker::Amd => "amd",
        };
        write!(f, "{maker}:{least}")
    }
}

impl FromStr for Expected {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parsed = text.split_once(':').and_then(|(maker, least)| {
            let maker = match maker {
                "nvidia" => Maker::Nvidia,
                "amd" => Maker::Amd,
                _ => return None,
            };
            Some(Self { maker, least: least.parse().ok()? })
        });
        parsed.ok_or_else(|| format!("`{text}` is not like `nvidia:2` or `amd:1`"))
    }
}

#[cfg(test)]
mod tests {
    use super::{Expected, Maker};

    #[test]
    fn what_is_told_is_understood() {
        for (maker, least) in [(Maker::Nvidia, 1), (Maker::Amd, 8)] {
            let expected = Expected { maker, least };
            assert_eq!(expected.to_string().parse(), Ok(expected));
        }
        for text in ["", "all", "nvidia", "intel:1", "amd:-1", "amd:x"] {
            assert!(text.parse::<Expected>().unwrap_err().contains(&format!("`{text}`")));
        }
    }
}
