//! Stands in for the engine in a build without the cargo feature `native`.

use std::{convert::Infallible, path::Path};

use anyhow::bail;

use super::generation::{About, Generation, Length};

/// Never made: there is nothing to load a model with.
#[derive(Debug)]
pub(crate) struct Engine(Infallible);

impl Engine {
    /// Says what to do instead.
    pub(crate) fn load(_: &Path) -> anyhow::Result<Self> {
        bail!(
            "this program was built without the `native` backend; `cargo xtask smoke --engine \
             host` builds the one that has it"
        )
    }

    pub(crate) fn about(&self) -> &About {
        match self.0 {}
    }

    pub(crate) fn generate(&self, _: &str, _: Length) -> anyhow::Result<Generation> {
        match self.0 {}
    }
}
