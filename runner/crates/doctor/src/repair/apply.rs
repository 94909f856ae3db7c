//! Does one fix, whole or not at all, and looks whether it is done.

use std::{
    ffi::{OsStr, OsString},
    fs::File,
    io::{self, Write as _},
    os::unix::ffi::OsStringExt as _,
    path::{Path, PathBuf},
    sync::atomic::AtomicBool,
    time::{Duration, SystemTime},
};

use anyhow::{Context as _, bail, ensure};
use contract::hub::{LARGEST_REF, SET_ASIDE};
use hub::{
    digest::{Buffer, Hashed, hash},
    layout::{BLOBS, BlobName, Digest, link},
};
use untrusted::{Kind, Refused};

use super::{failpoint::before_a_change, fix::Fix, place::Place, unused};
use crate::finding::{UNFINISHED, is_unfinished};

/// Names that are tried for something new: killed repairs may have left some of them.
const TRIES: u32 = 100;

/// How a fix ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It is done, and was looked at.
    Done,
    /// It was left alone, for this reason.
    Left(String),
}

/// Does `fix` in the cache at `root`. Owners are another matter: [`Fix::TakeBack`] takes an engine.
///
/// # Errors
/// When it cannot be done; what was there is still there then.
pub(super) fn apply(root: &Path, fix: &Fix, now: SystemTime) -> anyhow::Result<Outcome> {
    match attempt(root, fix, now) {
        // A client beside us has ended its download, or somebody has tidied up.
        Err(_) if is_gone(root, fix) => Ok(Outcome::Left("it is gone by now".to_owned())),
        done => done,
    }
}

fn attempt(root: &Path, fix: &Fix, now: SystemTime) -> anyhow::Result<Outcome> {
    match fix {
        Fix::TakeBack { .. } => bail!("owners are changed by an engine"),
        Fix::Mode { path, mode } => {
            let place = find(root, path)?;
            place.set_mode(*mode)?;
            let is_now = place.look()?.mode;
            ensure!(is_now == *mode, "its mode is {is_now:04o} afterwards");
            Ok(Outcome::Done)
        }
        Fix::Remove { path, lock, idle } => remove(root, path, lock.as_deref(), *idle, now),
        Fix::Quarantine { path, repo } => quarantine(root, path, repo, now),
        Fix::Link { path, text } => put_link(&find(root, path)?, text),
        Fix::Unlink { path } => unlink(root, path),
        Fix::WriteRef { path, commit } => write_ref(root, path, commit),
        Fix::Rename { path, to } => rename(root, path, to),
        Fix::Copy { from, path } => {
            // All blobs may have gone, and their folder with them.
            if let Some(blobs) = path.parent() {
                find(root, blobs)?.make_folder().context("making the folder for it")?;
            }
            copy(&find(root, from)?, &find(root, path)?)
        }
    }
}

/// Whether what was to be changed is not there any more. A copy is made of what is not there.
fn is_gone(root: &Path, fix: &Fix) -> bool {
    if matches!(fix, Fix::Copy { .. }) {
        return false;
    }
    let look = |path: &PathBuf| Place::find(root, path).and_then(|place| place.look());
    let looked = fix.touched().first().map(look);
    matches!(looked, Some(Err(error)) if error.kind() == io::ErrorKind::NotFound)
}

fn find(root: &Path, path: &Path) -> anyhow::Result<Place> {
    Place::find(root, path).with_context(|| format!("reaching `{}`", path.display()))
}

fn remove(
    root: &Path,
    path: &Path,
    lock: Option<&Path>,
    idle: Duration,
    now: SystemTime,
) -> anyhow::Result<Outcome> {
    let place = find(root, path)?;
    let _held = match lock.map(|lock| unused::take(root, lock)).transpose() {
        Ok(held) => held,
        Err(why) => return Ok(Outcome::Left(why)),
    };
    if let Some(why) = unused::in_use(&place, idle, now)? {
        return Ok(Outcome::Left(why));
    }
    if let BlobName::Replaced { etag } = BlobName::of(place.name())
        && place.beside(etag).is_free()?
    {
        return Ok(Outcome::Left("it is the only copy of its blob by now".to_owned()));
    }
    match place.kind()? {
        Kind::Folder => match place.remove_folder() {
            Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => {
                remove_probe(root, path, &place)
            }
            removed => gone(&place, removed),
        },
        _ => gone(&place, place.remove()),
    }
}

/// Gives a blob its name again, unless a client is about to: it holds the blob's lock then.
fn rename(root: &Path, path: &Path, to: &Path) -> anyhow::Result<Outcome> {
    let repo = to.iter().next().unwrap_or_default();
    let mut lock = to.file_name().unwrap_or_default().to_owned();
    lock.push(".lock");
    let _held = match unused::take(root, &Path::new(".locks").join(repo).join(lock)) {
        Ok(held) => held,
        Err(why) => return Ok(Outcome::Left(why)),
    };
    let (from, to) = (find(root, path)?, find(root, to)?);
    from.move_to(&to)?;
    ensure!(to.look().is_ok(), "it is not there afterwards");
    Ok(Outcome::Done)
}

/// A client's try at a link: a folder with an empty file and a link. Anything else in it is kept.
fn remove_probe(root: &Path, path: &Path, folder: &Place) -> anyhow::Result<Outcome> {
    let names = ["dummy_file_src", "dummy_file_dst"];
    for name in names {
        let place = Place::find(root, &path.join(name))?;
        let is_probe = match place.is_free()? {
            true => false,
            false => place.kind()? == Kind::Link || place.look()?.size == 0,
        };
        if is_probe {
            place.remove()?;
        }
    }
    match folder.remove_folder() {
        Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => {
            Ok(Outcome::Left("it holds other files".to_owned()))
        }
        removed => gone(folder, removed),
    }
}

fn gone(place: &Place, removed: io::Result<()>) -> anyhow::Result<Outcome> {
    removed?;
    ensure!(place.is_free()?, "it is still there");
    Ok(Outcome::Done)
}

fn quarantine(root: &Path, path: &Path, repo: &Path, now: SystemTime) -> anyhow::Result<Outcome> {
    let from = find(root, path)?;
    ensure!(from.kind()? == Kind::File, "it is no file");
    find(root, &repo.join(SET_ASIDE))?.make_folder().context("making the folder for it")?;
    let moment = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_nanos();
    let mut name = from.name().to_owned();
    name.push(format!(".{moment}"));
    let to = find(root, &repo.join(SET_ASIDE).join(&name))?;
    from.move_to(&to)?;
    ensure!(from.is_free()? && to.look().is_ok(), "it did not move");
    Ok(Outcome::Done)
}

/// Makes something new beside `place`, under the first free one of the names that `name` gives
/// for numbers from this process's on: a killed repair may have had the same number.
fn make_new<T>(
    place: &Place,
    name: impl Fn(u32) -> OsString,
    make: impl Fn(&Place) -> io::Result<T>,
) -> io::Result<(Place, T)> {
    let first = std::process::id();
    for number in (0..TRIES).map(|more| first.wrapping_add(more)) {
        let new = place.beside(name(number));
        match make(&new) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            made => return made.map(|made| (new, made)),
        }
    }
    Err(io::Error::new(io::ErrorKind::AlreadyExists, "killed repairs have left all its new names"))
}

/// Puts a symlink in the place of another one, or of a file that holds its text.
fn put_link(place: &Place, text: &OsString) -> anyhow::Result<Outcome> {
    if place.kind()? != Kind::Link {
        let held = untrusted::bytes(place.open()?, link::MAX_TEXT)?;
        let held = link::text_in_file(&held).map(OsString::from_vec);
        let name = |text: &OsString| Path::new(text).file_name().map(OsStr::to_owned);
        if held.as_ref().and_then(name) != name(text) {
            return Ok(Outcome::Left("it holds something else by now".to_owned()));
        }
    }
    let (new, ()) = make_new(place, unfinished, |new| new.make_link(text))
        .context("this file system may have no symlinks")?;
    if let Err(error) = new.replace(place) {
        // The error that counts is the first one.
        let _ = new.remove();
        return Err(error.into());
    }
    ensure!(place.link()? == *text, "it says something else afterwards");
    Ok(Outcome::Done)
}

fn unlink(root: &Path, path: &Path) -> anyhow::Result<Outcome> {
    let place = find(root, path)?;
    ensure!(place.kind()? == Kind::Link, "it is no link any more");
    if unused::has_its_blob(root, path, &place.link()?)? && !is_unfinished(place.name()) {
        return Ok(Outcome::Left("the blob that it leads to is there by now".to_owned()));
    }
    gone(&place, place.remove())
}

fn write_ref(root: &Path, path: &Path, commit: &str) -> anyhow::Result<Outcome> {
    let place = find(root, path)?;
    let mode = place.look()?.mode & 0o777;
    let (new, mut file) = new_ref(root, path, &place, commit, mode)?;
    let mut write = || -> io::Result<()> {
        before_a_change();
        file.write_all(commit.as_bytes())?;
        file.sync_all()?;
        new.replace(&place)
    };
    if let Err(error) = write() {
        // The error that counts is the first one.
        let _ = new.remove();
        return Err(error.into());
    }
    let now = untrusted::bytes(place.open()?, LARGEST_REF)?;
    ensure!(now == commit.as_bytes(), "it says something else afterwards");
    Ok(Outcome::Done)
}

/// The file that becomes the ref at `path`: among the blobs, under a name that the next repair
/// removes at once. Beside the ref, a leftover hides the repo from the Hub client, and
/// is known as one only by its age.
fn new_ref(
    root: &Path,
    path: &Path,
    place: &Place,
    commit: &str,
    mode: u32,
) -> anyhow::Result<(Place, File)> {
    let repo = path.iter().next().map(Path::new).unwrap_or(path);
    let make = |new: &Place| new.create(mode);
    match Place::find(root, &repo.join(BLOBS).join(commit)) {
        Ok(blob) => Ok(make_new(&blob, unfinished, make)?),
        // A repo of which only a ref was ever asked for, or with blobs behind a link.
        Err(error)
            if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
                || Refused::of(&error) == Some(Refused::Symlink) =>
        {
            let name = |number: u32| {
                let mut name = place.name().to_owned();
                name.push(format!(".{number:08x}.tmp"));
                name
            };
            Ok(make_new(place, name, make)?)
        }
        Err(error) => Err(error).context("reaching the blobs, where a ref is written first"),
    }
}

/// What a repair calls something that it has not finished. As a download of a client's it would
/// stay for a day.
fn unfinished(number: u32) -> OsString {
    format!("{UNFINISHED}{number}").into()
}

/// Copies bytes whose digest is their name, under a name that a verification knows as unfinished.
fn copy(from: &Place, to: &Place) -> anyhow::Result<Outcome> {
    let Some(digest) = Digest::of_name(to.name().as_encoded_bytes()) else {
        bail!("its name is no digest")
    };
    if !to.is_free()? {
        return Ok(Outcome::Left("it is there by now".to_owned()));
    }
    let mode = from.look()?.mode & 0o777;
    let (new, mut file) = make_new(to, unfinished, |new| new.create(mode))?;
    let mut fill = || -> anyhow::Result<()> {
        before_a_change();
        io::copy(&mut from.open()?, &mut file)?;
        file.sync_all()?;
        ensure!(has_digest(new.open()?, digest), "the other repo's bytes are not whole");
        Ok(new.move_to(to)?)
    };
    if let Err(error) = fill() {
        // The error that counts is the first one.
        let _ = new.remove();
        return Err(error);
    }
    Ok(Outcome::Done)
}

fn has_digest(file: File, digest: Digest) -> bool {
    let never = AtomicBool::new(false);
    let mut buffer = Buffer::new();
    let hashed = hash(file, digest, buffer.bytes(), &|_| (), &never);
    matches!(hashed, Hashed::Is(found, _) if found == digest)
}

#[cfg(test)]
mod tests;
