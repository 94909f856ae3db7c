//! What is known of each kind of breakage.

use super::What;
use crate::checks::Severity;

/// What is known of a kind.
#[derive(Debug, Clone, Copy)]
pub(super) struct Facts {
    pub(super) severity: Severity,
    pub(super) about: &'static str,
    pub(super) remedy: &'static str,
    pub(super) repair: Option<&'static str>,
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
    /// What is known of it.
    pub(super) const fn facts(self) -> Facts {
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
            Self::MissingPart => facts(
                Severity::Warning,
                "weights of which parts are missing",
                "incomplete, cannot be loaded; `hf download` fetches what is missing",
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
                "no load finished here; `hf download` it, or delete its folder, as `hf cache rm` does not find it",
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
                "a blob that no snapshot and no commit's list names",
                "nothing in this cache leads to it; a `local_dir` of huggingface_hub before 0.23 may have symlinks to it",
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
