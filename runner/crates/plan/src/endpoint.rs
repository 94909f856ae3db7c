//! The address of the `vllm` backend's server: checked, and rewritten for a container.

use std::net::{Ipv4Addr, Ipv6Addr};

use contract::{HOST_GATEWAY, env::VLLM_ENDPOINT};
use host::exit::Usage;

/// The parts of an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Address<'a> {
    scheme: &'a str,
    /// A name or an IP address; IPv6 without brackets.
    host: &'a str,
    port: Option<u16>,
    /// Empty, or with its leading slash.
    path: &'a str,
}

/// Checks the address of a server before a container starts with it.
///
/// # Errors
/// When `endpoint` is not an address of a server, or holds a password.
pub(crate) fn check(endpoint: &str) -> Result<(), Usage> {
    // An address with a password must not be printed.
    let shown = if endpoint.contains('@') { "" } else { &format!("={endpoint}") };
    parse(endpoint).map(drop).map_err(|why| {
        Usage(format!(
            "{VLLM_ENDPOINT}{shown} is no address of a server: {why}; an address is such as \
             http://{HOST_GATEWAY}:8000/v1"
        ))
    })
}

/// The server's address for a container, where the loopback is the container's own. `None` if the
/// address is the same there.
pub(crate) fn from_container(endpoint: &str) -> Option<String> {
    let Address { scheme, host, port, path } = parse(endpoint).ok()?;
    let port = port.map_or_else(String::new, |port| format!(":{port}"));
    is_loopback(host).then(|| format!("{scheme}://{HOST_GATEWAY}{port}{path}"))
}

/// Whether a host is the loopback. An IPv6 address has no brackets.
pub(crate) fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<Ipv4Addr>().is_ok_and(|ip| ip.is_loopback() || ip.is_unspecified())
        || host.parse::<Ipv6Addr>().is_ok_and(|ip| ip.is_loopback() || ip.is_unspecified())
}

/// Whether the server uses TLS.
pub(crate) fn is_secure(endpoint: &str) -> bool {
    parse(endpoint).is_ok_and(|address| address.scheme == "https")
}

fn parse(endpoint: &str) -> Result<Address<'_>, String> {
    let (scheme, rest) = endpoint.split_once("://").unwrap_or_default();
    if !["http", "https"].contains(&scheme) {
        return Err("it does not begin with http:// or https://".to_owned());
    }
    if let Some(odd) = rest.chars().find(|c| c.is_whitespace() || c.is_control()) {
        return Err(format!("it holds {odd:?}"));
    }
    if rest.contains(['?', '#']) {
        return Err("a server's address has no question mark or hash".to_owned());
    }
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    if authority.contains('@') {
        return Err("it holds a user or a password, which logs and results would show; give an \
                    API key in VLLM_API_KEY instead"
            .to_owned());
    }
    let (host, port) = match authority.strip_prefix('[') {
        Some(inside) => {
            let (host, after) = inside.split_once(']').ok_or("its bracket is not closed")?;
            host.parse::<Ipv6Addr>().map_err(|_| format!("`{host}` is no IPv6 address"))?;
            if !after.is_empty() && !after.starts_with(':') {
                return Err(format!("`{after}` after the bracket is no port"));
            }
            (host, after.strip_prefix(':'))
        }
        None => match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        },
    };
    if port.is_some_and(|port| port.contains(':')) {
        return Err("an IPv6 address stands in brackets".to_owned());
    }
    let is_name = |c: char| c.is_alphanumeric() || "-._:".contains(c);
    if host.is_empty() || !host.chars().all(is_name) {
        return Err(format!("`{host}` is no name of a host"));
    }
    let number = |port: &str| {
        let is_port = port.bytes().all(|byte| byte.is_ascii_digit());
        let number = port.parse().ok().filter(|number| is_port && *number > 0);
        number.ok_or_else(|| format!("`{port}` is no port, which is a number from 1 to 65535"))
    };
    Ok(Address { scheme, host, port: port.map(number).transpose()?, path })
}

#[cfg(test)]
mod tests {
    use host::testing::broken;
    use proptest::prelude::*;

    use super::{Address, check, from_container, is_secure, parse};

    #[test]
    fn addresses_are_accepted_or_refused_with_a_reason() {
        for good in [
            "http://h",
            "http://gpu_7.lab:8001/v1",
            "https://10.0.0.7/openai/v1/",
            "http://[::1]:8000/v1",
            "http://[fd00::7]",
            "http://srv1:65535",
            "http://bücher.example:1/ü",
        ] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        let said = |text: &str| check(text).unwrap_err().to_string();
        insta::assert_snapshot!(said("gpu7:8000"), @"VLLM_ENDPOINT=gpu7:8000 is no address of a server: it does not begin with http:// or https://; an address is such as http://host.docker.internal:8000/v1");
        let why = |text: &str| parse(text).unwrap_err();
        insta::assert_snapshot!([
            "http://", "http://h:0", "http://h:65536", "http://h:+1", "http://h:", "http://::1:80",
            "http://[::1", "http://[::1]80", "http://[h]", "http://a b", "http://h/?k=1", "ftp://h",
            "http:///v1", "http://h\n",
        ].map(why).join("\n"), @r"
        `` is no name of a host
        `0` is no port, which is a number from 1 to 65535
        `65536` is no port, which is a number from 1 to 65535
        `+1` is no port, which is a number from 1 to 65535
        `` is no port, which is a number from 1 to 65535
        an IPv6 address stands in brackets
        its bracket is not closed
        `80` after the bracket is no port
        `h` is no IPv6 address
        it holds ' '
        a server's address has no question mark or hash
        it does not begin with http:// or https://
        `` is no name of a host
        it holds '\n'
        ");
    }

    #[test]
    fn password_is_refused_and_not_printed() {
        let said = check("http://ada:secret@h:8000/v1").unwrap_err().to_string();
        assert!(!said.contains("secret"), "{said}");
        insta::assert_snapshot!(said, @"VLLM_ENDPOINT is no address of a server: it holds a user or a password, which logs and results would show; give an API key in VLLM_API_KEY instead; an address is such as http://host.docker.internal:8000/v1");
    }

    #[test]
    fn loopback_is_rewritten_for_a_container() {
        for (named, seen) in [
            ("http://localhost:8001/v1", Some("http://host.docker.internal:8001/v1")),
            ("https://127.0.0.1", Some("https://host.docker.internal")),
            ("http://0.0.0.0:1/", Some("http://host.docker.internal:1/")),
            ("http://[::1]:8000", Some("http://host.docker.internal:8000")),
            ("http://LocalHost/x", Some("http://host.docker.internal/x")),
            ("http://localhost.example:1", None),
            ("http://gpu7:8000/v1", None),
            ("http://host.docker.internal:8000", None),
        ] {
            assert_eq!(from_container(named).as_deref(), seen, "{named}");
        }
        assert!(is_secure("https://h") && !is_secure("http://h"));
    }

    proptest! {
        #[test]
        fn accepted_address_is_the_sum_of_its_parts(text in broken("https://gpu-7.example:8001/llm/v1")) {
            if let Ok(Address { scheme, host, port, path }) = parse(&text) {
                let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
                let rest = text.strip_prefix(&format!("{scheme}://{host}"));
                // A port may begin with zeros.
                let rest = rest.map(|rest| match rest.strip_prefix(':') {
                    Some(port) => port.trim_start_matches('0'),
                    None => rest,
                });
                let port = port.map(|port| port.to_string()).unwrap_or_default();
                let expected = format!("{port}{path}");
                prop_assert_eq!(rest, Some(expected.as_str()));
                prop_assert!(!text.contains('@') || path.contains('@'));
            }
        }
    }
}
