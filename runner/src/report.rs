//! What runs left behind, for people and for other programs: from results folders to values, and
//! from values to a table, a page, JSON, CSV and what the submission portal takes. Reading is the
//! edge; all that follows is pure.

pub mod command;
mod csv;
mod describe;
mod discovery;
pub mod figures;
pub mod groups;
mod json;
mod number;
mod output_file;
pub mod page;
mod plain;
pub mod read;
pub mod record;
pub mod statistics;
pub mod submission;
mod table;
#[cfg(test)]
mod testing;

pub use self::describe::{best_energy, describe, energy};
