//! Gives entries of a folder back to their user. Meant for a container that is root and may do
//! nothing else: it touches what it is told to, follows no link and never leaves the folder.

use std::{
    ffi::OsStr,
    fmt,
    io::{self, Read, Write as _},
    os::unix::ffi::OsStrExt as _,
};

use anyhow::{Context as _, ensure};
use contract::give_back::{Answer, Failed, Grouped, Line, parse};
use rustix::{
    fs::{self, AtFlags, FileType, Gid, Mode, Stat, Uid},
    io::Errno,
};

use untrusted::{Dir, Refused, is_plain, name_of};

use crate::failure::{self, FAILED};

/// Whose the entries are to be, and where they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Request {
    /// The user's id, as it is in here.
    pub(crate) uid: u32,
    /// The user's group, as it is in here: of all that is not in a folder which passes on its own.
    pub(crate) gid: u32,
    /// The folder that holds them.
    pub(crate) folder: String,
    /// The number of the folder's inode, if only that very folder is meant.
    pub(crate) inode: Option<u64>,
}

/// Why an entry was not given back.
#[derive(Debug)]
enum Trouble {
    /// It is left alone on purpose.
    Refused(String),
    /// The system would not have it.
    Failed(io::Error),
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(why) => f.write_str(why),
            Self::Failed(error) => error.fmt(f),
        }
    }
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        match Refused::of(&error) {
            Some(why) => Self::Refused(why.to_string()),
            None => Self::Failed(error),
        }
    }
}

impl From<Errno> for Trouble {
    fn from(error: Errno) -> Self {
        io::Error::from(error).into()
    }
}

/// Gives back what `list` names, prints the answer as one JSON object; the exit code.
pub(crate) fn run(request: &Request, list: impl Read) -> u8 {
    let print = |answer: Answer| {
        let text = serde_json::to_string(&answer)?;
        writeln!(io::stdout(), "{text}").context("printing the answer")?;
        Ok(if answer.failed.is_empty() { 0 } else { FAILED })
    };
    give_back(request, list).and_then(print).unwrap_or_else(|error| failure::report(&error))
}

/// Gives back what `list` names. Nothing is done before all of the list is there and understood.
fn give_back(request: &Request, mut list: impl Read) -> anyhow::Result<Answer> {
    let folder = &request.folder;
    let beneath = Dir::open_itself(folder).and_then(Dir::on_one_file_system);
    let beneath = beneath.with_context(|| format!("opening the folder `{folder}`"))?;
    if let Some(expected) = request.inode {
        let found = beneath.look("").context("looking at the folder")?.inode;
        ensure!(
            found == expected,
            "`{folder}` is another folder than the one that was meant (inode {found}, not \
             {expected}), so nothing was touched; does the engine run on another machine?"
        );
    }
    let mut bytes = Vec::new();
    list.read_to_end(&mut bytes).context("reading the list on standard input")?;
    let mut answer = Answer::default();
    for (entry, line) in parse(&bytes)?.into_iter().enumerate() {
        match give_back_one(request, &beneath, line) {
            Ok(()) => answer.done += 1,
            Err(trouble) => answer.failed.push(Failed {
                entry,
                path: String::from_utf8_lossy(line.path).into_owned(),
                error: trouble.to_string(),
                refused: matches!(trouble, Trouble::Refused(_)),
            }),
        }
    }
    Ok(answer)
}

/// Opens the entry once, as itself, so that what is judged is what is changed.
fn give_back_one(request: &Request, beneath: &Dir, line: Line<'_>) -> Result<(), Trouble> {
    let Line { mode, path } = line;
    if !is_plain(path) {
        return Err(Trouble::Refused("it is no path below the folder".to_owned()));
    }
    let itself = beneath.find(OsStr::from_bytes(path))?;
    let found = fs::fstat(&itself)?;
    refuse(&found, mode)?;
    let gid = shared_group(beneath, path, &found)?.unwrap_or(request.gid);
    let owner = (Some(Uid::from_raw(request.uid)), Some(Gid::from_raw(gid)));
    // Without a path this is the open entry: a link itself, not what it leads to.
    fs::chownat(&itself, "", owner.0, owner.1, AtFlags::EMPTY_PATH)?;
    if let Some(mode) = mode {
        // An entry that is open as itself has no other name by which its mode can be set.
        let name = name_of(&itself);
        fs::chmod(name, Mode::from_raw_mode(mode))?;
    }
    look_again(&fs::fstat(&itself)?, (request.uid, gid), mode)
}

/// The group that several users share the entry by, if they do. Nobody gains another group's
/// rights: without being in it, they cannot make a folder that passes it on.
fn shared_group(beneath: &Dir, path: &[u8], found: &Stat) -> Result<Option<u32>, Trouble> {
    let grouped = |stat: &Stat| Grouped { mode: stat.st_mode, gid: stat.st_gid };
    let above = match path.iter().rposition(|byte| *byte == b'/') {
        // What is above the folder is the container's own.
        _ if path.is_empty() => None,
        None => Some(fs::fstat(beneath)?),
        Some(end) => Some(fs::fstat(beneath.find(OsStr::from_bytes(&path[..end]))?)?),
    };
    Ok(grouped(found).shared(above.as_ref().map(grouped)))
}

/// Leaves alone what may be more than an entry of the folder.
fn refuse(found: &Stat, mode: Option<u32>) -> Result<(), Trouble> {
    let kind = FileType::from_raw_mode(found.st_mode);
    let refused = |why: String| Err(Trouble::Refused(why));
    match kind {
        FileType::Directory => Ok(()),
        FileType::BlockDevice | FileType::CharacterDevice => {
            refused("it is a device, which its owner could read and write; delete it".to_owned())
        }
        _ if found.st_nlink > 1 => refused(format!(
            "it has {} names (hard links), and the others may lie outside of the folder; put a \
             copy in its place, which will be yours",
            found.st_nlink
        )),
        FileType::RegularFile => Ok(()),
        _ if mode.is_some() => refused("it has no mode of its own that could be set".to_owned()),
        _ => Ok(()),
    }
}

/// Whether the entry is as asked: there are file systems that take a change and forget it. Whoever
/// is not in its group cannot set the set-group-id bit, so that one does not count.
fn look_again(found: &Stat, owner: (u32, u32), mode: Option<u32>) -> Result<(), Trouble> {
    let differs = |what: String| Err(Trouble::Failed(io::Error::other(what)));
    if (found.st_uid, found.st_gid) != owner {
        return differs(format!(
            "it belongs to {}:{} afterwards; its file system keeps no owners",
            found.st_uid, found.st_gid
        ));
    }
    let counts = 0o5777;
    match mode {
        Some(mode) if found.st_mode & counts != mode & counts => {
            differs(format!("its mode is {:04o} afterwards", found.st_mode & 0o7777))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
