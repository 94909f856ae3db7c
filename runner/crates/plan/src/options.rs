//! The options of a run in three steps: the request of the command line, settings with environment and
//! defaults filled in, and a resolved run, whose paths were checked on the disk.

mod request;
mod resolved;
mod settings;
#[cfg(test)]
mod tests;

pub use self::{
    request::{Request, Runtime, SecurityOverrides, Target, backends, flavours},
    resolved::Resolved,
    settings::Settings,
};
