//! Whether the GPUs that were asked for are here. Without them a benchmark would measure the
//! processor, and look like a success.

use std::{ffi::OsString, fs, io, path::Path};

use anyhow::{Context as _, bail};
use contract::{
    env::GPUS,
    gpus::{Expected, Maker},
};

use crate::failure::Usage;

/// Looks for what the variable says; without it, nothing was asked for.
///
/// # Errors
/// When a GPU is missing, or the variable is not understood.
pub(crate) fn check(told: Option<OsString>, dev: &Path) -> anyhow::Result<()> {
    let Some(told) = told.filter(|told| !told.is_empty()) else { return Ok(()) };
    let expected = told.to_string_lossy().parse();
    let expected = expected.map_err(|error| Usage(format!("{GPUS}: {error}")))?;
    missing(expected, &Devices::read(dev)?).map_or(Ok(()), |missing| bail!("{missing}"))
}

/// Names of devices, as far as they tell of GPUs.
#[derive(Debug, Default)]
struct Devices {
    /// In `/dev`.
    top: Vec<String>,
    /// In `/dev/dri`, where AMD's are.
    dri: Vec<String>,
}

impl Devices {
    fn read(dev: &Path) -> anyhow::Result<Self> {
        Ok(Self { top: names(dev)?, dri: names(&dev.join("dri"))? })
    }
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

/// What is missing, and what to do about it.
fn missing(expected: Expected, devices: &Devices) -> Option<String> {
    let Expected { maker, least } = expected;
    let Devices { top, dri } = devices;
    let numbered = |names: &[String], start: &str| {
        let number = |name: &&String| {
            let rest = name.strip_prefix(start);
            rest.is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_digit()))
        };
        names.iter().filter(number).count()
    };
    let has = |name: &str| top.iter().any(|device| device == name);
    let (found, sign, remedy) = match maker {
        // Under WSL and on Tegra they have no numbers.
        Maker::Nvidia if has("dxg") || has("nvhost-gpu") => return None,
        Maker::Nvidia => (
            numbered(top, "nvidia"),
            "/dev/nvidia0",
            "install the NVIDIA Container Toolkit for this engine; Podman also needs the file that \
             `nvidia-ctk cdi generate` makes",
        ),
        Maker::Amd if !has("kfd") => (0, "/dev/kfd", "load the driver `amdgpu` on the host"),
        Maker::Amd => (
            numbered(dri, "renderD"),
            "/dev/dri/renderD128",
            "load the driver `amdgpu` on the host",
        ),
    };
    if found >= least as usize {
        return None;
    }
    let maker = maker.name();
    Some(if found == 0 {
        format!(
            "the container has no {maker} GPU (no {sign}), and at least {least} was asked for; \
             {remedy}, or ask for none with `--gpus none`"
        )
    } else {
        format!(
            "the container has {found} {maker} GPU(s), and {least} were asked for; ask for {found} \
             with `--gpus`"
        )
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{Devices, check, missing};

    fn says(told: &str, top: &[&str], dri: &[&str]) -> Option<String> {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        missing(told.parse().unwrap(), &Devices { top: names(top), dri: names(dri) })
    }

    #[test]
    fn every_gpu_that_was_asked_for_must_be_here() {
        assert_eq!(says("nvidia:2", &["nvidia0", "nvidia1", "nvidiactl"], &[]), None);
        assert_eq!(says("nvidia:2", &["dxg"], &[]), None);
        assert_eq!(says("amd:1", &["kfd", "dri"], &["card0", "renderD128"]), None);
        insta::assert_snapshot!(says("nvidia:1", &["nvidiactl", "nvidia-uvm"], &[]).unwrap(), @"the container has no NVIDIA GPU (no /dev/nvidia0), and at least 1 was asked for; install the NVIDIA Container Toolkit for this engine; Podman also needs the file that `nvidia-ctk cdi generate` makes, or ask for none with `--gpus none`");
        insta::assert_snapshot!(says("nvidia:2", &["nvidia3"], &[]).unwrap(), @"the container has 1 NVIDIA GPU(s), and 2 were asked for; ask for 1 with `--gpus`");
        insta::assert_snapshot!(says("amd:1", &["dri"], &["renderD128"]).unwrap(), @"the container has no AMD GPU (no /dev/kfd), and at least 1 was asked for; load the driver `amdgpu` on the host, or ask for none with `--gpus none`");
    }

    #[test]
    fn devices_are_those_of_the_folder() {
        let dev = tempfile::tempdir().unwrap();
        let check = |told: &str| check(Some(told.into()), dev.path());
        assert!(check("nvidia:1").is_err() && check("amd:1").is_err());
        fs::write(dev.path().join("nvidia0"), "").unwrap();
        assert!(check("nvidia:1").is_ok() && check("").is_ok());
        let error = check("x").unwrap_err();
        assert!(error.is::<crate::failure::Usage>(), "{error}");
    }
}
