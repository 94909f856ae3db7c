//! `give-back`: what the runner asks of the entrypoint, how it lists entries, and the answer.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Option before the ids: the number of the folder's inode. The entrypoint does nothing when
/// another folder is mounted, as by an engine of another machine.
pub const INODE: &str = "--inode";

/// A line of the list on the entrypoint's standard input: `MODE<TAB>PATH<NUL>`, the mode in octal,
/// or `-` where it stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line<'a> {
    /// Permissions of a file or folder, if they are to change.
    pub mode: Option<u32>,
    /// Where it is below the folder; empty for the folder itself.
    pub path: &'a [u8],
}

impl Line<'_> {
    /// Adds the line to `list`.
    pub fn write(self, list: &mut Vec<u8>) {
        let Self { mode, path } = self;
        let mode = mode.map_or_else(|| "-".to_owned(), |mode| format!("{mode:04o}"));
        list.extend_from_slice(mode.as_bytes());
        list.push(b'\t');
        list.extend_from_slice(path);
        list.push(0);
    }
}

/// A list that is not understood, or not whole: nothing of it may be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadList(String);

impl fmt::Display for BadList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for BadList {}

/// Reads a list.
///
/// # Errors
/// When a line has no mode, or the last has no end: the rest of its path would name another entry.
pub fn parse(list: &[u8]) -> Result<Vec<Line<'_>>, BadList> {
    let Some((last, lines)) = list.split_last() else { return Ok(vec![]) };
    if *last != 0 {
        return Err(BadList("the list breaks off inside of an entry".to_owned()));
    }
    let lines = lines.split(|byte| *byte == 0).enumerate();
    lines.map(|(number, line)| parse_line(number, line)).collect()
}

fn parse_line(number: usize, line: &[u8]) -> Result<Line<'_>, BadList> {
    let tab = line.iter().position(|byte| *byte == b'\t');
    tab.and_then(|tab| Some(Line { mode: parse_mode(&line[..tab])?, path: &line[tab + 1..] }))
        .ok_or_else(|| BadList(format!("entry {number} of the list is not `MODE<TAB>PATH`")))
}

/// `-` or an octal number of up to four digits.
fn parse_mode(text: &[u8]) -> Option<Option<u32>> {
    if text == b"-" {
        return Some(None);
    }
    let octal =
        (1..=4).contains(&text.len()) && text.iter().all(|digit| (b'0'..=b'7').contains(digit));
    octal.then(|| Some(text.iter().fold(0, |mode, digit| mode * 8 + u32::from(digit - b'0'))))
}

/// What of an entry decides which group is right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grouped {
    /// Its kind and permissions, as stat(2) gives them.
    pub mode: u32,
    /// Its group.
    pub gid: u32,
}

/// Groups that nobody shares a folder by: root's, and what a user namespace calls one that it does
/// not know.
const NOBODYS: [u32; 2] = [0, 65_534];

impl Grouped {
    /// The group that an entry is to have, if another than its user's own: the one that it passes
    /// on, or that the folder `above` it passes on to what is made in it.
    pub fn shared(self, above: Option<Self>) -> Option<u32> {
        let passes_on = |folder: &Self| {
            let (kind, set_gid) = (folder.mode & 0o170_000, folder.mode & 0o2000);
            kind == 0o040_000 && set_gid != 0 && !NOBODYS.contains(&folder.gid)
        };
        Some(self).filter(passes_on).or(above.filter(passes_on)).map(|folder| folder.gid)
    }
}

/// What the entrypoint prints, as one JSON object.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Answer {
    /// Entries that belong to their user now.
    pub done: usize,
    /// The others.
    pub failed: Vec<Failed>,
}

/// An entry that was not given back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failed {
    /// Its number in the list, from 0.
    pub entry: usize,
    /// Its path, with replacement characters for what is not UTF-8.
    pub path: String,
    /// Why.
    pub error: String,
    /// Whether it was left alone on purpose, so that more rights would not help.
    pub refused: bool,
}

#[cfg(test)]
mod properties;

#[cfg(test)]
mod tests {
    use super::{Grouped, Line, parse};

    #[test]
    fn a_group_is_passed_on_by_folders_that_say_so() {
        let at = |mode, gid| Grouped { mode, gid };
        let file = at(0o100_644, 0);
        assert_eq!(file.shared(None), None);
        assert_eq!(file.shared(Some(at(0o040_775, 2500))), None);
        assert_eq!(file.shared(Some(at(0o042_775, 2500))), Some(2500));
        assert_eq!(file.shared(Some(at(0o042_775, 0))), None, "root's is shared with nobody");
        assert_eq!(at(0o042_775, 7).shared(Some(at(0o042_775, 2500))), Some(7));
        assert_eq!(at(0o102_755, 7).shared(None), None, "of a file the bit means another thing");
    }

    #[test]
    fn a_list_carries_any_path() {
        let lines = [
            Line { mode: None, path: b"" },
            Line { mode: Some(0o644), path: b"-a\tb\nc,\"d'\xff" },
            Line { mode: Some(0o1755), path: b"e/f" },
        ];
        let mut list = vec![];
        lines.iter().for_each(|line| line.write(&mut list));
        assert_eq!(list, b"-\t\x000644\t-a\tb\nc,\"d'\xff\x001755\te/f\0");
        assert_eq!(parse(&list).unwrap(), lines);
        assert_eq!(parse(b"").unwrap(), []);
    }

    #[test]
    fn a_list_that_is_not_whole_is_no_list() {
        for list in
            [&b"-\ta\0-\tb"[..], b"a\0", b"\0", b"rw\ta\0", b"\ta\0", b"00644\ta\0", b"+7\ta\0"]
        {
            assert!(parse(list).is_err(), "{list:?}");
        }
    }
}
