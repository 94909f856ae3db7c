//! The control group of a container, which counts its CPU time.

use std::{
    fs,
    path::{Path, PathBuf},
};

use host::run_files::container_id::is_group;
use walkdir::WalkDir;

/// Depth of the search for a container's group. With rootless Podman it is seven folders down.
const DEPTH: usize = 12;

/// A control group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cgroup {
    folder: PathBuf,
    version: Version,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Version {
    One,
    Two,
}

impl Cgroup {
    /// Finds the group of the container `id` below `root`. Engines name it after the id: `docker/ID`,
    /// `docker-ID.scope` or `libpod-ID.scope`.
    pub(super) fn of_container(root: &Path, id: &str) -> Option<Self> {
        let top = root.join("sys/fs/cgroup");
        // Where both controllers are mounted together, `cpuacct` is a symlink to `cpu,cpuacct`.
        let accounts = ["cpuacct", "cpu,cpuacct"].map(|name| top.join(name));
        if let Some(account) = accounts.into_iter().find(|account| account.is_dir()) {
            let account = account.canonicalize().ok()?;
            return group(&account, id).map(|folder| Self { folder, version: Version::One });
        }
        group(&top, id).map(|folder| Self { folder, version: Version::Two })
    }

    /// CPU seconds of all its processes, ended ones too; `None` if the group was removed.
    pub(super) fn cpu_seconds(&self) -> Option<f64> {
        let Self { folder, version } = self;
        let read = |file: &str| fs::read_to_string(folder.join(file)).ok();
        match version {
            Version::One => {
                let nanoseconds: u64 = read("cpuacct.usage")?.trim().parse().ok()?;
                Some(nanoseconds as f64 / 1e9)
            }
            Version::Two => {
                let text = read("cpu.stat")?;
                let used = text.lines().find_map(|line| line.strip_prefix("usage_usec "))?;
                let microseconds: u64 = used.trim().parse().ok()?;
                Some(microseconds as f64 / 1e6)
            }
        }
    }

    /// Host id of a process in the group.
    pub(super) fn first_process(&self) -> Option<u32> {
        // Podman keeps the processes in a subgroup.
        let groups = WalkDir::new(&self.folder).into_iter().flatten();
        let lists = groups.filter(|entry| entry.file_name() == "cgroup.procs");
        let mut texts = lists.filter_map(|entry| fs::read_to_string(entry.path()).ok());
        // A process of another pid namespace is listed as 0.
        let pid =
            |text: String| text.lines().filter_map(|line| line.parse().ok()).find(|pid| *pid > 0);
        texts.find_map(pid)
    }

    /// The counter, as a reader sees it.
    pub(super) const fn name(&self) -> &'static str {
        match self.version {
            Version::One => "its control group, cpuacct",
            Version::Two => "its control group, cpu.stat",
        }
    }
}

/// The uppermost folder named after `id`.
fn group(top: &Path, id: &str) -> Option<PathBuf> {
    let folders = WalkDir::new(top).min_depth(1).max_depth(DEPTH).into_iter().flatten();
    let is_its = |entry: &walkdir::DirEntry| {
        entry.file_type().is_dir() && is_group(&entry.file_name().to_string_lossy(), id)
    };
    folders.into_iter().find(is_its).map(walkdir::DirEntry::into_path)
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::Cgroup;

    const ID: &str = "29b5e718b9fabd5be21a9d729a7d973e1f48bcfdbb75e4e2564730eaf88d3879";

    fn write(root: &Path, path: &str, text: &str) {
        let path = root.join("sys/fs/cgroup").join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    #[test]
    fn control_group_of_every_engine_is_found() {
        let user = "user.slice/user-1000.slice/user@1000.service/user.slice";
        for folder in [
            format!("system.slice/docker-{ID}.scope"),
            format!("{user}/libpod-{ID}.scope"),
            format!("machine.slice/libpod-{ID}.scope"),
        ] {
            let root = tempfile::tempdir().unwrap();
            write(
                root.path(),
                &format!("{user}/libpod-conmon-{ID}.scope/cpu.stat"),
                "usage_usec 9\n",
            );
            write(root.path(), "system.slice/docker-0123.scope/cpu.stat", "usage_usec 9\n");
            assert_eq!(Cgroup::of_container(root.path(), ID), None);
            let stat = "usage_usec 1500000\nuser_usec 1\n";
            write(root.path(), &format!("{folder}/cpu.stat"), stat);
            write(root.path(), &format!("{folder}/cgroup.procs"), "");
            write(root.path(), &format!("{folder}/container/cgroup.procs"), "0\n");
            write(root.path(), &format!("{folder}/container/init/cgroup.procs"), "71\n72\n");
            let group = Cgroup::of_container(root.path(), ID).unwrap();
            assert_eq!(group.cpu_seconds(), Some(1.5), "{folder}");
            assert_eq!(group.first_process(), Some(71));
        }
    }

    #[test]
    fn version_1_usage_is_read_in_nanoseconds() {
        let root = tempfile::tempdir().unwrap();
        write(root.path(), &format!("cpu,cpuacct/docker/{ID}/cpuacct.usage"), "250000000\n");
        std::os::unix::fs::symlink("cpu,cpuacct", root.path().join("sys/fs/cgroup/cpuacct"))
            .unwrap();
        let group = Cgroup::of_container(root.path(), ID).unwrap();
        assert_eq!(group.cpu_seconds(), Some(0.25));
        assert_eq!(group.name(), "its control group, cpuacct");
    }
}
