//! The machine that an engine's containers run on.

use host::machine::own_address::{host, is_ours, is_own};

/// The machine that containers run on, as far as it is known before one starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// This machine.
    ThisMachine,
    /// Docker Desktop's virtual machine on this machine.
    DesktopVm,
    /// A network address of this machine, which may be forwarded to another one.
    LocalAddress(String),
    /// Another machine, with this address.
    Remote(String),
}

impl Location {
    /// The location of the engine at `address`, as in `DOCKER_HOST`, a context or a connection.
    pub(super) fn of(address: &str) -> Self {
        Self::by(address, |host| is_own(host, &is_ours))
    }

    fn by(address: &str, is_own: impl Fn(&str) -> bool) -> Self {
        let address = address.trim();
        let (scheme, rest) = address.split_once("://").unwrap_or(("tcp", address));
        if address.is_empty() || !["tcp", "http", "https", "ssh"].contains(&scheme) {
            return Self::ThisMachine;
        }
        // The address is printed, so user and password are cut off.
        let rest = rest.rsplit_once('@').map_or(rest, |(_, rest)| rest);
        let shown = format!("{scheme}://{rest}");
        let host = host(rest);
        if host.is_empty() || is_own(host) {
            Self::LocalAddress(shown)
        } else {
            Self::Remote(shown)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Location;

    #[test]
    fn engine_address_names_the_machine_without_user_and_password() {
        let of = |address: &str| {
            Location::by(address, |host| ["localhost", "127.0.0.1", "::1"].contains(&host))
        };
        for local in ["", "unix:///var/run/docker.sock", "fd://3", "npipe:////./pipe/docker_engine"]
        {
            assert_eq!(of(local), Location::ThisMachine, "{local}");
        }
        for (address, shown) in [
            ("tcp://127.0.0.1:2375", "tcp://127.0.0.1:2375"),
            ("ssh://ada@localhost", "ssh://localhost"),
            ("tcp://[::1]:2376", "tcp://[::1]:2376"),
            ("127.0.0.1:2375", "tcp://127.0.0.1:2375"),
            ("tcp://:2375", "tcp://:2375"),
        ] {
            assert_eq!(of(address), Location::LocalAddress(shown.to_owned()), "{address}");
        }
        for (address, shown) in [
            ("ssh://ada:secret@gpu7", "ssh://gpu7"),
            ("tcp://192.0.2.7:2376\n", "tcp://192.0.2.7:2376"),
            ("https://gpu7:2376/", "https://gpu7:2376/"),
        ] {
            assert_eq!(of(address), Location::Remote(shown.to_owned()), "{address}");
        }
    }

    #[test]
    fn this_machine_is_recognized_by_its_addresses() {
        assert!(matches!(Location::of("tcp://127.0.0.1:1"), Location::LocalAddress(_)));
        assert!(matches!(Location::of("tcp://192.0.2.7:1"), Location::Remote(_)));
        assert!(matches!(Location::of("ssh://no-such-host.invalid"), Location::Remote(_)));
    }
}
