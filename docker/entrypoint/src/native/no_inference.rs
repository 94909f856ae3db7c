//! Stands in for datasets and engine in a build without the cargo feature `native`.

use std::{convert::Infallible, path::Path};

use anyhow::bail;
use backend_reports::report::Answer;

use super::{
    generation::{GenerationConfig, Length, ModelInfo},
    model_file::ModelFile,
    prompts::Prompts,
};
use crate::arguments::Settings;

const ABSENT: &str = "this program was built without the `native` backend; `cargo xtask \
                      smoke --engine host` builds the one that has it";

/// Fails, because the libraries that read datasets are missing.
pub(super) fn load_dataset(_: &Settings, _: &str, _: &Path) -> anyhow::Result<Prompts> {
    bail!(ABSENT)
}

/// An engine that cannot exist.
#[derive(Debug)]
pub(super) struct Engine(Infallible);

impl Engine {
    /// Fails, because the inference library is missing.
    pub(super) fn load(_: &ModelFile, _: GenerationConfig) -> anyhow::Result<Self> {
        bail!(ABSENT)
    }

    pub(super) fn model(&self) -> &ModelInfo {
        match self.0 {}
    }

    pub(super) fn reset_seed(&mut self) {
        match self.0 {}
    }

    pub(super) fn generate(&mut self, _: &str, _: Length) -> anyhow::Result<Answer> {
        match self.0 {}
    }
}
