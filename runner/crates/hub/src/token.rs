//! The access token for gated models: found as huggingface_hub finds it, passed to a container as a file.

mod file;

use std::{io::Write as _, path::PathBuf};

use anyhow::Context as _;
use contract::env;
use host::{
    exit::Usage,
    machine::Host,
    paths::{expand::expand, host_path::HostPath},
    run_files::run_file::{RunFile, file_of_run},
};
use untrusted::escape;

pub(crate) use self::file::token_files;
pub use self::file::{Fault, fault};
use self::file::{TOKEN, TokenFile};
use crate::HubCache;

/// The place of the token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenSource {
    /// An environment variable. A run passes it to the container in the temporary `file`.
    Variable {
        /// The name of the variable.
        name: &'static str,
        /// The temporary file.
        file: HostPath,
    },
    /// A file of the user, which may not exist.
    File(HostPath),
}

/// A token that was looked up on the disk.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ResolvedToken {
    /// The token, if there is one.
    pub token: Option<TokenSource>,
    /// Reason for a missing token, if the user may expect one.
    pub missing: Option<String>,
    /// The `stored_tokens` file in the same folder and its mode, if other users can access it.
    pub exposed: Option<(PathBuf, u32)>,
}

impl ResolvedToken {
    fn of(token: TokenSource) -> Self {
        Self { token: Some(token), ..Self::default() }
    }

    /// Warnings to print before a run.
    pub fn warnings(&self) -> impl Iterator<Item = String> {
        let exposed = self.exposed.as_ref().map(|(file, mode)| {
            format!("`{}` is open to other users (mode {mode:04o}); `chmod 600` it", file.display())
        });
        self.missing.iter().cloned().chain(exposed)
    }
}

impl TokenSource {
    /// Finds the token as huggingface_hub does: the variables, then the named file, then the default.
    ///
    /// # Errors
    /// When no engine can mount the file's path.
    pub fn locate(host: &Host, cache: &HubCache, run_id: &str) -> Result<Self, Usage> {
        for name in [env::HF_TOKEN, env::HUGGING_FACE_HUB_TOKEN] {
            if host.env.text(name).is_some_and(|value| !value.trim().is_empty()) {
                let file = file_of_run(host, run_id, TOKEN, &[])?;
                return Ok(Self::Variable { name, file });
            }
        }
        let file = match host.env.get(env::HF_TOKEN_PATH) {
            Some(named) => match named.to_str() {
                Some(text) => expand(text, host),
                None => named.into(),
            },
            None => cache.home.as_path().join(TOKEN),
        };
        Ok(Self::File(HostPath::new("token file", &file, &host.cwd)?))
    }

    /// Resolves `..` in the file's path on the disk.
    ///
    /// # Errors
    /// When no engine can mount the resolved path.
    pub fn without_parents(mut self) -> Result<Self, Usage> {
        let (Self::Variable { file, .. } | Self::File(file)) = &mut self;
        *file = file.clone().without_parents("token file")?;
        Ok(self)
    }

    /// Checks whether there is a token. A file must contain one, and a symlink must be named by HF_TOKEN_PATH:
    /// a container could replace the default file by a symlink to any file of the user.
    ///
    /// # Errors
    /// When the file is not a token file.
    pub fn resolve(self, host: &Host) -> Result<ResolvedToken, Usage> {
        let Self::File(file) = &self else { return Ok(ResolvedToken::of(self)) };
        let is_named = host.env.get(env::HF_TOKEN_PATH).is_some();
        let exposed = file::exposed_tokens(file.as_path());
        match file::inspect(file.as_path(), is_named) {
            Ok(TokenFile::Present) => Ok(ResolvedToken { exposed, ..ResolvedToken::of(self) }),
            Ok(TokenFile::Absent(why)) => {
                let missing = why.map(|why| {
                    format!("the token file `{file}` {why}, so gated models cannot be loaded")
                });
                Ok(ResolvedToken { token: None, missing, exposed })
            }
            Err(why) => Err(Usage(escape(&format!(
                "the token file `{file}` {why}; name the file of a token in {}, or add --no-token",
                env::HF_TOKEN_PATH
            )))),
        }
    }

    /// Whether there is a token. A file may be missing.
    pub fn exists(&self) -> bool {
        match self {
            Self::Variable { .. } => true,
            Self::File(file) => file.as_path().is_file(),
        }
    }

    /// The file to mount.
    pub fn file(&self) -> &HostPath {
        let (Self::Variable { file, .. } | Self::File(file)) = self;
        file
    }

    /// Writes the variable's token to its temporary file, which only the user can read. `None` when the token
    /// is in a file already.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&self, host: &Host) -> anyhow::Result<Option<RunFile>> {
        let Self::Variable { name, file } = self else { return Ok(None) };
        let token = host.env.text(name).unwrap_or_default();
        let mut made = RunFile::new(file.as_path())
            .with_context(|| format!("making `{file}` for the secret of {name}"))?;
        made.file
            .write_all(token.trim().as_bytes())
            .with_context(|| format!("writing the secret of {name} to `{file}`"))?;
        Ok(Some(made))
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt as _};

    use super::TokenSource;
    use host::testing::host;

    use crate::HubCache;

    fn locate(variables: &[(&str, &str)]) -> TokenSource {
        let mut host = host();
        host.env = variables.iter().copied().collect();
        TokenSource::locate(&host, &HubCache::locate(&host).unwrap(), "ID").unwrap()
    }

    #[test]
    fn variables_come_before_files() {
        let file = |source: &TokenSource| match source {
            TokenSource::Variable { name, file } => format!("{name} {file}"),
            TokenSource::File(file) => file.to_string(),
        };
        let cases: [(&[(&str, &str)], &str); 10] = [
            (&[("HF_TOKEN_PATH", "~/tok")], "/home/ada/tok"),
            (&[("HF_TOKEN_PATH", "$D/tok"), ("D", "/d")], "/d/tok"),
            (&[], "/home/ada/.cache/huggingface/token"),
            (&[("HF_HOME", "/hf")], "/hf/token"),
            (&[("HF_TOKEN_PATH", "/t"), ("HF_HOME", "/hf")], "/t"),
            (&[("HF_TOKEN", " "), ("HF_TOKEN_PATH", "/t")], "/t"),
            (&[("HF_TOKEN", "x"), ("HF_TOKEN_PATH", "/t")], "HF_TOKEN /tmp/aienergyscore-ID-token"),
            (
                &[("HUGGING_FACE_HUB_TOKEN", "x"), ("XDG_RUNTIME_DIR", "/var/tmp")],
                "HUGGING_FACE_HUB_TOKEN /var/tmp/aienergyscore-ID-token",
            ),
            (
                &[("HF_TOKEN", "x"), ("XDG_RUNTIME_DIR", "/nobody"), ("TMPDIR", "/var/tmp")],
                "HF_TOKEN /var/tmp/aienergyscore-ID-token",
            ),
            (
                &[("HF_TOKEN", "x"), ("XDG_RUNTIME_DIR", "/dev/null"), ("TMPDIR", "tmp")],
                "HF_TOKEN /tmp/aienergyscore-ID-token",
            ),
        ];
        for (variables, expected) in cases {
            assert_eq!(file(&locate(variables)), expected, "{variables:?}");
        }
    }

    #[test]
    fn temporary_token_file_is_private_and_removed_with_its_guard() {
        let folder = tempfile::tempdir().unwrap();
        let mut host = host();
        let runtime = folder.path().to_str().unwrap();
        host.env =
            [("HF_TOKEN", " hf_secret\n"), ("XDG_RUNTIME_DIR", runtime)].into_iter().collect();
        let cache = HubCache::locate(&host).unwrap();
        let source = TokenSource::locate(&host, &cache, "ID").unwrap();
        let path = source.file().as_path().to_owned();
        let guard = source.write(&host).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "hf_secret");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        drop(guard);
        assert!(!path.exists());
    }
}
