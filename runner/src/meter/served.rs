//! Where the model ran, and the GPUs that were metered for it.

use contract::{
    host_meter::{HostMeter, MeteredDevice},
    summary::DeviceKind,
};

/// Where the model ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Served {
    /// In the benchmark itself.
    ByItself,
    /// In a server on this machine.
    Here,
    /// In a server somewhere else.
    Elsewhere,
}

/// The GPUs that were metered.
pub(super) fn gpus(meter: &HostMeter) -> impl Iterator<Item = &MeteredDevice> {
    meter.devices.iter().filter(|device| device.kind == DeviceKind::Gpu)
}
