//! What an image must not hold: files that make whoever starts them another user, and secrets. Every
//! layer counts, as deleting a file in a later one hides it and no more.

mod archive;
mod layer;
mod secret;

use std::{
    collections::BTreeSet,
    io::{self, Read},
    process::{Command, Stdio},
};

use anyhow::{Context as _, bail};
use runner::{
    checks::Finding,
    engine::{self, Client, Detected, Engine},
    host::Host,
    options::{Request, RunOptions},
    plan::RunPlan,
    progress::Progress,
};

use self::archive::Saved;

/// Name of the check.
const CHECK: &str = "contents";

/// Looks into the image that a run of the request would use. Nothing to say where there is none, or
/// no engine: other checks tell.
///
/// # Errors
/// When the engine does not hand the image out, or it cannot be read.
pub(crate) fn check(request: Request) -> anyhow::Result<Vec<Finding>> {
    let host = Host::read()?;
    let options = RunOptions::new(request, &host)?;
    let Ok(Detected { engine, .. }) = engine::detect(&options, &host) else { return Ok(vec![]) };
    let Ok(plan) = RunPlan::new(&options, &host, &engine) else { return Ok(vec![]) };
    let (Some(image), Some(local)) = (plan.image, &engine.image) else { return Ok(vec![]) };
    let reference = image.value.reference;
    let saved = save(&engine, &reference)?;
    Ok(findings(&reference, local.flavour.is_some(), &saved))
}

/// The image as its engine hands it out.
fn save(engine: &Engine, reference: &str) -> anyhow::Result<Saved> {
    let mut command = Command::new(&engine.program);
    command.arg("save");
    if engine.client == Client::Podman {
        command.args(["--format", "docker-archive"]);
    }
    let mut child = command
        .arg(reference)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("starting `{} save`", engine.program))?;
    let stream = child.stdout.take().context("its output is a pipe")?;
    let saved = archive::read(Counted { stream, progress: Progress::on_terminal("reading image") });
    // It ends by itself: its output has been read, or nobody reads it any more.
    let status = child.wait().with_context(|| format!("waiting for `{} save`", engine.program))?;
    if !status.success() {
        bail!("`{} save {reference}` failed ({status}) and says above why", engine.program);
    }
    saved.with_context(|| format!("reading what `{} save {reference}` prints", engine.program))
}

/// A stream whose bytes are shown as they come.
struct Counted<R> {
    stream: R,
    progress: Progress,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let bytes = self.stream.read(buffer)?;
        self.progress.expect(bytes as u64);
        self.progress.add(bytes as u64);
        Ok(bytes)
    }
}

/// One finding for each thing that must not be there: an error in an image of ours.
fn findings(reference: &str, ours: bool, saved: &Saved) -> Vec<Finding> {
    let Saved { layers, config } = saved;
    let mut texts = BTreeSet::new();
    for (path, mode) in layer::privileged(layers) {
        let who = if mode & layer::SET_UID != 0 { "user" } else { "group" };
        texts.insert(format!(
            "`/{path}` ({mode:o}) makes whoever starts it another {who}; take the bit away in \
             docker/image/base.sh"
        ));
    }
    for (path, what) in layers.iter().flat_map(|layer| &layer.secrets) {
        texts.insert(format!("`/{path}` of one of its layers {what}; build it without"));
    }
    for (place, what) in secret::in_config(config) {
        texts.insert(format!("its configuration, at `{place}`, {what}; build it without"));
    }
    if texts.is_empty() {
        let files = layers.iter().map(|layer| layer.files).sum::<usize>();
        let text = format!("no set-uid file and no secret among {files} files of all layers");
        return vec![Finding::ok(CHECK, reference, text)];
    }
    let finding = if ours { Finding::error } else { Finding::warning };
    texts.into_iter().map(|text| finding(CHECK, reference, text)).collect()
}

#[cfg(test)]
mod tests {
    use runner::checks::render;
    use serde_json::json;

    use super::{
        archive::{self, Saved, fixture},
        findings,
    };

    fn render_of(ours: bool, saved: &Saved) -> String {
        render(&findings("x:1", ours, saved), false)
    }

    /// A token that is none.
    fn token() -> String {
        format!("hf_{}", "abcDEF0123456789".repeat(2))
    }

    #[test]
    fn a_clean_image_is_well() {
        let saved = fixture::saved(
            &[fixture::layer(&[("bin/sh", 0o755, b"\x7fELF")])],
            &json!({ "config": { "Env": ["PATH=/bin"], "Labels": null } }),
        );
        let saved = archive::read(&*saved).unwrap();
        insta::assert_snapshot!(render_of(true, &saved), @r"
        ok      contents x:1: no set-uid file and no secret among 1 files of all layers
        0 error(s), 0 warning(s)
        ");
    }

    #[test]
    fn everything_that_must_not_be_there_is_found() {
        let key = format!(
            "-----BEGIN OPENSSH PRIVATE KEY-----\n{}\n-----END OPENSSH PRIVATE KEY-----\n",
            "b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQ"
        );
        let lower = fixture::layer(&[
            ("usr/bin/su", 0o4755, b"\x7fELF"),
            ("usr/bin/wall", 0o2755, b"\x7fELF"),
            ("usr/bin/mount", 0o4755, b"\x7fELF"),
            ("opt/old/helper", 0o4755, b"\x7fELF"),
            ("root/.netrc", 0o600, b"machine x login y password z"),
            ("etc/ssl/certs/ca.pem", 0o644, b"-----BEGIN CERTIFICATE-----\n"),
        ]);
        let upper = fixture::layer(&[
            ("usr/bin/mount", 0o755, b"\x7fELF"),
            ("opt/.wh.old", 0o644, b""),
            ("root/.wh..netrc", 0o644, b""),
            ("home/user/.cache/huggingface/token", 0o600, token().as_bytes()),
            ("srv/server.pem", 0o600, key.as_bytes()),
            ("etc/pip.conf", 0o644, b"[global]\nindex-url = https://me:word@pypi.example/simple\n"),
        ]);
        let config = json!({
            "config": {
                "Env": [format!("HF_TOKEN={}", token()), "HOME=/"],
                "Labels": { "a": "https://me:word@git.example/x" },
            },
            "history": [{ "created_by": "|1 API_TOKEN=abc /bin/sh -c make" }],
        });
        let saved = archive::read(&*fixture::saved(&[lower, upper], &config)).unwrap();
        insta::assert_snapshot!("everything", render_of(true, &saved));
        assert!(render_of(false, &saved).contains("0 error(s), 9 warning(s)"));
    }
}
