//! Chooses, pulls or makes the base image of the flavours with Python.

mod bootstrap;

use anyhow::{Context as _, bail};
use contract::Flavour;
use host::output::terminal;
use xshell::Shell;

use super::{builder::Builder, labels::Base};

/// The base that was requested.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum BaseChoice {
    /// The default of the flavour.
    Default,
    /// An image of Debian or a derivative.
    Named(String),
    /// A base made with mmdebstrap on this machine.
    Bootstrap,
}

/// The default base of `flavour`. None if the flavour is built from scratch.
pub(super) const fn default_name(flavour: Flavour) -> Option<&'static str> {
    match flavour {
        Flavour::Cuda => Some(
            "pytorch/pytorch:2.8.0-cuda12.8-cudnn9-runtime@sha256:\
             417bd75df6365104c283ea4c1651fb3530d9eb5a4c2fafa51943cff2a94e6385",
        ),
        Flavour::Cpu => Some("debian:trixie-slim"),
        Flavour::Smoke => None,
    }
}

impl BaseChoice {
    /// The choice that the flags express.
    ///
    /// # Errors
    /// When the flavour has no base.
    pub(super) fn new(
        flavour: Flavour,
        named: Option<String>,
        bootstrap: bool,
    ) -> anyhow::Result<Self> {
        let choice = match (named, bootstrap) {
            (Some(name), _) => Self::Named(name),
            (None, true) => Self::Bootstrap,
            (None, false) => Self::Default,
        };
        if choice != Self::Default && default_name(flavour).is_none() {
            bail!("the flavour {flavour} has no base image; leave `--base` and its like out");
        }
        Ok(choice)
    }

    /// The choice that an existing image was built with, read from the base in its labels.
    pub(super) fn of_image(flavour: Flavour, recorded: Option<Base>) -> Self {
        match recorded.map(|base| base.name) {
            Some(name) if name == bootstrap::IMAGE => Self::Bootstrap,
            Some(name) if Some(name.as_str()) != default_name(flavour) => Self::Named(name),
            _ => Self::Default,
        }
    }

    /// The base as an input of the image, as far as it is known before a pull. `content` looks up the
    /// content of a local image, `recorded` is the base of the existing image.
    pub(super) fn expected(
        &self,
        flavour: Flavour,
        content: impl FnOnce(&str) -> anyhow::Result<Option<String>>,
        recorded: Option<&Base>,
    ) -> anyhow::Result<Option<Base>> {
        let Some(name) = self.name(flavour) else { return Ok(None) };
        let base = |id| Base { name: name.to_owned(), id };
        if *self == Self::Default {
            return Ok(Some(base(None)));
        }
        // An image stays up to date when its base is removed.
        let known = || recorded.filter(|base| base.name == name).and_then(|base| base.id.clone());
        Ok(Some(base(content(name)?.or_else(known))))
    }

    /// Pulls or makes the base if the engine does not have it.
    ///
    /// # Errors
    /// When that fails.
    pub(super) fn ensure(
        &self,
        sh: &Shell,
        builder: &Builder,
        flavour: Flavour,
    ) -> anyhow::Result<Option<Base>> {
        let Some(name) = self.name(flavour) else { return Ok(None) };
        let program = builder.program();
        let mut id = builder.content(sh, name)?;
        if id.is_some() && *self == Self::Bootstrap {
            terminal::say(format_args!(
                "base: `{name}`, made here before; `{program} image rm {name}` to make it anew"
            ));
        } else if id.is_none() {
            match self {
                Self::Bootstrap => bootstrap::make(sh, builder, name)?,
                Self::Default | Self::Named(_) => self.pull(sh, builder, name, flavour)?,
            }
            id = builder.content(sh, name)?;
            id.as_ref()
                .with_context(|| format!("{program} does not find the base image `{name}`"))?;
        }
        let id = id.filter(|_| *self != Self::Default);
        Ok(Some(Base { name: name.to_owned(), id }))
    }

    fn name(&self, flavour: Flavour) -> Option<&str> {
        match self {
            Self::Default => default_name(flavour),
            Self::Named(name) => Some(name),
            Self::Bootstrap => Some(bootstrap::IMAGE),
        }
    }

    fn pull(
        &self,
        sh: &Shell,
        builder: &Builder,
        name: &str,
        flavour: Flavour,
    ) -> anyhow::Result<()> {
        terminal::say(format_args!("fetching the base image `{name}`"));
        if builder.pull(sh, name)? {
            return Ok(());
        }
        bail!(self.pull_failed(builder.program(), name, flavour))
    }

    fn pull_failed(&self, program: &str, name: &str, flavour: Flavour) -> String {
        let made = format!("`cargo xtask build-image --flavour {flavour} --bootstrap-base`");
        let remedy = match self {
            Self::Named(_) => {
                format!("check its name (`{program} image ls` lists what is at hand)")
            }
            _ => "name an image at hand by `--base IMAGE`".to_owned(),
        };
        format!(
            "the base image `{name}` is not at hand and cannot be pulled; {program} says above why. \
             Where no registry answers, make a Debian base on this machine, {made}, or {remedy}"
        )
    }
}

#[cfg(test)]
mod tests {
    use contract::Flavour;

    use super::{Base, BaseChoice, bootstrap};

    #[test]
    fn rebuild_uses_the_base_of_the_existing_image() {
        let before = |name: &str| {
            BaseChoice::of_image(Flavour::Cpu, Some(Base { name: name.to_owned(), id: None }))
        };
        assert_eq!(before(bootstrap::IMAGE), BaseChoice::Bootstrap);
        assert_eq!(before("mine:1"), BaseChoice::Named("mine:1".to_owned()));
        assert_eq!(before("debian:trixie-slim"), BaseChoice::Default);
        assert_eq!(BaseChoice::of_image(Flavour::Cpu, None), BaseChoice::Default);
    }

    #[test]
    fn flags_choose_the_base() {
        let choice = |flavour, named: Option<&str>, bootstrap| {
            BaseChoice::new(flavour, named.map(str::to_owned), bootstrap)
        };
        assert_eq!(choice(Flavour::Smoke, None, false).unwrap(), BaseChoice::Default);
        assert_eq!(choice(Flavour::Cpu, None, true).unwrap(), BaseChoice::Bootstrap);
        let named = choice(Flavour::Cuda, Some("x"), false).unwrap();
        assert_eq!(named, BaseChoice::Named("x".to_owned()));
        insta::assert_snapshot!(choice(Flavour::Smoke, None, true).unwrap_err(), @"the flavour smoke has no base image; leave `--base` and its like out");
    }

    #[test]
    fn default_base_is_identified_by_reference_and_others_by_content() {
        let named = BaseChoice::Named("x".to_owned());
        let base = |name: &str, id: Option<&str>| Base {
            name: name.to_owned(),
            id: id.map(str::to_owned),
        };
        let expected = |choice: &BaseChoice, local: Option<&str>, recorded: Option<&Base>| {
            let local = local.map(str::to_owned);
            choice.expected(Flavour::Cpu, |_| Ok(local), recorded).unwrap().unwrap()
        };
        let default = expected(&BaseChoice::Default, Some("1"), None);
        assert_eq!(default, base("debian:trixie-slim", None));
        let old = base("x", Some("0"));
        assert_eq!(expected(&named, Some("1"), Some(&old)), base("x", Some("1")));
        assert_eq!(expected(&named, None, Some(&old)), old);
        assert_eq!(expected(&named, None, Some(&base("y", Some("0")))), base("x", None));
        let smoke = BaseChoice::Default.expected(Flavour::Smoke, |_| Ok(None), None);
        assert_eq!(smoke.unwrap(), None);
    }

    #[test]
    fn failed_pull_names_the_remedies() {
        let says =
            |choice: BaseChoice| choice.pull_failed("docker", "debian:trixie-slim", Flavour::Cpu);
        insta::assert_snapshot!(says(BaseChoice::Default), @"the base image `debian:trixie-slim` is not at hand and cannot be pulled; docker says above why. Where no registry answers, make a Debian base on this machine, `cargo xtask build-image --flavour cpu --bootstrap-base`, or name an image at hand by `--base IMAGE`");
        let named = says(BaseChoice::Named("x".to_owned()));
        assert!(named.ends_with("or check its name (`docker image ls` lists what is at hand)"));
    }
}
