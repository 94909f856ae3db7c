//! The resource limits that an engine enforces on its machine.

/// The resource limits that an engine enforces. Without the cgroup controller, Docker ignores the limit
/// and crun fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// `--memory`.
    pub memory: bool,
    /// `--pids-limit`.
    pub processes: bool,
}

impl Limits {
    /// Both limits.
    pub const ALL: Self = Self { memory: true, processes: true };

    /// No limit.
    pub const NONE: Self = Self { memory: false, processes: false };

    /// Podman's limits. Only root has the controllers of cgroup v1; a user has the controllers of
    /// cgroup v2 that are delegated, if Podman lists them.
    pub(super) fn of_podman(rootless: bool, cgroups: &str, controllers: Option<&[String]>) -> Self {
        match (cgroups, controllers) {
            ("v1", _) if rootless => Self::NONE,
            ("v1", _) | (_, None) => Self::ALL,
            (_, Some(controllers)) => {
                let has = |name: &str| controllers.iter().any(|controller| controller == name);
                Self { memory: has("memory"), processes: has("pids") }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Limits;

    #[test]
    fn podman_enforces_the_limits_of_its_delegated_controllers() {
        let of = |rootless, cgroups, controllers: Option<&[&str]>| {
            let controllers = controllers
                .map(|names| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
            let Limits { memory, processes } =
                Limits::of_podman(rootless, cgroups, controllers.as_deref());
            (memory, processes)
        };
        assert_eq!(of(true, "v2", Some(&[])), (false, false));
        assert_eq!(of(true, "v2", Some(&["cpu", "pids"])), (false, true));
        assert_eq!(of(true, "v2", Some(&["memory"])), (true, false));
        assert_eq!(of(true, "v2", None), (true, true));
        assert_eq!(of(false, "v2", Some(&["hugetlb"])), (false, false));
        assert_eq!(of(true, "v1", Some(&["memory", "pids"])), (false, false));
        assert_eq!(of(false, "v1", Some(&[])), (true, true));
    }
}
