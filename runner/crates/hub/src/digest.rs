//! Digests of the cache's files: computed in parallel, and cached between runs.

mod batch;
mod cache;
mod hash;

pub use self::{
    batch::{HashJob, hash_all},
    cache::DigestCache,
    hash::{Buffer, Hashed, hash},
};
