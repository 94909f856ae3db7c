//! What surrounds this program and hides files or devices from it or from an engine.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::snap;

/// Files that containers have at their root.
const CONTAINERS: [&str; 2] = [".dockerenv", "run/.containerenv"];

/// Folders that systemd makes for a service alone where its unit says `PrivateTmp=`.
pub(crate) const TEMPORARY: [&str; 2] = ["/tmp", "/var/tmp"];

/// The libraries that WSL2 brings for its GPUs; NVIDIA's are there with NVIDIA's driver.
const WSL: &str = "usr/lib/wsl/lib";

/// What surrounds this program.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Surroundings {
    /// Whether it is in a container.
    pub container: bool,
    /// Whether its temporary folders are a service's own.
    pub private_tmp: bool,
    /// The user's folder that Docker's client may write to, where Docker is a snap.
    pub snap: Option<PathBuf>,
    /// Whether there is a GPU of WSL2, which may be NVIDIA's.
    pub wsl_gpu: bool,
}

impl Surroundings {
    /// Looks at this machine, for a user with this home.
    pub(crate) fn read(home: Option<&Path>) -> Self {
        Self { snap: snap::folder(home), ..Self::below(Path::new("/")) }
    }

    fn below(root: &Path) -> Self {
        let mounts = fs::read_to_string(root.join("proc/self/mountinfo")).unwrap_or_default();
        Self {
            container: CONTAINERS.iter().any(|file| root.join(file).exists()),
            private_tmp: has_private_tmp(&mounts),
            snap: None,
            wsl_gpu: root.join("dev/dxg").exists() && is_nvidia(&root.join(WSL)),
        }
    }

    /// Whether the folder is one that other programs see another one of.
    pub(crate) fn hides(&self, folder: &Path) -> bool {
        self.private_tmp && TEMPORARY.iter().any(|tmp| folder.starts_with(tmp))
    }
}

/// Whether `/proc/self/mountinfo` shows a temporary folder that systemd made for a service.
fn has_private_tmp(mounts: &str) -> bool {
    mounts.lines().any(|line| {
        let mut fields = line.split(' ').skip(3);
        let (root, place) = (fields.next().unwrap_or_default(), fields.next().unwrap_or_default());
        root.contains("systemd-private-") && TEMPORARY.contains(&place)
    })
}

/// Whether GPUs of WSL2 may be NVIDIA's: only a folder of libraries without NVIDIA's says no.
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

    use super::Surroundings;

    #[test]
    fn a_services_own_tmp_and_a_container_are_known() {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        fs::create_dir_all(at("proc/self")).unwrap();
        let plain = "39 25 8:1 / /tmp rw,relatime shared:1 - tmpfs tmpfs rw\n";
        fs::write(at("proc/self/mountinfo"), plain).unwrap();
        assert_eq!(Surroundings::below(root.path()), Surroundings::default());
        let private =
            "40 25 8:1 /tmp/systemd-private-0a-bench.service-x/tmp /tmp rw - ext4 /dev/sda1 rw\n";
        fs::write(at("proc/self/mountinfo"), format!("{plain}{private}")).unwrap();
        let found = Surroundings::below(root.path());
        assert!(found.private_tmp && !found.container);
        assert!(found.hides(Path::new("/tmp/x")) && found.hides(Path::new("/var/tmp")));
        assert!(!found.hides(Path::new("/run/user/7")));
        fs::write(at(".dockerenv"), "").unwrap();
        assert!(Surroundings::below(root.path()).container);
    }

    #[test]
    fn a_gpu_of_wsl_counts_unless_it_is_known_to_be_another_makers() {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        let found = || Surroundings::below(root.path()).wsl_gpu;
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
