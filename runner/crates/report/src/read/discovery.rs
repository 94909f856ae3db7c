//! Finds the results folders among and below the folders that the user names.

use std::{
    collections::BTreeSet,
    ffi::OsStr,
    io,
    path::{Path, PathBuf},
};

use alphanumeric_sort::compare_path;
use contract::{
    output::{OF_EVERY_RUN, REPORT, SUMMARY},
    previous::PREVIOUS,
};
use untrusted::{Dir, Kind};

use crate::{finished_run::Broken, sanitize::sanitized};

/// Limit for the depth of folders. A batch of runs has one level for the model and one for the run.
const MAX_DEPTH: usize = 5;
/// Limit for the number of folders: a tree with more holds something else than results.
const MAX_FOLDERS: usize = 20_000;
/// Files of the benchmark stacks that mark a results folder, too. They are not enough for a summary, but
/// the report can say what is missing.
const STACK_FILES: [&str; 2] = ["benchmark.json", "benchmark_results.csv"];
/// Entries of a folder without results that are listed.
const MAX_LISTED: usize = 6;
/// Folder for the output of a benchmark stack. It has no results folders.
const EMISSIONS: &str = "emissions";

/// A results folder that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    /// Its path: the folder that the user named, joined with `below`.
    pub folder: PathBuf,
    /// The path below the folder that the user named.
    pub below: PathBuf,
    /// Device and inode.
    id: (u64, u64),
}

/// The files by which a results folder is recognised. Other files of a run have common names.
pub(crate) fn marks() -> impl Iterator<Item = &'static str> {
    OF_EVERY_RUN.into_iter().chain(STACK_FILES)
}

/// Finds the results folders in `folders` and their subfolders. Each is listed once, `2` before `10`. A
/// folder without any is an error. With `previous`, earlier results in `previous/` are included. Symlinks
/// are followed in `folders`, which the user named, and not in subfolders.
pub(crate) fn results_folders(folders: &[PathBuf], previous: bool) -> (Vec<Found>, Vec<Broken>) {
    let (mut found, mut broken) = (vec![], vec![]);
    let mut seen = BTreeSet::new();
    for folder in folders {
        match results_below(folder, previous) {
            Ok((results, unread)) => {
                // A folder may be named twice, or lie below another.
                found.extend(results.into_iter().filter(|found| seen.insert(found.id)));
                broken.extend(unread);
            }
            Err(reason) => broken.push(Broken { folder: folder.clone(), reason }),
        }
    }
    (found, broken)
}

/// Finds the results folders in `named` and its subfolders, and those that cannot be read.
fn results_below(named: &Path, previous: bool) -> Result<(Vec<Found>, Vec<Broken>), String> {
    let root = Dir::open(named).map_err(|error| match error.kind() {
        io::ErrorKind::NotADirectory => {
            "it is no folder; name the one that holds the results".to_owned()
        }
        _ => format!("it cannot be read: {error}"),
    })?;
    let (mut results, mut broken) = (vec![], vec![]);
    let (mut has_previous, mut has_links) = (false, false);
    let mut ahead = vec![(PathBuf::new(), 0)];
    let mut count = 0;
    while let Some((below, depth)) = ahead.pop() {
        count += 1;
        if count > MAX_FOLDERS {
            return Err(format!(
                "it has more than {MAX_FOLDERS} folders; name those that hold results"
            ));
        }
        // Joining an empty path would add a slash.
        let is_root = below.as_os_str().is_empty();
        let folder = if is_root { named.to_owned() } else { named.join(&below) };
        let mut is_results = false;
        let listed = root.dir(&below).and_then(|dir| {
            dir.visit(|name, kind| {
                is_results |= marks().any(|mark| name == mark);
                has_links |= kind == Kind::Link;
                if kind != Kind::Folder || depth == MAX_DEPTH {
                    return;
                }
                if is_passed_over(name, previous) {
                    has_previous |= name == PREVIOUS;
                } else {
                    ahead.push((below.join(name), depth + 1));
                }
            })?;
            dir.look("")
        });
        match listed {
            Ok(stamp) if is_results => {
                results.push(Found { folder, below, id: (stamp.device, stamp.inode) });
            }
            Ok(_) => {}
            // The folder was removed after its parent was listed.
            Err(error) if error.kind() == io::ErrorKind::NotFound && !is_root => {}
            Err(error) => {
                broken.push(Broken { folder, reason: format!("it cannot be read: {error}") });
            }
        }
    }
    if results.is_empty() && broken.is_empty() {
        return Err(no_results(&root, has_previous, has_links));
    }
    results.sort_by(|one, other| compare_path(&one.folder, &other.folder));
    broken.sort_by(|one, other| compare_path(&one.folder, &other.folder));
    Ok((results, broken))
}

fn no_results(root: &Dir, has_previous: bool, has_links: bool) -> String {
    if has_previous {
        return format!("it has no results, but earlier ones in `{PREVIOUS}`; add --previous");
    }
    let links = if has_links { "; symlinks below it are not followed" } else { "" };
    let here = contents(root);
    format!(
        "it has no results; a run leaves `{SUMMARY}` and `{REPORT}` there, and here {here}{links}"
    )
}

/// The entries of a folder without results, for an error: `is nothing`, `are a, b`.
pub(crate) fn contents(folder: &Dir) -> String {
    let mut names = vec![];
    // An unreadable folder has an error of its own.
    let _ = folder.visit(|name, _| names.push(name.to_owned()));
    names.sort();
    let more = names.len().saturating_sub(MAX_LISTED);
    names.truncate(MAX_LISTED);
    let shown = names.iter().map(|name| format!("`{}`", sanitized(&name.to_string_lossy())));
    let mut names: Vec<_> = shown.collect();
    if more > 0 {
        names.push(format!("{more} more"));
    }
    match names.len() {
        0 => "is nothing".to_owned(),
        1 => format!("is {}", names[0]),
        _ => format!("are {}", names.join(", ")),
    }
}

fn is_passed_over(folder: &OsStr, previous: bool) -> bool {
    let name = folder.to_string_lossy();
    name.starts_with('.') || name == EMISSIONS || (name == PREVIOUS && !previous)
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink, path::PathBuf};

    use super::results_folders;

    fn found(files: &[&str], named: &[&str], previous: bool) -> (Vec<String>, Vec<String>) {
        let root = tempfile::tempdir().unwrap();
        for file in files {
            let path = root.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        let named: Vec<_> = named.iter().map(|name| root.path().join(name)).collect();
        let (found, broken) = results_folders(&named, previous);
        let shown =
            |path: &PathBuf| path.strip_prefix(root.path()).unwrap().to_str().unwrap().to_owned();
        let broken = broken.iter().map(|one| format!("{}: {}", shown(&one.folder), one.reason));
        (found.iter().map(|found| shown(&found.folder)).collect(), broken.collect())
    }

    #[test]
    fn results_are_found_in_and_below_a_folder() {
        let files = [
            "results/GPU_ENERGY_SUMMARY.json",
            "results/.hydra/benchmark_report.json",
            "results/emissions/benchmark.log",
            "results/previous/1/GPU_ENERGY_SUMMARY.json",
            "batch/org/model/1/RUN_COMPLETE.json",
            "batch/org/model/2/benchmark.log",
            "batch/notes.txt",
        ];
        let (runs, broken) = found(&files, &["results", "batch", "results/."], false);
        assert_eq!(runs, ["results", "batch/org/model/1", "batch/org/model/2"]);
        assert_eq!(broken, [""; 0]);
        let (runs, _) = found(&files, &["results"], true);
        assert_eq!(runs, ["results", "results/previous/1"]);
    }

    #[test]
    fn numbered_folders_are_sorted_by_number() {
        let files = [
            "b/10/benchmark.log",
            "b/9/benchmark.log",
            "b/run-2/benchmark.log",
            "b/run-10/benchmark.log",
        ];
        let (found, _) = found(&files, &["b"], false);
        assert_eq!(found, ["b/9", "b/10", "b/run-2", "b/run-10"]);
    }

    #[test]
    fn a_folder_without_results_is_an_error() {
        let files = ["empty/notes.txt", "empty/a\n.json", "old/previous/1/benchmark.log", "file"];
        let (runs, broken) = found(&files, &["empty", "old", "file", "missing"], false);
        assert_eq!(runs, [""; 0]);
        insta::assert_snapshot!(broken.join("\n"), @r"
        empty: it has no results; a run leaves `GPU_ENERGY_SUMMARY.json` and `benchmark_report.json` there, and here are `a\n.json`, `notes.txt`
        old: it has no results, but earlier ones in `previous`; add --previous
        file: it is no folder; name the one that holds the results
        missing: it cannot be read: No such file or directory (os error 2)
        ");
    }

    #[test]
    fn other_files_do_not_count_towards_the_limit() {
        let root = tempfile::tempdir().unwrap();
        for number in 0..super::MAX_FOLDERS + 100 {
            fs::write(root.path().join(format!("sample-{number}")), "").unwrap();
        }
        fs::write(root.path().join("benchmark.log"), "").unwrap();
        let (found, broken) = results_folders(&[root.path().to_owned()], false);
        assert_eq!((found.len(), broken.len()), (1, 0), "{broken:?}");
    }

    #[test]
    fn only_symlinks_that_the_user_names_are_followed() {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        fs::create_dir_all(at("disk/run")).unwrap();
        fs::create_dir(at("batch")).unwrap();
        fs::write(at("disk/run/benchmark.log"), "").unwrap();
        symlink(at("disk/run"), at("named")).unwrap();
        symlink(at("disk/run"), at("batch/planted")).unwrap();
        let (found, broken) = results_folders(&[at("named"), at("batch")], false);
        assert_eq!(found.iter().map(|found| &found.folder).collect::<Vec<_>>(), [&at("named")]);
        assert!(broken[0].reason.ends_with("symlinks below it are not followed"), "{broken:?}");
    }
}
