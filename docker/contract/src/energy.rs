//! How energy is counted on both sides.

pub mod clock;
pub(crate) mod device;
pub mod rapl;
