//! The Hub cache: where it is, and its snapshots. Nothing here uses the network.

mod snapshot;

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use contract::env;

use self::snapshot::Snapshot;
use crate::environment::Environment;

/// The folder of the Hub cache, by the Hub client's rules.
pub(super) fn cache(environment: &Environment) -> anyhow::Result<PathBuf> {
    let set = |name| environment.get(name).map(PathBuf::from);
    if let Some(cache) = set(env::HF_HUB_CACHE) {
        return Ok(cache);
    }
    let home = match set(env::HF_HOME) {
        Some(home) => home,
        None => set(env::HOME)
            .with_context(|| {
                format!(
                    "the Hub cache is nowhere: set {}, {} or {}",
                    env::HF_HUB_CACHE,
                    env::HF_HOME,
                    env::HOME
                )
            })?
            .join(".cache/huggingface"),
    };
    Ok(home.join("hub"))
}

/// The snapshot that `refs/main` of a repo names. `kind` is `models` or `datasets`, and `download`
/// is the command that downloads the repo.
pub(super) fn snapshot(
    kind: &str,
    id: &str,
    download: &str,
    cache: &Path,
) -> anyhow::Result<Snapshot> {
    let name = format!("{kind}--{}", id.replace('/', "--"));
    let found = Snapshot::of_main(cache, &name)
        .with_context(|| format!("reading its folder `{}`", cache.join(&name).display()))?;
    found.with_context(|| {
        format!(
            "it is not in the Hub cache `{}` (there is no `{}`); download it with `{download}`, or \
             point {} or {} to the cache that has it",
            cache.display(),
            cache.join(&name).join("refs/main").display(),
            env::HF_HUB_CACHE,
            env::HF_HOME,
        )
    })
}

/// Whether `id` has the form of a Hub id, `ORG/REPO` or `REPO`.
pub(super) fn is_hub_id(id: &str) -> bool {
    let part = |part: &str| {
        part.chars().next().is_some_and(|first| first.is_ascii_alphanumeric())
            && part.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
    };
    let mut parts = id.split('/');
    parts.clone().count() <= 2 && parts.all(part)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::{Environment, cache};

    #[test]
    fn cache_folder_follows_the_hub_clients_variables() {
        let cases: [(&[(&str, &str)], &str); 4] = [
            (&[("HF_HUB_CACHE", "/c"), ("HF_HOME", "/h")], "/c"),
            (&[("HF_HUB_CACHE", ""), ("HF_HOME", "/h")], "/h/hub"),
            (&[("HOME", "/u"), ("HF_HOME", "/h")], "/h/hub"),
            (&[("HOME", "/u")], "/u/.cache/huggingface/hub"),
        ];
        for (variables, expected) in cases {
            let environment = variables.iter().copied().collect();
            assert_eq!(cache(&environment).unwrap(), PathBuf::from(expected));
        }
        assert!(cache(&Environment::default()).is_err());
    }
}
