//! Runs the AIEnergyScore benchmark container as the invoking user, with the user's HuggingFace
//! cache and a results folder bind-mounted.
//!
//! A run is planned once, as data ([`plan::run_plan::RunPlan`]), and rendered many times: as the
//! vector that is executed, as shell text, in the guides. Everything up to the vector is pure.

#![warn(clippy::print_stderr, clippy::print_stdout)]

pub mod cache;
pub mod cli;
pub mod fetch;
mod metering;
pub mod run;
pub mod verify;
