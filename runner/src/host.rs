//! Facts of this machine and of the caller, read once and passed on.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs,
    net::{IpAddr, Ipv4Addr, UdpSocket},
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
    time::SystemTime,
};

use anyhow::Context as _;
use contract::env;

use crate::{
    exit::Usage,
    homes::{home_of, user},
    surroundings::Surroundings,
};

/// The caller's environment, as a map: nothing below reads the process's own.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Environment(BTreeMap<OsString, OsString>);

impl Environment {
    /// The environment of this process.
    pub fn of_process() -> Self {
        std::env::vars_os().collect()
    }

    /// The value of `name`; an empty one counts as unset, because passing it on would make
    /// huggingface_hub's paths relative.
    pub fn get(&self, name: &str) -> Option<&OsString> {
        self.0.get(Path::new(name).as_os_str()).filter(|value| !value.is_empty())
    }

    /// The value of `name` as it is, also an empty one, as text.
    pub(crate) fn raw(&self, name: &str) -> Option<String> {
        let value = self.0.get(Path::new(name).as_os_str())?;
        Some(value.to_string_lossy().into_owned())
    }

    /// A variable of ours whose value ends with a carriage return.
    fn with_carriage_return(&self) -> Option<&'static str> {
        // The Hub client takes it off a secret itself.
        let is_path = |name: &&str| ![env::HF_TOKEN, env::VLLM_API_KEY].contains(name);
        let names = env::HOST.into_iter().filter(is_path);
        let paths = [env::XDG_CACHE_HOME, env::XDG_STATE_HOME, env::HUGGINGFACE_HUB_CACHE];
        let addresses = env::ADDRESSES.iter().flat_map(|address| address.names.iter().copied());
        let network = addresses.chain(env::OFFLINE).chain(env::NO_PROXY);
        let mut names = names.chain(paths).chain(network);
        names.find(|name| self.get(name).is_some_and(|value| value.as_bytes().ends_with(b"\r")))
    }

    /// The variable that keeps the Hub's libraries from the network, if one does.
    pub(crate) fn offline(&self) -> Option<&'static str> {
        let is_true = |name: &&str| {
            let value = self.text(name).unwrap_or_default().to_uppercase();
            ["1", "ON", "YES", "TRUE"].contains(&value.as_str())
        };
        // huggingface_hub 2.4 (`constants.py`): the first that is set decides, and `datasets` has its own.
        let [hub, transformers, datasets] = env::OFFLINE;
        let first = [hub, transformers].into_iter().find(|name| self.get(name).is_some());
        first.into_iter().chain([datasets]).find(is_true)
    }

    /// The users whose homes the values of variables begin with.
    fn users(&self) -> impl Iterator<Item = &str> {
        let values = self.0.values().filter_map(|value| value.to_str());
        values.filter_map(|value| Some(user(value)?.0)).filter(|name| !name.is_empty())
    }

    /// The value of `name` as text, replacement characters for what is not UTF-8.
    pub fn text(&self, name: &str) -> Option<String> {
        self.get(name).map(|value| value.to_string_lossy().into_owned())
    }
}

impl<N: Into<OsString>, V: Into<OsString>> FromIterator<(N, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Self {
        Self(pairs.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }
}

/// What a plan must know of the machine and the caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// Effective user id.
    pub uid: u32,
    /// Effective group id.
    pub gid: u32,
    /// Supplementary groups.
    pub groups: Vec<u32>,
    /// Home folder, if there is any.
    pub home: Option<PathBuf>,
    /// Homes of other users that variables name as `~USER`.
    pub homes: BTreeMap<String, PathBuf>,
    /// Permissions that new files lack; none where the kernel does not tell.
    pub umask: Option<u32>,
    /// Working directory.
    pub cwd: PathBuf,
    /// The caller's environment.
    pub env: Environment,
    /// NVIDIA GPUs with a loaded driver.
    pub nvidia_gpus: usize,
    /// Whether AMD's driver for computing on GPUs is loaded.
    pub amd_driver: bool,
    /// What surrounds this program.
    pub surroundings: Surroundings,
    /// Whether SELinux confines what runs here.
    pub selinux: bool,
    /// The program of the host engine, if it has been built or installed.
    pub entrypoint: Option<PathBuf>,
    /// The address by which others reach this machine, if it has a route to any.
    pub address: Option<IpAddr>,
    /// The moment that names this run.
    pub now: SystemTime,
    /// This process's id.
    pub pid: u32,
}

impl Host {
    /// Reads the facts.
    ///
    /// # Errors
    /// When the working directory is gone, or a variable cannot be meant.
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
            surroundings: Surroundings::read(dirs::home_dir().as_deref()),
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
    /// Whether there is a GPU that NVIDIA's driver serves: that of WSL2 does not list them.
    pub(crate) const fn has_nvidia(&self) -> bool {
        self.nvidia_gpus > 0 || self.surroundings.wsl_gpu
    }

    /// Whether there is any GPU, of NVIDIA or AMD.
    pub(crate) const fn has_gpus(&self) -> bool {
        self.has_nvidia() || self.amd_driver
    }
}

/// The umask in a process's `status`, without changing it as umask(2) would.
fn umask(status: &str) -> Option<u32> {
    let text = status.lines().find_map(|line| line.strip_prefix("Umask:"))?;
    u32::from_str_radix(text.trim(), 8).ok()
}

/// Whether SELinux does more than to watch; without it there is no such file.
fn enforces(file: &Path) -> bool {
    fs::read_to_string(file).is_ok_and(|text| text.trim() == "1")
}

/// The address of the interface by which this machine reaches others. Nothing is sent: connecting a
/// UDP socket only chooses a route, here to a network that is set aside for documentation
/// (RFC 5737).
fn address() -> Option<IpAddr> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
    socket.connect((Ipv4Addr::new(192, 0, 2, 1), 9)).ok()?;
    socket.local_addr().ok().map(|address| address.ip())
}

/// NVIDIA's driver keeps one folder per GPU; without a driver there is no folder at all.
fn count_gpus(driver: &Path) -> usize {
    fs::read_dir(driver).map_or(0, Iterator::count)
}

/// Where the entrypoint program may be: where the variable says and nowhere else, or in the build
/// folder that the runner lies in, or beside the runner, or on the search path. The build folder's
/// is whole; beside a runner that cargo built there may be one without the `native` backend.
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

    use super::{Environment, entrypoint_candidates, umask};

    #[test]
    fn the_umask_is_read_without_changing_it() {
        assert_eq!(umask("Name:\tx\nUmask:\t0077\nState:\tR\n"), Some(0o077));
        assert_eq!(umask("Name:\tx\n"), None);
    }

    #[test]
    fn any_of_the_hubs_libraries_can_be_told_to_stay_offline() {
        let told = |name: &str, value: &str| {
            [(name, value)].into_iter().collect::<Environment>().offline()
        };
        assert_eq!(told("HF_HUB_OFFLINE", "1"), Some("HF_HUB_OFFLINE"));
        assert_eq!(told("TRANSFORMERS_OFFLINE", "yes"), Some("TRANSFORMERS_OFFLINE"));
        assert_eq!(told("HF_DATASETS_OFFLINE", "True"), Some("HF_DATASETS_OFFLINE"));
        let both = [("HF_HUB_OFFLINE", "0"), ("TRANSFORMERS_OFFLINE", "1")];
        assert_eq!(both.into_iter().collect::<Environment>().offline(), None);
        for value in ["0", "", "no", "false"] {
            assert_eq!(told("HF_HUB_OFFLINE", value), None, "{value}");
        }
    }

    #[test]
    fn a_carriage_return_is_found_in_every_variable_of_ours() {
        for name in ["HF_ENDPOINT", "https_proxy", "NO_PROXY", "HF_HUB_OFFLINE", "HF_HOME"] {
            let env: Environment = [(name, "x\r")].into_iter().collect();
            assert_eq!(env.with_carriage_return(), Some(name));
        }
    }

    #[test]
    fn an_empty_variable_is_an_unset_one() {
        let env: Environment = [("HF_HOME", ""), ("HOME", "/h")].into_iter().collect();
        assert_eq!(env.get("HF_HOME"), None);
        assert_eq!(env.text("HOME").as_deref(), Some("/h"));
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
