//! The container that gives entries back.

use contract::{Flavour, GIVE_BACK, give_back::INODE};

use crate::{
    engine::{Engine, Mode},
    host::Host,
    host_path::HostPath,
    plan::Access,
    render::bind_part,
    shell::{CommandLine, Part, Piece, Word},
};

/// Where the folder is in the container: no place that a program of the image would write to.
const FOLDER: &str = "/mnt";

/// The command whose standard input names the entries of `folder`, the folder with this `inode`;
/// none for an engine without containers.
pub(crate) fn command(
    engine: &Engine,
    host: &Host,
    folder: &HostPath,
    inode: u64,
) -> Option<CommandLine> {
    let owner = match engine.mode {
        Mode::Host => return None,
        // Root inside is the user outside.
        Mode::DockerRootless | Mode::PodmanRootless => Word::text("0:0"),
        Mode::DockerRootful | Mode::DockerUsernsRemap | Mode::PodmanRootful => {
            Word::of([Piece::Uid(host.uid), Piece::Text(":".to_owned()), Piece::Gid(host.gid)])
        }
    };
    let mut parts = vec![
        Part::new([engine.program.as_str(), "run"], "starts a container"),
        Part::new(["--rm"], "removes the container when it ends"),
        Part::new(["--interactive"], "its standard input names the entries"),
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
    if engine.mode == Mode::DockerUsernsRemap {
        parts.push(Part::new(["--userns", "host"], "a remapped root could not change owners"));
    }
    parts.extend([
        Part::new(["--user", "0:0"], "only root changes owners"),
        bind_part(engine, folder, FOLDER, Access::ReadWrite, "the folder, and nothing beside it"),
        Part::new([Flavour::Smoke.image().as_str()], "the image that is no more than our program"),
        Part {
            words: [GIVE_BACK, INODE]
                .map(Word::text)
                .into_iter()
                .chain([Word::text(inode.to_string()), owner, Word::text(FOLDER)])
                .collect(),
            reason: "gives the entries to you, if this is the very folder".to_owned(),
        },
    ]);
    Some(CommandLine { env: vec![], parts })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::command;
    use crate::{
        engine::Mode,
        host_path::HostPath,
        shell::Style,
        testing::{engine, host},
    };

    fn shown(mode: Mode, folder: &str) -> String {
        let folder = HostPath::new("folder", Path::new(folder), Path::new("/home/ada")).unwrap();
        command(&engine(mode), &host(), &folder, 77).unwrap().to_shell(Style::Concrete)
    }

    #[test]
    fn a_rootful_container_is_real_root_with_four_powers() {
        insta::assert_snapshot!(shown(Mode::DockerRootful, "results"), @r#"
        docker run \
          --rm \
          --interactive \
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
          give-back --inode 77 1000:100 /mnt
        "#);
    }

    /// What is another than on rootful Docker.
    fn other(mode: Mode) -> String {
        let usual = shown(Mode::DockerRootful, "results");
        let shown = shown(mode, "results");
        let lines = shown.lines().filter(|line| !usual.lines().any(|other| other == *line));
        lines.map(str::trim).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn other_engines_need_other_ids() {
        insta::assert_snapshot!(other(Mode::DockerUsernsRemap), @r"--userns host \");
        insta::assert_snapshot!(other(Mode::DockerRootless), @"give-back --inode 77 0:0 /mnt");
        insta::assert_snapshot!(other(Mode::PodmanRootless), @r"
        podman run \
        give-back --inode 77 0:0 /mnt
        ");
        insta::assert_snapshot!(other(Mode::PodmanRootful), @r"podman run \");
    }

    #[test]
    fn a_folder_may_have_any_name() {
        let text = shown(Mode::DockerRootful, "a:b,c \"d\"\n'e");
        let mount = text.split(" \\\n  ").find(|part| part.starts_with("--mount")).unwrap();
        insta::assert_snapshot!(mount, @r#"
        --mount "type=bind,\"source=/home/ada/a:b,c \"\"d\"\"
        'e\",target=/mnt"
        "#);
    }

    #[test]
    fn without_containers_there_is_no_command() {
        let folder = HostPath::new("folder", Path::new("/f"), Path::new("/")).unwrap();
        assert_eq!(command(&engine(Mode::Host), &host(), &folder, 77), None);
    }
}
