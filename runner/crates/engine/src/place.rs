//! Where an engine's containers run: on this machine, or on another.

use host::machine::own_address::{host, is_ours, is_own};
use serde::Serialize;

/// Where containers run, as far as it is known before one does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    /// On this machine.
    Here,
    /// In the virtual machine of Docker Desktop, on this machine.
    Desktop,
    /// Behind this address of this machine, which may lead to another one.
    Behind(String),
    /// On another machine, which has this address.
    Elsewhere(String),
}

impl Place {
    /// Where the engine at `address` is: that of `DOCKER_HOST`, of a context or of a connection.
    pub(super) fn of(address: &str) -> Self {
        Self::by(address, |host| is_own(host, &is_ours))
    }

    fn by(address: &str, is_own: impl Fn(&str) -> bool) -> Self {
        let address = address.trim();
        let (scheme, rest) = address.split_once("://").unwrap_or(("tcp", address));
        if address.is_empty() || !["tcp", "http", "https", "ssh"].contains(&scheme) {
            return Self::Here;
        }
        // A user's name and password are nobody's business.
        let rest = rest.rsplit_once('@').map_or(rest, |(_, rest)| rest);
        let shown = format!("{scheme}://{rest}");
        let host = host(rest);
        if host.is_empty() || is_own(host) { Self::Behind(shown) } else { Self::Elsewhere(shown) }
    }
}

#[cfg(test)]
mod tests {
    use super::Place;

    #[test]
    fn an_address_tells_the_machine() {
        let of = |address: &str| {
            Place::by(address, |host| ["localhost", "127.0.0.1", "::1"].contains(&host))
        };
        for here in ["", "unix:///var/run/docker.sock", "fd://3", "npipe:////./pipe/docker_engine"]
        {
            assert_eq!(of(here), Place::Here, "{here}");
        }
        for (address, shown) in [
            ("tcp://127.0.0.1:2375", "tcp://127.0.0.1:2375"),
            ("ssh://ada@localhost", "ssh://localhost"),
            ("tcp://[::1]:2376", "tcp://[::1]:2376"),
            ("127.0.0.1:2375", "tcp://127.0.0.1:2375"),
            ("tcp://:2375", "tcp://:2375"),
        ] {
            assert_eq!(of(address), Place::Behind(shown.to_owned()), "{address}");
        }
        for (address, shown) in [
            ("ssh://ada:secret@gpu7", "ssh://gpu7"),
            ("tcp://192.0.2.7:2376\n", "tcp://192.0.2.7:2376"),
            ("https://gpu7:2376/", "https://gpu7:2376/"),
        ] {
            assert_eq!(of(address), Place::Elsewhere(shown.to_owned()), "{address}");
        }
    }

    #[test]
    fn this_machine_is_known_by_its_addresses() {
        assert!(matches!(Place::of("tcp://127.0.0.1:1"), Place::Behind(_)));
        assert!(matches!(Place::of("tcp://192.0.2.7:1"), Place::Elsewhere(_)));
        assert!(matches!(Place::of("ssh://no-such-host.invalid"), Place::Elsewhere(_)));
    }
}
