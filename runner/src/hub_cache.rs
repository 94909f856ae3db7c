//! The Hub cache on the host: where it is, what it holds, and what a run adds to it.

pub(crate) mod blob;
pub(crate) mod cache;
mod cached;
pub(crate) mod client_paths;
pub(crate) mod dir;
pub(crate) mod hash;
pub(crate) mod hashing;
pub(crate) mod inventory;
pub(crate) mod link;
pub(crate) mod link_target;
mod listing;
mod loadable;
pub(crate) mod location;
pub(crate) mod names;
pub(crate) mod readiness;
pub(crate) mod refs;
pub(crate) mod repo;
pub(crate) mod snapshot;
pub(crate) mod store;
pub(crate) mod tree;
pub(crate) mod trust;
pub(crate) mod usage;
pub(crate) mod verified;

pub use listing::{Listing, Sort};
pub use location::HubCache;
pub use names::{RepoName, RepoType};
pub use usage::{CacheUsage, RepoUsage, RevisionUsage};
