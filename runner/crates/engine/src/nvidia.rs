//! How an engine passes NVIDIA GPUs to a container.

use std::{fs, path::Path};

use super::is_at_least;

/// Kind of NVIDIA GPUs in the Container Device Interface (CDI).
pub(super) const CDI_KIND: &str = "nvidia.com/gpu";

/// Program of the NVIDIA Container Toolkit that Docker's `--gpus` runs.
const HOOK: &str = "nvidia-container-runtime-hook";

/// The PATH of a daemon that systemd starts.
const DAEMON_PATH: [&str; 6] =
    ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/// Folders of the CDI files that Podman reads.
const CDI_FOLDERS: [&str; 2] = ["/etc/cdi", "/var/run/cdi"];

/// How an engine passes NVIDIA GPUs to a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nvidia {
    /// Not supported.
    No,
    /// By `--gpus`.
    Gpus,
    /// By CDI names, such as `--device nvidia.com/gpu=all`.
    Device,
}

impl Nvidia {
    /// How Podman passes GPUs, by the CDI files of this machine.
    pub(super) fn of_podman() -> Self {
        let has_cdi = CDI_FOLDERS.iter().any(|folder| has_cdi_file(Path::new(folder)));
        if has_cdi { Self::Device } else { Self::No }
    }

    /// How the service of Podman `version` behind Docker's client passes GPUs. It ignores `--gpus`
    /// without an error; 4.3 ignores CDI names, too, and 5.8 does not.
    pub(super) fn of_podmans_service(version: &str) -> Self {
        if is_at_least(version, 5, 8) { Self::of_podman() } else { Self::No }
    }
}

/// Whether a daemon of this machine finds the toolkit's hook on its PATH.
pub(super) fn has_hook() -> bool {
    DAEMON_PATH.iter().any(|folder| Path::new(folder).join(HOOK).is_file())
}

/// Whether a CDI file in `folder` describes NVIDIA GPUs.
fn has_cdi_file(folder: &Path) -> bool {
    let files = folder.read_dir().into_iter().flatten().flatten();
    files
        .filter_map(|file| fs::read_to_string(file.path()).ok())
        .any(|text| text.contains(CDI_KIND))
}

#[cfg(test)]
mod tests {
    use super::has_cdi_file;

    #[test]
    fn podman_supports_gpus_with_a_cdi_file() {
        let folder = tempfile::tempdir().unwrap();
        assert!(!has_cdi_file(folder.path()) && !has_cdi_file(&folder.path().join("no")));
        std::fs::write(folder.path().join("a.yaml"), "kind: nvidia.com/gpu\n").unwrap();
        assert!(has_cdi_file(folder.path()));
    }
}
