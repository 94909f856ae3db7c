//! The file that a report is written to. An existing file is overwritten only on request, and the output
//! of a run never.

use std::{ffi::OsString, io, path::Path};

use anyhow::{Context as _, bail, ensure};
use contract::{
    output::{LOCK, is_output},
    previous::PREVIOUS,
};
use untrusted::{Dir, Kind, escape};

use crate::read::discovery::marks;

/// An output file in an open folder.
#[derive(Debug)]
pub(super) struct OutputFile {
    dir: Dir,
    name: OsString,
    /// Its path, escaped for messages.
    shown: String,
    overwrite: bool,
}

impl OutputFile {
    /// Opens the folder of `file`.
    ///
    /// # Errors
    /// When `file` exists and may not be overwritten, or is an output of a run.
    pub(super) fn open(file: &Path, overwrite: bool) -> anyhow::Result<Self> {
        let shown = escape(&file.to_string_lossy());
        let Some(name) = file.file_name() else { bail!("`{shown}` is a folder; name a file") };
        // The parent of a bare name is empty.
        let parent = file.parent().filter(|parent| !parent.as_os_str().is_empty());
        let parent = parent.unwrap_or(Path::new("."));
        let writing = || format!("writing `{shown}`");
        let dir = Dir::open(parent).with_context(writing)?;
        let real = parent.canonicalize().with_context(writing)?;
        match dir.look(name) {
            Ok(_) if !overwrite => {
                bail!("`{shown}` is there already; name another, or add --overwrite")
            }
            Ok(stamp) if stamp.kind == Kind::Folder => {
                bail!("`{shown}` is a folder; name a file")
            }
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("looking at `{shown}`"));
            }
            _ => {}
        }
        ensure!(
            !is_run_output(&real.join(name)),
            "`{shown}` is an output of a run, and results are never overwritten; name another file"
        );
        Ok(Self { dir, name: name.to_owned(), shown, overwrite })
    }

    /// Writes the file atomically. Without `overwrite` this fails if the file exists by now.
    pub(super) fn write(&self, bytes: &[u8]) -> anyhow::Result<()> {
        let Self { dir, name, shown, overwrite } = self;
        let written = if *overwrite { dir.write(name, bytes) } else { dir.write_new(name, bytes) };
        written.with_context(|| format!("writing `{shown}`"))
    }

    /// Its path, escaped for messages.
    pub(super) fn shown(&self) -> &str {
        &self.shown
    }
}

/// Whether `file`, a path without symlinks, is an output of a run or below a folder of outputs. Links
/// to an output are allowed, because writing replaces the link.
fn is_run_output(file: &Path) -> bool {
    let is_kept = |name: &str| [LOCK, PREVIOUS].contains(&name);
    file.ancestors().any(|path| {
        let Some((folder, name)) = path.parent().zip(path.file_name()) else { return false };
        let is_named = |name: &str| is_output(name) || (path == file && is_kept(name));
        name.to_str().is_some_and(is_named)
            && marks().chain([LOCK]).any(|mark| folder.join(mark).symlink_metadata().is_ok())
    })
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink, path::Path};

    use super::OutputFile;

    fn opened(file: &Path, overwrite: bool) -> Result<(), String> {
        let target = OutputFile::open(file, overwrite);
        target.map(drop).map_err(|error| format!("{error:#}"))
    }

    #[test]
    fn outputs_of_a_run_are_never_overwritten() {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        let results = at("results");
        for output in [
            "benchmark.log",
            ".hydra/a.yaml",
            "previous/1/benchmark.log",
            "emissions/emissions.csv",
        ] {
            let path = results.join(output);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "numbers").unwrap();
        }
        fs::write(results.join("notes.txt"), "mine").unwrap();
        fs::write(results.join(".aienergyscore.lock"), "").unwrap();
        fs::hard_link(results.join("benchmark.log"), at("linked.html")).unwrap();
        symlink("results/benchmark.log", at("led.html")).unwrap();
        symlink("results", at("other")).unwrap();
        fs::create_dir(results.join("mine")).unwrap();
        for name in [
            "results/benchmark.log",
            "results/mine/../benchmark.log",
            "results/./benchmark.log",
            "other/benchmark.log",
            "other/previous/1/benchmark.log",
            "results/.hydra/a.yaml",
            "results/emissions/emissions.csv",
            "results/.aienergyscore.lock",
            "results/benchmark_report.json",
        ] {
            let error = opened(&at(name), true).unwrap_err();
            assert!(error.contains("is an output of a run"), "{name}: {error}");
        }
        for name in ["results/notes.txt", "page.html", "results/page.html", "benchmark.log"] {
            opened(&at(name), true).unwrap();
        }
        for link in ["linked.html", "led.html"] {
            OutputFile::open(&at(link), true).unwrap().write(b"page").unwrap();
        }
        assert_eq!(fs::read_to_string(results.join("benchmark.log")).unwrap(), "numbers");
    }

    #[test]
    fn an_existing_file_is_overwritten_only_on_request() {
        let root = tempfile::tempdir().unwrap();
        let file = root.path().join("a\u{1b}");
        fs::write(&file, "mine").unwrap();
        let error = opened(&file, false).unwrap_err();
        assert!(error.ends_with("a\\u{1b}` is there already; name another, or add --overwrite"));
        let target = OutputFile::open(&file, true).unwrap();
        target.write(b"page").unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "page");
        assert!(opened(root.path(), true).unwrap_err().contains("is a folder"));
        let target = OutputFile::open(&root.path().join("new"), false).unwrap();
        fs::write(root.path().join("new"), "somebody's").unwrap();
        target.write(b"page").unwrap_err();
        assert_eq!(fs::read_to_string(root.path().join("new")).unwrap(), "somebody's");
    }
}
