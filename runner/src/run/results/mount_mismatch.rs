//! The message about a daemon that sees other files than this program: cause and remedy.

use engine::{Engine, Location};
use host::{
    machine::isolation::{Isolation, TEMPORARY},
    paths::host_path::HostPath,
};
use untrusted::escape;

/// Error messages of engines whose daemon does not find the source of a mount.
const MISSING_SOURCE: [&str; 4] = [
    "bind source path does not exist",
    "error while creating mount source path",
    // Docker Desktop, for a folder that it does not share.
    "Mounts denied",
    // Podman.
    "Error: statfs ",
];

/// Why the daemon sees other files.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Cause {
    /// This program runs in a container.
    InContainer,
    /// Docker is a snap.
    Snap,
    /// This program is a service with private temporary folders.
    PrivateTmp,
    /// The daemon has private temporary folders.
    OtherTmp,
    /// Docker Desktop's virtual machine sees shared folders only.
    Desktop,
    /// The engine's address may be forwarded to another machine.
    Address(String),
    /// Unknown cause.
    Unknown,
}

/// Whether an engine's client reported that the source of a mount is missing.
pub(crate) fn is_missing_source(stderr: &str) -> bool {
    MISSING_SOURCE.iter().any(|message| stderr.contains(message))
}

/// The message about the mounts in `folders`, which are other folders in the container. If it is empty,
/// the engine has named a missing one.
pub(crate) fn message(engine: &Engine, folders: &[&HostPath], isolation: &Isolation) -> String {
    explain(engine, folders, &cause(engine, folders, isolation))
}

fn explain(engine: &Engine, folders: &[&HostPath], cause: &Cause) -> String {
    let program = &engine.program;
    let folders: Vec<_> = folders.iter().map(|folder| format!("`{folder}`")).collect();
    let what = match folders.as_slice() {
        [] => "a mounted folder is missing there (see above)".to_owned(),
        [one] => format!("{one} is another one there"),
        several => format!("{} are others there", several.join(", ")),
    };
    let (why, remedy) = match cause {
        Cause::InContainer => (
            "this program runs in a container, and the daemon outside of it".to_owned(),
            "mount a folder of the host into this container at the same path, such as `--volume \
             /srv/bench:/srv/bench`, and name folders in it by --results, HF_HOME and TMPDIR",
        ),
        Cause::Snap => (
            "Docker is a snap, which sees the home folders alone, and has a /tmp of its own"
                .to_owned(),
            "use folders below your home folder, or install Docker from another package",
        ),
        Cause::PrivateTmp => (
            "this service has a /tmp and a /var/tmp of its own (PrivateTmp= of systemd)".to_owned(),
            "use folders elsewhere, and a TMPDIR elsewhere, or set PrivateTmp=no",
        ),
        Cause::OtherTmp => (
            "the daemon has a /tmp of its own (PrivateTmp= of systemd, a container or a snap)"
                .to_owned(),
            "use folders elsewhere, and a TMPDIR elsewhere",
        ),
        Cause::Desktop => (
            "Docker Desktop shares only some folders with its virtual machine".to_owned(),
            "use folders below your home folder, or share others in its settings (Resources, File \
             sharing)",
        ),
        Cause::Address(address) => (
            format!("its address `{}` leads to another machine or container", escape(address)),
            "work on that machine, or choose an engine of this one (unset DOCKER_HOST, or `docker \
             context use default`)",
        ),
        Cause::Unknown => (
            "the daemon runs on another machine or in a mount namespace of its own".to_owned(),
            "use folders that both see",
        ),
    };
    format!("`{program}` sees other files than this program: {what}, as {why}; {remedy}")
}

fn cause(engine: &Engine, folders: &[&HostPath], isolation: &Isolation) -> Cause {
    let is_hidden = |path: &&HostPath| isolation.hides(path.as_path());
    let is_temporary =
        |path: &&HostPath| TEMPORARY.iter().any(|tmp| path.as_path().starts_with(tmp));
    match &engine.location {
        Location::LocalAddress(address) => Cause::Address(address.clone()),
        Location::DesktopVm => Cause::Desktop,
        _ if isolation.snap.is_some() && !engine.mode.is_podman() => Cause::Snap,
        _ if isolation.container => Cause::InContainer,
        _ if folders.iter().any(is_hidden) => Cause::PrivateTmp,
        _ if folders.is_empty() && isolation.private_tmp => Cause::PrivateTmp,
        _ if folders.iter().any(is_temporary) => Cause::OtherTmp,
        _ => Cause::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use engine::{Location, Mode, testing::engine};
    use host::{machine::isolation::Isolation, paths::host_path::HostPath};

    use super::{Cause, cause, explain, is_missing_source};

    fn path(path: &str) -> HostPath {
        HostPath::new("folder", Path::new(path), Path::new("/")).unwrap()
    }

    #[test]
    fn every_cause_has_a_remedy() {
        let engine = engine(Mode::DockerRootful);
        let (results, cache) = (path("/w/results"), path("/w/hf"));
        let behind = Cause::Address("tcp://127.0.0.1:2375".to_owned());
        let causes = [
            (Cause::InContainer, vec![&results]),
            (Cause::Snap, vec![]),
            (Cause::PrivateTmp, vec![&results, &cache]),
            (Cause::OtherTmp, vec![&results]),
            (Cause::Desktop, vec![]),
            (behind, vec![&results]),
            (Cause::Unknown, vec![&cache]),
        ];
        let lines = causes.map(|(cause, folders)| explain(&engine, &folders, &cause));
        insta::assert_snapshot!("causes", lines.join("\n"));
    }

    #[test]
    fn most_specific_cause_is_named() {
        let docker = engine(Mode::DockerRootful);
        let (tmp, srv) = (path("/tmp/results"), path("/srv/results"));
        let none = Isolation::default();
        assert_eq!(cause(&docker, &[&tmp], &none), Cause::OtherTmp);
        assert_eq!(cause(&docker, &[&srv], &none), Cause::Unknown);
        let private = Isolation { private_tmp: true, ..none };
        assert_eq!(cause(&docker, &[&tmp], &private), Cause::PrivateTmp);
        assert_eq!(cause(&docker, &[], &private), Cause::PrivateTmp);
        assert_eq!(cause(&docker, &[&srv], &private), Cause::Unknown);
        let container = Isolation { container: true, ..private };
        assert_eq!(cause(&docker, &[&tmp], &container), Cause::InContainer);
        let snap = Isolation { snap: Some("/home/ada".into()), ..container };
        assert_eq!(cause(&docker, &[&tmp], &snap), Cause::Snap);
        assert_eq!(cause(&engine(Mode::PodmanRootless), &[], &snap), Cause::InContainer);
        let mut far = docker;
        far.location = Location::LocalAddress("tcp://localhost:1".to_owned());
        assert_eq!(cause(&far, &[&tmp], &snap), Cause::Address("tcp://localhost:1".to_owned()));
    }

    #[test]
    fn missing_source_is_recognized_by_the_engines_message() {
        for message in [
            "docker: Error response from daemon: invalid mount config for type \"bind\": bind source path does not exist: /w/results.\nSee 'docker run --help'.",
            "Error: statfs /w/results: no such file or directory",
            "docker: Error response from daemon: Mounts denied: \nThe path /opt/x is not shared from the host and is not known to Docker.",
        ] {
            assert!(is_missing_source(message), "{message}");
        }
        assert!(!is_missing_source("docker: Error response from daemon: No such image: x"));
    }
}
