//! Check of the secrets: the token of the Hub and the API key of a server.

use host::machine::Host;
use hub::token::{Fault, ResolvedToken, TokenSource, fault};

use super::Finding;

/// Checks the token in use, and other token files that are readable by other users.
pub(super) fn check(source: &TokenSource, host: &Host) -> Vec<Finding> {
    let subject = source.file().as_str();
    let ResolvedToken { token, missing, exposed } = match source.clone().resolve(host) {
        Ok(resolved) => resolved,
        Err(refused) => return vec![Finding::error("token", subject, refused.to_string())],
    };
    let token = token.map(|source| check_token(&source, host));
    let missing = missing.map(|warning| Finding::warning("token", subject, warning));
    let exposed = exposed
        .map(|(file, mode)| Finding::error("token", file.to_string_lossy(), exposed_by(mode)));
    token.into_iter().chain(missing).chain(exposed).collect()
}

fn check_token(source: &TokenSource, host: &Host) -> Finding {
    check_secret("token", source, host, |fault| match fault {
        Fault::Unreadable(_) => {
            "it is not readable for you, and the Hub client refuses to work at all then; `sudo \
             chown` it to yourself, or name another in HF_TOKEN_PATH"
                .to_owned()
        }
        Fault::NotAToken(why) => format!("it is not a token: {why}; log in with `hf auth login`"),
        Fault::Mode(mode) => exposed_by(mode),
        Fault::Owner(uid) => format!(
            "it belongs to uid {uid}, who can read it; log in as yourself with `hf auth login`, or \
             name your own file in HF_TOKEN_PATH"
        ),
    })
}

/// Checks the API key of a server.
pub(super) fn check_key(source: &TokenSource, host: &Host) -> Finding {
    check_secret("API key", source, host, |fault| match fault {
        Fault::Unreadable(why) => {
            format!("{why}; `sudo chown` it to yourself, or name another in VLLM_API_KEY_PATH")
        }
        Fault::NotAToken(why) => format!("it is not an API key: {why}"),
        Fault::Mode(mode) => exposed_by(mode),
        Fault::Owner(uid) => format!(
            "it belongs to uid {uid}, who can read it; name your own file in VLLM_API_KEY_PATH"
        ),
    })
}

fn check_secret(
    check: &'static str,
    source: &TokenSource,
    host: &Host,
    explain: impl FnOnce(Fault) -> String,
) -> Finding {
    match source {
        TokenSource::Variable { name, .. } => {
            let text = "from the environment; a run hands it over as a file of its own".to_owned();
            Finding::ok(check, *name, text)
        }
        TokenSource::File(file) => match fault(file.as_path(), host.uid) {
            None => Finding::ok(check, file.as_str(), "readable by you alone".to_owned()),
            Some(fault) => Finding::error(check, file.as_str(), explain(fault)),
        },
    }
}

fn exposed_by(mode: u32) -> String {
    format!("its mode {mode:04o} opens it to other users; `chmod 600` it")
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt as _};

    use host::{paths::host_path::HostPath, testing::host};

    use super::{TokenSource, check_key, check_token};
    use crate::verify::Severity;

    #[test]
    fn token_that_other_users_can_read_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        fs::write(&path, "hf_x").unwrap();
        let source = TokenSource::File(HostPath::new("token", &path, "/".as_ref()).unwrap());
        let mut host = host();
        host.uid = rustix::process::geteuid().as_raw();
        for (mode, severity) in [(0o600, Severity::Ok), (0o640, Severity::Error)] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(check_token(&source, &host).severity, severity, "{mode:o}");
            assert_eq!(check_key(&source, &host).severity, severity, "{mode:o}");
        }
    }
}
