//! A library that stands in for NVIDIA's, and says what files say: `nvml.c`.

use std::{ffi::OsString, fs, path::PathBuf, process::Command};

/// The library, built anew for one test.
pub(crate) struct FakeNvml {
    folder: tempfile::TempDir,
}

impl FakeNvml {
    /// GPUs with a counter at 0, named as they are told.
    pub(crate) fn new(names: &[&str]) -> Self {
        Self::built(names, &[])
    }

    /// The same, built with flags of the compiler.
    pub(crate) fn built(names: &[&str], flags: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/testing/nvml.c");
        let fake = Self { folder };
        let state = format!("-DSTATE=\"{}\"", fake.folder.path().display());
        // The linker of Rust programs is one.
        let status = Command::new("cc")
            .args(["-shared", "-fPIC", "-Wall", "-Werror", &state, source, "-o"])
            .arg(fake.library())
            .args(flags)
            .status()
            .unwrap();
        assert!(status.success());
        fake.tell("count", &names.len().to_string());
        for (index, name) in names.iter().enumerate() {
            fake.tell(&format!("{index}.name"), name);
            fake.tell(&format!("{index}.uuid"), &format!("GPU-{index}{index}{index}{index}-uuid"));
            fake.tell(&format!("{index}.energy"), "0");
        }
        fake
    }

    /// Its path.
    pub(crate) fn library(&self) -> OsString {
        self.folder.path().join("libnvidia-ml.so.1").into()
    }

    /// Makes a file say this from now on.
    pub(crate) fn tell(&self, file: &str, text: &str) {
        // A reader in another thread sees the old one or the new one.
        let new: PathBuf = self.folder.path().join(format!("{file}.new"));
        fs::write(&new, text).unwrap();
        fs::rename(new, self.folder.path().join(file)).unwrap();
    }

    /// Makes a function one that the GPU does not support.
    pub(crate) fn forget(&self, file: &str) {
        fs::remove_file(self.folder.path().join(file)).unwrap();
    }
}
