//! Runs the command that the command line names.

mod convert;
mod fetch;
mod probe;
mod reclaim;

use std::{
    io::{self, Write as _},
    path::PathBuf,
};

use anyhow::Context as _;
use streams::Stream;

use crate::{
    cli::{Command, HELP},
    environment::Environment,
    native, run, setup,
};

/// Runs `command` and returns the exit code.
pub(crate) fn execute(command: Command, environment: &Environment) -> anyhow::Result<u8> {
    match command {
        Command::Run(args) => run::run(args, environment),
        Command::Native { supervisor, args } => {
            setup::die_with_parent(supervisor)?;
            native::run(&args, environment).map(|()| 0)
        }
        Command::Probe { folders, leave } => probe::run(&folders, leave.as_deref(), environment),
        Command::Reclaim(request) => reclaim::run(&request, io::stdin().lock()),
        Command::Summarize(folder) => {
            let folder = folder.map_or_else(|| environment.results_folder(), PathBuf::from);
            print(&run::summary_of(folder)?)
        }
        Command::Fetch(args) => fetch::run(&args, environment),
        Command::Convert { source, target } => convert::run(&source, &target, environment),
        Command::Help => print(HELP),
        Command::Version => {
            print(&format!("{} {}", contract::ENTRYPOINT, env!("CARGO_PKG_VERSION")))
        }
    }
}

/// Prints a line to standard output. A reader that closed the pipe early is no error.
fn print(line: &str) -> anyhow::Result<u8> {
    match Stream::Out.write_all(format!("{line}\n").as_bytes()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
        written => written.context("writing to standard output")?,
    }
    Ok(0)
}
