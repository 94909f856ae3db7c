//! Whether a snapshot has all that its model needs, as far as its own files tell.

use std::{
    collections::{BTreeSet, HashSet},
    path::{Component, Path, PathBuf},
};

use serde::Deserialize;

use super::tree::Tree;

/// What ends the name of a file that lists the parts of weights.
const INDEXES: [&str; 2] = [".safetensors.index.json", ".bin.index.json"];

/// Bytes of the largest index that is read: half a million tensors take less.
pub(crate) const LARGEST_INDEX: u64 = 32 << 20;

/// Whether a snapshot is whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Completeness {
    /// Every file is there, by this witness.
    Complete(Witness),
    /// Files are missing, by this witness.
    Partial(Witness, Vec<String>),
    /// Nothing tells.
    Unknown,
}

/// What tells of a snapshot's files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Witness {
    /// The list of the commit's files.
    Tree,
    /// The index of weights in several files.
    Index,
    /// A link of the snapshot leads to bytes that are missing.
    Link,
}

impl Completeness {
    /// For a machine: whether it is complete, if that is known.
    pub(crate) const fn known(&self) -> Option<bool> {
        match self {
            Self::Complete(_) => Some(true),
            Self::Partial(..) => Some(false),
            Self::Unknown => None,
        }
    }
}

/// Judges a snapshot. `present` are the paths whose bytes are there, `dangling` those whose are
/// not; `parts` are the files that indexes of weights name.
pub(crate) fn judge(
    present: &HashSet<&Path>,
    dangling: &[&Path],
    tree: Option<&Tree>,
    parts: Option<&BTreeSet<PathBuf>>,
) -> Completeness {
    let missing = |paths: &mut dyn Iterator<Item = &Path>| -> Vec<String> {
        paths
            .filter(|path| !present.contains(path))
            .map(|path| path.to_string_lossy().into_owned())
            .collect()
    };
    let (witness, missing) = match (tree, parts) {
        (Some(Tree(files)), _) => (Witness::Tree, missing(&mut files.keys().map(Path::new))),
        (None, _) if !dangling.is_empty() => {
            (Witness::Link, missing(&mut dangling.iter().copied()))
        }
        (None, Some(parts)) => (Witness::Index, missing(&mut parts.iter().map(PathBuf::as_path))),
        (None, None) => return Completeness::Unknown,
    };
    if missing.is_empty() {
        Completeness::Complete(witness)
    } else {
        Completeness::Partial(witness, missing)
    }
}

/// Whether the file at `path` lists parts of weights.
pub(crate) fn is_index(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    name.is_some_and(|name| INDEXES.iter().any(|ending| name.ends_with(ending)))
}

/// The parts that the index at `path` names, as paths below the snapshot.
///
/// # Errors
/// Why it is no index.
pub(crate) fn parts(path: &Path, json: &[u8]) -> Result<BTreeSet<PathBuf>, String> {
    #[derive(Deserialize)]
    struct Index {
        weight_map: std::collections::BTreeMap<String, String>,
    }
    let Index { weight_map } =
        serde_json::from_slice(json).map_err(|error| format!("it is no index: {error}"))?;
    let folder = path.parent().unwrap_or(Path::new(""));
    let part =
        |part| folder.join(part).components().filter(|at| *at != Component::CurDir).collect();
    Ok(weight_map.into_values().map(part).collect())
}

#[cfg(test)]
mod tests {
    use std::{collections::HashSet, path::Path};

    use super::{Completeness, Witness, is_index, judge, parts};
    use crate::hub_cache::tree::Tree;

    fn present<'a>(paths: &'a [&'a str]) -> HashSet<&'a Path> {
        paths.iter().map(Path::new).collect()
    }

    #[test]
    fn a_tree_knows_best_and_then_links_and_then_an_index() {
        let json = r#"{"format_version": 1, "files": {
            "a": {"size": 1, "blob_id": "x"}, "b/c": {"size": 1, "blob_id": "y"}}}"#;
        let tree = Tree::parse(json.as_bytes()).unwrap();
        let whole = present(&["a", "b/c", "foreign"]);
        let complete = Completeness::Complete;
        assert_eq!(judge(&whole, &[], Some(&tree), None), complete(Witness::Tree));
        let partial = judge(&present(&["a"]), &[Path::new("a")], Some(&tree), None);
        assert_eq!(partial, Completeness::Partial(Witness::Tree, vec!["b/c".into()]));
        let dangling = judge(&present(&["a"]), &[Path::new("d")], None, None);
        assert_eq!(dangling, Completeness::Partial(Witness::Link, vec!["d".into()]));
        assert_eq!(judge(&whole, &[], None, None), Completeness::Unknown);

        let index =
            br#"{"metadata": {}, "weight_map": {"l.0": "1.safetensors", "l.1": "./2.safetensors"}}"#;
        let parts = parts(Path::new("sub/model.safetensors.index.json"), index).unwrap();
        let here = present(&["sub/1.safetensors", "sub/2.safetensors"]);
        assert_eq!(judge(&here, &[], None, Some(&parts)), complete(Witness::Index));
        let less = judge(&present(&["sub/1.safetensors"]), &[], None, Some(&parts));
        let missing = vec!["sub/2.safetensors".to_owned()];
        assert_eq!(less, Completeness::Partial(Witness::Index, missing));
        assert_eq!(less.known(), Some(false));
    }

    #[test]
    fn an_index_is_told_by_its_name_and_must_be_one() {
        assert!(is_index(Path::new("model.safetensors.index.json")));
        assert!(is_index(Path::new("x/pytorch_model.bin.index.json")));
        assert!(!is_index(Path::new("config.json")));
        let dot = parts(Path::new("m"), br#"{"weight_map": {"a": "./x"}}"#).unwrap();
        assert!(dot.contains(Path::new("x")), "{dot:?}");
        assert!(parts(Path::new("m"), b"{}").unwrap_err().contains("weight_map"));
    }
}
