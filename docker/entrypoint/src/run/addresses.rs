//! Addresses that hold a password: the runner hands them over as files, the benchmark gets
//! variables.

use anyhow::Context as _;
use contract::env::ADDRESSES;

use crate::environment::Environment;

/// Size limit of such a file, in bytes.
const LONGEST: u64 = 8192;

/// The variables to set, under every name that a client may read.
///
/// # Errors
/// When a file cannot be read.
pub(super) fn read(environment: &Environment) -> anyhow::Result<Vec<(&'static str, String)>> {
    let mut addresses = vec![];
    for address in ADDRESSES {
        let Some(path) = environment.get(address.path_name) else { continue };
        let read = untrusted::file(path).and_then(|file| untrusted::bytes(file, LONGEST));
        let bytes =
            read.with_context(|| format!("reading the file that {} names", address.path_name))?;
        let text = String::from_utf8_lossy(&bytes).trim().to_owned();
        addresses.extend(address.names.iter().map(|name| (*name, text.clone())));
    }
    Ok(addresses)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{Environment, read};

    #[test]
    fn address_in_a_file_becomes_a_variable_in_both_cases() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("proxy");
        fs::write(&file, "http://u:pw@proxy:3128\n").unwrap();
        let environment = Environment::from_iter([("AIENERGYSCORE_HTTPS_PROXY_PATH", &file)]);
        let address = "http://u:pw@proxy:3128".to_owned();
        assert_eq!(
            read(&environment).unwrap(),
            [("https_proxy", address.clone()), ("HTTPS_PROXY", address)]
        );
        fs::remove_file(&file).unwrap();
        assert!(read(&environment).is_err());
    }
}
