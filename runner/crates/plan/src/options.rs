//! What a run was asked for, in three steps: a request as the command line says it, settings with
//! environment and defaults filled in, and a run that was held against the disk.

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
