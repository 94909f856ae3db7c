//! Traps that a container or another user leaves in a results folder.

use std::{
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, symlink},
    path::Path,
    process::Command,
};

use rustix::{
    fs::{CWD, FileType, Mode, mknodat},
    process::getuid,
};

use crate::{
    fake_runs::GOOD,
    harness::{FakeDocker, Outcome, Sandbox, aienergyscore},
    results::Leaves,
};

/// A sandbox with a file that must not change, and an engine whose runs succeed.
struct Here {
    sandbox: Sandbox,
    _docker: FakeDocker,
}

impl Here {
    fn new() -> Self {
        Self::with_run(GOOD)
    }

    fn with_run(run: &str) -> Self {
        let docker = FakeDocker::with_run(run);
        let sandbox = Sandbox::new(Some(&docker));
        fs::create_dir_all(sandbox.cwd().join("results")).unwrap();
        fs::create_dir(sandbox.cwd().join("other")).unwrap();
        fs::write(sandbox.cwd().join("other/precious"), "mine").unwrap();
        Self { sandbox, _docker: docker }
    }

    fn at(&self, name: &str) -> std::path::PathBuf {
        self.sandbox.cwd().join(name)
    }

    fn run(&self, args: &[&str]) -> Outcome {
        let words = ["run", "--flavour", "smoke", "--no-token", "backend.model=m"];
        aienergyscore(&self.sandbox, words.iter().chain(args))
    }

    fn report(&self, args: &[&str]) -> Outcome {
        aienergyscore(&self.sandbox, ["report"].iter().chain(args))
    }

    /// Asserts that nothing outside of the results folder changed.
    fn assert_untouched(&self) {
        assert_eq!(fs::read_to_string(self.at("other/precious")).unwrap(), "mine");
        assert_eq!(fs::read_dir(self.at("other")).unwrap().count(), 1);
    }
}

#[test]
fn a_lock_file_that_is_another_file_is_refused_and_left_alone() {
    let here = Here::new();
    let lock = here.at("results/.aienergyscore.lock");
    type Plant<'a> = (&'a str, &'a dyn Fn(&Path));
    let plants: [Plant<'_>; 5] = [
        ("is a symlink", &|lock| symlink("../other/precious", lock).unwrap()),
        ("is a symlink", &|lock| symlink("../other/new", lock).unwrap()),
        ("is a hard link", &|lock| fs::hard_link(here.at("other/precious"), lock).unwrap()),
        ("is a FIFO", &|lock| mknodat(CWD, lock, FileType::Fifo, Mode::RWXU, 0).unwrap()),
        ("is a folder", &|lock| fs::create_dir(lock).unwrap()),
    ];
    for (said, plant) in plants {
        plant(&lock);
        let outcome = here.run(&[]);
        assert_eq!(outcome.code, Some(1), "{said}");
        let told = format!(".aienergyscore.lock` {said}");
        assert!(outcome.stderr.contains(&told), "{said}: {}", outcome.stderr);
        assert!(outcome.stderr.contains("delete it"), "{}", outcome.stderr);
        here.assert_untouched();
        if lock.is_dir() { fs::remove_dir(&lock) } else { fs::remove_file(&lock) }.unwrap();
    }
    assert_eq!(here.run(&[]).code, Some(0));
    assert_eq!(here.run(&[]).code, Some(0), "its own lock file is no obstacle");
}

#[test]
#[ignore = "needs root, to run as two users"]
fn another_users_lock_in_a_folder_of_everybodys_is_no_way_to_a_file() {
    assert!(getuid().is_root());
    let here = Here::new();
    let results = here.at("results");
    fs::set_permissions(&results, fs::Permissions::from_mode(0o1777)).unwrap();
    let lock = results.join(".aienergyscore.lock");
    symlink("../other/precious", &lock).unwrap();
    std::os::unix::fs::lchown(&lock, Some(4343), Some(4343)).unwrap();
    let outcome = here.run(&[]);
    assert!(outcome.stderr.contains("is a symlink"), "{}", outcome.stderr);
    here.assert_untouched();
    // A real lock serves, whichever user made it.
    fs::remove_file(&lock).unwrap();
    fs::write(&lock, "").unwrap();
    chown(&lock, Some(4343), Some(4343)).unwrap();
    fs::set_permissions(&lock, fs::Permissions::from_mode(0o666)).unwrap();
    assert_eq!(here.run(&[]).code, Some(0));
}

#[test]
fn earlier_results_do_not_leave_the_folder_through_a_symlink() {
    let here = Here::new();
    fs::write(here.at("results/benchmark_report.json"), "old").unwrap();
    symlink("../other", here.at("results/previous")).unwrap();
    let outcome = here.run(&[]);
    assert_eq!(outcome.code, Some(1));
    assert!(outcome.stderr.contains("`previous` is a symlink"), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("delete the symlink"), "{}", outcome.stderr);
    assert_eq!(fs::read_to_string(here.at("results/benchmark_report.json")).unwrap(), "old");
    here.assert_untouched();
}

#[test]
fn a_results_folder_behind_a_symlink_of_a_container_is_refused() {
    let here = Here::with_run(&format!("{GOOD}\nln -s ../other \"$RESULTS/next\""));
    assert_eq!(here.run(&[]).code, Some(0));
    for results in ["results/next", "results/next/new", "results/next/../out"] {
        let outcome = here.run(&["--results", results]);
        assert_eq!(outcome.code, Some(2), "{results}");
        assert!(outcome.stderr.contains("a container may have made"), "{}", outcome.stderr);
        here.assert_untouched();
    }
    assert!(!here.at("out").exists());
    // The user's own are followed.
    symlink("results", here.at("own")).unwrap();
    fs::remove_file(here.at("results/next")).unwrap();
    assert_eq!(here.run(&["--results", "own"]).code, Some(0));
}

#[test]
fn symlinks_in_the_place_of_outputs_are_not_followed_after_a_run() {
    let plant = "ln -s ../other/precious \"$RESULTS/host_meter.json\"";
    let here = Here::with_run(&format!("{GOOD}\n{plant}"));
    assert_eq!(here.run(&[]).code, Some(0));
    here.assert_untouched();
    assert!(fs::symlink_metadata(here.at("results/host_meter.json")).unwrap().is_file());

    let plant = "mv \"$RESULTS/GPU_ENERGY_SUMMARY.json\" \"$RESULTS/s\"; \
                 ln -s s \"$RESULTS/GPU_ENERGY_SUMMARY.json\"";
    let here = Here::with_run(&format!("{GOOD}\n{plant}"));
    let outcome = here.run(&[]);
    assert_eq!(outcome.code, Some(1), "{}", outcome.stdout);
    here.assert_untouched();
}

#[test]
fn a_report_follows_no_symlink_below_what_was_named() {
    let here = Here::new();
    Leaves::score().write(&here.at("disk"));
    symlink("../disk", here.at("results/planted")).unwrap();
    assert_eq!(here.report(&["results"]).code, Some(1));
    symlink("disk", here.at("named")).unwrap();
    assert_eq!(here.report(&["named"]).code, Some(0));
    let summary = here.at("disk/GPU_ENERGY_SUMMARY.json");
    fs::rename(&summary, here.at("elsewhere.json")).unwrap();
    symlink("../elsewhere.json", &summary).unwrap();
    let outcome = here.report(&["disk"]);
    assert_eq!(outcome.code, Some(1));
    let told = "GPU_ENERGY_SUMMARY.json`: a symlink is in its path, and is not followed";
    assert!(outcome.stdout.contains(told), "{}", outcome.stdout);
}

#[test]
fn commands_follow_no_symlink_of_a_container_that_is_named() {
    let here = Here::with_run(&format!("{GOOD}\nln -s ../other \"$RESULTS/next\""));
    assert_eq!(here.run(&[]).code, Some(0));
    let named: [&[&str]; 6] = [
        &["report", "results/next"],
        &["report", "results/next/below"],
        &["report", "results", "--html", "results/next/page.html"],
        &["report", "results", "--html", "results/next/precious", "--overwrite"],
        &["reclaim", "results/next"],
        &["reclaim", "--yes", "results/next"],
    ];
    let refused = |prefix: &str| {
        for words in named {
            let words = words.iter().map(|word| word.replace("results/", prefix));
            let words: Vec<_> = words.collect();
            let outcome = aienergyscore(&here.sandbox, &words);
            assert_ne!(outcome.code, Some(0), "{words:?}");
            assert!(outcome.stderr.contains("a container may have made"), "{}", outcome.stderr);
            here.assert_untouched();
        }
    };
    refused("results/");
    symlink("results", here.at("own")).unwrap();
    refused("own/");
    // The user's own are followed.
    for words in [&["report", "own"][..], &["report", "own", "--html", "own/page.html"]] {
        let outcome = aienergyscore(&here.sandbox, words);
        assert_eq!(outcome.code, Some(0), "{words:?}: {}", outcome.stderr);
    }
    let outcome = aienergyscore(&here.sandbox, ["reclaim", "own"]);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
}

#[test]
fn a_report_is_never_written_over_an_output_of_a_run() {
    let here = Here::new();
    Leaves::score().write(&here.at("results"));
    let earlier = here.at("results/previous/2026-11-24T01-05-16Z");
    Leaves::score().write(&earlier);
    fs::hard_link(here.at("results/benchmark.log"), here.at("hard")).unwrap();
    symlink("results", here.at("soft")).unwrap();
    let all = |folder: &Path| -> Vec<_> {
        let files = walkdir::WalkDir::new(folder).sort_by_file_name().into_iter();
        let files = files.map(|entry| entry.unwrap().into_path()).filter(|path| path.is_file());
        files.map(|path| (fs::read(&path).unwrap(), path.metadata().unwrap().ino())).collect()
    };
    let before = all(&here.at("results"));
    for target in [
        "results/GPU_ENERGY_SUMMARY.json",
        "results/previous/../benchmark.log",
        "soft/benchmark_report.json",
        "./results//previous/2026-11-24T01-05-16Z/benchmark.log",
    ] {
        for option in ["--html", "--submission"] {
            let outcome = here.report(&[option, target, "--overwrite"]);
            assert_eq!(outcome.code, Some(1), "{option} {target}");
            let told = "is an output of a run, and results are never overwritten";
            assert!(outcome.stderr.contains(told), "{option} {target}: {}", outcome.stderr);
        }
    }
    // Another name of an output is replaced, and the output stays.
    assert_eq!(here.report(&["--html", "hard", "--overwrite"]).code, Some(0));
    assert_eq!(all(&here.at("results")), before);
    assert_eq!(here.report(&["--html", "results/page.html"]).code, Some(0));
    assert_eq!(here.report(&["--html", "results/page.html", "--overwrite"]).code, Some(0));
}

#[test]
fn other_files_in_a_results_folder_are_no_matter_however_many() {
    let here = Here::new();
    let many = "i=0; while [ $i -lt 100000 ]; do : >s$i; i=$((i+1)); done";
    let shell = Command::new("sh").args(["-c", many]).current_dir(here.at("results")).status();
    assert!(shell.unwrap().success());
    for _ in 0..2 {
        let outcome = here.run(&[]);
        assert_eq!(
            (outcome.code, &*outcome.stderr.contains("do not belong").to_string()),
            (Some(0), "false")
        );
    }
    let outcome = here.report(&["results", "--previous"]);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stdout);
}

#[test]
fn more_gpus_than_there_can_be_are_an_error() {
    let here = Here::new();
    let outcome = here.run(&["--gpus", "4000000000"]);
    assert_eq!(outcome.code, Some(2));
    assert!(outcome.stderr.contains("more GPUs than a machine has"), "{}", outcome.stderr);
}
