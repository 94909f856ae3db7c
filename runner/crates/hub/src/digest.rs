//! Digests of the cache's files: computed in parallel, and cached between runs.

pub mod batch;
pub mod cache;
pub mod hash;
