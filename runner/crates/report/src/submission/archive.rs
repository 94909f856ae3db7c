//! The archive of a submission: the logs unaltered, their checksums and a manifest. The same logs make
//! the same bytes.

use std::{
    fmt::Write as _,
    io::{Cursor, Write as _},
};

use contract::{hex, summary::DeviceKind};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use zip::{CompressionMethod, DateTime, ZipWriter, write::SimpleFileOptions};

use super::{logs::LogFile, model_class::ModelClass};
use crate::{metrics::ReportedRun, sanitize::sanitized};

/// The list that `sha256sum --check` reads.
const SUMS: &str = "SHA256SUMS";
/// The model, energy and files of every run.
const MANIFEST: &str = "MANIFEST.json";

/// Packs the log files of `runs`, those of several in a folder each.
///
/// # Errors
/// When the archive would exceed the limits of its format.
pub(super) fn pack(
    runs: &[(&ReportedRun, &[LogFile])],
    class: Option<ModelClass>,
) -> anyhow::Result<Vec<u8>> {
    let mut zip = ZipWriter::new(Cursor::new(vec![]));
    // Times and modes of the files are not part of the logs.
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Stored)
        .last_modified_time(DateTime::default())
        .unix_permissions(0o644);
    let (mut sums, mut described) = (String::new(), vec![]);
    for (index, (ReportedRun { run, metrics }, files)) in runs.iter().enumerate() {
        let folder = if runs.len() == 1 { String::new() } else { format!("run-{:02}/", index + 1) };
        let mut listed = vec![];
        for LogFile { name, bytes } in *files {
            let path = format!("{folder}{name}");
            let digest = hex::encode(Sha256::digest(bytes));
            zip.start_file(&*path, options)?;
            zip.write_all(bytes)?;
            writeln!(sums, "{digest}  {path}")?;
            listed.push(json!({ "path": path, "bytes": bytes.len(), "sha256": digest }));
        }
        let summary = &run.summary;
        let devices = summary.measurement.devices.iter();
        let gpus = devices.filter(|device| device.kind == DeviceKind::Gpu);
        described.push(json!({
            "model": sanitized(&summary.run.model),
            "backend": summary.run.backend,
            "begun": summary.repeat.as_ref().map(|repeat| &repeat.begun),
            "prompts": summary.run.prompts,
            "gpu_wh": summary.total,
            "gpu_wh_per_1000_prompts": metrics.gpu.as_ref().map(|gpu| gpu.metric.value),
            "gpus": gpus.map(|gpu| sanitized(&gpu.name)).collect::<Vec<_>>(),
            "files": listed,
        }));
    }
    let manifest = json!({
        "format": "aienergyscore submission",
        "version": 1,
        "made_by": format!("aienergyscore {}", env!("CARGO_PKG_VERSION")),
        "task": "text_generation",
        "class": class,
        "runs": described,
    });
    for (name, text) in [(SUMS, sums), (MANIFEST, format!("{manifest:#}\n"))] {
        zip.start_file(name, options)?;
        zip.write_all(text.as_bytes())?;
    }
    Ok(zip.finish()?.into_inner())
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Read as _};

    use proptest::{collection::vec, prelude::*};
    use zip::ZipArchive;

    use super::{LogFile, pack};
    use crate::{metrics::ReportedRun, testing::measured};

    fn file(name: &str, bytes: &[u8]) -> LogFile {
        LogFile { name: name.into(), bytes: bytes.into() }
    }

    fn archive(runs: &[Vec<LogFile>]) -> Vec<u8> {
        let run = ReportedRun::from(measured("1", 21.6));
        pack(&runs.iter().map(|files| (&run, &files[..])).collect::<Vec<_>>(), None).unwrap()
    }

    fn text(zip: &[u8], name: &str) -> String {
        let mut zip = ZipArchive::new(Cursor::new(zip)).unwrap();
        let mut text = String::new();
        zip.by_name(name).unwrap().read_to_string(&mut text).unwrap();
        text
    }

    #[test]
    fn the_archive_holds_every_log_and_its_checksum() {
        let one = vec![file("a.log", b"abc"), file("emissions/b.csv", b"")];
        let zip = archive(std::slice::from_ref(&one));
        assert_eq!(text(&zip, "a.log"), "abc");
        insta::assert_snapshot!(text(&zip, "SHA256SUMS"), @r"
        ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad  a.log
        e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  emissions/b.csv
        ");
        insta::assert_snapshot!(text(&zip, "MANIFEST.json"), @r#"
        {
          "format": "aienergyscore submission",
          "version": 1,
          "made_by": "aienergyscore 0.1.0",
          "task": "text_generation",
          "class": null,
          "runs": [
            {
              "model": "openai/gpt-oss-20b",
              "backend": "optimum",
              "begun": "2026-11-24T01:05:16Z",
              "prompts": 20,
              "gpu_wh": 21.6,
              "gpu_wh_per_1000_prompts": 1080.0,
              "gpus": [
                "NVIDIA H100 80GB HBM3"
              ],
              "files": [
                {
                  "path": "a.log",
                  "bytes": 3,
                  "sha256": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
                },
                {
                  "path": "emissions/b.csv",
                  "bytes": 0,
                  "sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
                }
              ]
            }
          ]
        }
        "#);
        let two = archive(&[one.clone(), one]);
        assert_eq!(text(&two, "run-02/a.log"), "abc");
    }

    proptest! {
        #[test]
        fn equal_logs_make_equal_archives_that_unpack_unchanged(bytes in vec(any::<u8>(), 0..2000)) {
            let files = [vec![file("a", &bytes)]];
            let zip = archive(&files);
            prop_assert_eq!(&zip, &archive(&files));
            let mut opened = ZipArchive::new(Cursor::new(&zip)).unwrap();
            let mut out = vec![];
            opened.by_name("a").unwrap().read_to_end(&mut out).unwrap();
            prop_assert_eq!(out, bytes);
        }
    }
}
