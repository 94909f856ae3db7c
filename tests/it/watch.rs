//! File events of a folder, as the kernel reports them.

use std::{mem::MaybeUninit, os::fd::OwnedFd, path::Path};

use rustix::{
    fs::inotify::{CreateFlags, Reader, WatchFlags, add_watch, init},
    io::Errno,
};

/// A folder and all folders below it, from now on.
pub(crate) struct Watch(OwnedFd);

impl Watch {
    /// Watches for entries that come, go or change.
    pub(crate) fn for_changes(folder: &Path) -> Self {
        let flags = WatchFlags::CREATE | WatchFlags::DELETE | WatchFlags::MOVE;
        Self::new(folder, flags | WatchFlags::ATTRIB | WatchFlags::CLOSE_WRITE)
    }

    /// Watches for files that are opened.
    pub(crate) fn for_reads(folder: &Path) -> Self {
        Self::new(folder, WatchFlags::OPEN)
    }

    fn new(folder: &Path, flags: WatchFlags) -> Self {
        let watch = init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK).unwrap();
        for entry in walkdir::WalkDir::new(folder).into_iter().map(Result::unwrap) {
            if entry.file_type().is_dir() {
                add_watch(&watch, entry.path(), flags).unwrap();
            }
        }
        Self(watch)
    }

    /// The names of the entries since the last call, one for each event.
    pub(crate) fn names(&self) -> Vec<String> {
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut events = Reader::new(&self.0, &mut buffer);
        let mut names = vec![];
        loop {
            match events.next() {
                Ok(event) => {
                    names.extend(event.file_name().map(|name| name.to_string_lossy().into_owned()))
                }
                Err(Errno::AGAIN) => return names,
                Err(error) => panic!("inotify: {error}"),
            }
        }
    }
}
