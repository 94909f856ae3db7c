//! Checks that the requested GPUs exist. Without them a benchmark would silently measure the CPU.

use std::{ffi::OsStr, fs, io, path::Path};

use anyhow::{Context as _, bail};
use contract::{env::GPUS, gpus::Expected};

use crate::exit::Usage;

/// Checks that the folder `dev` has the GPUs that the variable `requested` asks for, if it is set.
///
/// # Errors
/// When a GPU is missing, or the variable is invalid.
pub(super) fn check(requested: Option<&OsStr>, dev: &Path) -> anyhow::Result<()> {
    let Some(requested) = requested else { return Ok(()) };
    let expected = requested.to_string_lossy().parse();
    let expected = expected.map_err(|error| Usage(format!("{GPUS}: {error}")))?;
    missing(expected, &names(dev)?).map_or(Ok(()), |missing| bail!("{missing}"))
}

/// Names of the entries of `folder`, none if it does not exist.
fn names(folder: &Path) -> anyhow::Result<Vec<String>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(vec![]),
        entries => entries.and_then(|entries| {
            entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
        }),
    };
    entries.with_context(|| format!("looking for GPUs in `{}`", folder.display()))
}

/// Message about missing GPUs and what to do, if fewer than `expected` are among `devices`.
fn missing(expected: Expected, devices: &[String]) -> Option<String> {
    let Expected { least } = expected;
    // GPUs have no numbered device under WSL and on Tegra.
    if devices.iter().any(|name| ["dxg", "nvhost-gpu"].contains(&name.as_str())) {
        return None;
    }
    let is_gpu = |name: &&String| {
        let number = name.strip_prefix("nvidia");
        number.is_some_and(|number| number.parse::<u32>().is_ok())
    };
    let found = devices.iter().filter(is_gpu).count();
    if found >= least as usize {
        return None;
    }
    Some(if found == 0 {
        format!(
            "the container has no NVIDIA GPU (no /dev/nvidia0), and at least {least} was asked for; \
             install the NVIDIA Container Toolkit for this engine; Podman also needs the file that \
             `nvidia-ctk cdi generate` makes, or ask for none with `--gpus none`"
        )
    } else {
        format!(
            "the container has {found} NVIDIA GPU(s), and {least} were asked for; ask for {found} \
             with `--gpus`"
        )
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{check, missing};

    fn message(requested: &str, devices: &[&str]) -> Option<String> {
        let devices: Vec<_> = devices.iter().map(|name| (*name).to_owned()).collect();
        missing(requested.parse().unwrap(), &devices)
    }

    #[test]
    fn every_requested_gpu_must_exist() {
        assert_eq!(message("nvidia:2", &["nvidia0", "nvidia1", "nvidiactl"]), None);
        assert_eq!(message("nvidia:2", &["dxg"]), None);
        insta::assert_snapshot!(message("nvidia:1", &["nvidiactl", "nvidia-uvm"]).unwrap(), @"the container has no NVIDIA GPU (no /dev/nvidia0), and at least 1 was asked for; install the NVIDIA Container Toolkit for this engine; Podman also needs the file that `nvidia-ctk cdi generate` makes, or ask for none with `--gpus none`");
        insta::assert_snapshot!(message("nvidia:2", &["nvidia3"]).unwrap(), @"the container has 1 NVIDIA GPU(s), and 2 were asked for; ask for 1 with `--gpus`");
    }

    #[test]
    fn devices_are_read_from_the_folder() {
        let dev = tempfile::tempdir().unwrap();
        let check = |requested: &str| check(Some(requested.as_ref()), dev.path());
        assert!(check("nvidia:1").is_err());
        fs::write(dev.path().join("nvidia0"), "").unwrap();
        assert!(check("nvidia:1").is_ok() && super::check(None, dev.path()).is_ok());
        let error = check("x").unwrap_err();
        assert!(error.is::<crate::exit::Usage>(), "{error}");
    }
}
