//! The report of `cargo xtask smoke`: the numbers of its runs, and the reasons if the test failed.

use std::{collections::BTreeMap, fmt::Write as _, path::PathBuf};

use contract::summary::{CacheDelta, Summary};
use serde::Serialize;

/// One run of the smoke test.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Run {
    /// Path of the results folder.
    pub(super) results: PathBuf,
    /// Numbers of the run.
    pub(super) summary: Summary,
    /// Number of files in results and cache per owner.
    pub(super) owners: BTreeMap<u32, u64>,
    /// Digest of all answers, if the backend wrote one.
    pub(super) answers: Option<String>,
}

/// The result of a smoke test.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Report {
    /// Name of the engine.
    engine: &'static str,
    /// Why this engine was selected.
    why: String,
    /// Uid of the caller.
    uid: u32,
    /// The runs, in order.
    runs: Vec<Run>,
    /// Reasons why the smoke test failed.
    pub(super) faults: Vec<String>,
}

impl Report {
    /// Checks the runs: no failed prompts, no files of another owner than `uid`, no downloads, and the same
    /// answers from all.
    pub(super) fn new(engine: &'static str, why: String, runs: Vec<Run>, uid: u32) -> Self {
        let mut faults = Vec::new();
        for (run, number) in runs.iter().zip(1..) {
            let Run { results, summary, owners, answers: _ } = run;
            if summary.run.prompts_failed > 0 {
                faults.push(format!("run {number}: {} prompts failed", summary.run.prompts_failed));
            }
            for (owner, files) in owners.iter().filter(|(owner, _)| **owner != uid) {
                faults.push(format!(
                    "run {number}: uid {owner}, not you, owns {files} of the files in `{}` or the \
                     Hub cache",
                    results.display()
                ));
            }
            match &summary.cache {
                None => faults.push(format!("run {number}: the runner did not look at the cache")),
                Some(CacheDelta { blobs_added: 0, .. }) => {}
                Some(CacheDelta { blobs_added, bytes_added, repos: _ }) => faults.push(format!(
                    "run {number}: {blobs_added} blobs ({bytes_added} bytes) were added to a Hub \
                     cache that had the whole model"
                )),
            }
        }
        if runs.windows(2).any(|pair| pair[0].answers != pair[1].answers) {
            faults.push("the same run gave other answers the second time".to_owned());
        }
        Self { engine, why, uid, runs, faults }
    }

    /// The report as text.
    pub(super) fn table(&self) -> String {
        let Self { engine, why: _, uid, runs, faults } = self;
        let heads = ["run", "prompts", "tokens", "tokens/s", "seconds", "blobs added", "files of"];
        let mut rows = vec![heads.map(str::to_owned)];
        rows.extend(runs.iter().zip(1..).map(|(run, number)| row(number, run, *uid)));
        let mut text = aligned(&rows) + "\n";
        for (Run { summary, .. }, number) in runs.iter().zip(1..) {
            let energy = report::best_energy(summary);
            let _ = writeln!(text, "energy of run {number}: {energy}");
        }
        if let Some(folder) = runs.last().and_then(|run| run.results.parent()) {
            let _ = writeln!(text, "results: {} (engine: {engine})", folder.display());
        }
        if faults.is_empty() {
            text.push_str(
                "smoke test passed: the second run added 0 blobs (0 bytes) to the Hub cache, and \
                 every file is yours",
            );
        } else {
            text.push_str("smoke test failed:");
            faults.iter().for_each(|fault| {
                let _ = write!(text, "\n- {fault}");
            });
        }
        text
    }
}

/// The cells of a run.
fn row(number: u32, run: &Run, uid: u32) -> [String; 7] {
    let Run { results: _, summary: Summary { run, cache, .. }, owners, answers: _ } = run;
    let or_dash = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
    let owner = |owner: &u32| match *owner == uid {
        true => format!("you (uid {uid})"),
        false => format!("uid {owner}"),
    };
    [
        number.to_string(),
        run.prompts.to_string(),
        or_dash(run.completion_tokens.map(|tokens| tokens.to_string())),
        or_dash(run.tokens_per_second.map(|rate| format!("{rate:.1}"))),
        or_dash(run.seconds.map(|seconds| format!("{seconds:.2}"))),
        or_dash(cache.as_ref().map(|cache| cache.blobs_added.to_string())),
        owners.keys().map(owner).collect::<Vec<_>>().join(", "),
    ]
}

/// The rows as text with aligned columns: the last one to the left, others to the right.
fn aligned<const N: usize>(rows: &[[String; N]]) -> String {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let line = |row: &[String; N]| {
        let cells = row.iter().enumerate().map(|(column, cell)| match column + 1 < N {
            true => format!("{cell:>0$}", width(column).unwrap_or_default()),
            false => cell.clone(),
        });
        cells.collect::<Vec<_>>().join("  ") + "\n"
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use contract::{
        Backend,
        summary::{CacheDelta, Measurement, Run as Numbers, Status, Summary},
    };

    use super::{Report, Run};

    fn run(number: u32, blobs_added: u64, owners: &[(u32, u64)]) -> Run {
        Run {
            results: format!("/w/target/smoke/results/run-{number}").into(),
            summary: Summary {
                units: "Wh".into(),
                total: None,
                format: "native".into(),
                preprocess_wh: None,
                prefill_wh: None,
                decode_wh: None,
                measurement: Measurement {
                    status: Status::NotMeasured,
                    source: "no counter here".into(),
                    devices: vec![],
                    tracked: None,
                },
                run: Numbers {
                    backend: Backend::Native,
                    model: "smoke/tiny".into(),
                    prompts_asked: Some(8),
                    prompts: 8,
                    prompts_failed: 0,
                    prompt_tokens: None,
                    prompts_cut: None,
                    prompt_tokens_cut: None,
                    completion_tokens: Some(80),
                    seconds: Some(3.2 * f64::from(number)),
                    tokens_per_second: (number == 1).then_some(25.0),
                    time_to_first_token_seconds: None,
                    phases: vec![],
                },
                notes: vec![],
                cache: Some(CacheDelta {
                    blobs_added,
                    bytes_added: blobs_added * 1000,
                    repos: vec![],
                }),
                host: None,
                repeat: None,
            },
            owners: owners.iter().copied().collect(),
            answers: None,
        }
    }

    #[test]
    fn smoke_test_passes_if_the_second_run_adds_no_blobs() {
        let runs = vec![run(1, 0, &[(1000, 9)]), run(2, 0, &[(1000, 9)])];
        let report = Report::new("docker", "it answers".into(), runs, 1000);
        assert_eq!(report.faults, [""; 0]);
        insta::assert_snapshot!(report.table(), @r"
        run  prompts  tokens  tokens/s  seconds  blobs added  files of
          1        8      80      25.0     3.20            0  you (uid 1000)
          2        8      80         -     6.40            0  you (uid 1000)

        energy of run 1: not measured: no counter here
        energy of run 2: not measured: no counter here
        results: /w/target/smoke/results (engine: docker)
        smoke test passed: the second run added 0 blobs (0 bytes) to the Hub cache, and every file is yours
        ");
    }

    #[test]
    fn reasons_of_a_failure_name_the_run() {
        let runs = vec![run(1, 0, &[(0, 2), (1000, 7)]), run(2, 3, &[(1000, 9)])];
        let mut report = Report::new("host", "asked for".into(), runs.clone(), 1000);
        insta::assert_snapshot!(report.table(), @r"
        run  prompts  tokens  tokens/s  seconds  blobs added  files of
          1        8      80      25.0     3.20            0  uid 0, you (uid 1000)
          2        8      80         -     6.40            3  you (uid 1000)

        energy of run 1: not measured: no counter here
        energy of run 2: not measured: no counter here
        results: /w/target/smoke/results (engine: host)
        smoke test failed:
        - run 1: uid 0, not you, owns 2 of the files in `/w/target/smoke/results/run-1` or the Hub cache
        - run 2: 3 blobs (3000 bytes) were added to a Hub cache that had the whole model
        ");
        report.runs[1].summary.cache = None;
        let report = Report::new("host", "asked for".into(), report.runs, 1000);
        assert_eq!(report.faults[1], "run 2: the runner did not look at the cache");
    }
}
