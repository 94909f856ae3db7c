//! Reads the results folder after a run, checks the owners of its files, and completes the summary.

pub(super) mod mount_mismatch;

use std::{io, path::PathBuf};

use anyhow::Context as _;
use backend_reports::Folder;
use contract::{
    host_meter::HostMeter,
    output::{COMPLETION, Completion, HOST_METER, SUMMARY, is_output},
    previous::PREVIOUS,
    summary::{CacheDelta, Repeat, Summary},
};
use host::shell::shown_for_shell;
use meter::{self, ModelLocation, Recording};
use untrusted::{Found, Kind, Stamp};

/// Maximum depth of the search for files of other users, including earlier results.
const MAX_DEPTH: usize = 8;

/// Size limit of the files that the entrypoint writes. They usually have a few kB.
const MAX_BYTES: u64 = 16 << 20;

/// The completion marker, unless it is missing or invalid.
///
/// # Errors
/// When it is too large, unreadable or not a regular file.
pub(super) fn completion(results: &Folder) -> anyhow::Result<Option<Completion>> {
    match results.dir().read(COMPLETION, MAX_BYTES) {
        Ok(bytes) => Ok(serde_json::from_slice(&bytes).ok()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => {
            Err(error).with_context(|| format!("reading `{}`", results.shown(COMPLETION)))
        }
    }
}

/// A warning about files of runs in the results folder that belong to another user. Other files are
/// ignored.
pub(super) fn foreign_results(results: &Folder, uid: u32) -> Option<String> {
    let mut outputs = vec![];
    // Without a listing, there is nothing to warn about.
    let _ = results.dir().visit(|name, _| {
        if name.to_str().is_some_and(|name| is_output(name) || name == PREVIOUS) {
            outputs.push(PathBuf::from(name));
        }
    });
    outputs.sort();
    let mut foreign = vec![];
    let mut check = |path: PathBuf, stamp: Stamp| {
        if stamp.uid != uid {
            foreign.push((path, stamp.uid));
        }
    };
    for name in outputs {
        let Ok(stamp) = results.dir().look(&name) else { continue };
        check(name.clone(), stamp);
        if stamp.kind != Kind::Folder {
            continue;
        }
        // A folder that the user cannot open belongs to another user, and is counted above.
        let Ok(folder) = results.dir().dir(&name) else { continue };
        folder.walk(MAX_DEPTH, |found| {
            if let Found::Entry { path, stamp } = found {
                check(name.join(path), stamp);
            }
            true
        });
    }
    let (first, owner) = foreign.first()?;
    Some(format!(
        "{} file(s) in `{}` do not belong to you, first `{}` of uid {owner}; \
         `aienergyscore reclaim --yes {}` takes them back without sudo",
        foreign.len(),
        results.shown(""),
        results.shown(&first.to_string_lossy()),
        shown_for_shell(results.path())
    ))
}

/// Adds the host's measurements to the summary that the entrypoint wrote.
///
/// # Errors
/// When the summary is invalid, or cannot be written.
pub(super) fn complete_summary(
    results: &Folder,
    cache: Option<CacheDelta>,
    recording: Recording,
    location: ModelLocation,
    repeat: Repeat,
) -> anyhow::Result<Summary> {
    let invalid = || {
        format!(
            "the benchmark reports success, but its summary `{}` is not a summary; it is kept as it is, and \
             an image of another version may have written it",
            results.shown(SUMMARY)
        )
    };
    let text = results.dir().read(SUMMARY, MAX_BYTES).with_context(invalid)?;
    let mut summary: Summary = serde_json::from_slice(&text).with_context(invalid)?;
    summary.cache = cache;
    summary.repeat = Some(repeat);
    add_meter(&mut summary, results, recording, location);
    results.write(SUMMARY, &serde_json::to_string_pretty(&summary)?).context(
        "the benchmark succeeded and its summary is whole, but what the host knows of the run could \
         not be added to it",
    )?;
    Ok(summary)
}

/// Adds the meter's recording to the summary, and writes power over time to its own file. A failure
/// becomes a note.
fn add_meter(
    summary: &mut Summary,
    results: &Folder,
    recording: Recording,
    location: ModelLocation,
) {
    let lost = recording.lost_devices();
    let mut metered = recording.into_host_meter(&summary.run.phases);
    summary.notes.extend(lost);
    summary.notes.extend(meter::compare(summary, &metered, location));
    if let Err(error) = write_meter(results, &metered) {
        summary.notes.push(format!("power over time is lost: {error:#}"));
    }
    metered.devices.iter_mut().for_each(|device| device.power.clear());
    summary.host = Some(metered);
}

/// Writes the power over time of all devices.
fn write_meter(results: &Folder, metered: &HostMeter) -> anyhow::Result<()> {
    // Not pretty-printed: that would be thousands of lines with one number each.
    results.write(HOST_METER, &serde_json::to_string(metered)?)
}
