//! Backends: the programs that run a model.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::unknown_name::UnknownName;

/// A program that runs the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Backend {
    /// optimum-benchmark, the stack of the leaderboard.
    Optimum,
    /// ai_energy_benchmarks with PyTorch in the container.
    Pytorch,
    /// ai_energy_benchmarks as a client of an OpenAI-compatible server elsewhere.
    Vllm,
    /// Pure Rust inference of a quantised GGUF model on the CPU.
    Native,
}

impl Backend {
    /// Every backend, in the order of the guides.
    pub const ALL: [Self; 4] = [Self::Optimum, Self::Pytorch, Self::Vllm, Self::Native];

    /// The name on the command line and in the environment.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Optimum => "optimum",
            Self::Pytorch => "pytorch",
            Self::Vllm => "vllm",
            Self::Native => "native",
        }
    }

    /// Description in one line, for help texts and guides.
    pub const fn about(self) -> &'static str {
        match self {
            Self::Optimum => "optimum-benchmark, the stack of the leaderboard",
            Self::Pytorch => "ai_energy_benchmarks with PyTorch in the container",
            Self::Vllm => "ai_energy_benchmarks as a client of an OpenAI-compatible server",
            Self::Native => "pure Rust inference of a quantised GGUF model on the CPU",
        }
    }

    /// Whether it computes on the container's GPUs.
    pub const fn uses_gpus(self) -> bool {
        matches!(self, Self::Optimum | Self::Pytorch)
    }

    /// Whether it loads weights itself and so needs the Hub cache.
    pub const fn needs_hub_cache(self) -> bool {
        !matches!(self, Self::Vllm)
    }
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Backend {
    type Err = UnknownName;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|backend| backend.name() == name);
        found.ok_or_else(|| UnknownName::new("backend", name, &Self::ALL.map(Self::name)))
    }
}

#[cfg(test)]
mod tests {
    use super::Backend;

    #[test]
    fn an_unknown_name_lists_the_known_ones() {
        for backend in Backend::ALL {
            assert_eq!(backend.name().parse(), Ok(backend));
        }
        let error = "Optimum".parse::<Backend>().unwrap_err().to_string();
        assert_eq!(error, "unknown backend `Optimum`; known are optimum, pytorch, vllm, native");
    }
}
