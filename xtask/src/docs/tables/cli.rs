//! Tables of commands and options, as clap knows them.

use anyhow::Context as _;
use clap::{Arg, Command};

use crate::docs::content::{Content, code};

/// The options of a command, by the groups of its help, without `--help` and `--version`. The name of a
/// command below another has a space, as `cache ls`.
///
/// # Errors
/// When the command is unknown.
pub(crate) fn options(program: &Command, name: &str) -> anyhow::Result<Content> {
    let mut program = program.clone();
    program.build();
    let command = find(&program, name)?;
    let is_shown = |argument: &&Arg| {
        !argument.is_hide_set() && !["help", "version"].contains(&argument.get_id().as_str())
    };
    let mut groups: Vec<(Option<&str>, Vec<Vec<String>>)> = vec![(None, vec![])];
    for argument in command.get_arguments().filter(is_shown) {
        let heading = argument.get_help_heading();
        let row = vec![code(&spelling(argument)), meaning(argument)];
        match groups.iter_mut().find(|(known, _)| *known == heading) {
            Some((_, rows)) => rows.push(row),
            None => groups.push((heading, vec![row])),
        }
    }
    let rows = groups.into_iter().flat_map(|(heading, rows)| {
        let heading = heading.map(|heading| vec![format!("**{heading}**"), String::new()]);
        heading.into_iter().chain(rows)
    });
    Ok(Content::Table { head: vec!["Option", "Meaning"], rows: rows.collect() })
}

/// The commands of a program that users type as `prefix`.
pub(crate) fn commands(program: &Command, prefix: &str) -> Content {
    let visible = program.get_subcommands().filter(|command| !command.is_hide_set());
    let rows = visible.map(|command| {
        let about = command.get_about().map(ToString::to_string).unwrap_or_default();
        vec![
            code(&format!("{prefix} {}", command.get_name())),
            about.trim_end_matches('.').to_owned(),
        ]
    });
    Content::Table { head: vec!["Command", "What it does"], rows: rows.collect() }
}

/// The command `name` of `program`.
///
/// # Errors
/// When the command is unknown.
pub(crate) fn find<'a>(program: &'a Command, name: &str) -> anyhow::Result<&'a Command> {
    let found = name.split(' ').try_fold(program, |command, name| command.find_subcommand(name));
    found.with_context(|| format!("there is no command `{name}`"))
}

fn spelling(argument: &Arg) -> String {
    let values = argument.get_value_names().unwrap_or_default().join(" ");
    if argument.is_positional() {
        let required = argument.is_required_set();
        return if required { format!("<{values}>") } else { format!("[{values}]...") };
    }
    let short = argument.get_short().map(|short| format!("-{short}"));
    let long = argument.get_long().map(|long| format!("--{long}"));
    let flags = short.into_iter().chain(long).collect::<Vec<_>>().join(", ");
    if argument.get_action().takes_values() { format!("{flags} <{values}>") } else { flags }
}

fn meaning(argument: &Arg) -> String {
    let mut text = argument.get_help().map(ToString::to_string).unwrap_or_default();
    if argument.get_action().takes_values() {
        let values: Vec<_> =
            argument.get_possible_values().iter().map(|value| code(value.get_name())).collect();
        if !values.is_empty() {
            text += &format!("; one of {}", values.join(", "));
        }
        if let [default] = argument.get_default_values() {
            text += &format!(" [default: {}]", default.to_string_lossy());
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use clap::{Arg, ArgAction, Command};

    use super::{commands, meaning, options, spelling};
    use crate::docs::content::Content;

    #[test]
    fn options_have_the_spelling_and_text_of_help() {
        let arguments = [
            Arg::new("n").short('n').long("num").value_name("N").help("How many"),
            Arg::new("m").long("mode").value_name("MODE").help("How").value_parser(["a", "b"]),
            Arg::new("g").long("gpus").value_name("GPUS").help("Which").default_value("auto"),
            Arg::new("d").long("dry").action(ArgAction::SetTrue).help("Only show"),
            Arg::new("rest").value_name("REST").help("The rest"),
        ];
        // Building the command fills in the defaults of actions.
        let mut command = Command::new("x").disable_help_flag(true).args(arguments);
        command.build();
        let rows = command.get_arguments();
        let rows = rows.map(|argument| vec![spelling(argument), meaning(argument)]).collect();
        let table = Content::Table { head: vec!["", ""], rows };
        insta::assert_snapshot!(table.render(), @"
        |  |  |
        | --- | --- |
        | -n, --num <N> | How many |
        | --mode <MODE> | How; one of `a`, `b` |
        | --gpus <GPUS> | Which [default: auto] |
        | --dry | Only show |
        | [REST]... | The rest |
        ");
    }

    #[test]
    fn options_stand_under_the_heading_of_their_group() {
        let flag = |name: &'static str| {
            Arg::new(name).long(name).action(ArgAction::SetTrue).help("A flag")
        };
        let ls = Command::new("ls").version("1").args([
            flag("json"),
            flag("deep").help_heading("Limits"),
            flag("all"),
            flag("secret").hide(true),
            Arg::new("dir").value_name("DIR").required(true).help("Folder"),
        ]);
        let program = Command::new("x").subcommand(Command::new("cache").subcommand(ls));
        insta::assert_snapshot!(options(&program, "cache ls").unwrap().render(), @"
        | Option | Meaning |
        | --- | --- |
        | `--json` | A flag |
        | `--all` | A flag |
        | `<DIR>` | Folder |
        | **Limits** |  |
        | `--deep` | A flag |
        ");
        assert!(options(&program, "cache mv").is_err());
    }

    #[test]
    fn hidden_commands_are_not_listed() {
        let program = Command::new("x").subcommands([
            Command::new("run").about("Run it."),
            Command::new("reap").about("For itself.").hide(true),
        ]);
        insta::assert_snapshot!(commands(&program, "x").render(), @"
        | Command | What it does |
        | --- | --- |
        | `x run` | Run it |
        ");
    }
}
