//! The command `aienergyscore`: parse, call the library, print, exit code.

use std::process::ExitCode;

use clap::{CommandFactory as _, FromArgMatches as _};
use runner::{
    cache_command, cache_trust, checks,
    cli::{CacheArgs, CacheCommand, Cli, Command},
    exit::{Exit, Usage},
    pass_through::sort_words,
    repair_results, report,
    run::{self, Show},
    terminal,
};

fn main() -> ExitCode {
    match try_main() {
        Ok(exit) => exit.into(),
        Err(error) => {
            terminal::say(format_args!("error: {error:#}"));
            let usage = error.downcast_ref::<Usage>().is_some();
            (if usage { Exit::Usage } else { Exit::Failed }).into()
        }
    }
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
    let matches = cli.clone().get_matches_from(sort_words(&cli, words)?);
    match Cli::from_arg_matches(&matches)?.command {
        Command::Run(args) => {
            let show = match (args.dry_run, args.explain, args.json) {
                (true, true, _) => Show::Explanation,
                (true, false, true) => Show::Plan,
                (true, false, false) => Show::Command,
                (false, _, true) => Show::RunJson,
                (false, _, false) => Show::Run,
            };
            run::run(args.into_request(), show)
        }
        Command::Verify(args) => {
            let json = args.json;
            let deep = args.deep;
            let findings = checks::verify(args.into_request(), None, deep)?;
            terminal::print(&checks::render(&findings, json))?;
            Ok(checks::exit(&findings))
        }
        Command::Report(args) => report::command::run(&args.into_request()),
        Command::Cache(CacheArgs { command }) => cache(command),
        Command::RepairResults(args) => repair_results::run(&args.into_request()),
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
            cache_command::ls(&args.into_listing(), as_json)
        }
        CacheCommand::Verify(args) => {
            let as_json = args.json;
            cache_command::check(&args.into_scope(), as_json)
        }
        CacheCommand::Repair(args) => {
            let (yes, as_json) = (args.yes, args.json);
            let (scope, engine) = args.into_scope();
            cache_command::mend(&scope, engine, yes, as_json)
        }
        CacheCommand::Trust => cache_trust::run(),
    }
}
