//! Where results are: which of some folders, and of those in them, a run wrote to.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use contract::{
    output::{COMPLETION, ENERGY_WH, HOST_METER, LOG, RECORD, REPORT, SUMMARY},
    previous::PREVIOUS,
};
use walkdir::{DirEntry, WalkDir};

use super::{plain::plain, record::Broken};

/// Folders below the named one that are looked into: a batch has one for each model and run.
const DEPTH: usize = 5;
/// Entries after which a folder is taken for something else than results.
const MOST_ENTRIES: usize = 100_000;
/// What only a run leaves. Others of its files have names that anybody may use.
const MARKS: [&str; 9] = [
    REPORT,
    SUMMARY,
    COMPLETION,
    ENERGY_WH,
    RECORD,
    HOST_METER,
    LOG,
    // The stacks' own; not enough for a summary, but it can be said what is missing.
    "benchmark.json",
    "benchmark_results.csv",
];
/// Entries of a folder that are named when nothing of ours is among them.
const NAMED: usize = 6;
/// Folders of outputs, which hold no results folders.
const OUTPUTS: [&str; 1] = ["emissions"];

/// The results folders among `folders` and below, in order and each once, and what is wrong with
/// those that have none. Earlier results, in `previous`, only count when asked for.
pub(super) fn results_folders(folders: &[PathBuf], previous: bool) -> (Vec<PathBuf>, Vec<Broken>) {
    let (mut found, mut broken) = (vec![], vec![]);
    let mut seen = BTreeSet::new();
    for folder in folders {
        match below(folder, previous) {
            Ok((results, unread)) => {
                // The same folder may be named twice, or be in another.
                let own = |path: &PathBuf| seen.insert(path.canonicalize().unwrap_or(path.clone()));
                found.extend(results.into_iter().filter(own));
                broken.extend(unread);
            }
            Err(reason) => broken.push(Broken { folder: folder.clone(), reason }),
        }
    }
    (found, broken)
}

fn below(folder: &Path, previous: bool) -> Result<(Vec<PathBuf>, Vec<Broken>), String> {
    match fs::metadata(folder) {
        Ok(kind) if kind.is_dir() => {}
        Ok(_) => return Err("it is no folder; name the one that holds the results".to_owned()),
        Err(error) => return Err(format!("it cannot be read: {error}")),
    }
    let (mut results, mut broken) = (vec![], vec![]);
    let mut has_previous = false;
    let mut walk = WalkDir::new(folder).max_depth(DEPTH + 1).sort_by_file_name().into_iter();
    let mut count = 0;
    while let Some(entry) = walk.next() {
        count += 1;
        if count > MOST_ENTRIES {
            return Err(format!(
                "it has more than {MOST_ENTRIES} entries; name the folders that hold results"
            ));
        }
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => {
                let folder = error.path().unwrap_or(folder).to_owned();
                let reason = match error.io_error() {
                    Some(error) => format!("it cannot be read: {error}"),
                    None => error.to_string(),
                };
                broken.push(Broken { folder, reason });
                continue;
            }
        };
        if entry.file_type().is_dir() && entry.depth() > 0 && is_passed_over(&entry, previous) {
            has_previous |= entry.file_name() == PREVIOUS;
            walk.skip_current_dir();
            continue;
        }
        let is_mark = MARKS.iter().any(|mark| entry.file_name() == *mark);
        let parent = entry.path().parent().filter(|_| is_mark && entry.depth() > 0);
        if let Some(parent) = parent.filter(|parent| !results.iter().any(|known| known == parent)) {
            results.push(parent.to_owned());
        }
    }
    if results.is_empty() && broken.is_empty() {
        let hint = if has_previous {
            format!(", but earlier ones in `{PREVIOUS}`; add --previous")
        } else {
            format!(
                "; a run leaves `{SUMMARY}` and `{REPORT}` there, and here {}",
                contents(folder)
            )
        };
        return Err(format!("it has no results{hint}"));
    }
    results.sort();
    Ok((results, broken))
}

/// What a folder has instead of what was looked for.
pub(super) fn contents(folder: &Path) -> String {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let names = entries.map(|entry| plain(&entry.file_name().to_string_lossy()));
    let mut names: Vec<_> = names.map(|name| format!("`{name}`")).collect();
    names.sort();
    let more = names.len().saturating_sub(NAMED);
    names.truncate(NAMED);
    if more > 0 {
        names.push(format!("{more} more"));
    }
    match names.len() {
        0 => "is nothing".to_owned(),
        1 => format!("is {}", names[0]),
        _ => format!("are {}", names.join(", ")),
    }
}

fn is_passed_over(folder: &DirEntry, previous: bool) -> bool {
    let name = folder.file_name().to_string_lossy();
    name.starts_with('.') || OUTPUTS.contains(&&*name) || (name == PREVIOUS && !previous)
}

#[cfg(test)]
mod tests {
    use std::{fs, path::PathBuf};

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
        (found.iter().map(shown).collect(), broken.collect())
    }

    #[test]
    fn a_folder_is_one_or_holds_some() {
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
    fn what_has_no_results_is_told() {
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
}
