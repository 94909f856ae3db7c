//! What a run promises, whatever the engine: the data of the guide's table, and of the tests that hold
//! each promise on each real engine.

use crate::engine::{Engine, Groups};

/// A promise to the user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Promise {
    /// Of the results.
    Results,
    /// Of the cache.
    Cache,
    /// Of the home inside.
    Home,
    /// Of the token.
    Secrets,
    /// Of the way to this machine, and of none.
    Network,
    /// Of supplementary groups.
    Groups,
    /// Of signals.
    Signals,
    /// Of killed programs.
    Death,
    /// Of folders that are not there.
    Missing,
    /// Of what folders are called.
    Paths,
    /// Of exit codes.
    ExitCodes,
    /// Of the limits of the container.
    Confinement,
}

impl Promise {
    /// All of them, in the order of the guide.
    pub const ALL: [Self; 12] = [
        Self::Results,
        Self::Cache,
        Self::Home,
        Self::Secrets,
        Self::Network,
        Self::Groups,
        Self::Signals,
        Self::Death,
        Self::Missing,
        Self::Paths,
        Self::ExitCodes,
        Self::Confinement,
    ];

    /// The promise, in a sentence.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Results => "results are yours, readable without sudo",
            Self::Cache => {
                "a cache that only you may enter is read and written, and nothing in it changes its \
                 owner"
            }
            Self::Home => "the home inside and its `.cache` are writable",
            Self::Secrets => {
                "the token is readable inside, and in no process list, `inspect`, log or result; \
                 other tokens are covered"
            }
            Self::Network => "`host.docker.internal` is this machine; `--offline` reaches nothing",
            Self::Groups => "what only another group of yours may read is read",
            Self::Signals => {
                "Ctrl-C, SIGTERM and a closed terminal end the container, during its start, too; \
                 what it wrote is kept, and the exit code is 128+n"
            }
            Self::Death => "whoever is killed, no container goes on",
            Self::Missing => "folders that are missing are made by you, never by the engine",
            Self::Paths => {
                "folders may have blanks, commas, colons, quotes and newlines in their names"
            }
            Self::ExitCodes => "the exit code is the benchmark's own, and never a false 0",
            Self::Confinement => {
                "no capability, no new privilege, nothing written beside the mounts"
            }
        }
    }

    /// Why `engine` cannot keep it, if it cannot: a run says so.
    pub fn broken_by(self, engine: &Engine) -> Option<&'static str> {
        match (self, engine.groups()) {
            (Self::Groups, Groups::Never(why)) => Some(why),
            _ => None,
        }
    }
}
