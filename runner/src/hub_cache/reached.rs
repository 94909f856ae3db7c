//! What is known of a place that somebody else may be changing: whether something is there, nothing
//! is, or nobody knows.

use std::{ffi::OsStr, io};

use rustix::io::Errno;

use super::{
    dir::{Kind, Stamp},
    repo::Blob,
};

/// Where a link leads.
#[derive(Debug)]
pub(crate) enum Reached {
    /// To this.
    There(Stamp),
    /// Nowhere.
    Nothing,
    /// Nobody knows: a folder on the way is closed, or the disk fails.
    OutOfSight(io::Error),
}

/// Closed to this user, or gone since its folder was listed: what a walk passes over.
pub(crate) fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::NotFound)
}

impl Reached {
    /// What looking through a link came to.
    pub(crate) fn of(looked: io::Result<Stamp>) -> Self {
        match looked {
            Ok(stamp) => Self::There(stamp),
            Err(error) if leads_nowhere(&error) => Self::Nothing,
            Err(error) => Self::OutOfSight(error),
        }
    }

    /// What is there, if anything is seen.
    pub(crate) const fn stamp(&self) -> Option<&Stamp> {
        match self {
            Self::There(stamp) => Some(stamp),
            Self::Nothing | Self::OutOfSight(_) => None,
        }
    }

    /// The file that is there, if one is seen.
    pub(crate) fn file(&self) -> Option<&Stamp> {
        self.stamp().filter(|stamp| stamp.kind == Kind::File)
    }
}

/// What is known of the bytes that a pointer names.
#[derive(Debug)]
pub(crate) enum Seen<'a> {
    /// They were there when the repo was listed.
    Listed {
        /// The blob's name.
        name: &'a OsStr,
        /// What it is.
        blob: &'a Blob,
        /// Its bytes.
        stamp: &'a Stamp,
    },
    /// They came since, or could not be listed: a download gives a blob its name, and then links it.
    Late {
        /// Its bytes.
        stamp: Stamp,
        /// Whether they lie in the shared store.
        shared: bool,
    },
    /// There is something that is no file.
    Odd,
    /// There is nothing.
    Missing,
    /// Nobody knows.
    OutOfSight,
}

/// Whether an entry has gone since its folder was listed: then it is none of ours.
pub(crate) fn is_gone(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound
}

/// Whether a link leads nowhere, or round in a circle.
pub(crate) fn leads_nowhere(error: &io::Error) -> bool {
    [Errno::NOENT, Errno::NOTDIR, Errno::LOOP, Errno::NAMETOOLONG]
        .iter()
        .any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}
