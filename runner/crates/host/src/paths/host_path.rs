//! A path that an engine can mount.

use std::{
    fmt,
    path::{Component, Path, PathBuf},
};

use serde::Serialize;

use crate::exit::Usage;

/// An absolute path of this machine that `--mount` accepts unchanged.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct HostPath(String);

impl HostPath {
    /// Makes `path` absolute below `cwd`, without `.` and double slashes.
    ///
    /// # Errors
    /// When no engine's `--mount` accepts the path (measured on Docker 20.10 and 28, Podman 4.3 and 5):
    /// one that is not UTF-8, or one with a carriage return before a line feed, which would silently
    /// mount another folder.
    pub fn new(what: &str, path: &Path, cwd: &Path) -> Result<Self, Usage> {
        let refuse = |why: &str| {
            let shown = path.to_string_lossy();
            Err(Usage(format!("{what} {shown:?} cannot be mounted: {why}; use another folder")))
        };
        let absolute: PathBuf =
            cwd.join(path).components().filter(|part| *part != Component::CurDir).collect();
        match absolute.to_str() {
            None => refuse("its name is not UTF-8"),
            Some(text) if text.contains("\r\n") => {
                refuse("its name holds a carriage return and a line feed in a row")
            }
            Some(text) => Ok(Self(text.to_owned())),
        }
    }

    /// Whether `--mount` needs quotes around it.
    pub fn needs_quotes(&self) -> bool {
        self.0.contains([',', '"', '\n', '\r'])
    }

    /// Resolves `..` on the disk as the kernel does. An engine that removes it from the text mounts another
    /// folder where a symlink is on the way.
    ///
    /// # Errors
    /// As [`HostPath::new`], for the resolved path.
    pub fn without_parents(self, what: &str) -> Result<Self, Usage> {
        if !self.as_path().components().any(|part| part == Component::ParentDir) {
            return Ok(self);
        }
        let mut real = PathBuf::new();
        for part in self.as_path().components() {
            if part == Component::ParentDir {
                real = real.canonicalize().unwrap_or(real);
                real.pop();
            } else {
                real.push(part);
            }
        }
        Self::new(what, &real, Path::new("/"))
    }

    /// The path as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The path.
    pub fn as_path(&self) -> &Path {
        Path::new(&self.0)
    }
}

impl fmt::Display for HostPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod properties;

#[cfg(test)]
mod tests {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt as _, path::Path};

    use super::HostPath;

    #[test]
    fn relative_paths_hang_below_the_working_directory() {
        let cases = [
            ("results", "/w/results"),
            ("./results/", "/w/results"),
            ("/a//b", "/a/b"),
            ("../x", "/w/../x"),
            ("a:b,c \"d\"\n\r", "/w/a:b,c \"d\"\n\r"),
        ];
        for (path, absolute) in cases {
            let made = HostPath::new("results", Path::new(path), Path::new("/w")).unwrap();
            assert_eq!(made.as_str(), absolute);
        }
    }

    #[test]
    fn parents_are_those_of_what_a_link_leads_to() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        std::fs::create_dir_all(root.join("deep/er")).unwrap();
        std::os::unix::fs::symlink("deep/er", root.join("link")).unwrap();
        let cases = [
            ("link/../results", "deep/results"),
            ("none/../results", "results"),
            ("link/x", "link/x"),
        ];
        for (path, place) in cases {
            let path = HostPath::new("results", &root.join(path), "/".as_ref()).unwrap();
            assert_eq!(path.without_parents("results").unwrap().as_path(), root.join(place));
        }
    }

    #[test]
    fn what_no_engine_carries_is_refused_in_words() {
        let refuse = |path: &Path| {
            HostPath::new("results folder", path, Path::new("/w")).unwrap_err().to_string()
        };
        insta::assert_snapshot!(refuse(Path::new("a\r\nb")), @r#"results folder "a\r\nb" cannot be mounted: its name holds a carriage return and a line feed in a row; use another folder"#);
        insta::assert_snapshot!(refuse(Path::new(OsStr::from_bytes(b"a\xff"))), @r#"results folder "a�" cannot be mounted: its name is not UTF-8; use another folder"#);
    }
}
