//! A fake NVML, built from `nvml.c`, whose answers a test sets in files.

use std::{ffi::OsString, fs, path::PathBuf, process::Command};

/// A fake library for one test.
pub(crate) struct FakeNvml {
    folder: tempfile::TempDir,
}

impl FakeNvml {
    /// GPUs of these names, each with a counter at 0.
    pub(crate) fn new(names: &[&str]) -> Self {
        Self::with_flags(names, &[])
    }

    /// The same, built with extra compiler flags.
    pub(crate) fn with_flags(names: &[&str], flags: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/testing/nvml.c");
        let fake = Self { folder };
        let state = format!("-DSTATE=\"{}\"", fake.folder.path().display());
        // Rust links with `cc`, so it is installed.
        let status = Command::new("cc")
            .args(["-shared", "-fPIC", "-Wall", "-Werror", &state, source, "-o"])
            .arg(fake.library())
            .args(flags)
            .status()
            .unwrap();
        assert!(status.success());
        fake.set("count", &names.len().to_string());
        for (index, name) in names.iter().enumerate() {
            fake.set(&format!("{index}.name"), name);
            fake.set(&format!("{index}.uuid"), &format!("GPU-{index}{index}{index}{index}-uuid"));
            fake.set(&format!("{index}.energy"), "0");
        }
        fake
    }

    /// Path of the library.
    pub(crate) fn library(&self) -> OsString {
        self.folder.path().join("libnvidia-ml.so.1").into()
    }

    /// Writes an answer.
    pub(crate) fn set(&self, file: &str, text: &str) {
        // Renamed into place, so that another thread never reads half of it.
        let new: PathBuf = self.folder.path().join(format!("{file}.new"));
        fs::write(&new, text).unwrap();
        fs::rename(new, self.folder.path().join(file)).unwrap();
    }

    /// Removes an answer, so that the GPU does not support the function.
    pub(crate) fn remove(&self, file: &str) {
        fs::remove_file(self.folder.path().join(file)).unwrap();
    }

    /// Number of times that the energy of the GPU `index` was read.
    pub(crate) fn readings(&self, index: usize) -> u64 {
        fs::metadata(self.folder.path().join(format!("{index}.readings")))
            .map_or(0, |file| file.len())
    }
}
