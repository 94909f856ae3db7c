//! Reads a results folder, written by `aienergyscore run` or by a benchmark stack alone.

pub(crate) mod discovery;
mod plausible;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use backend_reports::{Files, Folder, Reading, json, summarize};
use contract::{
    host_meter::HostMeter,
    output::{COMPLETION, Completion, HOST_METER, LOG, REPORT, SUMMARY},
    summary::Summary,
};
use serde::de::DeserializeOwned;
use serde_json::Value;

use self::{
    discovery::{Found, contents, results_folders},
    plausible::{check_meter, check_summary},
};
use super::finished_run::{Broken, FinishedRun, Origin};

/// Applies `read` to every results folder among `folders` and below.
pub(crate) fn read_all<T>(
    folders: &[PathBuf],
    previous: bool,
    read: impl Fn(&Folder) -> anyhow::Result<T>,
) -> (Vec<T>, Vec<Broken>) {
    let (found, mut broken) = results_folders(folders, previous);
    let mut all = vec![];
    for Found { folder, below, .. } in found {
        match open(&folder, &below).and_then(|opened| read(&opened)) {
            Ok(one) => all.push(one),
            Err(error) => broken.push(Broken { folder, reason: format!("{error:#}") }),
        }
    }
    (all, broken)
}

/// Opens a results folder. Symlinks are followed in the part of the path that the user named, and not in
/// `below`, the part after it.
fn open(folder: &Path, below: &Path) -> anyhow::Result<Folder> {
    let named = folder.ancestors().nth(below.components().count()).unwrap_or(folder);
    // The parent of a bare name is empty.
    let named = if named.as_os_str().is_empty() { Path::new(".") } else { named };
    let opened = Folder::open(named)?;
    let dir = opened.dir().dir(below);
    let shown = || format!("opening the folder `{}`", opened.shown(&below.to_string_lossy()));
    Ok(Folder::of(dir.with_context(shown)?, folder))
}

/// Reads the run in `folder`.
///
/// # Errors
/// When the run failed or is incomplete, or one of its files is corrupt.
pub(crate) fn read(folder: &Folder) -> anyhow::Result<FinishedRun> {
    read_parsed(folder, &Files::read(folder))
}

/// Reads the run in `folder`. `files` are the backend's files in it, already parsed.
pub(crate) fn read_parsed(folder: &Folder, files: &Files<'_>) -> anyhow::Result<FinishedRun> {
    let mut warnings = vec![];
    let completion: Option<Completion> = read_json(folder, COMPLETION)?;
    match &completion {
        Some(Completion { exit_code: 0, .. }) => {}
        Some(Completion { exit_code, .. }) => bail!(
            "the run failed: `{COMPLETION}` says exit code {exit_code}; its last words are in `{LOG}`"
        ),
        None => warnings.push(format!(
            "no `{COMPLETION}` is beside the results, so nothing proves that the run reached its end"
        )),
    }
    let (summary, origin) = summary(folder, files, &mut warnings)?;
    check_summary(&summary)?;
    let meter = meter(folder, &summary, &mut warnings);
    let (details, unread) = files.details();
    warnings.extend(unread);
    let folder = folder.path().to_owned();
    Ok(FinishedRun { folder, origin, summary, completion, meter, details, warnings })
}

/// The run's summary, or one computed from the backend's own report if the summary is missing or by
/// another program.
fn summary(
    folder: &Folder,
    files: &Files<'_>,
    warnings: &mut Vec<String>,
) -> anyhow::Result<(Summary, Origin)> {
    let value = json::read(folder, SUMMARY)?.unwrap_or_default();
    let has = |keys: [&str; 2]| keys.iter().all(|key| value.get(key).is_some());
    let unusable = if value.is_null() {
        ensure!(
            !files.lack_report(),
            "neither `{SUMMARY}` nor `{REPORT}` is there: the run did not get so far, or its files \
             were not copied along; here {}",
            contents(folder.dir())
        );
        Some(format!("there is no `{SUMMARY}`"))
    } else if !has(["measurement", "run"]) && has(["units", "total"]) {
        // AIEnergyScore's own summarizer writes neither sources nor devices.
        Some(format!("`{SUMMARY}` is by another program and does not say how it measured"))
    } else {
        None
    };
    if let Some(why) = unusable {
        warnings.push(format!("{why}; the numbers were made of `{REPORT}`"));
        let Reading { summary, numbers } = summarize(files)?;
        return Ok((summary, Origin::Report(Box::new(numbers))));
    }
    let summary = serde_json::from_value(value).with_context(|| {
        format!(
            "`{}` is no summary as this version, {}, writes it; `summarize` makes one of `{REPORT}`",
            folder.shown(SUMMARY),
            env!("CARGO_PKG_VERSION")
        )
    })?;
    Ok((summary, Origin::Summary))
}

/// Readings of the host's meter, from its own file or else from the summary. Implausible ones are left out
/// with a warning.
fn meter(
    folder: &Folder,
    summary: &Summary,
    warnings: &mut Vec<String>,
) -> Option<(HostMeter, &'static str)> {
    let in_file = read_json(folder, HOST_METER).unwrap_or_else(|error| {
        warnings.push(format!("power over time is not known: {error:#}"));
        None
    });
    let in_summary = || summary.host.clone().map(|meter| (meter, SUMMARY));
    let (meter, file) = in_file.map(|meter| (meter, HOST_METER)).or_else(in_summary)?;
    if let Err(error) = check_meter(&meter) {
        warnings.push(format!("what the host metered is left out: `{file}`: {error:#}"));
        return None;
    }
    Some((meter, file))
}

/// The content of a JSON file, if it exists.
fn read_json<T: DeserializeOwned>(folder: &Folder, name: &str) -> anyhow::Result<Option<T>> {
    let value: Option<Value> = json::read(folder, name)?;
    let value = value.map(serde_json::from_value).transpose();
    value.with_context(|| format!("`{}` is not what it should be", folder.shown(name)))
}

#[cfg(test)]
pub(super) mod tests;
