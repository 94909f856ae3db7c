//! Runs the cargo that started this program.

use std::path::PathBuf;

use anyhow::Context as _;
use serde::Deserialize;
use xshell::{Cmd, Shell};

use crate::workspace;

/// A cargo command in the working directory of `sh`.
pub(crate) fn cargo(sh: &Shell) -> Cmd<'_> {
    sh.cmd(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// Runs a `cargo build` and returns the path of the program `name`. Progress goes to standard error.
///
/// # Errors
/// When the build fails, or has no program `name`.
pub(crate) fn build(command: Cmd<'_>, name: &str) -> anyhow::Result<PathBuf> {
    let messages = command
        .args(["--message-format", "json-render-diagnostics", "--target-dir"])
        .arg(workspace::target()?)
        .read()
        .with_context(|| format!("building `{name}`; cargo says above why"))?;
    executable(&messages, name).with_context(|| format!("cargo built no program `{name}`"))
}

/// The path of the program `name` in cargo's JSON messages.
fn executable(messages: &str, name: &str) -> Option<PathBuf> {
    #[derive(Deserialize)]
    struct Message {
        target: Target,
        executable: Option<PathBuf>,
    }
    #[derive(Deserialize)]
    struct Target {
        name: String,
    }
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Message>(line).ok())
        .filter(|message| message.target.name == name)
        .find_map(|message| message.executable)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::executable;

    #[test]
    fn program_path_is_read_from_cargos_messages() {
        let messages = r#"{"reason":"compiler-artifact","target":{"name":"bench"},"executable":null}
{"reason":"build-script-executed","package_id":"x"}
{"reason":"compiler-artifact","target":{"name":"other"},"executable":"/t/other"}
{"reason":"compiler-artifact","target":{"name":"bench"},"executable":"/t/bench"}
{"reason":"build-finished","success":true}"#;
        assert_eq!(executable(messages, "bench").as_deref(), Some(Path::new("/t/bench")));
        assert_eq!(executable(messages, "none"), None);
    }
}
