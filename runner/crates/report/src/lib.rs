//! What runs left behind, for people and for other programs: from results folders to values, and
//! from values to a table, a page, JSON, CSV and what the submission portal takes. Reading is the
//! edge; all that follows is pure.

#![warn(clippy::print_stderr, clippy::print_stdout)]

pub mod command;
mod finished_run;
mod groups;
mod metrics;
mod number_format;
mod output;
mod output_file;
mod read;
mod sanitize;
mod statistics;
pub mod submission;
#[cfg(test)]
#[path = "../testing.rs"]
mod testing;

pub use crate::output::run_summary::{best_energy, describe, energy};
