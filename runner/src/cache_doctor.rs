//! The doctor of a Hub cache: finds what is wrong, and repairs it.

pub mod finding;
pub(crate) mod repair;
pub mod report;
pub mod verify;

#[cfg(test)]
mod tests;
