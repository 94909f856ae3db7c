//! Home folders of other users.

use std::path::PathBuf;

/// Looks up the home folder of the user `name` in the user database.
pub(crate) fn home_of(name: &str) -> Option<PathBuf> {
    // A database that does not answer counts as an unknown user, as in Python.
    nix::unistd::User::from_name(name).ok()?.map(|user| user.dir)
}
