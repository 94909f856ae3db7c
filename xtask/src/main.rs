//! What contributors do with this workspace: build the image, verify, smoke-test, regenerate.

mod build_image;
mod cargo;
mod docs;
mod sha256;
mod size;
mod smoke;
mod tool;
mod verify;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use host::output::terminal;

/// What contributors do with this workspace.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Run a small real benchmark, twice; the second run must fetch nothing.
    Smoke(smoke::Smoke),
    /// Build the image; nothing to do when its inputs have not changed.
    BuildImage(build_image::BuildImage),
    /// Lint and test the entrypoint with its `native` backend; needs a smoke test before.
    TestNative,
    /// Regenerate the guides' snippets, or check them.
    Docs(docs::Docs),
    /// Check this machine, the image, and that the guides are up to date
    Verify(verify::Verify),
}

fn main() -> ExitCode {
    let result = match Cli::parse().task {
        Task::Smoke(task) => task.run(),
        Task::BuildImage(task) => task.run(),
        Task::TestNative => build_image::test_entrypoint().map(|()| ExitCode::SUCCESS),
        Task::Docs(task) => task.run(),
        Task::Verify(task) => task.run(),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            // What cargo and docker say in it has lines.
            format!("error: {error:#}").lines().for_each(terminal::say);
            ExitCode::FAILURE
        }
    }
}
