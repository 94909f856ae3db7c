//! What the flavours with Python are made from, besides what every flavour is made from.

use std::{ffi::OsStr, path::Path};

use anyhow::Context as _;
use contract::{Flavour, path};
use walkdir::{DirEntry, WalkDir};

use super::entry::{Entry, PLAIN, read};

/// Where the context has the scripts that install.
pub(super) const IMAGE: &str = "image";
/// Where it has the locks.
pub(super) const REQUIREMENTS: &str = "requirements";
/// Where it has adapter and configurations.
pub(super) const SHARE: &str = "share";
/// The scripts: one for the base, one for the Python environment.
pub(super) const SCRIPTS: [&str; 2] = ["base.sh", "environment.sh"];
/// The bundle of CA certificates beside the locks, as the second script knows it.
const CA_BUNDLE: &str = "requirements/ca-bundle.pem";

/// The locks that `flavour` is installed from.
fn locks(flavour: Flavour) -> &'static [&'static str] {
    match flavour {
        Flavour::Cuda => &["cuda.txt", "setuptools.txt", "torch.txt"],
        Flavour::Cpu => &["cpu.txt", "setuptools.txt"],
        Flavour::Smoke => &[],
    }
}

/// Everything of the tree at `root` that `flavour` needs and others do not.
///
/// # Errors
/// When a source cannot be read.
pub(super) fn entries(root: &Path, flavour: Flavour) -> anyhow::Result<Vec<Entry>> {
    if flavour == Flavour::Smoke {
        return Ok(Vec::new());
    }
    let docker = root.join("docker");
    let mut entries = Vec::new();
    for (folder, names) in [(IMAGE, SCRIPTS.as_slice()), (REQUIREMENTS, locks(flavour))] {
        entries.push(Entry::folder(folder, PLAIN));
        for name in names {
            let bytes = read(&docker.join(folder).join(name))?;
            entries.push(Entry::file(&format!("{folder}/{name}"), 0o644, bytes));
        }
    }
    entries.push(Entry::folder(SHARE, PLAIN));
    let python = |file: &Path| file.extension() == Some(OsStr::new("py"));
    add_tree(&mut entries, &docker.join("adapter"), &place(path::ADAPTER), python)?;
    Ok(entries)
}

/// The bundle as an entry. It decides over no result, so it is no input.
pub(super) fn ca_bundle(bundle: Vec<u8>) -> Entry {
    Entry::file(CA_BUNDLE, 0o644, bundle)
}

/// Where the context has what the image has at `path`.
fn place(path: &str) -> String {
    let (_folder, name) = path.rsplit_once('/').expect("the contract's paths are absolute");
    format!("{SHARE}/{name}")
}

/// Adds the folder `from` as `to`: the files that are `wanted` and the folders above them.
fn add_tree(
    entries: &mut Vec<Entry>,
    from: &Path,
    to: &str,
    wanted: impl Fn(&Path) -> bool,
) -> anyhow::Result<()> {
    entries.push(Entry::folder(to, PLAIN));
    let left_out = |entry: &DirEntry| {
        let name = entry.file_name().as_encoded_bytes();
        entry.depth() > 0 && (name.starts_with(b".") || name == b"__pycache__")
    };
    let tree = WalkDir::new(from).min_depth(1).sort_by_file_name().into_iter();
    for entry in tree.filter_entry(|entry| !left_out(entry)) {
        let entry = entry.context("reading what the image is made from")?;
        let below = entry.path().strip_prefix(from).unwrap_or(entry.path());
        let name = format!("{to}/{}", below.to_str().context("a file's name is not UTF-8")?);
        if entry.file_type().is_dir() {
            entries.push(Entry::folder(&name, PLAIN));
        } else if wanted(entry.path()) {
            entries.push(Entry::file(&name, 0o644, read(entry.path())?));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use contract::Flavour;

    use super::{super::entry::Content, entries};

    #[test]
    fn each_flavour_gets_its_own_sources_and_nothing_that_lies_around() {
        let root = tempfile::tempdir().unwrap();
        for file in [
            "image/base.sh",
            "image/environment.sh",
            "requirements/cpu.in",
            "requirements/cpu.txt",
            "requirements/cuda.txt",
            "requirements/setuptools.txt",
            "requirements/torch.txt",
            "adapter/__main__.py",
            "adapter/__pycache__/__main__.cpython-313.pyc",
            "adapter/notes.txt",
            "adapter/stack/one.py",
            "adapter/.one.py.swp",
        ] {
            let path = root.path().join("docker").join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, file).unwrap();
        }
        let list = |flavour| {
            let line = |entry: super::Entry| match entry.content {
                Content::Folder => format!("{:04o} {}/\n", entry.mode, entry.path),
                Content::File(_) => format!("{:04o} {}\n", entry.mode, entry.path),
            };
            entries(root.path(), flavour).unwrap().into_iter().map(line).collect::<String>()
        };
        assert_eq!(list(Flavour::Smoke), "");
        insta::assert_snapshot!(list(Flavour::Cpu), @r"
        0755 image/
        0644 image/base.sh
        0644 image/environment.sh
        0755 requirements/
        0644 requirements/cpu.txt
        0644 requirements/setuptools.txt
        0755 share/
        0755 share/adapter/
        0644 share/adapter/__main__.py
        0755 share/adapter/stack/
        0644 share/adapter/stack/one.py
        ");
        assert!(list(Flavour::Cuda).contains("requirements/torch.txt"));
    }

    #[test]
    fn every_package_of_every_lock_has_hashes() {
        let root = crate::workspace::root();
        let tests = ["hub_cache", "vllm"].map(|test| format!("tests/it/{test}/requirements"));
        for folder in ["docker/requirements".to_owned()].into_iter().chain(tests) {
            let files = fs::read_dir(root.join(&folder)).unwrap().map(|file| file.unwrap().path());
            for file in files.filter(|file| {
                let lock = file.extension().is_some_and(|extension| extension == "txt");
                // What the resolver is told, and no lock.
                lock && !file.ends_with("overrides.txt")
            }) {
                let text = fs::read_to_string(&file).unwrap().replace("\\\n", " ");
                let packages = text.lines().filter(|line| !line.starts_with('#')).map(|line| {
                    assert!(line.contains("==") && line.contains("--hash=sha256:"), "{line}");
                });
                assert!(packages.count() > 0, "{}", file.display());
            }
        }
        let script = fs::read_to_string(root.join("docker/image/environment.sh")).unwrap();
        assert_eq!(script.matches("pip install").count(), 1);
        assert!(script.contains("--require-hashes"), "{script}");
    }
}
