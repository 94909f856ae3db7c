//! What clap lets choose from: our own lists, with the words of their help.

use clap::ValueEnum;
use contract::{Backend, Flavour};

use crate::options::EngineChoice;

/// clap's view of [`EngineChoice`].
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum EngineArg {
    /// The first that really answers
    Auto,
    /// Docker
    Docker,
    /// Podman
    Podman,
    /// No container: the entrypoint as a child process
    Host,
}

impl From<EngineArg> for EngineChoice {
    fn from(engine: EngineArg) -> Self {
        match engine {
            EngineArg::Auto => Self::Auto,
            EngineArg::Docker => Self::Docker,
            EngineArg::Podman => Self::Podman,
            EngineArg::Host => Self::Host,
        }
    }
}

/// clap's view of [`Backend`].
#[derive(Debug, Clone, Copy)]
pub struct BackendArg(pub Backend);

impl ValueEnum for BackendArg {
    fn value_variants<'a>() -> &'a [Self] {
        const ALL: [BackendArg; Backend::ALL.len()] = [
            BackendArg(Backend::ALL[0]),
            BackendArg(Backend::ALL[1]),
            BackendArg(Backend::ALL[2]),
            BackendArg(Backend::ALL[3]),
        ];
        &ALL
    }

    fn to_possible_value(&self) -> Option<clap::builder::PossibleValue> {
        Some(clap::builder::PossibleValue::new(self.0.name()).help(self.0.about()))
    }
}

/// clap's view of [`Flavour`].
#[derive(Debug, Clone, Copy)]
pub struct FlavourArg(pub Flavour);

impl ValueEnum for FlavourArg {
    fn value_variants<'a>() -> &'a [Self] {
        const ALL: [FlavourArg; Flavour::ALL.len()] =
            [FlavourArg(Flavour::ALL[0]), FlavourArg(Flavour::ALL[1]), FlavourArg(Flavour::ALL[2])];
        &ALL
    }

    fn to_possible_value(&self) -> Option<clap::builder::PossibleValue> {
        Some(clap::builder::PossibleValue::new(self.0.name()).help(self.0.about()))
    }
}
