//! The command `aienergyscore`: parses the command line, calls the library and returns the exit code.

use std::{
    panic,
    process::{self, ExitCode},
};

use aienergyscore::{
    cache,
    cli::{CacheArgs, Cli, Command, split_args::split_args},
    completions, man,
    run::{self, Show},
    verify,
};
use clap::{CommandFactory as _, FromArgMatches as _};
use engine::leftovers;
use host::{
    exit::{Exit, Usage},
    output::terminal,
};
use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};

fn main() -> ExitCode {
    guard_secrets();
    match try_main() {
        Ok(exit) => exit.into(),
        Err(error) => {
            terminal::say(format_args!("error: {error:#}"));
            let usage = error.downcast_ref::<Usage>().is_some();
            (if usage { Exit::Usage } else { Exit::Failed }).into()
        }
    }
}

/// Disables core dumps of this process and its children, because a dump may contain a token. A panic
/// becomes an error message.
fn guard_secrets() {
    // Errors are ignored: refusing dumps and lowering a limit are always permitted, and only a hard limit that
    // is 0 already cannot become 1. With 0, the kernel still pipes dumps of children to a program that collects
    // them, with 1 it does not (Linux, `fs/coredump.c`).
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(1), maximum: Some(1) });
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    panic::set_hook(Box::new(|panic| {
        let panic = panic.to_string().replace('\n', " ");
        terminal::say(format_args!("error: internal error: {panic}"));
        process::exit(Exit::Failed.code().into());
    }));
}

fn try_main() -> anyhow::Result<Exit> {
    let words = std::env::args_os()
        .map(|word| {
            word.into_string().map_err(|word| {
                Usage(format!("the argument {word:?} is not UTF-8; no engine carries it unchanged"))
            })
        })
        .collect::<Result<Vec<_>, _>>()?;
    let cli = Cli::command();
    let matches = cli.clone().get_matches_from(split_args(&cli, words)?);
    let command = Cli::from_arg_matches(&matches)?.command;
    if !matches!(command, Command::Reap(_)) {
        leftovers::secrets::remove();
    }
    match command {
        Command::Run(args) => {
            let show = match (args.dry_run, args.explain, args.json) {
                (true, true, _) => Show::Explanation,
                (true, false, true) => Show::Plan,
                (true, false, false) => Show::Command,
                (false, _, true) => Show::RunJson,
                (false, _, false) => Show::Run,
            };
            run::run(args.request, show)
        }
        Command::Fetch(args) => run::fetch(&args),
        Command::Verify(args) => {
            let json = args.json;
            let deep = args.deep;
            let findings = verify::verify(args.into_request(), None, deep)?;
            terminal::print(&verify::render(&findings, json))?;
            Ok(verify::exit(&findings))
        }
        Command::Report(args) => report::command::run(&args.into_request()),
        Command::Cache(CacheArgs { command }) => cache::run(command),
        Command::Reclaim(args) => ownership::run(&args.into_request()),
        Command::Completions(args) => completions::run(args.shell),
        Command::Man(args) => man::run(&args.out, args.overwrite),
        Command::Reap(args) => {
            run::reap(&args.remove, &args.cidfile, &args.delete)?;
            Ok(Exit::Success)
        }
    }
}
