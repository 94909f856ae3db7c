//! Processes of this machine, by the files that the kernel has of them.

use std::{
    collections::BTreeMap,
    fs,
    io::Read as _,
    path::{Path, PathBuf},
};

/// Bytes of a process's file that are read. Linux hands a program 6 MiB of arguments and environment
/// at most (`execve(2)`).
const MOST_BYTES: u64 = 8 << 20;

/// Generations of ancestors that are climbed at most.
const GENERATIONS: usize = 64;

/// The processes of a machine.
#[derive(Debug, Clone)]
pub struct Processes {
    folder: PathBuf,
}

/// What the kernel says of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stat {
    parent: u32,
    /// Its own ticks, and those of its children that have ended.
    ticks: u64,
    /// When it started; tells it from a later process of the same number.
    pub start: u64,
    /// Whether only its exit code is left.
    pub is_dead: bool,
}

impl Processes {
    /// Those of the machine whose files are below `root`.
    pub fn below(root: &Path) -> Self {
        Self { folder: root.join("proc") }
    }

    /// Those of this machine.
    pub fn of_this_machine() -> Self {
        Self::below(Path::new("/"))
    }

    /// The numbers of all of them.
    pub fn pids(&self) -> impl Iterator<Item = u32> {
        let entries = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
    }

    /// A process's name.
    pub fn name(&self, pid: u32) -> Option<String> {
        Some(self.read(pid, "comm")?.trim().to_owned()).filter(|name| !name.is_empty())
    }

    /// The words that a process was started with; empty without it.
    pub fn words(&self, pid: u32) -> String {
        self.read(pid, "cmdline").unwrap_or_default()
    }

    /// The texts in the file `cmdline` or `environ` of a process; none without it.
    pub fn list(&self, pid: u32, file: &str) -> Vec<Vec<u8>> {
        let bytes = self.bytes(pid, file).unwrap_or_default();
        bytes.split(|byte| *byte == 0).map(<[u8]>::to_vec).collect()
    }

    /// The control groups of a process, if it is there.
    pub fn cgroups(&self, pid: u32) -> Option<String> {
        self.read(pid, "cgroup")
    }

    /// Whether `pid` is `root` or comes from it; `None` if it is not there.
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

    /// `root` and all that come from it, in the order of their numbers; `None` once it is gone.
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

    /// Processor seconds of these, and of their children that have ended; `None` once the first one
    /// is gone.
    pub fn cpu_seconds(&self, pids: &[u32]) -> Option<f64> {
        let (first, others) = pids.split_first()?;
        // In this order a process mostly comes before its children: one that ends meanwhile is left
        // out once, and not counted twice.
        let ended = others.iter().filter_map(|pid| self.stat(*pid)).map(|stat| stat.ticks);
        let ticks = self.stat(*first)?.ticks + ended.sum::<u64>();
        Some(ticks as f64 / rustix::param::clock_ticks_per_second() as f64)
    }

    /// What the kernel says of a process, if it is there.
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

/// Reads `/proc/PID/stat` (`proc_pid_stat(5)`), in which a name may hold anything.
fn stat(text: &str) -> Option<Stat> {
    let (_, rest) = text.rsplit_once(')')?;
    let fields: Vec<_> = rest.split_ascii_whitespace().collect();
    // The first one here is the third.
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
    fn a_process_may_have_any_name() {
        let text = "70 (a) S (b) S 7 1 1 0 -1 4 0 0 0 0 1 20 300 4000 20 0 1 0 9\n";
        assert_eq!(stat(text), Some(Stat { parent: 7, ticks: 4321, start: 9, is_dead: false }));
        for text in ["", "70", "70 (a) S", "70 (a) S 7 1 1 0 -1 4 0 0 0 0 1 20 300"] {
            assert_eq!(stat(text), None, "{text}");
        }
    }

    #[test]
    fn this_process_is_there_and_comes_from_its_parent() {
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
        /// Whatever the kernel may write, nothing breaks.
        #[test]
        fn any_text_is_read_or_passed_over(text in ".{0,200}") {
            stat(&text);
        }
    }
}
