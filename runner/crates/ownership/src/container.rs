//! The container that changes owners: root with four capabilities, which sees one folder.

use std::{collections::HashMap, os::unix::ffi::OsStrExt as _, path::PathBuf};

use anyhow::{Context as _, bail, ensure};
use contract::{
    Backend, Flavour, RECLAIM,
    reclaim::{Answer, Request},
};
use engine::{Engine, EngineChoice, Mode, Wanted};
use host::{
    gpus::Gpus,
    machine::Host,
    paths::host_path::HostPath,
    process::{Captured, capture_with_input},
    shell::{CommandLine, Part},
    users::subids::Ids,
};
use plan::{render::bind_mount, run_plan::Access};
use untrusted::Dir;

use super::why_protected;

/// Path of the folder in the container. The image uses it for nothing else.
const FOLDER: &str = "/mnt";

const NO_CONTAINER: &str = "without a container there is no root to change owners; use \
                            --engine docker or podman, or sudo";

/// An entry whose owner did not change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Path below the folder.
    pub path: PathBuf,
    /// The reason.
    pub error: String,
}

/// Finds an engine that can change owners.
///
/// # Errors
/// When no engine can, with the reason.
pub fn find_engine(choice: EngineChoice, host: &Host) -> anyhow::Result<Engine> {
    if choice == EngineChoice::Host {
        bail!("{NO_CONTAINER}");
    }
    let image = Flavour::Smoke.image();
    let wanted = Wanted {
        engine: choice,
        image: &image,
        image_chosen: true,
        backend: Some(Backend::Native),
        offline: false,
        gpus: &Gpus::Auto,
    };
    let detected = match choice {
        // Only a container can change owners.
        EngineChoice::Auto => engine::container_engine(&wanted),
        _ => engine::detect(&wanted, host),
    };
    let engine = detected?.engine;
    check(&engine)?;
    Ok(engine)
}

/// Checks that `engine` has containers on this machine, and the smoke image.
fn check(engine: &Engine) -> anyhow::Result<()> {
    ensure!(engine.has_containers(), NO_CONTAINER);
    engine.refuse_remote()?;
    ensure!(
        engine.image.is_some(),
        "the smoke image, whose program changes owners, is not on this machine; {}",
        engine.build_hint(&Flavour::Smoke.image())
    );
    Ok(())
}

/// Gives the entries at `paths` below `folder` to the user, if they belong to root or to a container.
/// Returns the entries whose owner did not change.
///
/// # Errors
/// When the container did not run, or the folder cannot be opened afterwards.
pub fn reclaim_listed(
    engine: &Engine,
    host: &Host,
    folder: &HostPath,
    ids: &Ids,
    paths: &[PathBuf],
) -> anyhow::Result<Vec<Failure>> {
    let list: Vec<&[u8]> =
        paths.iter().flat_map(|path| [path.as_os_str().as_bytes(), b"\0"]).collect();
    let answer = run(&command(engine, host, folder, ids, true)?, &list.concat())?;
    let errors = errors(&answer);
    let dir = Dir::open_itself(folder.as_path())
        .with_context(|| format!("looking at the folder `{folder}` afterwards"))?;
    let failures = paths.iter().filter_map(|path| {
        let seen = match dir.look(path) {
            Ok(stamp) if stamp.uid == host.uid => return None,
            Ok(stamp) => format!("it belongs to uid {} afterwards", stamp.uid),
            Err(error) => format!("it cannot be looked at afterwards: {error}"),
        };
        let error = errors.get(&*path.to_string_lossy()).map_or(seen, |error| (*error).to_owned());
        Some(Failure { path: path.clone(), error })
    });
    Ok(failures.collect())
}

/// Errors of the container by path.
pub(super) fn errors(answer: &Answer) -> HashMap<&str, &str> {
    answer.failed.iter().map(|failed| (failed.path.as_str(), failed.error.as_str())).collect()
}

/// Runs the container with a list of paths on its standard input.
///
/// # Errors
/// When it does not answer.
pub(super) fn run(command: &CommandLine, list: &[u8]) -> anyhow::Result<Answer> {
    parse(&capture_with_input(&command.argv(), list)?)
}

fn parse(output: &Captured) -> anyhow::Result<Answer> {
    serde_json::from_str(&output.stdout).ok().with_context(|| {
        format!(
            "the container failed (exit code {}): {}; if the smoke image is older than this \
             program, `cargo xtask build-image --flavour smoke` makes a new one",
            output.code,
            output.complaint()
        )
    })
}

/// The command that reclaims all of `folder`, or the entries `listed` on standard input. The
/// container changes nothing when the engine mounts another folder of the same name.
///
/// # Errors
/// When the folder is protected or unreadable, or the engine has no containers.
pub(super) fn command(
    engine: &Engine,
    host: &Host,
    folder: &HostPath,
    ids: &Ids,
    listed: bool,
) -> anyhow::Result<CommandLine> {
    if let Some(why) = why_protected(folder.as_path(), host.home.as_deref()) {
        bail!("`{folder}` {why}, so nobody is given anything in it");
    }
    let opening =
        || format!("looking at the folder `{folder}`; if it is a symlink, name the folder itself");
    let stamp = Dir::open_itself(folder.as_path()).and_then(|dir| dir.look(""));
    let inode = stamp.with_context(opening)?.inode;
    command_line(engine, folder, &request(engine.mode, host, ids, inode, listed)?)
}

fn request(
    mode: Mode,
    host: &Host,
    ids: &Ids,
    inode: u64,
    listed: bool,
) -> anyhow::Result<Request> {
    let (uid, gid, owners) = match mode {
        Mode::Host => bail!("{NO_CONTAINER}"),
        // Root in the container is the user outside. All other ids there are subordinate ids of the
        // user, except the largest, which means no user.
        Mode::DockerRootless | Mode::PodmanRootless => (0, 0, vec![(1, u32::MAX - 1)]),
        Mode::DockerRootful | Mode::DockerUsernsRemap | Mode::PodmanRootful => {
            let containers = ids.container.iter().map(|range| (range.start, range.end - 1));
            (host.uid, host.gid, [(0, 0)].into_iter().chain(containers).collect())
        }
    };
    Ok(Request { folder: FOLDER.to_owned(), inode, uid, gid, owners, listed })
}

fn command_line(
    engine: &Engine,
    folder: &HostPath,
    request: &Request,
) -> anyhow::Result<CommandLine> {
    let mut parts = vec![
        Part::new([engine.program.as_str(), "run"], "starts a container"),
        Part::new(["--rm"], "removes the container when it ends"),
        Part::new(["--network", "none"], "it needs none"),
        Part::new(["--pull", "never"], "the image is only ever built here"),
        Part::new(["--read-only"], "it can write to the folder alone"),
        Part::new(["--cap-drop", "ALL"], "root without root's powers, but for the next four"),
        Part::new(["--cap-add", "CHOWN"], "changes owners"),
        Part::new(["--cap-add", "DAC_READ_SEARCH"], "reaches what is in closed folders"),
        Part::new(["--cap-add", "FOWNER"], "sets the modes of what is not its own"),
        Part::new(["--cap-add", "FSETID"], "leaves folders that a group shares the group's"),
        Part::new(["--security-opt", "no-new-privileges"], "and gets no more powers"),
    ];
    if request.listed {
        parts.push(Part::new(["--interactive"], "its standard input names the entries"));
    }
    if engine.mode == Mode::DockerUsernsRemap {
        parts.push(Part::new(["--userns", "host"], "a remapped root could not change owners"));
    }
    let json = serde_json::to_string(request)?;
    parts.extend([
        Part::new(["--user", "0:0"], "only root changes owners"),
        bind_mount(engine, folder, FOLDER, Access::ReadWrite, "the folder, and nothing beside it"),
        Part::new([Flavour::Smoke.image().as_str()], "the image that is no more than our program"),
        Part::new([RECLAIM, &json], "makes its entries yours, if this is the very folder"),
    ]);
    Ok(CommandLine { env: vec![], parts })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use contract::reclaim::Answer;

    use super::{Captured, HostPath, Ids, check, command_line, parse, request};
    use engine::{Engine, Mode, testing::engine};
    use host::{shell::Style, testing::host};

    fn shown(mode: Mode, folder: &str, listed: bool) -> String {
        let folder = HostPath::new("folder", Path::new(folder), Path::new("/home/ada")).unwrap();
        let container = 165_536..231_072;
        let ids = Ids { user: 1000, container: vec![container] };
        let request = request(mode, &host(), &ids, 77, listed).unwrap();
        command_line(&engine(mode), &folder, &request).unwrap().to_shell(Style::Concrete)
    }

    #[test]
    fn rootful_container_is_root_with_four_capabilities() {
        insta::assert_snapshot!(shown(Mode::DockerRootful, "results", false), @r#"
        docker run \
          --rm \
          --network none \
          --pull never \
          --read-only \
          --cap-drop ALL \
          --cap-add CHOWN \
          --cap-add DAC_READ_SEARCH \
          --cap-add FOWNER \
          --cap-add FSETID \
          --security-opt no-new-privileges \
          --user 0:0 \
          --mount 'type=bind,"source=/home/ada/results",target=/mnt' \
          ai_energy_score:smoke \
          reclaim '{"folder":"/mnt","inode":77,"uid":1000,"gid":100,"owners":[[0,0],[165536,231071]],"listed":false}'
        "#);
    }

    /// Lines that differ from those for rootful Docker.
    fn difference(mode: Mode, listed: bool) -> String {
        let usual = shown(Mode::DockerRootful, "results", false);
        let shown = shown(mode, "results", listed);
        let lines = shown.lines().filter(|line| !usual.lines().any(|other| other == *line));
        lines.map(str::trim).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn uid_and_owners_depend_on_the_engine() {
        insta::assert_snapshot!(difference(Mode::DockerRootful, true), @r#"
        --interactive \
        reclaim '{"folder":"/mnt","inode":77,"uid":1000,"gid":100,"owners":[[0,0],[165536,231071]],"listed":true}'
        "#);
        insta::assert_snapshot!(difference(Mode::DockerUsernsRemap, false), @r"--userns host \");
        insta::assert_snapshot!(difference(Mode::DockerRootless, false), @r#"reclaim '{"folder":"/mnt","inode":77,"uid":0,"gid":0,"owners":[[1,4294967294]],"listed":false}'"#);
        insta::assert_snapshot!(difference(Mode::PodmanRootless, false), @r#"
        podman run \
        reclaim '{"folder":"/mnt","inode":77,"uid":0,"gid":0,"owners":[[1,4294967294]],"listed":false}'
        "#);
        insta::assert_snapshot!(difference(Mode::PodmanRootful, false), @r"podman run \");
    }

    #[test]
    fn folder_names_are_quoted() {
        let text = shown(Mode::DockerRootful, "a:b,c \"d\"\n'e", false);
        let mount = text.split(" \\\n  ").find(|part| part.starts_with("--mount")).unwrap();
        insta::assert_snapshot!(mount, @r#"
        --mount "type=bind,\"source=/home/ada/a:b,c \"\"d\"\"
        'e\",target=/mnt"
        "#);
    }

    #[test]
    fn engine_needs_containers_and_the_smoke_image() {
        let ids = Ids { user: 1000, container: vec![] };
        assert!(request(Mode::Host, &host(), &ids, 77, false).is_err());
        let engine = engine(Mode::DockerRootful);
        assert!(check(&engine).is_ok());
        let why = |engine| check(&engine).unwrap_err().to_string();
        insta::assert_snapshot!(why(Engine { image: None, ..engine.clone() }), @"the smoke image, whose program changes owners, is not on this machine; build it with `cargo xtask build-image --flavour smoke`");
        insta::assert_snapshot!(why(Engine { mode: Mode::Host, ..engine }), @"without a container there is no root to change owners; use --engine docker or podman, or sudo");
    }

    #[test]
    fn image_without_an_answer_may_be_outdated() {
        let output = |code, stdout: &str, stderr: &str| Captured {
            code,
            stdout: stdout.to_owned(),
            stderr: stderr.to_owned(),
        };
        let whole = output(0, "{\"reclaimed\":2,\"failed\":[]}\n", "");
        assert_eq!(parse(&whole).unwrap(), Answer { reclaimed: 2, failed: vec![] });
        let old =
            output(1, "", "error: creating `/results/benchmark.log`: Read-only file system\n");
        insta::assert_snapshot!(parse(&old).unwrap_err(), @"the container failed (exit code 1): error: creating `/results/benchmark.log`: Read-only file system; if the smoke image is older than this program, `cargo xtask build-image --flavour smoke` makes a new one");
    }
}
