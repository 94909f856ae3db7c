//! Which limits of a container an engine enforces on its machine.

/// Which limits of a container an engine enforces. Without the controller of a control group, Docker
/// drops the limit and crun fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Of memory.
    pub memory: bool,
    /// Of processes and threads.
    pub processes: bool,
}

impl Limits {
    /// Both.
    pub const ALL: Self = Self { memory: true, processes: true };

    /// Neither.
    pub const NONE: Self = Self { memory: false, processes: false };

    /// Podman's, by the version of the control groups and the controllers in them, if it tells these.
    /// Those of version 1 are root's alone; of version 2 a user has what is delegated.
    pub(super) fn of_podman(rootless: bool, groups: &str, controllers: Option<&[String]>) -> Self {
        match (groups, controllers) {
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
    fn podman_limits_what_is_delegated_to_it() {
        let of = |rootless, groups, controllers: Option<&[&str]>| {
            let controllers = controllers
                .map(|names| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
            let Limits { memory, processes } =
                Limits::of_podman(rootless, groups, controllers.as_deref());
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
