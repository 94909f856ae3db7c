//! `GPU_ENERGY_SUMMARY.json`: the numbers of a run, and how they were come by.

use serde::{Deserialize, Serialize};

use super::host_meter::{HostMeter, Phase};
use crate::backend::Backend;
pub use crate::energy::device::{DeviceKind, Status};

/// The summary of one run. `units`, `total`, `format` and the three phases are the keys that
/// AIEnergyScore's tools know; they speak of GPU energy alone, and are `null` when it was not
/// measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Unit of the energies: always `Wh`.
    pub units: String,
    /// GPU energy of the counted phases, in Wh.
    pub total: Option<f64>,
    /// The report's format: the backend that wrote it.
    pub format: String,
    /// GPU energy of preparing the prompts, in Wh, where the backend tells it apart.
    pub preprocess_wh: Option<f64>,
    /// GPU energy of reading the prompts, in Wh, where the backend tells it apart.
    pub prefill_wh: Option<f64>,
    /// GPU energy of writing the answers, in Wh, where the backend tells it apart.
    pub decode_wh: Option<f64>,
    /// How the energies were come by.
    pub measurement: Measurement,
    /// What ran.
    pub run: Run,
    /// What a reader of the numbers must know, in sentences.
    #[serde(default)]
    pub notes: Vec<String>,
    /// What was added to the Hub cache during the run; found on the host, where the cache is.
    #[serde(default)]
    pub cache: Option<CacheDelta>,
    /// What the host metered beside the run, without its power over time; added on the host.
    #[serde(default)]
    pub host: Option<HostMeter>,
    /// How to run it again; added on the host.
    #[serde(default)]
    pub repeat: Option<Repeat>,
}

/// How to run the same again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repeat {
    /// Version of the program that ran it.
    pub version: String,
    /// When it began, as RFC 3339 in UTC.
    pub begun: String,
    /// The command of the program, word by word, the defaults of that day spelled out.
    pub command: Vec<String>,
    /// The engine's command, word by word, as it was executed.
    pub container: Vec<String>,
    /// The engine and its mode, as in `docker, rootful`.
    pub engine: String,
    /// The image's name, if there was one.
    pub image: Option<String>,
    /// The image's id on this machine, `sha256:` and 64 digits.
    pub image_id: Option<String>,
    /// Its digest in the registry that it came from, if it came from one.
    pub image_digest: Option<String>,
}

/// How the energies of a summary were come by.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Measurement {
    /// Measured, estimated, or neither.
    pub status: Status,
    /// The counter or model behind the numbers; when nothing was measured, why not.
    pub source: String,
    /// What was measured, one by one.
    pub devices: Vec<Device>,
    /// How long the tracker measured, if it was seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tracked: Option<Tracked>,
}

/// How long a tracker measured over the counted phases. It waits by itself, and counts that.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Tracked {
    /// Seconds of the benchmark's work.
    pub worked_seconds: f64,
    /// Seconds of the tracker's own waiting beside it.
    pub waited_seconds: f64,
}

/// The part of the work that the tracker's waiting may be before its energy is not the model's.
const MOST_WAITING: f64 = 0.1;

impl Measurement {
    /// Whether a device of this kind has an energy.
    #[must_use]
    pub fn has(&self, kind: DeviceKind) -> bool {
        self.devices.iter().any(|device| device.kind == kind)
    }

    /// Why the energies are not those of the model, if the tracker waited too long beside it.
    #[must_use]
    pub fn too_short(&self) -> Option<String> {
        let Tracked { worked_seconds: worked, waited_seconds: waited } = self.tracked?;
        (waited > MOST_WAITING * worked).then(|| {
            format!(
                "too short to measure: {waited:.2} s of the tracker's own waiting count beside \
                 {worked:.2} s of work"
            )
        })
    }
}

/// One measured device.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Device {
    /// Its name, as its counter gives it: `package-0`, `NVIDIA H100 80GB HBM3`.
    pub name: String,
    /// What it is.
    pub kind: DeviceKind,
    /// Its energy over the counted phases, in Wh.
    pub energy_wh: f64,
    /// Whether that was measured or estimated.
    pub status: Status,
    /// The counter or model behind it.
    pub source: String,
}

/// What ran, and how fast.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// The backend.
    pub backend: Backend,
    /// The model, as it was asked for.
    pub model: String,
    /// Prompts that were asked for, if that is known: a dataset may have fewer.
    pub prompts_asked: Option<u64>,
    /// Prompts that were answered.
    pub prompts: u64,
    /// Prompts whose answer failed.
    pub prompts_failed: u64,
    /// Tokens of the prompts, if the backend counts them.
    pub prompt_tokens: Option<u64>,
    /// Prompts that were cut to what the model holds beside its answer, if the backend tells.
    #[serde(default)]
    pub prompts_cut: Option<u64>,
    /// Tokens of these that the model did not read.
    #[serde(default)]
    pub prompt_tokens_cut: Option<u64>,
    /// Tokens generated, if the backend counts them.
    pub completion_tokens: Option<u64>,
    /// Seconds spent on the prompts, if they are known; loading is not counted.
    pub seconds: Option<f64>,
    /// Generated tokens per second over those seconds.
    pub tokens_per_second: Option<f64>,
    /// Mean over the prompts of the time to the first token, if it was measured, in seconds.
    pub time_to_first_token_seconds: Option<f64>,
    /// When the counted phases ran, in seconds of `CLOCK_MONOTONIC`, as far as the backend tells.
    #[serde(default)]
    pub phases: Vec<Phase>,
}

/// What was added to the Hub cache during a run, by it or by another program.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct CacheDelta {
    /// Blobs that were not there before, or changed.
    pub blobs_added: u64,
    /// Their bytes.
    pub bytes_added: u64,
    /// The repos that they are in, as `model/ORG/NAME`.
    #[serde(default)]
    pub repos: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::{Measurement, Run, Status, Summary, Tracked};
    use crate::backend::Backend;

    #[test]
    fn a_tenth_of_the_work_is_the_most_that_a_tracker_may_wait() {
        let after = |worked_seconds, waited_seconds| {
            let tracked = Some(Tracked { worked_seconds, waited_seconds });
            let source = String::new();
            Measurement { status: Status::Estimated, source, devices: vec![], tracked }.too_short()
        };
        assert_eq!(after(10.0, 1.0), None);
        assert_eq!(
            after(0.04, 1.0).unwrap(),
            "too short to measure: 1.00 s of the tracker's own waiting count beside 0.04 s of work"
        );
    }

    #[test]
    fn keys_are_the_familiar_ones_and_absence_is_null() {
        let summary = Summary {
            units: "Wh".into(),
            total: None,
            format: "native".into(),
            preprocess_wh: None,
            prefill_wh: None,
            decode_wh: None,
            measurement: Measurement {
                status: Status::NotMeasured,
                source: "no counter".into(),
                devices: vec![],
                tracked: None,
            },
            run: Run {
                backend: Backend::Native,
                model: "m".into(),
                prompts_asked: Some(1),
                prompts: 1,
                prompts_failed: 0,
                prompt_tokens: None,
                prompts_cut: None,
                prompt_tokens_cut: None,
                completion_tokens: Some(10),
                seconds: Some(0.5),
                tokens_per_second: Some(20.0),
                time_to_first_token_seconds: Some(0.1),
                phases: vec![],
            },
            notes: vec![],
            cache: None,
            host: None,
            repeat: None,
        };
        let mut json = serde_json::to_value(&summary).unwrap();
        assert_eq!(json["total"], serde_json::Value::Null);
        assert_eq!(json["measurement"]["status"], "not_measured");
        assert_eq!(json["run"]["backend"], "native");
        let later = ["cache", "host", "repeat"];
        let null = serde_json::Value::Null;
        assert_eq!(later.map(|key| json.get(key)), [Some(&null); 3], "the same keys for everyone");
        assert_eq!(serde_json::from_value::<Summary>(json.clone()).unwrap(), summary);
        json.as_object_mut().unwrap().retain(|key, _| !later.contains(&&**key));
        assert_eq!(serde_json::from_value::<Summary>(json).unwrap(), summary, "as older ones are");
    }
}
