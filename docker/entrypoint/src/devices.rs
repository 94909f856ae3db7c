//! Whether the GPUs that were asked for are here. Without them a benchmark would measure the
//! processor, and look like a success.

use std::{ffi::OsString, fs, io, path::Path};

use anyhow::{Context as _, bail};
use contract::{env::GPUS, gpus::Expected};

use contract::exit::Usage;

/// Looks for what the variable says; without it, nothing was asked for.
///
/// # Errors
/// When a GPU is missing, or the variable is not understood.
pub(crate) fn check(told: Option<OsString>, dev: &Path) -> anyhow::Result<()> {
    let Some(told) = told.filter(|told| !told.is_empty()) else { return Ok(()) };
    let expected = told.to_string_lossy().parse();
    let expected = expected.map_err(|error| Usage(format!("{GPUS}: {error}")))?;
    missing(expected, &names(dev)?).map_or(Ok(()), |missing| bail!("{missing}"))
}

/// Names in a folder; none where there is no folder.
fn names(folder: &Path) -> anyhow::Result<Vec<String>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(vec![]),
        entries => entries.and_then(|entries| {
            entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
        }),
    };
    entries.with_context(|| format!("looking for GPUs in `{}`", folder.display()))
}

/// What is missing among the devices in `/dev`, and what to do about it.
fn missing(expected: Expected, devices: &[String]) -> Option<String> {
    let Expected { least } = expected;
    // Under WSL and on Tegra they have no numbers.
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

    fn says(told: &str, devices: &[&str]) -> Option<String> {
        let devices: Vec<_> = devices.iter().map(|name| (*name).to_owned()).collect();
        missing(told.parse().unwrap(), &devices)
    }

    #[test]
    fn every_gpu_that_was_asked_for_must_be_here() {
        assert_eq!(says("nvidia:2", &["nvidia0", "nvidia1", "nvidiactl"]), None);
        assert_eq!(says("nvidia:2", &["dxg"]), None);
        insta::assert_snapshot!(says("nvidia:1", &["nvidiactl", "nvidia-uvm"]).unwrap(), @"the container has no NVIDIA GPU (no /dev/nvidia0), and at least 1 was asked for; install the NVIDIA Container Toolkit for this engine; Podman also needs the file that `nvidia-ctk cdi generate` makes, or ask for none with `--gpus none`");
        insta::assert_snapshot!(says("nvidia:2", &["nvidia3"]).unwrap(), @"the container has 1 NVIDIA GPU(s), and 2 were asked for; ask for 1 with `--gpus`");
    }

    #[test]
    fn devices_are_those_of_the_folder() {
        let dev = tempfile::tempdir().unwrap();
        let check = |told: &str| check(Some(told.into()), dev.path());
        assert!(check("nvidia:1").is_err());
        fs::write(dev.path().join("nvidia0"), "").unwrap();
        assert!(check("nvidia:1").is_ok() && check("").is_ok());
        let error = check("x").unwrap_err();
        assert!(error.is::<contract::exit::Usage>(), "{error}");
    }
}
