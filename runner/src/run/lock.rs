//! The lock of a results folder: one run at a time.

use std::{
    fs::{File, TryLockError},
    io::{self, Read as _, Seek as _, Write as _},
};

use anyhow::{Context as _, bail, ensure};
use backend_reports::Folder;
use contract::output::LOCK;
use host::paths::host_path::HostPath;
use rustix::io::Errno;
use untrusted::{Dir, Refused, Stamp, escape};

/// Size limit of the lock file, more than a run writes to it.
const MAX_BYTES: u64 = 256;

/// Attempts to open the lock file while other processes create and delete it.
const ATTEMPTS: usize = 16;

/// The lock of a results folder. The kernel releases it when the last process that holds it ends.
#[derive(Debug)]
pub(super) struct ResultsLock {
    file: File,
    folder: Folder,
}

impl ResultsLock {
    /// Locks the folder for the run `run_id`. The second value is a warning about a file system without
    /// locks.
    ///
    /// # Errors
    /// When another run holds the lock, or the lock file is not a plain file that can be written.
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
                    escape(holder(&mut file).with_context(context)?.trim())
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
        // One write, so that a full disk leaves no truncated line.
        let text = format!("{run_id} (process {})\n", std::process::id());
        file.write_all(text.as_bytes()).with_context(context)?;
        Ok((Self { file, folder }, warning))
    }

    /// The lock for a second holder.
    pub(super) fn shared_file(&self) -> io::Result<File> {
        self.file.try_clone()
    }

    /// Creates the lock file again if the container deleted or replaced it. The file marks the folder as
    /// a results folder.
    ///
    /// # Errors
    /// When the folder cannot be written to, or a folder has the name.
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

    /// The open results folder.
    pub(super) const fn folder(&self) -> &Folder {
        &self.folder
    }
}

/// Opens the lock file, or creates it if it is missing. An existing file is opened without `O_CREAT`: the
/// kernel refuses that for another user's file in a sticky folder (`fs.protected_regular`).
fn open(folder: &Dir) -> io::Result<File> {
    for _ in 0..ATTEMPTS {
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

/// Text in the lock file, which names the run that holds the lock.
fn holder(file: &mut File) -> io::Result<String> {
    let mut bytes = Vec::new();
    file.rewind()?;
    file.take(MAX_BYTES).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Whether the file system has no locks, like Lustre without the mount option `flock` and NFS without its
/// lock service.
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

    use host::paths::host_path::HostPath;
    use rustix::{
        fs::{CWD, FileType, Mode, mknodat},
        io::Errno,
    };

    use super::ResultsLock;

    #[test]
    fn second_run_is_refused_and_the_first_is_named() {
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
    fn file_system_without_locks_is_a_warning() {
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
    fn other_file_in_place_of_the_lock_is_refused_and_unchanged() {
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
        let mut errors = vec![];
        symlink("../mine", &lock).unwrap();
        errors.push(refused());
        symlink("nowhere", &lock).unwrap();
        errors.push(refused());
        fs::hard_link(at("mine"), &lock).unwrap();
        errors.push(refused());
        mknodat(CWD, &lock, FileType::Fifo, Mode::RWXU, 0).unwrap();
        errors.push(refused());
        fs::create_dir(&lock).unwrap();
        errors.push(refused());
        let socket = UnixListener::bind(&lock).unwrap();
        errors.push(refused());
        drop(socket);
        insta::assert_snapshot!(errors.join("\n"), @r"
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
    fn deleted_or_replaced_lock_file_is_created_again() {
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
    fn id_of_another_run_is_escaped() {
        let folder = tempfile::tempdir().unwrap();
        let results = HostPath::new("results folder", folder.path(), "/".as_ref()).unwrap();
        let _first = ResultsLock::take(&results, "first-run").unwrap();
        fs::write(folder.path().join(".aienergyscore.lock"), "x\n\u{1b}[2Jy (process 7)").unwrap();
        let error = ResultsLock::take(&results, "second-run").unwrap_err().to_string();
        assert!(error.contains("in use by run x\\n\\u{1b}[2Jy (process 7); wait"), "{error}");
    }
}
