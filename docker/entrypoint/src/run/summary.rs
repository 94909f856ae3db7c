//! The summary of a run, made from the backend's report.

use std::{io, path::PathBuf};

use anyhow::{Context as _, bail, ensure};
use backend_reports::{Folder, energy_text};
use contract::{Backend, output};

/// Writes the summary of the report that `backend` wrote to `results`. Earlier reports were
/// archived before the run, so an existing report is this run's.
pub(super) fn write(results: &Folder, backend: Backend) -> anyhow::Result<()> {
    let shown = results.shown(output::REPORT);
    match results.dir().look(output::REPORT) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => bail!(
            "the `{backend}` backend ended without an error, but wrote no `{shown}`; see its output"
        ),
        looked => looked.with_context(|| format!("reading `{shown}`"))?,
    };
    let summary = backend_reports::read(results)?;
    ensure!(
        summary.run.backend == backend,
        "`{shown}` is by the `{}` backend, but `{backend}` ran",
        summary.run.backend
    );
    results.write(output::SUMMARY, &serde_json::to_string_pretty(&summary)?)?;
    results.write(output::ENERGY_WH, &energy_text(&summary))
}

/// The summary of the report in `folder`, as JSON.
pub(crate) fn summary_of(folder: PathBuf) -> anyhow::Result<String> {
    Ok(serde_json::to_string_pretty(&backend_reports::read(&Folder::open(folder)?)?)?)
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use backend_reports::Folder;
    use contract::{Backend, output};

    fn write(results: &Path, backend: Backend) -> anyhow::Result<()> {
        super::write(&Folder::open(results).unwrap(), backend)
    }

    /// A report of the `native` backend with `prompts` answers.
    fn native(prompts: u64) -> String {
        serde_json::json!({
            "format": "native",
            "config": { "model": "org/m", "num_samples_asked": prompts },
            "summary": {
                "prompts": prompts, "prompt_tokens": 3, "completion_tokens": 10, "seconds": 0.5,
                "time_to_first_token_seconds": 0.25,
            },
            "energy": { "status": "not_measured", "source": "no counter", "devices": [] },
        })
        .to_string()
    }

    fn results(report: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(output::REPORT), report).unwrap();
        folder
    }

    fn refused(results: &Path) -> String {
        format!("{:#}", write(results, Backend::Native).unwrap_err())
    }

    #[test]
    fn summary_and_energy_are_written_beside_the_report() {
        let results = results(&native(1));
        write(results.path(), Backend::Native).unwrap();
        let text = |name| fs::read_to_string(results.path().join(name)).unwrap();
        assert_eq!(text(output::ENERGY_WH), "not measured: no counter\n");
        let summary: serde_json::Value = serde_json::from_str(&text(output::SUMMARY)).unwrap();
        assert_eq!(summary["total"], serde_json::Value::Null);
    }

    #[test]
    fn report_of_another_backend_is_refused() {
        let results = results(&native(1));
        let error = format!("{:#}", write(results.path(), Backend::Pytorch).unwrap_err());
        assert!(error.contains("is by the `native` backend, but `pytorch` ran"), "{error}");
        assert!(!results.path().join(output::SUMMARY).exists());
    }

    #[test]
    fn without_a_report_or_a_prompt_there_is_no_summary() {
        let empty = tempfile::tempdir().unwrap();
        assert!(refused(empty.path()).contains("wrote no `"));
        for (text, reason) in [
            (native(0), "no prompt was answered"),
            ("{\"format\": \"native\"}".into(), "`config` is missing"),
        ] {
            let results = results(&text);
            let said = refused(results.path());
            assert!(said.contains(reason), "{said}");
            assert!(!results.path().join(output::SUMMARY).exists());
        }
    }
}
