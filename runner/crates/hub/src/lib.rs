//! The Hub cache as its clients lay it out: where it is, what it holds, whether a run can use it
//! without a network, and what a run adds to it.

#![warn(clippy::print_stderr, clippy::print_stdout)]

pub mod boundary;
pub mod cache;
pub mod digest;
pub mod inventory;
pub mod layout;
mod listing;
pub mod loading;
pub mod location;
mod parallel;
pub mod readiness;
#[cfg(any(test, feature = "testing"))]
#[path = "../testing/cache.rs"]
pub mod testing;
pub mod token;

pub use layout::RepoName;
pub use listing::{
    Listing, Sort,
    usage::{CacheUsage, RepoUsage},
};
pub use location::HubCache;
