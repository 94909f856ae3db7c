//! Stands in for the engine in a build without the cargo feature `native`.

use std::convert::Infallible;

use anyhow::bail;

use backend_reports::report::Answer;

use super::{
    generation::{About, Asked, Length},
    hub::ModelFile,
};

/// Why nothing can be done, and what to do instead.
pub(crate) const ABSENT: &str = "this program was built without the `native` backend; `cargo xtask \
                                 smoke --engine host` builds the one that has it";

/// Never made: there is nothing to load a model with.
#[derive(Debug)]
pub(crate) struct Engine(Infallible);

impl Engine {
    /// Says what to do instead.
    pub(crate) fn load(_: &ModelFile, _: Asked) -> anyhow::Result<Self> {
        bail!(ABSENT)
    }

    pub(crate) fn about(&self) -> &About {
        match self.0 {}
    }

    pub(crate) fn begin_again(&mut self) {
        match self.0 {}
    }

    pub(crate) fn generate(&mut self, _: &str, _: Length) -> anyhow::Result<Answer> {
        match self.0 {}
    }
}
