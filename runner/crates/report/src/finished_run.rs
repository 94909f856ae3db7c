//! A run as it was read from its results folder: values, which everything that is shown is made of.

use std::path::{Component, Path, PathBuf};

use anyhow::Context as _;
use contract::{host_meter::HostMeter, output::Completion, summary::Summary};
pub(crate) use reports::{Details, Sourced};
use reports::{Folder, Numbers};

/// What was read of some folders.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Runs {
    /// Runs, in the order of their folders.
    pub runs: Vec<FinishedRun>,
    /// What is no run, or a broken one.
    pub broken: Vec<Broken>,
}

/// One run.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct FinishedRun {
    /// Its results folder.
    pub folder: PathBuf,
    /// The end of that path, below the folder that the user named.
    pub below: PathBuf,
    /// Where the numbers of the summary come from.
    pub origin: Origin,
    /// The summary.
    pub summary: Summary,
    /// The proof that the run reached its end, if it is there.
    pub completion: Option<Completion>,
    /// What the host metered beside it, and the file that says so.
    pub meter: Option<(HostMeter, &'static str)>,
    /// What else the files tell of what ran.
    pub details: Details,
    /// What a reader must know of the folder, in sentences.
    pub warnings: Vec<String>,
}

/// Where the numbers of a summary come from.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Origin {
    /// Its file.
    Summary,
    /// The backend's own files, from which it was made just now.
    Report(Box<Numbers>),
}

/// A folder that no run could be read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Broken {
    /// The folder.
    pub folder: PathBuf,
    /// Why, in words.
    pub reason: String,
}

impl Runs {
    /// The folder that all of several folders are in, if that is one to speak of.
    pub(crate) fn parent(&self) -> Option<PathBuf> {
        let broken = self.broken.iter().map(|broken| &broken.folder);
        let mut folders = self.runs.iter().map(|run| &run.folder).chain(broken);
        let mut parent: Vec<Component<'_>> = folders.next()?.components().collect();
        let mut several = false;
        for folder in folders {
            several = true;
            let same = parent.iter().zip(folder.components()).take_while(|(one, two)| *one == two);
            parent.truncate(same.count());
        }
        let parent: PathBuf = parent.into_iter().collect();
        let named = parent.components().any(|part| matches!(part, Component::Normal(_)));
        (several && named).then_some(parent)
    }

    /// The name of `folder`, one of these: what tells it from the others.
    pub(crate) fn name(&self, folder: &Path) -> String {
        let parent = self.parent();
        let below = parent.as_deref().and_then(|parent| folder.strip_prefix(parent).ok());
        match below {
            Some(below) if below.as_os_str().is_empty() => ".".to_owned(),
            Some(below) => below.to_string_lossy().into_owned(),
            None => folder.to_string_lossy().into_owned(),
        }
    }
}

/// Opens a results folder. Its end `below` leads through no symlink.
pub(super) fn opened(folder: &Path, below: &Path) -> anyhow::Result<Folder> {
    let named = folder.ancestors().nth(below.components().count()).unwrap_or(folder);
    // The parent of a bare name is empty.
    let named = if named.as_os_str().is_empty() { Path::new(".") } else { named };
    let opened = Folder::open(named)?;
    let dir = opened.dir().dir(below);
    let shown = || format!("opening the folder `{}`", opened.shown(&below.to_string_lossy()));
    Ok(Folder::of(dir.with_context(shown)?, folder))
}

impl FinishedRun {
    /// Opens its results folder again.
    ///
    /// # Errors
    /// When it is out of reach, or behind a symlink by now.
    pub(crate) fn open(&self) -> anyhow::Result<Folder> {
        opened(&self.folder, &self.below)
    }

    /// The summary's numbers, with the files and keys that they are from.
    pub(crate) fn numbers(&self) -> Numbers {
        match &self.origin {
            Origin::Summary => Numbers::in_summary(&self.summary),
            Origin::Report(numbers) => (**numbers).clone(),
        }
    }

    /// The benchmark's arguments, if the summary says how to repeat the run.
    pub(crate) fn arguments(&self) -> Option<&[String]> {
        let command = &self.summary.repeat.as_ref()?.command;
        let at = command.iter().position(|word| word == "--")?;
        Some(&command[at + 1..])
    }
}

#[cfg(test)]
mod tests {
    use super::{Broken, Runs};

    #[test]
    fn folders_of_one_parent_are_told_by_the_rest() {
        let broken = |folder: &&str| Broken { folder: folder.into(), reason: String::new() };
        let names = |folders: &[&str]| {
            let all = Runs { runs: vec![], broken: folders.iter().map(broken).collect() };
            folders.iter().map(|folder| all.name(folder.as_ref())).collect::<Vec<_>>()
        };
        assert_eq!(names(&["/d/runs/a/1", "/d/runs/b"]), ["a/1", "b"]);
        assert_eq!(names(&["./results", "./results/previous/1"]), [".", "previous/1"]);
        assert_eq!(names(&["/a", "/b"]), ["/a", "/b"]);
        assert_eq!(names(&["/d/runs/a"]), ["/d/runs/a"]);
    }
}
