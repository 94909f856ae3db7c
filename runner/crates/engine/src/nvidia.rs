//! How an engine hands NVIDIA's GPUs to a container, decided by what it offers.

use std::{fs, path::Path};

use super::is_at_least;

/// How the devices of NVIDIA's GPUs are called by the Container Device Interface (CDI).
pub(super) const DEVICE: &str = "nvidia.com/gpu";

/// The program of the NVIDIA Container Toolkit that Docker's `--gpus` takes.
const HOOK: &str = "nvidia-container-runtime-hook";

/// The PATH of a daemon that systemd starts.
const PROGRAMS: [&str; 6] =
    ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/// Where CDI files lie that Podman reads.
const DESCRIPTIONS: [&str; 2] = ["/etc/cdi", "/var/run/cdi"];

/// How an engine hands NVIDIA's GPUs to a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nvidia {
    /// Not at all.
    No,
    /// By `--gpus`.
    Gpus,
    /// By the names of a CDI file, as `--device nvidia.com/gpu=all`.
    Device,
}

/// What Docker has for NVIDIA's GPUs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Offer {
    /// Whether its daemon finds the toolkit's hook.
    pub(super) hook: bool,
    /// Whether its daemon has read a CDI file that describes them.
    pub(super) described: bool,
    /// Whether a runtime `nvidia` is configured.
    pub(super) runtime: bool,
}

impl Nvidia {
    /// Docker's way. `--gpus` takes the hook, so that a runtime alone, as the package
    /// `nvidia-container-toolkit-base` has it, is the last resort.
    pub(super) const fn of_docker(offer: Offer) -> Self {
        match offer {
            Offer { hook: true, .. } => Self::Gpus,
            Offer { described: true, .. } => Self::Device,
            Offer { runtime: true, .. } => Self::Gpus,
            _ => Self::No,
        }
    }

    /// Podman's way, by what lies on this machine.
    pub(super) fn of_podman() -> Self {
        let described = DESCRIPTIONS.iter().any(|folder| is_described(Path::new(folder)));
        if described { Self::Device } else { Self::No }
    }

    /// That of the service of Podman `version` behind Docker's client. It drops `--gpus` without a word,
    /// and before some version the names, too: 4.3 does, 5.8 does not.
    pub(super) fn of_podmans_service(version: &str) -> Self {
        if is_at_least(version, 5, 8) { Self::of_podman() } else { Self::No }
    }
}

/// Whether a daemon of this machine finds the toolkit's hook on its PATH.
pub(super) fn has_hook() -> bool {
    PROGRAMS.iter().any(|folder| Path::new(folder).join(HOOK).is_file())
}

/// Whether a file in `folder` describes NVIDIA's GPUs.
fn is_described(folder: &Path) -> bool {
    let files = folder.read_dir().into_iter().flatten().flatten();
    files.filter_map(|file| fs::read_to_string(file.path()).ok()).any(|text| text.contains(DEVICE))
}

#[cfg(test)]
mod tests {
    use super::{Nvidia, Offer, is_described};

    #[test]
    fn docker_is_asked_in_the_way_that_it_offers() {
        let way = |hook, described, runtime| Nvidia::of_docker(Offer { hook, described, runtime });
        assert_eq!(way(false, false, false), Nvidia::No);
        assert_eq!(way(false, false, true), Nvidia::Gpus);
        assert_eq!(way(true, false, false), Nvidia::Gpus, "without `nvidia-ctk runtime configure`");
        assert_eq!(way(false, true, false), Nvidia::Device);
        assert_eq!(way(false, true, true), Nvidia::Device, "`--gpus` fails without the hook");
        assert_eq!(way(true, true, true), Nvidia::Gpus);
    }

    #[test]
    fn gpus_are_those_that_a_file_describes() {
        let folder = tempfile::tempdir().unwrap();
        assert!(!is_described(folder.path()) && !is_described(&folder.path().join("no")));
        std::fs::write(folder.path().join("a.yaml"), "kind: nvidia.com/gpu\n").unwrap();
        assert!(is_described(folder.path()));
    }
}
