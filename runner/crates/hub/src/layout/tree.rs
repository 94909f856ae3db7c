//! The list of a commit's files, `trees/<commit>.json`, which huggingface_hub writes since 1.22.

use std::{collections::BTreeMap, io};

use serde::Deserialize;

use crate::layout::names::Digest;

/// The supported format version.
const VERSION: u64 = 1;

/// Size limit of a list that is read. Two hundred thousand files take less.
pub(super) const LARGEST: u64 = 64 << 20;

/// A commit's files, by their paths.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tree(pub BTreeMap<String, TreeFile>);

/// A file of a commit.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct TreeFile {
    /// The size of the file.
    size: u64,
    /// The git blob id of the file, or of its LFS pointer.
    blob_id: String,
    #[serde(default)]
    lfs_sha256: Option<String>,
    #[serde(default)]
    lfs_size: Option<u64>,
    #[serde(default)]
    xet_hash: Option<String>,
}

impl TreeFile {
    /// The name of its blob.
    pub fn etag(&self) -> &str {
        self.lfs_sha256.as_deref().unwrap_or(&self.blob_id)
    }

    /// The size of the file.
    pub fn size(&self) -> u64 {
        self.lfs_size.unwrap_or(self.size)
    }

    /// The name of its payload in the shared store, for a Xet file.
    pub fn xet_hash(&self) -> Option<&str> {
        self.xet_hash.as_deref()
    }
}

/// Why a list cannot be used.
#[derive(Debug)]
pub enum TreeFault {
    /// It cannot be read.
    Unreadable(io::Error),
    /// Its content is invalid, so no client uses it.
    Unusable(String),
    /// Its format version is not supported. A newer client may have written it.
    OtherVersion(String),
}

impl Tree {
    /// Parses a list. It refuses the lists that huggingface_hub refuses.
    ///
    /// # Errors
    /// Why it cannot be used.
    pub(crate) fn parse(json: &[u8]) -> Result<Self, TreeFault> {
        #[derive(Deserialize)]
        struct Format {
            format_version: serde_json::Value,
        }
        #[derive(Deserialize)]
        struct Listing {
            files: BTreeMap<String, TreeFile>,
        }
        let unusable = |why: String| Err(TreeFault::Unusable(why));
        let no_list = |error| TreeFault::Unusable(format!("it is no list of files: {error}"));
        let Format { format_version } = serde_json::from_slice(json).map_err(no_list)?;
        if format_version != VERSION {
            let why = format!("its format has version {format_version}; known is {VERSION}");
            return Err(TreeFault::OtherVersion(why));
        }
        let Listing { files } = serde_json::from_slice(json).map_err(no_list)?;
        for (path, file) in &files {
            if !is_safe_path(path) {
                return unusable(format!(
                    "it names the file {path:?}, which is not in the snapshot"
                ));
            }
            let is_hash =
                |hash: &str| matches!(Digest::of_name(hash.as_bytes()), Some(Digest::Sha256(_)));
            if file.xet_hash().is_some_and(|hash| !is_hash(hash)) {
                return unusable(format!("the Xet hash of {path:?} is no hash"));
            }
        }
        Ok(Self(files))
    }
}

/// Whether the path stays in the snapshot.
fn is_safe_path(path: &str) -> bool {
    let is_name = |part: &str| !matches!(part, "" | "." | "..");
    !path.contains('\0') && path.split('/').all(is_name)
}

#[cfg(test)]
mod properties;

#[cfg(test)]
mod tests {
    use super::{Tree, TreeFault};

    fn why(json: &str) -> String {
        match Tree::parse(json.as_bytes()).unwrap_err() {
            TreeFault::Unusable(why) | TreeFault::OtherVersion(why) => why,
            TreeFault::Unreadable(error) => panic!("{error}"),
        }
    }

    const SHA: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    /// The git blob id of the LFS pointer to an empty file.
    const POINTER: &str = "fc8e42b32efb9a9bf3ae0234a18a948e499490f8";

    fn list(files: &str) -> String {
        format!("{{\"format_version\": 1, \"files\": {{{files}}}}}")
    }

    #[test]
    fn large_file_has_the_etag_and_size_of_its_lfs_object() {
        let files = format!(
            r#""a/b.bin": {{"size": 3, "blob_id": "{POINTER}", "lfs_sha256": "{SHA}", "lfs_size": 0, "xet_hash": "{SHA}"}},
               "c.json": {{"size": 7, "blob_id": "g", "more": 1}}"#
        );
        let tree = Tree::parse(list(&files).as_bytes()).unwrap();
        let [(a, bin), (c, json)] = [0, 1].map(|n| tree.0.iter().nth(n).unwrap());
        assert_eq!((a.as_str(), bin.etag(), bin.size()), ("a/b.bin", SHA, 0));
        assert_eq!((c.as_str(), json.etag(), json.size()), ("c.json", "g", 7));
        assert_eq!((bin.xet_hash(), json.xet_hash()), (Some(SHA), None));
    }

    #[test]
    fn invalid_list_is_refused_with_the_reason() {
        let entry = |path: &str, more: &str| {
            list(&format!(r#""{path}": {{"size": 1, "blob_id": "g"{more}}}"#))
        };
        let reasons = [
            "{".to_owned(),
            "[]".to_owned(),
            "{}".to_owned(),
            r#"{"format_version": 999, "files": {}}"#.to_owned(),
            r#"{"format_version": 1}"#.to_owned(),
            list(r#""f": {"blob_id": "g"}"#),
            entry("/etc/x", ""),
            entry("a/../../x", ""),
            entry("a//x", ""),
            entry("", ""),
            entry("f", r#", "xet_hash": "***""#),
        ]
        .map(|json| why(&json));
        insta::assert_snapshot!(reasons.join("\n"));
    }
}
