//! Printed output: terminal, progress, units, JSON and severity.

pub mod json_text;
pub mod progress;
pub mod severity;
pub mod terminal;
pub mod units;
