//! One run at a time in a results folder.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{Read as _, Seek as _, Write as _},
};

use anyhow::{Context as _, bail};

use crate::host_path::HostPath;

/// Name of the lock file in the results folder. It stays: removing it would let two runs lock
/// two files of one name.
const NAME: &str = ".aienergyscore.lock";

/// The right to write to a results folder. The kernel takes it back when the last process that
/// holds it ends, however it ends.
#[derive(Debug)]
pub struct ResultsLock {
    file: File,
}

impl ResultsLock {
    /// Takes the folder for the run `run_id`.
    ///
    /// # Errors
    /// When another run has it, which is named, or the lock file cannot be written.
    pub fn take(results: &HostPath, run_id: &str) -> anyhow::Result<Self> {
        let path = results.as_path().join(NAME);
        let context = || format!("locking the results folder with `{}`", path.display());
        let open =
            OpenOptions::new().create(true).truncate(false).read(true).write(true).open(&path);
        let mut file = open.with_context(|| {
            format!("{}; a run as root may have left it, delete it then", context())
        })?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut first = String::new();
                file.read_to_string(&mut first).with_context(context)?;
                bail!(
                    "the results folder `{results}` is in use by run {}; wait for it, or choose \
                     another folder with --results",
                    first.trim()
                );
            }
            Err(TryLockError::Error(error)) => return Err(error).with_context(context),
        }
        file.set_len(0).with_context(context)?;
        file.rewind().with_context(context)?;
        writeln!(file, "{run_id} (process {})", std::process::id()).with_context(context)?;
        Ok(Self { file })
    }

    /// A second holder, as a file.
    pub(super) fn shared_file(&self) -> std::io::Result<File> {
        self.file.try_clone()
    }
}

#[cfg(test)]
mod tests {
    use super::ResultsLock;
    use crate::host_path::HostPath;

    #[test]
    fn the_second_run_is_told_of_the_first() {
        let folder = tempfile::tempdir().unwrap();
        let results = HostPath::new("results folder", folder.path(), "/".as_ref()).unwrap();
        let first = ResultsLock::take(&results, "first-run").unwrap();
        let error = ResultsLock::take(&results, "second-run").unwrap_err().to_string();
        assert!(error.contains("in use by run first-run (process "), "{error}");
        drop(first);
        ResultsLock::take(&results, "third-run").unwrap();
    }
}
