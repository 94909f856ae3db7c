//! Locks that only their existence keeps: where a file system has no flock, a client writes its
//! process and host into the lock, and waits for ever for one whose process is gone.

use std::{
    fs, io,
    path::Path,
    time::{Duration, SystemTime},
};

use untrusted::Refused;

use super::access::Walked;
use crate::hub_cache::{
    breakage::{A_DAY, Breakage, Fix, What},
    dir::{Dir, age},
    names::RepoName,
};

/// Bytes of the largest lock that is read.
const LARGEST: u64 = 4096;

/// Who made a lock.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Holder<'a> {
    process: u32,
    host: &'a str,
}

/// Judges the locks of the cache `hub` that hold a text.
pub(crate) fn judge(hub: &Dir, walked: &Walked, now: SystemTime) -> Vec<Breakage> {
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let here = host.trim();
    let locks = walked.written_locks.iter();
    locks
        .filter_map(|path| {
            let text = match hub.read(path, LARGEST) {
                Err(error) if matches!(Refused::of(&error), Some(Refused::TooLarge(_))) => {
                    return Some(too_large(path, &error));
                }
                // What is closed was told by its owner and mode.
                read => read.ok()?,
            };
            let text = String::from_utf8_lossy(&text).into_owned();
            let Holder { process, host } = holder(&text)?;
            let of_here = host == here;
            // Nobody here can tell whether a process of another host or container is alive.
            let idle = if of_here { Duration::ZERO } else { A_DAY };
            if of_here && is_alive(process) || age(&hub.look(path).ok()?, now) < idle {
                return None;
            }
            let evidence = if of_here {
                format!("process {process} of this host is gone")
            } else {
                format!("process {process} of the host `{host}` made it, over 24 hours ago")
            };
            // Whoever holds it by flock keeps it.
            let fixes = vec![Fix::Remove { path: path.clone(), lock: Some(path.clone()), idle }];
            Some(Breakage {
                what: What::StaleLock,
                path: path.clone(),
                repo: repo_of(path),
                bytes: text.len() as u64,
                evidence,
                fixes,
            })
        })
        .collect()
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

fn too_large(path: &Path, error: &io::Error) -> Breakage {
    Breakage {
        what: What::TooLarge,
        path: path.to_owned(),
        repo: repo_of(path),
        bytes: 0,
        evidence: error.to_string(),
        fixes: vec![],
    }
}

fn repo_of(path: &Path) -> Option<RepoName> {
    path.iter().nth(1).and_then(|folder| RepoName::of_folder(folder.to_str()?))
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

    use super::{A_DAY, Holder, SystemTime, Walked, holder, is_alive, judge, own_number};
    use crate::hub_cache::{breakage::What, dir::Dir};

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
        let mut walked = Walked::default();
        for (name, text) in [
            ("alive", format!("{}\n{host}", std::process::id())),
            ("dead", format!("4194305\n{host}")),
            ("away", "1\nelsewhere\n".to_owned()),
            ("odd", "hello".to_owned()),
            ("vast", "1".repeat(5000)),
        ] {
            fs::write(locks.join(name), text).unwrap();
            walked.written_locks.push(format!(".locks/models--a--b/{name}").into());
        }
        let judged = |now| judge(&Dir::open(folder.path()).unwrap(), &walked, now);
        let now = SystemTime::now();
        let young = judged(now);
        assert!(young.iter().all(|found| !found.path.ends_with("away")), "{young:?}");
        let found = judged(now + A_DAY);
        let names: Vec<_> = found
            .iter()
            .map(|breakage| breakage.path.file_name().unwrap().to_str().unwrap())
            .collect();
        assert_eq!(names, ["dead", "away", "vast"]);
        let kinds = found.iter().map(|breakage| breakage.what);
        assert!(kinds.eq([What::StaleLock, What::StaleLock, What::TooLarge]));
    }
}
