//! Kinds of devices, and how their energy is known.

use serde::{Deserialize, Serialize};

/// Kind of a device that draws energy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeviceKind {
    /// A graphics processor, the only kind in the score.
    Gpu,
    /// A processor package.
    Cpu,
    /// Memory.
    Ram,
}

impl DeviceKind {
    /// Every kind, in the order of tables.
    pub const ALL: [Self; 3] = [Self::Gpu, Self::Cpu, Self::Ram];

    /// Name in tables and messages.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Gpu => "GPU",
            Self::Cpu => "CPU",
            Self::Ram => "RAM",
        }
    }
}

/// How an energy is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Read from a counter of the hardware.
    Measured,
    /// Computed from a model of the hardware.
    Estimated,
    /// Unknown, which is not 0 Wh.
    NotMeasured,
}

impl Status {
    /// Name in tables and messages.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Measured => "measured",
            Self::Estimated => "estimated",
            Self::NotMeasured => "not measured",
        }
    }
}
