//! The files of a Hub cache, as huggingface_hub and hf_xet lay them out.

pub mod blob;
pub mod client_paths;
pub mod dir;
pub mod link;
pub mod link_target;
pub mod names;
pub mod refs;
pub mod repo;
pub mod snapshot;
pub mod store;
pub mod tree;
