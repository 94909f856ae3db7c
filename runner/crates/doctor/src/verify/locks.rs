//! Stale locks on file systems without flock. There, a client writes its process and host into the lock,
//! and other clients wait forever if that process is gone.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use hub::layout::{Dir, age};
use untrusted::Refused;

use super::access::repo_of;
use crate::finding::{DAY, Details, Finding, Problem};

/// Size limit of a lock.
const LARGEST: u64 = 4096;

/// The process that holds a lock.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Holder<'a> {
    process: u32,
    host: &'a str,
}

/// Finds the stale ones among the `written` locks of the cache `hub`.
pub(super) fn stale(hub: &Dir, written: &[PathBuf], now: SystemTime) -> Vec<Finding> {
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    written.iter().filter_map(|path| check(hub, path, host.trim(), now)).collect()
}

/// Checks the lock at `path` on the host `here`.
fn check(hub: &Dir, path: &Path, here: &str, now: SystemTime) -> Option<Finding> {
    let found = |problem, bytes, evidence, details| {
        let (repo, path) = (repo_of(path), path.to_owned());
        Some(Finding { problem, path, repo, bytes, evidence, details })
    };
    let text = match hub.read(path, LARGEST) {
        Ok(text) => text,
        Err(error) if matches!(Refused::of(&error), Some(Refused::TooLarge(_))) => {
            return found(Problem::ForeignFile, 0, error.to_string(), Details::None);
        }
        // The check of owners and modes reports it.
        Err(_) => return None,
    };
    let text = String::from_utf8_lossy(&text);
    let Holder { process, host } = holder(&text)?;
    let evidence = if host == here {
        format!("process {process} of this host is gone")
    } else {
        format!("process {process} of the host `{host}` made it, over 24 hours ago")
    };
    // It is unknown whether a process on another host is alive.
    let idle = if host == here { Duration::ZERO } else { DAY };
    if host == here && is_alive(process) || age(&hub.look(path).ok()?, now) < idle {
        return None;
    }
    // A repair keeps a lock that is held by flock.
    let details = Details::Unused { lock: Some(path.to_owned()), idle };
    found(Problem::StaleLock, text.len() as u64, evidence, details)
}

/// Whether a process with this id runs here, or in a container that shares the host's name. Such a
/// process writes the id of its own namespace into the lock.
fn is_alive(process: u32) -> bool {
    // Unknown counts as alive, so the lock is kept.
    let Ok(processes) = fs::read_dir("/proc") else { return true };
    let has_id = |entry: fs::DirEntry| {
        entry.file_name().to_str().and_then(|name| name.parse().ok()) == Some(process)
            || fs::read_to_string(entry.path().join("status"))
                .is_ok_and(|status| namespace_id(&status) == Some(process))
    };
    processes.flatten().any(has_id)
}

/// The id of a process in its own namespace, from `/proc/PID/status`. It is the last one listed.
fn namespace_id(status: &str) -> Option<u32> {
    let numbers = status.lines().find_map(|line| line.strip_prefix("NSpid:"))?;
    numbers.split_ascii_whitespace().next_back()?.parse().ok()
}

/// Parses `PROCESS\nHOST\n`. Further lines are ignored.
fn holder(text: &str) -> Option<Holder<'_>> {
    let mut lines = text.lines();
    let process = lines.next()?.trim().parse().ok()?;
    let host = lines.next()?.trim();
    (!host.is_empty()).then_some(Holder { process, host })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{DAY, Holder, Problem, SystemTime, holder, is_alive, namespace_id, stale};
    use hub::layout::Dir;

    #[test]
    fn holder_is_parsed_from_two_lines() {
        let made = Holder { process: 7, host: "box" };
        assert_eq!(holder("7\nbox\n"), Some(made.clone()));
        assert_eq!(holder("7\nbox\n12345\n"), Some(made));
        for text in ["", "7", "x\nbox", "7\n\n"] {
            assert_eq!(holder(text), None, "{text:?}");
        }
    }

    #[test]
    fn namespace_id_is_the_last_one() {
        assert_eq!(namespace_id("Name:\tx\nNSpid:\t4711\t57\n"), Some(57));
        assert_eq!(namespace_id("NSpid:\t4711\n"), Some(4711));
        assert_eq!(namespace_id("Name:\tx\n"), None);
        assert!(is_alive(std::process::id()) && !is_alive(4_194_305));
    }

    #[test]
    fn lock_is_stale_if_its_process_is_gone_or_it_is_from_another_host_and_a_day_old() {
        let folder = tempfile::tempdir().unwrap();
        let locks = folder.path().join(".locks/models--a--b");
        fs::create_dir_all(&locks).unwrap();
        let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
        let mut written = Vec::new();
        for (name, text) in [
            ("alive", format!("{}\n{host}", std::process::id())),
            ("dead", format!("4194305\n{host}")),
            ("away", "1\nelsewhere\n".to_owned()),
            ("odd", "hello".to_owned()),
            ("vast", "1".repeat(5000)),
        ] {
            fs::write(locks.join(name), text).unwrap();
            written.push(format!(".locks/models--a--b/{name}").into());
        }
        let stale_at = |now| stale(&Dir::open(folder.path()).unwrap(), &written, now);
        let now = SystemTime::now();
        let young = stale_at(now);
        assert!(young.iter().all(|found| !found.path.ends_with("away")), "{young:?}");
        let found = stale_at(now + DAY);
        let names: Vec<_> =
            found.iter().map(|found| found.path.file_name().unwrap().to_str().unwrap()).collect();
        assert_eq!(names, ["dead", "away", "vast"]);
        let kinds = found.iter().map(|found| found.problem);
        assert!(kinds.eq([Problem::StaleLock, Problem::StaleLock, Problem::ForeignFile]));
    }
}
