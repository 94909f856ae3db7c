//! The content of a report: finished runs with their metrics, groups of repeats, broken folders.

use std::path::{Component, Path, PathBuf};

use super::{
    finished_run::{Broken, FinishedRun},
    groups::{Group, groups},
    metrics::ReportedRun,
};

/// The content of a report, the same for every format.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Report {
    /// The closest parent of all folders, if there are several and it is not the root.
    pub parent: Option<PathBuf>,
    /// The runs, in the order of their folders.
    pub runs: Vec<ReportedRun>,
    /// Repeats of the same run, in the order of the first ones.
    pub groups: Vec<Group>,
    /// Folders whose run failed, is incomplete or cannot be read.
    pub broken: Vec<Broken>,
}

impl Report {
    /// The report on `runs` and `broken` folders.
    pub(crate) fn of(runs: Vec<FinishedRun>, broken: Vec<Broken>) -> Self {
        let runs: Vec<_> = runs.into_iter().map(ReportedRun::from).collect();
        let folders = runs.iter().map(|reported| &reported.run.folder);
        let parent = common_parent(folders.chain(broken.iter().map(|broken| &broken.folder)));
        Self { parent, groups: groups(&runs), runs, broken }
    }

    /// A short name for the folder of a run: its path below the common parent.
    pub(crate) fn name(&self, folder: &Path) -> String {
        let below = self.parent.as_deref().and_then(|parent| folder.strip_prefix(parent).ok());
        match below {
            Some(below) if below.as_os_str().is_empty() => ".".to_owned(),
            below => below.unwrap_or(folder).to_string_lossy().into_owned(),
        }
    }
}

/// The closest parent of all `folders`, if there are several and it is not the root.
fn common_parent<'a>(mut folders: impl Iterator<Item = &'a PathBuf>) -> Option<PathBuf> {
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

#[cfg(test)]
mod tests {
    use super::Report;
    use crate::finished_run::Broken;

    #[test]
    fn folders_are_named_by_their_path_below_the_common_parent() {
        let broken = |folder: &&str| Broken { folder: folder.into(), reason: String::new() };
        let names = |folders: &[&str]| {
            let report = Report::of(vec![], folders.iter().map(broken).collect());
            folders.iter().map(|folder| report.name(folder.as_ref())).collect::<Vec<_>>()
        };
        assert_eq!(names(&["/d/runs/a/1", "/d/runs/b"]), ["a/1", "b"]);
        assert_eq!(names(&["./results", "./results/previous/1"]), [".", "previous/1"]);
        assert_eq!(names(&["/a", "/b"]), ["/a", "/b"]);
        assert_eq!(names(&["/d/runs/a"]), ["/d/runs/a"]);
    }
}
