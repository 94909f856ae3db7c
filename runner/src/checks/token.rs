//! The access token: readable by its owner, and by nobody else.

use std::{
    fs::{self, Metadata},
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
};

use super::Finding;
use crate::{host::Host, token::TokenSource};

/// Looks at the token in force.
pub(super) fn check(source: &TokenSource, host: &Host) -> Finding {
    let file = match source {
        TokenSource::Variable { name, .. } => {
            let text = "from the environment; a run hands it over as a file of its own".to_owned();
            return Finding::ok("token", *name, text);
        }
        TokenSource::File(file) => file,
    };
    let subject = file.as_str();
    match fs::metadata(file.as_path()) {
        Err(error) => Finding::error("token", subject, error.to_string()),
        Ok(_) if fs::File::open(file.as_path()).is_err() => Finding::error(
            "token",
            subject,
            "it is not readable for you, and the Hub client refuses to work at all then; \
             `sudo chown` it to yourself, or name another in HF_TOKEN_PATH"
                .to_owned(),
        ),
        Ok(data) => match open_to_others(&data, host) {
            Some(text) => Finding::error("token", subject, text),
            None => Finding::ok("token", subject, "readable by you alone".to_owned()),
        },
    }
}

fn open_to_others(data: &Metadata, host: &Host) -> Option<String> {
    let mode = data.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Some(format!("its mode {mode:04o} opens it to other users; `chmod 600` it"));
    }
    (data.uid() != host.uid).then(|| {
        format!(
            "it belongs to uid {}, who can read it; log in as yourself with `hf auth login`, or name \
             a file of yours in HF_TOKEN_PATH",
            data.uid()
        )
    })
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt as _};

    use super::{TokenSource, check};
    use crate::{checks::Severity, host_path::HostPath, testing::host};

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
            assert_eq!(check(&source, &host).severity, severity, "{mode:o}");
        }
    }
}
