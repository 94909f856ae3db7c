//! Names in a Hub cache, as huggingface_hub 2.4, older clients and the Rust crate hf-hub write them.

use std::{ffi::OsStr, fmt, os::unix::ffi::OsStrExt as _};

pub use contract::hub::is_of_system;
use serde::Serialize;

/// The kinds of repo.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RepoType {
    /// Weights and what goes with them.
    Model,
    /// Data.
    Dataset,
    /// A demo.
    Space,
    /// Compiled GPU code, since huggingface_hub 1.10.
    Kernel,
}

impl RepoType {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Model, Self::Dataset, Self::Space, Self::Kernel];

    /// Its name.
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

/// A repo of the Hub, by its name there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct RepoName {
    /// Its kind.
    #[serde(rename = "type")]
    pub kind: RepoType,
    /// `ORG/NAME`, or `NAME` alone.
    pub id: String,
}

impl RepoName {
    /// The repo that a folder is named after; `--` is forbidden in ids, so that nothing is lost.
    pub fn of_folder(name: &str) -> Option<Self> {
        let (plural, id) = name.split_once("--")?;
        let kind = plural.strip_suffix('s')?;
        let kind = RepoType::ALL.into_iter().find(|known| known.name() == kind)?;
        Some(Self { kind, id: id.replace("--", "/") })
    }

    /// The name of its folder.
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

/// The digest that a blob's name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Digest {
    /// Of the bytes, for files that are large or binary.
    Sha256([u8; 32]),
    /// Git's id of a blob, for the others.
    Git([u8; 20]),
}

impl Digest {
    /// The digest that `name` spells; anything else is another server's and cannot be checked.
    pub fn of_name(name: &[u8]) -> Option<Self> {
        match name.len() {
            64 => bytes(name).map(Self::Sha256),
            40 => bytes(name).map(Self::Git),
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
        bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// `N` bytes of twice as many lower-case hexadecimal digits.
fn bytes<const N: usize>(hex: &[u8]) -> Option<[u8; N]> {
    let digit = |digit: u8| match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    };
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(hex.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    (hex.len() == 2 * N).then_some(bytes)
}

/// Whether `name` is a commit, as folders below `snapshots/` are named.
pub fn is_commit(name: &str) -> bool {
    bytes::<20>(name.as_bytes()).is_some()
}

/// What a file in a repo's `blobs` is, by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BlobName<'a> {
    /// Content whose name is its digest.
    Named(Digest),
    /// A download that was killed or is running.
    Incomplete {
        /// The etag of its file.
        etag: &'a OsStr,
        /// Whether the name is unique to one try, which no client resumes: `<etag>.<8hex>.incomplete`,
        /// since 1.18. Before that and in the Rust crate it is `<etag>.incomplete`, and resumed.
        unique: bool,
    },
    /// An empty file that a client learned the umask from.
    UmaskProbe,
    /// A new file or symlink that is about to replace a blob.
    Replacement,
    /// What a client put another blob in the place of: it may be the only copy.
    Replaced {
        /// The etag of the blob.
        etag: &'a OsStr,
    },
    /// A lock of a client before 0.19.
    Lock,
    /// Another server's name, or somebody else's file.
    Other,
}

impl<'a> BlobName<'a> {
    /// Reads a name.
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
        let step = |ending| before_unique(stem(ending)?)?.strip_prefix(b".");
        if let Some(etag) = step(".old") {
            return Self::Replaced { etag: OsStr::from_bytes(etag) };
        }
        match step(".shared").or_else(|| step(".new")) {
            Some(_) => Self::Replacement,
            None => Self::Other,
        }
    }
}

/// `tmp_` and a UUID: in `blobs/`, and before huggingface_hub 1.18 beside it.
pub fn is_umask_probe(name: &OsStr) -> bool {
    let Some(uuid) = name.as_bytes().strip_prefix(b"tmp_") else { return false };
    let is_hex = |digit: &u8| matches!(digit, b'0'..=b'9' | b'a'..=b'f');
    let parts: Vec<_> = uuid.split(|byte| *byte == b'-').collect();
    parts.iter().map(|part| part.len()).eq([8, 4, 4, 4, 12])
        && parts.into_iter().flatten().all(is_hex)
}

/// What comes before `.<8hex>`, with which a client makes a name its own.
fn before_unique(name: &[u8]) -> Option<&[u8]> {
    let dot = name.iter().rposition(|byte| *byte == b'.')?;
    bytes::<4>(&name[dot + 1..]).map(|_| &name[..dot])
}

/// `tmpXXXXXXXX`, as Python's `tempfile` names folders.
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
    fn a_folder_is_named_after_its_repo() {
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
    fn a_blobs_name_is_a_digest_in_lower_case() {
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
    fn leftovers_are_told_by_their_names() {
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
        // What is not named as a client names it is somebody's.
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
