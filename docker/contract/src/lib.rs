//! What the host side, the container side, the Dockerfile and the guides must agree on.
//!
//! No name, place or format in here is spelled out anywhere else. The crate stands beside the
//! Dockerfile, apart from the runner: an edit of the runner does not change the image's inputs, so
//! it does not rebuild the image.

mod backend;
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

pub use self::{
    backend::{Backend, UnknownBackend},
    benchmark::{argument, argument::DEFAULT_NUM_SAMPLES, published, task},
    command::{FETCH, PROBE, RECLAIM, probe, reclaim},
    container::{ENTRYPOINT, HOST_GATEWAY, SHM_SIZE, env, gpus, mounts, path},
    energy::{clock, rapl},
    image::{Flavour, IMAGE, UnknownFlavour},
    results::{host_meter, output, previous, summary},
};
