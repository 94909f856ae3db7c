//! Locks that only their existence keeps: where a file system has no flock, a client writes its
//! process and host into the lock, and waits for ever for one whose process is gone.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use hub::layout::{Dir, age};
use untrusted::Refused;

use super::access::repo_of;
use crate::finding::{A_DAY, Details, Finding, Problem};

/// Bytes of the largest lock that is read.
const LARGEST: u64 = 4096;

/// The process that made a lock.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Holder<'a> {
    process: u32,
    host: &'a str,
}

/// Finds stale locks among those of the cache `hub` that hold a text.
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
        // What cannot be read was reported by its owner and mode.
        Err(_) => return None,
    };
    let text = String::from_utf8_lossy(&text);
    let Holder { process, host } = holder(&text)?;
    let evidence = if host == here {
        format!("process {process} of this host is gone")
    } else {
        format!("process {process} of the host `{host}` made it, over 24 hours ago")
    };
    // Nobody here can tell whether a process of another host or container is alive.
    let idle = if host == here { Duration::ZERO } else { A_DAY };
    if host == here && is_alive(process) || age(&hub.look(path).ok()?, now) < idle {
        return None;
    }
    // A process that holds it by flock keeps it.
    let details = Details::Unused { lock: Some(path.to_owned()), idle };
    found(Problem::StaleLock, text.len() as u64, evidence, details)
}

/// Whether a process has this number here or in a container: one that shares the host's name writes
/// the number that it has itself into a lock.
fn is_alive(process: u32) -> bool {
    // Where nobody can tell, nothing is taken.
    let Ok(processes) = fs::read_dir("/proc") else { return true };
    let has_number = |entry: fs::DirEntry| {
        entry.file_name().to_str().and_then(|name| name.parse().ok()) == Some(process)
            || fs::read_to_string(entry.path().join("status"))
                .is_ok_and(|status| own_number(&status) == Some(process))
    };
    processes.flatten().any(has_number)
}

/// The number that a process with this `/proc/PID/status` has itself, which is the innermost one.
fn own_number(status: &str) -> Option<u32> {
    let numbers = status.lines().find_map(|line| line.strip_prefix("NSpid:"))?;
    numbers.split_ascii_whitespace().next_back()?.parse().ok()
}

/// Reads `PROCESS\nHOST\n`, more lines aside.
fn holder(text: &str) -> Option<Holder<'_>> {
    let mut lines = text.lines();
    let process = lines.next()?.trim().parse().ok()?;
    let host = lines.next()?.trim();
    (!host.is_empty()).then_some(Holder { process, host })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{A_DAY, Holder, Problem, SystemTime, holder, is_alive, own_number, stale};
    use hub::layout::Dir;

    #[test]
    fn a_lock_tells_its_process_and_host() {
        let made = Holder { process: 7, host: "box" };
        assert_eq!(holder("7\nbox\n"), Some(made.clone()));
        assert_eq!(holder("7\nbox\n12345\n"), Some(made));
        for text in ["", "7", "x\nbox", "7\n\n"] {
            assert_eq!(holder(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_process_of_a_container_has_a_number_of_its_own() {
        assert_eq!(own_number("Name:\tx\nNSpid:\t4711\t57\n"), Some(57));
        assert_eq!(own_number("NSpid:\t4711\n"), Some(4711));
        assert_eq!(own_number("Name:\tx\n"), None);
        assert!(is_alive(std::process::id()) && !is_alive(4_194_305));
    }

    #[test]
    fn a_lock_is_stale_when_its_process_is_gone_or_of_another_host_and_a_day_old() {
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
        let judged = |now| stale(&Dir::open(folder.path()).unwrap(), &written, now);
        let now = SystemTime::now();
        let young = judged(now);
        assert!(young.iter().all(|found| !found.path.ends_with("away")), "{young:?}");
        let found = judged(now + A_DAY);
        let names: Vec<_> =
            found.iter().map(|found| found.path.file_name().unwrap().to_str().unwrap()).collect();
        assert_eq!(names, ["dead", "away", "vast"]);
        let kinds = found.iter().map(|found| found.problem);
        assert!(kinds.eq([Problem::StaleLock, Problem::StaleLock, Problem::ForeignFile]));
    }
}
