//! Processes of this machine, read from `/proc`.

use std::{
    collections::BTreeMap,
    fs,
    io::Read as _,
    path::{Path, PathBuf},
};

/// Size limit of a file in `/proc/PID`. Arguments and environment take at most 6 MiB (`execve(2)`).
const MOST_BYTES: u64 = 8 << 20;

/// Limit of ancestors that are followed.
const GENERATIONS: usize = 64;

/// The processes in a `proc` folder.
#[derive(Debug, Clone)]
pub struct Processes {
    folder: PathBuf,
}

/// Fields of `/proc/PID/stat`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stat {
    parent: u32,
    /// Clock ticks of it and of its children that have ended.
    ticks: u64,
    /// Start time in clock ticks after boot, which distinguishes it from a later process with the same id.
    pub start: u64,
    /// Whether it is a zombie.
    pub is_dead: bool,
}

impl Processes {
    /// The processes in `root/proc`.
    pub fn below(root: &Path) -> Self {
        Self { folder: root.join("proc") }
    }

    /// The processes of this machine.
    pub fn of_this_machine() -> Self {
        Self::below(Path::new("/"))
    }

    /// Ids of all processes.
    pub fn pids(&self) -> impl Iterator<Item = u32> {
        let entries = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
    }

    /// Name of a process.
    pub fn name(&self, pid: u32) -> Option<String> {
        Some(self.read(pid, "comm")?.trim().to_owned()).filter(|name| !name.is_empty())
    }

    /// Command line of a process, or an empty text if it does not exist.
    pub fn words(&self, pid: u32) -> String {
        self.read(pid, "cmdline").unwrap_or_default()
    }

    /// Entries of the file `cmdline` or `environ` of a process, which are separated by NUL.
    pub fn list(&self, pid: u32, file: &str) -> Vec<Vec<u8>> {
        let bytes = self.bytes(pid, file).unwrap_or_default();
        bytes.split(|byte| *byte == 0).map(<[u8]>::to_vec).collect()
    }

    /// Control groups of a process, if it exists.
    pub fn cgroups(&self, pid: u32) -> Option<String> {
        self.read(pid, "cgroup")
    }

    /// Whether `pid` is `root` or a descendant of it. `None` if it does not exist.
    pub fn comes_from(&self, pid: u32, root: u32) -> Option<bool> {
        let mut stat = self.stat(pid)?;
        let mut pid = pid;
        for _ in 0..GENERATIONS {
            if pid == root {
                return Some(true);
            }
            pid = stat.parent;
            match self.stat(pid) {
                Some(next) => stat = next,
                None => break,
            }
        }
        Some(pid == root)
    }

    /// `root` and its descendants, sorted by id. `None` if it does not exist.
    pub fn tree(&self, root: u32) -> Option<Vec<u32>> {
        let parents: BTreeMap<u32, u32> =
            self.pids().filter_map(|pid| Some((pid, self.stat(pid)?.parent))).collect();
        parents.get(&root)?;
        let belongs = |pid: &u32| {
            let ancestors = std::iter::successors(Some(*pid), |pid| parents.get(pid).copied());
            ancestors.take(GENERATIONS).any(|pid| pid == root)
        };
        Some(parents.keys().copied().filter(belongs).collect())
    }

    /// CPU seconds of these processes and of their children that have ended. `None` if the first one
    /// does not exist.
    pub fn cpu_seconds(&self, pids: &[u32]) -> Option<f64> {
        let (first, others) = pids.split_first()?;
        // A process mostly has a lower id than its children: one that ends meanwhile is left out once,
        // not counted twice.
        let ended = others.iter().filter_map(|pid| self.stat(*pid)).map(|stat| stat.ticks);
        let ticks = self.stat(*first)?.ticks + ended.sum::<u64>();
        Some(ticks as f64 / rustix::param::clock_ticks_per_second() as f64)
    }

    /// Status of a process, if it exists.
    pub fn stat(&self, pid: u32) -> Option<Stat> {
        stat(&self.read(pid, "stat")?)
    }

    fn read(&self, pid: u32, file: &str) -> Option<String> {
        Some(String::from_utf8_lossy(&self.bytes(pid, file)?).into_owned())
    }

    fn bytes(&self, pid: u32, file: &str) -> Option<Vec<u8>> {
        let mut bytes = vec![];
        let file = fs::File::open(self.folder.join(pid.to_string()).join(file)).ok()?;
        file.take(MOST_BYTES).read_to_end(&mut bytes).ok()?;
        Some(bytes)
    }
}

/// Parses `/proc/PID/stat` (`proc_pid_stat(5)`). The name may contain blanks and brackets.
fn stat(text: &str) -> Option<Stat> {
    let (_, rest) = text.rsplit_once(')')?;
    let fields: Vec<_> = rest.split_ascii_whitespace().collect();
    // Fields are counted from 1, and the first one here is field 3.
    let number = |field: usize| fields.get(field - 3)?.parse::<u64>().ok();
    let parent = u32::try_from(number(4)?).ok()?;
    let ticks = [14, 15, 16, 17].map(number).into_iter().sum::<Option<u64>>()?;
    let is_dead = matches!(*fields.first()?, "Z" | "X");
    Some(Stat { parent, ticks, start: number(22)?, is_dead })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use proptest::prelude::*;

    use super::{Processes, Stat, stat};

    #[test]
    fn name_may_contain_brackets() {
        let text = "70 (a) S (b) S 7 1 1 0 -1 4 0 0 0 0 1 20 300 4000 20 0 1 0 9\n";
        assert_eq!(stat(text), Some(Stat { parent: 7, ticks: 4321, start: 9, is_dead: false }));
        for text in ["", "70", "70 (a) S", "70 (a) S 7 1 1 0 -1 4 0 0 0 0 1 20 300"] {
            assert_eq!(stat(text), None, "{text}");
        }
    }

    #[test]
    fn this_process_is_a_descendant_of_its_parent() {
        let processes = Processes::below(Path::new("/"));
        let (me, parent) = (std::process::id(), std::os::unix::process::parent_id());
        assert_eq!(processes.comes_from(me, parent), Some(true));
        assert_eq!(processes.comes_from(parent, me), Some(false));
        assert!(processes.name(me).is_some());
        assert_eq!(processes.comes_from(4_194_305, me), None, "no number is that high");
        assert_eq!(processes.tree(4_194_305), None);
        assert!(processes.tree(parent).unwrap().contains(&me));
        assert_eq!(processes.cpu_seconds(&[4_194_305, me]), None);
        assert!(processes.cpu_seconds(&[me]).is_some_and(|seconds| seconds >= 0.0));
    }

    proptest! {
        #[test]
        fn any_name_leaves_the_fields_behind_it(name in ".{0,200}") {
            let text = format!("70 ({name}) S 7 1 1 0 -1 4 0 0 0 0 1 20 300 4000 20 0 1 0 9\n");
            prop_assert_eq!(stat(&text).map(|stat| (stat.parent, stat.start)), Some((7, 9)));
        }
    }
}
