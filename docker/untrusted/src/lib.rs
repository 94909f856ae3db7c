//! Files and text that untrusted code may have written.
//!
//! A benchmark runs other people's code. Its container can write to three folders of the host: the
//! results folder, the Hub cache and the rest of the HuggingFace home. The contents of these
//! folders and the output of images and containers are hostile input, for the host and for the
//! entrypoint of the next run. Both sides open, list, move and write such files through [`Dir`]
//! only. They print such text through [`escape`], or through [`TerminalFilter`] while it arrives:
//!
//! - no symlink in a path is followed, and no path leaves its folder;
//! - only regular files are opened: a FIFO would block, and opening a device can have effects;
//! - reads have a size limit;
//! - a file is created exclusively, under a random name, and renamed when it is complete.

mod dir;
mod list;
mod read;
mod refused;
mod stamp;
mod terminal;
mod text;
mod write;

pub use dir::{Dir, is_plain, proc_path};
pub use list::Found;
pub use read::{bytes, file};
pub use refused::Refused;
pub use stamp::{Kind, Stamp, Time};
pub use terminal::TerminalFilter;
pub use text::{escape, is_unseen, shortened};
pub use write::{NEW, NewFile, random_name};
