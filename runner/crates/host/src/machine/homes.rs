//! Home folders of users, as `~USER` means them.

use std::path::PathBuf;

/// The user whose home `text` begins with, and the rest of it. The user of an empty name is the caller.
pub fn user(text: &str) -> Option<(&str, &str)> {
    let text = text.strip_prefix('~')?;
    Some(text.split_at(text.find('/').unwrap_or(text.len())))
}

/// The home folder of the user `name`, by the user database of this machine.
pub(crate) fn home_of(name: &str) -> Option<PathBuf> {
    // A database that does not answer knows nobody, as for Python.
    nix::unistd::User::from_name(name).ok()?.map(|user| user.dir)
}
