//! The machine that tests plan for, and a strategy for corrupt answers.

use std::{collections::BTreeMap, path::Path, time::SystemTime};

use proptest::{prelude::*, sample::select};

use crate::machine::{Host, isolation::Isolation};

/// Ada's machine: no GPU, an empty environment, run in `~/bench`.
pub fn host() -> Host {
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
        isolation: Isolation::default(),
        selinux: false,
        entrypoint: None,
        address: Some([192, 168, 7, 7].into()),
        now: SystemTime::UNIX_EPOCH,
        pid: 7,
    }
}

/// Corrupt variants of `text`: a part of it is removed or replaced.
pub fn broken(text: &str) -> impl Strategy<Value = String> + use<> {
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
