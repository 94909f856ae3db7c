//! Renders a plan for `docker` or `podman`, which share most options.

use contract::{HOST_GATEWAY, env, label, path};
use engine::{Client, Engine, Groups, Location, Mode};
use host::{
    paths::host_path::HostPath,
    shell::{CommandLine, Part, Piece, Word},
};

use super::{args_reason, gpus};
use crate::run_plan::{
    Access, Identity, Input, InputBy, Limit, MaskedFile, Mount, MountVariable, Network,
    PinnedFolder, Pull, Reasoned, Root, RunPlan, Supervision, Tmpfs, Variable,
};

/// The `docker run …` or `podman run …` command.
pub(super) fn command_line(engine: &Engine, plan: &RunPlan) -> CommandLine {
    let RunPlan {
        run_id,
        image,
        backend: _, // passed by a variable
        identity,
        root,
        limits,
        tmpfs,
        mounts,
        pinned_folders,
        masked_files,
        inputs,
        env,
        gpus: _, // rendered by `gpus::parts`
        network,
        shm_size,
        supervision,
        args,
        // Printed for the user, not part of the command.
        notes: _,
        missed_gpus: _,
        warnings: _,
    } = plan;
    let mut parts = vec![Part::new([engine.program.as_str(), "run"], "starts a container")];
    match supervision {
        Some(supervision) => {
            parts.extend(supervision_parts(engine, supervision, run_id, identity.value.uid));
        }
        None => parts.push(Part::new(["--rm"], "removes the container when it ends")),
    }
    if let Some(Reasoned { value, .. }) = image
        && value.pull == Pull::Never
    {
        parts.push(Part::new(["--pull", "never"], "the image is only ever built here"));
    }
    parts.extend(identity_parts(engine, identity));
    parts.extend(gpus::parts(engine, plan));
    parts.extend(network_part(network));
    parts.push(Part::new(["--shm-size", &shm_size.value], &shm_size.reason));
    if let Some(Reasoned { value: Root::ReadOnly, reason }) = root {
        parts.push(Part::new(["--read-only"], reason));
    }
    parts.extend(limits.iter().map(limit_part));
    parts.extend(tmpfs.iter().map(|tmpfs| tmpfs_part(engine, tmpfs)));
    for Mount { source, target, access, variable: _, reason } in mounts {
        parts.push(bind_mount(engine, source, target, *access, reason));
    }
    for PinnedFolder { source, target, reason } in pinned_folders {
        parts.push(bind_mount(engine, source, target, Access::ReadWrite, reason));
    }
    parts.extend(masked_files.iter().map(mask_part));
    for Input { source, target, by, reason } in inputs {
        if *by == InputBy::OwnMount {
            parts.push(bind_mount(engine, source, target, Access::ReadOnly, reason));
        }
    }
    parts.push(Part::new(
        ["--env", &format!("{}={}", env::HOME, path::HOME)],
        "without it, a uid that the image does not know is at home in `/`",
    ));
    for Mount { source: _, target, access: _, variable, reason: _ } in mounts {
        if let MountVariable::Always(name) = variable {
            let word = format!("{name}={target}");
            parts.push(Part::new(["--env", &word], format!("where `{target}` is looked for")));
        }
    }
    for Variable { name, value, reason } in env {
        parts.push(Part::new(["--env", &format!("{name}={value}")], reason));
    }
    if let Some(Reasoned { value, reason }) = image {
        parts.push(Part::new([value.reference.as_str()], reason));
    }
    if !args.is_empty() {
        parts.push(Part::new(args.iter().map(String::as_str), args_reason(plan)));
    }
    CommandLine { env: vec![], parts }
}

/// The options by which the runner finds, labels and ends its container. A guide's command has none.
fn supervision_parts(
    engine: &Engine,
    supervision: &Supervision,
    run_id: &str,
    uid: u32,
) -> Vec<Part> {
    let Supervision { container, cidfile, folders } = supervision;
    let user = [Piece::Text(format!("{}=", label::USER)), Piece::Uid(uid)];
    let cidfile = [Piece::Path(cidfile.as_str().to_owned())];
    let mut parts = vec![
        Part::new(
            ["--interactive"],
            "dead-man's switch: the entrypoint ends the benchmark when this client dies",
        ),
        Part::new(["--name", container], "found again by name"),
        Part::new(
            ["--label", &format!("{}={run_id}", label::RUN)],
            "what a crash leaves behind is found by label, never by guess",
        ),
        Part::new(["--label".into(), Word::of(user)], "and its removal is offered to you alone"),
        Part::new(
            ["--cidfile".into(), Word::of(cidfile)],
            "tells whether the container was made at all",
        ),
        Part::new(
            ["--env", &format!("{}={run_id}", env::RUN_ID)],
            "marks what this run writes, and arms the dead-man's switch",
        ),
    ];
    if let Some(folders) = folders {
        parts.push(Part::new(
            ["--env", &format!("{}={folders}", env::FOLDERS)],
            "lists the mounts: the entrypoint starts nothing in other folders than these",
        ));
    }
    if engine.client == Client::Podman {
        parts.push(Part::new(
            ["--http-proxy=false"],
            "Podman would show the proxies of your shell in `inspect`, passwords among them",
        ));
    }
    parts
}

/// The options for the user, by mode. Measured on Docker 20.10 and 26.1, Podman 4.3 and 5.4.
fn identity_parts(engine: &Engine, identity: &Reasoned<Identity>) -> Vec<Part> {
    let Reasoned { value: Identity { uid, gid, groups }, reason } = identity;
    let ids = [Piece::Uid(*uid), Piece::Text(":".to_owned()), Piece::Gid(*gid)];
    let caller = Part::new(["--user".into(), Word::of(ids)], reason);
    let mut parts = match engine.mode {
        Mode::DockerRootful | Mode::PodmanRootful | Mode::Host => vec![caller],
        Mode::DockerUsernsRemap => vec![
            Part::new(["--userns", "host"], "remapped ids could not write to your folders"),
            caller,
        ],
        Mode::DockerRootless | Mode::PodmanRootless => {
            let reason = match engine.location {
                Location::DesktopVm => "in Docker Desktop's virtual machine uid 0 is you outside",
                _ => "under a rootless engine uid 0 inside is you outside",
            };
            vec![Part::new(["--user", "0:0"], reason)]
        }
    };
    if groups.is_empty() {
        return parts;
    }
    match engine.groups() {
        Groups::ByNumber => parts.extend(groups.iter().map(|group| {
            let why = "one of your groups owns a mounted folder";
            Part::new(["--group-add", &group.to_string()], why)
        })),
        Groups::AllOrNone => parts.push(Part::new(
            ["--group-add", "keep-groups"],
            "your groups, of which a mounted folder belongs to one",
        )),
        Groups::Never(_) => {}
    }
    parts
}

/// The option for the network, if it is not the engine's default.
fn network_part(network: &Reasoned<Network>) -> Option<Part> {
    let Reasoned { value, reason } = network;
    match value {
        Network::Default => None,
        Network::WithHost { address } => {
            let address = address.as_deref().unwrap_or("host-gateway");
            Some(Part::new(["--add-host", &format!("{HOST_GATEWAY}:{address}")], reason))
        }
        Network::None => Some(Part::new(["--network", "none"], reason)),
    }
}

/// The option that sets a limit.
fn limit_part(limit: &Reasoned<Limit>) -> Part {
    let Reasoned { value, reason } = limit;
    match value {
        Limit::NoCapabilities => Part::new(["--cap-drop", "ALL"], reason),
        Limit::NoNewPrivileges => Part::new(["--security-opt", "no-new-privileges"], reason),
        Limit::Processes(count) => Part::new(["--pids-limit", &count.to_string()], reason),
        Limit::Memory(size) => Part::new(["--memory", size], reason),
        Limit::SelinuxOff => Part::new(["--security-opt", "label=disable"], reason),
    }
}

/// Mounts `/dev/null` over a file, so that it reads as empty. The file exists, so no engine creates it.
fn mask_part(file: &MaskedFile) -> Part {
    let MaskedFile { target, reason } = file;
    let target = target.replace('"', "\"\"");
    let word = format!("type=bind,source=/dev/null,\"target={target}\",readonly");
    Part::new(["--mount", &word], reason)
}

/// A `--tmpfs` option. `--mount type=tmpfs` has no `exec`, and Docker's default is `noexec`.
fn tmpfs_part(engine: &Engine, tmpfs: &Tmpfs) -> Part {
    let Tmpfs { target, exec, reason } = tmpfs;
    let exec = if *exec { "exec," } else { "" };
    // Podman copies the image's folder into the tmpfs with its own umask. The user could not write to it.
    let empty = if engine.mode.is_podman() { ",notmpcopyup" } else { "" };
    Part::new(["--tmpfs", &format!("{target}:{exec}mode=1777{empty}")], reason)
}

/// A `--mount` option with the source as a quoted CSV field. `--volume` breaks on a colon and creates a
/// missing folder as root; an unquoted `--mount` breaks on commas, quotes and newlines. Podman behind
/// Docker's client loses the quotes, so there a source that needs them is mounted by `--volume`.
pub fn bind_mount(
    engine: &Engine,
    source: &HostPath,
    target: &str,
    access: Access,
    reason: &str,
) -> Part {
    if engine.strips_mount_quotes() && source.needs_quotes() {
        let read_only = match access {
            Access::ReadWrite => "",
            Access::ReadOnly => ":ro",
        };
        let source = Piece::Path(source.as_str().to_owned());
        let word = Word::of([source, Piece::Text(format!(":{target}{read_only}"))]);
        return Part::new(["--volume".into(), word], reason);
    }
    let read_only = match access {
        Access::ReadWrite => "",
        Access::ReadOnly => ",readonly",
    };
    let quote = if target.contains([',', '"', '\n', '\r']) { "\"" } else { "" };
    let target = target.replace('"', "\"\"");
    let word = Word::of([
        Piece::Text("type=bind,\"source=".to_owned()),
        Piece::Path(source.as_str().replace('"', "\"\"")),
        Piece::Text(format!("\",{quote}target={target}{quote}{read_only}")),
    ]);
    Part::new(["--mount".into(), word], reason)
}
