//! The classes of the leaderboard.

use serde::Serialize;

/// Class of a text generation model by the hardware that it needs, as in Table 2 of AIEnergyScore's
/// documentation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum ModelClass {
    /// One consumer GPU.
    A,
    /// One cloud GPU.
    B,
    /// Several GPUs.
    C,
}
