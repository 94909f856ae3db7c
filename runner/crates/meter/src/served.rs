//! Where the model ran, and the GPUs that were metered for it.

use std::net::IpAddr;

use contract::{
    HOST_GATEWAY,
    host_meter::{HostMeter, MeteredDevice},
    summary::DeviceKind,
};
use host::machine::own_address::{self, host};

/// Podman's name for the host of its containers.
const PODMANS_GATEWAY: &str = "host.containers.internal";

/// Where the model ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Served {
    /// In the benchmark itself.
    ByItself,
    /// In a server on this machine.
    Here,
    /// In a server somewhere else.
    Elsewhere,
}

impl Served {
    /// Where the model of a run runs that asks the server at `endpoint`, if it asks one.
    pub fn by(endpoint: Option<&str>) -> Self {
        match endpoint {
            None => Self::ByItself,
            Some(endpoint) if is_own(endpoint, &own_address::is_ours) => Self::Here,
            Some(_) => Self::Elsewhere,
        }
    }
}

/// Whether `endpoint` is an address of this machine, whose addresses `is_ours` knows.
fn is_own(endpoint: &str, is_ours: &dyn Fn(IpAddr) -> bool) -> bool {
    let host = host(endpoint);
    if host.is_empty() {
        return false;
    }
    [HOST_GATEWAY, PODMANS_GATEWAY].contains(&host) || own_address::is_own(host, is_ours)
}

/// The GPUs that were metered.
pub(super) fn gpus(meter: &HostMeter) -> impl Iterator<Item = &MeteredDevice> {
    meter.devices.iter().filter(|device| device.kind == DeviceKind::Gpu)
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use proptest::prelude::*;

    use super::{Served, host, is_own};

    #[test]
    fn an_address_has_one_host() {
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
    fn this_machine_has_several_names() {
        let own: IpAddr = [192, 168, 7, 7].into();
        let is = |endpoint: &str| is_own(endpoint, &|address| address == own);
        for here in [
            "http://host.docker.internal:8000/v1",
            "http://host.containers.internal:8000",
            "http://localhost:1/v1",
            "http://127.0.0.2:1/v1",
            "http://[::1]:1",
            "http://192.168.7.7:8000",
        ] {
            assert!(is(here), "{here}");
        }
        for elsewhere in ["http://192.168.7.8:8000/v1", "http://", "", "http://[2001:db8::1]/v1"] {
            assert!(!is(elsewhere), "{elsewhere}");
        }
        assert_eq!(Served::by(Some("http://0.0.0.0:8000")), Served::Here);
        // A network that is set aside for documentation (RFC 5737).
        assert_eq!(Served::by(Some("http://192.0.2.1:8000/v1")), Served::Elsewhere);
    }

    proptest! {
        /// Whatever surrounds it, the host of an address is found; and no text breaks anything.
        #[test]
        fn a_host_is_found_in_any_address(name in "[a-z0-9.-]{1,20}", port in any::<u16>(), path in "[a-z/]{0,9}", text in ".{0,60}") {
            for address in [format!("http://{name}:{port}/{path}"), format!("https://u@{name}?{path}")] {
                prop_assert_eq!(host(&address), name.as_str());
            }
            host(&text);
        }
    }
}
