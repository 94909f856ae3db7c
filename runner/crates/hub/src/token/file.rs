//! Token files: which exist, whether one contains a token, and who can read it.

use std::{
    collections::BTreeSet,
    fs, io,
    os::unix::fs::{FileTypeExt as _, MetadataExt as _},
    path::{Path, PathBuf},
};

use contract::env;
use host::{machine::Host, paths::expand::expand};
use rustix::fs::{Access, access, major, minor};
use untrusted::Dir;

use crate::HubCache;

/// The name of the active token's file in the HuggingFace home.
pub(super) const TOKEN: &str = "token";

/// The name of the file with all tokens of `hf auth login`, in the same folder.
const STORED: &str = "stored_tokens";

/// Size limit of a token. The Hub's own have 37 characters, those of an OAuth login more.
const MAX_BYTES: u64 = 4096;

/// Whether a token file has a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum TokenFile {
    /// A token, or an unreadable file. That error is reported when the file is opened.
    Present,
    /// No token, and the reason if the user may expect one.
    Absent(Option<&'static str>),
}

/// Checks whether `file` may be passed to a container. `is_named` is whether HF_TOKEN_PATH names it.
///
/// # Errors
/// Why it may not, to follow its name in a message.
pub(super) fn inspect(file: &Path, is_named: bool) -> Result<TokenFile, String> {
    let data = match fs::symlink_metadata(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Ok(TokenFile::Absent(is_named.then_some("does not exist")));
        }
        Err(_) => return Ok(TokenFile::Present),
        Ok(data) => data,
    };
    if data.is_symlink() && !is_named {
        return Err("is a symlink, and the Hub client never makes it one".to_owned());
    }
    match content(file) {
        Content::Token | Content::Unreadable => Ok(TokenFile::Present),
        Content::Empty => Ok(TokenFile::Absent(Some("is empty"))),
        Content::Null => Ok(TokenFile::Absent(None)),
        Content::Other(why) => Err(format!("is not a token: {why}")),
    }
}

/// The content of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Content {
    /// One line of printable ASCII.
    Token,
    /// Nothing but white space.
    Empty,
    /// `/dev/null`, which means no token.
    Null,
    /// The file cannot be read.
    Unreadable,
    /// Not a token, for this reason.
    Other(&'static str),
}

/// Whether this is `/dev/null`.
fn is_null(data: &fs::Metadata) -> bool {
    const NULL: (u32, u32) = (1, 3);
    let device = data.rdev();
    data.file_type().is_char_device() && (major(device), minor(device)) == NULL
}

fn content(file: &Path) -> Content {
    // A symlink is only accepted when the user named it.
    let Ok(real) = file.canonicalize() else { return Content::Unreadable };
    match fs::symlink_metadata(&real) {
        Ok(data) if data.is_dir() => return Content::Other("it is a folder"),
        Ok(data) if is_null(&data) => return Content::Null,
        Ok(data) if !data.is_file() => return Content::Other("it is not a regular file"),
        _ => {}
    }
    let (Some(folder), Some(name)) = (real.parent(), real.file_name()) else {
        return Content::Unreadable;
    };
    match Dir::open(folder).and_then(|folder| folder.read(name, MAX_BYTES)) {
        Ok(bytes) => of_bytes(&bytes),
        Err(error) if error.kind() == io::ErrorKind::FileTooLarge => {
            Content::Other("it is too long")
        }
        Err(_) => Content::Unreadable,
    }
}

fn of_bytes(bytes: &[u8]) -> Content {
    let Ok(text) = str::from_utf8(bytes) else { return Content::Other("it is not text in UTF-8") };
    let text = text.trim();
    if text.is_empty() {
        Content::Empty
    } else if text.lines().count() > 1 {
        Content::Other("it has several lines")
    } else if !text.chars().all(|character| character.is_ascii_graphic()) {
        Content::Other("it has other characters than a token")
    } else {
        Content::Token
    }
}

/// A problem with a token file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The user cannot read it. The Hub client fails on that even offline.
    Unreadable(String),
    /// It does not contain a token.
    NotAToken(String),
    /// Other users can access it, because of this mode.
    Mode(u32),
    /// It is owned by this other user, who can read it.
    Owner(u32),
}

/// Checks the token file `file` for the user `uid`. A missing file is not a fault.
pub fn fault(file: &Path, uid: u32) -> Option<Fault> {
    let data = match fs::metadata(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
        Err(error) => return Some(Fault::Unreadable(error.to_string())),
        Ok(data) => data,
    };
    if data.is_dir() {
        return Some(Fault::Unreadable("it is a folder".to_owned()));
    }
    if access(file, Access::READ_OK).is_err() {
        return Some(Fault::Unreadable("it is closed to you".to_owned()));
    }
    if is_null(&data) {
        return None;
    }
    if let Content::Other(why) = content(file) {
        return Some(Fault::NotAToken(why.to_owned()));
    }
    let mode = data.mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Some(Fault::Mode(mode));
    }
    (data.uid() != uid && uid != 0).then(|| Fault::Owner(data.uid()))
}

/// The `stored_tokens` file in the folder of `file` and its mode, if other users can access it.
pub(super) fn exposed_tokens(file: &Path) -> Option<(PathBuf, u32)> {
    let stored = file.with_file_name(STORED);
    let mode = fs::metadata(&stored).ok().filter(|data| data.is_file())?.mode() & 0o7777;
    (mode & 0o077 != 0).then_some((stored, mode))
}

/// The existing files with tokens, canonical: the named one, those of this and the default HuggingFace homes,
/// and the `stored_tokens` files in their folders.
pub(crate) fn token_files(cache: &HubCache, host: &Host) -> Vec<PathBuf> {
    let named = host.env.get(env::HF_TOKEN_PATH).and_then(|named| named.to_str());
    let named = named.map(|text| host.cwd.join(expand(text, host)));
    let caches = [
        host.home.as_ref().map(|home| home.join(".cache")),
        host.env.text(env::XDG_CACHE_HOME).map(|cache| host.cwd.join(expand(&cache, host))),
    ];
    let usual = caches.into_iter().flatten().map(|cache| cache.join("huggingface"));
    let homes = usual.chain([cache.home.as_path().to_owned()]);
    let files = homes.map(|home| home.join(TOKEN)).chain(named);
    let beside = |token: PathBuf| [token.with_file_name(STORED), token];
    let real = files.flat_map(beside).filter_map(|file| fs::canonicalize(file).ok());
    real.filter(|file| file.is_file()).collect::<BTreeSet<_>>().into_iter().collect()
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink, path::Path};

    use rustix::fs::{CWD, FileType, Mode, mknodat};

    use super::{Content, TokenFile, inspect, of_bytes};

    #[test]
    fn token_is_one_line_of_printable_ascii() {
        let is = |text: &[u8]| of_bytes(text) == Content::Token;
        assert!(is(b"hf_abc") && is(b" hf_abc\n") && is(b"hf_abc\r\n"));
        let key = b"-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1r\n";
        for text in [&key[..], b"\xff\xfeh\0f\0", b"two words", b"hf_\x1b[2J"] {
            assert!(matches!(of_bytes(text), Content::Other(_)), "{text:?}");
        }
        assert_eq!((of_bytes(b""), of_bytes(b" \n")), (Content::Empty, Content::Empty));
    }

    #[test]
    fn symlink_is_accepted_only_where_the_user_names_it() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        let at = |name: &str| root.join(name);
        fs::create_dir(at("hf")).unwrap();
        fs::write(at("key"), "one-line-secret").unwrap();
        fs::write(at("empty"), "\n").unwrap();
        fs::write(at("long"), "x".repeat(5000)).unwrap();
        symlink("../key", at("hf/token")).unwrap();
        symlink("key", at("mine")).unwrap();
        assert!(inspect(&at("hf/token"), false).unwrap_err().starts_with("is a symlink"));
        assert_eq!(inspect(&at("mine"), true), Ok(TokenFile::Present));
        assert_eq!(inspect(&at("key"), false), Ok(TokenFile::Present));
        assert_eq!(inspect(&at("none"), false), Ok(TokenFile::Absent(None)));
        assert_eq!(inspect(&at("none"), true), Ok(TokenFile::Absent(Some("does not exist"))));
        assert_eq!(inspect(&at("empty"), false), Ok(TokenFile::Absent(Some("is empty"))));
        assert_eq!(inspect(Path::new("/dev/null"), true), Ok(TokenFile::Absent(None)));
        mknodat(CWD, at("fifo"), FileType::Fifo, Mode::RWXU, 0).unwrap();
        for other in [&*at("fifo"), Path::new("/dev/zero")] {
            assert!(inspect(other, true).unwrap_err().ends_with("it is not a regular file"));
        }
        assert!(inspect(&at("long"), true).unwrap_err().ends_with("it is too long"));
        assert!(inspect(&at("hf"), true).unwrap_err().ends_with("it is a folder"));
    }
}
