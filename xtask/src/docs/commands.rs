//! The runs that the guides show: as the program's command line, and as the engine's by hand.

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

/// A run, as its user types it.
#[derive(Debug)]
pub(super) struct Example {
    /// The command line, for a shell.
    pub(super) line: &'static str,
    /// The user's environment, typed in front of it; folders of Ada's are anybody's.
    pub(super) env: &'static [(&'static str, &'static str)],
    /// Whether the user has a token.
    pub(super) token: bool,
}

/// The smallest run, with a model that is small and open.
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

/// The same, shut off.
pub(super) const OFFLINE: Example = Example {
    line: "aienergyscore run --offline -n 5 --backend native \
           backend.model=HuggingFaceTB/SmolLM2-360M-Instruct-GGUF",
    ..NATIVE
};

/// The leaderboard's.
pub(super) const LEADERBOARD: Example = Example {
    line: "aienergyscore run -n 1000 --gpus 1 \
           --config-name text_generation backend.model=openai/gpt-oss-20b",
    env: &[],
    token: true,
};

/// The leaderboard's stack without a GPU, for a model of the Hub and prompts of the user's.
pub(super) const OPTIMUM: Example = Example {
    line: "aienergyscore run --flavour cpu -n 4 \
           backend.model=HuggingFaceTB/SmolLM2-135M-Instruct scenario.dataset_name=./prompts.csv",
    ..NATIVE
};

/// The other stack, for a model and prompts of the user's.
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

/// A Hub cache apart from the HuggingFace home.
pub(super) const APART: Example =
    Example { env: &[(env::HF_HUB_CACHE, "/home/ada/weights/hub")], ..NATIVE };

/// A cache that many share and this user only reads.
pub(super) const SHARED: Example =
    Example { env: &[(env::HF_HOME, "/srv/huggingface")], ..OFFLINE };

pub(super) const HOME: &str = "/home/ada";
const CWD: &str = "/home/ada/bench";
/// Whose folders and ids are left to the shell.
pub(super) const PORTABLE: Style<'static> = Style::Portable { home: HOME, cwd: CWD };

/// What fits on a line of a guide.
const WIDTH: usize = 100;

/// `aienergyscore run …`, word by word as it is typed.
pub(super) fn program(example: &Example) -> Content {
    let Example { line, env, token: _ } = example;
    let variables = env.iter().map(|(name, value)| format!("{name}={}", portable(value)));
    let mut shown = String::new();
    let mut width = 0;
    for word in variables.chain(line.split(' ').map(str::to_owned)) {
        // Room for the backslash, too.
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

/// A path of Ada's, or any other text, as a shell text that anybody can type.
pub(super) fn portable(path: &str) -> String {
    let words = vec![Word::of([Piece::Path(path.to_owned())])];
    CommandLine { env: vec![], parts: vec![Part { words, reason: String::new() }] }
        .to_shell(PORTABLE)
}

/// `docker run …` for the same run, after making the folders that the program would make.
///
/// # Errors
/// When the example is no valid run.
pub(super) fn by_hand(example: &Example) -> anyhow::Result<Content> {
    let engine = Engine::typical(Mode::DockerRootful);
    let plan = plan(example, &engine)?;
    let commands = [making_folders(&plan), command_line(&engine, &plan)];
    Ok(Content::Shell(commands.map(|command| command.to_shell(PORTABLE)).join("\n")))
}

/// `mkdir -p …` for the folders that `plan` mounts.
pub(super) fn making_folders(plan: &RunPlan) -> CommandLine {
    let folders = plan.mounts.iter().filter(|mount| mount.target != path::TOKEN);
    let folders = folders.map(|mount| Word::of([Piece::Path(mount.source.as_str().to_owned())]));
    let words = ["mkdir", "-p"].into_iter().map(Word::text).chain(folders);
    CommandLine { env: vec![], parts: vec![Part::new(words, "Docker refuses missing folders")] }
}

/// The example planned for Ada, as a guide shows it.
///
/// # Errors
/// When the example is no valid run.
pub(super) fn plan(example: &Example, engine: &Engine) -> anyhow::Result<RunPlan> {
    Ok(supervised(example, engine)?.for_guide())
}

/// The example planned for Ada, as the program runs it.
///
/// # Errors
/// When the example is no valid run.
pub(super) fn supervised(example: &Example, engine: &Engine) -> anyhow::Result<RunPlan> {
    let Example { line, env, token } = example;
    let planning = || format!("planning the example `{line}`");
    let host = ada(env);
    let words = line.split(' ').map(str::to_owned).collect();
    let words = split_args(&cli::command(), words).with_context(planning)?;
    let Command::Run(args) = Cli::try_parse_from(words).with_context(planning)?.command else {
        bail!("`{line}` is no run");
    };
    let mut settings = Settings::new(args.request, &host).with_context(planning)?;
    settings.token = settings.token.filter(|_| *token);
    // The file that the example mounts lies in the HuggingFace home, too.
    let folder = settings.cache.home.clone();
    let secret = token.then(|| Secret { folder, below: "token".to_owned() });
    let mut run = settings.assume(&host).with_context(planning)?;
    run.secrets.extend(secret);
    RunPlan::new(&run, &host, engine).with_context(planning)
}

/// Ada's machine: an empty environment but for `env`, run in `~/bench`.
pub(super) fn ada(variables: &[(&str, &str)]) -> Host {
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
    use super::{APART, Example, NATIVE, OFFLINE, PYTORCH, by_hand, program};

    #[test]
    fn a_run_by_hand_leaves_ids_and_folders_to_the_shell() {
        let shown = by_hand(&OFFLINE).unwrap().render();
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
    fn a_run_is_shown_as_it_is_typed() {
        let shown = [APART, PYTORCH].map(|example| program(&example).render());
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
    fn an_example_that_is_no_run_is_named() {
        let refused = |line| format!("{:#}", by_hand(&Example { line, ..NATIVE }).unwrap_err());
        insta::assert_snapshot!(refused("aienergyscore run --dryrun"), @"planning the example `aienergyscore run --dryrun`: unknown option `--dryrun`; did you mean `--dry-run`? If it is the benchmark's own, put it behind `--`");
        insta::assert_snapshot!(refused("aienergyscore verify"), @"`aienergyscore verify` is no run");
    }
}
