//! `aienergyscore completions`: clap's types.

use clap::Args;
use clap_complete::Shell;

/// `aienergyscore completions`.
#[derive(Debug, Clone, Args)]
#[command(display_name = "aienergyscore", after_help = EXAMPLES)]
pub struct CompletionsArgs {
    /// Shell that loads the script
    #[arg(value_name = "SHELL")]
    pub shell: Shell,
}

const EXAMPLES: &str = "\
Examples:
  # in ~/.bashrc
  source <(aienergyscore completions bash)
  # in ~/.zshrc, after compinit
  source <(aienergyscore completions zsh)
  # in ~/.config/fish/config.fish
  aienergyscore completions fish | source";
