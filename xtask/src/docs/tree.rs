//! The files of this workspace, each with what it says of itself.

use std::{ffi::OsStr, fs, path::Path};

use anyhow::Context as _;
use walkdir::{DirEntry, WalkDir};

use super::content::Content;
use crate::workspace;

/// Folder of the helpers, whose Markdown files are guides.
pub(super) const HELPERS: &str = "ai_helpers";

/// Folders that no commit has.
const BUILT: [&str; 3] = ["target", "results", "__pycache__"];
/// Hidden folders that a commit has.
const HIDDEN: [&str; 3] = [".cargo", ".ci", ".github"];

/// The helpers, with what each does.
///
/// # Errors
/// When one cannot be read.
pub(super) fn helpers() -> anyhow::Result<Content> {
    let mut rows = vec![];
    for file in files(workspace::root())? {
        if let Some(name) = file.strip_prefix(HELPERS).and_then(|rest| rest.strip_prefix('/')) {
            let path = workspace::root().join(&file);
            let about = match name.ends_with(".md") {
                true => sentence(&paragraph(&read(&path)?)),
                false => about(&path)?,
            };
            rows.push(vec![format!("[`{name}`]({name})"), about.unwrap_or_default()]);
        }
    }
    Ok(Content::Table { head: vec!["Helper", "What it is"], rows })
}

/// Every file, those below a crate's top level left out: its first file tells what they are for.
///
/// # Errors
/// When one cannot be read.
pub(super) fn tree() -> anyhow::Result<Content> {
    let root = workspace::root();
    let mut lines = vec![];
    for file in files(root)?.into_iter().filter(|file| is_shown(file)) {
        lines.push((about(&root.join(&file))?.unwrap_or_default(), file));
    }
    let width = lines.iter().map(|(_, file)| file.len()).max().unwrap_or_default();
    let lines = lines.iter().map(|(about, file)| format!("{file:width$}  {about}"));
    let lines = lines.map(|line| line.trim_end().to_owned()).collect::<Vec<_>>();
    Ok(Content::Text(lines.join("\n")))
}

/// The workspace's files below `root`, by name.
fn files(root: &Path) -> anyhow::Result<Vec<String>> {
    let is_ours = |entry: &DirEntry| {
        let name = entry.file_name().to_string_lossy();
        // In a second work tree `.git` is a file.
        let hidden = name.starts_with('.') && (entry.file_type().is_dir() || name == ".git");
        entry.depth() == 0 || !(BUILT.contains(&&*name) || hidden && !HIDDEN.contains(&&*name))
    };
    let mut files = vec![];
    for entry in WalkDir::new(root).sort_by_file_name().into_iter().filter_entry(is_ours) {
        let entry = entry.context("listing the workspace")?;
        // What tests leave when a snapshot has changed.
        let ends = [".snap.new", ".pending-snap"];
        let name = entry.file_name().to_string_lossy();
        if entry.file_type().is_file() && !ends.iter().any(|end| name.ends_with(end)) {
            let path = entry.path().strip_prefix(root).unwrap_or(entry.path());
            files.push(path.to_string_lossy().into_owned());
        }
    }
    Ok(files)
}

/// Whether a reader who looks for a place wants to see the file.
fn is_shown(file: &str) -> bool {
    let is_first = ["/src/lib.rs", "/src/main.rs", "/tests/it/main.rs"];
    let inner = file.contains("/src/") || file.contains("/tests/") || file.starts_with("tests/it/");
    let top = file == "tests/it/main.rs" || is_first.iter().any(|end| file.ends_with(end));
    top || !inner
}

fn read(path: &Path) -> anyhow::Result<String> {
    fs::read_to_string(path).with_context(|| format!("reading `{}`", path.display()))
}

/// What a file says of itself: its title, description, or the first sentence of its first comment.
fn about(path: &Path) -> anyhow::Result<Option<String>> {
    let text = read(path)?;
    let after = |mark: &str| {
        let found = text.lines().find_map(|line| line.strip_prefix(mark));
        found.unwrap_or_default().trim_end_matches('"').to_owned()
    };
    Ok(sentence(&match path.extension().and_then(OsStr::to_str) {
        Some("md") => after("# "),
        _ if path.ends_with("Cargo.toml") => after("description = \""),
        Some("rs") => comment(&text, "//!"),
        Some("py") => docstring(&text),
        Some("lock" | "csv") => String::new(),
        _ => comment(&text, "#"),
    }))
}

/// The first paragraph of a page, after its title.
fn paragraph(page: &str) -> String {
    let mut blocks = page.split("\n\n").map(str::trim);
    let first = blocks.find(|block| block.starts_with(char::is_alphabetic));
    first.unwrap_or_default().replace('\n', " ")
}

/// The comment that a file begins with.
fn comment(text: &str, mark: &str) -> String {
    let lines = text.lines().filter(|line| !line.starts_with("#!/"));
    let own = lines.take_while(|line| line.starts_with(mark));
    let words = own.map(|line| line.trim_start_matches(mark).trim());
    words.take_while(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
}

/// The text that a Python module begins with.
fn docstring(text: &str) -> String {
    let after_interpreter = text.strip_prefix("#!").and_then(|rest| rest.split_once('\n'));
    let text = after_interpreter.map_or(text, |(_, rest)| rest);
    let inside = text.strip_prefix("\"\"\"").and_then(|rest| rest.split("\"\"\"").next());
    inside.unwrap_or_default().split("\n\n").next().unwrap_or_default().replace('\n', " ")
}

/// The first sentence, without its period.
fn sentence(text: &str) -> Option<String> {
    let end = text.find(". ").map_or(text.len(), |end| end + 1);
    let sentence = text[..end].trim_end_matches(['.', ':']);
    (!sentence.is_empty()).then(|| sentence.to_owned())
}

#[cfg(test)]
mod tests {
    use super::{comment, docstring, is_shown, paragraph, sentence};

    #[test]
    fn a_file_says_what_it_is() {
        let said = [
            paragraph("# Title\n\n| a |\n\nWhat it\nis. And more.\n"),
            comment("//! One\n//! line: two.\n//!\n//! Three.\nuse x;\n", "//!"),
            comment("#!/bin/sh\n# Runs it: `x`.\nset -eu\n", "#"),
            comment("[workspace]\n# no\n", "#"),
            docstring("\"\"\"Reads it. Well.\"\"\"\nimport x\n"),
            docstring("#!/usr/bin/env python3\n\"\"\"Times it.\"\"\"\n"),
        ];
        let said = said.map(|text| sentence(&text).unwrap_or_default());
        assert_eq!(
            said,
            ["What it is", "One line: two", "Runs it: `x`", "", "Reads it", "Times it"]
        );
    }

    #[test]
    fn a_crate_is_shown_by_its_first_file() {
        let shown = ["runner/src/lib.rs", "tests/it/main.rs", "docker/Dockerfile", "README.md"];
        assert!(shown.into_iter().all(is_shown));
        let inner = ["runner/src/plan.rs", "tests/it/docker.rs", "docker/entrypoint/tests/it/x.rs"];
        assert!(!inner.into_iter().any(is_shown));
    }
}
