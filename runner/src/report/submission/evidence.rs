//! What is looked at before logs are submitted, and what is packed: the outputs of a run.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};
use contract::{
    output::{ENERGY_WH, HOST_METER, is_output},
    summary::Summary,
};
use walkdir::WalkDir;

use super::super::plain::plain;

/// More than the logs of any run, in bytes: they are packed in memory.
const MOST_BYTES: u64 = 512 << 20;

/// One output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LogFile {
    /// Its path below the results folder, with slashes.
    pub(super) name: String,
    /// What is in it.
    pub(super) bytes: Vec<u8>,
}

/// A run's outputs, and what they say when they are read again.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Evidence {
    /// The outputs, by name.
    pub(super) files: Vec<LogFile>,
    /// The summary that the backend's own report gives, or why it gives none.
    pub(super) remade: Result<Summary, String>,
}

impl Evidence {
    /// Reads the outputs in `folder`.
    ///
    /// # Errors
    /// When one cannot be read, or is more than a log.
    pub(super) fn read(folder: &Path) -> anyhow::Result<Self> {
        Ok(Self {
            files: outputs(folder)?,
            remade: reports::read(folder).map_err(|error| format!("{error:#}")),
        })
    }

    /// The text of the file with the energy, if it is there.
    pub(super) fn energy_text(&self) -> Option<String> {
        let file = self.files.iter().find(|file| file.name == ENERGY_WH)?;
        Some(String::from_utf8_lossy(&file.bytes).into_owned())
    }

    /// Whether the output `name` is there.
    pub(super) fn has(&self, name: &str) -> bool {
        self.files.iter().any(|file| file.name == name)
    }
}

fn outputs(folder: &Path) -> anyhow::Result<Vec<LogFile>> {
    let mut files = vec![];
    let mut left = MOST_BYTES;
    for path in paths(folder)? {
        let reading = || format!("reading the log `{}`", path.display());
        let size = fs::metadata(&path).with_context(reading)?.len();
        left = left.checked_sub(size).with_context(|| {
            format!(
                "the logs in `{}` have more than {} MiB, which no run writes",
                folder.display(),
                MOST_BYTES >> 20
            )
        })?;
        let below = path.strip_prefix(folder).unwrap_or(&path);
        // Others end a line of the list of digests, or are folders to some who unpack it.
        let is_carried =
            |name: &&str| !name.contains(|char: char| char.is_control() || char == '\\');
        let Some(name) = below.to_str().filter(is_carried) else {
            bail!(
                "the log `{}` has a name that not every archive carries; no benchmark writes it: move \
                 it elsewhere",
                plain(&path.to_string_lossy())
            );
        };
        files
            .push(LogFile { name: name.to_owned(), bytes: fs::read(&path).with_context(reading)? });
    }
    files.sort_by(|one, two| one.name.cmp(&two.name));
    Ok(files)
}

/// The regular files that a run wrote. A link may lead anywhere, and is none.
fn paths(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut paths = vec![];
    let outputs = WalkDir::new(folder).into_iter().filter_entry(|entry| {
        let is_own = |name: &str| is_output(name) || name == HOST_METER;
        entry.depth() != 1 || entry.file_name().to_str().is_some_and(is_own)
    });
    for entry in outputs {
        let entry = entry.with_context(|| format!("reading `{}`", folder.display()))?;
        let kind = entry.file_type();
        if kind.is_dir() {
            continue;
        }
        if !kind.is_file() {
            bail!(
                "the log `{}` is no regular file; put the file itself there",
                entry.path().display()
            );
        }
        paths.push(entry.into_path());
    }
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use super::Evidence;

    #[test]
    fn outputs_are_read_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::create_dir_all(path(".hydra")).unwrap();
        fs::create_dir_all(path("previous/1")).unwrap();
        for name in
            ["benchmark.log", "my notes.txt", ".hydra/config.yaml", "previous/1/benchmark.log"]
        {
            fs::write(path(name), name).unwrap();
        }
        let read = Evidence::read(folder.path()).unwrap();
        let names: Vec<_> = read.files.iter().map(|file| file.name.as_str()).collect();
        assert_eq!(names, [".hydra/config.yaml", "benchmark.log"]);
        assert_eq!(read.files[1].bytes, b"benchmark.log");
        assert!(read.remade.unwrap_err().contains("benchmark_report.json"));

        for name in ["a\nb", "c\\d"] {
            let path = path(".hydra").join(name);
            fs::write(&path, "").unwrap();
            let error = Evidence::read(folder.path()).unwrap_err().to_string();
            assert!(
                error.contains("not every archive carries") && !error.contains('\n'),
                "{error}"
            );
            fs::remove_file(path).unwrap();
        }

        symlink("/etc/hostname", path("GPU_ENERGY_WH.txt")).unwrap();
        let error = Evidence::read(folder.path()).unwrap_err().to_string();
        assert!(error.contains("GPU_ENERGY_WH.txt` is no regular file"), "{error}");
    }
}
