//! Does one fix, whole or not at all, and looks whether it is done.

use std::{
    ffi::{OsStr, OsString},
    fs::File,
    io::{self, Write as _},
    path::{Path, PathBuf},
    sync::atomic::AtomicBool,
    time::SystemTime,
};

use anyhow::{Context as _, bail, ensure};
use rustix::fs::FileType;

use super::{place::Place, unused};
use crate::hub_cache::{
    breakage::Fix,
    hash::{Buffer, Hashed, hash},
    names::Digest,
    verify::SET_ASIDE,
};

/// What begins the name of a link that is being made: a verification takes it for a leftover.
pub(crate) const UNFINISHED: &str = ".aienergyscore-";

/// How a fix ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Done {
    /// It is done, and was looked at.
    Done,
    /// It was left alone, for this reason.
    Left(String),
}

/// Does `fix` in the cache at `root`. Owners are another matter: [`Fix::TakeBack`] takes an engine.
///
/// # Errors
/// When it cannot be done; what was there is still there then.
pub(crate) fn apply(root: &Path, fix: &Fix, now: SystemTime) -> anyhow::Result<Done> {
    match attempt(root, fix, now) {
        // A client beside us has ended its download, or somebody has tidied up.
        Err(_) if is_gone(root, fix) => Ok(Done::Left("it is gone by now".to_owned())),
        done => done,
    }
}

fn attempt(root: &Path, fix: &Fix, now: SystemTime) -> anyhow::Result<Done> {
    match fix {
        Fix::TakeBack { .. } => bail!("owners are changed by an engine"),
        Fix::Mode { path, mode } => {
            let place = find(root, path)?;
            place.set_mode(*mode)?;
            let is_now = place.look()?.st_mode & 0o7777;
            ensure!(is_now == *mode, "its mode is {is_now:04o} afterwards");
            Ok(Done::Done)
        }
        Fix::Remove { path, lock } => remove(root, path, lock.as_deref(), now),
        Fix::SetAside { path, repo } => set_aside(root, path, repo, now),
        Fix::Relink { path, text } => relink(&find(root, path)?, text),
        Fix::Unlink { path } => unlink(root, path),
        Fix::WriteRef { path, commit } => write_ref(&find(root, path)?, commit),
        Fix::Rename { path, to } => rename(root, path, to),
        Fix::Copy { from, path } => copy(&find(root, from)?, &find(root, path)?),
    }
}

/// Whether what was to be changed is not there any more. A copy is made of what is not there.
fn is_gone(root: &Path, fix: &Fix) -> bool {
    let path = subject(fix).filter(|_| !matches!(fix, Fix::Copy { .. }));
    let look = path.map(|path| Place::find(root, &path).and_then(|place| place.look()));
    matches!(look, Some(Err(error)) if error.kind() == io::ErrorKind::NotFound)
}

fn find(root: &Path, path: &Path) -> anyhow::Result<Place> {
    Place::find(root, path).with_context(|| format!("reaching `{}`", path.display()))
}

fn remove(root: &Path, path: &Path, lock: Option<&Path>, now: SystemTime) -> anyhow::Result<Done> {
    let place = find(root, path)?;
    let _held = match lock.map(|lock| unused::take(root, lock)).transpose() {
        Ok(held) => held,
        Err(why) => return Ok(Done::Left(why)),
    };
    if let Some(why) = unused::in_use(&place, lock.is_some(), now)? {
        return Ok(Done::Left(why));
    }
    match place.kind()? {
        FileType::Directory => match place.remove_folder() {
            Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => {
                remove_probe(root, path, &place)
            }
            removed => gone(&place, removed),
        },
        _ => gone(&place, place.remove()),
    }
}

/// Gives a blob its name again, unless a client is about to: it holds the blob's lock then.
fn rename(root: &Path, path: &Path, to: &Path) -> anyhow::Result<Done> {
    let repo = to.iter().next().unwrap_or_default();
    let mut lock = to.file_name().unwrap_or_default().to_owned();
    lock.push(".lock");
    let _held = match unused::take(root, &Path::new(".locks").join(repo).join(lock)) {
        Ok(held) => held,
        Err(why) => return Ok(Done::Left(why)),
    };
    let (from, to) = (find(root, path)?, find(root, to)?);
    from.move_to(&to)?;
    ensure!(to.look().is_ok(), "it is not there afterwards");
    Ok(Done::Done)
}

/// A client's try at a link: a folder with two small files. Anything else in it is kept.
fn remove_probe(root: &Path, path: &Path, folder: &Place) -> anyhow::Result<Done> {
    let names = ["dummy_file_src", "dummy_file_dst"];
    for name in names {
        let place = Place::find(root, &path.join(name))?;
        if !place.is_free()? {
            place.remove()?;
        }
    }
    match folder.remove_folder() {
        Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => {
            Ok(Done::Left("it holds files of somebody's".to_owned()))
        }
        removed => gone(folder, removed),
    }
}

fn gone(place: &Place, removed: io::Result<()>) -> anyhow::Result<Done> {
    removed?;
    ensure!(place.is_free()?, "it is still there");
    Ok(Done::Done)
}

fn set_aside(root: &Path, path: &Path, repo: &Path, now: SystemTime) -> anyhow::Result<Done> {
    let from = find(root, path)?;
    ensure!(from.kind()? == FileType::RegularFile, "it is no file");
    find(root, &repo.join(SET_ASIDE))?.make_folder().context("making the folder for it")?;
    let moment = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_nanos();
    let mut name = from.name().to_owned();
    name.push(format!(".{moment}"));
    let to = find(root, &repo.join(SET_ASIDE).join(&name))?;
    from.move_to(&to)?;
    ensure!(from.is_free()? && to.look().is_ok(), "it did not move");
    Ok(Done::Done)
}

fn relink(place: &Place, text: &OsString) -> anyhow::Result<Done> {
    ensure!(place.kind()? == FileType::Symlink, "it is no link any more");
    let new = place.beside(format!("{UNFINISHED}{}", std::process::id()))?;
    new.make_link(text)?;
    if let Err(error) = new.replace(place) {
        // The error that counts is the first one.
        let _ = new.remove();
        return Err(error.into());
    }
    ensure!(place.link()? == *text, "it says something else afterwards");
    Ok(Done::Done)
}

fn unlink(root: &Path, path: &Path) -> anyhow::Result<Done> {
    let place = find(root, path)?;
    ensure!(place.kind()? == FileType::Symlink, "it is no link any more");
    if unused::has_its_blob(root, path, &place.link()?)? && !is_unfinished(place.name()) {
        return Ok(Done::Left("the blob that it leads to is there by now".to_owned()));
    }
    gone(&place, place.remove())
}

fn write_ref(place: &Place, commit: &str) -> anyhow::Result<Done> {
    let mode = place.look()?.st_mode & 0o777;
    let mut name = place.name().to_owned();
    name.push(format!(".{:08x}.tmp", std::process::id()));
    let new = place.beside(name)?;
    let write = || -> io::Result<()> {
        let mut file = new.create(mode)?;
        file.write_all(commit.as_bytes())?;
        file.sync_all()?;
        new.replace(place)
    };
    if let Err(error) = write() {
        // The error that counts is the first one.
        let _ = new.remove();
        return Err(error.into());
    }
    ensure!(io::read_to_string(place.open()?)? == commit, "it says something else afterwards");
    Ok(Done::Done)
}

/// Copies bytes whose digest is their name, under a name that a verification knows as unfinished.
fn copy(from: &Place, to: &Place) -> anyhow::Result<Done> {
    let Some(digest) = Digest::of_name(to.name().as_encoded_bytes()) else {
        bail!("its name is no digest")
    };
    if !to.is_free()? {
        return Ok(Done::Left("it is there by now".to_owned()));
    }
    let mut name: OsString = to.name().to_owned();
    name.push(format!(".{:08x}.incomplete", std::process::id()));
    let new = to.beside(name)?;
    let mode = from.look()?.st_mode & 0o777;
    let fill = || -> anyhow::Result<()> {
        let mut file = new.create(mode)?;
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
    Ok(Done::Done)
}

fn has_digest(file: File, digest: Digest) -> bool {
    let never = AtomicBool::new(false);
    let mut buffer = Buffer::new();
    let hashed = hash(file, digest, buffer.bytes(), &|_| (), &never);
    matches!(hashed, Hashed::Is(found, _) if found == digest)
}

/// Paths of a fix, for a message.
pub(crate) fn subject(fix: &Fix) -> Option<PathBuf> {
    match fix {
        Fix::TakeBack { paths } => paths.first().cloned(),
        Fix::Mode { path, .. }
        | Fix::Remove { path, .. }
        | Fix::SetAside { path, .. }
        | Fix::Relink { path, .. }
        | Fix::Unlink { path }
        | Fix::WriteRef { path, .. }
        | Fix::Rename { path, .. }
        | Fix::Copy { path, .. } => Some(path.clone()),
    }
}

/// Whether the entry `name` of a snapshot is a link that was being made.
pub(crate) fn is_unfinished(name: &OsStr) -> bool {
    name.as_encoded_bytes().starts_with(UNFINISHED.as_bytes())
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        os::unix::fs::{PermissionsExt as _, symlink},
        path::Path,
        time::{Duration, SystemTime},
    };

    use super::{Done, Fix, UNFINISHED, apply};

    const EMPTY: &str = "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391";

    fn cache() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for part in ["r/blobs", "r/snapshots/c", "r/refs", "other/blobs"] {
            fs::create_dir_all(folder.path().join(part)).unwrap();
        }
        folder
    }

    fn later() -> SystemTime {
        SystemTime::now() + Duration::from_secs(7200)
    }

    #[test]
    fn each_fix_does_one_thing() {
        let folder = cache();
        let root = folder.path();
        let at = |path: &str| root.join(path);
        let done =
            |fix: Fix| assert_eq!(apply(root, &fix, later()).unwrap(), Done::Done, "{fix:?}");
        let path = |path: &str| Path::new(path).to_owned();

        fs::write(at("r/refs/main"), "abc\n").unwrap();
        done(Fix::WriteRef { path: path("r/refs/main"), commit: "abc".into() });
        assert_eq!(fs::read_to_string(at("r/refs/main")).unwrap(), "abc");

        symlink("/r/blobs/x", at("r/snapshots/c/f")).unwrap();
        done(Fix::Relink { path: path("r/snapshots/c/f"), text: "../../blobs/x".into() });
        assert_eq!(fs::read_link(at("r/snapshots/c/f")).unwrap(), Path::new("../../blobs/x"));
        done(Fix::Unlink { path: path("r/snapshots/c/f") });

        fs::write(at("r/blobs/bad"), "bad").unwrap();
        done(Fix::SetAside { path: path("r/blobs/bad"), repo: path("r") });
        let aside = fs::read_dir(at("r/.set-aside")).unwrap().next().unwrap().unwrap().path();
        assert_eq!(fs::read_to_string(aside).unwrap(), "bad");

        fs::write(at("r/blobs/.x.old"), "only").unwrap();
        done(Fix::Rename { path: path("r/blobs/.x.old"), to: path("r/blobs/x") });
        assert!(
            apply(root, &Fix::Rename { path: path("r/blobs/x"), to: path("r/refs/main") }, later())
                .is_err()
        );

        fs::write(at("other/blobs").join(EMPTY), "").unwrap();
        let copy = || Fix::Copy {
            from: path("other/blobs").join(EMPTY),
            path: path("r/blobs").join(EMPTY),
        };
        done(copy());
        assert!(matches!(apply(root, &copy(), later()).unwrap(), Done::Left(_)));

        fs::set_permissions(at("r/refs/main"), fs::Permissions::from_mode(0o000)).unwrap();
        done(Fix::Mode { path: path("r/refs/main"), mode: 0o644 });
        done(Fix::Remove { path: path("r/refs/main"), lock: None });
        assert_eq!(fs::read_dir(at("r/refs")).unwrap().count(), 0);
    }

    #[test]
    fn bytes_that_are_not_whole_are_not_copied() {
        let folder = cache();
        let root = folder.path();
        fs::write(root.join("other/blobs").join(EMPTY), "not empty").unwrap();
        let fix = Fix::Copy {
            from: Path::new("other/blobs").join(EMPTY),
            path: Path::new("r/blobs").join(EMPTY),
        };
        let error = apply(root, &fix, later()).unwrap_err().to_string();
        assert!(error.contains("not whole"), "{error}");
        assert_eq!(fs::read_dir(root.join("r/blobs")).unwrap().count(), 0);
    }

    #[test]
    fn a_link_whose_blob_has_come_since_stays() {
        let folder = cache();
        let root = folder.path();
        fs::create_dir(root.join("r/snapshots/c/sub")).unwrap();
        fs::write(root.join("r/blobs/x"), "").unwrap();
        let links = [("f", "../../blobs/x"), ("sub/f", "../../../blobs/x"), ("g", "../../blobs/y")];
        let left = links.map(|(name, text)| {
            let path = Path::new("r/snapshots/c").join(name);
            symlink(text, root.join(&path)).unwrap();
            matches!(apply(root, &Fix::Unlink { path }, later()).unwrap(), Done::Left(_))
        });
        assert_eq!(left, [true, true, false]);
        // One that a repair was making is nobody's, wherever it leads.
        let path = Path::new("r/snapshots/c").join(format!("{UNFINISHED}7"));
        symlink("../../blobs/x", root.join(&path)).unwrap();
        assert_eq!(apply(root, &Fix::Unlink { path }, later()).unwrap(), Done::Done);
    }

    #[test]
    fn what_is_gone_by_now_is_no_failure() {
        let folder = cache();
        let path = || Path::new("r/blobs/x").to_owned();
        for fix in [
            Fix::Remove { path: path(), lock: Some("r/none.lock".into()) },
            Fix::SetAside { path: path(), repo: "r".into() },
            Fix::Unlink { path: "gone/snapshots/x".into() },
            Fix::Rename { path: path(), to: "r/blobs/y".into() },
        ] {
            let left = apply(folder.path(), &fix, later()).unwrap();
            assert_eq!(left, Done::Left("it is gone by now".to_owned()), "{fix:?}");
        }
        // A copy is not there by its nature: that there is nothing to copy is a failure.
        let from = format!("other/blobs/{EMPTY}").into();
        let copy = Fix::Copy { from, path: format!("r/blobs/{EMPTY}").into() };
        assert!(apply(folder.path(), &copy, later()).is_err());
    }

    #[test]
    fn what_is_young_or_somebodys_stays() {
        let folder = cache();
        let root = folder.path();
        fs::write(root.join("r/refs/main.0011aabb.tmp"), "x").unwrap();
        let fix = Fix::Remove { path: "r/refs/main.0011aabb.tmp".into(), lock: None };
        let left = apply(root, &fix, SystemTime::now()).unwrap();
        assert!(matches!(left, Done::Left(why) if why.contains("less than an hour")));
        fs::create_dir(root.join("tmpabcd0123")).unwrap();
        fs::write(root.join("tmpabcd0123/dummy_file_src"), "").unwrap();
        fs::write(root.join("tmpabcd0123/mine"), "").unwrap();
        let fix = Fix::Remove { path: "tmpabcd0123".into(), lock: None };
        // Were it taken away from a client that tries links, that client would make none.
        let left = apply(root, &fix, SystemTime::now()).unwrap();
        assert!(matches!(left, Done::Left(why) if why.contains("less than an hour")));
        assert!(root.join("tmpabcd0123/dummy_file_src").exists());
        assert!(matches!(apply(root, &fix, later()).unwrap(), Done::Left(_)));
        fs::remove_file(root.join("tmpabcd0123/mine")).unwrap();
        assert_eq!(apply(root, &fix, later()).unwrap(), Done::Done);

        fs::write(root.join("r/blobs/.x.0011aabb.old"), "only").unwrap();
        fs::create_dir_all(root.join(".locks/r")).unwrap();
        let lock = fs::File::create(root.join(".locks/r/x.lock")).unwrap();
        lock.lock().unwrap();
        let fix = Fix::Rename { path: "r/blobs/.x.0011aabb.old".into(), to: "r/blobs/x".into() };
        let left = apply(root, &fix, later()).unwrap();
        assert!(matches!(left, Done::Left(why) if why.contains("is held")));
        lock.unlock().unwrap();
        assert_eq!(apply(root, &fix, later()).unwrap(), Done::Done);
    }
}
