//! Commands beside `run` and `verify`.

pub mod cache;
pub mod cache_trust;
pub mod completions;
pub mod man;
