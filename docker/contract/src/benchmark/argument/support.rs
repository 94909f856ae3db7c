//! Support of arguments by backends, with reasons for guides and errors.

use crate::benchmark::backend::Backend;

/// Support of an argument by a backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Support {
    /// Every value of its type is supported.
    Full,
    /// Only these values are supported, for this reason.
    Only(&'static [&'static str], &'static str),
    /// The argument is not supported, for this reason.
    No(&'static str),
}

/// Support of an argument by every backend, in the order of [`Backend::ALL`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backends(pub(super) [Support; 4]);

impl Backends {
    /// Support by `backend`.
    pub const fn of(&self, backend: Backend) -> Support {
        match backend {
            Backend::Optimum => self.0[0],
            Backend::Pytorch => self.0[1],
            Backend::Vllm => self.0[2],
            Backend::Native => self.0[3],
        }
    }

    /// Whether `backend` supports at least some values.
    pub const fn contains(&self, backend: Backend) -> bool {
        !matches!(self.of(backend), Support::No(_))
    }
}

use Support::{Full, No, Only};

const SERVERS: &str = "the server loads and computes the model, and decides over that itself";
const CPU: &str = "it computes on the CPU alone";
const FILES: &str = "a GGUF file says itself how its numbers are stored and computed with";
const CODE: &str = "it is of transformers or PyTorch, which this backend does without";
const LIBRARY: &str = "optimum-benchmark alone has it";
const PROTOCOL: &str = "OpenAI's protocol has no such parameter";
const ONE_BY_ONE: &str = "it runs prompts one by one";
const HERE: &str = "no server answers, so none keeps a prompt waiting";
const LIKELIEST: &str = "it follows one answer, not several beams";

pub(super) const ALL: Backends = Backends([Full; 4]);
pub(super) const DEVICES: Backends = Backends([Full, Full, No(SERVERS), Only(&["cpu"], CPU)]);
pub(super) const GPUS: Backends = Backends([Full, Full, No(SERVERS), No(CPU)]);
pub(super) const TYPES: Backends = Backends([Full, Full, No(SERVERS), No(FILES)]);
pub(super) const TORCH: Backends = Backends([Full, Full, No(SERVERS), No(CODE)]);
pub(super) const LOCAL: Backends = Backends([Full, Full, No(SERVERS), Full]);
pub(super) const COMPILED: Backends = Backends([Full, No(LIBRARY), No(SERVERS), No(CODE)]);
pub(super) const QUANTISED: Backends = Backends([Full, No(LIBRARY), No(SERVERS), No(FILES)]);
pub(super) const REPORTED: Backends = Backends([Full, No(LIBRARY), No(LIBRARY), No(LIBRARY)]);
pub(super) const BATCHES: Backends =
    Backends([Full, Only(&["1"], ONE_BY_ONE), Only(&["1"], ONE_BY_ONE), Only(&["1"], ONE_BY_ONE)]);
pub(super) const SERVED: Backends = Backends([No(HERE), No(HERE), Full, No(HERE)]);
pub(super) const BEAMS: Backends = Backends([Full, Full, No(PROTOCOL), Only(&["1"], LIKELIEST)]);
