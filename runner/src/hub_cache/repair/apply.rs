//! Does one fix, whole or not at all, and looks whether it is done.

use std::{
    ffi::{OsStr, OsString},
    fs::File,
    io::{self, Write as _},
    path::Path,
    sync::atomic::AtomicBool,
    time::SystemTime,
};

use anyhow::{Context as _, bail, ensure};
use rustix::fs::FileType;

use super::{cut::before_a_change, place::Place, unused};
use crate::hub_cache::{
    breakage::Fix,
    hash::{Buffer, Hashed, hash},
    names::Digest,
    repo::BLOBS,
    verify::SET_ASIDE,
};

/// What begins the name of a link that is being made: a verification takes it for a leftover.
pub(crate) const UNFINISHED: &str = ".aienergyscore-";

/// Names that are tried for something new: killed repairs may have left some of them.
const TRIES: u32 = 100;

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
        Fix::Unlink { path } => unlink(&find(root, path)?),
        Fix::WriteRef { path, commit } => write_ref(root, path, commit),
        Fix::Rename { path, to } => {
            let (from, to) = (find(root, path)?, find(root, to)?);
            from.move_to(&to)?;
            ensure!(to.look().is_ok(), "it is not there afterwards");
            Ok(Done::Done)
        }
        Fix::Copy { from, path } => copy(&find(root, from)?, &find(root, path)?),
    }
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

/// A client's try at a link: a folder with an empty file and a link. Anything else in it is kept.
fn remove_probe(root: &Path, path: &Path, folder: &Place) -> anyhow::Result<Done> {
    let names = ["dummy_file_src", "dummy_file_dst"];
    for name in names {
        let place = Place::find(root, &path.join(name))?;
        let is_probe = match place.is_free()? {
            true => false,
            false => place.kind()? == FileType::Symlink || place.look()?.st_size == 0,
        };
        if is_probe {
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

/// Makes something new beside `place`, under the first free one of the names that `name` gives
/// for numbers from this process's on: a killed repair may have had the same number.
fn make_new<T>(
    place: &Place,
    name: impl Fn(u32) -> OsString,
    make: impl Fn(&Place) -> io::Result<T>,
) -> io::Result<(Place, T)> {
    let first = std::process::id();
    for number in (0..TRIES).map(|more| first.wrapping_add(more)) {
        let new = place.beside(name(number))?;
        match make(&new) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            made => return made.map(|made| (new, made)),
        }
    }
    Err(io::Error::new(io::ErrorKind::AlreadyExists, "killed repairs have left all its new names"))
}

fn relink(place: &Place, text: &OsString) -> anyhow::Result<Done> {
    ensure!(place.kind()? == FileType::Symlink, "it is no link any more");
    let name = |number| format!("{UNFINISHED}{number}").into();
    let (new, ()) = make_new(place, name, |new| new.make_link(text))?;
    if let Err(error) = new.replace(place) {
        // The error that counts is the first one.
        let _ = new.remove();
        return Err(error.into());
    }
    ensure!(place.link()? == *text, "it says something else afterwards");
    Ok(Done::Done)
}

fn unlink(place: &Place) -> anyhow::Result<Done> {
    ensure!(place.kind()? == FileType::Symlink, "it is no link any more");
    gone(place, place.remove())
}

fn write_ref(root: &Path, path: &Path, commit: &str) -> anyhow::Result<Done> {
    let place = find(root, path)?;
    let mode = place.look()?.st_mode & 0o777;
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
    ensure!(io::read_to_string(place.open()?)? == commit, "it says something else afterwards");
    Ok(Done::Done)
}

/// The file that becomes the ref at `path`: among the blobs, as an unfinished download, which the
/// next repair removes at once. Beside the ref, a leftover hides the repo from the Hub client, and
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
        Ok(blob) => Ok(make_new(&blob, |number| unfinished(commit.as_ref(), number), make)?),
        // A repo of which only a ref was ever asked for.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
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

/// What the Hub client calls a blob that it has not finished.
fn unfinished(blob: &OsStr, number: u32) -> OsString {
    let mut name = blob.to_owned();
    name.push(format!(".{number:08x}.incomplete"));
    name
}

/// Copies bytes whose digest is their name, under a name that a verification knows as unfinished.
fn copy(from: &Place, to: &Place) -> anyhow::Result<Done> {
    let Some(digest) = Digest::of_name(to.name().as_encoded_bytes()) else {
        bail!("its name is no digest")
    };
    if !to.is_free()? {
        return Ok(Done::Left("it is there by now".to_owned()));
    }
    let mode = from.look()?.st_mode & 0o777;
    let name = |number| unfinished(to.name(), number);
    let (new, mut file) = make_new(to, name, |new| new.create(mode))?;
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
    Ok(Done::Done)
}

fn has_digest(file: File, digest: Digest) -> bool {
    let never = AtomicBool::new(false);
    let mut buffer = Buffer::new();
    let hashed = hash(file, digest, buffer.bytes(), &|_| (), &never);
    matches!(hashed, Hashed::Is(found, _) if found == digest)
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

    use super::{Done, Fix, apply};

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
    fn what_is_young_or_somebodys_stays() {
        let folder = cache();
        let root = folder.path();
        fs::write(root.join("r/refs/main.0011aabb.tmp"), "x").unwrap();
        let fix = Fix::Remove { path: "r/refs/main.0011aabb.tmp".into(), lock: None };
        let left = apply(root, &fix, SystemTime::now()).unwrap();
        assert!(matches!(left, Done::Left(why) if why.contains("less than an hour")));
        fs::create_dir(root.join("tmpabcd0123")).unwrap();
        fs::write(root.join("tmpabcd0123/dummy_file_src"), "").unwrap();
        fs::write(root.join("tmpabcd0123/dummy_file_dst"), "mine").unwrap();
        let fix = Fix::Remove { path: "tmpabcd0123".into(), lock: None };
        // A client that still tries would take it that links cannot be made.
        let left = apply(root, &fix, SystemTime::now()).unwrap();
        assert!(matches!(left, Done::Left(why) if why.contains("less than an hour")));
        assert!(root.join("tmpabcd0123/dummy_file_src").exists());
        assert!(matches!(apply(root, &fix, later()).unwrap(), Done::Left(_)));
        fs::remove_file(root.join("tmpabcd0123/dummy_file_dst")).unwrap();
        assert_eq!(apply(root, &fix, later()).unwrap(), Done::Done);
    }

    #[test]
    fn what_killed_repairs_left_is_in_nobodys_way() {
        let folder = cache();
        let root = folder.path();
        let process = std::process::id();
        let commit = "0".repeat(40);
        fs::write(root.join("r/refs/main"), format!("{commit}\n")).unwrap();
        fs::set_permissions(root.join("r/refs/main"), fs::Permissions::from_mode(0o666)).unwrap();
        fs::write(root.join(format!("r/blobs/{commit}.{process:08x}.incomplete")), "").unwrap();
        symlink("x", root.join("r/snapshots/c/f")).unwrap();
        symlink("y", root.join(format!("r/snapshots/c/.aienergyscore-{process}"))).unwrap();
        fs::write(root.join("other/blobs").join(EMPTY), "").unwrap();
        fs::write(root.join(format!("r/blobs/{EMPTY}.{process:08x}.incomplete")), "").unwrap();
        for fix in [
            Fix::WriteRef { path: "r/refs/main".into(), commit: commit.clone() },
            Fix::Relink { path: "r/snapshots/c/f".into(), text: "../../blobs/x".into() },
            Fix::Copy {
                from: Path::new("other/blobs").join(EMPTY),
                path: Path::new("r/blobs").join(EMPTY),
            },
        ] {
            assert_eq!(apply(root, &fix, later()).unwrap(), Done::Done, "{fix:?}");
        }
        assert_eq!(fs::read_to_string(root.join("r/refs/main")).unwrap(), commit);
        let mode = fs::metadata(root.join("r/refs/main")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o666, "a group may go on writing");
        assert_eq!(fs::read_dir(root.join("r/refs")).unwrap().count(), 1);
        // A repo that has no blobs has its refs all the same.
        fs::create_dir_all(root.join("bare/refs")).unwrap();
        fs::write(root.join("bare/refs/main"), "x").unwrap();
        let fix = Fix::WriteRef { path: "bare/refs/main".into(), commit };
        assert_eq!(apply(root, &fix, later()).unwrap(), Done::Done);
    }
}
