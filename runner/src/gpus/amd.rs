//! AMD's GPUs: they have no runtime of their own, a container gets their devices and the groups that
//! these belong to.

use std::{fs, os::unix::fs::MetadataExt as _, path::Path};

/// The device by which programs compute.
pub(crate) const KFD: &str = "/dev/kfd";
/// The folder with a device for each GPU.
pub(crate) const DRI: &str = "/dev/dri";
/// Tells ROCm which GPUs to use, by index or UUID: all of them have their devices in one folder.
pub(crate) const VISIBLE: &str = "ROCR_VISIBLE_DEVICES";

/// AMD's GPUs in this machine.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AmdGpus {
    /// How many.
    pub count: usize,
    /// Groups that the devices are open to and nobody else, in ascending order.
    pub groups: Vec<u32>,
}

impl AmdGpus {
    /// Those that the driver has; none without it.
    pub(crate) fn read() -> Self {
        Self::below(Path::new("/"))
    }

    fn below(root: &Path) -> Self {
        let at = |path: &str| root.join(path.trim_start_matches('/'));
        let Ok(kfd) = fs::metadata(at(KFD)) else { return Self::default() };
        let entries = |folder: &str| fs::read_dir(at(folder)).into_iter().flatten().flatten();
        // Processors are nodes, too, and have no id.
        let gpus = entries("/sys/class/kfd/kfd/topology/nodes").filter(|node| {
            let id = fs::read_to_string(node.path().join("gpu_id")).unwrap_or_default();
            !matches!(id.trim(), "" | "0")
        });
        let renders = entries(DRI)
            .filter(|entry| entry.file_name().to_string_lossy().starts_with("renderD"))
            .filter_map(|entry| entry.metadata().ok());
        let mut groups = [kfd]
            .into_iter()
            .chain(renders)
            .filter_map(|device| group(device.mode(), device.gid()))
            .collect::<Vec<_>>();
        groups.sort_unstable();
        groups.dedup();
        Self { count: gpus.count(), groups }
    }
}

/// The group that one must be in to use a device of this mode, if that is what it takes.
fn group(mode: u32, gid: u32) -> Option<u32> {
    let all = |bits| mode & bits == bits;
    (all(0o060) && !all(0o006) && gid != 0).then_some(gid)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{AmdGpus, group};

    #[test]
    fn a_group_is_needed_where_others_have_no_access() {
        assert_eq!(group(0o20660, 44), Some(44));
        assert_eq!(group(0o20666, 44), None);
        assert_eq!(group(0o20600, 44), None);
        assert_eq!(group(0o20660, 0), None);
    }

    #[test]
    fn gpus_are_the_drivers_nodes_with_an_id() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(AmdGpus::below(root.path()), AmdGpus::default());
        for (node, id) in [("0", "0\n"), ("1", "45727\n"), ("2", "9091\n")] {
            let folder = root.path().join("sys/class/kfd/kfd/topology/nodes").join(node);
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join("gpu_id"), id).unwrap();
        }
        // What has no driver is no GPU.
        assert_eq!(AmdGpus::below(root.path()).count, 0);
        fs::create_dir(root.path().join("dev")).unwrap();
        fs::write(root.path().join("dev/kfd"), "").unwrap();
        assert_eq!(AmdGpus::below(root.path()).count, 2);
    }
}
