//! CA certificates of the network, for the build stage that downloads packages.

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};

/// The environment variable that OpenSSL reads, and with it most programs.
pub(super) const VARIABLE: &str = "SSL_CERT_FILE";

/// Reads the bundle that the flag or the variable names. A variable that names a missing file is
/// ignored, because it is often set for other programs.
///
/// # Errors
/// When the file cannot be read or has no PEM certificate.
pub(super) fn read(
    flag: Option<&Path>,
    variable: Option<OsString>,
) -> anyhow::Result<Option<Vec<u8>>> {
    let (path, remedy) = match (flag, variable.map(PathBuf::from)) {
        (Some(flag), _) => (flag.to_owned(), "name another by `--ca-bundle FILE`"),
        (None, Some(path)) if path.is_file() => (path, "unset SSL_CERT_FILE or name another"),
        (None, _) => return Ok(None),
    };
    let bundle = fs::read(&path)
        .with_context(|| format!("reading the CA bundle `{}`; {remedy}", path.display()))?;
    let header = b"-----BEGIN CERTIFICATE-----";
    if !bundle.windows(header.len()).any(|text| text == header) {
        bail!("`{}` is no CA bundle: it holds no PEM certificate; {remedy}", path.display());
    }
    Ok(Some(bundle))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::read;

    #[test]
    fn flag_overrides_the_variable_and_must_name_a_bundle() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let pem = |name: &str| {
            let text = format!("# {name}\n-----BEGIN CERTIFICATE-----\n");
            fs::write(path(name), &text).unwrap();
            Some(text.into_bytes())
        };
        let (a, b) = (pem("a.pem"), pem("b.pem"));
        fs::write(path("c.der"), "0").unwrap();
        let variable = || Some(path("b.pem").into());
        assert_eq!(read(Some(&path("a.pem")), variable()).unwrap(), a);
        assert_eq!(read(None, variable()).unwrap(), b);
        assert_eq!(read(None, Some(path("none").into())).unwrap(), None);
        assert_eq!(read(None, None).unwrap(), None);
        let error = |name: &str| read(Some(&path(name)), None).unwrap_err().to_string();
        assert!(error("none").starts_with("reading the CA bundle `"));
        assert!(error("c.der").contains("is no CA bundle: it holds no PEM certificate; name"));
    }
}
