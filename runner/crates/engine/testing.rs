//! Engines for tests.

use crate::{Engine, LocalImage, Mode, Nvidia};

/// An engine in `mode` with an image and without support for NVIDIA GPUs.
pub fn engine(mode: Mode) -> Engine {
    let version = match mode {
        Mode::Host => "",
        mode if mode.is_podman() => "5.4.2",
        _ => "28.0.0",
    };
    Engine {
        version: version.to_owned(),
        nvidia: Nvidia::No,
        image: Some(LocalImage::default()),
        ..Engine::typical(mode)
    }
}
