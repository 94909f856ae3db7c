//! Machines and engines that tests plan for.

use std::{path::Path, time::SystemTime};

use crate::{
    engine::{Engine, LocalImage, Mode},
    host::Host,
};

/// Ada's machine: no GPU, an empty environment, run in `~/bench`.
pub(crate) fn host() -> Host {
    Host {
        uid: 1000,
        gid: 100,
        home: Some(Path::new("/home/ada").to_owned()),
        cwd: Path::new("/home/ada/bench").to_owned(),
        env: [("", ""); 0].into_iter().collect(),
        nvidia_gpus: 0,
        entrypoint: None,
        now: SystemTime::UNIX_EPOCH,
        pid: 7,
    }
}

/// Docker in `mode`, without NVIDIA's runtime.
pub(crate) fn docker(mode: Mode) -> Engine {
    Engine {
        program: "docker".to_owned(),
        mode,
        version: "28.0.0".to_owned(),
        nvidia: false,
        image: Some(LocalImage::default()),
    }
}
