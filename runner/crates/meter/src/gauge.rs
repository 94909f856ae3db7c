//! One device that is being read, and what it has used so far.

pub(crate) mod nvml;
pub(crate) mod rapl;

use std::{collections::BTreeSet, fmt};

use contract::{host_meter::OtherProcess, summary::DeviceKind};

use crate::recording::trace::Trace;

/// What a device says of itself at a moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Reading {
    /// Energy since it is read, in joules.
    Joules(f64),
    /// Power at this moment.
    Watts(f64),
}

/// Something that can be read again and again.
pub(super) trait Source {
    /// What it says now.
    ///
    /// # Errors
    /// In words, when it says nothing.
    fn read(&mut self) -> Result<Reading, String>;

    /// The processes that use it, by their ids on the host.
    ///
    /// # Errors
    /// In words, when that cannot be told.
    fn processes(&mut self) -> Result<Vec<u32>, String> {
        Ok(vec![])
    }

    /// What is odd about what it said so far.
    fn remark(&self) -> Option<String> {
        None
    }
}

/// What a device is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct About {
    /// Its name.
    pub(super) name: String,
    /// What tells it from others of its name.
    pub(super) id: Option<String>,
    /// Its kind.
    pub(super) kind: DeviceKind,
    /// The counter that it is read by, in words.
    pub(super) source: String,
}

/// A device under way.
pub(super) struct Gauge<'a> {
    pub(super) about: About,
    pub(super) source: Box<dyn Source + 'a>,
    pub(super) trace: Trace,
    /// Processes on it that are not the benchmark's.
    pub(super) others: Vec<OtherProcess>,
    /// Processes on it that are known to be the benchmark's, or to be others.
    pub(super) known: BTreeSet<u32>,
    /// Whether any process was seen on it.
    pub(super) used: bool,
    last: Option<(f64, f64)>,
    missed: u64,
    complaint: Option<String>,
}

impl fmt::Debug for Gauge<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gauge").field("about", &self.about).finish_non_exhaustive()
    }
}

impl<'a> Gauge<'a> {
    /// Of a device that has used nothing yet.
    pub(super) fn new(about: About, source: impl Source + 'a) -> Self {
        Self {
            about,
            source: Box::new(source),
            trace: Trace::default(),
            others: vec![],
            known: BTreeSet::new(),
            used: false,
            last: None,
            missed: 0,
            complaint: None,
        }
    }

    /// Reads it at the moment `now`.
    pub(super) fn sample(&mut self, now: f64) {
        match self.source.read() {
            Ok(Reading::Joules(joules)) => self.trace.push(now, joules),
            Ok(Reading::Watts(watts)) => {
                // Power changes on the line between two samples.
                let (time, before) = self.last.unwrap_or((now, watts));
                let joules = (now - time) * (watts + before) / 2.0;
                self.trace.push(now, self.trace.total() + joules);
                self.last = Some((now, watts));
            }
            Err(why) => {
                self.missed += 1;
                self.complaint.get_or_insert(why);
            }
        }
    }

    /// What a reader of its numbers must know.
    pub(super) fn notes(&self) -> Vec<String> {
        let Self { about: About { name, .. }, source, missed, complaint, .. } = self;
        let missed = complaint
            .as_ref()
            .map(|why| format!("{name} could not be read {missed} time(s), first: {why}"));
        missed.into_iter().chain(source.remark().map(|text| format!("{name}: {text}"))).collect()
    }
}

#[cfg(test)]
mod tests {
    use contract::summary::DeviceKind;

    use super::{About, Gauge, Reading, Source};

    struct Told(Vec<Result<Reading, String>>);

    impl Source for Told {
        fn read(&mut self) -> Result<Reading, String> {
            self.0.remove(0)
        }
    }

    fn gauge(readings: Vec<Result<Reading, String>>) -> Gauge<'static> {
        let about =
            About { name: "g".into(), id: None, kind: DeviceKind::Gpu, source: "told".into() };
        let count = readings.len();
        let mut gauge = Gauge::new(about, Told(readings));
        (0..count).for_each(|second| gauge.sample(second as f64));
        gauge
    }

    #[test]
    fn power_is_integrated_and_a_gap_is_bridged_and_told() {
        let watts = |watts| Ok(Reading::Watts(watts));
        let gauge = gauge(vec![watts(100.0), watts(300.0), Err("lost".into()), watts(100.0)]);
        assert_eq!(gauge.trace.between(0.0, 1.0), Some(200.0));
        assert_eq!(gauge.trace.between(1.0, 3.0), Some(400.0));
        assert_eq!(gauge.notes(), ["g could not be read 1 time(s), first: lost"]);
    }

    #[test]
    fn a_counter_needs_no_model() {
        let joules = |joules| Ok(Reading::Joules(joules));
        let gauge = gauge(vec![joules(0.0), joules(50.0), joules(50.0)]);
        assert_eq!(gauge.trace.total(), 50.0);
        assert!(gauge.notes().is_empty());
    }
}
