//! The Hub cache on the host: where it is, and what a run adds to it.

pub(crate) mod delta;
mod location;

pub use location::HubCache;
pub(crate) use location::expand;
