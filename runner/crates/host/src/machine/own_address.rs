//! Detects whether the address of a server is this machine.

use std::net::{IpAddr, Ipv6Addr, ToSocketAddrs as _, UdpSocket};

/// The host part of an address, without scheme, user, port and brackets.
pub fn host(address: &str) -> &str {
    let rest = address.trim().split_once("://").map_or(address.trim(), |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let address = authority.rsplit_once('@').map_or(authority, |(_, address)| address);
    if address.parse::<Ipv6Addr>().is_ok() {
        return address;
    }
    match address.strip_prefix('[') {
        Some(inner) => inner.split(']').next().unwrap_or_default(),
        None => address.split(':').next().unwrap_or_default(),
    }
}

/// Whether `host` names this machine. `is_ours` decides for an address.
pub fn is_own(host: &str, is_ours: &dyn Fn(IpAddr) -> bool) -> bool {
    if host == "localhost" {
        return true;
    }
    match host.parse::<IpAddr>() {
        Ok(address) => address.is_loopback() || is_ours(address),
        // The container resolves the same name.
        Err(_) => (host, 0)
            .to_socket_addrs()
            .is_ok_and(|mut found| found.any(|it| it.ip().is_loopback() || is_ours(it.ip()))),
    }
}

/// Whether an address belongs to this machine: binding to any other one fails.
pub fn is_ours(address: IpAddr) -> bool {
    UdpSocket::bind((address, 0)).is_ok()
}
