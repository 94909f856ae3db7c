//! Files of the build context for the flavours with Python: scripts, locks and the adapter.

use std::{ffi::OsStr, path::Path};

use anyhow::Context as _;
use contract::{Flavour, path};
use walkdir::{DirEntry, WalkDir};

use super::entry::{EXECUTABLE, Entry, READABLE};

/// Folder of the installation scripts in the context.
pub(crate) const IMAGE: &str = "image";
/// Folder of the lock files.
pub(crate) const REQUIREMENTS: &str = "requirements";
/// Folder of the adapter.
pub(crate) const SHARE: &str = "share";
/// The installation scripts of the base and of the Python environment.
pub(crate) const SCRIPTS: [&str; 2] = ["base.sh", "environment.sh"];
/// The CA bundle, where the second script expects it.
const CA_BUNDLE: &str = "requirements/ca-bundle.pem";

/// The lock files of `flavour`.
fn locks(flavour: Flavour) -> &'static [&'static str] {
    match flavour {
        Flavour::Cuda => &["cuda.txt", "setuptools.txt", "torch.txt"],
        Flavour::Cpu => &["cpu.txt", "setuptools.txt"],
        Flavour::Smoke => &[],
    }
}

/// The files below `root` that only `flavour` needs.
///
/// # Errors
/// When a source cannot be read.
pub(crate) fn entries(root: &Path, flavour: Flavour) -> anyhow::Result<Vec<Entry>> {
    if flavour == Flavour::Smoke {
        return Ok(Vec::new());
    }
    let docker = root.join("docker");
    let mut entries = Vec::new();
    for (folder, names) in [(IMAGE, SCRIPTS.as_slice()), (REQUIREMENTS, locks(flavour))] {
        entries.push(Entry::folder(folder, EXECUTABLE));
        for name in names {
            let source = docker.join(folder).join(name);
            entries.push(Entry::read(&format!("{folder}/{name}"), READABLE, &source)?);
        }
    }
    entries.push(Entry::folder(SHARE, EXECUTABLE));
    let (_folder, adapter) = path::ADAPTER.rsplit_once('/').expect("the path is absolute");
    add_python(&mut entries, &docker.join("adapter"), &format!("{SHARE}/{adapter}"))?;
    Ok(entries)
}

/// The CA bundle as an entry. It is not an input of the image, because no layer contains it.
pub(crate) fn ca_bundle(bundle: Vec<u8>) -> Entry {
    Entry::file(CA_BUNDLE, READABLE, bundle)
}

/// Adds the folders and the Python files of `from` below `to`.
fn add_python(entries: &mut Vec<Entry>, from: &Path, to: &str) -> anyhow::Result<()> {
    entries.push(Entry::folder(to, EXECUTABLE));
    let skipped = |entry: &DirEntry| {
        let name = entry.file_name().as_encoded_bytes();
        entry.depth() > 0 && (name.starts_with(b".") || name == b"__pycache__")
    };
    let tree = WalkDir::new(from).min_depth(1).sort_by_file_name().into_iter();
    for entry in tree.filter_entry(|entry| !skipped(entry)) {
        let entry = entry.context("reading what the image is made from")?;
        let below = entry.path().strip_prefix(from).unwrap_or(entry.path());
        let name = format!("{to}/{}", below.to_str().context("a file's name is not UTF-8")?);
        if entry.file_type().is_dir() {
            entries.push(Entry::folder(&name, EXECUTABLE));
        } else if entry.path().extension() == Some(OsStr::new("py")) {
            entries.push(Entry::read(&name, READABLE, entry.path())?);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use contract::Flavour;

    use super::entries;

    #[test]
    fn context_has_the_sources_of_its_flavour_and_no_stray_files() {
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
            let entries = entries(root.path(), flavour).unwrap();
            entries.iter().map(ToString::to_string).collect::<String>()
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
    fn every_locked_package_has_a_hash() {
        let root = crate::workspace::root();
        let tests = ["hub_cache", "vllm"].map(|test| format!("tests/it/{test}/requirements"));
        for folder in ["docker/requirements".to_owned()].into_iter().chain(tests) {
            let files = fs::read_dir(root.join(&folder)).unwrap().map(|file| file.unwrap().path());
            for file in files.filter(|file| {
                let lock = file.extension().is_some_and(|extension| extension == "txt");
                // Input of the resolver, not a lock file.
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
