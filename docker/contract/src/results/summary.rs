//! `GPU_ENERGY_SUMMARY.json`: the numbers of a run and how they were obtained.

use serde::{Deserialize, Serialize};

use super::host_meter::{HostMeter, Phase};
use crate::benchmark::backend::Backend;
pub use crate::energy::device::{DeviceKind, Status};

/// The summary of one run. AIEnergyScore's tools read `units`, `total`, `format` and the three
/// phases. These are GPU energy only, and `null` when it was not measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Unit of the energies: always `Wh`.
    pub units: String,
    /// GPU energy of the counted phases, in Wh.
    pub total: Option<f64>,
    /// The report's format: the backend that wrote it.
    pub format: String,
    /// GPU energy of preparing the prompts, in Wh, if the backend measures it separately.
    pub preprocess_wh: Option<f64>,
    /// GPU energy of reading the prompts, in Wh, if the backend measures it separately.
    pub prefill_wh: Option<f64>,
    /// GPU energy of writing the answers, in Wh, if the backend measures it separately.
    pub decode_wh: Option<f64>,
    /// How the energies were obtained.
    pub measurement: Measurement,
    /// What ran.
    pub run: Run,
    /// Notes on the numbers for their reader, in sentences.
    #[serde(default)]
    pub notes: Vec<String>,
    /// Additions to the Hub cache during the run; added on the host.
    #[serde(default)]
    pub cache: Option<CacheDelta>,
    /// Readings of the host's meter without power over time; added on the host.
    #[serde(default)]
    pub host: Option<HostMeter>,
    /// How to repeat the run; added on the host.
    #[serde(default)]
    pub repeat: Option<Repeat>,
}

/// How to repeat a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repeat {
    /// Version of the program.
    pub version: String,
    /// Start of the run, as RFC 3339 in UTC.
    pub begun: String,
    /// The program's command as a list of arguments, with all defaults spelled out.
    pub command: Vec<String>,
    /// The engine's command as a list of arguments, as it was executed.
    pub container: Vec<String>,
    /// The engine and its mode, as in `docker, rootful`.
    pub engine: String,
    /// The image's name, if there was one.
    pub image: Option<String>,
    /// The image's id on this machine, `sha256:` and 64 digits.
    pub image_id: Option<String>,
    /// The image's digest in the registry that it came from, if any.
    pub image_digest: Option<String>,
}

/// How the energies of a summary were obtained.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Measurement {
    /// Measured, estimated, or neither.
    pub status: Status,
    /// Counter or model of the energies, or the reason why there are none.
    pub source: String,
    /// Energy of each device.
    pub devices: Vec<Device>,
    /// Time that the energy tracker covered, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tracked: Option<Tracked>,
}

/// Time that an energy tracker covered in the counted phases. It includes the tracker's own
/// waiting.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Tracked {
    /// Seconds of the benchmark's work.
    pub worked_seconds: f64,
    /// Seconds of the tracker's own waiting beside it.
    pub waited_seconds: f64,
}

/// Longest waiting of a tracker, as a share of the work, at which its energy counts as the model's.
const MOST_WAITING: f64 = 0.1;

impl Measurement {
    /// Whether a device of this kind has an energy.
    #[must_use]
    pub fn has(&self, kind: DeviceKind) -> bool {
        self.devices.iter().any(|device| device.kind == kind)
    }

    /// Why the energies are not the model's, if the tracker waited too long.
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
    /// Name by its counter, such as `package-0` or `NVIDIA H100 80GB HBM3`.
    pub name: String,
    /// Kind of the device.
    pub kind: DeviceKind,
    /// Energy over the counted phases, in Wh.
    pub energy_wh: f64,
    /// Whether the energy was measured or estimated.
    pub status: Status,
    /// Counter or model of the energy.
    pub source: String,
}

/// What ran, and how fast.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// The backend.
    pub backend: Backend,
    /// The model, as given on the command line.
    pub model: String,
    /// Requested number of prompts, if known. A dataset may have fewer.
    pub prompts_asked: Option<u64>,
    /// Prompts that were answered.
    pub prompts: u64,
    /// Prompts whose answer failed.
    pub prompts_failed: u64,
    /// Tokens of the prompts, if the backend counts them.
    pub prompt_tokens: Option<u64>,
    /// Prompts that were truncated to the model's context, if the backend reports it.
    #[serde(default)]
    pub prompts_cut: Option<u64>,
    /// Tokens that were cut off these prompts.
    #[serde(default)]
    pub prompt_tokens_cut: Option<u64>,
    /// Tokens generated, if the backend counts them.
    pub completion_tokens: Option<u64>,
    /// Seconds spent on the prompts without loading, if known.
    pub seconds: Option<f64>,
    /// Generated tokens per second over those seconds.
    pub tokens_per_second: Option<f64>,
    /// Mean over the prompts of the time to the first token, if it was measured, in seconds.
    pub time_to_first_token_seconds: Option<f64>,
    /// The counted phases, in seconds of `CLOCK_MONOTONIC`, if the backend reports them.
    #[serde(default)]
    pub phases: Vec<Phase>,
}

/// Additions to the Hub cache during a run, by the run or by another program.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct CacheDelta {
    /// New or changed blobs.
    pub blobs_added: u64,
    /// Their bytes.
    pub bytes_added: u64,
    /// Repos of the blobs, as `model/ORG/NAME`.
    #[serde(default)]
    pub repos: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::{Measurement, Run, Status, Summary, Tracked};
    use crate::benchmark::backend::Backend;

    #[test]
    fn waiting_of_over_a_tenth_of_the_work_is_too_short() {
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
    fn unknown_values_are_null_and_older_summaries_parse() {
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
