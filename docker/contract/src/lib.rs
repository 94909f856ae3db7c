//! What the host side, the container side, the Dockerfile and the guides must agree on.
//!
//! No name, place or format in here is spelled out anywhere else. The crate stands beside the
//! Dockerfile, apart from the runner: an edit of the runner does not change the image's inputs, so
//! it does not rebuild the image.

mod benchmark;
pub mod command;
mod container;
mod energy;
pub mod exit;
pub mod hex;
pub mod hub;
mod image;
pub mod label;
mod results;
mod unknown_name;

pub use self::{
    benchmark::{argument, argument::DEFAULT_NUM_SAMPLES, backend::Backend, task},
    command::{FETCH, PROBE, RECLAIM, probe, reclaim},
    container::{ENTRYPOINT, HOST_GATEWAY, SHM_SIZE, env, gpus, mounts, path},
    energy::{clock, rapl},
    image::{Flavour, IMAGE},
    results::{host_meter, output, previous, summary},
    unknown_name::UnknownName,
};
