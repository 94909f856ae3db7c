//! The benchmark's processes as the host sees them, and their CPU time.

mod cgroup;

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};

use host::{process::processes::Processes, run_files::container_id};

use self::cgroup::Cgroup;

/// Seconds after a container got its id in which every sample looks for its control group.
const EAGER_SECONDS: f64 = 1.0;

/// Seconds between two searches afterwards.
const RETRY_SECONDS: f64 = 5.0;

/// Seconds after which the search ends. Some engines make no control group, others run containers on
/// another machine.
const GIVE_UP_SECONDS: f64 = 30.0;

/// Readings between two searches for child processes, which read all processes of the machine.
const LIST_CHILDREN_EVERY: u32 = 10;

/// How the benchmark runs.
#[derive(Debug, Clone)]
pub enum Benchmark {
    /// In a container.
    Container {
        /// File to which the engine writes the container's id.
        cidfile: PathBuf,
        /// Command that prints the id of its first process.
        pid_command: Option<Vec<String>>,
    },
    /// As a child process. The id is set once the process runs.
    Child(Arc<OnceLock<u32>>),
}

/// Finds the benchmark's processes and reads their CPU time.
#[derive(Debug)]
pub(super) struct BenchmarkProcesses {
    benchmark: Benchmark,
    root: PathBuf,
    found: Option<Found>,
    /// Time at which the container's id was read first.
    id_since: Option<f64>,
    /// Time of the last search after the first [`EAGER_SECONDS`].
    last_search: Option<f64>,
    /// Whether the benchmark uses this machine's clock. A container can have a time namespace with
    /// offsets of its own (`time_namespaces(7)`).
    pub(super) is_clock_shared: Option<bool>,
}

#[derive(Debug)]
enum Found {
    Container {
        id: String,
        cgroup: Cgroup,
    },
    /// A process and its descendants.
    Tree {
        root: u32,
        /// The root and the descendants of the last search.
        members: Vec<u32>,
        readings: u32,
    },
}

impl Found {
    fn tree(root: u32) -> Self {
        Self::Tree { root, members: vec![], readings: 0 }
    }
}

impl BenchmarkProcesses {
    /// Processes of `benchmark`, which has not started. `root` holds `proc` and `sys`.
    pub(super) fn new(benchmark: Benchmark, root: &Path) -> Self {
        let root = root.to_owned();
        Self {
            benchmark,
            root,
            found: None,
            id_since: None,
            last_search: None,
            is_clock_shared: None,
        }
    }

    /// Looks for the processes until they are found. `ask` runs a command and returns its output.
    pub(super) fn find(&mut self, now: f64, ask: &mut dyn FnMut(&[String]) -> Option<String>) {
        if self.found.is_none() {
            self.found = self.search(now, ask);
        }
        if self.is_clock_shared.is_none() {
            self.is_clock_shared = self.compare_clocks();
        }
    }

    fn search(
        &mut self,
        now: f64,
        ask: &mut dyn FnMut(&[String]) -> Option<String>,
    ) -> Option<Found> {
        let (cidfile, pid_command) = match &self.benchmark {
            Benchmark::Child(pid) => return pid.get().map(|pid| Found::tree(*pid)),
            Benchmark::Container { cidfile, pid_command } => (cidfile, pid_command),
        };
        let id = container_id::read(cidfile)?;
        let age = now - *self.id_since.get_or_insert(now);
        let is_eager = age < EAGER_SECONDS;
        if age > GIVE_UP_SECONDS || self.last_search.is_some_and(|last| now - last < RETRY_SECONDS)
        {
            return None;
        }
        self.last_search = (!is_eager).then_some(now);
        if let Some(cgroup) = Cgroup::of_container(&self.root, &id) {
            return Some(Found::Container { id, cgroup });
        }
        let pid = ask(pid_command.as_ref().filter(|_| !is_eager)?)?.trim().parse().ok()?;
        // The id may belong to another machine.
        let is_ours = self.all_processes().words(pid).contains(contract::ENTRYPOINT);
        is_ours.then(|| Found::tree(pid))
    }

    /// Whether the processes were found.
    pub(super) fn is_found(&self) -> bool {
        self.found.is_some()
    }

    /// CPU seconds of the processes; `None` if they are unknown or have ended.
    pub(super) fn cpu_seconds(&mut self) -> Option<f64> {
        let processes = self.all_processes();
        match self.found.as_mut()? {
            Found::Container { cgroup, .. } => cgroup.cpu_seconds(),
            Found::Tree { root, members, readings } => {
                if readings.is_multiple_of(LIST_CHILDREN_EVERY) {
                    *members = processes.tree(*root)?;
                    // The root ends last, so it stays first in the list.
                    members.retain(|pid| pid != root);
                    members.insert(0, *root);
                }
                *readings += 1;
                processes.cpu_seconds(members)
            }
        }
    }

    /// Source of the CPU seconds, as a reader sees it.
    pub(super) fn cpu_time_source(&self) -> &'static str {
        match &self.found {
            Some(Found::Container { cgroup, .. }) => cgroup.name(),
            Some(Found::Tree { .. }) | None => "its processes",
        }
    }

    /// Whether a process belongs to the benchmark, if that is known.
    pub(super) fn owns(&self, pid: u32) -> Option<bool> {
        let processes = self.all_processes();
        match self.found.as_ref()? {
            Found::Container { id, .. } => {
                processes.cgroups(pid).map(|text| container_id::is_in_group(&text, id))
            }
            Found::Tree { root, .. } => processes.comes_from(pid, *root),
        }
    }

    fn compare_clocks(&self) -> Option<bool> {
        let pid = match self.found.as_ref()? {
            Found::Container { cgroup, .. } => cgroup.first_process()?,
            Found::Tree { root, .. } => *root,
        };
        let offsets = |process: &str| {
            fs::read_to_string(self.root.join("proc").join(process).join("timens_offsets"))
        };
        // Kernels before 5.6 have no time namespaces.
        let Ok(ours) = offsets("self") else { return Some(true) };
        offsets(&pid.to_string()).ok().map(|theirs| theirs == ours)
    }

    fn all_processes(&self) -> Processes {
        Processes::below(&self.root)
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path, sync::Arc};

    use super::{Benchmark, BenchmarkProcesses};

    const ID: &str = "29b5e718b9fabd5be21a9d729a7d973e1f48bcfdbb75e4e2564730eaf88d3879";

    fn write(root: &Path, path: &str, text: &str) {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn never(_: &[String]) -> Option<String> {
        panic!("the engine is not asked")
    }

    fn container(root: &Path) -> BenchmarkProcesses {
        let cidfile = root.join("cid");
        let pid_command = Some(vec!["engine".to_owned(), "inspect".to_owned()]);
        BenchmarkProcesses::new(Benchmark::Container { cidfile, pid_command }, root)
    }

    fn process(root: &Path, pid: u32, parent: u32, ticks: [u64; 4], cgroup: &str) {
        let [a, b, c, d] = ticks;
        let stat =
            format!("{pid} (a (b) c) S {parent} 1 1 0 -1 4 0 0 0 0 {a} {b} {c} {d} 20 0 1 0 9");
        write(root, &format!("proc/{pid}/stat"), &stat);
        write(root, &format!("proc/{pid}/cgroup"), cgroup);
        write(root, &format!("proc/{pid}/cmdline"), "aienergyscore-entrypoint\0a\0");
        write(root, &format!("proc/{pid}/timens_offsets"), "monotonic 0 0\n");
    }

    #[test]
    fn control_group_is_found_after_the_container_has_an_id() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        write(root, "proc/self/timens_offsets", "monotonic 0 0\n");
        let mut processes = container(root);
        processes.find(0.0, &mut never);
        write(root, "cid", "");
        processes.find(0.1, &mut never);
        assert!(!processes.is_found());
        write(root, "cid", ID);
        processes.find(0.2, &mut never);
        assert!(!processes.is_found());
        let group = format!("sys/fs/cgroup/cpuacct/docker/{ID}");
        write(root, &format!("{group}/cpuacct.usage"), "2500000000\n");
        write(root, &format!("{group}/cgroup.procs"), "");
        processes.find(0.3, &mut never);
        assert!(processes.is_found());
        assert_eq!(processes.cpu_seconds(), Some(2.5));
        assert_eq!(processes.is_clock_shared, None);
        write(root, &format!("{group}/cgroup.procs"), "70\n71\n");
        process(root, 70, 1, [0; 4], &format!("9:cpuacct:/docker/{ID}\n"));
        process(root, 80, 1, [0; 4], "9:cpuacct:/user.slice\n");
        processes.find(0.4, &mut never);
        assert_eq!(processes.is_clock_shared, Some(true));
        assert_eq!([70, 80, 90].map(|pid| processes.owns(pid)), [Some(true), Some(false), None]);
        fs::remove_dir_all(root.join(&group)).unwrap();
        assert_eq!(processes.cpu_seconds(), None);
    }

    #[test]
    fn time_namespace_of_the_benchmark_is_detected() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        write(root, "proc/self/timens_offsets", "monotonic 0 0\n");
        process(root, 70, 1, [0; 4], "");
        write(root, "proc/70/timens_offsets", "monotonic 86400 0\n");
        let child = Arc::default();
        let mut processes = BenchmarkProcesses::new(Benchmark::Child(Arc::clone(&child)), root);
        processes.find(0.0, &mut never);
        assert_eq!(processes.is_clock_shared, None);
        child.set(70).unwrap();
        processes.find(0.1, &mut never);
        assert_eq!(processes.is_clock_shared, Some(false));
    }

    #[test]
    fn engine_without_a_control_group_is_asked_for_the_process_for_half_a_minute() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        write(root, "cid", ID);
        let mut processes = container(root);
        let mut asked = 0;
        let mut nothing = |_: &[String]| {
            asked += 1;
            Some("0\n".to_owned())
        };
        for second in 0..600 {
            processes.find(f64::from(second) / 10.0, &mut nothing);
        }
        assert!(!processes.is_found());
        // After 1, 6, 11, 16, 21 and 26 seconds.
        assert_eq!(asked, 6);

        process(root, 1, 0, [0; 4], "");
        process(root, 70, 1, [100, 50, 200, 50], "");
        process(root, 71, 70, [30, 20, 0, 0], "");
        process(root, 80, 1, [900; 4], "");
        let mut processes = container(root);
        processes.find(0.0, &mut never);
        processes.find(6.0, &mut |command| {
            assert_eq!(command, ["engine", "inspect"]);
            Some("70\n".to_owned())
        });
        let ticks = rustix::param::clock_ticks_per_second() as f64;
        assert_eq!(processes.cpu_seconds(), Some(450.0 / ticks));
        assert_eq!(
            [70, 71, 80, 90].map(|pid| processes.owns(pid)),
            [Some(true), Some(true), Some(false), None]
        );

        // Here the id belongs to another program: the container runs on another machine.
        write(root, "proc/70/cmdline", "bash\0");
        let mut remote = container(root);
        remote.find(0.0, &mut never);
        remote.find(6.0, &mut |_| Some("70\n".to_owned()));
        assert!(!remote.is_found());
    }
}
