//! The proxies and the Hub's address that the user's shell names, as a container needs them.

use contract::{
    HOST_GATEWAY,
    env::{ADDRESSES, Address, HF_ENDPOINT, NO_PROXY},
};
use host::{
    exit::Usage,
    machine::{Host, own_address::host},
    run_files::run_file::file_of_run,
};
use hub::token::TokenSource;

use crate::endpoint::{from_container, is_loopback};

/// An address that the shell names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Given {
    /// Which one.
    pub address: Address,
    /// The variable that it is in.
    pub name: &'static str,
    /// It. Not to be shown where there is a `secret`.
    pub value: String,
    /// How it is handed over when it holds a password.
    pub secret: Option<TokenSource>,
}

impl Given {
    /// The address without user and password.
    fn shown(&self) -> String {
        let (scheme, rest) = self.value.split_once("://").unwrap_or(("", &self.value));
        let rest = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
        if scheme.is_empty() { rest.to_owned() } else { format!("{scheme}://{rest}") }
    }

    /// Whether it is this machine's loopback.
    fn is_loopback(&self) -> bool {
        is_loopback(host(&self.value))
    }

    /// The Hub's address as a container sees it, if that is another one.
    pub(crate) fn seen_inside(&self) -> Option<String> {
        from_container(&self.value).filter(|_| self.name == HF_ENDPOINT)
    }

    /// A warning when a container cannot reach it.
    pub fn warning(&self) -> Option<String> {
        let is_rewritten = self.name == HF_ENDPOINT && self.seen_inside().is_some();
        (self.is_loopback() && !is_rewritten).then(|| {
            format!(
                "{} names `{}`, the loopback of this machine, which the container cannot reach; name \
                 an address that other machines reach, or use --offline",
                self.name,
                self.shown()
            )
        })
    }
}

/// The addresses that the environment names.
///
/// # Errors
/// When no engine can mount the path of a file for one with a password.
pub(crate) fn given(host: &Host, run_id: &str) -> Result<Vec<Given>, Usage> {
    let given = ADDRESSES.into_iter().filter_map(|address| {
        let set = |name: &&'static str| Some((*name, host.env.text(name)?));
        let (name, value) = address.names.iter().find_map(set)?;
        Some((address, name, value.trim().to_owned()))
    });
    given
        .map(|(address, name, value)| {
            let secret = value.contains('@').then(|| {
                let file = file_of_run(host, run_id, address.file, &[])?;
                Ok(TokenSource::Variable { name, file })
            });
            Ok(Given { address, name, value, secret: secret.transpose()? })
        })
        .collect()
}

/// The hosts that are asked directly: those of the user, and this machine.
pub(crate) fn without_proxy(host: &Host) -> String {
    let named = NO_PROXY.iter().find_map(|name| host.env.text(name)).unwrap_or_default();
    let mut hosts: Vec<_> =
        named.split(',').map(str::trim).filter(|host| !host.is_empty()).collect();
    if !hosts.contains(&"*") && !hosts.contains(&HOST_GATEWAY) {
        hosts.push(HOST_GATEWAY);
    }
    hosts.join(",")
}

#[cfg(test)]
mod tests {
    use super::{Given, given, without_proxy};
    use host::testing::host;

    fn named(variables: &[(&str, &str)]) -> Vec<Given> {
        let mut host = host();
        host.env = variables.iter().copied().collect();
        given(&host, "ID").unwrap()
    }

    #[test]
    fn the_lower_case_wins_and_a_password_goes_into_a_file() {
        let found = named(&[
            ("https_proxy", "http://ada:s3cret@proxy.lab:3128"),
            ("HTTPS_PROXY", "http://other:1"),
            ("HTTP_PROXY", "http://proxy.lab:3128"),
            ("HF_ENDPOINT", "https://hf-mirror.example"),
        ]);
        let told: Vec<_> =
            found.iter().map(|given| (given.name, given.shown(), given.secret.is_some())).collect();
        assert_eq!(
            told,
            [
                ("https_proxy", "http://proxy.lab:3128".to_owned(), true),
                ("HTTP_PROXY", "http://proxy.lab:3128".to_owned(), false),
                ("HF_ENDPOINT", "https://hf-mirror.example".to_owned(), false),
            ]
        );
        let file = found[0].secret.as_ref().unwrap().file().to_string();
        assert_eq!(file, "/tmp/aienergyscore-ID-https-proxy");
    }

    #[test]
    fn a_proxy_on_the_loopback_is_named_without_its_password() {
        let warning = |value: &str| named(&[("ALL_PROXY", value)])[0].warning();
        insta::assert_snapshot!(warning("socks5://u:pw@127.0.0.1:1080").unwrap(), @"ALL_PROXY names `socks5://127.0.0.1:1080`, the loopback of this machine, which the container cannot reach; name an address that other machines reach, or use --offline");
        for own in ["localhost:3128", "http://LOCALHOST", "http://[::1]:3128/", "127.8.9.1", "::1"]
        {
            assert!(warning(own).is_some(), "{own}");
        }
        for other in ["http://proxy:3128", "10.0.0.1:80", "http://[fd00::1]:3128"] {
            assert_eq!(warning(other), None, "{other}");
        }
    }

    #[test]
    fn this_machine_is_asked_without_a_proxy() {
        let without = |value: &str| {
            let mut host = host();
            host.env = [("NO_PROXY", value)].into_iter().collect();
            without_proxy(&host)
        };
        assert_eq!(without(""), "host.docker.internal");
        assert_eq!(without("localhost, .lab"), "localhost,.lab,host.docker.internal");
        assert_eq!(without("*"), "*");
        assert_eq!(without("a,host.docker.internal"), "a,host.docker.internal");
    }
}
