//! Files and text that the other side of the container wall may have written.
//!
//! A benchmark runs other people's code. Its container may write to three folders of the host: the
//! results folder, the Hub cache and the rest of the HuggingFace home. Whatever lies there, and
//! whatever an image or a container says, is hostile input for the host, and for the entrypoint of
//! the next run. Both sides therefore open, list, move and write such files through [`Dir`] alone,
//! and print such text through [`escape`], or through [`Live`] while it comes in:
//!
//! - a path below a folder is followed without a single symlink and never leaves the folder;
//! - only regular files are opened, so a FIFO cannot make us wait and a device is not touched;
//! - what is read has a bound;
//! - what is written is created exclusively, under a random name, and renamed when it is whole.

mod dir;
mod list;
mod live;
mod read;
mod refused;
mod stamp;
mod text;
mod write;

pub use dir::{Dir, is_plain, name_of};
pub use list::Found;
pub use live::Live;
pub use read::{bytes, file};
pub use refused::Refused;
pub use stamp::{Kind, Stamp, Time};
pub use text::{escape, is_unseen, shortened};
pub use write::{NEW, NewFile, random_name};
