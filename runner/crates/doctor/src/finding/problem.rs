//! The kinds of problem in a cache.

use host::output::severity::Severity;
use serde::Serialize;

/// Declares the kinds of problem, each with severity, description, advice and repair.
macro_rules! problems {
    ($($name:ident: $severity:ident, $about:literal, $advice:literal, $repair:literal;)+) => {
        /// Kinds of problem, worst first.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum Problem {
            $(#[doc = $about] $name,)+
        }

        impl Problem {
            /// All kinds, worst first.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// Severity.
            pub const fn severity(self) -> Severity {
                match self { $(Self::$name => Severity::$severity,)+ }
            }

            /// Description.
            pub const fn about(self) -> &'static str {
                match self { $(Self::$name => $about,)+ }
            }

            /// Consequence, or what the user can do.
            pub const fn advice(self) -> &'static str {
                match self { $(Self::$name => $advice,)+ }
            }

            /// What `cache repair` does.
            pub const fn repair(self) -> &'static str {
                match self { $(Self::$name => $repair,)+ }
            }
        }
    };
}

problems! {
    CorruptBlob: Error,
        "content that does not match its name or its commit's list",
        "it would be loaded silently; once it is moved away, the next download replaces it",
        "moves the file to `.set-aside` and keeps its symlinks, or corrects the symlink";
    TruncatedBlob: Error,
        "file whose size differs from its commit's list",
        "it would be loaded silently; once it is moved away, the next download replaces it",
        "moves the file to `.set-aside` and keeps its symlinks";
    DanglingPointer: Error,
        "symlink to a missing file",
        "`hf download` fetches the file",
        "copies the file from another repo that has it, else removes the symlink";
    AbsoluteLink: Error,
        "symlink that works only where the cache is now",
        "it dangles in a container, and after the cache is moved",
        "corrects the symlink";
    EscapingLink: Error,
        "symlink out of the repo",
        "it exposes a file outside of the repo, and `hf cache rm` would delete that file",
        "corrects the symlink or removes it, never its target";
    LinkAsText: Error,
        "symlink that a copy turned into a text file",
        "the file cannot be loaded; copy caches with `cp -a`, `rsync -a` or `tar`",
        "makes it a symlink again";
    Unreadable: Error,
        "file or folder that you may not read",
        "its content cannot be loaded",
        "gives it the permissions of its folder, or takes it back";
    DiskError: Error,
        "file or folder that the disk cannot read",
        "look at the disk: the kernel's log says more",
        "nothing";
    TokenFile: Error,
        "token file that you cannot read, or that others can",
        "own it and `chmod 600` it, or name another file in HF_TOKEN_PATH",
        "nothing";
    ForeignOwner: Warning,
        "entries that belong to another user",
        "downloads into them fail",
        "takes them back through a container";
    ReadOnlyFolder: Warning,
        "folders that you may not write to",
        "what is there is used; downloads into it fail",
        "nothing";
    GroupClosed: Warning,
        "entries of a group's cache that the group may not use",
        "work with umask 002; `chmod -R g+rwX` the cache and `chmod g+s` its folders",
        "nothing";
    PartialSnapshot: Warning,
        "snapshot that lacks files of its commit or parts of its weights",
        "`hf download` fetches what is missing",
        "nothing";
    BrokenTree: Warning,
        "list of a commit's files that no client uses",
        "missing files cannot be told",
        "moves the list to `.set-aside`";
    BrokenRef: Warning,
        "ref that names no snapshot",
        "without a network, nothing can be loaded by this name",
        "removes white space around the commit";
    IncompleteDownload: Warning,
        "unfinished download",
        "huggingface_hub since 1.18 starts again; older clients resume `<etag>.incomplete`",
        "removes it if it is `<etag>.<8 hex digits>.incomplete`, over 24 hours old, not locked and not open";
    Leftover: Warning,
        "temporary file of a program that has ended",
        "nothing uses it",
        "removes it, unless it is locked, open, young or an only copy";
    StaleLock: Warning,
        "lock of a process that has ended, on a file system without flock",
        "a client would wait for it forever",
        "removes it while holding it";
    ForeignFile: Warning,
        "entry that no Hub client makes",
        "no client reads it; keep it or delete it",
        "nothing";
    Changing: Warning,
        "content that changed while it was read",
        "a download is running; verify again when it has ended",
        "nothing";
    OrphanBlob: Note,
        "blob that no snapshot and no commit's list names",
        "nothing in this cache leads to it; a `local_dir` of huggingface_hub before 0.23 may have symlinks to it",
        "nothing";
    Copies: Note,
        "content that is stored more than once",
        "it works, and takes its space again",
        "nothing";
    Unverifiable: Note,
        "content whose checksum is unknown",
        "nothing tells whether it is right",
        "nothing";
    SetAside: Note,
        "files that a repair has moved away",
        "delete them when the model loads again",
        "nothing";
}

impl Problem {
    /// Name in the JSON output.
    pub fn name(self) -> String {
        serde_json::to_value(self)
            .ok()
            .and_then(|value| value.as_str().map(str::to_owned))
            .unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use std::cmp::Reverse;

    use super::Problem;

    #[test]
    fn problems_are_sorted_by_severity() {
        assert!(Problem::ALL.is_sorted_by_key(|problem| Reverse(problem.severity() as u8)));
    }
}
