//! Docker's daemon asked at its socket, as its client would ask: each client takes as long to start
//! as all answers together. Whatever is out of the ordinary is left to the client.

use std::{
    env,
    ffi::OsString,
    fs, io,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use serde::Deserialize;

use super::socket;
use crate::process::{Captured, both};

/// Where Docker's client looks for the daemon unless it is told otherwise.
const SOCKET: &str = "/var/run/docker.sock";

/// What there is to know before a plan is made, in a daemon's own words or in its client's.
#[derive(Debug)]
pub(super) struct Said {
    /// What it says of itself.
    pub(super) info: Captured,
    /// What it says of its version.
    pub(super) version: Captured,
    /// What it says of the image.
    pub(super) image: Captured,
}

/// Where the daemon answers, and what it says of itself and of the image `reference`; none when its
/// client has to be asked.
pub(super) fn ask(program: &str, reference: &str) -> Option<(PathBuf, Said)> {
    let variable = |name: &str| env::var_os(name).filter(|value| !value.is_empty());
    if !is_client(program, &variable("PATH")?) || !is_plain(reference) {
        return None;
    }
    let socket = socket_of_client(variable, |folder| fs::read(folder.join("config.json")))?;
    let get = |path: &str| socket::get(&socket, path).ok().and_then(|answer| captured(&answer));
    let ((info, version), image) = both(
        || both(|| get("/info"), || get("/version")),
        || get(&format!("/images/{reference}/json")),
    );
    let said = Said { info: info?, version: version?, image: image? };
    (said.info.code == 0 && said.version.code == 0).then_some((socket, said))
}

/// Whether `program` on `path` is Docker's own client. What has another name behind that one, such
/// as Podman, or is a script, may talk to another engine than Docker's variables say.
fn is_client(program: &str, path: &OsString) -> bool {
    let candidates = env::split_paths(path).map(|folder| folder.join(program));
    let found = candidates.filter_map(|file| fs::canonicalize(file).ok()).find(|file| {
        fs::metadata(file).is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 > 0)
    });
    found.is_some_and(|file| {
        file.file_name().is_some_and(|name| name == program) && is_machine_code(&file)
    })
}

fn is_machine_code(file: &Path) -> bool {
    let mut begin = [0; 4];
    let read =
        fs::File::open(file).and_then(|mut file| io::Read::read_exact(&mut file, &mut begin));
    read.is_ok() && begin == *b"\x7fELF"
}

/// Whether `reference` may stand in an address as it is.
fn is_plain(reference: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-/:@".contains(&byte);
    !reference.is_empty() && reference.bytes().all(is_plain) && !reference.contains("..")
}

/// The socket that Docker's client would talk to, by its variables and its configuration, which
/// `read` reads from a folder; none where it is another machine's, or not told by these alone.
fn socket_of_client(
    variable: impl Fn(&str) -> Option<OsString>,
    read: impl Fn(&Path) -> io::Result<Vec<u8>>,
) -> Option<PathBuf> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Config {
        #[serde(default)]
        current_context: String,
    }
    // The client would begin with a handshake.
    if variable("DOCKER_TLS").is_some() || variable("DOCKER_TLS_VERIFY").is_some() {
        return None;
    }
    if let Some(host) = variable("DOCKER_HOST") {
        let path = host.to_str()?.strip_prefix("unix://")?;
        return path.starts_with('/').then(|| path.into());
    }
    let context = match variable("DOCKER_CONTEXT") {
        Some(context) => context.into_string().ok()?,
        None => {
            let folder = match variable("DOCKER_CONFIG") {
                Some(folder) => folder.into(),
                None => Path::new(&variable("HOME")?).join(".docker"),
            };
            match read(&folder) {
                Ok(text) => serde_json::from_slice::<Config>(&text).ok()?.current_context,
                Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
                Err(_) => return None,
            }
        }
    };
    ["", "default"].contains(&&*context).then(|| SOCKET.into())
}

/// An answer as the client would print it; none of a refusal that has no message.
pub(super) fn captured(answer: &socket::Answer) -> Option<Captured> {
    #[derive(Deserialize)]
    struct Refusal {
        message: String,
    }
    if answer.status == 200 {
        let stdout = answer.body.clone();
        return Some(Captured { code: 0, stdout, stderr: String::new() });
    }
    let Refusal { message } = serde_json::from_str(&answer.body).ok()?;
    let stderr = format!("Error response from daemon: {message}");
    Some(Captured { code: 1, stdout: String::new(), stderr })
}

#[cfg(test)]
mod tests {
    use std::{
        ffi::OsString,
        fs, io,
        os::unix::fs::{PermissionsExt as _, symlink},
        path::Path,
    };

    use super::{is_client, is_plain, socket_of_client};

    #[test]
    fn the_socket_is_the_one_that_the_client_would_take() {
        let missing = Err(io::ErrorKind::NotFound);
        let home = ("HOME", "/home/ada");
        type Case<'a> = (&'a [(&'a str, &'a str)], Result<&'a str, io::ErrorKind>, Option<&'a str>);
        let cases: [Case<'_>; 12] = [
            (&[home], missing, Some("/var/run/docker.sock")),
            (&[home], Ok("{}"), Some("/var/run/docker.sock")),
            (&[home], Ok(r#"{"currentContext":"default"}"#), Some("/var/run/docker.sock")),
            (&[home], Ok(r#"{"currentContext":"rootless"}"#), None),
            (&[home], Ok("no JSON"), None),
            (&[home], Err(io::ErrorKind::PermissionDenied), None),
            (&[], missing, None),
            (
                &[home, ("DOCKER_HOST", "unix:///run/user/7/docker.sock")],
                missing,
                Some("/run/user/7/docker.sock"),
            ),
            (&[home, ("DOCKER_HOST", "ssh://ada@far")], missing, None),
            (&[home, ("DOCKER_HOST", "unix://docker.sock")], missing, None),
            (&[home, ("DOCKER_CONTEXT", "far")], Ok("{}"), None),
            (&[home, ("DOCKER_TLS_VERIFY", "1")], missing, None),
        ];
        for (variables, config, expected) in cases {
            let variable = |name: &str| {
                let found = variables.iter().find(|(key, _)| *key == name);
                found.map(|(_, value)| OsString::from(value))
            };
            let read = |folder: &Path| {
                assert_eq!(folder, Path::new("/home/ada/.docker"));
                config.map(|text| text.as_bytes().to_vec()).map_err(io::Error::from)
            };
            let socket = socket_of_client(variable, read);
            assert_eq!(socket.as_deref(), expected.map(Path::new), "{variables:?} {config:?}");
        }
    }

    #[test]
    fn only_dockers_own_program_is_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let path = folder.path().as_os_str().to_owned();
        let make = |name: &str, bytes: &[u8]| {
            fs::write(at(name), bytes).unwrap();
            fs::set_permissions(at(name), fs::Permissions::from_mode(0o755)).unwrap();
        };
        assert!(!is_client("docker", &path), "there is none");
        make("podman", b"\x7fELF and more");
        symlink("podman", at("docker")).unwrap();
        assert!(!is_client("docker", &path), "a link to Podman");
        fs::remove_file(at("docker")).unwrap();
        make("docker", b"#!/bin/sh\nexec podman \"$@\"\n");
        assert!(!is_client("docker", &path), "a script");
        make("docker", b"\x7fELF and more");
        assert!(is_client("docker", &path));
        fs::set_permissions(at("docker"), fs::Permissions::from_mode(0o644)).unwrap();
        assert!(!is_client("docker", &path), "no program");
    }

    #[test]
    fn what_would_change_an_address_is_asked_through_the_client() {
        for plain in ["ai_energy_score:smoke", "r.example:5000/a/b@sha256:0a"] {
            assert!(is_plain(plain), "{plain}");
        }
        for other in ["", "a?b", "a b", "a\r\nb", "a/../../info", "ä", "a%2fb"] {
            assert!(!is_plain(other), "{other:?}");
        }
    }
}
