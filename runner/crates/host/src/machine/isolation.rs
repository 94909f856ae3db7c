//! Containers, services and snaps that hide files or devices from this program or from an engine.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::machine::snap;

/// Files at the root of a container, below `/`.
const CONTAINERS: [&str; 2] = [".dockerenv", "run/.containerenv"];

/// Process name of Docker's daemon.
const DAEMON: &str = "dockerd";

/// Folders that systemd makes private to a service with `PrivateTmp=`.
pub const TEMPORARY: [&str; 2] = ["/tmp", "/var/tmp"];

/// Libraries of WSL2's GPU drivers, NVIDIA's among them if that driver is installed.
const WSL: &str = "usr/lib/wsl/lib";

/// How this program is isolated from the machine.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Isolation {
    /// Whether it runs in a container that has no Docker daemon of its own.
    pub container: bool,
    /// Whether its temporary folders are private to a service.
    pub private_tmp: bool,
    /// Folders that have the same path inside and outside of this container.
    pub shared: Vec<PathBuf>,
    /// Where Docker is a snap: the user's folder that its client can write to.
    pub snap: Option<PathBuf>,
    /// Whether WSL2 offers a GPU that may be NVIDIA's.
    pub wsl_gpu: bool,
}

impl Isolation {
    /// Inspects this machine for the user with this home folder.
    pub fn read(home: Option<&Path>) -> Self {
        Self { snap: snap::folder(home), ..Self::below(Path::new("/")) }
    }

    fn below(root: &Path) -> Self {
        let mounts = fs::read_to_string(root.join("proc/self/mountinfo")).unwrap_or_default();
        let container = CONTAINERS.iter().any(|file| root.join(file).exists());
        let container = container && !runs(root, DAEMON);
        Self {
            container,
            shared: if container { shared(&mounts) } else { vec![] },
            private_tmp: has_private_tmp(&mounts),
            snap: None,
            wsl_gpu: root.join("dev/dxg").exists() && is_nvidia(&root.join(WSL)),
        }
    }

    /// Whether an engine sees no folder at this path, or a different one.
    pub fn hides(&self, folder: &Path) -> bool {
        let is_own = self.private_tmp && TEMPORARY.iter().any(|tmp| folder.starts_with(tmp));
        let is_shared =
            self.shared.is_empty() || self.shared.iter().any(|it| folder.starts_with(it));
        is_own || !is_shared
    }
}

/// Whether `/proc/self/mountinfo` has a temporary folder that systemd made private.
fn has_private_tmp(mounts: &str) -> bool {
    mounts.lines().any(|line| {
        let mut fields = line.split(' ').skip(3);
        let (root, place) = (fields.next().unwrap_or_default(), fields.next().unwrap_or_default());
        root.contains("systemd-private-") && TEMPORARY.contains(&place)
    })
}

/// Bind mounts in `/proc/self/mountinfo` whose mount point ends with their path on the file system, so
/// that both sides have the same path. Octal escapes for blanks are not decoded.
fn shared(mounts: &str) -> Vec<PathBuf> {
    let bound = mounts.lines().filter_map(|line| {
        let mut fields = line.split(' ').skip(3);
        let (root, place) = (fields.next()?, Path::new(fields.next()?));
        let root = root.trim_start_matches('/');
        let is_same = !root.is_empty() && place.ends_with(root);
        (is_same && place.is_dir()).then(|| place.to_owned())
    });
    bound.collect()
}

/// Whether a process of this name is visible.
fn runs(root: &Path, name: &str) -> bool {
    let mut entries = root.join("proc").read_dir().into_iter().flatten().flatten();
    entries.any(|entry| {
        fs::read_to_string(entry.path().join("comm")).is_ok_and(|comm| comm.trim_end() == name)
    })
}

/// Whether WSL2's GPUs may be NVIDIA's: not if the library folder lacks NVIDIA's files.
fn is_nvidia(libraries: &Path) -> bool {
    let Ok(mut entries) = libraries.read_dir() else { return true };
    entries.any(|entry| {
        let name = entry.map(|entry| entry.file_name()).unwrap_or_default();
        ["libcuda.", "libnvidia"]
            .iter()
            .any(|it| name.as_encoded_bytes().starts_with(it.as_bytes()))
    })
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::Isolation;

    #[test]
    fn private_tmp_and_containers_are_detected() {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        fs::create_dir_all(at("proc/self")).unwrap();
        let plain = "39 25 8:1 / /tmp rw,relatime shared:1 - tmpfs tmpfs rw\n";
        fs::write(at("proc/self/mountinfo"), plain).unwrap();
        assert_eq!(Isolation::below(root.path()), Isolation::default());
        let private =
            "40 25 8:1 /tmp/systemd-private-0a-bench.service-x/tmp /tmp rw - ext4 /dev/sda1 rw\n";
        fs::write(at("proc/self/mountinfo"), format!("{plain}{private}")).unwrap();
        let found = Isolation::below(root.path());
        assert!(found.private_tmp && !found.container);
        assert!(found.hides(Path::new("/tmp/x")) && found.hides(Path::new("/var/tmp")));
        assert!(!found.hides(Path::new("/run/user/7")));
        fs::write(at(".dockerenv"), "").unwrap();
        assert!(Isolation::below(root.path()).container);
    }

    #[test]
    fn shared_folders_have_the_same_path_outside() {
        let folder = tempfile::tempdir().unwrap();
        let here = folder.path().to_str().unwrap();
        let mounts = format!(
            "1 0 0:50 / / rw - overlay overlay rw\n2 1 8:1 {here} {here} rw - ext4 /dev/sda1 rw\n\
             3 1 8:1 /var/lib/docker/volumes/v/_data /tmp rw - ext4 /dev/sda1 rw\n\
             4 1 8:1 /etc/hosts /etc/hosts rw - ext4 /dev/sda1 rw\n5 1 0:5 / /proc rw - proc proc rw\n"
        );
        assert_eq!(super::shared(&mounts), [folder.path()]);

        // A daemon in the same container sees the same files.
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        fs::create_dir_all(at("proc/self")).unwrap();
        fs::create_dir_all(at("proc/70")).unwrap();
        fs::write(at("proc/self/mountinfo"), &mounts).unwrap();
        fs::write(at(".dockerenv"), "").unwrap();
        let found = || Isolation::below(root.path());
        assert!(found().hides(Path::new("/tmp")) && !found().hides(&folder.path().join("x")));
        fs::write(at("proc/70/comm"), "dockerd\n").unwrap();
        assert!(!found().hides(Path::new("/tmp")));
    }

    #[test]
    fn gpu_of_wsl_counts_unless_its_libraries_exclude_nvidia() {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        let found = || Isolation::below(root.path()).wsl_gpu;
        assert!(!found());
        fs::create_dir_all(at("dev")).unwrap();
        fs::write(at("dev/dxg"), "").unwrap();
        assert!(found());
        fs::create_dir_all(at("usr/lib/wsl/lib")).unwrap();
        fs::write(at("usr/lib/wsl/lib/libd3d12core.so"), "").unwrap();
        assert!(!found());
        fs::write(at("usr/lib/wsl/lib/libcuda.so.1"), "").unwrap();
        assert!(found());
    }
}
