//! Where the files of a run lie that are no results: its secrets, and its container's id.

use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};

use crate::{
    exit::Usage, host::Host, host_path::HostPath, run_id::PREFIX, surroundings::Surroundings,
};

/// A file that a run makes: in the user's own folder for such, where there is one that lies in none
/// of `apart`. What `su` or a container hands on may name somebody else's.
///
/// # Errors
/// When no engine can mount its path.
pub(crate) fn file_of_run(
    host: &Host,
    run_id: &str,
    what: &str,
    apart: &[PathBuf],
) -> Result<HostPath, Usage> {
    let is_apart = |folder: &Path| {
        let real = folder.canonicalize().ok();
        real.is_some_and(|real| !apart.iter().any(|other| real.starts_with(other)))
    };
    let serves = |folder: &String| {
        let folder = Path::new(folder);
        folder.is_absolute()
            && folder.is_dir()
            && access(folder, Access::WRITE_OK | Access::EXEC_OK).is_ok()
            && is_apart(folder)
    };
    let named = ["XDG_RUNTIME_DIR", "TMPDIR"].into_iter().filter_map(|name| host.env.text(name));
    let named: Vec<_> = named.filter(serves).collect();
    // An engine must find a secret there, too.
    let usual = [format!("/run/user/{}", host.uid), "/dev/shm".to_owned()];
    let text = |folder: &PathBuf| folder.to_string_lossy().into_owned();
    let Surroundings { snap, shared, .. } = &host.surroundings;
    let elsewhere = if host.surroundings.private_tmp { &usual[..] } else { &[] };
    let seen = named.iter().cloned().chain(shared.iter().map(text));
    let seen = seen.chain(elsewhere.iter().cloned());
    let is_seen = |folder: &String| !host.surroundings.hides(Path::new(folder));
    let mut seen = snap.iter().map(text).chain(seen.filter(is_seen));
    let folder = seen.find(serves);
    let folder = folder.or(named.into_iter().next()).unwrap_or_else(|| "/tmp".to_owned());
    let file = Path::new(&folder).join(format!("{PREFIX}{run_id}-{what}"));
    HostPath::new("file of the run", &file, &host.cwd)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::file_of_run;
    use crate::{host::Host, surroundings::Surroundings, testing::host};

    #[test]
    fn files_lie_where_the_engine_sees_them() {
        let folder = tempfile::tempdir().unwrap();
        let own: PathBuf = folder.path().to_owned();
        let at = |surroundings: Surroundings, variables: &[(&str, &str)]| {
            let env = variables.iter().copied().collect();
            let host = Host { surroundings, env, ..host() };
            let file = file_of_run(&host, "ID", "token", &[]).unwrap().to_string();
            file.strip_suffix("/aienergyscore-ID-token").unwrap().to_owned()
        };
        let none = Surroundings::default;
        let shown = own.to_str().unwrap();
        assert_eq!(at(none(), &[]), "/tmp");
        let snap = Surroundings { snap: Some(own.clone()), ..none() };
        assert_eq!(at(snap, &[("TMPDIR", "/var/tmp")]), shown);
        let container = Surroundings { container: true, shared: vec![own.clone()], ..none() };
        assert_eq!(at(container.clone(), &[]), shown);
        assert_eq!(at(container.clone(), &[("TMPDIR", "/dev/shm")]), shown);
        let within = own.join("tmp");
        std::fs::create_dir(&within).unwrap();
        assert_eq!(
            at(container, &[("TMPDIR", within.to_str().unwrap())]),
            within.to_str().unwrap()
        );
        let private = Surroundings { private_tmp: true, ..none() };
        assert_eq!(at(private, &[("XDG_RUNTIME_DIR", "/var/tmp")]), "/dev/shm");
    }
}
