//! The kinds of breakage, and what is known of each.

mod facts;

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
    /// Weights of which parts are missing.
    MissingPart,
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
    /// Blobs that no snapshot and no commit's list names.
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
        Self::ClosedFolder,
        Self::UnreadableFile,
        Self::DiskError,
        Self::UnreadableToken,
        Self::OpenToken,
        Self::ForeignOwner,
        Self::ReadOnlyFolder,
        Self::GroupClosed,
        Self::MissingPart,
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
