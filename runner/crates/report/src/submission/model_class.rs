//! Classes of models.

/// Classes of text generation models, by the hardware that they need. Facts of AIEnergyScore's
/// documentation, Table 2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ModelClass {
    /// A single consumer GPU.
    A,
    /// A single cloud GPU.
    B,
    /// Several.
    C,
}
