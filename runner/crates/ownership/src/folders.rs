//! Folders of a run: created and checked as the user, before an engine mounts them.

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

use crate::{why_protected, why_skipped};

/// The access that a run needs to a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Read access.
    Read,
    /// Read access, and a warning without write access.
    WriteOrWarn,
    /// Read and write access.
    Write,
}

/// Creates the folder if it is missing, and checks access to it. Returns a warning.
///
/// # Errors
/// When it cannot be created, is not a folder, or denies the needed access.
pub fn prepare_folder(
    what: &str,
    path: &HostPath,
    host: &Host,
    need: Need,
) -> anyhow::Result<Option<String>> {
    let folder = path.as_path();
    if let Err(error) = fs::create_dir_all(folder) {
        bail!("{what} `{path}` cannot be made: {}", creation_error(folder, &error, host));
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

fn creation_error(folder: &Path, error: &io::Error, host: &Host) -> String {
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
        // The folder may exist behind `nearest`: the owner of `nearest` is what must change.
        Ok(_) if is_denied(nearest, folder) => {
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

/// Whether permissions of the folder `nearest` deny access to `folder`, which is the same or below.
fn is_denied(nearest: &Path, folder: &Path) -> bool {
    let read = if nearest == folder { Access::READ_OK } else { Access::empty() };
    access(nearest, read | Access::EXEC_OK) == Err(Errno::ACCESS)
}

/// The parent of `folder`, or `folder` itself, that denies access to the user, and a remedy.
pub fn denied<'a>(folder: &'a Path, host: &Host) -> Option<(&'a Path, String)> {
    let nearest = folder.ancestors().find(|path| fs::metadata(path).is_ok())?;
    (nearest.is_dir() && is_denied(nearest, folder))
        .then(|| (nearest, owner_and_remedy(nearest, host)))
}

fn owner_and_remedy(folder: &Path, host: &Host) -> String {
    let uid = host.uid;
    match fs::metadata(folder) {
        // Never suggest to take ownership of `/` or a top-level folder.
        Ok(data) if data.uid() != uid && folder.components().count() <= 2 => format!(
            "it belongs to uid {}, you are uid {uid}; choose another folder, or make one below it",
            data.uid()
        ),
        // `chown` without a group keeps folders shared that a group shares.
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

/// A warning when folders at the top of the cache belong to another user and deny access. Runs as
/// root leave such folders behind.
pub fn foreign_cache_folders(cache: &HubCache, host: &Host) -> Option<String> {
    let hub = cache.hub.as_path();
    if why_protected(hub, host.home.as_deref()).is_some() {
        return None;
    }
    let ids = Ids::of_this_machine(host);
    let dir = Dir::open(hub).ok()?;
    let has_store = has_store(&dir);
    let mut found = Vec::new();
    // `cache repair` changes the owner of these only.
    dir.walk(2, |entry| {
        let Found::Entry { path, stamp } = entry else { return false };
        let is_foreign = stamp.kind == Kind::Folder
            && stamp.uid != host.uid
            && is_client_path(path, has_store)
            && why_skipped(&stamp, &ids).is_none()
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

/// A warning when repos of the cache are symlinks that a container cannot follow.
pub fn repos_outside_cache(cache: &HubCache) -> Option<String> {
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

    use host::{paths::host_path::HostPath, testing::host};

    use super::{Need, prepare_folder};

    #[test]
    fn obstacle_in_the_path_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        fs::write(root.join("file"), "").unwrap();
        symlink("nowhere", root.join("link")).unwrap();
        symlink("loop", root.join("loop")).unwrap();
        let refusal = |name: &str| {
            let path = HostPath::new("results folder", &root.join(name), root).unwrap();
            let error = prepare_folder("results folder", &path, &host(), Need::Write).unwrap_err();
            error.to_string().replace(root.to_str().unwrap(), "ROOT")
        };
        insta::assert_snapshot!(refusal("file"), @"results folder `ROOT/file` cannot be made: `ROOT/file` is not a folder; choose another path");
        insta::assert_snapshot!(refusal("file/below"), @"results folder `ROOT/file/below` cannot be made: `ROOT/file` is not a folder; choose another path");
        insta::assert_snapshot!(refusal("link"), @"results folder `ROOT/link` cannot be made: `ROOT/link` is a link to nothing; remove it, or make what it points to");
        insta::assert_snapshot!(refusal("loop"), @"results folder `ROOT/loop` cannot be made: `ROOT/loop` is a symlink that leads back to itself; remove it");
    }

    #[test]
    fn missing_folder_is_created() {
        let folder = tempfile::tempdir().unwrap();
        let path = HostPath::new("results folder", &folder.path().join("a b/c"), "/".as_ref());
        let path = path.unwrap();
        assert_eq!(prepare_folder("results folder", &path, &host(), Need::Write).unwrap(), None);
        assert!(path.as_path().is_dir());
    }
}
