//! The benchmark's processes, as the host sees them: which they are, and how much processor time
//! they took.

mod cgroup;

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};

use host::{process::processes::Processes, run_files::container_id};

use crate::target::cgroup::Cgroup;

/// How long after a container has its id its control group is looked for at every moment, in
/// seconds.
const SOON: f64 = 1.0;

/// How often afterwards, in seconds.
const PAUSE: f64 = 5.0;

/// How long after that id the search is given up, in seconds: some engines make no control group,
/// others have their containers on another machine.
const GIVEN_UP: f64 = 30.0;

/// Readings from one look for new processes to the next: it means all of the machine's.
const LOOK_FOR_CHILDREN: u32 = 10;

/// What runs the benchmark.
#[derive(Debug, Clone)]
pub enum Subject {
    /// A container.
    Container {
        /// The file that gets its id.
        cidfile: PathBuf,
        /// The command that prints the number of its first process.
        pid_command: Option<Vec<String>>,
    },
    /// A child process, once it has a number.
    Child(Arc<OnceLock<u32>>),
}

/// The benchmark's processes.
#[derive(Debug)]
pub(super) struct Target {
    subject: Subject,
    root: PathBuf,
    found: Option<Found>,
    /// When the container's id was there.
    known_since: Option<f64>,
    /// When its processes were looked for last, after it was no longer soon.
    late: Option<f64>,
    is_clock_shared: Option<bool>,
}

#[derive(Debug)]
enum Found {
    Container {
        id: String,
        cgroup: Cgroup,
    },
    /// A process and all that come from it: itself, those that were seen last, and how often they
    /// were read since.
    Tree {
        root: u32,
        members: Vec<u32>,
        read: u32,
    },
}

impl Found {
    fn tree(root: u32) -> Self {
        Self::Tree { root, members: vec![], read: 0 }
    }
}

impl Target {
    /// Of what is about to start, on the machine whose files are below `root`.
    pub(super) fn new(subject: Subject, root: &Path) -> Self {
        let root = root.to_owned();
        Self { subject, root, found: None, known_since: None, late: None, is_clock_shared: None }
    }

    /// Looks for the processes, if they are not known yet. `ask` runs a command and gives what it
    /// prints.
    pub(super) fn look(&mut self, now: f64, ask: &mut dyn FnMut(&[String]) -> Option<String>) {
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
        let (cidfile, pid_command) = match &self.subject {
            Subject::Child(pid) => return pid.get().map(|pid| Found::tree(*pid)),
            Subject::Container { cidfile, pid_command } => (cidfile, pid_command),
        };
        let id = container_id::read(cidfile)?;
        let age = now - *self.known_since.get_or_insert(now);
        let soon = age < SOON;
        if age > GIVEN_UP || self.late.is_some_and(|last| now - last < PAUSE) {
            return None;
        }
        self.late = (!soon).then_some(now);
        if let Some(cgroup) = Cgroup::of_container(&self.root, &id) {
            return Some(Found::Container { id, cgroup });
        }
        let pid = ask(pid_command.as_ref().filter(|_| !soon)?)?.trim().parse().ok()?;
        // The number may be another machine's.
        let is_ours = self.processes().words(pid).contains(contract::ENTRYPOINT);
        is_ours.then(|| Found::tree(pid))
    }

    /// Whether they were found.
    pub(super) fn is_found(&self) -> bool {
        self.found.is_some()
    }

    /// Processor seconds that they took; `None` where they are not known or gone.
    pub(super) fn cpu_seconds(&mut self) -> Option<f64> {
        let processes = self.processes();
        match self.found.as_mut()? {
            Found::Container { cgroup, .. } => cgroup.cpu_seconds(),
            Found::Tree { root, members, read } => {
                if read.is_multiple_of(LOOK_FOR_CHILDREN) {
                    *members = processes.tree(*root)?;
                    // Whatever its number is, it is gone last.
                    members.retain(|pid| pid != root);
                    members.insert(0, *root);
                }
                *read += 1;
                processes.cpu_seconds(members)
            }
        }
    }

    /// What tells the processor seconds, in words.
    pub(super) fn clockwork(&self) -> &'static str {
        match &self.found {
            Some(Found::Container { cgroup, .. }) => cgroup.name(),
            Some(Found::Tree { .. }) | None => "its processes",
        }
    }

    /// Whether a process is one of them; `None` where that cannot be told.
    pub(super) fn owns(&self, pid: u32) -> Option<bool> {
        let processes = self.processes();
        match self.found.as_ref()? {
            Found::Container { id, .. } => {
                processes.cgroups(pid).map(|text| container_id::is_in_group(&text, id))
            }
            Found::Tree { root, .. } => processes.comes_from(pid, *root),
        }
    }

    /// Whether their clock is this machine's: a container may have a time namespace of its own,
    /// whose offsets the kernel tells (`time_namespaces(7)`).
    pub(super) fn is_clock_shared(&self) -> Option<bool> {
        self.is_clock_shared
    }

    fn compare_clocks(&self) -> Option<bool> {
        let pid = match self.found.as_ref()? {
            Found::Container { cgroup, .. } => cgroup.first_process()?,
            Found::Tree { root, .. } => *root,
        };
        let offsets = |process: &str| {
            fs::read_to_string(self.root.join("proc").join(process).join("timens_offsets"))
        };
        // Kernels before 5.6 have no such namespaces.
        let Ok(ours) = offsets("self") else { return Some(true) };
        offsets(&pid.to_string()).ok().map(|theirs| theirs == ours)
    }

    fn processes(&self) -> Processes {
        Processes::below(&self.root)
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path, sync::Arc};

    use super::{Subject, Target};

    const ID: &str = "29b5e718b9fabd5be21a9d729a7d973e1f48bcfdbb75e4e2564730eaf88d3879";

    fn write(root: &Path, path: &str, text: &str) {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn never(_: &[String]) -> Option<String> {
        panic!("nobody is asked")
    }

    fn container(root: &Path) -> Target {
        let cidfile = root.join("cid");
        let pid_command = Some(vec!["engine".to_owned(), "inspect".to_owned()]);
        Target::new(Subject::Container { cidfile, pid_command }, root)
    }

    /// A process's files.
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
    fn a_containers_group_is_found_once_it_has_an_id() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        write(root, "proc/self/timens_offsets", "monotonic 0 0\n");
        let mut target = container(root);
        target.look(0.0, &mut never);
        write(root, "cid", "");
        target.look(0.1, &mut never);
        assert!(!target.is_found());
        write(root, "cid", ID);
        target.look(0.2, &mut never);
        assert!(!target.is_found());
        let group = format!("sys/fs/cgroup/cpuacct/docker/{ID}");
        write(root, &format!("{group}/cpuacct.usage"), "2500000000\n");
        write(root, &format!("{group}/cgroup.procs"), "");
        target.look(0.3, &mut never);
        assert!(target.is_found());
        assert_eq!(target.cpu_seconds(), Some(2.5));
        assert_eq!(target.is_clock_shared(), None);
        write(root, &format!("{group}/cgroup.procs"), "70\n71\n");
        process(root, 70, 1, [0; 4], &format!("9:cpuacct:/docker/{ID}\n"));
        process(root, 80, 1, [0; 4], "9:cpuacct:/user.slice\n");
        target.look(0.4, &mut never);
        assert_eq!(target.is_clock_shared(), Some(true));
        assert_eq!([70, 80, 90].map(|pid| target.owns(pid)), [Some(true), Some(false), None]);
        fs::remove_dir_all(root.join(&group)).unwrap();
        assert_eq!(target.cpu_seconds(), None);
    }

    #[test]
    fn a_clock_of_its_own_is_noticed() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        write(root, "proc/self/timens_offsets", "monotonic 0 0\n");
        process(root, 70, 1, [0; 4], "");
        write(root, "proc/70/timens_offsets", "monotonic 86400 0\n");
        let child = Arc::default();
        let mut target = Target::new(Subject::Child(Arc::clone(&child)), root);
        target.look(0.0, &mut never);
        assert_eq!(target.is_clock_shared(), None);
        child.set(70).unwrap();
        target.look(0.1, &mut never);
        assert_eq!(target.is_clock_shared(), Some(false));
    }

    #[test]
    fn without_a_group_the_engine_is_asked_for_the_process_and_not_for_ever() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        write(root, "cid", ID);
        let mut target = container(root);
        let mut asked = 0;
        let mut nothing = |_: &[String]| {
            asked += 1;
            Some("0\n".to_owned())
        };
        for second in 0..600 {
            target.look(f64::from(second) / 10.0, &mut nothing);
        }
        assert!(!target.is_found());
        // After 1, 6, 11, 16, 21, 26 and no more seconds.
        assert_eq!(asked, 6);

        process(root, 1, 0, [0; 4], "");
        process(root, 70, 1, [100, 50, 200, 50], "");
        process(root, 71, 70, [30, 20, 0, 0], "");
        process(root, 80, 1, [900; 4], "");
        let mut target = container(root);
        target.look(0.0, &mut never);
        target.look(6.0, &mut |command| {
            assert_eq!(command, ["engine", "inspect"]);
            Some("70\n".to_owned())
        });
        let ticks = rustix::param::clock_ticks_per_second() as f64;
        assert_eq!(target.cpu_seconds(), Some(450.0 / ticks));
        assert_eq!(
            [70, 71, 80, 90].map(|pid| target.owns(pid)),
            [Some(true), Some(true), Some(false), None]
        );

        // The same number here is something else than the container of another machine.
        write(root, "proc/70/cmdline", "bash\0");
        let mut far = container(root);
        far.look(0.0, &mut never);
        far.look(6.0, &mut |_| Some("70\n".to_owned()));
        assert!(!far.is_found());
    }
}
