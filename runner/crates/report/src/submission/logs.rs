//! The logs of a run: what is checked before a submission, and what is packed.

use std::path::PathBuf;

use anyhow::{Context as _, anyhow, bail, ensure};
use backend_reports::{Files, Folder, summarize};
use contract::{
    output::{ENERGY_WH, is_output},
    summary::Summary,
};
use serde_json::Value;
use untrusted::{Found, Kind, Refused};

use crate::{
    finished_run::{FinishedRun, Origin},
    read::read_parsed,
    sanitize::sanitized,
};

/// Size limit for the logs of a run, which are packed in memory.
const MAX_BYTES: u64 = 512 << 20;
/// Limit for the number of files of a run.
const MAX_FILES: usize = 10_000;
/// Limit for the depth of folders of logs.
const MAX_DEPTH: usize = 8;

/// A file that a run wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LogFile {
    /// Its path below the results folder, with slashes.
    pub(super) name: String,
    /// Its content.
    pub(super) bytes: Vec<u8>,
}

/// The logs of a run.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct RunLogs {
    /// The files, sorted by name.
    pub(super) files: Vec<LogFile>,
    /// The summary computed from the backend's own report, or the reason why it failed.
    pub(super) recomputed: Result<Summary, String>,
    /// The files with the settings of the run, by name.
    pub(super) settings: [(&'static str, Value); 2],
}

impl RunLogs {
    /// Reads the run in `folder`, and its logs, whose error does not make the run a broken one.
    ///
    /// # Errors
    /// When there is no readable run.
    pub(super) fn read(folder: &Folder) -> anyhow::Result<(FinishedRun, anyhow::Result<Self>)> {
        let before = log_files(folder);
        let parsed = Files::read(folder);
        let run = read_parsed(folder, &parsed)?;
        let logs = before.and_then(|files| {
            let recomputed = match run.origin {
                Origin::Report(_) => Ok(run.summary.clone()),
                Origin::Summary => summarize(&parsed).map(|reading| reading.summary),
            };
            ensure_unchanged(folder, &files)?;
            let recomputed = recomputed.map_err(|error| format!("{error:#}"));
            Ok(Self { files, recomputed, settings: parsed.settings() })
        });
        Ok((run, logs))
    }

    /// The text of the energy file, if it exists.
    pub(super) fn energy_text(&self) -> Option<String> {
        let file = self.files.iter().find(|file| file.name == ENERGY_WH)?;
        Some(String::from_utf8_lossy(&file.bytes).into_owned())
    }

    /// Whether the file `name` exists.
    pub(super) fn has(&self, name: &str) -> bool {
        self.files.iter().any(|file| file.name == name)
    }
}

/// Makes sure that `files` are what was parsed: a run may write to the folder meanwhile.
fn ensure_unchanged(folder: &Folder, files: &[LogFile]) -> anyhow::Result<()> {
    ensure!(
        log_files(folder).is_ok_and(|again| again == files),
        "the logs in `{}` changed while they were packed: no submission was made; wait until nothing \
         writes there, and pack them again",
        sanitized(&folder.path().to_string_lossy())
    );
    Ok(())
}

fn log_files(folder: &Folder) -> anyhow::Result<Vec<LogFile>> {
    let mut files = vec![];
    let mut left = MAX_BYTES;
    for name in paths(folder)? {
        let shown = folder.shown(&name);
        let bytes = folder.dir().read(&name, left).map_err(|error| match Refused::of(&error) {
            Some(Refused::TooLarge(_)) => anyhow!(
                "the logs in `{}` have more than {} MiB, which no run writes",
                folder.shown(""),
                MAX_BYTES >> 20
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

/// The paths of all files below `folder` that a run wrote.
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
        below.walk(MAX_DEPTH, |found| {
            match found {
                Found::Entry { path, stamp } if stamp.kind != Kind::Folder => {
                    paths.push(name.join(path));
                }
                Found::Entry { .. } => {}
                Found::Closed { error, .. } => closed = Some(error),
            }
            paths.len() <= MAX_FILES
        });
        closed.map_or(Ok(()), Err).with_context(listing)?;
    }
    ensure!(
        paths.len() <= MAX_FILES,
        "the logs in `{}` are more than {MAX_FILES} files, which no run writes",
        folder.shown("")
    );
    // Control characters break the list of digests, and Windows takes a backslash for a folder.
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
    use std::{fs, os::unix::fs::symlink};

    use contract::output::{COMPLETION, LOG};

    use super::{Folder, RunLogs, ensure_unchanged, log_files};
    use crate::testing::{measured, written};

    #[test]
    fn only_files_of_the_run_are_logs() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::create_dir_all(path(".hydra")).unwrap();
        fs::create_dir_all(path("previous/1")).unwrap();
        for name in
            ["benchmark.log", "my notes.txt", ".hydra/config.yaml", "previous/1/benchmark.log"]
        {
            fs::write(path(name), name).unwrap();
        }
        let opened = Folder::open(folder.path()).unwrap();
        let error = || log_files(&opened).unwrap_err().to_string();
        let files = log_files(&opened).unwrap();
        let names: Vec<_> = files.iter().map(|file| file.name.as_str()).collect();
        assert_eq!(names, [".hydra/config.yaml", "benchmark.log"]);
        assert_eq!(files[1].bytes, b"benchmark.log");

        for name in ["a\nb", "c\\d"] {
            let path = path(".hydra").join(name);
            fs::write(&path, "").unwrap();
            let error = error();
            assert!(
                error.contains("not every archive carries") && !error.contains('\n'),
                "{error}"
            );
            fs::remove_file(path).unwrap();
        }

        symlink("/etc/hostname", path("GPU_ENERGY_WH.txt")).unwrap();
        let error = error();
        assert!(error.contains("GPU_ENERGY_WH.txt` is no regular file"), "{error}");
    }
    #[test]
    fn logs_that_change_while_they_are_read_are_refused() {
        let run = measured("1", 0.42);
        let folder = written(&run);
        let opened = Folder::open(folder.path()).unwrap();
        let (_, logs) = RunLogs::read(&opened).unwrap();
        let logs = logs.unwrap();
        let log = folder.path().join(LOG);
        let before = fs::read(&log).unwrap();
        fs::write(&log, "more").unwrap();
        let error = ensure_unchanged(&opened, &logs.files).unwrap_err().to_string();
        assert!(error.contains("changed while they were packed"), "{error}");
        fs::write(&log, before).unwrap();
        ensure_unchanged(&opened, &logs.files).unwrap();
        fs::remove_file(folder.path().join(COMPLETION)).unwrap();
        ensure_unchanged(&opened, &logs.files).unwrap_err();
    }
}
