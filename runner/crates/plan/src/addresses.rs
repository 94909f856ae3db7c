//! The proxies and the Hub's address in the user's environment, as a container needs them.

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

/// An address in a variable of the user's environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShellAddress {
    /// The kind of address.
    pub address: Address,
    /// The name of the variable.
    pub name: &'static str,
    /// The value. Do not print it if there is a `secret`.
    pub value: String,
    /// The file that passes the address to the container, if it holds a password.
    pub secret: Option<TokenSource>,
}

impl ShellAddress {
    /// The address without user and password.
    fn shown(&self) -> String {
        let (scheme, rest) = self.value.split_once("://").unwrap_or(("", &self.value));
        let rest = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
        if scheme.is_empty() { rest.to_owned() } else { format!("{scheme}://{rest}") }
    }

    /// The Hub's address for a container, if it has to be another one.
    pub(crate) fn in_container(&self) -> Option<String> {
        from_container(&self.value).filter(|_| self.name == HF_ENDPOINT)
    }

    /// A warning if a container cannot reach the address.
    pub(crate) fn warning(&self) -> Option<String> {
        (is_loopback(host(&self.value)) && self.in_container().is_none()).then(|| {
            format!(
                "{} names `{}`, the loopback of this machine, which the container cannot reach; name \
                 an address that other machines reach, or use --offline",
                self.name,
                self.shown()
            )
        })
    }
}

/// The addresses in the environment.
///
/// # Errors
/// When no engine can mount the file for an address with a password.
pub(crate) fn in_environment(host: &Host, run_id: &str) -> Result<Vec<ShellAddress>, Usage> {
    let set = ADDRESSES.into_iter().filter_map(|address| {
        let (name, value) =
            address.names.iter().find_map(|name| Some((*name, host.env.text(name)?)))?;
        Some((address, name, value.trim().to_owned()))
    });
    set.map(|(address, name, value)| {
        let secret = value.contains('@').then(|| {
            let file = file_of_run(host, run_id, address.file, &[])?;
            Ok(TokenSource::Variable { name, file })
        });
        Ok(ShellAddress { address, name, value, secret: secret.transpose()? })
    })
    .collect()
}

/// The value of `NO_PROXY` for the container: the user's hosts and this machine.
pub(crate) fn no_proxy_hosts(host: &Host) -> String {
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
    use host::testing::host;

    use super::{ShellAddress, in_environment, no_proxy_hosts};

    fn named(variables: &[(&str, &str)]) -> Vec<ShellAddress> {
        let mut host = host();
        host.env = variables.iter().copied().collect();
        in_environment(&host, "ID").unwrap()
    }

    #[test]
    fn lower_case_wins_and_a_password_goes_into_a_file() {
        let found = named(&[
            ("https_proxy", "http://ada:s3cret@proxy.lab:3128"),
            ("HTTPS_PROXY", "http://other:1"),
            ("HTTP_PROXY", "http://proxy.lab:3128"),
            ("HF_ENDPOINT", "https://hf-mirror.example"),
        ]);
        let shown: Vec<_> = found
            .iter()
            .map(|address| (address.name, address.shown(), address.secret.is_some()))
            .collect();
        assert_eq!(
            shown,
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
    fn proxy_on_the_loopback_is_warned_of_without_its_password() {
        let warning = |value: &str| named(&[("ALL_PROXY", value)])[0].warning();
        insta::assert_snapshot!(warning("socks5://u:pw@127.0.0.1:1080").unwrap(), @"ALL_PROXY names `socks5://127.0.0.1:1080`, the loopback of this machine, which the container cannot reach; name an address that other machines reach, or use --offline");
        for loopback in
            ["localhost:3128", "http://LOCALHOST", "http://[::1]:3128/", "127.8.9.1", "::1"]
        {
            assert!(warning(loopback).is_some(), "{loopback}");
        }
        for other in ["http://proxy:3128", "10.0.0.1:80", "http://[fd00::1]:3128"] {
            assert_eq!(warning(other), None, "{other}");
        }
    }

    #[test]
    fn this_machine_is_reached_without_a_proxy() {
        let without = |value: &str| {
            let mut host = host();
            host.env = [("NO_PROXY", value)].into_iter().collect();
            no_proxy_hosts(&host)
        };
        assert_eq!(without(""), "host.docker.internal");
        assert_eq!(without("localhost, .lab"), "localhost,.lab,host.docker.internal");
        assert_eq!(without("*"), "*");
        assert_eq!(without("a,host.docker.internal"), "a,host.docker.internal");
    }
}
