//! Folders of the user's, made and looked at as the user, before any engine sees them.

use std::{fs, io, os::unix::fs::MetadataExt as _, path::Path};

use anyhow::bail;
use host::{machine::Host, paths::host_path::HostPath, shell::shown_for_shell, users::subids::Ids};
use hub::{
    HubCache,
    layout::{LOCKS, has_store, is_client_path},
};
use rustix::{
    fs::{Access, access},
    io::Errno,
};
use untrusted::{Dir, Found, Kind, escape};

use crate::{leave, protected_behind};

/// What must be possible in a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Reading.
    Read,
    /// Reading; and a warning when writing is not.
    WriteOrWarn,
    /// Reading and writing.
    Write,
}

/// Makes the folder if it is missing, and tells whether it serves. The answer is a warning.
///
/// # Errors
/// When it cannot be made, is no folder, or does not allow what is needed.
pub fn ready(
    what: &str,
    path: &HostPath,
    host: &Host,
    need: Need,
) -> anyhow::Result<Option<String>> {
    let folder = path.as_path();
    if let Err(error) = fs::create_dir_all(folder) {
        bail!("{what} `{path}` cannot be made: {}", why_not_made(folder, &error, host));
    }
    if access(folder, Access::READ_OK | Access::EXEC_OK).is_err() {
        bail!("{what} `{path}` cannot be read: {}", owner_and_remedy(folder, host));
    }
    match (access(folder, Access::WRITE_OK), need) {
        (Ok(()), _) | (Err(_), Need::Read) => Ok(None),
        (Err(errno), Need::Write) => {
            bail!("{what} `{path}` cannot be written: {}", not_writable(errno, folder, host))
        }
        (Err(errno), Need::WriteOrWarn) => Ok(Some(format!(
            "{what} `{path}` cannot be written, so what is in it is used and nothing can be \
             downloaded into it: {}",
            not_writable(errno, folder, host)
        ))),
    }
}

fn not_writable(errno: Errno, folder: &Path, host: &Host) -> String {
    if errno == Errno::ROFS {
        return "its file system is read-only; choose another folder".to_owned();
    }
    owner_and_remedy(folder, host)
}

fn why_not_made(folder: &Path, error: &io::Error, host: &Host) -> String {
    let exists = |path: &&Path| fs::symlink_metadata(path).is_ok();
    let Some(nearest) = folder.ancestors().find(exists) else { return error.to_string() };
    let shown = nearest.display();
    match fs::metadata(nearest) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            format!("`{shown}` is a link to nothing; remove it, or make what it points to")
        }
        Err(error) if error.raw_os_error() == Some(Errno::LOOP.raw_os_error()) => {
            format!("`{shown}` is a symlink that leads back to itself; remove it")
        }
        Ok(data) if !data.is_dir() => format!("`{shown}` is not a folder; choose another path"),
        // It may be there: a chown of the one folder shows the other.
        Ok(_) if is_closed(nearest, folder) => {
            format!("`{shown}` is closed to you: {}", owner_and_remedy(nearest, host))
        }
        _ if error.kind() == io::ErrorKind::PermissionDenied => format!(
            "you may not write to `{shown}`; `sudo install -d -o {} -g {} {}` makes the folder for \
             you, or choose another",
            host.uid,
            host.gid,
            shown_for_shell(folder)
        ),
        _ => error.to_string(),
    }
}

/// Whether the folder `nearest` keeps `folder`, which is the same or below it, out of sight.
fn is_closed(nearest: &Path, folder: &Path) -> bool {
    let read = if nearest == folder { Access::READ_OK } else { Access::empty() };
    access(nearest, read | Access::EXEC_OK) == Err(Errno::ACCESS)
}

/// The folder on the way to `folder`, or itself, that is closed to the user, and what to do about it.
pub fn closed<'a>(folder: &'a Path, host: &Host) -> Option<(&'a Path, String)> {
    let nearest = folder.ancestors().find(|path| fs::metadata(path).is_ok())?;
    (nearest.is_dir() && is_closed(nearest, folder))
        .then(|| (nearest, owner_and_remedy(nearest, host)))
}

fn owner_and_remedy(folder: &Path, host: &Host) -> String {
    let uid = host.uid;
    match fs::metadata(folder) {
        // `/` and its folders are the system's: nobody should be told to take them.
        Ok(data) if data.uid() != uid && folder.components().count() <= 2 => format!(
            "it belongs to uid {}, you are uid {uid}; choose another folder, or make one below it",
            data.uid()
        ),
        // Without a group, because what a group shares stays the group's.
        Ok(data) if data.uid() != uid => format!(
            "it belongs to uid {}, you are uid {uid}; `sudo chown -hR {uid} {}` makes it yours, or \
             choose another folder",
            data.uid(),
            shown_for_shell(folder)
        ),
        Ok(_) => format!(
            "it is yours, but its mode forbids it; `chmod u+rwx {}`",
            shown_for_shell(folder)
        ),
        Err(error) => error.to_string(),
    }
}

/// A warning when folders in the upper levels of the cache belong to somebody else and are closed
/// to the user: the habit of running as root leaves them behind.
pub fn foreign_entries(cache: &HubCache, host: &Host) -> Option<String> {
    let hub = cache.hub.as_path();
    if protected_behind(hub, host.home.as_deref()).is_some() {
        return None;
    }
    let ids = Ids::of_this_machine(host);
    let dir = Dir::open(hub).ok()?;
    let has_store = has_store(&dir);
    let mut found = Vec::new();
    // A repair takes nothing else.
    dir.walk(2, |entry| {
        let Found::Entry { path, stamp } = entry else { return false };
        let is_foreign = stamp.kind == Kind::Folder
            && stamp.uid != host.uid
            && is_client_path(path, has_store)
            && leave(&stamp, &ids).is_none()
            && access(hub.join(path), Access::WRITE_OK | Access::READ_OK | Access::EXEC_OK)
                .is_err();
        if is_foreign {
            found.push(hub.join(path));
        }
        path == Path::new(LOCKS)
    });
    found.sort();
    let first = found.first()?;
    Some(format!(
        "{} folder(s) of the Hub cache belong to somebody else and are closed to you, first `{}`; \
         what they hold may be used, but downloads into them fail; \
         `aienergyscore cache repair --quick --yes` takes them back without sudo",
        found.len(),
        escape(&first.to_string_lossy()),
    ))
}

/// A warning when repos of the cache are links that a container cannot follow.
pub fn repos_out_of_sight(cache: &HubCache) -> Option<String> {
    let links = cache.repos_outside_mount();
    let first = links.first()?;
    Some(format!(
        "{} repo(s) of the Hub cache are links to another place, which a container does not see, \
         first `{}`; move the whole cache there and make `hub` itself the link, or name it in {}",
        links.len(),
        first.display(),
        contract::env::HF_HUB_CACHE
    ))
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use super::{Need, ready};
    use host::{paths::host_path::HostPath, testing::host};

    #[test]
    fn what_is_in_the_way_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        fs::write(root.join("file"), "").unwrap();
        symlink("nowhere", root.join("link")).unwrap();
        symlink("loop", root.join("loop")).unwrap();
        let refusal = |name: &str| {
            let path = HostPath::new("results folder", &root.join(name), root).unwrap();
            let error = ready("results folder", &path, &host(), Need::Write).unwrap_err();
            error.to_string().replace(root.to_str().unwrap(), "ROOT")
        };
        insta::assert_snapshot!(refusal("file"), @"results folder `ROOT/file` cannot be made: `ROOT/file` is not a folder; choose another path");
        insta::assert_snapshot!(refusal("file/below"), @"results folder `ROOT/file/below` cannot be made: `ROOT/file` is not a folder; choose another path");
        insta::assert_snapshot!(refusal("link"), @"results folder `ROOT/link` cannot be made: `ROOT/link` is a link to nothing; remove it, or make what it points to");
        insta::assert_snapshot!(refusal("loop"), @"results folder `ROOT/loop` cannot be made: `ROOT/loop` is a symlink that leads back to itself; remove it");
    }

    #[test]
    fn a_missing_folder_is_made() {
        let folder = tempfile::tempdir().unwrap();
        let path = HostPath::new("results folder", &folder.path().join("a b/c"), "/".as_ref());
        let path = path.unwrap();
        assert_eq!(ready("results folder", &path, &host(), Need::Write).unwrap(), None);
        assert!(path.as_path().is_dir());
    }
}
