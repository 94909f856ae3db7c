//! Finds weights of which parts are missing, by the indexes that name them.

use std::{
    collections::{BTreeSet, HashSet},
    path::{Path, PathBuf},
};

use super::Judge;
use crate::hub_cache::{
    completeness::{self, LARGEST_INDEX},
    snapshot::Snapshot,
};

/// Weights in one file, which a loader takes instead of parts.
const WHOLE: [&str; 2] = ["model.safetensors", "pytorch_model.bin"];

impl Judge<'_> {
    /// Parts of weights that indexes of `snapshot` name and that are not `present`; none where other
    /// weights beside them are whole.
    pub(super) fn missing_parts(
        &self,
        snapshot: &Snapshot,
        present: &HashSet<&Path>,
    ) -> BTreeSet<PathBuf> {
        let indexes = snapshot.files.iter().filter(|file| completeness::is_index(&file.path));
        let read = indexes.filter_map(|file| {
            let json = self.repo.file_at(snapshot, file)?.read(LARGEST_INDEX).ok()?;
            let parts = completeness::parts(&file.path, &json).ok()?;
            Some((file.path.parent().unwrap_or(Path::new("")), parts))
        });
        lacking(&read.collect::<Vec<_>>(), present)
    }
}

/// The parts that are not `present`, of indexes with their folders.
fn lacking(indexes: &[(&Path, BTreeSet<PathBuf>)], present: &HashSet<&Path>) -> BTreeSet<PathBuf> {
    let lacks = |parts: &BTreeSet<PathBuf>| {
        parts.iter().filter(|part| !present.contains(part.as_path())).cloned().collect::<Vec<_>>()
    };
    let is_whole = |folder: &Path| {
        WHOLE.iter().any(|name| present.contains(folder.join(name).as_path()))
            || indexes.iter().any(|(other, parts)| *other == folder && lacks(parts).is_empty())
    };
    let broken = indexes.iter().filter(|(folder, _)| !is_whole(folder));
    broken.flat_map(|(_, parts)| lacks(parts)).collect()
}

#[cfg(test)]
mod tests {
    use std::{
        collections::{BTreeSet, HashSet},
        path::{Path, PathBuf},
    };

    use super::lacking;

    #[test]
    fn parts_are_missing_where_no_other_weights_are_whole() {
        let parts = |names: &[&str]| names.iter().map(PathBuf::from).collect::<BTreeSet<_>>();
        let bins = (Path::new(""), parts(&["1.bin", "2.bin"]));
        let tensors = (Path::new(""), parts(&["1.safetensors"]));
        let apart = (Path::new("sub"), parts(&["sub/1.safetensors"]));
        let lacks = |present: &[&str]| {
            let present: HashSet<_> = present.iter().map(Path::new).collect();
            lacking(&[bins.clone(), tensors.clone(), apart.clone()], &present)
        };
        let all = ["1.bin", "2.bin", "1.safetensors", "sub/1.safetensors"];
        assert_eq!(lacks(&all), parts(&[]));
        assert_eq!(lacks(&[]), parts(&all));
        assert_eq!(lacks(&["1.bin", "sub/1.safetensors"]), parts(&["1.safetensors", "2.bin"]));
        assert_eq!(lacks(&["1.safetensors", "sub/1.safetensors"]), parts(&[]));
        assert_eq!(lacks(&["pytorch_model.bin"]), parts(&["sub/1.safetensors"]));
    }
}
