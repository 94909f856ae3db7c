//! The build context: exactly the files that the Dockerfile copies, as a reproducible archive.

mod entry;
pub(super) mod stacks;

use std::path::Path;

use anyhow::Context as _;
use contract::{Flavour, path};

pub(super) use self::entry::{Content, Entry};
use self::entry::{EXECUTABLE, READABLE, WORLD_WRITABLE};

/// The Dockerfile, relative to the workspace.
pub(super) const DOCKERFILE: &str = "docker/Dockerfile";

/// Folder of the files that the Dockerfile copies into every flavour.
pub(super) const ROOTFS: &str = "rootfs";
/// Folder of the files that the Dockerfile also copies into flavours without a base image.
pub(super) const SCRATCH: &str = "scratch";

/// Accounts of flavours without a base image. `$USER` makes every uid known as `user`.
const PASSWD: &str =
    "root:x:0:0:root:/root:/sbin/nologin\nuser:x:1000:1000:user:/home/user:/sbin/nologin\n";
const GROUP: &str = "root:x:0:\nuser:x:1000:\n";

/// The context of `flavour` without the entrypoint, which is a build result.
///
/// # Errors
/// When a source cannot be read.
pub(super) fn sources(root: &Path, flavour: Flavour) -> anyhow::Result<Vec<Entry>> {
    let mut entries = skeleton();
    entries.extend(stacks::entries(root, flavour)?);
    entries.push(Entry::read("Dockerfile", READABLE, &root.join(DOCKERFILE))?);
    Ok(entries)
}

/// Accounts, and the folders that every image has.
fn skeleton() -> Vec<Entry> {
    let mut entries = Vec::new();
    add_folders(&mut entries, SCRATCH, "/etc", EXECUTABLE);
    for (path, text) in [("/etc/passwd", PASSWD), ("/etc/group", GROUP)] {
        entries.push(Entry::file(&format!("{SCRATCH}{path}"), READABLE, text.into()));
    }
    add_folders(&mut entries, SCRATCH, "/tmp", WORLD_WRITABLE);
    for writable in [path::HOME, path::HF_HOME, path::RESULTS, path::HUB_CACHE] {
        add_folders(&mut entries, ROOTFS, writable, WORLD_WRITABLE);
    }
    for file in [path::TOKEN, path::ENTRYPOINT] {
        let (folder, _name) = file.rsplit_once('/').expect("the contract's paths are absolute");
        add_folders(&mut entries, ROOTFS, folder, EXECUTABLE);
    }
    entries
}

/// The whole context as a tar archive.
///
/// # Errors
/// When a source or the program cannot be read.
pub(super) fn archive(
    root: &Path,
    flavour: Flavour,
    program: &Path,
    ca_bundle: Option<Vec<u8>>,
) -> anyhow::Result<Vec<u8>> {
    let mut entries = sources(root, flavour)?;
    entries.push(Entry::read(&format!("{ROOTFS}{}", path::ENTRYPOINT), EXECUTABLE, program)?);
    entries.extend(ca_bundle.map(stacks::ca_bundle));
    pack(&entries).context("packing the build context")
}

/// Adds a folder and its parents, once each. Folders below a writable one are writable, too: a
/// program that writes to the home folder also writes to `.cache` in it.
fn add_folders(entries: &mut Vec<Entry>, tree: &str, path: &str, mode: u32) {
    let ends = path.match_indices('/').map(|(at, _)| at).chain([path.len()]);
    let mut parent = EXECUTABLE;
    for end in ends {
        let folder = format!("{tree}{}", &path[..end]);
        match entries.iter().find(|entry| entry.path == folder) {
            Some(known) => parent = known.mode,
            None => {
                parent = if end == path.len() { mode } else { parent };
                entries.push(Entry::folder(&folder, parent));
            }
        }
    }
}

/// A tar archive without owners and times, so that equal entries make equal archives.
fn pack(entries: &[Entry]) -> std::io::Result<Vec<u8>> {
    let mut archive = tar::Builder::new(Vec::new());
    for Entry { path, mode, content } in entries {
        let (kind, bytes) = match content {
            Content::Folder => (tar::EntryType::Directory, [].as_slice()),
            Content::File(bytes) => (tar::EntryType::Regular, bytes.as_slice()),
        };
        let mut header = tar::Header::new_ustar();
        header.set_entry_type(kind);
        header.set_mode(*mode);
        header.set_size(bytes.len() as u64);
        archive.append_data(&mut header, path, bytes)?;
    }
    archive.into_inner()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use contract::{Flavour, path};

    use super::{archive, skeleton, sources};
    use crate::workspace;

    #[test]
    fn any_uid_can_write_to_home_results_and_cache() {
        let list = skeleton().iter().map(ToString::to_string).collect::<String>();
        insta::assert_snapshot!(list, @r"
        0755 scratch/
        0755 scratch/etc/
        0644 scratch/etc/passwd
        0644 scratch/etc/group
        1777 scratch/tmp/
        0755 rootfs/
        0755 rootfs/home/
        1777 rootfs/home/user/
        1777 rootfs/home/user/.cache/
        1777 rootfs/home/user/.cache/huggingface/
        1777 rootfs/results/
        1777 rootfs/hub_cache/
        0755 rootfs/run/
        0755 rootfs/run/secrets/
        0755 rootfs/usr/
        0755 rootfs/usr/local/
        0755 rootfs/usr/local/bin/
        ");
    }

    #[test]
    fn equal_sources_make_equal_archives() {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("program");
        fs::write(&program, "elf").unwrap();
        let pack = |bundle| archive(workspace::root(), Flavour::Cpu, &program, bundle).unwrap();
        let first = pack(None);
        fs::remove_file(&program).unwrap();
        fs::write(&program, "elf").unwrap();
        assert_eq!(pack(None), first);

        let bundled = pack(Some(b"pem".to_vec()));
        let mut unpacked = tar::Archive::new(bundled.as_slice());
        let modes = unpacked.entries().unwrap().map(|entry| {
            let entry = entry.unwrap();
            let path = entry.path().unwrap().to_string_lossy().into_owned();
            (path, entry.header().mode().unwrap(), entry.header().mtime().unwrap())
        });
        let sources = sources(workspace::root(), Flavour::Cpu).unwrap().len();
        let last = modes.collect::<Vec<_>>().split_off(sources - 1);
        let program = format!("rootfs{}", path::ENTRYPOINT);
        assert_eq!(
            last,
            [
                ("Dockerfile".to_owned(), 0o644, 0),
                (program, 0o755, 0),
                ("requirements/ca-bundle.pem".to_owned(), 0o644, 0)
            ]
        );
    }
}
