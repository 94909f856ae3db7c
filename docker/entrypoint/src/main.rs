//! The program that every image starts: chooses the backend, supervises it, writes the summary.

mod arguments;
mod cli;
mod devices;
mod failure;
mod fetch;
mod folders;
mod init;
mod native;
mod probe;
mod rapl;
mod reclaim;
mod run;
mod shell;
mod stack;
mod summary;
mod supervise;
mod watch;

use std::{
    env,
    io::{self, Write as _},
    panic,
    path::PathBuf,
    process::{self, ExitCode},
};

use contract::exit::FAILED;
use rustix::process::{Resource, Rlimit, setrlimit};
use streams::Stream;

use self::cli::Command;

fn main() -> ExitCode {
    guard_secrets();
    if let Err(error) = shell::take_umask() {
        return ExitCode::from(failure::report(&error.into()));
    }
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

/// Neither this process nor what it starts leaves its memory on a disk: a secret may be in it. A
/// panic is an error, too, and no crash.
fn guard_secrets() {
    // A limit can always be lowered. 0 does not keep the kernel from handing the memory to a program that
    // collects dumps, 1 does (Linux, `fs/coredump.c`), but a hard limit of 0 cannot be raised.
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(1), maximum: Some(1) });
    panic::set_hook(Box::new(|panic| {
        let panic = panic.to_string().replace('\n', " ");
        failure::say(&format!("error: internal error: {panic}"));
        process::exit(FAILED.into());
    }));
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
        Command::Reclaim(request) => reclaim::run(&request, io::stdin().lock()),
        Command::Summarize(folder) => {
            let folder = folder.map_or_else(|| run::results(variable), PathBuf::from);
            match summary::text(folder) {
                Ok(text) => print(&text),
                Err(error) => failure::report(&error),
            }
        }
        Command::Fetch(args) => fetch::run(&args, variable),
        Command::Convert { source, target } => run::convert(&source, &target),
        Command::Help => print(cli::HELP),
        Command::Version => {
            print(&format!("{} {}", contract::ENTRYPOINT, env!("CARGO_PKG_VERSION")))
        }
    }
}

/// Prints a line, which its reader may leave early; the exit code.
fn print(line: &str) -> u8 {
    match Stream::Out.write_all(format!("{line}\n").as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            failure::report(&anyhow::Error::from(error).context("writing to standard output"))
        }
        _ => 0,
    }
}
