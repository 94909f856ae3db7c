//! After a run: whose the results are, and what the host adds to the summary.

pub(super) mod other_files;
pub(super) mod output_file;

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use backend_reports::Folder;
use contract::{
    host_meter::HostMeter,
    output::{HOST_METER, SUMMARY, is_output},
    previous::PREVIOUS,
    summary::{CacheDelta, Repeat, Summary},
};
use host::shell::shown_for_shell;
use meter::{self, ModelLocation, Recording};
use untrusted::{Found, Kind, Stamp};

/// Folders in one another that a run may leave, earlier results among them.
const DEEPEST: usize = 8;

/// A finding when something that runs left in the results folder is not the user's. Everything else
/// there is no matter of ours.
pub(super) fn foreign_results(results: &Folder, uid: u32) -> Option<String> {
    let mut outputs = vec![];
    // What cannot be listed is not known to be anybody's.
    let _ = results.dir().visit(|name, _| {
        if name.to_str().is_some_and(|name| is_output(name) || name == PREVIOUS) {
            outputs.push(PathBuf::from(name));
        }
    });
    outputs.sort();
    let (mut first, mut count) = (None, 0_u64);
    let mut look = |path: &Path, stamp: Stamp| {
        if stamp.uid != uid {
            count += 1;
            first.get_or_insert_with(|| (path.to_owned(), stamp.uid));
        }
    };
    for name in outputs {
        let Ok(stamp) = results.dir().look(&name) else { continue };
        look(&name, stamp);
        if stamp.kind != Kind::Folder {
            continue;
        }
        // One that is closed to the user is foreign itself.
        let Ok(folder) = results.dir().dir(&name) else { continue };
        folder.walk(DEEPEST, |found| {
            if let Found::Entry { path, stamp } = found {
                look(&name.join(path), stamp);
            }
            true
        });
    }
    let (first, owner) = first?;
    Some(format!(
        "{count} file(s) in `{}` do not belong to you, first `{}` of uid {owner}; \
         `aienergyscore reclaim --yes {}` takes them back without sudo",
        results.shown(""),
        results.shown(&first.to_string_lossy()),
        shown_for_shell(results.path())
    ))
}

/// Reads the summary that the entrypoint wrote, adds what only the host knows, and writes it back.
pub(super) fn complete_summary(
    results: &Folder,
    cache: Option<CacheDelta>,
    recording: Recording,
    location: ModelLocation,
    repeat: Repeat,
) -> anyhow::Result<Summary> {
    let refused = || {
        format!(
            "the benchmark reports success, but its summary `{}` is none; it is kept as it is, and \
             an image of another version may have written it",
            results.shown(SUMMARY)
        )
    };
    let text = output_file::read(results, SUMMARY).with_context(refused)?;
    let mut summary: Summary = serde_json::from_slice(&text).with_context(refused)?;
    summary.cache = cache;
    summary.repeat = Some(repeat);
    add_meter(&mut summary, results, recording, location);
    results.write(SUMMARY, &serde_json::to_string_pretty(&summary)?).context(
        "the benchmark succeeded and its summary is whole, but what the host knows of the run could \
         not be added to it",
    )?;
    Ok(summary)
}

/// Adds what the host metered, and leaves its power over time in a file of its own. A run does not
/// fail for it.
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

fn write_meter(results: &Folder, metered: &HostMeter) -> anyhow::Result<()> {
    // Not pretty: a line for each number would be thousands.
    results.write(HOST_METER, &serde_json::to_string(metered)?)
}
