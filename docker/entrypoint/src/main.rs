//! Entrypoint of every image: runs the benchmark's backend, supervises it, writes the summary.

mod arguments;
mod cli;
mod commands;
mod environment;
mod exit;

mod init;
mod native;
mod python;
mod run;
mod setup;
mod supervise;

use std::{env, ffi::OsString, process::ExitCode};

use self::environment::Environment;

fn main() -> ExitCode {
    setup::disable_core_dumps();
    setup::report_panics();
    let code = start(env::args_os().skip(1), &Environment::read());
    ExitCode::from(code.unwrap_or_else(|error| exit::report(&error)))
}

fn start(args: impl Iterator<Item = OsString>, environment: &Environment) -> anyhow::Result<u8> {
    setup::set_umask(environment)?;
    if init::is_first_process() {
        return init::run(args);
    }
    commands::execute(cli::parse(args)?, environment)
}
