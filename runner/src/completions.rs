//! `aienergyscore completions`: prints the script that completes commands and options in a shell.

use clap::Command;
use clap_complete::{Shell, generate};
use host::{exit::Exit, output::terminal};

use crate::cli;

const NAME: &str = "aienergyscore";

/// Prints the script.
///
/// # Errors
/// When standard output cannot be written.
pub fn run(shell: Shell) -> anyhow::Result<Exit> {
    let mut script = vec![];
    generate(shell, &mut visible(&cli::command()), NAME, &mut script);
    let mut script = String::from_utf8(script)?;
    if shell == Shell::Zsh {
        // With `*::`, zsh completes no options after the first argument.
        script = script.replace("\n'*::", "\n'*:");
    }
    terminal::print(&script)?;
    Ok(Exit::Success)
}

/// The program without its hidden commands, which the generators do not leave out.
fn visible(program: &Command) -> Command {
    let commands = program.get_subcommands().filter(|command| !command.is_hide_set());
    Command::new(NAME)
        .version(cli::VERSION)
        .propagate_version(true)
        .args(program.get_arguments())
        .subcommands(commands)
}
