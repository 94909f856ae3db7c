//! Files of tokens: whether one holds a token, what is wrong with it, and which others lie beside it.

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

/// What the file of the token in force is called, in the HuggingFace home.
pub(super) const TOKEN: &str = "token";

/// What the file beside the token in force is called that holds every token of a login. It is no
/// variable's.
const STORED: &str = "stored_tokens";

/// Bytes of the longest token. Facts of the Hub: its own have 37; those of an OAuth login are longer.
const LONGEST: u64 = 4096;

/// What there is of a token file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Look {
    /// A token, or something that cannot be read, which is reported where it is opened.
    There,
    /// No token; why, where the user may have meant one.
    Nothing(Option<&'static str>),
}

/// Looks whether the token file `file` is to be handed over. `is_named` is whether HF_TOKEN_PATH names
/// it.
///
/// # Errors
/// Why it is not one, for behind its name.
pub(super) fn look(file: &Path, is_named: bool) -> Result<Look, String> {
    let data = match fs::symlink_metadata(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Ok(Look::Nothing(is_named.then_some("does not exist")));
        }
        Err(_) => return Ok(Look::There),
        Ok(data) => data,
    };
    if data.is_symlink() && !is_named {
        return Err("is a symlink, and the Hub client never makes it one".to_owned());
    }
    match content(file) {
        Content::Token | Content::Closed => Ok(Look::There),
        Content::Empty => Ok(Look::Nothing(Some("is empty"))),
        Content::Device => Ok(Look::Nothing(None)),
        Content::Other(why) => Err(format!("is not a token: {why}")),
    }
}

/// What is in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Content {
    /// One line of text, as long as a token.
    Token,
    /// No byte but blanks.
    Empty,
    /// `/dev/null`, which stands for no token.
    Device,
    /// It cannot be read.
    Closed,
    /// Something else.
    Other(&'static str),
}

/// Whether this is `/dev/null`.
fn is_null(data: &fs::Metadata) -> bool {
    const NULL: (u32, u32) = (1, 3);
    let device = data.rdev();
    data.file_type().is_char_device() && (major(device), minor(device)) == NULL
}

fn content(file: &Path) -> Content {
    // A symlink to it is the user's own choice by now.
    let Ok(real) = file.canonicalize() else { return Content::Closed };
    match fs::symlink_metadata(&real) {
        Ok(data) if data.is_dir() => return Content::Other("it is a folder"),
        Ok(data) if is_null(&data) => return Content::Device,
        Ok(data) if !data.is_file() => return Content::Other("it is not a regular file"),
        _ => {}
    }
    let (Some(folder), Some(name)) = (real.parent(), real.file_name()) else {
        return Content::Closed;
    };
    match Dir::open(folder).and_then(|folder| folder.read(name, LONGEST)) {
        Ok(bytes) => of_bytes(&bytes),
        Err(error) if error.kind() == io::ErrorKind::FileTooLarge => {
            Content::Other("it is too long")
        }
        Err(_) => Content::Closed,
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

/// What is wrong with the file of a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The user cannot read it, and the Hub client minds that even offline.
    Unreadable(String),
    /// It is something else than a token.
    NotAToken(String),
    /// Its mode opens it to others.
    Mode(u32),
    /// It belongs to this user, who can read it.
    Owner(u32),
}

/// What is wrong with the token in `file`, for the user `uid`. A missing token is no fault.
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

/// The file beside `file` that holds every token of a login, and its mode, if others can read it.
pub(crate) fn stored_and_open(file: &Path) -> Option<(PathBuf, u32)> {
    let stored = file.with_file_name(STORED);
    let mode = fs::metadata(&stored).ok().filter(|data| data.is_file())?.mode() & 0o7777;
    (mode & 0o077 != 0).then_some((stored, mode))
}

/// The files with tokens that are there, symlinks followed: the one in force, those of the HuggingFace
/// home and of the usual ones, which another login may have written, and the stored ones beside each.
pub fn secrets(cache: &HubCache, host: &Host) -> Vec<PathBuf> {
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

    use super::{Content, Look, look, of_bytes};

    #[test]
    fn token_is_one_line_of_plain_text() {
        let is = |text: &[u8]| of_bytes(text) == Content::Token;
        assert!(is(b"hf_abc") && is(b" hf_abc\n") && is(b"hf_abc\r\n"));
        let key = b"-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1r\n";
        for text in [&key[..], b"\xff\xfeh\0f\0", b"two words", b"hf_\x1b[2J"] {
            assert!(matches!(of_bytes(text), Content::Other(_)), "{text:?}");
        }
        assert_eq!((of_bytes(b""), of_bytes(b" \n")), (Content::Empty, Content::Empty));
    }

    #[test]
    fn token_file_is_where_the_client_writes_it_or_where_the_user_names_it() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        let at = |name: &str| root.join(name);
        fs::create_dir(at("hf")).unwrap();
        fs::write(at("key"), "one-line-secret").unwrap();
        fs::write(at("empty"), "\n").unwrap();
        fs::write(at("long"), "x".repeat(5000)).unwrap();
        symlink("../key", at("hf/token")).unwrap();
        symlink("key", at("mine")).unwrap();
        assert!(look(&at("hf/token"), false).unwrap_err().starts_with("is a symlink"));
        assert_eq!(look(&at("mine"), true), Ok(Look::There));
        assert_eq!(look(&at("key"), false), Ok(Look::There));
        assert_eq!(look(&at("none"), false), Ok(Look::Nothing(None)));
        assert_eq!(look(&at("none"), true), Ok(Look::Nothing(Some("does not exist"))));
        assert_eq!(look(&at("empty"), false), Ok(Look::Nothing(Some("is empty"))));
        assert_eq!(look(Path::new("/dev/null"), true), Ok(Look::Nothing(None)));
        mknodat(CWD, at("fifo"), FileType::Fifo, Mode::RWXU, 0).unwrap();
        for other in [&*at("fifo"), Path::new("/dev/zero")] {
            assert!(look(other, true).unwrap_err().ends_with("it is not a regular file"));
        }
        assert!(look(&at("long"), true).unwrap_err().ends_with("it is too long"));
        assert!(look(&at("hf"), true).unwrap_err().ends_with("it is a folder"));
    }
}
