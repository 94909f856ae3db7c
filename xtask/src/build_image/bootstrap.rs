//! A Debian base made on this machine, where no registry answers: mmdebstrap fetches packages from
//! Debian's mirrors, as apt does.

use anyhow::{Context as _, bail};
use host::output::terminal;
use xshell::{Shell, cmd};

use super::builder::Builder;
use crate::{tool, workspace};

/// The base's name, which no registry knows.
pub(super) const IMAGE: &str = "ai_energy_score-base:trixie";

const SUITE: &str = "trixie";

/// What the base is without: it is read by nobody.
const LEFT_OUT: [&str; 4] = ["doc", "info", "locale", "man"];

/// Makes the base by the name `image`.
///
/// # Errors
/// When mmdebstrap is missing or fails, or the engine does not take what it made.
pub(super) fn make(sh: &Shell, builder: &Builder, image: &str) -> anyhow::Result<()> {
    terminal::say(format_args!("making the base image `{image}` of Debian {SUITE}"));
    let missing = "mmdebstrap is missing; install it (Debian: `apt-get install mmdebstrap uidmap`)";
    cmd!(sh, "mmdebstrap --version").quiet().ignore_stdout().run().context(missing)?;
    // A whole file first: what a failed mmdebstrap has printed would make an image, too.
    let folder = tempfile::tempdir_in(workspace::target()?).context("making a folder for it")?;
    let archive = folder.path().join("base.tar");
    let arguments = arguments();
    let status = tool::live(cmd!(sh, "mmdebstrap {arguments...} {archive}"), &[])?;
    if !status.success() {
        bail!(
            "mmdebstrap failed ({status}) and says above why; without root it needs the package \
             `uidmap`, and on other systems than Debian `debian-archive-keyring`"
        );
    }
    builder.import(sh, &archive, image, &CHANGES)
}

/// What an image needs besides its files.
const CHANGES: [&str; 3] = [
    "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "CMD [\"bash\"]",
    "LABEL org.opencontainers.image.title=\"Debian base, made by cargo xtask build-image\"",
];

/// What mmdebstrap is asked for: the smallest Debian that has Python, which every flavour on it
/// needs.
fn arguments() -> Vec<String> {
    let mut arguments = vec!["--variant=minbase".to_owned(), "--include=python3".to_owned()];
    let left_out = LEFT_OUT.map(|what| format!("--dpkgopt=path-exclude=/usr/share/{what}/*"));
    arguments.extend(left_out);
    arguments.push(SUITE.to_owned());
    arguments
}
