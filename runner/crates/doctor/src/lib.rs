//! Finds problems in a Hub cache (`cache verify`) and repairs them (`cache repair`).
//!
//! `verify` inspects the layout of each repo and hashes its blobs; each problem is a [`finding::Finding`].
//! `repair` chooses fixes for the findings, orders them into steps and applies them.

#![warn(clippy::print_stderr, clippy::print_stdout)]

pub mod finding;
pub mod repair;
pub mod report;
pub mod verify;

#[cfg(test)]
mod tests;
