//! The machine on which the model runs.

use std::net::IpAddr;

use contract::HOST_GATEWAY;
use host::machine::own_address::{self, host};

/// Podman's host name for the machine of its containers.
const PODMAN_GATEWAY: &str = "host.containers.internal";

/// Where the model runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ModelLocation {
    /// In the benchmark's own process.
    InBenchmark,
    /// In a server on this machine.
    ThisMachine,
    /// In a server on another machine.
    OtherMachine,
}

impl ModelLocation {
    /// Location of the model for a run against the server at `endpoint`, if it uses one.
    pub fn of_endpoint(endpoint: Option<&str>) -> Self {
        match endpoint {
            None => Self::InBenchmark,
            Some(endpoint) if is_own(endpoint, &own_address::is_ours) => Self::ThisMachine,
            Some(_) => Self::OtherMachine,
        }
    }
}

/// Whether `endpoint` is on this machine. `is_ours` returns whether an IP address belongs to it.
fn is_own(endpoint: &str, is_ours: &dyn Fn(IpAddr) -> bool) -> bool {
    match host(endpoint) {
        "" => false,
        HOST_GATEWAY | PODMAN_GATEWAY => true,
        host => own_address::is_own(host, is_ours),
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use proptest::prelude::*;

    use super::{ModelLocation, host, is_own};

    #[test]
    fn host_is_taken_from_an_endpoint() {
        for (endpoint, expected) in [
            ("http://host.docker.internal:8000/v1", "host.docker.internal"),
            ("https://u:p@gpu7/v1?x=a:b", "gpu7"),
            (" http://[::1]:80/", "::1"),
            ("10.0.0.1:8000", "10.0.0.1"),
            ("http://", ""),
            ("", ""),
        ] {
            assert_eq!(host(endpoint), expected, "{endpoint}");
        }
    }

    #[test]
    fn gateways_loopback_and_own_addresses_are_this_machine() {
        let own: IpAddr = [192, 168, 7, 7].into();
        let is_own = |endpoint: &str| is_own(endpoint, &|address| address == own);
        for endpoint in [
            "http://host.docker.internal:8000/v1",
            "http://host.containers.internal:8000",
            "http://localhost:1/v1",
            "http://127.0.0.2:1/v1",
            "http://[::1]:1",
            "http://192.168.7.7:8000",
        ] {
            assert!(is_own(endpoint), "{endpoint}");
        }
        for endpoint in ["http://192.168.7.8:8000/v1", "http://", "", "http://[2001:db8::1]/v1"] {
            assert!(!is_own(endpoint), "{endpoint}");
        }
        let location = |endpoint| ModelLocation::of_endpoint(Some(endpoint));
        assert_eq!(location("http://0.0.0.0:8000"), ModelLocation::ThisMachine);
        // A network reserved for documentation (RFC 5737).
        assert_eq!(location("http://192.0.2.1:8000/v1"), ModelLocation::OtherMachine);
    }

    proptest! {
        #[test]
        fn host_is_found_between_scheme_port_and_path(name in "[a-z0-9.-]{1,20}", port in any::<u16>(), path in "[a-z/]{0,9}") {
            for address in [format!("http://{name}:{port}/{path}"), format!("https://u@{name}?{path}")] {
                prop_assert_eq!(host(&address), name.as_str());
            }
        }

        #[test]
        fn host_of_any_text_is_a_part_of_it_without_delimiters(text in ".{0,60}") {
            let host = host(&text);
            prop_assert!(text.contains(host));
            prop_assert!(!host.contains(['/', '?', '@']), "{host:?} of {text:?}");
        }
    }
}
