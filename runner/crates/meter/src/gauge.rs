//! A metered device and its energy so far.

pub(crate) mod nvml;
pub(crate) mod rapl;

use std::{collections::BTreeSet, fmt};

use crate::recording::{DeviceInfo, DeviceRecord, trace::Trace};

/// One reading of a sensor.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Reading {
    /// Energy since the first reading, in joules.
    Joules(f64),
    /// Current power, in watts.
    Watts(f64),
}

/// Reads the energy or power of a device.
pub(super) trait Sensor {
    /// Takes a reading.
    ///
    /// # Errors
    /// Why the device cannot be read.
    fn read(&mut self) -> Result<Reading, String>;

    /// Host ids of the processes that use the device.
    ///
    /// # Errors
    /// Why they are unknown.
    fn processes(&mut self) -> Result<Vec<u32>, String> {
        Ok(vec![])
    }

    /// A warning about the readings so far.
    fn warning(&self) -> Option<String> {
        None
    }
}

/// A metered device.
pub(super) struct Gauge<'a> {
    pub(super) sensor: Box<dyn Sensor + 'a>,
    pub(super) record: DeviceRecord,
    /// Processes whose owner is known, the benchmark's too.
    pub(super) known: BTreeSet<u32>,
    /// Time and power of the last reading, for sensors of power.
    last: Option<(f64, f64)>,
    failed_readings: u64,
    first_error: Option<String>,
}

impl fmt::Debug for Gauge<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gauge").field("info", &self.record.info).finish_non_exhaustive()
    }
}

impl<'a> Gauge<'a> {
    /// A device without readings.
    pub(super) fn new(info: DeviceInfo, sensor: impl Sensor + 'a) -> Self {
        Self {
            sensor: Box::new(sensor),
            record: DeviceRecord { info, trace: Trace::default(), others: vec![], used: false },
            known: BTreeSet::new(),
            last: None,
            failed_readings: 0,
            first_error: None,
        }
    }

    /// Takes a reading at the time `now`.
    pub(super) fn sample(&mut self, now: f64) {
        match self.sensor.read() {
            Ok(Reading::Joules(joules)) => self.record.trace.push(now, joules),
            Ok(Reading::Watts(watts)) => {
                // Power is assumed to change linearly between two readings.
                let (time, before) = self.last.unwrap_or((now, watts));
                let joules = (now - time) * (watts + before) / 2.0;
                self.record.trace.push(now, self.record.trace.total() + joules);
                self.last = Some((now, watts));
            }
            Err(why) => {
                self.failed_readings += 1;
                self.first_error.get_or_insert(why);
            }
        }
    }

    /// Notes on failed readings and odd values.
    pub(super) fn notes(&self) -> Vec<String> {
        let Self { record, sensor, failed_readings, first_error, .. } = self;
        let name = &record.info.name;
        let error = first_error.as_ref().map(|error| {
            format!("{name} could not be read {failed_readings} time(s), first: {error}")
        });
        let warning = sensor.warning().map(|text| format!("{name}: {text}"));
        error.into_iter().chain(warning).collect()
    }
}

#[cfg(test)]
mod tests {
    use contract::summary::DeviceKind;

    use super::{Gauge, Reading, Sensor};
    use crate::recording::DeviceInfo;

    struct Readings(Vec<Result<Reading, String>>);

    impl Sensor for Readings {
        fn read(&mut self) -> Result<Reading, String> {
            self.0.remove(0)
        }
    }

    fn gauge(readings: Vec<Result<Reading, String>>) -> Gauge<'static> {
        let info = DeviceInfo {
            name: "g".into(),
            id: None,
            kind: DeviceKind::Gpu,
            source: "counter".into(),
        };
        let count = readings.len();
        let mut gauge = Gauge::new(info, Readings(readings));
        (0..count).for_each(|second| gauge.sample(second as f64));
        gauge
    }

    #[test]
    fn power_is_integrated_across_a_failed_reading() {
        let watts = |watts| Ok(Reading::Watts(watts));
        let gauge = gauge(vec![watts(100.0), watts(300.0), Err("lost".into()), watts(100.0)]);
        assert_eq!(gauge.record.trace.between(0.0, 1.0), Some(200.0));
        assert_eq!(gauge.record.trace.between(1.0, 3.0), Some(400.0));
        assert_eq!(gauge.notes(), ["g could not be read 1 time(s), first: lost"]);
    }

    #[test]
    fn energy_counter_is_taken_as_it_is() {
        let joules = |joules| Ok(Reading::Joules(joules));
        let gauge = gauge(vec![joules(0.0), joules(50.0), joules(50.0)]);
        assert_eq!(gauge.record.trace.total(), 50.0);
        assert!(gauge.notes().is_empty());
    }
}
