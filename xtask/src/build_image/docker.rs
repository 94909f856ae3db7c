//! What build-image asks of Docker.

use std::collections::BTreeMap;

use anyhow::{Context as _, bail};
use contract::{Flavour, label};
use serde::Deserialize;
use xshell::{Shell, cmd};

use crate::tool;

/// An image that the engine has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Local {
    /// Digest of what it was built from; none on an image of others.
    pub(super) inputs: Option<String>,
    /// Its size.
    pub(super) bytes: u64,
}

/// Looks for images; one that is missing is left out.
///
/// # Errors
/// When Docker does not answer.
pub(super) fn inspect(sh: &Shell, images: &[String]) -> anyhow::Result<Vec<Local>> {
    let instead = "do without a container: `cargo xtask smoke --engine host`";
    let output = cmd!(sh, "docker image inspect {images...}").ignore_status().output();
    let output = output.with_context(|| {
        format!("docker is missing; install it (Debian: `apt-get install docker.io`), or {instead}")
    })?;
    let says = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() && !says.to_lowercase().contains("no such image") {
        let says = says.trim().lines().next().unwrap_or("nothing");
        bail!(
            "docker does not answer and says: {says}; start its daemon or join the group \
             `docker`, or {instead}"
        );
    }
    parse_images(&String::from_utf8_lossy(&output.stdout))
}

/// Reads the answer of `docker image inspect`.
fn parse_images(json: &str) -> anyhow::Result<Vec<Local>> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Image {
        size: u64,
        config: Option<Config>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Config {
        labels: Option<BTreeMap<String, String>>,
    }
    let images = serde_json::from_str::<Vec<Image>>(json)
        .with_context(|| format!("reading what `docker image inspect` says: {json:?}"))?;
    let local = |image: Image| Local {
        bytes: image.size,
        inputs: image
            .config
            .and_then(|config| config.labels)
            .and_then(|mut labels| labels.remove(label::INPUTS)),
    };
    Ok(images.into_iter().map(local).collect())
}

/// Builds one target of the Dockerfile in `context`, and shows what Docker says.
///
/// # Errors
/// When the build fails.
pub(super) fn build(
    sh: &Shell,
    flavour: Flavour,
    tags: &[String],
    labels: &[(&str, String)],
    context: &[u8],
) -> anyhow::Result<()> {
    let tags = tags.iter().flat_map(|tag| ["--tag", tag]);
    let labels = labels.iter().map(|(name, value)| format!("{name}={value}"));
    let labels = labels.flat_map(|label| ["--label".to_owned(), label]);
    let target = flavour.name();
    let status =
        tool::live(cmd!(sh, "docker build --target {target} {tags...} {labels...} -"), context)?;
    if !status.success() {
        bail!(
            "`docker build` of the {flavour} image failed ({status}) and says above why; when the \
             disk is full, `docker system df` shows what fills it"
        );
    }
    Ok(())
}

/// Removes images that a later build of `flavour` has replaced, unless a container needs them.
/// Nothing depends on it: a failure is a warning.
pub(super) fn prune(sh: &Shell, flavour: Flavour) -> Option<String> {
    let filter = format!("label={}={flavour}", label::FLAVOUR);
    let command = cmd!(sh, "docker image prune --force --filter {filter}");
    let said = match command.ignore_status().output() {
        Ok(output) if output.status.success() => return None,
        Ok(output) => String::from_utf8_lossy(&output.stderr).into_owned(),
        Err(error) => error.to_string(),
    };
    Some(not_pruned(flavour, &said))
}

fn not_pruned(flavour: Flavour, said: &str) -> String {
    let said = said.trim().lines().next().unwrap_or("nothing");
    format!(
        "replaced {flavour} images could not be removed, and fill the disk until the next build \
         removes them: `docker image prune` says: {said}"
    )
}

#[cfg(test)]
mod tests {
    use contract::Flavour;

    use super::{Local, not_pruned, parse_images};

    #[test]
    fn a_prune_that_failed_is_a_warning_of_one_line() {
        let warning = not_pruned(Flavour::Smoke, "Error: a prune operation is running\nmore\n");
        assert!(warning.starts_with("replaced smoke images could not be removed"), "{warning}");
        assert!(warning.ends_with("says: Error: a prune operation is running"), "{warning}");
        assert!(not_pruned(Flavour::Smoke, "").ends_with("says: nothing"));
    }

    #[test]
    fn labels_and_sizes_are_read_from_inspect() {
        let json = r#"[
            {"Size": 12, "Config": {"Labels": {"org.aienergyscore.inputs": "ab", "x": "y"}}},
            {"Size": 3, "Config": {"Labels": null}},
            {"Size": 4}
        ]"#;
        let local =
            |inputs: Option<&str>, bytes| Local { inputs: inputs.map(str::to_owned), bytes };
        let images = parse_images(json).unwrap();
        assert_eq!(images, [local(Some("ab"), 12), local(None, 3), local(None, 4)]);
        assert_eq!(parse_images("[]\n").unwrap(), []);
        assert!(parse_images("").is_err());
    }
}
