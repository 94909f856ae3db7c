//! Runs the AIEnergyScore benchmark container as the invoking user, with the user's HuggingFace
//! cache and a results folder bind-mounted.
//!
//! A run is planned once, as data ([`plan::RunPlan`]), and rendered many times: as the vector
//! that is executed, as shell text, in the guides. Everything up to the vector is pure.

#![warn(clippy::print_stderr, clippy::print_stdout)]

pub use contract;

mod addresses;
pub mod boundary;
pub mod cache_command;
pub mod cache_doctor;
pub mod cache_trust;
pub mod checks;
pub mod cli;
mod container_id;
pub mod endpoint;
pub mod engine;
pub mod exit;
mod expand;
pub mod fetch;
mod folders;
pub mod gpus;
mod groups;
mod homes;
pub mod host;
pub mod host_path;
pub mod hub_cache;
mod json_text;
pub mod leftovers;
mod loading;
pub mod local_input;
pub mod meter;
mod metering;
pub mod options;
mod own_address;
pub mod plan;
mod planted;
mod process;
mod processes;
pub mod progress;
pub mod reclaim;
pub mod render;
pub mod report;
mod results_folder;
pub mod run;
mod run_file;
pub mod run_id;
pub mod server;
mod severity;
pub mod shell;
mod signals;
mod snap;
pub mod split_args;
mod subids;
pub mod surroundings;
pub mod terminal;
#[cfg(test)]
mod testing;
pub mod token;
pub(crate) mod units;
