//! The GPUs that a run requests, and the GPUs that it gets.

use std::{fmt, str::FromStr};

use serde::Serialize;

use crate::exit::Usage;

/// Upper limit of a count. The largest machines have a few dozen GPUs, not counting MIG slices.
const MAX_COUNT: u32 = 1024;

/// The value of `--gpus`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Gpus {
    /// All GPUs if the machine has any and the engine can pass them on, else none.
    #[default]
    Auto,
    /// Exactly these GPUs, or an error.
    Exactly(Devices),
}

/// The GPUs that the engine passes to the container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Devices {
    /// No GPU.
    None,
    /// Every GPU.
    All,
    /// A number of GPUs; the engine chooses which.
    Count(u32),
    /// GPUs by index or UUID.
    List(Vec<String>),
}

impl FromStr for Gpus {
    type Err = Usage;

    fn from_str(text: &str) -> Result<Self, Usage> {
        let devices = match text {
            "auto" => return Ok(Self::Auto),
            "none" => Devices::None,
            "all" => Devices::All,
            _ => match (text.strip_prefix("device="), count(text)) {
                (Some(list), _) if list.split(',').all(is_device) => {
                    Devices::List(list.split(',').map(str::to_owned).collect())
                }
                (None, Some(0)) => Devices::None,
                (None, Some(count)) if count > MAX_COUNT => {
                    return Err(Usage(format!(
                        "`{text}` is more GPUs than a machine has (at most {MAX_COUNT})"
                    )));
                }
                (None, Some(count)) => Devices::Count(count),
                _ => {
                    return Err(Usage(format!(
                        "`{text}` names no GPUs; say auto, none, all, a number, or device=0,2"
                    )));
                }
            },
        };
        Ok(Self::Exactly(devices))
    }
}

impl fmt::Display for Gpus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Exactly(Devices::None) => f.write_str("none"),
            Self::Exactly(Devices::All) => f.write_str("all"),
            Self::Exactly(Devices::Count(count)) => write!(f, "{count}"),
            Self::Exactly(Devices::List(list)) => write!(f, "device={}", list.join(",")),
        }
    }
}

/// Parses a number of GPUs. Digits only, since `parse` would accept a sign. A number too large for `u32`
/// becomes its maximum.
fn count(text: &str) -> Option<u32> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().unwrap_or(u32::MAX))
}

/// Whether `name` is an index, or a UUID as `nvidia-smi -L` prints it.
fn is_device(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

#[cfg(test)]
mod properties;

#[cfg(test)]
mod tests {
    use super::{Devices, Gpus};

    #[test]
    fn every_form_is_parsed_and_errors_quote_the_others() {
        let list = |names: &[&str]| Devices::List(names.iter().map(|n| (*n).into()).collect());
        let cases = [
            ("none", Devices::None),
            ("0", Devices::None),
            ("all", Devices::All),
            ("2", Devices::Count(2)),
            ("device=0,2", list(&["0", "2"])),
            ("device=GPU-8f3a-1", list(&["GPU-8f3a-1"])),
        ];
        for (text, devices) in cases {
            assert_eq!(text.parse(), Ok(Gpus::Exactly(devices)), "{text}");
        }
        assert_eq!("auto".parse(), Ok(Gpus::Auto));
        for text in ["1025", "4000000000", "99999999999999999999"] {
            let error = text.parse::<Gpus>().unwrap_err().to_string();
            assert_eq!(error, format!("`{text}` is more GPUs than a machine has (at most 1024)"));
        }
        assert_eq!("1024".parse(), Ok(Gpus::Exactly(Devices::Count(1024))));
        for text in ["", "-1", "+1", "device=", "device=0,", "device=0 1", "device=\"0\"", "some"] {
            let error = text.parse::<Gpus>().unwrap_err().to_string();
            assert!(error.contains(&format!("`{text}`")), "{error}");
        }
    }
}
