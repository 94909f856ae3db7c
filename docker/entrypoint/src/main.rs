//! The program that every image starts: chooses the backend, supervises it, writes the summary.

mod arguments;
mod cli;
mod clock;
mod devices;
mod failure;
mod give_back;
mod init;
mod native;
mod probe;
mod rapl;
mod run;
mod stack;
mod summary;
mod supervise;
mod watch;

use std::{
    env,
    io::{self, Write as _},
    path::PathBuf,
    process::ExitCode,
};

use self::cli::Command;

fn main() -> ExitCode {
    if init::is_first() {
        let code = init::run().unwrap_or_else(|error| failure::report(&error));
        return ExitCode::from(code);
    }
    let code = match cli::parse(env::args_os().skip(1)) {
        Ok(command) => execute(command),
        Err(error) => failure::report(&error.into()),
    };
    ExitCode::from(code)
}

fn execute(command: Command) -> u8 {
    let variable = |name: &str| env::var_os(name);
    match command {
        Command::Run(args) => run::run(args, variable),
        Command::Native { supervisor, args } => {
            let done = watch::die_with(supervisor)
                .and_then(|()| native::run(&args, run::results(variable), variable));
            done.map_or_else(|error| failure::report(&error), |()| 0)
        }
        Command::Probe { folders, leave } => probe::run(&folders, leave.as_deref(), variable),
        Command::GiveBack(request) => give_back::run(&request, io::stdin().lock()),
        Command::Summarize(folder) => {
            let folder = folder.map_or_else(|| run::results(variable), PathBuf::from);
            match summary::text(folder) {
                Ok(text) => print(&text),
                Err(error) => failure::report(&error),
            }
        }
        Command::Convert { source, target } => run::convert(&source, &target),
        Command::Help => print(cli::HELP),
        Command::Version => {
            print(&format!("{} {}", contract::ENTRYPOINT, env!("CARGO_PKG_VERSION")))
        }
    }
}

/// Prints a line, which its reader may leave early; the exit code.
fn print(line: &str) -> u8 {
    match writeln!(io::stdout(), "{line}") {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            failure::report(&anyhow::Error::from(error).context("writing to standard output"))
        }
        _ => 0,
    }
}
