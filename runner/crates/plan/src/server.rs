//! Settings of the `vllm` backend's client besides the server's address.

use std::path::Path;

use anyhow::bail;
use contract::env;
use host::{
    exit::Usage,
    machine::Host,
    paths::{expand::expand, host_path::HostPath},
    run_files::run_file::file_of_run,
    shell::shown_for_shell,
};
use hub::token::TokenSource;

use crate::endpoint;

/// The key's file in error messages.
const KEY_FILE: &str = "API key's file";
/// The certificates' file in error messages.
const CERTIFICATES: &str = "file of certificates";

/// Settings of the client.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Server {
    /// The API key, if there is one.
    pub key: Option<TokenSource>,
    /// Certificate authorities to trust instead of the default ones.
    pub certificates: Option<HostPath>,
    /// Seconds to wait for the server to become ready.
    pub wait: Option<u32>,
}

impl Server {
    /// Reads the environment. The key is in `VLLM_API_KEY`, which vLLM's own server reads, too, or in
    /// the file `VLLM_API_KEY_PATH`. `OPENAI_API_KEY` is not used: no other server may see it.
    ///
    /// # Errors
    /// When no engine can mount a file that a variable names.
    pub(crate) fn locate(
        host: &Host,
        address: &str,
        run_id: &str,
        wait: Option<u32>,
        no_key: bool,
    ) -> Result<Self, Usage> {
        let named = |variable: &str, what: &str| {
            let Some(text) = host.env.text(variable) else { return Ok(None) };
            let path = expand(&text, host);
            HostPath::new(what, Path::new(&path), &host.cwd).map(Some)
        };
        let has_key = host.env.text(env::VLLM_API_KEY).is_some_and(|key| !key.trim().is_empty());
        let key = if no_key {
            None
        } else if has_key {
            let file = file_of_run(host, run_id, "api-key", &[])?;
            Some(TokenSource::Variable { name: env::VLLM_API_KEY, file })
        } else {
            named(env::VLLM_API_KEY_PATH, KEY_FILE)?.map(TokenSource::File)
        };
        let certificates = if endpoint::is_secure(address) {
            named(env::SSL_CERT_FILE, CERTIFICATES)?
        } else {
            None
        };
        Ok(Self { key, certificates, wait })
    }

    /// Resolves `..` in paths on the disk.
    ///
    /// # Errors
    /// When no engine can mount a resolved path.
    pub(crate) fn without_parents(self) -> Result<Self, Usage> {
        let key = self.key.map(TokenSource::without_parents).transpose()?;
        let certificates = self.certificates.map(|file| file.without_parents(CERTIFICATES));
        Ok(Self { key, certificates: certificates.transpose()?, ..self })
    }

    /// The files that the user named, with their names in error messages.
    pub(crate) fn files(&self) -> impl Iterator<Item = (&'static str, &HostPath)> {
        let key = self.key.as_ref().and_then(|key| match key {
            TokenSource::File(file) => Some((KEY_FILE, file)),
            TokenSource::Variable { .. } => None,
        });
        key.into_iter().chain(self.certificates.as_ref().map(|file| (CERTIFICATES, file)))
    }

    /// Checks that the files exist: the user named each of them.
    ///
    /// # Errors
    /// When one is missing.
    pub(crate) fn resolve(self) -> Result<Self, Usage> {
        let key = self.key.as_ref().filter(|key| !key.exists()).map(TokenSource::file);
        let certificates = self.certificates.as_ref().filter(|file| !file.as_path().is_file());
        for (missing, variable) in
            [(key, env::VLLM_API_KEY_PATH), (certificates, env::SSL_CERT_FILE)]
        {
            if let Some(file) = missing {
                return Err(Usage(format!(
                    "{variable} names `{file}`, where no file is; name another, or unset it"
                )));
            }
        }
        Ok(self)
    }

    /// Checks that the user can read the key, since the container runs as the user.
    ///
    /// # Errors
    /// When the key's file cannot be read.
    pub fn readable(&self, host: &Host) -> anyhow::Result<()> {
        let Some(TokenSource::File(file)) = &self.key else { return Ok(()) };
        let Err(error) = untrusted::file(file.as_path()) else { return Ok(()) };
        bail!(
            "the API key in `{file}` cannot be read: {error}; make it yours with `sudo chown {} {}`, \
             or name another in {}",
            host.uid,
            shown_for_shell(file.as_path()),
            env::VLLM_API_KEY_PATH
        )
    }
}

#[cfg(test)]
mod tests {
    use host::testing::host;
    use hub::token::TokenSource;

    use super::Server;

    fn located(variables: &[(&str, &str)], address: &str, no_key: bool) -> Server {
        let mut host = host();
        host.env = variables.iter().copied().collect();
        Server::locate(&host, address, "ID", Some(5), no_key).unwrap()
    }

    #[test]
    fn key_is_in_a_variable_or_a_file() {
        let key = |variables: &[(&str, &str)], no_key| {
            located(variables, "http://h", no_key).key.map(|key| match key {
                TokenSource::Variable { name, file } => format!("{name} {file}"),
                TokenSource::File(file) => file.to_string(),
            })
        };
        let variable = "VLLM_API_KEY /tmp/aienergyscore-ID-api-key".to_owned();
        assert_eq!(key(&[], false), None);
        assert_eq!(
            key(&[("OPENAI_API_KEY", "sk-x")], false),
            None,
            "it is the key of another server"
        );
        assert_eq!(
            key(&[("VLLM_API_KEY", "k"), ("VLLM_API_KEY_PATH", "/k")], false),
            Some(variable)
        );
        let path = |path| [("VLLM_API_KEY", " "), ("VLLM_API_KEY_PATH", path)];
        assert_eq!(key(&path("~/k"), false).as_deref(), Some("/home/ada/k"));
        assert_eq!(key(&path("k"), false).as_deref(), Some("/home/ada/bench/k"));
        assert_eq!(key(&path("k"), true), None);
    }

    #[test]
    fn certificates_are_used_for_tls_only() {
        let certificates = |address| {
            located(&[("SSL_CERT_FILE", "/ca.pem")], address, false).certificates.is_some()
        };
        assert!(certificates("https://h/v1") && !certificates("http://h/v1"));
    }

    #[test]
    fn missing_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let there = folder.path().join("k");
        std::fs::write(&there, "k").unwrap();
        let resolve = |name: &str, path: &str| {
            let server = located(&[(name, path)], "https://h", false);
            server.resolve().map(drop).map_err(|error| error.to_string())
        };
        assert_eq!(resolve("VLLM_API_KEY_PATH", there.to_str().unwrap()), Ok(()));
        insta::assert_snapshot!(resolve("VLLM_API_KEY_PATH", "/none").unwrap_err(), @"VLLM_API_KEY_PATH names `/none`, where no file is; name another, or unset it");
        insta::assert_snapshot!(resolve("SSL_CERT_FILE", "/none").unwrap_err(), @"SSL_CERT_FILE names `/none`, where no file is; name another, or unset it");
    }
}
