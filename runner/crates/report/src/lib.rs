//! Reads finished runs and renders them as a table, an HTML page, JSON, CSV or an archive to submit.
//!
//! `read` turns each results folder into a `FinishedRun`, `metrics` computes its numbers with the files and
//! keys behind them, `report` collects all runs, and `output` has a module for each format.

#![warn(clippy::print_stderr, clippy::print_stdout)]

pub mod command;
mod finished_run;
mod groups;
mod metrics;
mod number_format;
mod output;
mod output_file;
mod read;
mod report;
mod sanitize;
pub mod submission;
#[cfg(test)]
#[path = "../testing.rs"]
mod testing;

pub use crate::output::run_summary::{best_energy, describe};
