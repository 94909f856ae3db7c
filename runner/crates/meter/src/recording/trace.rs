//! Energy over time.

use contract::host_meter::{Phase, merged};

/// Seconds around the first and last point in which a trace is still valid.
const SLACK: f64 = 0.5;

/// Limit of points, for three and a half hours at ten a second. Above it, every other point is dropped:
/// totals stay, and the time between two points doubles.
const MAX_POINTS: usize = 1 << 17;

/// Points of time and energy since the start, both ascending.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Trace {
    /// Seconds and joules.
    points: Vec<(f64, f64)>,
}

impl Trace {
    /// Adds a point. A point that goes back in time or energy is ignored.
    pub(crate) fn push(&mut self, time: f64, joules: f64) {
        let is_later =
            self.points.last().is_none_or(|(last, used)| time > *last && joules >= *used);
        if !is_later || !time.is_finite() || !joules.is_finite() {
            return;
        }
        if self.points.len() >= MAX_POINTS {
            let mut index = 0;
            self.points.retain(|_| {
                index += 1;
                index % 2 == 1
            });
        }
        self.points.push((time, joules));
    }

    /// Energy at the last point.
    pub(crate) fn total(&self) -> f64 {
        self.points.last().map_or(0.0, |(_, joules)| *joules)
    }

    /// Joules between two times; `None` outside of the trace.
    pub(crate) fn between(&self, from: f64, to: f64) -> Option<f64> {
        let ((first, _), (last, _)) = (self.points.first()?, self.points.last()?);
        let reaches = from >= first - SLACK && to <= last + SLACK && from <= to;
        reaches.then(|| self.at(to) - self.at(from))
    }

    /// Joules over phases. Overlaps count once.
    pub(crate) fn over(&self, phases: &[Phase]) -> Option<f64> {
        merged(phases).into_iter().map(|(from, to)| self.between(from, to)).sum()
    }

    /// Mean power in equal intervals of at least `shortest` seconds, at most `most` of them. Each pair is
    /// the end of an interval, in seconds after `from`, and its watts.
    pub(crate) fn power(&self, from: f64, to: f64, shortest: f64, most: usize) -> Vec<(f64, f64)> {
        let (Some((first, _)), Some((last, _))) = (self.points.first(), self.points.last()) else {
            return vec![];
        };
        let (from, to, begin) = (from.max(*first), to.min(*last), from);
        let count = ((to - from) / shortest).floor().clamp(1.0, most as f64);
        if to <= from {
            return vec![];
        }
        let moment = |index: usize| from + (to - from) * index as f64 / count;
        let pair = |index| {
            let (before, now) = (moment(index - 1), moment(index));
            let watts = (self.at(now) - self.at(before)) / (now - before);
            (now - begin, watts)
        };
        (1..=count as usize).map(pair).collect()
    }

    /// Joules at a time, interpolated between the points around it.
    fn at(&self, time: f64) -> f64 {
        let after = self.points.partition_point(|(moment, _)| *moment < time);
        match (after.checked_sub(1).map(|before| self.points[before]), self.points.get(after)) {
            (Some((t0, j0)), Some((t1, j1))) => j0 + (j1 - j0) * (time - t0) / (t1 - t0),
            (Some((_, joules)), None) | (None, Some(&(_, joules))) => joules,
            (None, None) => 0.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use contract::host_meter::{Phase, merged};
    use proptest::prelude::*;

    use super::{MAX_POINTS, Trace};

    fn trace(points: &[(f64, f64)]) -> Trace {
        let mut trace = Trace::default();
        points.iter().for_each(|(time, joules)| trace.push(*time, *joules));
        trace
    }

    fn phase(from: f64, to: f64) -> Phase {
        Phase { name: "prompts".to_owned(), from, to }
    }

    #[test]
    fn energy_is_interpolated_between_points() {
        let trace = trace(&[(10.0, 0.0), (11.0, 100.0), (13.0, 140.0)]);
        assert_eq!(trace.between(10.0, 13.0), Some(140.0));
        assert_eq!(trace.between(10.5, 12.0), Some(70.0));
        assert_eq!(trace.between(12.0, 12.0), Some(0.0));
        // Just outside of its ends the trace is valid, and adds no energy.
        assert_eq!(trace.between(9.6, 13.4), Some(140.0));
        for (from, to) in [(9.4, 12.0), (12.0, 13.6), (12.0, 11.0), (f64::NAN, 12.0)] {
            assert_eq!(trace.between(from, to), None, "{from} to {to}");
        }
        assert_eq!(Trace::default().between(1.0, 2.0), None);
    }

    #[test]
    fn phases_add_up_and_none_counts_twice() {
        let trace = trace(&[(0.0, 0.0), (10.0, 100.0)]);
        assert_eq!(trace.over(&[phase(6.0, 8.0), phase(1.0, 2.0)]), Some(30.0));
        assert_eq!(trace.over(&[phase(1.0, 4.0), phase(2.0, 3.0), phase(3.5, 5.0)]), Some(40.0));
        assert_eq!(trace.over(&[phase(1.0, 2.0), phase(9.0, 11.0)]), None);
        assert_eq!(
            merged(&[phase(3.0, 4.0), phase(1.0, 2.0), phase(2.0, 2.5)]),
            [(1.0, 2.5), (3.0, 4.0)]
        );
    }

    #[test]
    fn what_is_no_progress_is_passed_over() {
        let trace = trace(&[(1.0, 5.0), (2.0, 4.0), (0.5, 9.0), (2.0, 7.0), (3.0, f64::NAN)]);
        assert_eq!(trace.between(1.0, 2.0), Some(2.0));
        assert_eq!(trace.total(), 7.0);
    }

    #[test]
    fn power_is_the_mean_of_stretches_of_one_length() {
        let trace = trace(&[(10.0, 0.0), (11.0, 100.0), (13.0, 140.0), (14.0, 140.0)]);
        assert_eq!(
            trace.power(10.0, 14.0, 1.0, 600),
            [(1.0, 100.0), (2.0, 20.0), (3.0, 20.0), (4.0, 0.0)]
        );
        assert_eq!(trace.power(10.0, 14.0, 1.0, 2), [(2.0, 60.0), (4.0, 10.0)]);
        assert_eq!(trace.power(10.0, 14.0, 9.0, 600), [(4.0, 35.0)]);
        // There is no power before the first point.
        assert_eq!(trace.power(8.0, 11.0, 1.0, 600), [(3.0, 100.0)]);
        assert_eq!(trace.power(20.0, 30.0, 1.0, 600), []);
    }

    #[test]
    fn a_long_trace_is_thinned_and_its_sums_stay() {
        let mut trace = Trace::default();
        for index in 0..3 * MAX_POINTS {
            trace.push(index as f64, 2.0 * index as f64);
        }
        assert!(trace.points.len() <= MAX_POINTS, "{}", trace.points.len());
        let last = (3 * MAX_POINTS - 1) as f64;
        assert_eq!(trace.between(0.0, last), Some(2.0 * last));
        assert_eq!(trace.between(1000.5, 2000.5), Some(2000.0));
    }

    prop_compose! {
        fn any_trace()(steps in prop::collection::vec((0.01..5.0_f64, 0.0..1000.0_f64), 2..60)) -> Trace {
            let (mut time, mut joules, mut trace) = (0.0, 0.0, Trace::default());
            for (seconds, used) in steps {
                trace.push(time, joules);
                time += seconds;
                joules += used;
            }
            trace
        }
    }

    proptest! {
        #[test]
        fn energies_of_adjacent_phases_sum_up_to_the_total(trace in any_trace(), cuts in prop::collection::vec(0.0..1.0_f64, 0..6)) {
            let end = trace.points.last().unwrap().0;
            let mut moments: Vec<_> = cuts.into_iter().map(|cut| cut * end).chain([0.0, end]).collect();
            moments.sort_by(f64::total_cmp);
            let phases: Vec<_> = moments.windows(2).map(|pair| phase(pair[0], pair[1])).collect();
            let sum: f64 = phases.iter().map(|one| trace.over(std::slice::from_ref(one)).unwrap()).sum();
            prop_assert!((sum - trace.total()).abs() <= 1e-6 * (1.0 + trace.total()));
            prop_assert!((trace.over(&phases).unwrap() - trace.total()).abs() <= 1e-6 * (1.0 + trace.total()));
        }

        #[test]
        fn power_times_time_is_the_energy_at_any_resolution(trace in any_trace(), shortest in 0.05..3.0_f64, most in 1..50_usize) {
            let end = trace.points.last().unwrap().0;
            let pairs = trace.power(0.0, end, shortest, most);
            prop_assert!(pairs.len() <= most);
            let (mut before, mut sum) = (0.0, 0.0);
            for (time, watts) in pairs {
                prop_assert!(watts >= -1e-9 && time > before);
                sum += watts * (time - before);
                before = time;
            }
            prop_assert!((sum - trace.total()).abs() <= 1e-6 * (1.0 + trace.total()));
        }
    }
}
