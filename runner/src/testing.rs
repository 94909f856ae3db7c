//! Machines and engines that tests plan for, and answers that are not as they should be.

pub(crate) mod hub_cache;

use std::{collections::BTreeMap, path::Path, time::SystemTime};

use clap::Parser;
use proptest::{prelude::*, sample::select};

use crate::{
    engine::{Engine, LocalImage, Mode, Nvidia},
    host::Host,
    options::{Request, Resolved, Settings},
    surroundings::Surroundings,
};

/// The request that a command line makes.
pub(crate) fn request(line: &str) -> Request {
    parsed(shlex::split(line).expect("a shell line")).expect("a request")
}

/// The request that the words of a command line make.
pub(crate) fn parsed(words: Vec<String>) -> Result<Request, clap::Error> {
    #[derive(Debug, Parser)]
    #[command(no_binary_name = true)]
    struct Line {
        #[command(flatten)]
        request: Request,
    }
    Line::try_parse_from(words).map(|line| line.request)
}

/// The run of a request, on a disk that holds nothing that matters.
pub(crate) fn resolved(request: Request, host: &Host) -> Resolved {
    Settings::new(request, host).and_then(|settings| settings.assume(host)).unwrap()
}

/// Ada's machine: no GPU, an empty environment, run in `~/bench`.
pub(crate) fn host() -> Host {
    Host {
        uid: 1000,
        gid: 100,
        groups: vec![],
        umask: Some(0o022),
        home: Some(Path::new("/home/ada").to_owned()),
        homes: BTreeMap::new(),
        cwd: Path::new("/home/ada/bench").to_owned(),
        env: [("", ""); 0].into_iter().collect(),
        nvidia_gpus: 0,
        amd_driver: false,
        surroundings: Surroundings::default(),
        selinux: false,
        entrypoint: None,
        address: Some([192, 168, 7, 7].into()),
        now: SystemTime::UNIX_EPOCH,
        pid: 7,
    }
}

/// An engine in `mode` that has an image, without NVIDIA's runtime.
pub(crate) fn engine(mode: Mode) -> Engine {
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

/// What others may have made of `text`: a stretch of it is missing, or something else.
pub(crate) fn broken(text: &str) -> impl Strategy<Value = String> + use<> {
    let characters: Vec<_> = text.chars().collect();
    let instead = prop_oneof![
        select(vec!["", "null", "-1", "1e999", "\"\"", "{}", "[", "]", "\\", "\"", ",", "\r\n"])
            .prop_map(str::to_owned),
        any::<String>(),
    ];
    (0..=characters.len(), 0..20_usize, instead).prop_map(move |(from, length, instead)| {
        let to = (from + length).min(characters.len());
        let kept = |range: &[char]| range.iter().collect::<String>();
        format!("{}{instead}{}", kept(&characters[..from]), kept(&characters[to..]))
    })
}
