//! How the commands of other runs differ from the leaderboard's.

use anyhow::ensure;
use contract::env;
use engine::{Engine, Mode};
use plan::render::command_line;

use super::{
    super::{
        commands::{Example, LEADERBOARD, plan},
        content::Content,
    },
    code, shown,
};

/// What is different about a run, and the run.
const VARIATIONS: [(&str, Example); 8] = [
    (
        "--offline",
        Example {
            line: "aienergyscore run -n 1000 --offline --gpus 1 \
                   --config-name text_generation \
                   backend.model=openai/gpt-oss-20b",
            ..LEADERBOARD
        },
    ),
    ("HF_HUB_CACHE=/disk/hub", Example { env: &[(env::HF_HUB_CACHE, "/disk/hub")], ..LEADERBOARD }),
    (
        "HF_HOME=/srv/huggingface",
        Example { env: &[(env::HF_HOME, "/srv/huggingface")], ..LEADERBOARD },
    ),
    ("no token", Example { token: false, ..LEADERBOARD }),
    (
        "--flavour cpu --backend pytorch",
        Example {
            line: "aienergyscore run -n 1000 --flavour cpu --backend pytorch \
                   --config-name text_generation \
                   backend.model=openai/gpt-oss-20b",
            ..LEADERBOARD
        },
    ),
    (
        "backend.model=./my-model",
        Example {
            line: "aienergyscore run -n 1000 --gpus 1 --config-name text_generation \
                   backend.model=./my-model",
            ..LEADERBOARD
        },
    ),
    (
        "scenario.dataset_name=./prompts.csv",
        Example {
            line: "aienergyscore run -n 1000 --gpus 1 --config-name text_generation \
                   backend.model=openai/gpt-oss-20b scenario.dataset_name=./prompts.csv",
            ..LEADERBOARD
        },
    ),
    (
        "--backend vllm",
        Example {
            line: "aienergyscore run -n 1000 --backend vllm --config-name text_generation \
                   backend.model=openai/gpt-oss-20b",
            env: &[(env::VLLM_ENDPOINT, "http://host.docker.internal:8000/v1")],
            ..LEADERBOARD
        },
    ),
];

/// Per variation, the parts that its command has besides, and those that it lacks.
///
/// # Errors
/// When a variation is no valid run, or its command is the same.
pub(in super::super) fn variations() -> anyhow::Result<Content> {
    let full = parts(&LEADERBOARD)?;
    let mut rows = vec![];
    for (name, example) in VARIATIONS {
        let own = parts(&example)?;
        ensure!(own != full, "a run with `{name}` has the same command");
        rows.push(vec![code(name), besides(&own, &full), besides(&full, &own)]);
    }
    Ok(Content::Table { head: vec!["Run", "Added", "Left out"], rows })
}

/// The parts of a run's command, as anybody can type them.
fn parts(example: &Example) -> anyhow::Result<Vec<String>> {
    let engine = Engine::typical(Mode::DockerRootful);
    let command = command_line(&engine, &plan(example, &engine)?);
    Ok(command.parts.into_iter().map(shown).collect())
}

/// The parts in `one` that are not in `other`.
fn besides(one: &[String], other: &[String]) -> String {
    let parts = one.iter().filter(|part| !other.contains(part)).map(|part| code(part));
    parts.collect::<Vec<_>>().join("<br>")
}

#[cfg(test)]
mod tests {
    use super::{Content, Example, LEADERBOARD, VARIATIONS, variations};
    use crate::docs::commands::by_hand;

    /// The lines of the listing that a guide would show, in any order.
    fn listing(example: &Example) -> Vec<String> {
        let Content::Shell(text) = by_hand(example).unwrap() else { panic!("a listing") };
        let (_mkdir, command) = text.split_once('\n').unwrap();
        sorted(command.split(" \\\n  ").map(str::to_owned))
    }

    fn sorted(lines: impl Iterator<Item = String>) -> Vec<String> {
        let mut lines: Vec<_> = lines.collect();
        lines.sort();
        lines
    }

    /// The parts in a cell of the table.
    fn parts(cell: &str) -> Vec<&str> {
        cell.split("<br>").filter_map(|part| part.strip_prefix('`')?.strip_suffix('`')).collect()
    }

    #[test]
    fn every_variation_is_the_full_command_with_its_delta() {
        let Content::Table { rows, .. } = variations().unwrap() else { panic!("a table") };
        let full = listing(&LEADERBOARD);
        for (row, (name, example)) in rows.iter().zip(VARIATIONS) {
            let (added, left_out) = (parts(&row[1]), parts(&row[2]));
            assert!(left_out.iter().all(|part| full.iter().any(|line| line == part)), "{name}");
            let kept = full.iter().map(String::as_str).filter(|line| !left_out.contains(line));
            let applied = sorted(kept.chain(added).map(str::to_owned));
            assert_eq!(applied, listing(&example), "{name}");
        }
    }
}
