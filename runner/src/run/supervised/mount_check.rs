//! Whether the container's mounts are the folders of this machine. Its entrypoint compares them with a
//! list before it starts the benchmark.

use std::{fs, os::unix::fs::MetadataExt as _, path::Path};

use anyhow::Context as _;
use backend_reports::Folder;
use contract::mounts::{
    BOOT_ID, ExpectedMount, MAX_LIST_BYTES, MAX_SAMPLES, Mismatch, MountList, Sample,
};
use engine::Engine;
use host::paths::host_path::HostPath;
use plan::run_plan::{InputBy, MaskedFile, RunPlan};
use untrusted::{Dir, Found, Kind};

/// Depth of the search for files to compare.
const MAX_DEPTH: usize = 4;

/// The list of a container's mounts in its results folder, deleted when this value is dropped.
#[derive(Debug)]
pub(crate) struct MountCheck<'a> {
    results: &'a Folder,
    name: &'a str,
    plan: &'a RunPlan,
}

impl<'a> MountCheck<'a> {
    /// Writes the list of a run's mounts into its results folder.
    ///
    /// # Errors
    /// When the source of a mount is gone, or the disk is full.
    pub(crate) fn write(
        results: &'a Folder,
        engine: &Engine,
        plan: &'a RunPlan,
    ) -> anyhow::Result<Option<Self>> {
        let supervision = plan.supervision.as_ref().filter(|_| engine.has_containers());
        let Some(name) = supervision.and_then(|supervision| supervision.folders.as_deref()) else {
            return Ok(None);
        };
        let mounts = mounts(plan).filter(|(_, target)| *target != contract::path::RESULTS);
        let mounts =
            mounts.map(|(source, target)| expected_mount(source, target, &plan.masked_files));
        let kernel = fs::read_to_string(BOOT_ID).ok();
        let list = MountList { kernel, mounts: mounts.collect::<anyhow::Result<_>>()? };
        let text = serde_json::to_vec(&list)?;
        let writing = || format!("writing the list of mounts `{}`", results.shown(name));
        results.dir().write_new(name, &text).with_context(writing)?;
        Ok(Some(Self { results, name, plan }))
    }

    /// Folders that the container reported to be different. It is the results folder if the container
    /// did not find the list.
    pub(crate) fn mismatches(&self) -> Vec<&HostPath> {
        let answer = self.results.dir().read(self.name, MAX_LIST_BYTES).ok();
        let answer = answer.and_then(|text| serde_json::from_slice::<Mismatch>(&text).ok());
        let results = vec![contract::path::RESULTS.to_owned()];
        let targets = answer.map_or(results, |answer| answer.different);
        mounts(self.plan)
            .filter(|(_, target)| targets.iter().any(|other| other == target))
            .map(|(source, _)| source)
            .collect()
    }
}

impl Drop for MountCheck<'_> {
    fn drop(&mut self) {
        // The entrypoint deletes the list too. A later run removes what stays.
        let _ = self.results.dir().remove(self.name);
    }
}

/// Sources and targets of the mounts.
fn mounts(plan: &RunPlan) -> impl Iterator<Item = (&HostPath, &str)> {
    let own = plan.mounts.iter().map(|mount| (&mount.source, mount.target));
    let inputs = plan.inputs.iter().filter(|input| input.by == InputBy::OwnMount);
    own.chain(inputs.map(|input| (&input.source, input.target.as_str())))
}

fn expected_mount(
    source: &HostPath,
    target: &str,
    masked: &[MaskedFile],
) -> anyhow::Result<ExpectedMount> {
    let path = source.as_path();
    let data = fs::metadata(path).with_context(|| format!("looking at `{source}`"))?;
    let samples = if data.is_dir() {
        let is_covered = |below: &str| {
            let at = format!("{target}/{below}");
            masked.iter().any(|file| file.target == at)
        };
        samples(path, is_covered)
    } else {
        vec![Sample { path: String::new(), file: Some((data.len(), data.mtime())) }]
    };
    let target = target.to_owned();
    Ok(ExpectedMount { target, device: data.dev(), inode: data.ino(), samples })
}

/// Some files of a folder that the container can see, or folders if there are no files.
fn samples(folder: &Path, is_covered: impl Fn(&str) -> bool) -> Vec<Sample> {
    let (mut files, mut folders) = (vec![], vec![]);
    // A folder that the user cannot read has no samples.
    if let Ok(dir) = Dir::open(folder) {
        dir.walk(MAX_DEPTH, |found| {
            let Found::Entry { path, stamp } = found else { return false };
            let Some(path) = path.to_str().filter(|path| !is_covered(path)) else { return false };
            let path = path.to_owned();
            match stamp.kind {
                Kind::File if files.len() < MAX_SAMPLES => {
                    files.push(Sample { path, file: Some((stamp.size, stamp.modified.0)) });
                }
                Kind::Folder if folders.len() < MAX_SAMPLES => {
                    folders.push(Sample { path, file: None });
                }
                _ => {}
            }
            files.len() < MAX_SAMPLES
        });
    }
    if files.is_empty() { folders } else { files }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::samples;

    #[test]
    fn samples_are_files_that_are_visible_in_the_container() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir_all(at("hub/models--a/blobs")).unwrap();
        let names = || {
            let samples = samples(folder.path(), |path| path == "token");
            samples.into_iter().map(|sample| sample.path).collect::<Vec<_>>()
        };
        assert_eq!(names(), ["hub", "hub/models--a", "hub/models--a/blobs"]);
        fs::write(at("token"), "hf_x").unwrap();
        fs::write(at("hub/models--a/blobs/0a"), "weights").unwrap();
        assert_eq!(names(), ["hub/models--a/blobs/0a"]);
        for number in 0..100 {
            fs::write(at(&format!("hub/{number}")), "").unwrap();
        }
        assert_eq!(names().len(), 16);
        assert!(samples(&at("none"), |_| false).is_empty());
    }
}
