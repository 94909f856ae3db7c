//! The command `aienergyscore`: parse, call the library, print, exit code.

use std::{
    panic,
    process::{self, ExitCode},
};

use aienergyscore::{
    cli::{CacheArgs, CacheCommand, Cli, Command, split_args::split_args},
    commands::{cache, cache_trust, completions, man},
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

/// Neither this process nor what it starts leaves its memory on a disk, where a token may be in it:
/// other users' tools collect dumps. A panic is an error, too, and no crash.
fn guard_secrets() {
    // A process may always refuse to be dumped, and lower a limit. 0 does not keep the kernel from handing
    // the memory of what it starts to a program that collects dumps, 1 does (Linux, `fs/coredump.c`), but a
    // hard limit of 0 cannot be raised.
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
        Command::Fetch(args) => run::fetch(args.into_request()),
        Command::Verify(args) => {
            let json = args.json;
            let deep = args.deep;
            let findings = verify::verify(args.into_request(), None, deep)?;
            terminal::print(&verify::render(&findings, json))?;
            Ok(verify::exit(&findings))
        }
        Command::Report(args) => report::command::run(&args.into_request()),
        Command::Cache(CacheArgs { command }) => cache(command),
        Command::Reclaim(args) => ownership::run(&args.into_request()),
        Command::Completions(args) => completions::run(args.shell),
        Command::Man(args) => man::run(&args.out, args.overwrite),
        Command::Reap(args) => {
            run::reap(&args.remove, &args.cidfile, &args.delete)?;
            Ok(Exit::Success)
        }
    }
}

fn cache(command: CacheCommand) -> anyhow::Result<Exit> {
    match command {
        CacheCommand::Ls(args) => {
            let as_json = args.json;
            cache::ls(&args.into_listing(), as_json)
        }
        CacheCommand::Verify(args) => {
            let as_json = args.json;
            cache::check(&args.into_scope(), as_json)
        }
        CacheCommand::Repair(args) => {
            let (yes, as_json) = (args.yes, args.json);
            let (scope, engine) = args.into_scope();
            cache::mend(&scope, engine, yes, as_json)
        }
        CacheCommand::Trust => cache_trust::run(),
    }
}
