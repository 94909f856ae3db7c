//! Every snippet there is, by name.

use std::panic::Location;

use aienergyscore::cli;
use clap::CommandFactory as _;

use super::{
    commands::{self, APART, FIRST, LEADERBOARD, OFFLINE, OPTIMUM, PYTORCH, SHARED, VLLM},
    content::Content,
    familiar, tables,
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
/// When an example is no valid run, or a file cannot be read.
pub(super) fn all() -> anyhow::Result<Vec<Snippet>> {
    let mut all = vec![
        snippet("mounts", tables::mounts()?),
        snippet("flags", tables::flags()?),
        snippet("variations", tables::variations::variations()?),
        snippet("supervision", tables::supervision()?),
        snippet("identity", tables::engines::identity()?),
        snippet("variables", tables::variables()),
        snippet("build-options", tables::options(&crate::Cli::command(), "build-image")?),
        snippet("commands", tables::commands()),
        snippet("cache-commands", tables::cache_commands()?),
        snippet("cache-problems", tables::cache_problems()),
        snippet("tasks", tables::tasks()),
        snippet("backends", tables::backends()),
        snippet("flavours", tables::flavours()),
        snippet("keys", tables::arguments::keys()),
        snippet("unsupported", tables::arguments::unsupported()),
        snippet("refused", tables::arguments::refused()),
        snippet("configuration", tables::configuration()?),
        snippet("published", tables::report::published()),
        snippet("submission-rules", tables::report::submission_rules()),
    ];
    for (name, example) in [
        ("run-native", FIRST),
        ("run-offline", OFFLINE),
        ("run-optimum", OPTIMUM),
        ("run-pytorch", PYTORCH),
        ("run-vllm", VLLM),
        ("run-leaderboard", LEADERBOARD),
        ("run-apart", APART),
        ("run-shared", SHARED),
    ] {
        all.push(snippet(name, commands::program(&example)));
    }
    for (name, command) in [
        ("run-options", "run"),
        ("fetch-options", "fetch"),
        ("verify-options", "verify"),
        ("report-options", "report"),
        ("cache-ls-options", "cache ls"),
        ("cache-verify-options", "cache verify"),
        ("cache-repair-options", "cache repair"),
        ("reclaim-options", "reclaim"),
    ] {
        all.push(snippet(name, tables::options(&cli::command(), command)?));
    }
    // `run-leaderboard` by hand, whole; `run-native` by hand, as other projects would show it.
    all.push(snippet("docker-leaderboard", commands::by_hand(&LEADERBOARD)?));
    all.push(snippet("familiar-native", familiar::recipe(&FIRST)?));
    Ok(all)
}

#[track_caller]
fn snippet(name: &'static str, content: Content) -> Snippet {
    Snippet { name, at: Location::caller(), content }
}
