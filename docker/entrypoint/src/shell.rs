//! What the benchmark takes over from the shell of its user: the umask, and addresses that hold a
//! password and so came as files.

use std::{env, ffi::OsString};

use anyhow::Context as _;
use contract::env::{ADDRESSES, UMASK};
use rustix::{fs::Mode, process::umask};

use contract::exit::Usage;

/// More bytes than an address has.
const LONGEST: u64 = 8192;

/// Gives this process, and all that it starts, the umask of the user.
///
/// # Errors
/// When the variable holds none.
pub(crate) fn take_umask() -> Result<(), Usage> {
    let Some(text) = env::var_os(UMASK).filter(|text| !text.is_empty()) else { return Ok(()) };
    umask(Mode::from_raw_mode(octal(&text.to_string_lossy())?));
    Ok(())
}

fn octal(text: &str) -> Result<u32, Usage> {
    let mask = u32::from_str_radix(text, 8).ok().filter(|mask| *mask <= 0o777);
    mask.ok_or_else(|| Usage(format!("{UMASK}={text}: not an octal number up to 0777")))
}

/// The addresses that came as files, under every name that a client may read.
///
/// # Errors
/// When a file cannot be read.
pub(crate) fn addresses(
    variable: impl Fn(&str) -> Option<OsString>,
) -> anyhow::Result<Vec<(&'static str, String)>> {
    let mut addresses = vec![];
    for address in ADDRESSES {
        let Some(path) = variable(address.path_name).filter(|path| !path.is_empty()) else {
            continue;
        };
        let read = untrusted::file(&path).and_then(|file| untrusted::bytes(file, LONGEST));
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

    use super::{addresses, octal};

    #[test]
    fn a_umask_is_an_octal_number() {
        assert_eq!(octal("0077").unwrap(), 0o077);
        for text in ["", "9", "1000", "-1", "u=rwx"] {
            assert!(octal(text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_address_in_a_file_is_a_variable_in_both_cases() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("proxy");
        fs::write(&file, "http://u:pw@proxy:3128\n").unwrap();
        let named =
            |name: &str| (name == "AIENERGYSCORE_HTTPS_PROXY_PATH").then(|| file.clone().into());
        let address = "http://u:pw@proxy:3128".to_owned();
        assert_eq!(
            addresses(named).unwrap(),
            [("https_proxy", address.clone()), ("HTTPS_PROXY", address)]
        );
        fs::remove_file(&file).unwrap();
        assert!(addresses(named).is_err());
    }
}
