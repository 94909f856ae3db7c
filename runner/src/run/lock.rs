//! One run at a time in a results folder.

use std::{
    fs::{File, TryLockError},
    io::{self, Read as _, Seek as _, Write as _},
};

use anyhow::{Context as _, bail, ensure};
use contract::output::LOCK;
use host::paths::host_path::HostPath;
use reports::Folder;
use rustix::io::Errno;
use untrusted::{Dir, Refused, Stamp, escape};

/// More bytes than a run writes to the lock file.
const MOST_BYTES: u64 = 256;

/// Tries to open the lock file while others make and delete it.
const TRIES: usize = 16;

/// The right to write to a results folder. The kernel takes it back when the last process that
/// holds it ends, however it ends.
#[derive(Debug)]
pub(super) struct ResultsLock {
    file: File,
    folder: Folder,
}

impl ResultsLock {
    /// Takes the folder for the run `run_id`. The second value is a warning: some file
    /// systems have no locks.
    ///
    /// # Errors
    /// When another run has it, which is named, the lock file cannot be written, or something else
    /// is in its place.
    pub(super) fn take(results: &HostPath, run_id: &str) -> anyhow::Result<(Self, Option<String>)> {
        Self::take_by(File::try_lock, results, run_id)
    }

    fn take_by(
        lock: impl Fn(&File) -> Result<(), TryLockError>,
        results: &HostPath,
        run_id: &str,
    ) -> anyhow::Result<(Self, Option<String>)> {
        let folder = Folder::open(results.as_path())?;
        let shown = folder.shown(LOCK);
        let context = || format!("locking the results folder with `{shown}`");
        let mut file = match open(folder.dir()) {
            Ok(file) => file,
            Err(error) => match Refused::of(&error) {
                Some(Refused::Symlink) => {
                    bail!("`{shown}` is a symlink, and is not followed; delete it")
                }
                Some(Refused::NotAFile(kind)) => bail!("`{shown}` is {kind}; delete it"),
                _ if error.kind() == io::ErrorKind::PermissionDenied => {
                    return Err(error).with_context(|| {
                        format!("{}; a run as root may have left it, delete it then", context())
                    });
                }
                _ => return Err(error).with_context(context),
            },
        };
        let stamp = Stamp::of_file(&file).with_context(context)?;
        ensure!(
            stamp.links <= 1,
            "`{shown}` is a hard link to another file, and is not written to; delete it"
        );
        let warning = match lock(&file) {
            Ok(()) => None,
            Err(TryLockError::WouldBlock) => {
                bail!(
                    "the results folder `{results}` is in use by run {}; wait for it, or choose \
                     another folder with --results",
                    escape(said(&mut file).with_context(context)?.trim())
                );
            }
            Err(TryLockError::Error(error)) if has_no_locks(&error) => Some(format!(
                "the file system of the results folder `{results}` has no locks ({error}), so two \
                 runs into this folder are not kept apart; give each run a folder of its own with \
                 --results"
            )),
            Err(TryLockError::Error(error)) => return Err(error).with_context(context),
        };
        file.set_len(0).with_context(context)?;
        file.rewind().with_context(context)?;
        // One write: a full disk leaves nothing of it.
        let text = format!("{run_id} (process {})\n", std::process::id());
        file.write_all(text.as_bytes()).with_context(context)?;
        Ok((Self { file, folder }, warning))
    }

    /// A second holder, as a file.
    pub(super) fn shared_file(&self) -> io::Result<File> {
        self.file.try_clone()
    }

    /// Puts a lock file where the container deleted it, or left something in its place: it tells
    /// that the folder is one of runs.
    ///
    /// # Errors
    /// When the folder cannot be written, or a folder is in the place.
    pub(super) fn renew(&self) -> anyhow::Result<()> {
        let id = |stamp: Stamp| (stamp.device, stamp.inode);
        let renewing = || format!("making the lock file `{}` again", self.folder.shown(LOCK));
        let own = Stamp::of_file(&self.file).with_context(renewing)?;
        let dir = self.folder.dir();
        if dir.look(LOCK).is_ok_and(|there| id(there) == id(own)) {
            return Ok(());
        }
        dir.write(LOCK, b"").with_context(renewing)
    }

    /// The folder, opened once.
    pub(super) const fn folder(&self) -> &Folder {
        &self.folder
    }
}

/// Opens the lock file, and makes it if it is missing. One that is there is opened without a word
/// of making it: the kernel refuses that in a folder of everybody's when it is another user's.
fn open(folder: &Dir) -> io::Result<File> {
    for _ in 0..TRIES {
        match folder.file_to_write(LOCK) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            opened => return opened,
        }
        match folder.create(LOCK, 0o666) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            created => return created,
        }
    }
    Err(io::Error::other("it is made and deleted again and again"))
}

/// The begin of what is in a lock file.
fn said(file: &mut File) -> io::Result<String> {
    let mut bytes = Vec::new();
    file.rewind()?;
    file.take(MOST_BYTES).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Whether the file system cannot lock at all, as Lustre mounted without `flock` and NFS without
/// its lock service.
fn has_no_locks(error: &io::Error) -> bool {
    let answers = [Errno::NOSYS, Errno::OPNOTSUPP, Errno::NOLCK];
    Errno::from_io_error(error).is_some_and(|errno| answers.contains(&errno))
}

#[cfg(test)]
mod tests {
    use std::{
        fs::{self, TryLockError},
        io,
        os::unix::{fs::symlink, net::UnixListener},
    };

    use rustix::{
        fs::{CWD, FileType, Mode, mknodat},
        io::Errno,
    };

    use super::ResultsLock;
    use host::paths::host_path::HostPath;

    #[test]
    fn the_second_run_is_told_of_the_first() {
        let folder = tempfile::tempdir().unwrap();
        let results = HostPath::new("results folder", folder.path(), "/".as_ref()).unwrap();
        let (first, warning) = ResultsLock::take(&results, "first-run").unwrap();
        assert_eq!(warning, None);
        let error = ResultsLock::take(&results, "second-run").unwrap_err().to_string();
        assert!(error.contains("in use by run first-run (process "), "{error}");
        drop(first);
        ResultsLock::take(&results, "third-run").unwrap();
    }

    #[test]
    fn a_file_system_without_locks_is_a_warning() {
        let folder = tempfile::tempdir().unwrap();
        let results = HostPath::new("results folder", folder.path(), "/".as_ref()).unwrap();
        let take = |errno: Errno| {
            let fails = |_: &_| Err(TryLockError::Error(io::Error::from(errno)));
            ResultsLock::take_by(fails, &results, "run")
        };
        for errno in [Errno::NOSYS, Errno::OPNOTSUPP, Errno::NOLCK] {
            let (_, warning) = take(errno).unwrap();
            assert!(warning.unwrap().contains("are not kept apart"), "{errno}");
        }
        assert!(format!("{:#}", take(Errno::IO).unwrap_err()).contains("locking the results"));
    }

    #[test]
    fn what_is_no_lock_file_is_refused_and_stays_as_it_is() {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        fs::create_dir(at("results")).unwrap();
        fs::write(at("mine"), "precious").unwrap();
        let lock = at("results/.aienergyscore.lock");
        let results = HostPath::new("results folder", &at("results"), "/".as_ref()).unwrap();
        let refused = || {
            let error = ResultsLock::take(&results, "run").unwrap_err();
            if lock.is_dir() { fs::remove_dir(&lock) } else { fs::remove_file(&lock) }.unwrap();
            format!("{error:#}").replace(root.path().to_str().unwrap(), "")
        };
        let mut said = vec![];
        symlink("../mine", &lock).unwrap();
        said.push(refused());
        symlink("nowhere", &lock).unwrap();
        said.push(refused());
        fs::hard_link(at("mine"), &lock).unwrap();
        said.push(refused());
        mknodat(CWD, &lock, FileType::Fifo, Mode::RWXU, 0).unwrap();
        said.push(refused());
        fs::create_dir(&lock).unwrap();
        said.push(refused());
        let socket = UnixListener::bind(&lock).unwrap();
        said.push(refused());
        drop(socket);
        insta::assert_snapshot!(said.join("\n"), @r"
        `/results/.aienergyscore.lock` is a symlink, and is not followed; delete it
        `/results/.aienergyscore.lock` is a symlink, and is not followed; delete it
        `/results/.aienergyscore.lock` is a hard link to another file, and is not written to; delete it
        `/results/.aienergyscore.lock` is a FIFO; delete it
        `/results/.aienergyscore.lock` is a folder; delete it
        `/results/.aienergyscore.lock` is a socket; delete it
        ");
        assert_eq!(fs::read_to_string(at("mine")).unwrap(), "precious");
    }

    #[test]
    fn a_lock_file_that_the_container_deleted_or_replaced_is_made_again() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("mine"), "precious").unwrap();
        let results = root.path().join("results");
        fs::create_dir(&results).unwrap();
        let lock = results.join(".aienergyscore.lock");
        let results = HostPath::new("results folder", &results, "/".as_ref()).unwrap();
        let (held, _) = ResultsLock::take(&results, "run").unwrap();
        held.renew().unwrap();
        assert!(fs::read_to_string(&lock).unwrap().starts_with("run (process "));
        fs::remove_file(&lock).unwrap();
        held.renew().unwrap();
        assert_eq!(fs::read_to_string(&lock).unwrap(), "");
        fs::remove_file(&lock).unwrap();
        symlink("../mine", &lock).unwrap();
        held.renew().unwrap();
        assert!(!lock.is_symlink());
        assert_eq!(fs::read_to_string(root.path().join("mine")).unwrap(), "precious");
    }

    #[test]
    fn another_runs_id_is_shown_on_one_line() {
        let folder = tempfile::tempdir().unwrap();
        let results = HostPath::new("results folder", folder.path(), "/".as_ref()).unwrap();
        let _first = ResultsLock::take(&results, "first-run").unwrap();
        fs::write(folder.path().join(".aienergyscore.lock"), "x\n\u{1b}[2Jy (process 7)").unwrap();
        let error = ResultsLock::take(&results, "second-run").unwrap_err().to_string();
        assert!(error.contains("in use by run x\\n\\u{1b}[2Jy (process 7); wait"), "{error}");
    }
}
