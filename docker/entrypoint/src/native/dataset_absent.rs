//! Stands in for the datasets in a build without the cargo feature `native`.

use std::path::Path;

use anyhow::bail;

use super::{engine::ABSENT, prompts::Prompts};
use crate::arguments::Settings;

/// Says what to do instead.
pub(crate) fn load(_: &Settings, _: &str, _: &Path) -> anyhow::Result<Prompts> {
    bail!(ABSENT)
}
