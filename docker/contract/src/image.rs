//! Images: the flavours that one Dockerfile builds, and their names.

use std::{fmt, str::FromStr};

use crate::{benchmark::backend::Backend, unknown_name::UnknownName};

/// Name of the image; the flavour is the tag.
pub const IMAGE: &str = "ai_energy_score";

/// A target of the Dockerfile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flavour {
    /// The Python stacks on the official PyTorch CUDA runtime.
    Cuda,
    /// The Python stacks on Debian's CPU PyTorch.
    Cpu,
    /// The static entrypoint alone, with the `native` backend.
    Smoke,
}

impl Flavour {
    /// Every flavour, the leaderboard's first.
    pub const ALL: [Self; 3] = [Self::Cuda, Self::Cpu, Self::Smoke];

    /// The name on the command line and of the Dockerfile's stage.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cuda => "cuda",
            Self::Cpu => "cpu",
            Self::Smoke => "smoke",
        }
    }

    /// Description in one line, for help texts and guides.
    pub const fn about(self) -> &'static str {
        match self {
            Self::Cuda => "the Python stacks on NVIDIA GPUs, for the leaderboard",
            Self::Cpu => "the Python stacks without a GPU, to try and to test",
            Self::Smoke => "the static entrypoint alone, for smoke tests and probes",
        }
    }

    /// The image's tag.
    pub const fn tag(self) -> &'static str {
        match self {
            Self::Cuda => "latest",
            Self::Cpu => "cpu",
            Self::Smoke => "smoke",
        }
    }

    /// Name and tag of the image.
    pub fn image(self) -> String {
        format!("{IMAGE}:{}", self.tag())
    }

    /// Backend of this flavour's image when none is chosen.
    pub const fn default_backend(self) -> Backend {
        match self {
            Self::Cuda | Self::Cpu => Backend::Optimum,
            Self::Smoke => Backend::Native,
        }
    }

    /// The flavour whose image runs `backend` by default.
    pub const fn of_backend(backend: Backend) -> Self {
        match backend {
            Backend::Optimum | Backend::Pytorch | Backend::Vllm => Self::Cuda,
            Backend::Native => Self::Smoke,
        }
    }

    /// The flavour that the tag of an image reference ends in, as in `smoke` or `1.2-smoke`. Any
    /// other tag, or none, is [`Flavour::Cuda`].
    pub fn of_image(reference: &str) -> Self {
        let name = reference.split('@').next().unwrap_or(reference);
        let last = name.rsplit('/').next().unwrap_or(name);
        let tag = last.split_once(':').map_or("", |(_, tag)| tag);
        Self::ALL
            .into_iter()
            .find(|flavour| tag.rsplit('-').next() == Some(flavour.name()))
            .unwrap_or(Self::Cuda)
    }
}

impl fmt::Display for Flavour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Flavour {
    type Err = UnknownName;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|flavour| flavour.name() == name);
        found.ok_or_else(|| UnknownName::new("flavour", name, &Self::ALL.map(Self::name)))
    }
}

#[cfg(test)]
mod properties;

#[cfg(test)]
mod tests {
    use super::Flavour;

    #[test]
    fn flavour_of_an_image_is_the_end_of_its_tag() {
        let cases = [
            ("ai_energy_score", Flavour::Cuda),
            ("ai_energy_score:latest", Flavour::Cuda),
            ("ai_energy_score:smoke", Flavour::Smoke),
            ("ai_energy_score:0.1.0-cpu", Flavour::Cpu),
            ("localhost:5000/team/bench:smoke", Flavour::Smoke),
            ("localhost:5000/smoke", Flavour::Cuda),
            ("bench:smoke@sha256:00", Flavour::Smoke),
            ("registry.example/bench:v3", Flavour::Cuda),
        ];
        for (reference, flavour) in cases {
            assert_eq!(Flavour::of_image(reference), flavour, "{reference}");
        }
    }
}
