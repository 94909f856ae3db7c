//! Every snippet there is, by name.

use std::panic::Location;

use super::{
    commands::{self, LEADERBOARD, NATIVE, OFFLINE},
    content::Content,
    tables,
};

/// A snippet.
#[derive(Debug)]
pub(super) struct Snippet {
    /// The name that guides use.
    pub(super) name: &'static str,
    /// Where it is made, for the fault that nobody uses it.
    pub(super) at: &'static Location<'static>,
    /// What it shows.
    pub(super) content: Content,
}

/// Renders them all.
///
/// # Errors
/// When an example is no valid run.
pub(super) fn all() -> anyhow::Result<Vec<Snippet>> {
    // A pair `run-X` and `docker-X` shows the same run: as the program does it, and by hand.
    Ok(vec![
        snippet("run-native", commands::program(&NATIVE)),
        snippet("docker-native", commands::by_hand(&NATIVE)?),
        snippet("run-offline", commands::program(&OFFLINE)),
        snippet("docker-offline", commands::by_hand(&OFFLINE)?),
        snippet("run-leaderboard", commands::program(&LEADERBOARD)),
        snippet("docker-leaderboard", commands::by_hand(&LEADERBOARD)?),
        snippet("picture", tables::picture()?),
        snippet("mounts", tables::mounts()?),
        snippet("identity", tables::identity()?),
        snippet("variables", tables::variables()),
        snippet("run-options", tables::run_options()?),
        snippet("commands", tables::commands()),
        snippet("tasks", tables::tasks()),
        snippet("backends", tables::backends()),
        snippet("flavours", tables::flavours()),
        snippet("outputs", tables::outputs()),
        snippet("exit-codes", tables::exit_codes()),
    ])
}

#[track_caller]
fn snippet(name: &'static str, content: Content) -> Snippet {
    Snippet { name, at: Location::caller(), content }
}
