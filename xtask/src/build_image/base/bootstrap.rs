//! Makes a Debian base image with mmdebstrap, for machines without access to a registry. Packages
//! come from Debian's mirrors.

use anyhow::{Context as _, bail};
use host::output::terminal;
use xshell::{Shell, cmd};

use crate::{build_image::builder::Builder, process, workspace};

/// Reference of the base. No registry has this name.
pub(super) const IMAGE: &str = "ai_energy_score-base:trixie";

const SUITE: &str = "trixie";

/// Folders of `/usr/share` that the base omits.
const EXCLUDED: [&str; 4] = ["doc", "info", "locale", "man"];

/// Makes the base and names it `image`.
///
/// # Errors
/// When mmdebstrap is missing or fails, or the engine does not take what it made.
pub(super) fn make(sh: &Shell, builder: &Builder, image: &str) -> anyhow::Result<()> {
    terminal::say(format_args!("making the base image `{image}` of Debian {SUITE}"));
    let missing = "mmdebstrap is missing; install it (Debian: `apt-get install mmdebstrap uidmap`)";
    cmd!(sh, "mmdebstrap --version").quiet().ignore_stdout().run().context(missing)?;
    // Not a pipe: the engine would also import the truncated output of a failed mmdebstrap.
    let folder = tempfile::tempdir_in(workspace::target()?).context("making a folder for it")?;
    let archive = folder.path().join("base.tar");
    let arguments = arguments();
    let status = process::stream(cmd!(sh, "mmdebstrap {arguments...} {archive}"), &[])?;
    if !status.success() {
        bail!(
            "mmdebstrap failed ({status}) and says above why; without root it needs the package \
             `uidmap`, and on other systems than Debian `debian-archive-keyring`"
        );
    }
    builder.import(sh, &archive, image, &CHANGES)
}

/// Configuration of the imported image.
const CHANGES: [&str; 3] = [
    "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "CMD [\"bash\"]",
    "LABEL org.opencontainers.image.title=\"Debian base, made by cargo xtask build-image\"",
];

/// Arguments of mmdebstrap: a minimal Debian with Python, which every flavour needs.
fn arguments() -> Vec<String> {
    let mut arguments = vec!["--variant=minbase".to_owned(), "--include=python3".to_owned()];
    let excluded = EXCLUDED.map(|what| format!("--dpkgopt=path-exclude=/usr/share/{what}/*"));
    arguments.extend(excluded);
    arguments.push(SUITE.to_owned());
    arguments
}
