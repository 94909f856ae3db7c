//! What an engine with containers said of itself, and of the image that was asked for.

use std::path::PathBuf;

use super::{Client, Engine, Limits, Mode, Nvidia, PODMAN, Place, image};
use crate::process::Captured;

/// The answers of an engine, by its client.
#[derive(Debug)]
pub(super) struct Answers {
    /// The client's program.
    pub(super) program: &'static str,
    /// Whose it is.
    pub(super) client: Client,
    /// What the engine says of itself.
    pub(super) info: Info,
    /// What it says of the image.
    pub(super) image: Captured,
    /// Where it may be asked without its client.
    pub(super) socket: Option<PathBuf>,
    /// Where its containers run.
    pub(super) place: Place,
}

/// What an engine says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Info {
    pub(super) version: String,
    pub(super) mode: Mode,
    /// What starts its containers; empty where that does not matter.
    pub(super) runtime: String,
    /// How it hands NVIDIA's GPUs over.
    pub(super) nvidia: Nvidia,
    /// Which limits it enforces.
    pub(super) limits: Limits,
    /// The kind of its processor, by Go's name; empty when it is not told.
    pub(super) architecture: String,
}

impl Answers {
    /// The engine, with the image `reference` if it has that.
    ///
    /// # Errors
    /// When it does not tell of the image.
    pub(super) fn engine(self, reference: &str) -> anyhow::Result<Engine> {
        let Self { program, client, info, image, socket, place } = self;
        let Info { version, mode, runtime, nvidia, limits, architecture } = info;
        let whose = if client == Client::Podman { PODMAN } else { program };
        let image = image::parse(whose, reference, &image)?;
        let program = program.to_owned();
        Ok(Engine {
            program,
            client,
            mode,
            version,
            runtime,
            nvidia,
            limits,
            architecture,
            image,
            socket,
            place,
        })
    }
}
