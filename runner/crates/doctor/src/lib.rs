//! Finds problems in a Hub cache, and repairs them.

#![warn(clippy::print_stderr, clippy::print_stdout)]

pub mod finding;
pub mod repair;
pub mod report;
pub mod verify;

#[cfg(test)]
mod tests;
