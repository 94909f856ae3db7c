//! What runs left that were killed with everything that looked after them: files with the ids of
//! containers, and containers that Podman had begun to make and does not know of.

use std::path::Path;

use untrusted::{Dir, Kind};

use super::survivors;
use crate::{
    engine::Engine,
    leftovers::Process,
    run_id::{PREFIX, runner_of},
    terminal::warn,
};

/// Removes the files with ids of containers from the results folder, which is the run's `run_id` alone.
pub(super) fn remove_ids(results: &Path, run_id: &str) {
    // What is in the way here is told where the folder is written to.
    let Ok(dir) = Dir::open(results) else { return };
    let mut found = vec![];
    let listed = dir.visit(|name, kind| {
        let run = name.to_str().and_then(|name| name.strip_prefix(".")?.strip_prefix(PREFIX));
        let run = run.and_then(|name| name.strip_suffix(".cid")).filter(|run| *run != run_id);
        let runner = run.and_then(runner_of).filter(|_| kind == Kind::File);
        // Where the file system has no locks, another run may use this folder.
        if runner.is_some_and(|pid| Process::of(pid) != Process::Runner) {
            found.push(name.to_owned());
        }
    });
    let removed = listed.and_then(|()| found.iter().try_for_each(|name| dir.remove(name)));
    warn(removed.err().map(|error| {
        format!("cannot remove ids of earlier containers from `{}`: {error}", results.display())
    }));
}

/// Ends what Podman began to make for a run that is gone, and did not finish.
pub(super) fn end_half_made(engine: &Engine) {
    if !engine.mode.is_podman() {
        return;
    }
    let is_dead = |container: &str| {
        let runner = container.strip_prefix(PREFIX).and_then(runner_of);
        runner.is_some_and(|pid| Process::of(pid) == Process::None)
    };
    for container in survivors::containers().into_iter().filter(|name| is_dead(name)) {
        let makers = survivors::makers(&container);
        // One in which a benchmark works is known to Podman, and is listed.
        if !makers.iter().any(survivors::works) {
            warn(survivors::end(&makers).warning());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use super::remove_ids;

    #[test]
    fn ids_of_dead_runs_go_and_all_else_stays() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let own = "20260101T000000Z-4194304";
        let living = format!(".aienergyscore-20260101T000000Z-{}.cid", std::process::id());
        let own_file = format!(".aienergyscore-{own}.cid");
        let kept = [".aienergyscore-notes.cid", "a.cid", &living, &own_file];
        let dead = ".aienergyscore-20260101T000000Z-4194305.cid";
        for name in kept.iter().chain(&[dead]) {
            fs::write(at(name), "0a").unwrap();
        }
        symlink("a.cid", at(".aienergyscore-20260101T000000Z-4194306.cid")).unwrap();
        remove_ids(folder.path(), own);
        assert!(!at(dead).exists());
        assert!(kept.iter().all(|name| at(name).exists()));
        assert!(at(".aienergyscore-20260101T000000Z-4194306.cid").is_symlink());
    }
}
