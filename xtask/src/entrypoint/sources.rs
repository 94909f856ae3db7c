//! The source files of the static program. Its crates come from cargo, so a new crate counts
//! without an entry here.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use serde::Deserialize;
use walkdir::{DirEntry, WalkDir};
use xshell::Shell;

use super::toolchain::{FLAGS, PACKAGE, Toolchain};
use crate::{cargo::cargo, sha256::PartsHasher};

/// Sources outside of the crates: what chooses and configures dependencies, and files that a crate
/// embeds.
const SHARED: [&str; 3] = ["Cargo.lock", "Cargo.toml", "docker/configs"];

/// Files and folders that the program is built from, relative to the workspace. Dependencies from
/// other sources are pinned by `Cargo.lock`.
///
/// # Errors
/// When cargo cannot read the workspace.
pub(super) fn list(sh: &Shell) -> anyhow::Result<BTreeSet<PathBuf>> {
    let metadata = cargo(sh).args(["metadata", "--offline", "--no-deps", "--format-version", "1"]);
    let metadata = metadata.quiet().read().context("listing the crates of this workspace")?;
    let mut sources = crates(&metadata).context("reading the output of `cargo metadata`")?;
    sources.extend(SHARED.map(PathBuf::from));
    Ok(sources)
}

/// Manifests and source folders of the program's package and of the path dependencies below it.
fn crates(metadata: &str) -> anyhow::Result<BTreeSet<PathBuf>> {
    #[derive(Deserialize)]
    struct Metadata {
        packages: Vec<Package>,
        workspace_root: PathBuf,
    }
    #[derive(Deserialize)]
    struct Package {
        name: String,
        manifest_path: PathBuf,
        dependencies: Vec<Dependency>,
        targets: Vec<Target>,
    }
    #[derive(Deserialize)]
    struct Dependency {
        path: Option<PathBuf>,
        kind: Option<String>,
    }
    #[derive(Deserialize)]
    struct Target {
        kind: Vec<String>,
        src_path: PathBuf,
    }
    let Metadata { packages, workspace_root } = serde_json::from_str(metadata)?;
    let program = packages.iter().find(|package| package.name == PACKAGE);
    let mut queue = vec![program.with_context(|| format!("there is no package `{PACKAGE}`"))?];
    let mut sources = BTreeSet::new();
    while let Some(Package { name: _, manifest_path, dependencies, targets }) = queue.pop() {
        if !sources.insert(manifest_path.clone()) {
            continue;
        }
        for Target { kind, src_path } in targets {
            match kind.as_slice() {
                [kind] if kind == "custom-build" => sources.insert(src_path.clone()),
                [kind] if ["bin", "lib", "proc-macro"].contains(&kind.as_str()) => {
                    sources.extend(src_path.parent().map(Path::to_owned));
                    true
                }
                _ => false,
            };
        }
        let needed = dependencies.iter().filter(|needed| needed.kind.as_deref() != Some("dev"));
        let folders = needed.filter_map(|needed| needed.path.as_deref()).collect::<Vec<_>>();
        queue.extend(packages.iter().filter(|package| {
            package.manifest_path.parent().is_some_and(|folder| folders.contains(&folder))
        }));
    }
    let relative = |source: PathBuf| Ok(source.strip_prefix(&workspace_root)?.to_owned());
    sources.into_iter().map(relative).collect()
}

/// Digest of the compiler, its options and all files of `sources` below `root`.
///
/// # Errors
/// When a source cannot be read.
pub(super) fn digest(
    root: &Path,
    sources: &BTreeSet<PathBuf>,
    toolchain: &Toolchain,
) -> anyhow::Result<String> {
    let mut hasher = PartsHasher::default();
    hasher.add("toolchain", toolchain.version.as_bytes());
    for argument in toolchain.arguments().into_iter().chain(FLAGS) {
        hasher.add("argument", argument.as_bytes());
    }
    for source in sources {
        for path in files(root, source)? {
            let content =
                fs::read(&path).with_context(|| format!("reading `{}`", path.display()))?;
            let name = path.strip_prefix(root).unwrap_or(&path);
            hasher.add(&name.to_string_lossy(), &content);
        }
    }
    Ok(hasher.finish())
}

/// All files of a source in a fixed order, without hidden ones, as editors leave them.
fn files(root: &Path, source: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let hidden = |entry: &DirEntry| entry.file_name().as_encoded_bytes().starts_with(b".");
    let entries = WalkDir::new(root.join(source))
        .sort_by_file_name()
        .into_iter()
        .filter_entry(|entry| entry.depth() == 0 || !hidden(entry))
        .collect::<Result<Vec<_>, _>>()
        .context("reading what the image is made from")?;
    let files = entries.into_iter().filter(|entry| entry.file_type().is_file());
    Ok(files.map(DirEntry::into_path).collect())
}

#[cfg(test)]
mod tests {
    use std::{
        collections::BTreeSet,
        fs,
        path::{Path, PathBuf},
    };

    use serde_json::json;

    use super::{Toolchain, crates, digest, files, list};
    use crate::workspace;

    #[test]
    fn every_input_changes_the_digest() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        fs::create_dir(root.join("src")).unwrap();
        let sources = ["Cargo.lock", "src"].map(PathBuf::from).into();
        let digest = |version: &str| {
            let version = format!("{version}\nhost: x86_64-unknown-linux-gnu");
            digest(root, &sources, &Toolchain::parse(version).unwrap()).unwrap()
        };
        fs::write(root.join("Cargo.lock"), "1").unwrap();
        let first = digest("rustc 1");
        assert_eq!(digest("rustc 1"), first);

        let mut seen = vec![first, digest("rustc 2")];
        fs::write(root.join("Cargo.lock"), "2").unwrap();
        seen.push(digest("rustc 1"));
        fs::write(root.join("src/main.rs"), "").unwrap();
        seen.push(digest("rustc 1"));
        fs::rename(root.join("src/main.rs"), root.join("src/other.rs")).unwrap();
        seen.push(digest("rustc 1"));
        let distinct: BTreeSet<_> = seen.iter().collect();
        assert_eq!(distinct.len(), seen.len(), "{seen:#?}");

        fs::write(root.join("src/.main.rs.swp"), "hidden").unwrap();
        assert_eq!(&digest("rustc 1"), seen.last().unwrap());
    }

    #[test]
    fn path_dependencies_are_sources_except_for_tests() {
        let package = |name: &str, targets: &[(&str, &str)], needs: &[(Option<&str>, &str)]| {
            let target = |(kind, path)| json!({"kind": [kind], "src_path": format!("/w/{path}")});
            let needed = |(kind, path)| json!({"kind": kind, "path": format!("/w/{path}")});
            json!({
                "name": name,
                "manifest_path": format!("/w/{name}/Cargo.toml"),
                "targets": targets.iter().copied().map(target).collect::<Vec<_>>(),
                "dependencies": needs.iter().copied().map(needed).collect::<Vec<_>>(),
            })
        };
        let program = [("bin", "entrypoint/src/main.rs"), ("test", "entrypoint/tests/it.rs")];
        let packages = [
            package("entrypoint", &program, &[(None, "a"), (Some("dev"), "b")]),
            package("a", &[("lib", "a/src/lib.rs")], &[(Some("build"), "c")]),
            package("b", &[("lib", "b/src/lib.rs")], &[]),
            package(
                "c",
                &[("lib", "c/src/lib.rs"), ("custom-build", "c/build.rs")],
                &[(None, "a")],
            ),
        ];
        let metadata = json!({"packages": packages, "workspace_root": "/w"}).to_string();
        let expected = [
            "a/Cargo.toml",
            "a/src",
            "c/Cargo.toml",
            "c/build.rs",
            "c/src",
            "entrypoint/Cargo.toml",
            "entrypoint/src",
        ];
        assert_eq!(crates(&metadata).unwrap(), expected.map(PathBuf::from).into());
    }

    #[test]
    fn every_embedded_file_is_a_source() {
        let root = workspace::root();
        let sources = list(&workspace::shell().unwrap()).unwrap();
        assert!(sources.contains(Path::new("docker/entrypoint/src")), "{sources:?}");
        let mut embedded = 0;
        for file in sources.iter().flat_map(|source| files(root, source).unwrap()) {
            // Tests embed guides and fixtures.
            if file.components().any(|part| Path::new(&part).file_stem() == Some("tests".as_ref()))
            {
                continue;
            }
            let code = fs::read_to_string(&file).unwrap_or_default();
            for macro_name in ["include_str!(\"", "include_bytes!(\"", "include!(\""] {
                for rest in code.split(macro_name).skip(1) {
                    let path = rest.split('"').next().unwrap();
                    let path = file.parent().unwrap().join(path).canonicalize().unwrap();
                    let path = path.strip_prefix(root.canonicalize().unwrap()).unwrap();
                    assert!(sources.iter().any(|source| path.starts_with(source)), "{path:?}");
                    embedded += 1;
                }
            }
        }
        assert!(embedded > 0, "the program embeds its configurations");
    }
}
