//! Finds missing parts of weights, by the indexes that name them.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    path::{Component, Path, PathBuf},
};

use hub::layout::Snapshot;
use serde::Deserialize;
use untrusted::Refused;

use super::Inspector;

/// How the names of files end that list the parts of weights.
const INDEXES: [&str; 2] = [".safetensors.index.json", ".bin.index.json"];

/// Bytes of the largest index that is read: half a million tensors take less.
const LARGEST_INDEX: u64 = 32 << 20;

/// Weights in one file, which a loader takes instead of parts.
const WHOLE: [&str; 2] = ["model.safetensors", "pytorch_model.bin"];

impl Inspector<'_> {
    /// Parts of weights that indexes of `snapshot` name and that are not `present`; none where other
    /// weights beside them are whole.
    pub(super) fn missing_parts(
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
                    indexes.extend(parts(folder, &json).map(|parts| (folder, parts)));
                }
                Err(error) if Refused::of(&error) == Some(Refused::TooLarge(LARGEST_INDEX)) => {
                    let path = snapshot.place.join(&file.path);
                    self.foreign(path, 0, &format!("an index of weights was not read: {error}"));
                }
                Err(_) => {}
            }
        }
        lacking(&indexes, present)
    }
}

/// Whether the file at `path` lists parts of weights.
fn is_index(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    name.is_some_and(|name| INDEXES.iter().any(|ending| name.ends_with(ending)))
}

/// The parts that an index in `folder` names, as paths below the snapshot; none when it is no index.
fn parts(folder: &Path, json: &[u8]) -> Option<BTreeSet<PathBuf>> {
    #[derive(Deserialize)]
    struct Index {
        weight_map: BTreeMap<String, String>,
    }
    let Index { weight_map } = serde_json::from_slice(json).ok()?;
    let part =
        |part| folder.join(part).components().filter(|at| *at != Component::CurDir).collect();
    Some(weight_map.into_values().map(part).collect())
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

    use super::{is_index, lacking, parts};

    #[test]
    fn parts_are_missing_where_no_other_weights_are_whole() {
        let set = |names: &[&str]| names.iter().map(PathBuf::from).collect::<BTreeSet<_>>();
        let bins = (Path::new(""), set(&["1.bin", "2.bin"]));
        let tensors = (Path::new(""), set(&["1.safetensors"]));
        let apart = (Path::new("sub"), set(&["sub/1.safetensors"]));
        let lacks = |present: &[&str]| {
            let present: HashSet<_> = present.iter().map(Path::new).collect();
            lacking(&[bins.clone(), tensors.clone(), apart.clone()], &present)
        };
        let all = ["1.bin", "2.bin", "1.safetensors", "sub/1.safetensors"];
        assert_eq!(lacks(&all), set(&[]));
        assert_eq!(lacks(&[]), set(&all));
        assert_eq!(lacks(&["1.bin", "sub/1.safetensors"]), set(&["1.safetensors", "2.bin"]));
        assert_eq!(lacks(&["1.safetensors", "sub/1.safetensors"]), set(&[]));
        assert_eq!(lacks(&["pytorch_model.bin"]), set(&["sub/1.safetensors"]));
    }

    #[test]
    fn index_is_known_by_its_name_and_its_weight_map() {
        assert!(is_index(Path::new("model.safetensors.index.json")));
        assert!(is_index(Path::new("x/pytorch_model.bin.index.json")));
        assert!(!is_index(Path::new("config.json")));
        let named = parts(Path::new("sub"), br#"{"weight_map": {"a": "./x"}}"#).unwrap();
        assert!(named.contains(Path::new("sub/x")), "{named:?}");
        assert_eq!(parts(Path::new(""), b"{}"), None);
    }
}
