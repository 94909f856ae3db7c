//! After a run: whose the results are, and what the host adds to the summary.

use std::os::unix::fs::MetadataExt as _;

use anyhow::Context as _;
use contract::{
    host_meter::HostMeter,
    output::{HOST_METER, SUMMARY},
    summary::{CacheDelta, Repeat, Summary},
};
use walkdir::WalkDir;

use super::output_file;
use crate::{
    atomic_file,
    folders::shown_for_shell,
    host_path::HostPath,
    meter::{self, Recording, Served},
};

/// A finding when something in the results folder is not the user's.
pub(super) fn foreign_results(results: &HostPath, uid: u32) -> Option<String> {
    let mut foreign = WalkDir::new(results.as_path())
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            let owner = entry.metadata().ok()?.uid();
            (owner != uid).then(|| (entry.into_path(), owner))
        })
        .peekable();
    let (first, owner) = foreign.peek().cloned()?;
    Some(format!(
        "{} file(s) in `{results}` do not belong to you, first `{}` of uid {owner}; \
         `aienergyscore repair-results --yes {}` takes them back without sudo",
        foreign.count(),
        first.display(),
        shown_for_shell(results.as_path())
    ))
}

/// Reads the summary that the entrypoint wrote, adds what only the host knows, and writes it back.
pub(super) fn complete_summary(
    results: &HostPath,
    cache: Option<CacheDelta>,
    recording: Recording,
    served: Served,
    repeat: Repeat,
) -> anyhow::Result<Summary> {
    let path = results.as_path().join(SUMMARY);
    let refused = || {
        format!(
            "the benchmark reports success, but its summary `{}` is none; it is kept as it is, and \
             an image of another version may have written it",
            path.display()
        )
    };
    let text = output_file::read(&path).with_context(refused)?;
    let mut summary: Summary = serde_json::from_slice(&text).with_context(refused)?;
    summary.cache = cache;
    summary.repeat = Some(repeat);
    add_meter(&mut summary, results, recording, served);
    let mut text = serde_json::to_vec_pretty(&summary)?;
    text.push(b'\n');
    atomic_file::write(&path, &text).context(
        "the benchmark succeeded and its summary is whole, but what the host knows of the run could \
         not be added to it",
    )?;
    Ok(summary)
}

/// Adds what the host metered, and leaves its power over time in a file of its own. A run does not
/// fail for it.
fn add_meter(summary: &mut Summary, results: &HostPath, recording: Recording, served: Served) {
    let gaps = recording.gaps();
    let mut metered = recording.over(&summary.run.phases);
    summary.notes.extend(gaps);
    summary.notes.extend(meter::notes(summary, &metered, served));
    if let Err(error) = write_meter(results, &metered) {
        summary.notes.push(format!("power over time is lost: {error:#}"));
    }
    metered.devices.iter_mut().for_each(|device| device.power.clear());
    summary.host = Some(metered);
}

fn write_meter(results: &HostPath, metered: &HostMeter) -> anyhow::Result<()> {
    // Not pretty: a line for each number would be thousands.
    let mut text = serde_json::to_vec(metered)?;
    text.push(b'\n');
    atomic_file::write(&results.as_path().join(HOST_METER), &text)
}
