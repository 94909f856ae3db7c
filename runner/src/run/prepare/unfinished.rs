//! Half-written files of runs that were killed.

use std::{
    io,
    time::{Duration, SystemTime},
};

use backend_reports::Folder;
use untrusted::{Kind, NEW};

/// Age from which a file counts as left behind. A younger one may still be written by another program,
/// such as `report`.
const MIN_AGE: Duration = Duration::from_secs(600);

/// Removes half-written files of the user `uid` from a results folder.
///
/// # Errors
/// When the folder cannot be listed.
pub(crate) fn remove_unfinished(results: &Folder, uid: u32, now: SystemTime) -> io::Result<()> {
    let mut names = vec![];
    results.dir().visit(|name, kind| {
        if kind == Kind::File && name.as_encoded_bytes().starts_with(NEW.as_bytes()) {
            names.push(name.to_owned());
        }
    })?;
    let latest =
        now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().saturating_sub(MIN_AGE);
    for name in names {
        let is_left = results.dir().look(&name).is_ok_and(|stamp| {
            let modified = u64::try_from(stamp.modified.0).unwrap_or_default();
            stamp.kind == Kind::File && stamp.uid == uid && modified < latest.as_secs()
        });
        if is_left {
            // The file is harmless, and another run may have removed it.
            let _ = results.dir().remove(&name);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::{
        fs::{self, File},
        os::unix::fs::symlink,
        time::{Duration, SystemTime},
    };

    use backend_reports::Folder;
    use rustix::process::geteuid;

    use super::remove_unfinished;

    #[test]
    fn only_old_files_of_the_user_with_the_prefix_are_removed() {
        let place = tempfile::tempdir().unwrap();
        let now = SystemTime::now();
        for (name, minutes) in
            [(".aienergyscore-new-1", 20), (".aienergyscore-new-2", 1), ("notes", 20)]
        {
            let file = File::create(place.path().join(name)).unwrap();
            file.set_modified(now - Duration::from_secs(60 * minutes)).unwrap();
        }
        symlink("notes", place.path().join(".aienergyscore-new-3")).unwrap();
        let folder = Folder::open(place.path()).unwrap();
        let left = |uid| {
            remove_unfinished(&folder, uid, now).unwrap();
            fs::read_dir(place.path()).unwrap().count()
        };
        let uid = geteuid().as_raw();
        assert_eq!((left(uid + 1), left(uid)), (4, 3));
        assert!(!place.path().join(".aienergyscore-new-1").exists());
    }
}
