//! Why an engine's daemon sees other files than this program, and what to do about it.

use engine::{Engine, Location};
use host::{
    machine::isolation::{Isolation, TEMPORARY},
    paths::host_path::HostPath,
};
use untrusted::escape;

/// What engines say of the source of a mount that is missing where their daemon is.
const MISSING: [&str; 4] = [
    "bind source path does not exist",
    "error while creating mount source path",
    // Docker Desktop, of a folder that it does not share.
    "Mounts denied",
    // Podman.
    "Error: statfs ",
];

/// Why files differ.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Cause {
    /// This program is in a container.
    InContainer,
    /// Docker is a snap.
    Snap,
    /// Temporary folders of a service's own.
    PrivateTmp,
    /// Temporary folders of the daemon's own.
    OtherTmp,
    /// The virtual machine has only what is shared with it.
    Desktop,
    /// An address that may lead to another machine.
    Behind(String),
    /// None that is known.
    Unknown,
}

/// Whether the words of an engine's client say that the source of a mount is missing.
pub(crate) fn is_missing(said: &str) -> bool {
    MISSING.iter().any(|words| said.contains(words))
}

/// One message for a run whose container would get other folders than `different`; without any, the
/// engine named the one that is missing.
pub(crate) fn message(engine: &Engine, different: &[&HostPath], isolation: &Isolation) -> String {
    told(engine, different, &cause(engine, different, isolation))
}

fn told(engine: &Engine, different: &[&HostPath], cause: &Cause) -> String {
    let program = &engine.program;
    let folders: Vec<_> = different.iter().map(|folder| format!("`{folder}`")).collect();
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
        Cause::Behind(address) => (
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

fn cause(engine: &Engine, different: &[&HostPath], isolation: &Isolation) -> Cause {
    let is_hidden = |path: &&HostPath| isolation.hides(path.as_path());
    let is_temporary =
        |path: &&HostPath| TEMPORARY.iter().any(|tmp| path.as_path().starts_with(tmp));
    match &engine.location {
        Location::LocalAddress(address) => Cause::Behind(address.clone()),
        Location::DesktopVm => Cause::Desktop,
        _ if isolation.snap.is_some() && !engine.mode.is_podman() => Cause::Snap,
        _ if isolation.container => Cause::InContainer,
        _ if different.iter().any(is_hidden) => Cause::PrivateTmp,
        _ if different.is_empty() && isolation.private_tmp => Cause::PrivateTmp,
        _ if different.iter().any(is_temporary) => Cause::OtherTmp,
        _ => Cause::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Cause, cause, is_missing, told};
    use engine::{Location, Mode, testing::engine};
    use host::{machine::isolation::Isolation, paths::host_path::HostPath};

    fn path(path: &str) -> HostPath {
        HostPath::new("folder", Path::new(path), Path::new("/")).unwrap()
    }

    #[test]
    fn every_cause_has_its_remedy() {
        let engine = engine(Mode::DockerRootful);
        let (results, cache) = (path("/w/results"), path("/w/hf"));
        let behind = Cause::Behind("tcp://127.0.0.1:2375".to_owned());
        let causes = [
            (Cause::InContainer, vec![&results]),
            (Cause::Snap, vec![]),
            (Cause::PrivateTmp, vec![&results, &cache]),
            (Cause::OtherTmp, vec![&results]),
            (Cause::Desktop, vec![]),
            (behind, vec![&results]),
            (Cause::Unknown, vec![&cache]),
        ];
        let lines = causes.map(|(cause, folders)| told(&engine, &folders, &cause));
        insta::assert_snapshot!("causes", lines.join("\n"));
    }

    #[test]
    fn the_nearest_cause_is_named() {
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
        assert_eq!(cause(&far, &[&tmp], &snap), Cause::Behind("tcp://localhost:1".to_owned()));
    }

    #[test]
    fn engines_say_that_a_source_is_missing() {
        for said in [
            "docker: Error response from daemon: invalid mount config for type \"bind\": bind source path does not exist: /w/results.\nSee 'docker run --help'.",
            "Error: statfs /w/results: no such file or directory",
            "docker: Error response from daemon: Mounts denied: \nThe path /opt/x is not shared from the host and is not known to Docker.",
        ] {
            assert!(is_missing(said), "{said}");
        }
        assert!(!is_missing("docker: Error response from daemon: No such image: x"));
    }
}
