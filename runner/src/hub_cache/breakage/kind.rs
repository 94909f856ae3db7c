//! The kinds of breakage, and what is known of each.

use serde::Serialize;

use crate::checks::Severity;

/// The kinds of breakage, in the order of a report: the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum What {
    /// Bytes that are not what their name says.
    CorruptBlob,
    /// Bytes that are fewer or more than the commit's list says.
    TruncatedBlob,
    /// A link of a snapshot to a blob that is missing.
    DanglingPointer,
    /// A link of a repo to a payload that the store lacks.
    DanglingStoreLink,
    /// A link of a snapshot to another file than its commit's list says.
    WrongBlob,
    /// A link that only works where the cache lies now.
    AbsoluteLink,
    /// A link out of the repo.
    EscapingLink,
    /// A link that a copy turned into a file with its text.
    LinkAsText,
    /// Weights of which parts are missing.
    MissingPart,
    /// A folder that the user may not look into.
    ClosedFolder,
    /// A file that the user may not read.
    UnreadableFile,
    /// Something that the disk does not give.
    DiskError,
    /// A token that the user may not read.
    UnreadableToken,
    /// A token that others may read.
    OpenToken,
    /// Entries that belong to somebody else.
    ForeignOwner,
    /// Folders that the user may not write to.
    ReadOnlyFolder,
    /// A cache of a group with entries that the group may not use.
    GroupClosed,
    /// A snapshot that lacks files of its commit.
    PartialSnapshot,
    /// A commit's list that no client uses.
    BrokenTree,
    /// A repo without snapshots.
    NoSnapshots,
    /// A ref whose text has blanks or line feeds.
    RefSpelling,
    /// A ref to a commit that is not here.
    RefToNothing,
    /// A download that was not finished.
    IncompleteDownload,
    /// A temporary file of a program that is gone.
    Leftover,
    /// A lock that only its existence keeps, of a process that is gone.
    StaleLock,
    /// Folders nested so deep that nobody looked into all of them.
    TooDeep,
    /// A list, ref or lock with more bytes than any client writes, which was not read.
    TooLarge,
    /// A file that no client has written.
    ForeignFile,
    /// Bytes that changed while they were read.
    Changing,
    /// Blobs that no snapshot uses.
    OrphanBlob,
    /// Files where links should be.
    Copies,
    /// Bytes that nothing tells the digest of.
    Unverifiable,
    /// Bytes that a repair has set aside.
    SetAside,
    /// Two folders for one repo.
    TwoSpellings,
    /// A file system where owners and locks are another machine's matter.
    NetworkFileSystem,
    /// A folder named `~`, which a program without a home has made.
    TildeFolder,
}

/// What is known of a kind.
#[derive(Debug, Clone, Copy)]
struct Facts {
    severity: Severity,
    about: &'static str,
    remedy: &'static str,
    repair: Option<&'static str>,
}

const fn facts(
    severity: Severity,
    about: &'static str,
    remedy: &'static str,
    repair: Option<&'static str>,
) -> Facts {
    Facts { severity, about, remedy, repair }
}

impl What {
    /// Every kind, the worst first.
    pub const ALL: [Self; 36] = [
        Self::CorruptBlob,
        Self::TruncatedBlob,
        Self::DanglingPointer,
        Self::DanglingStoreLink,
        Self::WrongBlob,
        Self::AbsoluteLink,
        Self::EscapingLink,
        Self::LinkAsText,
        Self::MissingPart,
        Self::ClosedFolder,
        Self::UnreadableFile,
        Self::DiskError,
        Self::UnreadableToken,
        Self::OpenToken,
        Self::ForeignOwner,
        Self::ReadOnlyFolder,
        Self::GroupClosed,
        Self::PartialSnapshot,
        Self::BrokenTree,
        Self::NoSnapshots,
        Self::RefSpelling,
        Self::RefToNothing,
        Self::IncompleteDownload,
        Self::Leftover,
        Self::StaleLock,
        Self::TooDeep,
        Self::TooLarge,
        Self::ForeignFile,
        Self::Changing,
        Self::OrphanBlob,
        Self::Copies,
        Self::Unverifiable,
        Self::SetAside,
        Self::TwoSpellings,
        Self::NetworkFileSystem,
        Self::TildeFolder,
    ];

    /// How bad it is.
    pub const fn severity(self) -> Severity {
        self.facts().severity
    }

    /// What it is, in a few words.
    pub const fn about(self) -> &'static str {
        self.facts().about
    }

    /// What it leads to, and what to do about it where no repair does.
    pub const fn remedy(self) -> &'static str {
        self.facts().remedy
    }

    /// What a repair does about it, if anything.
    pub const fn repair(self) -> Option<&'static str> {
        self.facts().repair
    }

    /// Its name for machines.
    pub fn name(self) -> String {
        serde_json::to_value(self)
            .ok()
            .and_then(|value| value.as_str().map(str::to_owned))
            .unwrap_or_default()
    }

    const fn facts(self) -> Facts {
        match self {
            Self::CorruptBlob => facts(
                Severity::Error,
                "bytes that are not what their name says",
                "it would be loaded unseen; once it is set aside, the next load with a network fetches it again",
                Some("moves the bytes to `.set-aside` and keeps the links"),
            ),
            Self::TruncatedBlob => facts(
                Severity::Error,
                "bytes that are fewer or more than the commit's list says",
                "it would be loaded unseen; once it is set aside, the next load with a network fetches it again",
                Some("moves the bytes to `.set-aside` and keeps the links"),
            ),
            Self::DanglingPointer => facts(
                Severity::Error,
                "a link to a blob that is missing",
                "load the model once with a network: the Hub client fetches it",
                Some(
                    "copies the bytes from another repo that has them whole, else removes the link",
                ),
            ),
            Self::DanglingStoreLink => facts(
                Severity::Error,
                "a link to a payload that the shared store lacks",
                "load the model once with a network: the Hub client fetches it for every repo that shares it",
                None,
            ),
            Self::WrongBlob => facts(
                Severity::Error,
                "a link to another file than the commit's list says",
                "load the model once with a network, with `force_download`",
                Some("makes the link lead to the right blob"),
            ),
            Self::AbsoluteLink => facts(
                Severity::Error,
                "a link that only works where the cache lies now",
                "it dangles in a container and after a move of the cache",
                Some("makes the link lead to the right blob"),
            ),
            Self::EscapingLink => facts(
                Severity::Error,
                "a link out of the repo",
                "it lays open a file that is none of the cache's, and `hf cache rm` would delete that file",
                Some("makes the link lead to the right blob, or removes it, and never its target"),
            ),
            Self::LinkAsText => facts(
                Severity::Error,
                "a link that a copy turned into a text file",
                "the file cannot be loaded; copy caches with `cp -a`, `rsync -a` or `tar`",
                Some("makes the link again"),
            ),
            Self::MissingPart => facts(
                Severity::Error,
                "weights of which parts are missing",
                "download the model again: `hf download` fetches what is missing",
                None,
            ),
            Self::ClosedFolder => facts(
                Severity::Error,
                "a folder that you may not look into",
                "what it holds cannot be loaded; nobody but its owner knows what that is",
                Some("opens it as its folder is open, or takes it back"),
            ),
            Self::UnreadableFile => facts(
                Severity::Error,
                "a file that you may not read",
                "what it holds cannot be loaded; nobody but its owner knows what that is",
                Some("opens it as its folder is open, or takes it back"),
            ),
            Self::DiskError => facts(
                Severity::Error,
                "something that the disk does not give",
                "look at the disk: the kernel's log says more",
                None,
            ),
            Self::UnreadableToken => facts(
                Severity::Error,
                "a token that you may not read",
                "the Hub client refuses to work at all then; take it back, or name another file in HF_TOKEN_PATH",
                None,
            ),
            Self::OpenToken => facts(
                Severity::Error,
                "a token that others may read",
                "`chmod 600` it, and replace it if others use this machine",
                None,
            ),
            Self::ForeignOwner => facts(
                Severity::Warning,
                "entries that belong to somebody else",
                "downloads into them fail",
                Some("takes them back through a container"),
            ),
            Self::ReadOnlyFolder => facts(
                Severity::Warning,
                "folders that you may not write to",
                "what is there is used; downloads into it fail",
                None,
            ),
            Self::GroupClosed => facts(
                Severity::Warning,
                "a group's cache with entries that the group may not use",
                "work with umask 002; `chmod -R g+rwX` the cache and `chmod g+s` its folders",
                None,
            ),
            Self::PartialSnapshot => facts(
                Severity::Warning,
                "a snapshot that lacks files of its commit",
                "that is legal; a load of what is missing needs a network, or `hf download` before",
                None,
            ),
            Self::BrokenTree => facts(
                Severity::Warning,
                "a commit's list that no client uses",
                "what is missing cannot be told",
                Some("moves the list to `.set-aside`"),
            ),
            Self::NoSnapshots => facts(
                Severity::Warning,
                "a repo without snapshots",
                "no load finished here; `hf download` it, or `hf cache rm` it",
                None,
            ),
            Self::RefSpelling => facts(
                Severity::Warning,
                "a ref with blanks or line feeds",
                "a load without a network does not find its snapshot",
                Some("writes the commit alone"),
            ),
            Self::RefToNothing => facts(
                Severity::Warning,
                "a ref to a commit that is not here",
                "a load by this name without a network fails; with a network it heals",
                None,
            ),
            Self::IncompleteDownload => facts(
                Severity::Warning,
                "a download that was not finished",
                "huggingface_hub since 1.18 starts again; older clients resume `<etag>.incomplete`",
                Some(
                    "removes it if it is `<etag>.<8 hex digits>.incomplete`, over 24 hours old, not locked and not open",
                ),
            ),
            Self::Leftover => facts(
                Severity::Warning,
                "a temporary file of a program that is gone",
                "nothing uses it",
                Some("removes it, unless it is locked, open, young or an only copy"),
            ),
            Self::StaleLock => facts(
                Severity::Warning,
                "a lock of a process that is gone, where locks are files",
                "a client would wait for it for ever",
                Some("removes it while holding it"),
            ),
            Self::TooDeep => facts(
                Severity::Warning,
                "folders nested too deep to look into",
                "no client makes such, and nobody knows what lies below; keep or delete it, it is yours to decide",
                None,
            ),
            Self::TooLarge => facts(
                Severity::Warning,
                "a file larger than any Hub client writes it",
                "it was not read; delete it, and the Hub client downloads it again",
                None,
            ),
            Self::ForeignFile => facts(
                Severity::Warning,
                "a file that no client has written",
                "no client reads it; keep or delete it, it is yours to decide",
                None,
            ),
            Self::Changing => facts(
                Severity::Warning,
                "bytes that changed while they were read",
                "a download is at work; verify again when it is done",
                None,
            ),
            Self::OrphanBlob => facts(
                Severity::Note,
                "a blob that no snapshot uses",
                "nothing needs it; `hf cache prune` removes it",
                None,
            ),
            Self::Copies => facts(
                Severity::Note,
                "files where links should be",
                "they work, and take their space once for each revision",
                None,
            ),
            Self::Unverifiable => facts(
                Severity::Note,
                "bytes that nothing tells the digest of",
                "it is neither good nor bad as far as anybody can tell",
                None,
            ),
            Self::SetAside => facts(
                Severity::Note,
                "bytes that a repair has set aside",
                "delete it when the model loads again",
                None,
            ),
            Self::TwoSpellings => facts(
                Severity::Note,
                "two folders for one repo",
                "the Hub takes both for one repo: what lies in one folder is fetched again for the other",
                None,
            ),
            Self::NetworkFileSystem => facts(
                Severity::Note,
                "a file system of another machine",
                "root may not change owners over a network: run a repair on the server",
                None,
            ),
            Self::TildeFolder => facts(
                Severity::Note,
                "a folder named `~` with a cache in it",
                "a program that knew no home folder kept a cache there; move it to HF_HOME, and set HOME",
                None,
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::What;

    #[test]
    fn every_kind_is_listed_once_in_the_order_of_a_report() {
        assert!(What::ALL.is_sorted_by(|one, other| one < other));
        assert!(What::ALL.is_sorted_by_key(|what| std::cmp::Reverse(what.severity() as u8)));
        assert_eq!(What::ALL.last(), Some(&What::TildeFolder));
    }
}
