//! Runs the AIEnergyScore benchmark in a container as the invoking user, with the user's Hugging Face cache
//! and a results folder as bind mounts.
//!
//! A run is planned once, as data ([`plan::run_plan::RunPlan`]). The plan is rendered as the argument vector
//! that is executed, as shell text, and in the guides.

#![warn(clippy::print_stderr, clippy::print_stdout)]

pub mod cache;
pub mod cli;
pub mod completions;
pub mod fetch;
pub mod man;
mod metering;
pub mod run;
pub mod verify;
