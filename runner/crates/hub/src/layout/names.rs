//! Names in a Hub cache, as huggingface_hub 2.4, older clients and the Rust crate hf-hub write them.

use std::{ffi::OsStr, fmt, os::unix::ffi::OsStrExt as _, path::Path};

use contract::hex;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

/// The type of a repo.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RepoType {
    /// A model.
    Model,
    /// A dataset.
    Dataset,
    /// A Space, an app that runs on the Hub.
    Space,
    /// Compiled GPU code, since huggingface_hub 1.10.
    Kernel,
}

impl RepoType {
    /// All types.
    pub const ALL: [Self; 4] = [Self::Model, Self::Dataset, Self::Space, Self::Kernel];

    /// The name that the Hub uses.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Model => "model",
            Self::Dataset => "dataset",
            Self::Space => "space",
            Self::Kernel => "kernel",
        }
    }
}

impl fmt::Display for RepoType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The name of a repo on the Hub.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct RepoName {
    /// Its type.
    #[serde(rename = "type")]
    pub kind: RepoType,
    /// `ORG/NAME`, or `NAME` alone.
    pub id: String,
}

impl RepoName {
    /// Parses the name of a repo's folder. The Hub forbids `--` in ids, so this is unambiguous.
    pub fn of_folder(name: &str) -> Option<Self> {
        let (plural, id) = name.split_once("--")?;
        let kind = plural.strip_suffix('s')?;
        let kind = RepoType::ALL.into_iter().find(|known| known.name() == kind)?;
        Some(Self { kind, id: id.replace("--", "/") })
    }

    /// The name of its folder in a cache.
    pub fn folder(&self) -> String {
        format!("{}s--{}", self.kind, self.id.replace('/', "--"))
    }
}

impl fmt::Display for RepoName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, id } = self;
        write!(f, "{kind}/{id}")
    }
}

/// The digest in a blob's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Digest {
    /// SHA-256 of the content, for files in LFS or Xet.
    Sha256([u8; 32]),
    /// Git's SHA-1 blob id, for other files.
    Git([u8; 20]),
}

impl Digest {
    /// Parses a blob's name. Names by other servers than the Hub have no known digest.
    pub fn of_name(name: &[u8]) -> Option<Self> {
        match name.len() {
            64 => hex::decode(name).map(Self::Sha256),
            40 => hex::decode(name).map(Self::Git),
            _ => None,
        }
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes: &[u8] = match self {
            Self::Sha256(bytes) => bytes,
            Self::Git(bytes) => bytes,
        };
        f.write_str(&hex::encode(bytes))
    }
}

/// The first 16 hexadecimal digits of the SHA-256 of a path, as a name for files about it.
pub(crate) fn short_id(path: &Path) -> String {
    let digest: [u8; 32] = Sha256::digest(path.as_os_str().as_bytes()).into();
    Digest::Sha256(digest).to_string()[..16].to_owned()
}

/// Whether `name` is a commit hash, as the folders in `snapshots` are named.
pub fn is_commit(name: &str) -> bool {
    hex::decode::<20>(name.as_bytes()).is_some()
}

/// Kind of a file in `blobs`, by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BlobName<'a> {
    /// A blob named after its digest.
    Named(Digest),
    /// An unfinished download, running or not.
    Incomplete {
        /// The etag of the file.
        etag: &'a OsStr,
        /// Whether the name is unique to one attempt, which no client resumes: `<etag>.<8hex>.incomplete`,
        /// since 1.18. Older clients and the Rust crate resume `<etag>.incomplete`.
        unique: bool,
    },
    /// An empty file that a client creates to find out the umask.
    UmaskProbe,
    /// A new file or symlink that will replace a blob.
    Replacement,
    /// A blob that a client replaced. It may be the only copy.
    Replaced {
        /// The etag of the blob.
        etag: &'a OsStr,
    },
    /// A lock file of a client before 0.19.
    Lock,
    /// A blob with the etag of another server than the Hub, or a file that no client created.
    Other,
}

impl<'a> BlobName<'a> {
    /// Parses a name.
    pub fn of(name: &'a OsStr) -> Self {
        let bytes = name.as_bytes();
        if let Some(digest) = Digest::of_name(bytes) {
            return Self::Named(digest);
        }
        let stem = |ending: &str| bytes.strip_suffix(ending.as_bytes());
        if let Some(stem) = stem(".incomplete") {
            let unique = before_unique(stem);
            let etag = OsStr::from_bytes(unique.unwrap_or(stem));
            return Self::Incomplete { etag, unique: unique.is_some() };
        }
        if stem(".lock").is_some() {
            return Self::Lock;
        }
        if is_umask_probe(name) {
            return Self::UmaskProbe;
        }
        // `.<etag>.<8hex>.old`
        let temporary = |ending| before_unique(stem(ending)?)?.strip_prefix(b".");
        if let Some(etag) = temporary(".old") {
            return Self::Replaced { etag: OsStr::from_bytes(etag) };
        }
        match temporary(".shared").or_else(|| temporary(".new")) {
            Some(_) => Self::Replacement,
            None => Self::Other,
        }
    }
}

/// Whether the name is `tmp_` and a UUID. They are in `blobs`, or next to it before huggingface_hub 1.18.
pub fn is_umask_probe(name: &OsStr) -> bool {
    let Some(uuid) = name.as_bytes().strip_prefix(b"tmp_") else { return false };
    let is_hex = |digit: &u8| matches!(digit, b'0'..=b'9' | b'a'..=b'f');
    let parts: Vec<_> = uuid.split(|byte| *byte == b'-').collect();
    parts.iter().map(|part| part.len()).eq([8, 4, 4, 4, 12])
        && parts.into_iter().flatten().all(is_hex)
}

/// The part before `.<8hex>`, a suffix that makes a client's name unique.
fn before_unique(name: &[u8]) -> Option<&[u8]> {
    let dot = name.iter().rposition(|byte| *byte == b'.')?;
    hex::decode::<4>(&name[dot + 1..]).map(|_| &name[..dot])
}

/// Whether the name is `tmpXXXXXXXX`, as Python's `tempfile` names folders.
pub fn is_link_probe(name: &OsStr) -> bool {
    let name = name.as_bytes();
    name.len() == 11
        && name.starts_with(b"tmp")
        && name
            .iter()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || *byte == b'_')
}

#[cfg(test)]
mod properties;

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use super::{BlobName, Digest, RepoName, RepoType, is_commit};

    #[test]
    fn folder_is_named_after_its_repo() {
        let cases = [
            ("models--gpt2", Some((RepoType::Model, "gpt2"))),
            ("datasets--org--name", Some((RepoType::Dataset, "org/name"))),
            ("spaces--o--n", Some((RepoType::Space, "o/n"))),
            ("kernels--o--n", Some((RepoType::Kernel, "o/n"))),
            ("models", None),
            ("model--gpt2", None),
            ("blobs", None),
            (".locks", None),
        ];
        for (folder, expected) in cases {
            let name = RepoName::of_folder(folder);
            let expected = expected.map(|(kind, id)| RepoName { kind, id: id.to_owned() });
            assert_eq!(name, expected, "{folder}");
            assert!(name.is_none_or(|name| name.folder() == folder));
        }
    }

    #[test]
    fn digest_is_lower_case_hexadecimal() {
        let sha = "0123456789abcdef".repeat(4);
        let git = &sha[..40];
        for name in [&sha, git] {
            assert_eq!(Digest::of_name(name.as_bytes()).unwrap().to_string(), *name);
        }
        for name in [&sha[..63], &sha.to_uppercase(), "W/\"1\"", ""] {
            assert_eq!(Digest::of_name(name.as_bytes()), None, "{name}");
        }
        assert!(is_commit(git) && !is_commit(&sha) && !is_commit("main"));
    }

    #[test]
    fn temporary_files_are_recognised_by_name() {
        let of = |name| BlobName::of(OsStr::new(name));
        let incomplete = |etag, unique| BlobName::Incomplete { etag: OsStr::new(etag), unique };
        assert_eq!(of("ab.0011aabb.incomplete"), incomplete("ab", true));
        for resumed in ["ab", "a.b", "ab.0011aab", "ab.0011AABB"] {
            let name = format!("{resumed}.incomplete");
            assert_eq!(BlobName::of(OsStr::new(&name)), incomplete(resumed, false), "{name}");
        }
        assert_eq!(of("tmp_7a1f37b8-1b5e-4d1c-9c0e-0123456789ab"), BlobName::UmaskProbe);
        assert_eq!(of(".ab.0011aabb.old"), BlobName::Replaced { etag: OsStr::new("ab") });
        assert_eq!(of(".ab.0011aabb.shared"), BlobName::Replacement);
        assert_eq!(of("ab.lock"), BlobName::Lock);
        // Names that no client uses.
        for other in [
            "weights.new",
            "notes.txt",
            "abc",
            "tmp_notes.txt",
            "tmp_7a1f37b8-1b5e-4d1c-9c0e-0123456789aX",
            ".config.old",
            ".vimrc.backup99.new",
            "ab.0011aabb.old",
        ] {
            assert_eq!(of(other), BlobName::Other, "{other}");
        }
    }
}
