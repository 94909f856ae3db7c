//! What a client of the `vllm` backend's server is given besides its address.

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

/// What errors call the file of the key.
const KEY_FILE: &str = "API key's file";
/// What errors call the file of the certificates.
const CERTIFICATES: &str = "file of certificates";

/// What the client is given.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Server {
    /// The key that the server wants, if there is one.
    pub key: Option<TokenSource>,
    /// Authorities that its certificate may be of, if not those that everybody trusts.
    pub certificates: Option<HostPath>,
    /// Seconds to wait for it, if it may start slowly.
    pub wait: Option<u32>,
}

impl Server {
    /// Looks into the environment. The key is in `VLLM_API_KEY`, where vLLM's own server reads it,
    /// or in the file that `VLLM_API_KEY_PATH` names; `OPENAI_API_KEY` is for OpenAI's servers, and
    /// no other is shown it.
    ///
    /// # Errors
    /// When no engine can mount a file that is named.
    pub fn locate(
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
        let set = |name: &&str| host.env.text(name).is_some_and(|key| !key.trim().is_empty());
        let key = match [env::VLLM_API_KEY].into_iter().find(set) {
            _ if no_key => None,
            Some(name) => {
                let file = file_of_run(host, run_id, "api-key", &[])?;
                Some(TokenSource::Variable { name, file })
            }
            None => named(env::VLLM_API_KEY_PATH, KEY_FILE)?.map(TokenSource::File),
        };
        let certificates = match endpoint::is_secure(address) {
            true => named(env::SSL_CERT_FILE, CERTIFICATES)?,
            false => None,
        };
        Ok(Self { key, certificates, wait })
    }

    /// The same with `..` in paths followed on the disk.
    ///
    /// # Errors
    /// When no engine can mount what one leads to.
    pub fn without_parents(self) -> Result<Self, Usage> {
        let certificates = self.certificates.map(|file| file.without_parents(CERTIFICATES));
        Ok(Self {
            key: self.key.map(TokenSource::without_parents).transpose()?,
            certificates: certificates.transpose()?,
            wait: self.wait,
        })
    }

    /// The files that the user named.
    pub fn files(&self) -> impl Iterator<Item = (&'static str, &HostPath)> {
        let key = self.key.as_ref().and_then(|key| match key {
            TokenSource::File(file) => Some((KEY_FILE, file)),
            TokenSource::Variable { .. } => None,
        });
        key.into_iter().chain(self.certificates.as_ref().map(|file| (CERTIFICATES, file)))
    }

    /// Makes sure that the files are there: each was named by the user.
    ///
    /// # Errors
    /// When one is missing.
    pub fn resolve(self) -> Result<Self, Usage> {
        let key = self.key.as_ref().filter(|key| !key.exists()).map(TokenSource::file);
        let certificates = self.certificates.as_ref().filter(|file| !file.as_path().is_file());
        let missing = [(key, env::VLLM_API_KEY_PATH), (certificates, env::SSL_CERT_FILE)];
        for (file, variable) in missing {
            if let Some(file) = file {
                return Err(Usage(format!(
                    "{variable} names `{file}`, where no file is; name another, or unset it"
                )));
            }
        }
        Ok(self)
    }
}

impl Server {
    /// Makes sure that the user may read the key: the container runs as the same one.
    ///
    /// # Errors
    /// When it is closed.
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
    use super::Server;
    use host::testing::host;
    use hub::token::TokenSource;

    fn located(variables: &[(&str, &str)], address: &str, no_key: bool) -> Server {
        let mut host = host();
        host.env = variables.iter().copied().collect();
        Server::locate(&host, address, "ID", Some(5), no_key).unwrap()
    }

    #[test]
    fn the_key_is_in_a_variable_or_a_file_of_its_own() {
        let key = |variables: &[(&str, &str)], no_key| {
            located(variables, "http://h", no_key).key.map(|key| match key {
                TokenSource::Variable { name, file } => format!("{name} {file}"),
                TokenSource::File(file) => file.to_string(),
            })
        };
        let variable = "VLLM_API_KEY /tmp/aienergyscore-ID-api-key".to_owned();
        assert_eq!(key(&[], false), None);
        assert_eq!(key(&[("OPENAI_API_KEY", "sk-x")], false), None, "it is another server's");
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
    fn certificates_are_for_tls_alone() {
        let certificates = |address| {
            located(&[("SSL_CERT_FILE", "/ca.pem")], address, false).certificates.is_some()
        };
        assert!(certificates("https://h/v1") && !certificates("http://h/v1"));
    }

    #[test]
    fn a_file_that_is_named_is_there() {
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
