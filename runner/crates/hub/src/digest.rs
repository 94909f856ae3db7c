//! Digests of the cache's files: how they are computed, side by side, and remembered.

pub mod hash;
pub mod hashing;
pub mod verified;
