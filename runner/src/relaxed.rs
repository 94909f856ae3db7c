//! What a user takes off the container, or adds to it.

/// Which limits of the container a user does without. By default there are all of them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Relaxed {
    /// The container may write outside of its mounts.
    pub writable_root: bool,
    /// It keeps the capabilities that the engine gives by default.
    pub capabilities: bool,
    /// Its programs may gain privileges, by set-user-ID files.
    pub new_privileges: bool,
    /// It may have as many processes as the engine lets it.
    pub processes: bool,
    /// It sees the token files in the mounted HuggingFace home.
    pub tokens: bool,
    /// SELinux does not confine it. Without it, a host with SELinux closes the mounts.
    pub selinux: bool,
}
