//! The access token: readable by its owner, and by nobody else.

use host::machine::Host;
use hub::token::{Fault, ResolvedToken, TokenSource, fault};

use super::Finding;

/// Looks at the token in force and at the exposed ones beside it.
pub(super) fn check(source: &TokenSource, host: &Host) -> Vec<Finding> {
    let subject = source.file().as_str();
    let ResolvedToken { token, missing, exposed } = match source.clone().resolve(host) {
        Ok(resolved) => resolved,
        Err(refused) => return vec![Finding::error("token", subject, refused.to_string())],
    };
    let own = token.map(|source| judge(&source, host));
    let missing = missing.map(|warning| Finding::warning("token", subject, warning));
    let exposed = exposed.map(|(file, mode)| {
        let text = format!("its mode {mode:04o} opens it to other users; `chmod 600` it");
        Finding::error("token", file.to_string_lossy(), text)
    });
    own.into_iter().chain(missing).chain(exposed).collect()
}

fn judge(source: &TokenSource, host: &Host) -> Finding {
    let file = match source {
        TokenSource::Variable { name, .. } => {
            let text = "from the environment; a run hands it over as a file of its own".to_owned();
            return Finding::ok("token", *name, text);
        }
        TokenSource::File(file) => file,
    };
    let text = match fault(file.as_path(), host.uid) {
        None => return Finding::ok("token", file.as_str(), "readable by you alone".to_owned()),
        Some(Fault::Unreadable(_)) => {
            "it is not readable for you, and the Hub client refuses to work at all then; `sudo \
             chown` it to yourself, or name another in HF_TOKEN_PATH"
                .to_owned()
        }
        Some(Fault::NotAToken(why)) => {
            format!("it is not a token: {why}; log in with `hf auth login`")
        }
        Some(Fault::Mode(mode)) => {
            format!("its mode {mode:04o} opens it to other users; `chmod 600` it")
        }
        Some(Fault::Owner(uid)) => format!(
            "it belongs to uid {uid}, who can read it; log in as yourself with `hf auth login`, or \
             name a file of yours in HF_TOKEN_PATH"
        ),
    };
    Finding::error("token", file.as_str(), text)
}

/// Looks at the key of a server.
pub(super) fn check_key(source: &TokenSource, host: &Host) -> Finding {
    let file = match source {
        TokenSource::Variable { name, .. } => {
            let text = "from the environment; a run hands it over as a file of its own".to_owned();
            return Finding::ok("API key", *name, text);
        }
        TokenSource::File(file) => file,
    };
    let text = match fault(file.as_path(), host.uid) {
        None => return Finding::ok("API key", file.as_str(), "readable by you alone".to_owned()),
        Some(Fault::NotAToken(why)) => format!("it is not an API key: {why}"),
        Some(Fault::Unreadable(why)) => {
            format!("{why}; `sudo chown` it to yourself, or name another in VLLM_API_KEY_PATH")
        }
        Some(Fault::Mode(mode)) => {
            format!("its mode {mode:04o} opens it to other users; `chmod 600` it")
        }
        Some(Fault::Owner(uid)) => format!(
            "it belongs to uid {uid}, who can read it; name a file of yours in VLLM_API_KEY_PATH"
        ),
    };
    Finding::error("API key", file.as_str(), text)
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt as _};

    use super::{TokenSource, check_key, judge};
    use host::{paths::host_path::HostPath, testing::host};

    use crate::verify::Severity;

    #[test]
    fn a_token_that_others_can_read_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        fs::write(&path, "hf_x").unwrap();
        let source = TokenSource::File(HostPath::new("token", &path, "/".as_ref()).unwrap());
        let mut host = host();
        host.uid = rustix::process::geteuid().as_raw();
        for (mode, severity) in [(0o600, Severity::Ok), (0o640, Severity::Error)] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(judge(&source, &host).severity, severity, "{mode:o}");
            assert_eq!(check_key(&source, &host).severity, severity, "{mode:o}");
        }
    }
}
