//! What draws energy, and whether that was measured.

use serde::{Deserialize, Serialize};

/// Kinds of device that draw energy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeviceKind {
    /// A graphics processor: the only kind that the score counts.
    Gpu,
    /// A processor package.
    Cpu,
    /// Memory.
    Ram,
}

impl DeviceKind {
    /// All of them, the one that counts first.
    pub const ALL: [Self; 3] = [Self::Gpu, Self::Cpu, Self::Ram];

    /// The kind as people write it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Gpu => "GPU",
            Self::Cpu => "CPU",
            Self::Ram => "RAM",
        }
    }
}

/// Whether energies stand on a counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Read from a counter of the hardware.
    Measured,
    /// Computed from a model of the hardware.
    Estimated,
    /// No number at all, which is not the same as 0 Wh.
    NotMeasured,
}

impl Status {
    /// The status as people write it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Measured => "measured",
            Self::Estimated => "estimated",
            Self::NotMeasured => "not measured",
        }
    }
}
