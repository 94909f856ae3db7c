//! Example runs of the guides, as commands of `aienergyscore` and of Docker.

use std::{collections::BTreeMap, path::Path, time::SystemTime};

use aienergyscore::cli::{self, Cli, Command, split_args::split_args};
use anyhow::{Context as _, bail};
use clap::Parser as _;
use contract::{env, path};
use engine::{Engine, Mode};
use host::{
    environment::Environment,
    machine::{Host, isolation::Isolation},
    shell::{CommandLine, Part, Piece, Style, Word},
};
use hub::boundary::Secret;
use plan::{options::Settings, render::command_line, run_plan::RunPlan};

use super::content::Content;

/// A run as a user types it.
#[derive(Debug)]
pub(super) struct Example {
    /// The command, for a shell.
    pub(super) line: &'static str,
    /// Environment variables, typed before the command. Paths below `HOME` become `$HOME`.
    pub(super) env: &'static [(&'static str, &'static str)],
    /// Whether the user has a token.
    pub(super) token: bool,
}

/// The smallest run, with a small open model.
pub(super) const NATIVE: Example = Example {
    line: "aienergyscore run --backend native \
           backend.model=HuggingFaceTB/SmolLM2-360M-Instruct-GGUF",
    env: &[],
    token: false,
};

/// The README's first run. Without an energy counter, it ends with an estimate.
pub(super) const FIRST: Example = Example {
    line: "aienergyscore run --backend native --watts-per-cpu 8 \
           backend.model=HuggingFaceTB/SmolLM2-360M-Instruct-GGUF",
    ..NATIVE
};

/// The smallest run without a network.
pub(super) const OFFLINE: Example = Example {
    line: "aienergyscore run --offline -n 5 --backend native \
           backend.model=HuggingFaceTB/SmolLM2-360M-Instruct-GGUF",
    ..NATIVE
};

/// The run of the leaderboard.
pub(super) const LEADERBOARD: Example = Example {
    line: "aienergyscore run -n 1000 --gpus 1 \
           --config-name text_generation backend.model=openai/gpt-oss-20b",
    env: &[],
    token: true,
};

/// The stack of the leaderboard without a GPU, with local prompts.
pub(super) const OPTIMUM: Example = Example {
    line: "aienergyscore run --flavour cpu -n 4 \
           backend.model=HuggingFaceTB/SmolLM2-135M-Instruct scenario.dataset_name=./prompts.csv",
    ..NATIVE
};

/// The PyTorch stack, with a local model and local prompts.
pub(super) const PYTORCH: Example = Example {
    line: "aienergyscore run --flavour cpu --backend pytorch -n 4 \
           backend.model=./my-model scenario.dataset_name=./prompts.csv",
    ..NATIVE
};

/// A client of a server on the same machine.
pub(super) const VLLM: Example = Example {
    line: "aienergyscore run --backend vllm backend.model=openai/gpt-oss-20b",
    env: &[(env::VLLM_ENDPOINT, "http://host.docker.internal:8000/v1")],
    ..NATIVE
};

/// A Hub cache outside of the Hugging Face home.
pub(super) const SEPARATE_CACHE: Example =
    Example { env: &[(env::HF_HUB_CACHE, "/home/ada/weights/hub")], ..NATIVE };

/// A read-only cache that several users share.
pub(super) const SHARED_CACHE: Example =
    Example { env: &[(env::HF_HOME, "/srv/huggingface")], ..OFFLINE };

/// Home of the example user.
const HOME: &str = "/home/ada";
const CWD: &str = "/home/ada/bench";
/// Replaces ids and folders of the example user by shell variables.
pub(super) const PORTABLE: Style<'static> = Style::Portable { home: HOME, cwd: CWD };

/// Maximum line length in a guide.
const WIDTH: usize = 100;

/// The command `aienergyscore run …`.
pub(super) fn program_command(example: &Example) -> Content {
    let Example { line, env, token: _ } = example;
    let variables = env.iter().map(|(name, value)| format!("{name}={}", portable(value)));
    let mut shown = String::new();
    let mut width = 0;
    for word in variables.chain(line.split(' ').map(str::to_owned)) {
        // One space before the word, and one with a backslash after it.
        if width > 0 && width + word.len() + 3 > WIDTH {
            shown.push_str(" \\\n  ");
            width = 2;
        } else if width > 0 {
            shown.push(' ');
            width += 1;
        }
        width += word.len();
        shown.push_str(&word);
    }
    Content::Shell(shown)
}

/// A path as shell text for every user.
pub(super) fn portable(path: &str) -> String {
    portable_part(&Part::new([Word::of([Piece::Path(path.to_owned())])], ""))
}

/// A part of a command as shell text for every user.
pub(super) fn portable_part(part: &Part) -> String {
    CommandLine { env: vec![], parts: vec![part.clone()] }.to_shell(PORTABLE)
}

/// The command `docker run …` of the run, and `mkdir` for the folders that the program creates.
///
/// # Errors
/// When the example is not a valid run.
pub(super) fn docker_command(example: &Example) -> anyhow::Result<Content> {
    let engine = Engine::typical(Mode::DockerRootful);
    let plan = plan(example, &engine)?;
    let commands = [make_folders(&plan), command_line(&engine, &plan)];
    Ok(Content::Shell(commands.map(|command| command.to_shell(PORTABLE)).join("\n")))
}

/// The command `mkdir -p …` for the folders that `plan` mounts.
pub(super) fn make_folders(plan: &RunPlan) -> CommandLine {
    let folders = plan.mounts.iter().filter(|mount| mount.target != path::TOKEN);
    let folders = folders.map(|mount| Word::of([Piece::Path(mount.source.as_str().to_owned())]));
    let words = ["mkdir", "-p"].into_iter().map(Word::text).chain(folders);
    CommandLine { env: vec![], parts: vec![Part::new(words, "Docker refuses missing folders")] }
}

/// The plan of the run, as guides show it.
///
/// # Errors
/// When the example is not a valid run.
pub(super) fn plan(example: &Example, engine: &Engine) -> anyhow::Result<RunPlan> {
    Ok(plan_of_program(example, engine)?.for_guide())
}

/// The plan of the run, as the program executes it.
///
/// # Errors
/// When the example is not a valid run.
pub(super) fn plan_of_program(example: &Example, engine: &Engine) -> anyhow::Result<RunPlan> {
    let Example { line, env, token } = example;
    let planning = || format!("planning the example `{line}`");
    let host = example_host(env);
    let words = line.split(' ').map(str::to_owned).collect();
    let words = split_args(&cli::command(), words).with_context(planning)?;
    let Command::Run(args) = Cli::try_parse_from(words).with_context(planning)?.command else {
        bail!("`{line}` is no run");
    };
    let mut settings = Settings::new(args.request, &host).with_context(planning)?;
    settings.token = settings.token.filter(|_| *token);
    // Resolving would look for a token on this machine. The example has it in its default place.
    let folder = settings.cache.home.clone();
    let secret = token.then(|| Secret { folder, below: "token".to_owned() });
    let mut run = settings.assume(&host).with_context(planning)?;
    run.secrets.extend(secret);
    RunPlan::new(&run, &host, engine).with_context(planning)
}

/// The machine of the example user. Its environment contains only `variables`.
fn example_host(variables: &[(&str, &str)]) -> Host {
    Host {
        uid: 1000,
        gid: 1000,
        groups: vec![],
        home: Some(Path::new(HOME).to_owned()),
        homes: BTreeMap::new(),
        umask: None,
        cwd: Path::new(CWD).to_owned(),
        env: variables.iter().copied().collect::<Environment>(),
        nvidia_gpus: 0,
        amd_driver: false,
        isolation: Isolation::default(),
        selinux: false,
        entrypoint: None,
        address: Some([192, 0, 2, 7].into()),
        now: SystemTime::UNIX_EPOCH,
        pid: 1,
    }
}

#[cfg(test)]
mod tests {
    use super::{
        Example, NATIVE, OFFLINE, PYTORCH, SEPARATE_CACHE, docker_command, program_command,
    };

    #[test]
    fn docker_command_has_shell_variables_for_ids_and_folders() {
        let shown = docker_command(&OFFLINE).unwrap().render();
        insta::assert_snapshot!(shown, @r#"
        ```sh
        mkdir -p "$PWD/results" "$HOME/.cache/huggingface"
        docker run \
          --rm \
          --pull never \
          --user "$(id -u):$(id -g)" \
          --network none \
          --shm-size 1g \
          --read-only \
          --cap-drop ALL \
          --security-opt no-new-privileges \
          --pids-limit 32768 \
          --tmpfs /tmp:exec,mode=1777 \
          --tmpfs /home/user:mode=1777 \
          --tmpfs /home/user/.cache:mode=1777 \
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
    fn program_command_is_shown_as_typed() {
        let shown = [SEPARATE_CACHE, PYTORCH].map(|example| program_command(&example).render());
        insta::assert_snapshot!(shown.concat(), @r#"
        ```sh
        HF_HUB_CACHE="$HOME/weights/hub" aienergyscore run --backend native \
          backend.model=HuggingFaceTB/SmolLM2-360M-Instruct-GGUF
        ```
        ```sh
        aienergyscore run --flavour cpu --backend pytorch -n 4 backend.model=./my-model \
          scenario.dataset_name=./prompts.csv
        ```
        "#);
    }

    #[test]
    fn invalid_example_is_named() {
        let refused =
            |line| format!("{:#}", docker_command(&Example { line, ..NATIVE }).unwrap_err());
        insta::assert_snapshot!(refused("aienergyscore run --dryrun"), @"planning the example `aienergyscore run --dryrun`: unknown option `--dryrun`; did you mean `--dry-run`? If it is the benchmark's own, put it behind `--`");
        insta::assert_snapshot!(refused("aienergyscore verify"), @"`aienergyscore verify` is no run");
    }
}
