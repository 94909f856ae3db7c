//! What a benchmark is asked for, and which published numbers a run compares with.

pub mod argument;
pub mod published;
pub mod task;
