//! Applies one fix, completely or not at all, and checks the result.

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

use super::{entry::Entry, failpoint::before_a_change, fix::Fix, in_use};
use crate::finding::{UNFINISHED, is_unfinished};

/// Limit of names tried for a new entry, as killed repairs may have left some.
const TRIES: u32 = 100;

/// Result of a fix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Applied and checked.
    Done,
    /// Not applied, with the reason.
    Skipped(String),
}

/// Applies `fix` in the cache at `root`. Not for [`Fix::Reclaim`], which needs an engine.
///
/// # Errors
/// When the fix failed. The entry is unchanged.
pub(super) fn apply(root: &Path, fix: &Fix, now: SystemTime) -> anyhow::Result<Outcome> {
    match attempt(root, fix, now) {
        // A download has ended, or the user removed the entry.
        Err(_) if is_gone(root, fix) => Ok(Outcome::Skipped("it is gone by now".to_owned())),
        done => done,
    }
}

/// Applies `fix`. An entry that was removed meanwhile is an error.
fn attempt(root: &Path, fix: &Fix, now: SystemTime) -> anyhow::Result<Outcome> {
    match fix {
        Fix::Reclaim { .. } => bail!("owners are changed by an engine"),
        Fix::Mode { path, mode } => {
            let entry = find(root, path)?;
            entry.set_mode(*mode)?;
            let is_now = entry.look()?.mode;
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
            // The folder is missing if all blobs are.
            if let Some(blobs) = path.parent() {
                find(root, blobs)?.make_folder().context("making the folder for it")?;
            }
            copy(&find(root, from)?, &find(root, path)?)
        }
    }
}

/// Whether the entry to change was removed. The target of a copy is always missing.
fn is_gone(root: &Path, fix: &Fix) -> bool {
    if matches!(fix, Fix::Copy { .. }) {
        return false;
    }
    let look = |path: &PathBuf| Entry::find(root, path).and_then(|entry| entry.look());
    let looked = fix.touched().first().map(look);
    matches!(looked, Some(Err(error)) if error.kind() == io::ErrorKind::NotFound)
}

/// Opens the parent folder of the entry at `path` in the cache at `root`, without following symlinks.
fn find(root: &Path, path: &Path) -> anyhow::Result<Entry> {
    Entry::find(root, path).with_context(|| format!("reaching `{}`", path.display()))
}

/// Removes a file or an empty folder, unless it is locked, open, recently changed or an only copy.
fn remove(
    root: &Path,
    path: &Path,
    lock: Option<&Path>,
    idle: Duration,
    now: SystemTime,
) -> anyhow::Result<Outcome> {
    let entry = find(root, path)?;
    let _held = match lock.map(|lock| in_use::lock(root, lock)).transpose() {
        Ok(held) => held,
        Err(why) => return Ok(Outcome::Skipped(why)),
    };
    if let Some(why) = in_use::in_use(&entry, idle, now)? {
        return Ok(Outcome::Skipped(why));
    }
    if let BlobName::Replaced { etag } = BlobName::of(entry.name())
        && entry.beside(etag).is_free()?
    {
        return Ok(Outcome::Skipped("it is the only copy of its blob by now".to_owned()));
    }
    match entry.kind()? {
        Kind::Folder => match entry.remove_folder() {
            Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => {
                remove_probe(root, path, &entry)
            }
            removed => gone(&entry, removed),
        },
        _ => gone(&entry, entry.remove()),
    }
}

/// Renames a blob, unless a client holds its lock.
fn rename(root: &Path, path: &Path, to: &Path) -> anyhow::Result<Outcome> {
    let repo = to.iter().next().unwrap_or_default();
    let mut lock = to.file_name().unwrap_or_default().to_owned();
    lock.push(".lock");
    let _held = match in_use::lock(root, &Path::new(".locks").join(repo).join(lock)) {
        Ok(held) => held,
        Err(why) => return Ok(Outcome::Skipped(why)),
    };
    let (from, to) = (find(root, path)?, find(root, to)?);
    from.move_to(&to)?;
    ensure!(to.look().is_ok(), "it is not there afterwards");
    Ok(Outcome::Done)
}

/// Removes the folder in which a client tested symlinks. It holds an empty file and a symlink; other
/// entries are kept.
fn remove_probe(root: &Path, path: &Path, folder: &Entry) -> anyhow::Result<Outcome> {
    let names = ["dummy_file_src", "dummy_file_dst"];
    for name in names {
        let entry = Entry::find(root, &path.join(name))?;
        let is_probe = match entry.is_free()? {
            true => false,
            false => entry.kind()? == Kind::Link || entry.look()?.size == 0,
        };
        if is_probe {
            entry.remove()?;
        }
    }
    match folder.remove_folder() {
        Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => {
            Ok(Outcome::Skipped("it holds other files".to_owned()))
        }
        removed => gone(folder, removed),
    }
}

/// Checks that the entry was removed.
fn gone(entry: &Entry, removed: io::Result<()>) -> anyhow::Result<Outcome> {
    removed?;
    ensure!(entry.is_free()?, "it is still there");
    Ok(Outcome::Done)
}

/// Moves a file to `.set-aside` of its repo. The name gets the time as a suffix, so that it is unique.
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

/// Creates an entry in the folder of `entry` under the first free name. Numbers start at the process id,
/// which a killed repair may have had, too.
fn make_new<T>(
    entry: &Entry,
    name: impl Fn(u32) -> OsString,
    make: impl Fn(&Entry) -> io::Result<T>,
) -> io::Result<(Entry, T)> {
    let first = std::process::id();
    for number in (0..TRIES).map(|more| first.wrapping_add(more)) {
        let new = entry.beside(name(number));
        match make(&new) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            made => return made.map(|made| (new, made)),
        }
    }
    Err(io::Error::new(io::ErrorKind::AlreadyExists, "killed repairs have left all its new names"))
}

/// Replaces a symlink, or a file with the text of one.
fn put_link(entry: &Entry, text: &OsString) -> anyhow::Result<Outcome> {
    if entry.kind()? != Kind::Link {
        let held = untrusted::bytes(entry.open()?, link::MAX_TEXT)?;
        let held = link::text_in_file(&held).map(OsString::from_vec);
        let name = |text: &OsString| Path::new(text).file_name().map(OsStr::to_owned);
        if held.as_ref().and_then(name) != name(text) {
            return Ok(Outcome::Skipped("it holds something else by now".to_owned()));
        }
    }
    let (new, ()) = make_new(entry, unfinished, |new| new.make_link(text))
        .context("this file system may have no symlinks")?;
    new.replace(entry).inspect_err(|_| remove_unfinished(&new))?;
    ensure!(entry.link()? == *text, "it says something else afterwards");
    Ok(Outcome::Done)
}

/// Removes an unfinished entry after an error.
fn remove_unfinished(new: &Entry) {
    // The caller returns the first error.
    let _ = new.remove();
}

/// Removes a symlink, unless its blob was downloaded meanwhile.
fn unlink(root: &Path, path: &Path) -> anyhow::Result<Outcome> {
    let entry = find(root, path)?;
    ensure!(entry.kind()? == Kind::Link, "it is no link any more");
    if in_use::points_to_blob(root, path, &entry.link()?)? && !is_unfinished(entry.name()) {
        return Ok(Outcome::Skipped("the blob that it leads to is there by now".to_owned()));
    }
    gone(&entry, entry.remove())
}

/// Replaces the content of a ref by `commit`.
fn write_ref(root: &Path, path: &Path, commit: &str) -> anyhow::Result<Outcome> {
    let entry = find(root, path)?;
    let mode = entry.look()?.mode & 0o777;
    let (new, mut file) = new_ref(root, path, &entry, commit, mode)?;
    let mut write = || -> io::Result<()> {
        before_a_change();
        file.write_all(commit.as_bytes())?;
        file.sync_all()?;
        new.replace(&entry)
    };
    write().inspect_err(|_| remove_unfinished(&new))?;
    let now = untrusted::bytes(entry.open()?, LARGEST_REF)?;
    ensure!(now == commit.as_bytes(), "it says something else afterwards");
    Ok(Outcome::Done)
}

/// Creates the file that becomes the ref at `path`. It is among the blobs, where the next repair removes
/// a leftover at once. Beside the ref, a leftover would hide the repo from the Hub client.
fn new_ref(
    root: &Path,
    path: &Path,
    entry: &Entry,
    commit: &str,
    mode: u32,
) -> anyhow::Result<(Entry, File)> {
    let repo = path.iter().next().map(Path::new).unwrap_or(path);
    let make = |new: &Entry| new.create(mode);
    match Entry::find(root, &repo.join(BLOBS).join(commit)) {
        Ok(blob) => Ok(make_new(&blob, unfinished, make)?),
        // A repo without blobs, or with `blobs` as a symlink.
        Err(error)
            if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
                || Refused::of(&error) == Some(Refused::Symlink) =>
        {
            let name = |number: u32| {
                let mut name = entry.name().to_owned();
                name.push(format!(".{number:08x}.tmp"));
                name
            };
            Ok(make_new(entry, name, make)?)
        }
        Err(error) => Err(error).context("reaching the blobs, where a ref is written first"),
    }
}

/// Name of an unfinished file. Under the name of a download, a leftover would stay for a day.
fn unfinished(number: u32) -> OsString {
    format!("{UNFINISHED}{number}").into()
}

/// Copies a blob whose name is its digest, at first under an unfinished name.
fn copy(from: &Entry, to: &Entry) -> anyhow::Result<Outcome> {
    let Some(digest) = Digest::of_name(to.name().as_encoded_bytes()) else {
        bail!("its name is no digest")
    };
    if !to.is_free()? {
        return Ok(Outcome::Skipped("it is there by now".to_owned()));
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
    fill().inspect_err(|_| remove_unfinished(&new))?;
    Ok(Outcome::Done)
}

/// Whether the content of `file` has this digest.
fn has_digest(file: File, digest: Digest) -> bool {
    let never = AtomicBool::new(false);
    let mut buffer = Buffer::new();
    let hashed = hash(file, digest, buffer.bytes(), &|_| (), &never);
    matches!(hashed, Hashed::Is(found, _) if found == digest)
}

#[cfg(test)]
mod tests;
