//! Archives the outputs of an earlier run in the results folder.

use std::{ffi::OsStr, io, time::SystemTime};

use untrusted::{Dir, Refused, escape};

use super::output;

/// Folder in the results folder with the outputs of earlier runs, one folder for each.
pub const PREVIOUS: &str = "previous";

/// Moves the outputs in `results` to a new folder named after the time `now`. Returns its path
/// below `results`, or `None` without outputs. Other entries stay, nothing is overwritten, and no
/// symlink is followed.
///
/// # Errors
/// When the folder cannot be read, [`PREVIOUS`] is not a folder, or an output cannot be moved, such
/// as a folder of another user. Everything is moved back then.
pub fn archive(results: &Dir, now: SystemTime) -> io::Result<Option<String>> {
    archive_with(results, now, |from, name, to| from.rename(name, to, name))
}

fn archive_with(
    results: &Dir,
    now: SystemTime,
    rename: impl Fn(&Dir, &OsStr, &Dir) -> io::Result<()>,
) -> io::Result<Option<String>> {
    let mut names = Vec::new();
    results
        .visit(|name, _| {
            if name.to_str().is_some_and(output::is_output) {
                names.push(name.to_owned());
            }
        })
        .map_err(|error| at(error, "listing", "."))?;
    if names.is_empty() {
        return Ok(None);
    }
    // The completion marker goes first: an interrupted move must not leave it behind.
    names.sort_by_key(|name| (name != output::COMPLETION, name.clone()));
    let made = results.make_dir(PREVIOUS).map_err(not_a_folder)?;
    let moved = results.dir(PREVIOUS).map_err(not_a_folder).and_then(|previous| {
        let time = new_folder(&previous, now)?;
        let path = format!("{PREVIOUS}/{time}");
        let folder = previous.dir(&time).map_err(|error| at(error, "opening", &path))?;
        if let Err(error) = move_all(&names, results, &folder, &path, rename) {
            // Fails when an output could not be moved back, which must be kept.
            let _ = previous.remove_dir(&time);
            return Err(error);
        }
        Ok(Some(path))
    });
    if moved.is_err() && made {
        // Fails when the folder is not empty, which is right.
        let _ = results.remove_dir(PREVIOUS);
    }
    moved
}

/// Moves all of `names` to the empty folder `to` at `path`, or none.
fn move_all(
    names: &[impl AsRef<OsStr>],
    results: &Dir,
    to: &Dir,
    path: &str,
    rename: impl Fn(&Dir, &OsStr, &Dir) -> io::Result<()>,
) -> io::Result<()> {
    for (done, name) in names.iter().enumerate() {
        let Err(error) = rename(results, name.as_ref(), to) else {
            continue;
        };
        let mut error = at(error, "moving", &name.as_ref().to_string_lossy());
        for name in names[..done].iter().rev() {
            let name = name.as_ref();
            if let Err(undoing) = rename(to, name, results) {
                let there = format!("{path}/{}", name.to_string_lossy());
                let undoing = at(undoing, "moving back", &there);
                error = io::Error::new(error.kind(), format!("{error}; {undoing}"));
            }
        }
        return Err(error);
    }
    Ok(())
}

/// Creates a new folder in `previous`. Returns its name.
fn new_folder(previous: &Dir, now: SystemTime) -> io::Result<String> {
    // Some file systems refuse colons.
    let time = humantime::format_rfc3339_seconds(now).to_string().replace(':', "-");
    let mut number = 1;
    loop {
        let suffix = if number == 1 { String::new() } else { format!("-{number}") };
        let name = format!("{time}{suffix}");
        match previous.make_dir(&name) {
            Ok(true) => return Ok(name),
            // The name is taken.
            Ok(false) => {}
            Err(error)
                if error.kind() == io::ErrorKind::AlreadyExists
                    || Refused::of(&error).is_some() => {}
            Err(error) => return Err(at(error, "creating", &format!("{PREVIOUS}/{name}"))),
        }
        number += 1;
    }
}

fn not_a_folder(error: io::Error) -> io::Error {
    if Refused::of(&error) == Some(Refused::Symlink) {
        let why = format!(
            "`{PREVIOUS}` is a symlink, and is not followed out of the results folder; delete the \
             symlink"
        );
        return io::Error::new(error.kind(), why);
    }
    at(error, "creating", PREVIOUS)
}

fn at(error: io::Error, doing: &str, path: &str) -> io::Error {
    io::Error::new(error.kind(), format!("{doing} `{}`: {error}", escape(path)))
}

#[cfg(test)]
mod tests {
    use std::{
        ffi::OsStr,
        fs, io,
        os::unix::fs::symlink,
        path::Path,
        time::{Duration, SystemTime},
    };

    use untrusted::Dir;

    use super::archive_with;

    fn archive(results: &Path) -> io::Result<Option<String>> {
        super::archive(&Dir::open(results).unwrap(), now())
    }

    /// The error of [`super::archive`] when moving fails for some entries.
    fn failing(results: &Path, fails: impl Fn(&OsStr, &Dir) -> bool) -> io::Error {
        let results = Dir::open(results).unwrap();
        let rename = |from: &Dir, name: &OsStr, to: &Dir| match fails(name, from) {
            true => Err(io::ErrorKind::PermissionDenied.into()),
            false => from.rename(name, to, name),
        };
        archive_with(&results, now(), rename).unwrap_err()
    }

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
    fn outputs_move_and_other_entries_stay() {
        let results = tempfile::tempdir().unwrap();
        let outputs = ["RUN_COMPLETE.json", "benchmark_report.json", "host_meter.json"];
        for name in outputs.iter().chain(&["notes.txt", "report.json"]) {
            fs::write(results.path().join(name), name).unwrap();
        }
        fs::create_dir(results.path().join(".hydra")).unwrap();
        fs::write(results.path().join(".hydra/config.yaml"), "a").unwrap();

        let folder = archive(results.path()).unwrap().unwrap();
        assert_eq!(folder, "previous/2026-11-24T01-05-16Z");
        let folder = results.path().join(folder);
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
            let folder = archive(results.path()).unwrap().unwrap();
            folders.push(folder);
        }
        let time = "previous/2026-11-24T01-05-16Z";
        assert_eq!(folders, [time.to_owned(), format!("{time}-2"), format!("{time}-3")]);
    }

    #[test]
    fn without_outputs_no_folder_is_created() {
        let results = tempfile::tempdir().unwrap();
        fs::write(results.path().join("notes.txt"), "x").unwrap();
        assert_eq!(archive(results.path()).unwrap(), None);
        assert_eq!(names(results.path()), ["notes.txt"]);
    }

    #[test]
    fn failed_move_is_undone() {
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
            let error = failing(results.path(), |name, _| name == "benchmark.log");
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
    fn output_that_cannot_be_moved_back_is_named_and_kept() {
        let results = tempfile::tempdir().unwrap();
        for name in ["RUN_COMPLETE.json", "benchmark.log"] {
            fs::write(results.path().join(name), name).unwrap();
        }
        let aside = "previous/2026-11-24T01-05-16Z/RUN_COMPLETE.json";
        let error = failing(results.path(), |name, from| {
            name == "benchmark.log" || !from.has_file("benchmark.log")
        });
        let error = error.to_string();
        assert!(error.contains(&format!("; moving back `{aside}`")), "{error}");
        assert!(results.path().join(aside).exists());
    }

    #[test]
    fn error_names_the_path() {
        let results = tempfile::tempdir().unwrap();
        fs::write(results.path().join("benchmark.log"), "x").unwrap();
        fs::write(results.path().join("previous"), "a file in the way").unwrap();
        let error = archive(results.path()).unwrap_err().to_string();
        assert!(error.contains("previous`"), "{error}");
        assert!(results.path().join("benchmark.log").exists());
    }

    #[test]
    fn symlink_out_of_the_results_folder_is_not_followed() {
        let elsewhere = tempfile::tempdir().unwrap();
        let results = tempfile::tempdir().unwrap();
        fs::write(results.path().join("benchmark.log"), "x").unwrap();
        symlink(elsewhere.path(), results.path().join("previous")).unwrap();
        let error = archive(results.path()).unwrap_err().to_string();
        assert!(error.contains("`previous` is a symlink") && error.contains("delete"), "{error}");
        assert_eq!(names(elsewhere.path()), [""; 0]);
        assert_eq!(names(results.path()), ["benchmark.log", "previous"]);

        fs::remove_file(results.path().join("previous")).unwrap();
        fs::create_dir(results.path().join("previous")).unwrap();
        let planted = results.path().join("previous/2026-11-24T01-05-16Z");
        symlink(elsewhere.path(), planted).unwrap();
        let folder = archive(results.path()).unwrap().unwrap();
        assert_eq!(folder, "previous/2026-11-24T01-05-16Z-2");
        assert_eq!(names(elsewhere.path()), [""; 0]);
    }

    #[test]
    fn hostile_name_is_escaped_in_the_error() {
        let results = tempfile::tempdir().unwrap();
        fs::write(results.path().join("a\u{1b}[2J\n_codecarbon.json"), "x").unwrap();
        let error = failing(results.path(), |_, _| true).to_string();
        assert!(error.starts_with("moving `a\\u{1b}[2J\\n_codecarbon.json`: "), "{error}");
    }
}
