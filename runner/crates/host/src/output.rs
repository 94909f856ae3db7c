//! What is printed: to a terminal, in units, as JSON, and how bad it is.

pub mod json_text;
pub mod progress;
pub mod severity;
pub mod terminal;
pub mod units;
