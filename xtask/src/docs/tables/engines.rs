//! The guides' table of engines: who a container runs as.

use engine::{Engine, Mode};
use host::shell::{CommandLine, Part};
use plan::render::command_line;

use super::code;
use crate::docs::{
    commands::{NATIVE, PORTABLE, plan},
    content::Content,
};

/// Who the benchmark runs as, by the mode of the engine.
pub(in crate::docs) fn identity() -> anyhow::Result<Content> {
    let mut rows = vec![];
    for mode in Mode::WITH_CONTAINERS {
        let engine = Engine::typical(mode);
        let command = command_line(&engine, &plan(&NATIVE, &engine)?);
        let is_identity = |part: &Part| {
            part.words.first().is_some_and(|word| ["--user", "--userns"].contains(&&*word.value()))
        };
        let parts: Vec<_> = command.parts.into_iter().filter(is_identity).collect();
        let reasons: Vec<_> = parts.iter().map(|part| part.reason.clone()).collect();
        let flags = parts
            .into_iter()
            .map(|part| CommandLine { env: vec![], parts: vec![part] }.to_shell(PORTABLE));
        let flags = flags.collect::<Vec<_>>().join(" ");
        rows.push(vec![mode.to_string(), code(&flags), reasons.join("; ")]);
    }
    Ok(Content::Table { head: vec!["Engine", "Flags", "Why"], rows })
}
