//! The doctor of a Hub cache: finds what is wrong, and repairs it.

#![warn(clippy::print_stderr, clippy::print_stdout)]

pub mod finding;
pub mod repair;
pub mod report;
pub mod verify;

#[cfg(test)]
mod tests;
