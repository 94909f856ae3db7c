//! The guides' tables, from the contract, the run plan and clap.

pub(super) mod arguments;
pub(super) mod engines;
pub(super) mod report;
pub(super) mod variations;

use std::fs;

use aienergyscore::cli;
use anyhow::Context as _;
use clap::{Arg, CommandFactory as _};
use contract::{Backend, Flavour, argument::DEFAULT_CONFIG, env};
use doctor::finding::Problem;
use engine::{Engine, Mode};
use host::shell::{CommandLine, Part};
use plan::{
    render::command_line,
    run_plan::{Access, Input, Mount, MountVariable, RunPlan},
};

use super::{
    commands::{Example, NATIVE, PORTABLE, PYTORCH, plan, portable, supervised},
    content::Content,
};
use crate::workspace;

/// The variables of the host.
pub(super) fn variables() -> Content {
    let rows = env::HOST
        .map(|(name, meaning, default)| vec![code(name), meaning.to_owned(), default.to_owned()]);
    Content::Table { head: vec!["Variable", "Meaning", "Default"], rows: rows.into() }
}

/// The options of a command of `program`, by the groups of its help. `--help` and `--version` are
/// left out. The name of a command below another has a space, as `cache ls`.
///
/// # Errors
/// When there is no such command.
pub(super) fn options(program: &clap::Command, name: &str) -> anyhow::Result<Content> {
    let mut program = program.clone();
    program.build();
    let found = name.split(' ').try_fold(&program, |command, name| command.find_subcommand(name));
    let command = found.with_context(|| format!("there is no command `{name}`"))?;
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

/// The commands of `aienergyscore`.
pub(super) fn commands() -> Content {
    subcommands(&cli::command(), "aienergyscore")
}

/// The commands of `aienergyscore cache`.
///
/// # Errors
/// When there are none.
pub(super) fn cache_commands() -> anyhow::Result<Content> {
    let program = cli::command();
    let cache = program.find_subcommand("cache").context("there is no command `cache`")?;
    Ok(subcommands(cache, "aienergyscore cache"))
}

/// What can be wrong in a cache, and what a repair does about it.
pub(super) fn cache_problems() -> Content {
    let rows = Problem::ALL.iter().map(|problem| {
        let (severity, about) = (problem.severity().to_string(), problem.about().to_owned());
        vec![code(&problem.name()), severity, about, problem.repair().to_owned()]
    });
    Content::Table { head: vec!["Finding", "", "What it is", "A repair"], rows: rows.collect() }
}

/// The commands of `cargo xtask`.
pub(super) fn tasks() -> Content {
    subcommands(&crate::Cli::command(), "cargo xtask")
}

/// The backends, with the image that each is run in.
pub(super) fn backends() -> Content {
    let rows = Backend::ALL.map(|backend| {
        let image = Flavour::of_backend(backend).image();
        vec![code(backend.name()), backend.about().to_owned(), code(&image)]
    });
    Content::Table { head: vec!["Backend", "What it is", "Image"], rows: rows.into() }
}

/// The kinds of image.
pub(super) fn flavours() -> Content {
    let rows = Flavour::ALL.map(|flavour| {
        let (name, image) = (code(flavour.name()), code(&flavour.image()));
        vec![name, image, code(flavour.default_backend().name()), flavour.about().to_owned()]
    });
    Content::Table {
        head: vec!["Flavour", "Image", "Default backend", "What it is"],
        rows: rows.into(),
    }
}

/// The configuration that is in force when none is chosen.
///
/// # Errors
/// When it cannot be read.
pub(super) fn configuration() -> anyhow::Result<Content> {
    let file = workspace::root().join("docker/configs").join(format!("{DEFAULT_CONFIG}.args"));
    let text =
        fs::read_to_string(&file).with_context(|| format!("reading `{}`", file.display()))?;
    Ok(Content::Text(text.trim_end().to_owned()))
}

/// Everything that can be mounted, with its reason.
pub(super) fn mounts() -> anyhow::Result<Content> {
    let plan = everything_mounted()?;
    let inputs = plan.inputs.iter().map(|input| input_row(input, &plan.args));
    let rows = plan.mounts.iter().map(mount_row).chain(inputs).collect();
    let head = vec!["On your machine", "Chosen by", "In the container", "Access", "Why"];
    Ok(Content::Table { head, rows })
}

/// Every part of a command with everything that can be mounted, with its reason.
///
/// # Errors
/// When there is no such run.
pub(super) fn flags() -> anyhow::Result<Content> {
    let parts = command_line(&Engine::typical(Mode::DockerRootful), &everything_mounted()?).parts;
    let rows = parts.into_iter().map(|part| {
        let reason = part.reason.clone();
        vec![code(&shown(part)), reason]
    });
    Ok(Content::Table { head: vec!["Part", "Why"], rows: rows.collect() })
}

/// What the program adds to a run by hand.
///
/// # Errors
/// When there is no such run.
pub(super) fn supervision() -> anyhow::Result<Content> {
    let engine = Engine::typical(Mode::DockerRootful);
    let plan = supervised(&NATIVE, &engine)?;
    let id = plan.run_id.clone();
    let ours = command_line(&engine, &plan).parts;
    let by_hand = command_line(&engine, &plan.for_guide()).parts;
    let added = ours.iter().filter(|part| !by_hand.contains(part));
    let rows = added.map(|part| {
        let text = shown(part.clone()).replace(&id, "RUN");
        vec![code(&text), part.reason.clone()]
    });
    Ok(Content::Table { head: vec!["Part", "Why"], rows: rows.collect() })
}

/// A part as anybody can type it.
fn shown(part: Part) -> String {
    CommandLine { env: vec![], parts: vec![part] }.to_shell(PORTABLE)
}

/// A run with every mount there can be: Ada keeps her Hub cache on another disk, has a token, and
/// names a model and prompts of her own.
fn everything_mounted() -> anyhow::Result<RunPlan> {
    let env = &[(env::HF_HUB_CACHE, "/disk/hub")];
    plan(&Example { env, token: true, ..PYTORCH }, &Engine::typical(Mode::DockerRootful))
}

/// A local input, chosen by the argument whose value is its place.
fn input_row(input: &Input, args: &[String]) -> Vec<String> {
    let Input { source, target, by: _, reason } = input;
    let source = portable(source.as_str()).replace('"', "");
    let chosen =
        args.iter().filter_map(|arg| arg.split_once('=')).find(|(_, value)| value == target);
    let chosen = chosen.map(|(key, _)| code(&format!("{key}=")));
    vec![
        code(&source),
        chosen.unwrap_or_default(),
        code(target),
        "read only".to_owned(),
        reason.clone(),
    ]
}

fn mount_row(mount: &Mount) -> Vec<String> {
    let Mount { source: _, target, access, variable, reason } = mount;
    let (MountVariable::Always(variable) | MountVariable::OnHost(variable)) = variable;
    let access = match access {
        Access::ReadWrite => "read, write",
        Access::ReadOnly => "read only",
    };
    vec![code(&source(mount)), code(variable), code(target), access.to_owned(), reason.clone()]
}

/// The host's side of a mount, without the quotes that only a shell needs.
fn source(mount: &Mount) -> String {
    portable(mount.source.as_str()).replace('"', "")
}

fn subcommands(program: &clap::Command, name: &str) -> Content {
    let visible = program.get_subcommands().filter(|command| !command.is_hide_set());
    let rows = visible.map(|command| {
        let about = command.get_about().map(ToString::to_string).unwrap_or_default();
        vec![
            code(&format!("{name} {}", command.get_name())),
            about.trim_end_matches('.').to_owned(),
        ]
    });
    Content::Table { head: vec!["Command", "What it does"], rows: rows.collect() }
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

pub(super) fn code(text: &str) -> String {
    format!("`{text}`")
}

#[cfg(test)]
mod tests {
    use clap::{Arg, ArgAction, Command};

    use super::{meaning, options, spelling, subcommands};
    use crate::docs::content::Content;

    #[test]
    fn options_are_told_as_help_tells_them() {
        let arguments = [
            Arg::new("n").short('n').long("num").value_name("N").help("How many"),
            Arg::new("m").long("mode").value_name("MODE").help("How").value_parser(["a", "b"]),
            Arg::new("g").long("gpus").value_name("GPUS").help("Which").default_value("auto"),
            Arg::new("d").long("dry").action(ArgAction::SetTrue).help("Only show"),
            Arg::new("rest").value_name("REST").help("The rest"),
        ];
        // Defaults of actions are filled in by the command that owns the option.
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
    fn hidden_commands_stay_hidden() {
        let program = Command::new("x").subcommands([
            Command::new("run").about("Run it."),
            Command::new("reap").about("For itself.").hide(true),
        ]);
        insta::assert_snapshot!(subcommands(&program, "x").render(), @"
        | Command | What it does |
        | --- | --- |
        | `x run` | Run it |
        ");
    }
}
