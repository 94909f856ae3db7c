//! The file that a report is written to: what is there is not written over unasked, and outputs of
//! runs never.

use std::{
    ffi::{OsStr, OsString},
    io,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail, ensure};
use contract::{
    output::{LOCK, is_output},
    previous::PREVIOUS,
};
use untrusted::{Dir, Found as Met, Kind, Stamp, escape};

use super::{
    record::opened,
    search::{Found, MARKS, results_folders},
};

/// Folders of outputs in one another.
const DEEPEST: usize = 8;

/// A file to write, in a folder that stays open.
#[derive(Debug)]
pub(super) struct Target {
    dir: Dir,
    name: OsString,
    /// How it is called in messages.
    shown: String,
    overwrite: bool,
}

impl Target {
    /// Looks at what is in the way, before any work is done. `folders` are those that the report is
    /// of.
    ///
    /// # Errors
    /// When something is that may not be written over: an output of a run never is.
    pub(super) fn open(file: &Path, overwrite: bool, folders: &[PathBuf]) -> anyhow::Result<Self> {
        let shown = escape(&file.to_string_lossy());
        let Some(name) = file.file_name() else { bail!("`{shown}` is a folder; name a file") };
        // The parent of a bare name is empty.
        let parent = file.parent().filter(|parent| !parent.as_os_str().is_empty());
        let dir = Dir::open(parent.unwrap_or(Path::new(".")))
            .with_context(|| format!("writing `{shown}`"))?;
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
            !is_named_as_output(&dir, name)? && !is_output_of(&dir, name, folders),
            "`{shown}` is an output of a run, and results are never overwritten; name another file"
        );
        Ok(Self { dir, name: name.to_owned(), shown, overwrite })
    }

    /// Writes the file whole or not at all; unless it may be written over, also not when somebody
    /// else made it meanwhile.
    pub(super) fn write(&self, bytes: &[u8]) -> anyhow::Result<()> {
        let Self { dir, name, shown, overwrite } = self;
        let written = if *overwrite { dir.write(name, bytes) } else { dir.write_new(name, bytes) };
        written.with_context(|| format!("writing `{shown}`"))
    }

    /// How it is called in messages.
    pub(super) fn shown(&self) -> &str {
        &self.shown
    }
}

/// Whether a run that writes to `dir` leaves something of that name there, now or later.
fn is_named_as_output(dir: &Dir, name: &OsStr) -> anyhow::Result<bool> {
    let of_a_run = |name: &str| is_output(name) || [LOCK, PREVIOUS].contains(&name);
    if !name.to_str().is_some_and(of_a_run) {
        return Ok(false);
    }
    let mut has_results = false;
    dir.visit(|name, _| has_results |= name == LOCK || MARKS.iter().any(|mark| name == *mark))?;
    Ok(has_results)
}

/// Whether the file `name` in `dir` is an output of the runs in `folders`, earlier ones among them,
/// by whatever path or link.
fn is_output_of(dir: &Dir, name: &OsStr, folders: &[PathBuf]) -> bool {
    let id = |stamp: Stamp| (stamp.device, stamp.inode);
    let looked = [dir.look(name), dir.look_through(name)];
    let targets: Vec<_> = looked.into_iter().flatten().map(id).collect();
    if targets.is_empty() {
        return false;
    }
    let (found, _) = results_folders(folders, true);
    found.iter().any(|Found { folder, below, .. }| {
        // A folder that cannot be read is not reported.
        let Ok(results) = opened(folder, below) else { return false };
        let results = results.dir();
        let mut outputs = vec![];
        let _ = results.visit(|name, _| {
            if name.to_str().is_some_and(is_output) {
                outputs.push(name.to_owned());
            }
        });
        outputs.iter().any(|output| {
            let Ok(stamp) = results.look(output) else { return false };
            let mut is_target = targets.contains(&id(stamp));
            if let Ok(inside) = results.dir(output) {
                inside.walk(DEEPEST, |met| {
                    if let Met::Entry { stamp, .. } = met {
                        is_target |= targets.contains(&id(stamp));
                    }
                    !is_target
                });
            }
            is_target
        })
    })
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        os::unix::fs::symlink,
        path::{Path, PathBuf},
    };

    use super::Target;

    fn opened(file: &Path, overwrite: bool, results: &Path) -> Result<(), String> {
        let target = Target::open(file, overwrite, &[results.to_owned()]);
        target.map(drop).map_err(|error| format!("{error:#}"))
    }

    #[test]
    fn an_output_of_a_run_is_never_written_over_whatever_it_is_called() {
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
            "linked.html",
            "led.html",
        ] {
            let error = opened(&at(name), true, &results).unwrap_err();
            assert!(error.contains("is an output of a run"), "{name}: {error}");
        }
        for name in ["results/notes.txt", "page.html", "results/page.html", "benchmark.log"] {
            opened(&at(name), true, &results).unwrap();
        }
        let elsewhere = PathBuf::from("/nowhere");
        let error = opened(&at("results/benchmark.log"), true, &elsewhere).unwrap_err();
        assert!(error.contains("is an output of a run"), "{error}");
    }

    #[test]
    fn what_is_in_the_way_is_told() {
        let root = tempfile::tempdir().unwrap();
        let file = root.path().join("a\u{1b}");
        fs::write(&file, "mine").unwrap();
        let error = opened(&file, false, root.path()).unwrap_err();
        assert!(error.ends_with("a\\u{1b}` is there already; name another, or add --overwrite"));
        let target = Target::open(&file, true, &[]).unwrap();
        target.write(b"page").unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "page");
        assert!(opened(root.path(), true, root.path()).unwrap_err().contains("is a folder"));
        let target = Target::open(&root.path().join("new"), false, &[]).unwrap();
        fs::write(root.path().join("new"), "somebody's").unwrap();
        target.write(b"page").unwrap_err();
        assert_eq!(fs::read_to_string(root.path().join("new")).unwrap(), "somebody's");
    }
}
