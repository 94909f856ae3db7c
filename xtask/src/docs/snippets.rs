//! All snippets by name.

use std::panic::Location;

use aienergyscore::cli;
use clap::Command;

use super::{
    cache_output::CacheOutput,
    content::Content,
    examples::{
        FIRST, LEADERBOARD, OPTIMUM, PYTORCH, SEPARATE_CACHE, SHARED_CACHE, VLLM, docker_command,
        program_command,
    },
    familiar,
    tables::{self, arguments, cli::options, plan, published, submission, variables, variations},
};

/// Generated text that a guide contains.
#[derive(Debug)]
pub(super) struct Snippet {
    /// Name in the markers.
    pub(super) name: &'static str,
    /// Its line in this file, for the error that no guide contains it.
    pub(super) at: &'static Location<'static>,
    pub(super) content: Content,
}

/// Renders all snippets. `xtask` is this program's own command line.
///
/// # Errors
/// When an example is not a valid run, or a file cannot be read.
pub(super) fn all(xtask: &Command) -> anyhow::Result<Vec<Snippet>> {
    let program = cli::command();
    let cache = tables::cli::find(&program, "cache")?;
    let mut all = vec![
        snippet("mounts", plan::mounts()?),
        snippet("flags", plan::flags()?),
        snippet("variations", variations::variations()?),
        snippet("supervision", plan::supervision()?),
        snippet("identity", plan::identity()?),
        snippet("variables", variables::variables()),
        snippet("build-options", options(xtask, "build-image")?),
        snippet("commands", tables::cli::commands(&program, "aienergyscore")),
        snippet("cache-commands", tables::cli::commands(cache, "aienergyscore cache")),
        snippet("cache-problems", tables::cache_problems()),
        snippet("tasks", tables::cli::commands(xtask, "cargo xtask")),
        snippet("backends", tables::backends()),
        snippet("flavours", tables::flavours()),
        snippet("keys", arguments::keys()?),
        snippet("unsupported", arguments::unsupported()),
        snippet("refused", arguments::refused()),
        snippet("configuration", tables::configuration()?),
        snippet("published", published::published()),
        snippet("submission-rules", submission::submission_rules()),
    ];
    for (name, example) in [
        ("run-native", FIRST),
        ("run-optimum", OPTIMUM),
        ("run-pytorch", PYTORCH),
        ("run-vllm", VLLM),
        ("run-leaderboard", LEADERBOARD),
        ("run-apart", SEPARATE_CACHE),
        ("run-shared", SHARED_CACHE),
    ] {
        all.push(snippet(name, program_command(&example)));
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
        ("completions-options", "completions"),
        ("man-options", "man"),
    ] {
        all.push(snippet(name, options(&program, command)?));
    }
    let CacheOutput { ls, verify, repair } = CacheOutput::new()?;
    all.push(snippet("cache-ls-output", ls));
    all.push(snippet("cache-verify-output", verify));
    all.push(snippet("cache-repair-output", repair));
    all.push(snippet("docker-leaderboard", docker_command(&LEADERBOARD)?));
    all.push(snippet("familiar-native", familiar::recipe(&FIRST)?));
    Ok(all)
}

#[track_caller]
fn snippet(name: &'static str, content: Content) -> Snippet {
    Snippet { name, at: Location::caller(), content }
}
