//! Facts about this machine and the caller, read once and passed on.

pub mod homes;
pub mod isolation;
pub mod own_address;
pub mod snap;

use std::{
    collections::BTreeMap,
    fs,
    net::{IpAddr, Ipv4Addr, UdpSocket},
    path::{Path, PathBuf},
    time::SystemTime,
};

use anyhow::Context as _;
use contract::env;

use crate::{
    environment::Environment,
    exit::Usage,
    machine::{homes::home_of, isolation::Isolation},
};

/// Facts about the machine and the caller that a plan needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// Effective user id.
    pub uid: u32,
    /// Effective group id.
    pub gid: u32,
    /// Supplementary groups.
    pub groups: Vec<u32>,
    /// Home folder, if the user has one.
    pub home: Option<PathBuf>,
    /// Homes of other users that variables name as `~USER`.
    pub homes: BTreeMap<String, PathBuf>,
    /// The umask, where the kernel reports it.
    pub umask: Option<u32>,
    /// Working directory.
    pub cwd: PathBuf,
    /// Environment variables of the caller.
    pub env: Environment,
    /// NVIDIA GPUs with a loaded driver.
    pub nvidia_gpus: usize,
    /// Whether AMD's driver for computing on GPUs is loaded.
    pub amd_driver: bool,
    /// Containers and services that hide files or devices from this program.
    pub isolation: Isolation,
    /// Whether SELinux is enforcing on this machine.
    pub selinux: bool,
    /// The entrypoint program for the host engine, if it is built or installed.
    pub entrypoint: Option<PathBuf>,
    /// The address by which other machines reach this one, if it has a route.
    pub address: Option<IpAddr>,
    /// Start time, which becomes part of the run id.
    pub now: SystemTime,
    /// Process id.
    pub pid: u32,
}

impl Host {
    /// Reads all facts.
    ///
    /// # Errors
    /// When the working directory does not exist, or a variable ends with a carriage return.
    pub fn read() -> anyhow::Result<Self> {
        let cwd = std::env::current_dir()
            .context("reading the working directory; change to one that exists")?;
        let env = Environment::of_process();
        if let Some(name) = env.with_carriage_return() {
            return Err(Usage(format!(
                "{name} ends with a carriage return (\\r), as from a file with Windows line ends; \
                 remove it"
            ))
            .into());
        }
        let executable = std::env::current_exe().ok();
        Ok(Self {
            uid: rustix::process::geteuid().as_raw(),
            gid: rustix::process::getegid().as_raw(),
            groups: rustix::process::getgroups()
                .context("reading your groups")?
                .into_iter()
                .map(rustix::process::Gid::as_raw)
                .collect(),
            umask: umask(&fs::read_to_string("/proc/self/status").unwrap_or_default()),
            home: dirs::home_dir(),
            homes: env.users().filter_map(|name| Some((name.to_owned(), home_of(name)?))).collect(),
            nvidia_gpus: count_gpus(Path::new("/proc/driver/nvidia/gpus")),
            amd_driver: Path::new("/dev/kfd").exists(),
            isolation: Isolation::read(dirs::home_dir().as_deref()),
            selinux: enforces(Path::new("/sys/fs/selinux/enforce")),
            entrypoint: entrypoint_candidates(&env, executable.as_deref())
                .into_iter()
                .find(|candidate| candidate.is_file()),
            address: address(),
            now: SystemTime::now(),
            pid: std::process::id(),
            cwd,
            env,
        })
    }
}

impl Host {
    /// Whether there is an NVIDIA GPU. The driver of WSL2 does not list its GPUs.
    pub const fn has_nvidia(&self) -> bool {
        self.nvidia_gpus > 0 || self.isolation.wsl_gpu
    }

    /// Whether there is any NVIDIA or AMD GPU.
    pub const fn has_gpus(&self) -> bool {
        self.has_nvidia() || self.amd_driver
    }
}

/// The umask in `/proc/PID/status`. Calling umask(2) would change it.
fn umask(status: &str) -> Option<u32> {
    let text = status.lines().find_map(|line| line.strip_prefix("Umask:"))?;
    u32::from_str_radix(text.trim(), 8).ok()
}

/// Whether SELinux is enforcing. Without SELinux the file does not exist.
fn enforces(file: &Path) -> bool {
    fs::read_to_string(file).is_ok_and(|text| text.trim() == "1")
}

/// The address of the interface with the default route. Nothing is sent: connecting a UDP socket only
/// chooses a route, here to a network reserved for documentation (RFC 5737).
fn address() -> Option<IpAddr> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
    socket.connect((Ipv4Addr::new(192, 0, 2, 1), 9)).ok()?;
    socket.local_addr().ok().map(|address| address.ip())
}

/// Counts GPUs: NVIDIA's driver has one folder for each.
fn count_gpus(driver: &Path) -> usize {
    fs::read_dir(driver).map_or(0, Iterator::count)
}

/// Candidate paths of the entrypoint: only the variable's path if it is set, else the build folder, the
/// runner's folder, and PATH. The build folder comes first, because the program that cargo builds in the
/// runner's folder may lack the `native` backend.
fn entrypoint_candidates(env: &Environment, executable: Option<&Path>) -> Vec<PathBuf> {
    if let Some(named) = env.get(env::ENTRYPOINT) {
        return vec![named.into()];
    }
    let beside = executable.and_then(Path::parent);
    let built = beside.and_then(Path::parent).map(|target| target.join("entrypoint"));
    let path = env.get("PATH").map(std::env::split_paths).into_iter().flatten();
    built
        .into_iter()
        .chain(beside.map(Path::to_owned))
        .chain(path)
        .map(|folder| folder.join(contract::ENTRYPOINT))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{entrypoint_candidates, umask};

    #[test]
    fn umask_is_read_from_the_status_file() {
        assert_eq!(umask("Name:\tx\nUmask:\t0077\nState:\tR\n"), Some(0o077));
        assert_eq!(umask("Name:\tx\n"), None);
    }

    #[test]
    fn a_named_entrypoint_is_the_only_candidate() {
        let named = [("AIENERGYSCORE_ENTRYPOINT", "/e"), ("PATH", "/bin")].into_iter().collect();
        let executable = Some(Path::new("/t/debug/aienergyscore"));
        assert_eq!(entrypoint_candidates(&named, executable), [Path::new("/e")]);
        let searched = [("PATH", "/bin:/usr/bin")].into_iter().collect();
        let program = contract::ENTRYPOINT;
        assert_eq!(
            entrypoint_candidates(&searched, executable),
            ["/t/entrypoint", "/t/debug", "/bin", "/usr/bin"]
                .map(|folder| Path::new(folder).join(program))
        );
    }
}
