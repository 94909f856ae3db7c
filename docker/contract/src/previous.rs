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
///
/// # Errors
/// When the folder cannot be read or an output cannot be moved, such as a folder of another user:
/// then all is back where it was.
pub fn set_aside(results: &Path, now: SystemTime) -> io::Result<Option<PathBuf>> {
    set_aside_with(results, now, |from, to| fs::rename(from, to))
}

fn set_aside_with(
    results: &Path,
    now: SystemTime,
    rename: impl Fn(&Path, &Path) -> io::Result<()>,
) -> io::Result<Option<PathBuf>> {
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
    let parent = results.join(PREVIOUS);
    let made = made(&parent)?;
    let folder = new_folder(&parent, now);
    let moved = folder.and_then(|folder| {
        move_all(&names, results, &folder, rename)?;
        Ok(Some(folder))
    });
    if moved.is_err() && made {
        // Not when something is in it: then it is needed.
        let _ = fs::remove_dir(&parent);
    }
    moved
}

/// Moves `names` to the empty `folder`: all of them, or none and then without `folder`.
fn move_all(
    names: &[String],
    results: &Path,
    folder: &Path,
    rename: impl Fn(&Path, &Path) -> io::Result<()>,
) -> io::Result<()> {
    for (done, name) in names.iter().enumerate() {
        let from = results.join(name);
        let Err(error) = rename(&from, &folder.join(name)) else {
            continue;
        };
        let mut error = at(error, "moving", &from);
        for name in names[..done].iter().rev() {
            let there = folder.join(name);
            if let Err(undoing) = rename(&there, &results.join(name)) {
                let undoing = at(undoing, "moving back", &there);
                error = io::Error::new(error.kind(), format!("{error}; {undoing}"));
            }
        }
        // Not when something could not be moved back.
        let _ = fs::remove_dir(folder);
        return Err(error);
    }
    Ok(())
}

/// Makes `folder`, if it is not there; whether it had to be made.
fn made(folder: &Path) -> io::Result<bool> {
    match fs::create_dir(folder) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && folder.is_dir() => Ok(false),
        Err(error) => Err(at(error, "creating", folder)),
    }
}

fn new_folder(parent: &Path, now: SystemTime) -> io::Result<PathBuf> {
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
        fs, io,
        path::Path,
        time::{Duration, SystemTime},
    };

    use super::{set_aside, set_aside_with};

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
        let outputs = ["RUN_COMPLETE.json", "benchmark_report.json", "host_meter.json"];
        for name in outputs.iter().chain(&["notes.txt", "report.json"]) {
            fs::write(results.path().join(name), name).unwrap();
        }
        fs::create_dir(results.path().join(".hydra")).unwrap();
        fs::write(results.path().join(".hydra/config.yaml"), "a").unwrap();

        let folder = set_aside(results.path(), now()).unwrap().unwrap();
        assert_eq!(folder, results.path().join("previous/2026-11-24T01-05-16Z"));
        assert_eq!(names(&folder), [&[".hydra"], &outputs[..]].concat());
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
    fn what_cannot_be_moved_leaves_all_where_it_was() {
        let outputs = ["RUN_COMPLETE.json", "a_codecarbon.json", "benchmark.log"];
        for earlier in [None, Some("2025-01-01T00-00-00Z")] {
            let results = tempfile::tempdir().unwrap();
            for name in outputs {
                fs::write(results.path().join(name), name).unwrap();
            }
            if let Some(earlier) = earlier {
                fs::create_dir_all(results.path().join("previous").join(earlier)).unwrap();
            }
            let before = names(results.path());
            let rename = |from: &Path, to: &Path| match from.ends_with("benchmark.log") {
                true => Err(io::ErrorKind::PermissionDenied.into()),
                false => fs::rename(from, to),
            };
            let error = set_aside_with(results.path(), now(), rename).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
            let text = error.to_string();
            assert!(text.starts_with("moving `") && text.contains("benchmark.log`: "), "{text}");
            assert_eq!(names(results.path()), before);
            for name in outputs {
                assert_eq!(fs::read_to_string(results.path().join(name)).unwrap(), name);
            }
            if let Some(earlier) = earlier {
                assert_eq!(names(&results.path().join("previous")), [earlier]);
            }
        }
    }

    #[test]
    fn what_cannot_be_moved_back_is_named_and_kept() {
        let results = tempfile::tempdir().unwrap();
        for name in ["RUN_COMPLETE.json", "benchmark.log"] {
            fs::write(results.path().join(name), name).unwrap();
        }
        let aside = results.path().join("previous/2026-11-24T01-05-16Z/RUN_COMPLETE.json");
        let rename = |from: &Path, to: &Path| match from.ends_with("benchmark.log") || from == aside
        {
            true => Err(io::ErrorKind::PermissionDenied.into()),
            false => fs::rename(from, to),
        };
        let error = set_aside_with(results.path(), now(), rename).unwrap_err().to_string();
        assert!(error.contains(&format!("; moving back `{}`", aside.display())), "{error}");
        assert!(aside.exists());
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
