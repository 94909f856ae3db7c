//! Finished runs as a table, a page, JSON, CSV and sentences.

pub(crate) mod csv;
pub(crate) mod json;
pub(crate) mod page;
pub(crate) mod run_summary;
pub(crate) mod table;
