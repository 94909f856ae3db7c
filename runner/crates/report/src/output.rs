//! The formats of a report, and the text summary of one run.

pub(crate) mod csv;
pub(crate) mod json;
pub(crate) mod page;
pub(crate) mod run_summary;
pub(crate) mod table;
