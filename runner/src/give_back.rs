//! Gives entries of a folder back to the user without `sudo`: a short-lived container, root with
//! next to no powers, touches the entries that are named, and nothing else.

mod command;
mod protected;
mod sudo;
mod whose;

use std::{
    collections::BTreeMap,
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail, ensure};
use contract::{
    Backend, Flavour,
    give_back::{Answer, Line},
};
use untrusted::{Dir, Stamp};

pub(crate) use command::command;
pub(crate) use protected::{protected, protected_behind};
pub(crate) use sudo::{sudo_line, sudo_search};
pub(crate) use whose::{leave, shared_group};

use crate::{
    engine::{self, Engine, remedy},
    host::Host,
    host_path::HostPath,
    options::{EngineChoice, Request, RunOptions},
    process::{Captured, capture_with_input},
};

/// Something that is to be the user's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Where, below the folder; empty for the folder itself. A link is meant itself.
    pub(crate) path: PathBuf,
    /// Permissions that it needs, if it is a file or folder that lacks them.
    pub(crate) mode: Option<u32>,
    /// Whose it is, if that is known: a `sudo` line then takes from nobody else.
    pub(crate) owner: Option<u32>,
    /// The group that users share it by, if they do: it stays or becomes the entry's.
    pub(crate) group: Option<u32>,
}

impl Entry {
    /// The entry at `path`, its mode as it is.
    pub(crate) fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), mode: None, owner: None, group: None }
    }

    /// The entry at `path` of `folder` with its owner and group, if it can be looked at.
    pub(crate) fn seen_at(folder: &HostPath, path: &Path) -> Self {
        let Ok(dir) = Dir::open_itself(folder.as_path()) else { return Self::at(path) };
        let owner = dir.look(path).ok().map(|stamp| stamp.uid);
        Self { owner, group: shared_group(&dir, path), ..Self::at(path) }
    }
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Outcome {
    /// Entries that are the user's now.
    pub(crate) done: usize,
    /// The others.
    pub(crate) failed: Vec<Failure>,
}

/// An entry that is not as it should be, in the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    /// Which.
    pub(crate) path: PathBuf,
    /// Why.
    pub(crate) error: String,
    /// Whether it was left alone on purpose, such as a hard link: `sudo` should not take it either.
    pub(crate) refused: bool,
}

/// The engine that can give entries back, as far as it can be told beforehand.
///
/// # Errors
/// When there is none, with the reason.
pub(crate) fn find_engine(choice: EngineChoice, host: &Host) -> anyhow::Result<Engine> {
    if choice == EngineChoice::Host {
        bail!("{NO_CONTAINER}");
    }
    let request = Request {
        engine: choice,
        flavour: Some(Flavour::Smoke),
        backend: Some(Backend::Native),
        ..Request::default()
    };
    let options = RunOptions::new(request, host)?;
    let detected = match choice {
        // Without a container there is nothing to be had here.
        EngineChoice::Auto => engine::container_engine(&options),
        _ => engine::detect(&options, host),
    };
    let engine = detected?.engine;
    can(&engine)?;
    Ok(engine)
}

const NO_CONTAINER: &str = "without a container there is no root to change owners; use \
                            --engine docker or podman, or sudo";

/// Whether `engine`, which was asked for the smoke image, can give entries back.
///
/// # Errors
/// When it cannot, with the reason.
pub(crate) fn can(engine: &Engine) -> anyhow::Result<()> {
    ensure!(engine.has_containers(), NO_CONTAINER);
    engine.refuse_elsewhere()?;
    let image = Flavour::Smoke.image();
    ensure!(
        engine.image.is_some(),
        "the smoke image, whose program changes owners, is not on this machine; {}",
        remedy(engine, &image)
    );
    Ok(())
}

/// Makes `entries` of `folder` the user's, and looks at each of them afterwards. Nothing is
/// touched when the engine shows another folder than this machine has.
///
/// # Errors
/// When nothing could be tried, or what happened is not known.
pub(crate) fn give_back(
    engine: &Engine,
    host: &Host,
    folder: &HostPath,
    entries: &[Entry],
) -> anyhow::Result<Outcome> {
    if entries.is_empty() {
        return Ok(Outcome::default());
    }
    if let Some(why) = protected_behind(folder.as_path(), host.home.as_deref()) {
        bail!("`{folder}` {why}, so nobody is given anything in it");
    }
    let inode = inode(folder)?;
    let command = command(engine, host, folder, inode).context(NO_CONTAINER)?;
    let mut list = Vec::new();
    for Entry { path, mode, owner: _, group: _ } in entries {
        Line { mode: *mode, path: path.as_os_str().as_bytes() }.write(&mut list);
    }
    let answer = parse(&capture_with_input(&command.argv(), &list)?, entries.len())?;
    let dir = Dir::open_itself(folder.as_path())
        .with_context(|| format!("looking at the folder `{folder}` afterwards"))?;
    let look = |path: &Path| dir.look(path).map_err(|error| error.to_string());
    Ok(judge(host.uid, entries, answer, look))
}

/// The number of the folder's inode, by which the container knows it.
///
/// # Errors
/// When it cannot be looked at, or is a link or a file.
pub(crate) fn inode(folder: &HostPath) -> anyhow::Result<u64> {
    let dir = Dir::open_itself(folder.as_path()).with_context(|| {
        format!("looking at the folder `{folder}`; if it is a symlink, name the folder itself")
    })?;
    Ok(dir.look("")?.inode)
}

/// Where an entry is. An empty path is the folder itself, without the slash that joining adds.
fn place(folder: &HostPath, path: &Path) -> PathBuf {
    if path.as_os_str().is_empty() {
        return folder.as_path().to_owned();
    }
    folder.as_path().join(path)
}

/// Reads the entrypoint's answer about `count` entries.
fn parse(said: &Captured, count: usize) -> anyhow::Result<Answer> {
    let Ok(answer) = serde_json::from_str::<Answer>(&said.stdout) else {
        bail!(
            "the container failed (exit code {}): {}; if the smoke image is older than this \
             program, `cargo xtask build-image --flavour smoke` makes a new one",
            said.code,
            said.complaint()
        );
    };
    let told = answer.done + answer.failed.len();
    ensure!(told == count, "the container told of {told} of {count} entries: {}", said.complaint());
    Ok(answer)
}

/// Holds the answer against what `look` sees.
fn judge(
    uid: u32,
    entries: &[Entry],
    answer: Answer,
    look: impl Fn(&Path) -> Result<Stamp, String>,
) -> Outcome {
    let told: BTreeMap<usize, _> =
        answer.failed.into_iter().map(|failed| (failed.entry, failed)).collect();
    let mut outcome = Outcome::default();
    for (number, entry) in entries.iter().enumerate() {
        let (error, refused) = match (told.get(&number), differs(uid, entry, &look)) {
            (Some(failed), _) => (failed.error.clone(), failed.refused),
            (None, Some(seen)) => (seen, false),
            (None, None) => {
                outcome.done += 1;
                continue;
            }
        };
        outcome.failed.push(Failure { path: entry.path.clone(), error, refused });
    }
    outcome
}

/// What is not as it should be about an entry, seen from here.
fn differs(
    uid: u32,
    entry: &Entry,
    look: impl Fn(&Path) -> Result<Stamp, String>,
) -> Option<String> {
    // Whoever is not in its group cannot set the set-group-id bit, so that one does not count.
    let counts = 0o5777;
    match look(&entry.path) {
        Err(error) => Some(format!("it cannot be looked at afterwards: {error}")),
        Ok(stamp) if stamp.uid != uid => {
            Some(format!("it belongs to uid {} afterwards", stamp.uid))
        }
        Ok(stamp) => match entry.mode {
            Some(mode) if stamp.mode & counts != mode & counts => {
                Some(format!("its mode is {:04o} afterwards", stamp.mode))
            }
            _ => None,
        },
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt as _};

    use contract::give_back::{Answer, Failed};
    use rustix::process::geteuid;

    use super::{Captured, Dir, Entry, can, judge, parse};
    use crate::{
        engine::{Engine, Mode},
        testing::engine,
    };

    #[test]
    fn an_engine_needs_containers_and_the_image() {
        let engine = engine(Mode::DockerRootful);
        assert!(can(&engine).is_ok());
        let why = |engine| can(&engine).unwrap_err().to_string();
        insta::assert_snapshot!(why(Engine { image: None, ..engine.clone() }), @"the smoke image, whose program changes owners, is not on this machine; build it with `cargo xtask build-image --flavour smoke`");
        insta::assert_snapshot!(why(Engine { mode: Mode::Host, ..engine }), @"without a container there is no root to change owners; use --engine docker or podman, or sudo");
    }

    #[test]
    fn an_answer_is_about_every_entry() {
        let said = |code, stdout: &str, stderr: &str| Captured {
            code,
            stdout: stdout.to_owned(),
            stderr: stderr.to_owned(),
        };
        let whole = said(0, "{\"done\":2,\"failed\":[]}\n", "");
        assert_eq!(parse(&whole, 2).unwrap(), Answer { done: 2, failed: vec![] });
        let error = |said, count| parse(&said, count).unwrap_err().to_string();
        insta::assert_snapshot!(error(whole, 3), @"the container told of 2 of 3 entries: it said nothing");
        insta::assert_snapshot!(error(said(1, "", "error: creating `/results/benchmark.log`: Read-only file system\n"), 3), @"the container failed (exit code 1): error: creating `/results/benchmark.log`: Read-only file system; if the smoke image is older than this program, `cargo xtask build-image --flavour smoke` makes a new one");
    }

    #[test]
    fn what_was_done_is_looked_at() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["a", "b", "c"] {
            fs::write(folder.path().join(name), "").unwrap();
            fs::set_permissions(folder.path().join(name), fs::Permissions::from_mode(0o600))
                .unwrap();
        }
        let entries = [
            Entry::at("a"),
            Entry { mode: Some(0o640), ..Entry::at("b") },
            Entry { mode: Some(0o2600), ..Entry::at("c") },
            Entry::at("d"),
            Entry::at(""),
        ];
        let failed =
            Failed { entry: 4, path: String::new(), error: "not permitted".into(), refused: false };
        let outcome = |uid| {
            let answer = Answer { done: 4, failed: vec![failed.clone()] };
            judge(uid, &entries, answer, |path| {
                Dir::open(folder.path()).unwrap().look(path).map_err(|error| error.to_string())
            })
        };
        let me = geteuid().as_raw();
        let seen = outcome(me);
        assert_eq!(seen.done, 2);
        let lines: Vec<_> = seen
            .failed
            .iter()
            .map(|failure| format!("{:?} {}", failure.path, failure.error))
            .collect();
        insta::assert_snapshot!(lines.join("\n"), @r#"
        "b" its mode is 0600 afterwards
        "d" it cannot be looked at afterwards: No such file or directory (os error 2)
        "" not permitted
        "#);
        assert_eq!(outcome(me + 1).done, 0);
    }
}
