//! The Hub cache on the host: where it is, what it holds, and what a run adds to it.

pub(crate) mod belongs;
pub mod breakage;
mod cache;
mod cached;
mod census;
mod completeness;
pub(crate) mod delta;
mod dir;
mod filter;
#[cfg(test)]
mod fixture;
mod hash;
mod hashing;
mod link;
mod list;
mod loadable;
mod location;
#[cfg(test)]
mod moving;
mod names;
mod reached;
pub(crate) mod readiness;
pub(crate) mod repair;
mod repo;
mod snapshot;
pub(crate) mod store;
mod tree;
pub(crate) mod trust;
mod verified;
pub mod verify;

pub use cache::CacheCensus;
pub use census::{RepoCensus, RevisionCensus};
pub use filter::Filter;
pub use list::{Listing, Sort};
pub use location::HubCache;
pub use names::{RepoName, RepoType};
