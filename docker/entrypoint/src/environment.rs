//! This process's variables and name, read in one place; other modules are given their values.

use std::{
    collections::HashMap,
    env,
    ffi::{OsStr, OsString},
    os::unix::process::CommandExt as _,
    path::PathBuf,
    process::Command,
};

use contract::{env::RESULTS_DIR, path};

/// Environment variables by name.
#[derive(Debug, Clone, Default)]
pub(crate) struct Environment(HashMap<OsString, OsString>);

impl Environment {
    /// Reads the variables of this process.
    pub(crate) fn read() -> Self {
        env::vars_os().collect()
    }

    /// The value of a variable. An empty one counts as unset.
    pub(crate) fn get(&self, name: &str) -> Option<&OsStr> {
        self.0.get(OsStr::new(name)).map(OsString::as_os_str).filter(|value| !value.is_empty())
    }

    /// Whether a variable is set, even to the empty string.
    pub(crate) fn is_set(&self, name: &str) -> bool {
        self.0.contains_key(OsStr::new(name))
    }

    /// The results folder: `RESULTS_DIR`, or the image's own.
    pub(crate) fn results_folder(&self) -> PathBuf {
        self.get(RESULTS_DIR).map_or_else(|| path::RESULTS.into(), PathBuf::from)
    }
}

impl<N: Into<OsString>, V: Into<OsString>> FromIterator<(N, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(variables: I) -> Self {
        Self(variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }
}

/// A command that starts this program again, under the same name. It does not use the path that the
/// program was started by: an update of that file would start another program.
pub(crate) fn this_program() -> Command {
    let mut command = Command::new("/proc/self/exe");
    if let Some(name) = env::args_os().next() {
        command.arg0(name);
    }
    command
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::Environment;

    #[test]
    fn empty_results_dir_counts_as_unset() {
        let folder =
            |value: &str| Environment::from_iter([("RESULTS_DIR", value)]).results_folder();
        assert_eq!(Environment::default().results_folder(), Path::new("/results"));
        assert_eq!(folder(""), Path::new("/results"));
        assert_eq!(folder("/r"), Path::new("/r"));
    }
}
