//! `docker run` as other projects show it: `--user`, `-v` and `-e HOME`, and nothing that
//! `aienergyscore run` adds.

use anyhow::ensure;
use contract::{Flavour, env, path};
use engine::{Engine, Mode};
use host::shell::{CommandLine, Part, Piece, Word};
use plan::run_plan::{Access, Identity, Mount, RunPlan};

use super::{
    commands::{Example, PORTABLE, making_folders, plan},
    content::Content,
};

/// The familiar recipe for the run that `example` plans.
///
/// # Errors
/// When the recipe would not do what the example does.
pub(super) fn recipe(example: &Example) -> anyhow::Result<Content> {
    let plan = plan(example, &Engine::typical(Mode::DockerRootful))?;
    let commands = [making_folders(&plan), docker_run(&plan)?];
    Ok(Content::Shell(commands.map(|command| command.to_shell(PORTABLE)).join("\n")))
}

fn docker_run(plan: &RunPlan) -> anyhow::Result<CommandLine> {
    let image = plan.image.as_ref().map(|image| image.value.reference.as_str()).unwrap_or_default();
    let backend = Flavour::of_image(image).default_backend();
    ensure!(backend == plan.backend.value, "the image `{image}` runs `{backend}` by default");
    let read_write = plan.mounts.iter().all(|mount| mount.access == Access::ReadWrite);
    ensure!(read_write && plan.inputs.is_empty(), "the recipe has no read-only mounts");

    let mut lines = vec![words(["docker", "run", "--rm"]), user(&plan.identity.value)];
    lines.extend(plan.mounts.iter().map(volume));
    lines.push(words(["-e", &format!("{}={}", env::HOME, path::HOME)]));
    lines.push(words([image]));
    lines.push(words(plan.args.iter().map(String::as_str)));
    let parts = lines.into_iter().map(|words| Part { words, reason: String::new() });
    Ok(CommandLine { env: vec![], parts: parts.collect() })
}

fn words<'a>(texts: impl IntoIterator<Item = &'a str>) -> Vec<Word> {
    texts.into_iter().map(Word::text).collect()
}

fn user(identity: &Identity) -> Vec<Word> {
    let Identity { uid, gid, groups: _ } = identity;
    let ids = [Piece::Uid(*uid), Piece::Text(":".to_owned()), Piece::Gid(*gid)];
    vec!["--user".into(), Word::of(ids)]
}

fn volume(mount: &Mount) -> Vec<Word> {
    let source = Piece::Path(mount.source.as_str().to_owned());
    vec!["-v".into(), Word::of([source, Piece::Text(format!(":{}", mount.target))])]
}

#[cfg(test)]
mod tests {
    use super::recipe;
    use crate::docs::commands::{NATIVE, OFFLINE, VLLM};

    #[test]
    fn recipe_has_the_user_the_mounts_and_the_home() {
        let shown = recipe(&NATIVE).unwrap().render();
        insta::assert_snapshot!(shown, @r#"
        ```sh
        mkdir -p "$PWD/results" "$HOME/.cache/huggingface"
        docker run --rm \
          --user "$(id -u):$(id -g)" \
          -v "$PWD/results:/results" \
          -v "$HOME/.cache/huggingface:/home/user/.cache/huggingface" \
          -e HOME=/home/user \
          ai_energy_score:smoke \
          backend.model=HuggingFaceTB/SmolLM2-360M-Instruct-GGUF scenario.num_samples=20
        ```
        "#);
    }

    #[test]
    fn runs_that_the_recipe_cannot_express_are_refused() {
        let refused = |example| recipe(example).unwrap_err().to_string();
        insta::assert_snapshot!(refused(&VLLM), @"the image `ai_energy_score:latest` runs `optimum` by default");
        insta::assert_snapshot!(refused(&OFFLINE), @"the recipe has no read-only mounts");
    }
}
