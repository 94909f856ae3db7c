//! What the flavours with Python stand on, and what to do when it is not at hand.

use anyhow::{Context as _, bail};
use contract::Flavour;
use host::output::terminal;
use xshell::Shell;

use super::{bootstrap, builder::Builder, labels::Base};

/// Which base was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Wanted {
    /// The flavour's own.
    Default,
    /// An image of Debian or its kin.
    Named(String),
    /// The one that is made here.
    Bootstrap,
}

/// The base of `flavour` when nobody names one; none where there is nothing below.
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

impl Wanted {
    /// Reads the flags.
    ///
    /// # Errors
    /// When the flavour has no base.
    pub(super) fn new(
        flavour: Flavour,
        named: Option<String>,
        bootstrap: bool,
    ) -> anyhow::Result<Self> {
        let wanted = match (named, bootstrap) {
            (Some(name), _) => Self::Named(name),
            (None, true) => Self::Bootstrap,
            (None, false) => Self::Default,
        };
        if wanted != Self::Default && default_name(flavour).is_none() {
            bail!("the flavour {flavour} has no base image; leave `--base` and its like out");
        }
        Ok(wanted)
    }

    /// The base that the image at hand was built on; the flavour's own without one.
    pub(super) fn as_before(flavour: Flavour, recorded: Option<Base>) -> Self {
        match recorded.map(|base| base.name) {
            Some(name) if name == bootstrap::IMAGE => Self::Bootstrap,
            Some(name) if Some(name.as_str()) != default_name(flavour) => Self::Named(name),
            _ => Self::Default,
        }
    }

    /// The base that decides over the image, as far as it is known before anything is fetched:
    /// `local` is the content of an image by that name, `recorded` the base of the image at hand.
    pub(super) fn expected(
        &self,
        flavour: Flavour,
        local: impl FnOnce(&str) -> anyhow::Result<Option<String>>,
        recorded: Option<&Base>,
    ) -> anyhow::Result<Option<Base>> {
        let Some(name) = self.name(flavour) else { return Ok(None) };
        let base = |id| Base { name: name.to_owned(), id };
        if *self == Self::Default {
            return Ok(Some(base(None)));
        }
        // What the image at hand was built from is enough, also when it has been removed since.
        let known = || recorded.filter(|base| base.name == name).and_then(|base| base.id.clone());
        Ok(Some(base(local(name)?.or_else(known))))
    }

    /// Fetches or makes the base where it is not at hand.
    ///
    /// # Errors
    /// When it cannot be had.
    pub(super) fn ready(
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
        bail!(self.not_pulled(builder.program(), name, flavour))
    }

    fn not_pulled(&self, program: &str, name: &str, flavour: Flavour) -> String {
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

    use super::{Base, Wanted, bootstrap};

    #[test]
    fn a_base_that_was_chosen_before_is_chosen_again() {
        let before = |name: &str| {
            Wanted::as_before(Flavour::Cpu, Some(Base { name: name.to_owned(), id: None }))
        };
        assert_eq!(before(bootstrap::IMAGE), Wanted::Bootstrap);
        assert_eq!(before("mine:1"), Wanted::Named("mine:1".to_owned()));
        assert_eq!(before("debian:trixie-slim"), Wanted::Default);
        assert_eq!(Wanted::as_before(Flavour::Cpu, None), Wanted::Default);
    }

    #[test]
    fn flags_name_the_base() {
        let wanted = |flavour, named: Option<&str>, bootstrap| {
            Wanted::new(flavour, named.map(str::to_owned), bootstrap)
        };
        assert_eq!(wanted(Flavour::Smoke, None, false).unwrap(), Wanted::Default);
        assert_eq!(wanted(Flavour::Cpu, None, true).unwrap(), Wanted::Bootstrap);
        let named = wanted(Flavour::Cuda, Some("x"), false).unwrap();
        assert_eq!(named, Wanted::Named("x".to_owned()));
        insta::assert_snapshot!(wanted(Flavour::Smoke, None, true).unwrap_err(), @"the flavour smoke has no base image; leave `--base` and its like out");
    }

    #[test]
    fn a_default_base_is_its_reference_and_another_is_its_content() {
        let named = Wanted::Named("x".to_owned());
        let base = |name: &str, id: Option<&str>| Base {
            name: name.to_owned(),
            id: id.map(str::to_owned),
        };
        let expected = |wanted: &Wanted, local: Option<&str>, recorded: Option<&Base>| {
            let local = local.map(str::to_owned);
            wanted.expected(Flavour::Cpu, |_| Ok(local), recorded).unwrap().unwrap()
        };
        let default = expected(&Wanted::Default, Some("1"), None);
        assert_eq!(default, base("debian:trixie-slim", None));
        let old = base("x", Some("0"));
        assert_eq!(expected(&named, Some("1"), Some(&old)), base("x", Some("1")));
        assert_eq!(expected(&named, None, Some(&old)), old);
        assert_eq!(expected(&named, None, Some(&base("y", Some("0")))), base("x", None));
        let smoke = Wanted::Default.expected(Flavour::Smoke, |_| Ok(None), None);
        assert_eq!(smoke.unwrap(), None);
    }

    #[test]
    fn a_failed_pull_says_what_to_do() {
        let says = |wanted: Wanted| wanted.not_pulled("docker", "debian:trixie-slim", Flavour::Cpu);
        insta::assert_snapshot!(says(Wanted::Default), @"the base image `debian:trixie-slim` is not at hand and cannot be pulled; docker says above why. Where no registry answers, make a Debian base on this machine, `cargo xtask build-image --flavour cpu --bootstrap-base`, or name an image at hand by `--base IMAGE`");
        let named = says(Wanted::Named("x".to_owned()));
        assert!(named.ends_with("or check its name (`docker image ls` lists what is at hand)"));
    }
}
