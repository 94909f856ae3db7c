//! Runs of the same: one model on one backend with the same settings, and how far they differ.

use contract::summary::{DeviceKind, Status};
use serde::Serialize;

use super::{
    finished_run::{FinishedRun, Runs},
    metrics::{Drawn, Metric, Metrics},
    statistics::Statistics,
};

/// Runs of the same, in the order of their folders.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Group {
    /// The runs, by their places among all.
    pub runs: Vec<usize>,
    /// What drew the energy below, and how it is known; of all runs alike.
    #[serde(rename = "wh_per_1000_prompts")]
    pub energy: Option<Energy>,
    /// Generated tokens per second.
    pub tokens_per_second: Option<Statistics>,
    /// Seconds to the first token.
    #[serde(rename = "time_to_first_token_seconds")]
    pub first_token: Option<Statistics>,
}

/// Energy of the runs of a group.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Energy {
    /// The devices.
    pub kind: DeviceKind,
    /// Whether it was the host that metered.
    pub(crate) by_host: bool,
    /// Whether it was measured.
    pub status: Status,
    /// In Wh per 1,000 prompts.
    #[serde(rename = "statistics")]
    pub(crate) per_thousand: Statistics,
}

/// What runs must have in common to be repeats of one another.
#[derive(Debug, Clone, PartialEq)]
struct Sameness<'a> {
    model: &'a str,
    backend: &'a str,
    prompts: u64,
    dtype: Option<&'a str>,
    dataset: Option<&'a str>,
    arguments: Option<&'a [String]>,
    image: Option<&'a str>,
    /// A measured energy is not another run's estimate.
    energy: Option<(DeviceKind, bool, Status)>,
}

impl<'a> Sameness<'a> {
    fn of(run: &'a FinishedRun, metrics: &Metrics) -> Self {
        let details = &run.details;
        let repeat = run.summary.repeat.as_ref();
        Self {
            model: &run.summary.run.model,
            backend: run.summary.run.backend.name(),
            prompts: run.summary.run.prompts,
            dtype: details.dtype.as_ref().map(|told| told.value.as_str()),
            dataset: details.dataset.as_ref().map(|told| told.value.as_str()),
            arguments: run.arguments(),
            image: repeat.and_then(|repeat| repeat.image_id.as_deref()),
            energy: metrics.headline().map(kind_of),
        }
    }
}

fn kind_of(drawn: &Drawn) -> (DeviceKind, bool, Status) {
    (drawn.kind, drawn.by_host, drawn.metric.status)
}

/// The groups of all runs, in the order of their first ones. `metrics` are those of the runs.
pub(crate) fn groups(all: &Runs, metrics: &[Metrics]) -> Vec<Group> {
    let mut known: Vec<(Sameness<'_>, Vec<usize>)> = vec![];
    for (index, (run, metrics)) in all.runs.iter().zip(metrics).enumerate() {
        let same = Sameness::of(run, metrics);
        match known.iter_mut().find(|(other, _)| *other == same) {
            Some((_, runs)) => runs.push(index),
            None => known.push((same, vec![index])),
        }
    }
    known.into_iter().map(|(same, runs)| group(same.energy, runs, metrics)).collect()
}

fn group(
    energy: Option<(DeviceKind, bool, Status)>,
    runs: Vec<usize>,
    metrics: &[Metrics],
) -> Group {
    let statistics = |of: &dyn Fn(&Metrics) -> Option<f64>| {
        let values: Vec<_> = runs.iter().filter_map(|run| of(&metrics[*run])).collect();
        // What only some have says nothing of all.
        Statistics::of(&values).filter(|found| found.n == runs.len())
    };
    let value = |metric: Option<&Metric>| metric.map(|metric| metric.value);
    let energy = energy.and_then(|(kind, by_host, status)| {
        let per_thousand = statistics(&|of| value(of.headline().map(|drawn| &drawn.metric)))?;
        Some(Energy { kind, by_host, status, per_thousand })
    });
    let tokens_per_second = statistics(&|of| value(of.tokens_per_second.as_ref()));
    let first_token = statistics(&|of| value(of.first_token.as_ref()));
    Group { runs, energy, tokens_per_second, first_token }
}

#[cfg(test)]
mod tests {
    use contract::summary::Status;

    use super::groups;
    use crate::{
        finished_run::Runs,
        metrics::Metrics,
        testing::{measured, on_cpu},
    };

    #[test]
    fn only_runs_of_the_same_are_repeats() {
        let mut other = measured("3", 0.5);
        other.summary.run.prompts = 7;
        let mut image = measured("4", 0.5);
        image.summary.repeat.as_mut().unwrap().image_id = Some("sha256:other".into());
        let mut estimated = measured("5", 0.5);
        estimated.summary.measurement.devices[0].status = Status::Estimated;
        let runs =
            vec![measured("1", 0.4), measured("2", 0.6), other, image, estimated, on_cpu("6")];
        let metrics: Vec<_> = runs.iter().map(Metrics::of).collect();
        let found = groups(&Runs { runs, broken: vec![] }, &metrics);
        let members: Vec<_> = found.iter().map(|group| group.runs.clone()).collect();
        assert_eq!(members, [vec![0, 1], vec![2], vec![3], vec![4], vec![5]]);
        let spread = found[0].energy.unwrap().per_thousand;
        // 20 prompts each.
        assert_eq!((spread.n, spread.mean), (2, 25.0));
        assert!((spread.deviation.unwrap() - 50_f64.sqrt()).abs() < 1e-9);
        assert_eq!(found[1].energy.unwrap().per_thousand.deviation, None);
    }
}
