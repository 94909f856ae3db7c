//! Moves the outputs of an earlier run out of the way of the next one.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::SystemTime,
};

use crate::output;

/// Folder inside the results folder that keeps the outputs of earlier runs, one folder each.
pub const PREVIOUS: &str = "previous";

/// Moves the outputs in `results`, if there are any, to a new folder named after the time `now`,
/// and gives that folder. What is not an output stays where it is, and nothing is overwritten.
pub fn set_aside(results: &Path, now: SystemTime) -> io::Result<Option<PathBuf>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(results).map_err(|error| at(error, "reading", results))? {
        let name = entry.map_err(|error| at(error, "reading", results))?.file_name();
        if let Some(name) = name.to_str().filter(|name| output::is_output(name)) {
            names.push(name.to_owned());
        }
    }
    if names.is_empty() {
        return Ok(None);
    }
    // The proof of completion goes first: a move that is cut off must not leave it behind.
    names.sort_by_key(|name| (name != output::COMPLETION, name.clone()));
    let folder = new_folder(&results.join(PREVIOUS), now)?;
    for name in names {
        let from = results.join(&name);
        fs::rename(&from, folder.join(&name)).map_err(|error| at(error, "moving", &from))?;
    }
    Ok(Some(folder))
}

fn new_folder(parent: &Path, now: SystemTime) -> io::Result<PathBuf> {
    fs::create_dir_all(parent).map_err(|error| at(error, "creating", parent))?;
    // Colons are refused by some file systems.
    let time = humantime::format_rfc3339_seconds(now).to_string().replace(':', "-");
    let mut number = 1;
    loop {
        let suffix = if number == 1 { String::new() } else { format!("-{number}") };
        let folder = parent.join(format!("{time}{suffix}"));
        match fs::create_dir(&folder) {
            Ok(()) => return Ok(folder),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number += 1,
            Err(error) => return Err(at(error, "creating", &folder)),
        }
    }
}

fn at(error: io::Error, doing: &str, path: &Path) -> io::Error {
    io::Error::new(error.kind(), format!("{doing} `{}`: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        path::Path,
        time::{Duration, SystemTime},
    };

    use super::set_aside;

    /// 2026-11-24T01:05:16Z.
    fn now() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_482_316)
    }

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn outputs_move_and_all_else_stays() {
        let results = tempfile::tempdir().unwrap();
        for name in ["benchmark_report.json", "RUN_COMPLETE.json", "notes.txt", "report.json"] {
            fs::write(results.path().join(name), name).unwrap();
        }
        fs::create_dir(results.path().join(".hydra")).unwrap();
        fs::write(results.path().join(".hydra/config.yaml"), "a").unwrap();

        let folder = set_aside(results.path(), now()).unwrap().unwrap();
        assert_eq!(folder, results.path().join("previous/2026-11-24T01-05-16Z"));
        assert_eq!(names(&folder), [".hydra", "RUN_COMPLETE.json", "benchmark_report.json"]);
        assert_eq!(fs::read_to_string(folder.join(".hydra/config.yaml")).unwrap(), "a");
        assert_eq!(names(results.path()), ["notes.txt", "previous", "report.json"]);
    }

    #[test]
    fn two_runs_of_one_second_get_a_folder_each() {
        let results = tempfile::tempdir().unwrap();
        let mut folders = Vec::new();
        for _ in 0..3 {
            fs::write(results.path().join("benchmark.log"), "x").unwrap();
            let folder = set_aside(results.path(), now()).unwrap().unwrap();
            folders.push(folder.file_name().unwrap().to_str().unwrap().to_owned());
        }
        let time = "2026-11-24T01-05-16Z";
        assert_eq!(folders, [time.to_owned(), format!("{time}-2"), format!("{time}-3")]);
    }

    #[test]
    fn without_outputs_nothing_is_made() {
        let results = tempfile::tempdir().unwrap();
        fs::write(results.path().join("notes.txt"), "x").unwrap();
        assert_eq!(set_aside(results.path(), now()).unwrap(), None);
        assert_eq!(names(results.path()), ["notes.txt"]);
    }

    #[test]
    fn an_error_names_the_path() {
        let results = tempfile::tempdir().unwrap();
        fs::write(results.path().join("benchmark.log"), "x").unwrap();
        fs::write(results.path().join("previous"), "a file in the way").unwrap();
        let error = set_aside(results.path(), now()).unwrap_err().to_string();
        assert!(error.contains("previous`"), "{error}");
        assert!(results.path().join("benchmark.log").exists());
    }
}
