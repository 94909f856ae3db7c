//! Repeats of a run: the same model, backend and settings, and how far their numbers spread.

pub(crate) mod statistics;

use backend_reports::Sourced;
use contract::summary::{DeviceKind, Run, Status};
use serde::Serialize;

use self::statistics::Statistics;
use super::metrics::{Metrics, ReportedRun};

/// Runs of the same configuration, and statistics over them.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Group {
    /// Indices of the runs in the report.
    pub runs: Vec<usize>,
    /// The headline energy of the runs, if all have one.
    #[serde(rename = "wh_per_1000_prompts")]
    pub energy: Option<GroupEnergy>,
    /// Generated tokens per second.
    pub tokens_per_second: Option<Statistics>,
    /// Seconds to the first token.
    #[serde(rename = "time_to_first_token_seconds")]
    pub first_token: Option<Statistics>,
}

/// The headline energy of a group.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct GroupEnergy {
    /// Kind of the devices.
    pub kind: DeviceKind,
    /// Whether the host's meter measured it.
    pub by_host: bool,
    /// Whether it was measured or estimated.
    pub status: Status,
    /// Wh per 1,000 prompts.
    #[serde(rename = "statistics")]
    pub per_thousand: Statistics,
}

/// The groups of `runs`, in the order of their first members.
pub(crate) fn groups(runs: &[ReportedRun]) -> Vec<Group> {
    let groups = indices_by_key(runs.iter().map(configuration));
    groups.into_iter().map(|(_, members)| group(members, runs)).collect()
}

/// The distinct `keys` in order of their first appearance, each with its indices.
pub(crate) fn indices_by_key<K: PartialEq>(keys: impl Iterator<Item = K>) -> Vec<(K, Vec<usize>)> {
    let mut known: Vec<(K, Vec<usize>)> = vec![];
    for (index, key) in keys.enumerate() {
        match known.iter_mut().find(|(other, _)| *other == key) {
            Some((_, indices)) => indices.push(index),
            None => known.push((key, vec![index])),
        }
    }
    known
}

/// The settings that runs must share to count as repeats.
fn configuration(ReportedRun { run, metrics }: &ReportedRun) -> impl PartialEq {
    let Run { model, backend, prompts, .. } = &run.summary.run;
    let value = |sourced: &Option<Sourced<String>>| sourced.clone().map(|sourced| sourced.value);
    let settings = (value(&run.details.dtype), value(&run.details.dataset), run.arguments());
    let image = run.summary.repeat.as_ref().and_then(|repeat| repeat.image_id.as_ref());
    // A measured energy does not compare with an estimate.
    let energy = metrics.headline().map(|of| (of.kind, of.by_host, of.metric.status));
    (model, backend, prompts, settings, image, energy)
}

/// The group of `runs`, with statistics over them.
fn group(runs: Vec<usize>, all: &[ReportedRun]) -> Group {
    // A mean over only some of the runs would not describe the group.
    let statistics = |of: fn(&Metrics) -> Option<f64>| {
        let values: Option<Vec<_>> = runs.iter().map(|run| of(&all[*run].metrics)).collect();
        Statistics::of(&values?)
    };
    let energy = all[runs[0]].metrics.headline().and_then(|first| {
        let per_thousand = statistics(|of| Some(of.headline()?.metric.value))?;
        let status = first.metric.status;
        Some(GroupEnergy { kind: first.kind, by_host: first.by_host, status, per_thousand })
    });
    let tokens_per_second = statistics(|of| Some(of.tokens_per_second.as_ref()?.value));
    let first_token = statistics(|of| Some(of.first_token.as_ref()?.value));
    Group { runs, energy, tokens_per_second, first_token }
}

#[cfg(test)]
mod tests {
    use contract::summary::Status;

    use crate::{
        report::Report,
        testing::{measured, on_cpu},
    };

    #[test]
    fn only_runs_of_the_same_configuration_are_repeats() {
        let mut other = measured("3", 0.5);
        other.summary.run.prompts = 7;
        let mut image = measured("4", 0.5);
        image.summary.repeat.as_mut().unwrap().image_id = Some("sha256:other".into());
        let mut estimated = measured("5", 0.5);
        estimated.summary.measurement.devices[0].status = Status::Estimated;
        let runs =
            vec![measured("1", 0.4), measured("2", 0.6), other, image, estimated, on_cpu("6")];
        let found = Report::of(runs, vec![]).groups;
        let members: Vec<_> = found.iter().map(|group| group.runs.clone()).collect();
        assert_eq!(members, [vec![0, 1], vec![2], vec![3], vec![4], vec![5]]);
        let spread = found[0].energy.unwrap().per_thousand;
        // 20 prompts each.
        assert_eq!((spread.n, spread.mean), (2, 25.0));
        assert!((spread.deviation.unwrap() - 50_f64.sqrt()).abs() < 1e-9);
        assert_eq!(found[1].energy.unwrap().per_thousand.deviation, None);
    }
}
