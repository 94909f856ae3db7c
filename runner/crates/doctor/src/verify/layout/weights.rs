//! Finds missing shards of weights by their index files.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    path::{Component, Path, PathBuf},
};

use hub::layout::Snapshot;
use serde::Deserialize;
use untrusted::Refused;

use super::Inspector;

/// Suffixes of index files.
const INDEXES: [&str; 2] = [".safetensors.index.json", ".bin.index.json"];

/// Size limit of an index. Half a million tensors take less.
const LARGEST_INDEX: u64 = 32 << 20;

/// Weights in one file, which loaders prefer to shards.
const SINGLE_FILES: [&str; 2] = ["model.safetensors", "pytorch_model.bin"];

impl Inspector<'_> {
    /// Shards that are in an index of `snapshot` and not `present`. None if the folder has other complete
    /// weights.
    pub(super) fn missing_shards(
        &mut self,
        snapshot: &Snapshot,
        present: &HashSet<&Path>,
    ) -> BTreeSet<PathBuf> {
        let mut indexes = Vec::new();
        for file in snapshot.files.iter().filter(|file| is_index(&file.path)) {
            let Some(at) = self.repo.file_at(snapshot, file) else { continue };
            match at.read(LARGEST_INDEX) {
                Ok(json) => {
                    let folder = file.path.parent().unwrap_or(Path::new(""));
                    indexes.extend(shards(folder, &json).map(|shards| (folder, shards)));
                }
                Err(error) if Refused::of(&error) == Some(Refused::TooLarge(LARGEST_INDEX)) => {
                    let path = snapshot.place.join(&file.path);
                    self.foreign(path, 0, &format!("an index of weights was not read: {error}"));
                }
                Err(_) => {}
            }
        }
        missing(&indexes, present)
    }
}

/// Whether the file at `path` is an index.
fn is_index(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    name.is_some_and(|name| INDEXES.iter().any(|ending| name.ends_with(ending)))
}

/// Shards of an index in `folder`, as paths below the snapshot.
fn shards(folder: &Path, json: &[u8]) -> Option<BTreeSet<PathBuf>> {
    #[derive(Deserialize)]
    struct Index {
        weight_map: BTreeMap<String, String>,
    }
    let Index { weight_map } = serde_json::from_slice(json).ok()?;
    let shard =
        |shard| folder.join(shard).components().filter(|at| *at != Component::CurDir).collect();
    Some(weight_map.into_values().map(shard).collect())
}

/// Shards of the indexes that are not `present`. Each index comes with its folder.
fn missing(indexes: &[(&Path, BTreeSet<PathBuf>)], present: &HashSet<&Path>) -> BTreeSet<PathBuf> {
    let missing_of = |shards: &BTreeSet<PathBuf>| {
        shards
            .iter()
            .filter(|shard| !present.contains(shard.as_path()))
            .cloned()
            .collect::<Vec<_>>()
    };
    let is_complete = |folder: &Path| {
        SINGLE_FILES.iter().any(|name| present.contains(folder.join(name).as_path()))
            || indexes
                .iter()
                .any(|(other, shards)| *other == folder && missing_of(shards).is_empty())
    };
    let incomplete = indexes.iter().filter(|(folder, _)| !is_complete(folder));
    incomplete.flat_map(|(_, shards)| missing_of(shards)).collect()
}

#[cfg(test)]
mod tests {
    use std::{
        collections::{BTreeSet, HashSet},
        path::{Path, PathBuf},
    };

    use super::{is_index, missing, shards};

    #[test]
    fn shards_are_missing_unless_other_weights_are_complete() {
        let set = |names: &[&str]| names.iter().map(PathBuf::from).collect::<BTreeSet<_>>();
        let bins = (Path::new(""), set(&["1.bin", "2.bin"]));
        let tensors = (Path::new(""), set(&["1.safetensors"]));
        let subfolder = (Path::new("sub"), set(&["sub/1.safetensors"]));
        let missing_of = |present: &[&str]| {
            let present: HashSet<_> = present.iter().map(Path::new).collect();
            missing(&[bins.clone(), tensors.clone(), subfolder.clone()], &present)
        };
        let all = ["1.bin", "2.bin", "1.safetensors", "sub/1.safetensors"];
        assert_eq!(missing_of(&all), set(&[]));
        assert_eq!(missing_of(&[]), set(&all));
        assert_eq!(missing_of(&["1.bin", "sub/1.safetensors"]), set(&["1.safetensors", "2.bin"]));
        assert_eq!(missing_of(&["1.safetensors", "sub/1.safetensors"]), set(&[]));
        assert_eq!(missing_of(&["pytorch_model.bin"]), set(&["sub/1.safetensors"]));
    }

    #[test]
    fn index_has_a_suffix_and_a_weight_map() {
        assert!(is_index(Path::new("model.safetensors.index.json")));
        assert!(is_index(Path::new("x/pytorch_model.bin.index.json")));
        assert!(!is_index(Path::new("config.json")));
        let named = shards(Path::new("sub"), br#"{"weight_map": {"a": "./x"}}"#).unwrap();
        assert!(named.contains(Path::new("sub/x")), "{named:?}");
        assert_eq!(shards(Path::new(""), b"{}"), None);
    }
}
