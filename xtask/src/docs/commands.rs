//! The runs that the guides show: as the program's command line, and as the engine's by hand.

use std::{path::Path, time::SystemTime};

use anyhow::{Context as _, bail};
use clap::Parser as _;
use contract::path;
use runner::{
    cli::{self, Cli, Command},
    engine::{Engine, Mode},
    host::{Environment, Host},
    options::RunOptions,
    pass_through::sort_words,
    plan::RunPlan,
    render::command_line,
    shell::{CommandLine, Part, Piece, Style, Word},
};

use super::content::Content;

/// A run, as its user types it.
#[derive(Debug)]
pub(super) struct Example {
    /// The command line, for a shell.
    pub(super) line: &'static str,
    /// The user's environment.
    pub(super) env: &'static [(&'static str, &'static str)],
    /// Whether the user has a token.
    pub(super) token: bool,
}

/// What works today, with a model that is small and open.
pub(super) const NATIVE: Example = Example {
    line: "aienergyscore run --backend native \
           backend.model=HuggingFaceTB/SmolLM2-360M-Instruct-GGUF",
    env: &[],
    token: false,
};

/// The same, shut off.
pub(super) const OFFLINE: Example = Example {
    line: "aienergyscore run --offline -n 5 --backend native \
           backend.model=HuggingFaceTB/SmolLM2-360M-Instruct-GGUF",
    ..NATIVE
};

/// The leaderboard's.
pub(super) const LEADERBOARD: Example = Example {
    line: "aienergyscore run --dry-run --gpus all \
           --config-name text_generation backend.model=openai/gpt-oss-20b",
    env: &[],
    token: true,
};

const HOME: &str = "/home/ada";
const CWD: &str = "/home/ada/bench";
/// Whose folders and ids are left to the shell.
pub(super) const PORTABLE: Style<'static> = Style::Portable { home: HOME, cwd: CWD };

/// `aienergyscore run …`, word by word as it is typed.
pub(super) fn program(example: &Example) -> Content {
    Content::Shell(example.line.to_owned())
}

/// `docker run …` for the same run, after making the folders that the program would make.
///
/// # Errors
/// When the example is no valid run.
pub(super) fn by_hand(example: &Example) -> anyhow::Result<Content> {
    let engine = docker(Mode::DockerRootful);
    let plan = plan(example, &engine)?;
    let folders = plan.mounts.iter().filter(|mount| mount.target != path::TOKEN);
    let folders = folders.map(|mount| Word::of([Piece::Path(mount.source.as_str().to_owned())]));
    let words = ["mkdir", "-p"].into_iter().map(Word::text).chain(folders);
    let mkdir = CommandLine {
        env: vec![],
        parts: vec![Part::new(words, "Docker refuses missing folders")],
    };
    let commands = [mkdir, command_line(&engine, &plan)];
    Ok(Content::Shell(commands.map(|command| command.to_shell(PORTABLE)).join("\n")))
}

/// The example planned for Ada, as a guide shows it.
///
/// # Errors
/// When the example is no valid run.
pub(super) fn plan(example: &Example, engine: &Engine) -> anyhow::Result<RunPlan> {
    let Example { line, env, token } = example;
    let planning = || format!("planning the example `{line}`");
    let host = ada(env);
    let words = line.split(' ').map(str::to_owned).collect();
    let words = sort_words(&cli::command(), words).with_context(planning)?;
    let Command::Run(args) = Cli::try_parse_from(words).with_context(planning)?.command else {
        bail!("`{line}` is no run");
    };
    let mut options = RunOptions::new(args.into_request(), &host).with_context(planning)?;
    options.token = options.token.filter(|_| *token);
    Ok(RunPlan::new(&options, &host, engine).with_context(planning)?.for_guide())
}

/// Ada's machine: an empty environment but for `env`, run in `~/bench`.
fn ada(env: &[(&str, &str)]) -> Host {
    Host {
        uid: 1000,
        gid: 1000,
        home: Some(Path::new(HOME).to_owned()),
        cwd: Path::new(CWD).to_owned(),
        env: env.iter().copied().collect::<Environment>(),
        nvidia_gpus: 0,
        entrypoint: None,
        now: SystemTime::UNIX_EPOCH,
        pid: 1,
    }
}

/// Docker in `mode`, with NVIDIA's runtime, before it has an image.
pub(super) fn docker(mode: Mode) -> Engine {
    Engine { program: "docker".to_owned(), mode, version: String::new(), nvidia: true, image: None }
}

#[cfg(test)]
mod tests {
    use super::{Example, NATIVE, OFFLINE, by_hand};
    use crate::docs::regions::Syntax;

    #[test]
    fn a_run_by_hand_leaves_ids_and_folders_to_the_shell() {
        let shown = by_hand(&OFFLINE).unwrap().render(Syntax::Markdown);
        insta::assert_snapshot!(shown, @r#"
        ```sh
        mkdir -p "$PWD/results" "$HOME/.cache/huggingface"
        docker run \
          --rm \
          --init \
          --pull never \
          --user "$(id -u):$(id -g)" \
          --network none \
          --shm-size 1g \
          --mount "type=bind,\"source=$PWD/results\",target=/results" \
          --mount "type=bind,\"source=$HOME/.cache/huggingface\",target=/home/user/.cache/huggingface,readonly" \
          --env HOME=/home/user \
          --env BENCHMARK_BACKEND=native \
          --env HF_HUB_OFFLINE=1 \
          ai_energy_score:smoke \
          backend.model=HuggingFaceTB/SmolLM2-360M-Instruct-GGUF scenario.num_samples=5
        ```
        "#);
    }

    #[test]
    fn an_example_that_is_no_run_is_named() {
        let refused = |line| format!("{:#}", by_hand(&Example { line, ..NATIVE }).unwrap_err());
        insta::assert_snapshot!(refused("aienergyscore run --dryrun"), @"planning the example `aienergyscore run --dryrun`: unknown option `--dryrun`; did you mean `--dry-run`? If it is the benchmark's own, put it behind `--`");
        insta::assert_snapshot!(refused("aienergyscore verify"), @"`aienergyscore verify` is no run");
    }
}
