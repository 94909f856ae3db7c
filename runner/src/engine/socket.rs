//! Questions to an engine's socket.

use std::{
    io::{self, Read as _, Write as _},
    os::unix::{fs::MetadataExt as _, net::UnixStream},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, bail};
use serde::Deserialize;

use crate::process::ask;

/// How long an engine has for what takes it milliseconds.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// Bytes of the longest answer that is read.
const LONGEST: u64 = 1 << 20;

/// The socket of this machine that `program`, Docker's client, talks to.
///
/// # Errors
/// When it talks to another machine, or does not tell.
pub(super) fn of_docker(program: &str) -> anyhow::Result<PathBuf> {
    let endpoint = address_of_docker(program)?;
    match endpoint.strip_prefix("unix://") {
        Some(path) => Ok(path.into()),
        None => bail!("`{program}` talks to {endpoint:?}, which is no socket of this machine"),
    }
}

/// The address that `program`, Docker's client, talks to.
///
/// # Errors
/// When it does not tell.
pub(super) fn address_of_docker(program: &str) -> anyhow::Result<String> {
    let format = "{{.Endpoints.docker.Host}}";
    // Where DOCKER_HOST is set the client tells it, too: it is the context `default` then.
    let endpoint = match std::env::var("DOCKER_HOST") {
        Ok(host) if !host.is_empty() => host,
        _ => ask(&[program, "context", "inspect", "--format", format])?.stdout,
    };
    Ok(endpoint.trim().to_owned())
}

/// Whether the Podman behind `socket` is rootless: before version 4.6 it tells only those who ask
/// it without Docker's client.
///
/// # Errors
/// When it does not answer, or answers something else.
pub(super) fn is_rootless(socket: &Path) -> anyhow::Result<bool> {
    let asking = || format!("asking Podman at `{}` whether it is rootless", socket.display());
    let answer = get(socket, "/info").with_context(asking)?;
    match rootless(&answer).with_context(asking)? {
        Some(rootless) => Ok(rootless),
        // The service's own user made the socket.
        None => Ok(socket.metadata().with_context(asking)?.uid() != 0),
    }
}

/// An answer of an engine's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    /// The number of HTTP: 200 is a good answer.
    pub(super) status: u16,
    /// What it says.
    pub(super) body: String,
}

/// Asks the engine behind `socket` for `path`.
///
/// # Errors
/// When it does not answer, or not in time, or what is not understood.
pub(super) fn get(socket: &Path, path: &str) -> anyhow::Result<Answer> {
    request(socket, "GET", path, PATIENCE)
}

/// As [`get`], for any `method`, and waits as long as is said.
///
/// # Errors
/// As [`get`].
pub(super) fn request(
    socket: &Path,
    method: &str,
    path: &str,
    patience: Duration,
) -> anyhow::Result<Answer> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(patience))?;
    stream.set_write_timeout(Some(patience))?;
    // Version 1.0 ends with the answer, and has no chunks.
    // In one piece, as an engine may answer to the first.
    stream.write_all(format!("{method} {path} HTTP/1.0\r\nHost: d\r\n\r\n").as_bytes())?;
    let mut answer = String::new();
    stream.take(LONGEST).read_to_string(&mut answer)?;
    parse(&answer)
}

/// Whether an engine was asked and gave no answer in time.
pub(super) fn is_late(error: &anyhow::Error) -> bool {
    let error = error.downcast_ref::<io::Error>().map(io::Error::kind);
    matches!(error, Some(io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut))
}

fn parse(answer: &str) -> anyhow::Result<Answer> {
    let (head, body) = answer.split_once("\r\n\r\n").context("the answer has no body")?;
    let line = head.lines().next().unwrap_or_default();
    let status = line.split(' ').nth(1).and_then(|status| status.parse().ok());
    let status = status.with_context(|| format!("the answer begins with {line:?}"))?;
    Ok(Answer { status, body: body.to_owned() })
}

/// Reads the answer to `/info`: what it says of being rootless, if anything.
fn rootless(answer: &Answer) -> anyhow::Result<Option<bool>> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Info {
        rootless: Option<bool>,
    }
    let Answer { status, body } = answer;
    if *status != 200 {
        bail!("the answer is {status}: {body:?}");
    }
    let info: Info = serde_json::from_str(body).context("reading the answer")?;
    Ok(info.rootless)
}

#[cfg(test)]
mod properties;

#[cfg(test)]
mod tests {
    use std::{
        io::{Read as _, Write as _},
        os::unix::net::UnixListener,
        thread,
    };

    use super::{is_rootless, parse, rootless};

    #[test]
    fn podman_tells_whoever_asks() {
        let answer = |body: &str| {
            let answer = format!("HTTP/1.0 200 OK\r\nServer: Libpod\r\n\r\n{body}");
            parse(&answer).and_then(|answer| rootless(&answer))
        };
        assert_eq!(answer(r#"{"ID":"x","Rootless":true}"#).unwrap(), Some(true));
        assert_eq!(answer(r#"{"Rootless":false}"#).unwrap(), Some(false));
        assert_eq!(answer("{}").unwrap(), None);
        assert!(answer("no").is_err());
        let missing = parse("HTTP/1.0 404 Not Found\r\n\r\nno").unwrap();
        let error = rootless(&missing).unwrap_err().to_string();
        insta::assert_snapshot!(error, @r#"the answer is 404: "no""#);
        assert!(parse("SSH-2.0\r\n\r\n").is_err() && parse("HTTP/1.0 200 OK\r\n").is_err());
    }

    #[test]
    fn a_socket_is_asked() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("podman.sock");
        let listener = UnixListener::bind(&path).unwrap();
        let server = thread::spawn(move || {
            let mut stream = listener.accept().unwrap().0;
            let mut request = [0; 512];
            let length = stream.read(&mut request).unwrap();
            stream.write_all(b"HTTP/1.0 200 OK\r\n\r\n{\"Rootless\":true}").unwrap();
            String::from_utf8(request[..length].to_vec()).unwrap()
        });
        assert!(is_rootless(&path).unwrap());
        assert!(server.join().unwrap().starts_with("GET /info HTTP/1.0\r\n"));
    }
}
