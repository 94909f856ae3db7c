//! From the backend's report to the run's summary.

use std::{fs, io, path::Path};

use anyhow::{Context, bail, ensure};
use contract::{
    Backend, output,
    summary::{Run, Status, Summary},
};

use crate::{publish::publish, report::Report};

/// Writes the summary of the report that `backend` left in `results`. Earlier reports were moved
/// away before the run, so one that is there is this run's.
pub(crate) fn write(results: &Path, backend: Backend) -> anyhow::Result<()> {
    let path = results.join(output::REPORT);
    let report = match fs::read_to_string(&path) {
        Ok(report) => report,
        Err(error) if error.kind() == io::ErrorKind::NotFound => bail!(
            "the `{backend}` backend ended without an error, but wrote no `{}`; see its output",
            path.display()
        ),
        Err(error) => return Err(error).with_context(|| format!("reading `{}`", path.display())),
    };
    let summary =
        of_report(&report).with_context(|| format!("making a summary of `{}`", path.display()))?;
    publish(results, output::SUMMARY, &serde_json::to_string_pretty(&summary)?)?;
    publish(results, output::ENERGY_WH, &energy_text(&summary))
}

/// The summary of a report.
fn of_report(text: &str) -> anyhow::Result<Summary> {
    let report: Report = serde_json::from_str(text)?;
    let totals = report.summary;
    ensure!(totals.prompts > 0, "no prompt was answered, so there is nothing to sum up");
    Ok(Summary {
        units: "Wh".to_owned(),
        // This backend uses no GPU, and the score counts nothing else.
        total: None,
        format: report.format.name().to_owned(),
        preprocess_wh: None,
        prefill_wh: None,
        decode_wh: None,
        measurement: report.energy,
        run: Run {
            backend: report.format,
            model: report.config.model,
            prompts: totals.prompts,
            completion_tokens: Some(totals.completion_tokens),
            seconds: totals.seconds,
            tokens_per_second: Some(totals.tokens_per_second),
            time_to_first_token_seconds: Some(totals.time_to_first_token_seconds),
        },
        cache: None,
    })
}

/// The one line of the energy file.
fn energy_text(summary: &Summary) -> String {
    match (summary.total, summary.measurement.status) {
        // Without an exponent, and with all digits of a small number.
        (Some(total), _) => total.to_string(),
        (None, Status::NotMeasured) => format!("not measured: {}", summary.measurement.source),
        (None, Status::Measured | Status::Estimated) => {
            format!("not measured: no GPU was used; other devices are in {}", output::SUMMARY)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use contract::{
        Backend, output,
        summary::{Device, DeviceKind, Measurement, Status},
    };

    use super::{energy_text, of_report, write};
    use crate::report::{Answer, Config, Report, Totals};

    fn report(answers: usize) -> String {
        let answer = Answer {
            prompt: "p".into(),
            completion: "c".into(),
            prompt_tokens: 3,
            completion_tokens: 10,
            time_to_first_token_seconds: 0.25,
            seconds: 0.5,
        };
        let answers = vec![answer; answers];
        let report = Report {
            format: Backend::Native,
            version: "0".into(),
            config: Config {
                model: "org/m".into(),
                file: "m.gguf".into(),
                revision: None,
                file_sha256: None,
                architecture: "llama".into(),
                weights_stored: "1 x Q4_1".into(),
                weights_computed: "1 x Q8_0".into(),
                device: "cpu".into(),
                threads: 2,
                vector_kernels: true,
                num_samples_asked: 2,
                num_samples: 2,
                min_new_tokens: 10,
                max_new_tokens: 10,
                sampling: "greedy".into(),
                prompt_format: "raw".into(),
            },
            summary: Totals::of(&answers),
            energy: Measurement {
                status: Status::NotMeasured,
                source: "no counter".into(),
                devices: vec![],
            },
            prompts: answers,
        };
        serde_json::to_string(&report).unwrap()
    }

    #[test]
    fn a_report_becomes_a_summary_without_inventing_energy() {
        let summary = of_report(&report(2)).unwrap();
        assert_eq!(summary.total, None);
        assert_eq!(summary.format, "native");
        assert_eq!(summary.run.model, "org/m");
        assert_eq!(summary.run.prompts, 2);
        assert_eq!(summary.run.completion_tokens, Some(20));
        assert_eq!(summary.run.tokens_per_second, Some(20.0));
        assert_eq!(summary.run.time_to_first_token_seconds, Some(0.25));
        assert_eq!(energy_text(&summary), "not measured: no counter");
    }

    #[test]
    fn energies_keep_their_digits_and_a_processors_is_not_a_gpus() {
        let mut summary = of_report(&report(1)).unwrap();
        summary.measurement.status = Status::Measured;
        summary.measurement.devices =
            vec![Device { name: "package-0".into(), kind: DeviceKind::Cpu, energy_wh: 1.0 }];
        assert_eq!(
            energy_text(&summary),
            "not measured: no GPU was used; other devices are in GPU_ENERGY_SUMMARY.json"
        );
        summary.total = Some(0.000_000_123);
        assert_eq!(energy_text(&summary), "0.000000123");
    }

    #[test]
    fn both_files_are_written_beside_the_report() {
        let results = tempfile::tempdir().unwrap();
        fs::write(results.path().join(output::REPORT), report(1)).unwrap();
        write(results.path(), Backend::Native).unwrap();
        let text = |name| fs::read_to_string(results.path().join(name)).unwrap();
        assert_eq!(text(output::ENERGY_WH), "not measured: no counter\n");
        let summary: serde_json::Value = serde_json::from_str(&text(output::SUMMARY)).unwrap();
        assert_eq!(summary["total"], serde_json::Value::Null);
    }

    #[test]
    fn without_a_report_or_a_prompt_there_is_no_summary() {
        let results = tempfile::tempdir().unwrap();
        let said = || format!("{:#}", write(results.path(), Backend::Native).unwrap_err());
        assert!(said().contains("wrote no `"));
        for (text, reason) in
            [(report(0), "no prompt was answered"), ("{}".into(), "missing field")]
        {
            fs::write(results.path().join(output::REPORT), text).unwrap();
            assert!(said().contains(reason), "{}", said());
        }
        assert!(!results.path().join(output::SUMMARY).exists());
    }
}
