//! What is looked at before logs are submitted, and what is packed: the outputs of a run.

use std::path::PathBuf;

use anyhow::{Context as _, anyhow, bail, ensure};
use contract::{
    output::{ENERGY_WH, RECORD, REPORT, is_output},
    summary::Summary,
};
use reports::{CONFIG, Folder, json};
use serde_json::Value;
use untrusted::{Found, Kind, Refused};

use super::super::sanitize::sanitized;

/// More than the logs of any run, in bytes: they are packed in memory.
const MOST_BYTES: u64 = 512 << 20;
/// More than the files of any run.
const MOST_FILES: usize = 10_000;
/// Folders of outputs in one another.
const DEEPEST: usize = 8;

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
pub(super) struct RunLogs {
    /// The outputs, by name.
    pub(super) files: Vec<LogFile>,
    /// The summary that the backend's own report gives, or why it gives none.
    pub(super) remade: Result<Summary, String>,
    /// What is in the files that tell settings, by name.
    pub(super) told: [(&'static str, Value); 3],
}

impl RunLogs {
    /// Reads the outputs in `folder`.
    ///
    /// # Errors
    /// When one cannot be read, or is more than a log.
    pub(super) fn read(folder: &Folder) -> anyhow::Result<Self> {
        Ok(Self {
            files: outputs(folder)?,
            remade: reports::read(folder).map_err(|error| format!("{error:#}")),
            // What cannot be read tells nothing; why not is among the doubts.
            told: [RECORD, CONFIG, REPORT]
                .map(|name| (name, json::read(folder, name).ok().flatten().unwrap_or_default())),
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

fn outputs(folder: &Folder) -> anyhow::Result<Vec<LogFile>> {
    let mut files = vec![];
    let mut left = MOST_BYTES;
    for name in paths(folder)? {
        let shown = folder.shown(&name);
        let bytes = folder.dir().read(&name, left).map_err(|error| match Refused::of(&error) {
            Some(Refused::TooLarge(_)) => anyhow!(
                "the logs in `{}` have more than {} MiB, which no run writes",
                folder.shown(""),
                MOST_BYTES >> 20
            ),
            Some(_) => anyhow!("the log `{shown}` is no regular file; put the file itself there"),
            None => anyhow::Error::from(error).context(format!("reading the log `{shown}`")),
        })?;
        left -= bytes.len() as u64;
        files.push(LogFile { name, bytes });
    }
    files.sort_by(|one, two| one.name.cmp(&two.name));
    Ok(files)
}

/// What a run wrote and is no folder, as paths below `folder`.
fn paths(folder: &Folder) -> anyhow::Result<Vec<String>> {
    let mut paths = vec![];
    let listing = || format!("reading `{}`", folder.shown(""));
    let mut folders = vec![];
    folder
        .dir()
        .visit(|name, kind| {
            let Some(name) = name.to_str().filter(|name| is_output(name)) else { return };
            if kind == Kind::Folder { &mut folders } else { &mut paths }.push(PathBuf::from(name));
        })
        .with_context(listing)?;
    for name in folders {
        let mut closed = None;
        let below = folder.dir().dir(&name).with_context(listing)?;
        below.walk(DEEPEST, |found| {
            match found {
                Found::Entry { path, stamp } if stamp.kind != Kind::Folder => {
                    paths.push(name.join(path));
                }
                Found::Entry { .. } => {}
                Found::Closed { error, .. } => closed = Some(error),
            }
            paths.len() <= MOST_FILES
        });
        closed.map_or(Ok(()), Err).with_context(listing)?;
    }
    ensure!(
        paths.len() <= MOST_FILES,
        "the logs in `{}` are more than {MOST_FILES} files, which no run writes",
        folder.shown("")
    );
    // Others end a line of the list of digests, or are folders to some who unpack it.
    let is_carried = |name: &&str| !name.contains(|char: char| char.is_control() || char == '\\');
    let carried = paths.into_iter().map(|path| match path.to_str().filter(is_carried) {
        Some(name) => Ok(name.to_owned()),
        None => bail!(
            "the log `{}` has a name that not every archive carries; no benchmark writes it: move \
             it elsewhere",
            sanitized(&folder.path().join(&path).to_string_lossy())
        ),
    });
    carried.collect()
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink, path::Path};

    use super::{Folder, RunLogs};

    fn read(folder: &Path) -> anyhow::Result<RunLogs> {
        RunLogs::read(&Folder::open(folder)?)
    }

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
        let logs = read(folder.path()).unwrap();
        let names: Vec<_> = logs.files.iter().map(|file| file.name.as_str()).collect();
        assert_eq!(names, [".hydra/config.yaml", "benchmark.log"]);
        assert_eq!(logs.files[1].bytes, b"benchmark.log");
        assert!(logs.remade.unwrap_err().contains("benchmark_report.json"));

        for name in ["a\nb", "c\\d"] {
            let path = path(".hydra").join(name);
            fs::write(&path, "").unwrap();
            let error = read(folder.path()).unwrap_err().to_string();
            assert!(
                error.contains("not every archive carries") && !error.contains('\n'),
                "{error}"
            );
            fs::remove_file(path).unwrap();
        }

        symlink("/etc/hostname", path("GPU_ENERGY_WH.txt")).unwrap();
        let error = read(folder.path()).unwrap_err().to_string();
        assert!(error.contains("GPU_ENERGY_WH.txt` is no regular file"), "{error}");
    }
}
