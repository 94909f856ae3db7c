//! The files of a Hub cache, as huggingface_hub and hf_xet lay them out.

mod blob;
mod client_paths;
mod dir;
pub mod link;
mod link_target;
mod names;
mod refs;
mod repo;
mod snapshot;
mod store;
mod tree;

pub use contract::hub::{BLOBS, NO_EXIST, REFS, SNAPSHOTS, STORE, TREES, is_of_system};
pub use untrusted::{Dir, Kind, Stamp, Time};

pub(crate) use self::names::short_id;
pub use self::{
    blob::{Blob, BlobLink},
    client_paths::{LOCKS, is_client_path},
    dir::{
        DEEPEST, ReadError, RootedPath, age, is_dangling, is_not_found, is_refused, is_skippable,
        is_too_deep, read_unless_removed, too_deep, was_removed,
    },
    link_target::LinkTarget,
    names::{BlobName, Digest, RepoName, RepoType, is_commit, is_link_probe, is_umask_probe},
    refs::Ref,
    repo::Repo,
    snapshot::{Content, Snapshot, SnapshotFile},
    store::{Payload, Store, has_store},
    tree::{Tree, TreeFault, TreeFile},
};
