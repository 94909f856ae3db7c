//! Temporary files of a run: secrets, container id, and the lock that shows that the run lives.

use std::{
    ffi::OsString,
    fs::{File, TryLockError},
    io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use rustix::{
    fs::{Access, access},
    process::getuid,
};
use untrusted::{Dir, Stamp};

use crate::{
    exit::Usage,
    machine::{Host, isolation::Isolation},
    output::terminal,
    paths::host_path::HostPath,
    run_files::run_id::PREFIX,
};

/// Variables that name a folder for such files, the first one first.
const VARIABLES: [&str; 2] = ["XDG_RUNTIME_DIR", "TMPDIR"];

/// Folders for temporary files of runs, the first one first. `named` are the folders in variables.
pub fn folders(named: impl IntoIterator<Item = PathBuf>, isolation: &Isolation) -> Vec<PathBuf> {
    let own = format!("/run/user/{}", getuid());
    let usual = ["/tmp", &own, "/var/tmp", "/dev/shm"].map(PathBuf::from);
    let Isolation { snap, shared, .. } = isolation;
    snap.iter().cloned().chain(named).chain(shared.iter().cloned()).chain(usual).collect()
}

/// The folders that variables name. `value` looks up a variable.
pub fn named(value: impl Fn(&'static str) -> Option<OsString>) -> impl Iterator<Item = PathBuf> {
    VARIABLES.into_iter().filter_map(value).map(PathBuf::from)
}

/// The path of a temporary file of the run, in the first suitable folder, preferably one that an engine
/// can see. It is not below any of the canonical paths `apart`. A folder may be unsuitable because `su`
/// or a container keeps another user's variables.
///
/// # Errors
/// When no folder is suitable, or no engine can mount the path.
pub fn file_of_run(
    host: &Host,
    run_id: &str,
    what: &str,
    apart: &[PathBuf],
) -> Result<HostPath, Usage> {
    let isolation = &host.isolation;
    let folders = folders(named(|name| host.env.get(name).cloned()), isolation);
    let serving: Vec<_> = folders.iter().filter(|folder| serves(folder, apart)).collect();
    let seen = serving.iter().find(|folder| !isolation.hides(folder));
    let Some(folder) = seen.or(serving.first()) else {
        let tried: Vec<_> = folders.iter().map(|folder| folder.to_string_lossy()).collect();
        return Err(Usage(format!(
            "no folder for the run's temporary files: the container, or another user, could change \
             them in each of {}; set TMPDIR to a folder that only you can write to",
            tried.join(", ")
        )));
    };
    let file = folder.join(format!("{PREFIX}{run_id}-{what}"));
    HostPath::new("file of the run", &file, &host.cwd)
}

/// Whether the user can write to `folder`, and no other user or container can replace files in it.
fn serves(folder: &Path, apart: &[PathBuf]) -> bool {
    let Ok(real) = folder.canonicalize() else { return false };
    folder.is_absolute()
        && real.is_dir()
        && access(&real, Access::WRITE_OK | Access::EXEC_OK).is_ok()
        && !apart.iter().any(|other| real.starts_with(other))
        && real.ancestors().all(is_protected)
}

/// Whether other users cannot rename or delete entries of `folder`. In a user namespace, root's folders
/// belong to the overflow user.
fn is_protected(folder: &Path) -> bool {
    const OVERFLOW: u32 = 65534;
    folder.metadata().is_ok_and(|data| {
        let is_sticky = data.mode() & 0o1000 != 0;
        [0, OVERFLOW, getuid().as_raw()].contains(&data.uid())
            && (is_sticky || data.mode() & 0o022 == 0)
    })
}

/// A temporary file that only the user can read, removed when it is dropped. It is locked until then: other
/// commands remove unlocked files as leftovers of dead runs.
#[derive(Debug)]
pub struct RunFile {
    path: PathBuf,
    dir: Dir,
    name: OsString,
    /// The open file.
    pub file: File,
}

impl RunFile {
    /// Creates the empty file `path`.
    ///
    /// # Errors
    /// When it exists already, or cannot be created.
    pub fn new(path: &Path) -> io::Result<Self> {
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        let dir = Dir::open(parent)?;
        loop {
            let file = dir.create(name, 0o600)?;
            // Another command may hold the lock to check for leftovers, or have removed the file before
            // it was locked. On a file system without locks, the process id in the name protects it.
            let mut tries = 0..100;
            while matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock))
                && tries.next().is_some()
            {
                thread::sleep(Duration::from_millis(5));
            }
            if Stamp::of_file(&file)?.links > 0 {
                return Ok(Self { path: path.to_owned(), dir, name: name.to_owned(), file });
            }
        }
    }
}

impl Drop for RunFile {
    fn drop(&mut self) {
        if let Err(error) = self.dir.remove(&self.name)
            && error.kind() != io::ErrorKind::NotFound
        {
            terminal::say(format_args!(
                "warning: cannot remove the temporary file `{}`: {error}; delete it",
                self.path.display()
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        fs::{self, Permissions},
        os::unix::fs::PermissionsExt as _,
        path::PathBuf,
    };

    use super::file_of_run;
    use crate::{
        machine::{Host, isolation::Isolation},
        testing::host,
    };

    fn file(tmp: &str, apart: &[&str]) -> Result<String, String> {
        let host = Host { env: [("TMPDIR", tmp)].into_iter().collect(), ..host() };
        let apart: Vec<_> = apart.iter().map(PathBuf::from).collect();
        let file = file_of_run(&host, "ID", "cid", &apart);
        file.map(|file| file.to_string()).map_err(|error| error.to_string())
    }

    #[test]
    fn file_lies_where_neither_the_container_nor_another_user_can_replace_it() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        let tmp = root.join("results/tmp");
        fs::create_dir_all(&tmp).unwrap();
        let (tmp, results) = (tmp.to_str().unwrap(), root.join("results"));
        let own = format!("{tmp}/aienergyscore-ID-cid");
        let fallback = "/tmp/aienergyscore-ID-cid";
        let named = |apart: &[&str]| file(tmp, apart).unwrap();
        assert_eq!(named(&[]), own);
        assert_eq!(named(&[results.to_str().unwrap()]), fallback);
        for (mode, expected) in
            [(0o777, fallback), (0o775, fallback), (0o1777, &own), (0o1775, &own), (0o755, &own)]
        {
            fs::set_permissions(tmp, Permissions::from_mode(mode)).unwrap();
            assert_eq!(named(&[]), expected, "{mode:o}");
        }
        fs::set_permissions(&results, Permissions::from_mode(0o777)).unwrap();
        assert_eq!(named(&[]), fallback, "the folder itself can be replaced");
        assert_eq!(file("/nobody", &["/tmp", "/run"]).unwrap(), "/var/tmp/aienergyscore-ID-cid");
        let refused = file("/nobody", &["/"]).unwrap_err();
        assert!(refused.starts_with("no folder for the run's temporary files"), "{refused}");
    }

    #[test]
    fn files_lie_where_the_engine_sees_them() {
        let folder = tempfile::tempdir().unwrap();
        let own: PathBuf = folder.path().to_owned();
        let at = |isolation: Isolation, variables: &[(&str, &str)]| {
            let env = variables.iter().copied().collect();
            let host = Host { isolation, env, ..host() };
            let file = file_of_run(&host, "ID", "token", &[]).unwrap().to_string();
            file.strip_suffix("/aienergyscore-ID-token").unwrap().to_owned()
        };
        let none = Isolation::default;
        let shown = own.to_str().unwrap();
        assert_eq!(at(none(), &[]), "/tmp");
        let snap = Isolation { snap: Some(own.clone()), ..none() };
        assert_eq!(at(snap, &[("TMPDIR", "/var/tmp")]), shown);
        let container = Isolation { container: true, shared: vec![own.clone()], ..none() };
        assert_eq!(at(container.clone(), &[]), shown);
        assert_eq!(at(container.clone(), &[("TMPDIR", "/dev/shm")]), shown);
        let within = own.join("tmp");
        std::fs::create_dir(&within).unwrap();
        assert_eq!(
            at(container, &[("TMPDIR", within.to_str().unwrap())]),
            within.to_str().unwrap()
        );
        let private = Isolation { private_tmp: true, ..none() };
        assert_eq!(at(private, &[("XDG_RUNTIME_DIR", "/var/tmp")]), "/dev/shm");
    }
}
