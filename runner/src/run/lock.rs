//! One run at a time in a results folder.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{self, Read as _, Seek as _, Write as _},
};

use anyhow::{Context as _, bail};
use rustix::io::Errno;

use crate::host_path::HostPath;

/// Name of the lock file in the results folder. It stays: removing it would let two runs lock
/// two files of one name.
const NAME: &str = ".aienergyscore.lock";

/// The right to write to a results folder. The kernel takes it back when the last process that
/// holds it ends, however it ends.
#[derive(Debug)]
pub(super) struct ResultsLock {
    file: File,
}

impl ResultsLock {
    /// Takes the folder for the run `run_id`. The second value is a doubt that the user should
    /// hear of: some file systems have no locks.
    ///
    /// # Errors
    /// When another run has it, which is named, or the lock file cannot be written.
    pub(super) fn take(results: &HostPath, run_id: &str) -> anyhow::Result<(Self, Option<String>)> {
        Self::take_by(File::try_lock, results, run_id)
    }

    fn take_by(
        lock: impl Fn(&File) -> Result<(), TryLockError>,
        results: &HostPath,
        run_id: &str,
    ) -> anyhow::Result<(Self, Option<String>)> {
        let path = results.as_path().join(NAME);
        let context = || format!("locking the results folder with `{}`", path.display());
        let open =
            OpenOptions::new().create(true).truncate(false).read(true).write(true).open(&path);
        let mut file = open.with_context(|| {
            format!("{}; a run as root may have left it, delete it then", context())
        })?;
        let doubt = match lock(&file) {
            Ok(()) => None,
            Err(TryLockError::WouldBlock) => {
                let mut first = String::new();
                file.read_to_string(&mut first).with_context(context)?;
                bail!(
                    "the results folder `{results}` is in use by run {}; wait for it, or choose \
                     another folder with --results",
                    first.trim()
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
        writeln!(file, "{run_id} (process {})", std::process::id()).with_context(context)?;
        Ok((Self { file }, doubt))
    }

    /// A second holder, as a file.
    pub(super) fn shared_file(&self) -> io::Result<File> {
        self.file.try_clone()
    }
}

/// Whether the file system cannot lock at all, as Lustre mounted without `flock` and NFS without
/// its lock service.
fn has_no_locks(error: &io::Error) -> bool {
    let answers = [Errno::NOSYS, Errno::OPNOTSUPP, Errno::NOLCK];
    Errno::from_io_error(error).is_some_and(|errno| answers.contains(&errno))
}

#[cfg(test)]
mod tests {
    use std::{fs::TryLockError, io};

    use rustix::io::Errno;

    use super::ResultsLock;
    use crate::host_path::HostPath;

    #[test]
    fn the_second_run_is_told_of_the_first() {
        let folder = tempfile::tempdir().unwrap();
        let results = HostPath::new("results folder", folder.path(), "/".as_ref()).unwrap();
        let (first, doubt) = ResultsLock::take(&results, "first-run").unwrap();
        assert_eq!(doubt, None);
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
            let (_, doubt) = take(errno).unwrap();
            assert!(doubt.unwrap().contains("are not kept apart"), "{errno}");
        }
        assert!(format!("{:#}", take(Errno::IO).unwrap_err()).contains("locking the results"));
    }
}
