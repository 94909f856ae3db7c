//! SHA-256 over everything that a program or an image is made from: sources, never results, so
//! that "up to date" is known without building anything.

use std::path::Path;

use anyhow::Context as _;
use contract::{Flavour, hex};
use sha2::{Digest as _, Sha256};
use walkdir::{DirEntry, WalkDir};

use super::{
    context,
    entry::{Content, Entry, read},
    labels::{self, Base},
    toolchain::{self, Toolchain},
};

/// Sources of the static program: its crates, the configuration in it, and what decides over their
/// dependencies.
const PROGRAM: [&str; 8] = [
    "Cargo.lock",
    "Cargo.toml",
    "docker/backend_reports",
    "docker/configs",
    "docker/contract",
    "docker/entrypoint",
    "docker/streams",
    "docker/untrusted",
];

/// Digest of everything that an image of `flavour` on `base` is made from.
///
/// # Errors
/// When a source cannot be read, or `rustc` does not tell its version.
pub(super) fn image_digest(
    root: &Path,
    flavour: Flavour,
    base: Option<&Base>,
) -> anyhow::Result<String> {
    let toolchain = Toolchain::read()?;
    let mut inputs = Inputs::default();
    inputs.add("program", program_digest(root, &toolchain)?.as_bytes());
    inputs.add("flavour", flavour.name().as_bytes());
    if let Some(Base { name, id }) = base {
        inputs.add("base", name.as_bytes());
        inputs.add("base's id", id.as_deref().unwrap_or_default().as_bytes());
    }
    for (name, value) in labels::fixed(flavour) {
        inputs.add(name, value.as_bytes());
    }
    for Entry { path, mode, content } in context::sources(root, flavour)? {
        inputs.add(&path, &mode.to_be_bytes());
        if let Content::File(bytes) = content {
            inputs.add(&path, &bytes);
        }
    }
    Ok(inputs.digest())
}

/// Digest of everything that the static program is made from.
///
/// # Errors
/// When a source cannot be read.
pub(super) fn program_digest(root: &Path, toolchain: &Toolchain) -> anyhow::Result<String> {
    let mut inputs = Inputs::default();
    inputs.add("toolchain", toolchain.version.as_bytes());
    let flags = toolchain::FLAGS.map(str::to_owned);
    for argument in toolchain::arguments(toolchain).iter().chain(&flags) {
        inputs.add("argument", argument.as_bytes());
    }
    for source in PROGRAM {
        add_sources(&mut inputs, root, source)?;
    }
    Ok(inputs.digest())
}

/// Adds a file, or all files of a folder, by their paths below `root`.
fn add_sources(inputs: &mut Inputs, root: &Path, source: &str) -> anyhow::Result<()> {
    let hidden = |entry: &DirEntry| entry.file_name().as_encoded_bytes().starts_with(b".");
    let files = WalkDir::new(root.join(source))
        .sort_by_file_name()
        .into_iter()
        .filter_entry(|entry| entry.depth() == 0 || !hidden(entry));
    for entry in files {
        let entry = entry.context("reading what the image is made from")?;
        if entry.file_type().is_file() {
            let name = entry.path().strip_prefix(root).unwrap_or(entry.path());
            inputs.add(&name.to_string_lossy(), &read(entry.path())?);
        }
    }
    Ok(())
}

/// A digest over named parts, each framed by its lengths: no two lists of parts look alike.
#[derive(Debug, Default)]
struct Inputs(Sha256);

impl Inputs {
    fn add(&mut self, name: &str, content: &[u8]) {
        for part in [name.as_bytes(), content] {
            self.0.update((part.len() as u64).to_be_bytes());
            self.0.update(part);
        }
    }

    fn digest(self) -> String {
        hex::encode(self.0.finalize())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{Inputs, Toolchain, program_digest};

    fn toolchain(version: &str) -> Toolchain {
        Toolchain { version: version.to_owned(), triple: "x86_64-unknown-linux-gnu".to_owned() }
    }

    #[test]
    fn the_digest_is_stable_and_moves_with_every_input() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        for folder in [
            "docker/backend_reports/src",
            "docker/configs",
            "docker/contract/src",
            "docker/entrypoint/src",
            "docker/streams/src",
            "docker/untrusted/src",
        ] {
            fs::create_dir_all(root.join(folder)).unwrap();
        }
        let sources =
            ["Cargo.lock", "Cargo.toml", "docker/configs/a.args", "docker/contract/src/lib.rs"];
        for source in sources {
            fs::write(root.join(source), "1").unwrap();
        }
        let digest = || program_digest(root, &toolchain("rustc 1")).unwrap();
        let first = digest();
        assert_eq!(digest(), first);
        assert_ne!(program_digest(root, &toolchain("rustc 2")).unwrap(), first);

        let mut seen = vec![first];
        for source in sources {
            fs::write(root.join(source), "2").unwrap();
            seen.push(digest());
        }
        fs::write(root.join("docker/entrypoint/src/main.rs"), "").unwrap();
        seen.push(digest());
        fs::rename(
            root.join("docker/entrypoint/src/main.rs"),
            root.join("docker/entrypoint/src/other.rs"),
        )
        .unwrap();
        seen.push(digest());
        let mut distinct = seen.clone();
        distinct.sort();
        distinct.dedup();
        assert_eq!(distinct.len(), seen.len(), "{seen:#?}");

        fs::write(root.join("docker/entrypoint/src/.main.rs.swp"), "an editor's").unwrap();
        assert_eq!(&digest(), seen.last().unwrap());
    }

    #[test]
    fn parts_do_not_run_into_each_other() {
        let digest = |parts: &[(&str, &str)]| {
            let mut inputs = Inputs::default();
            parts.iter().for_each(|(name, content)| inputs.add(name, content.as_bytes()));
            inputs.digest()
        };
        assert_ne!(digest(&[("ab", "c")]), digest(&[("a", "bc")]));
        assert_ne!(digest(&[("a", ""), ("b", "")]), digest(&[("a", "b")]));
    }
}
