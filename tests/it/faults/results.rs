//! The results folder is full, read-only, owned by another user, on another disk, or not a folder.
//!
//! Elsewhere: a folder in use (`fake_runs`), hostile names and symlinks (`fake_folders`), a full disk
//! under a real benchmark (`docker`), file systems without locks (the runner's `lock`).

use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
};

use insta::assert_snapshot;
use rustix::process::getuid;

use super::{Fake, SmallDisk};
use crate::fake_runs::GOOD;

#[test]
fn read_only_folder_stops_the_run() {
    let fake = Fake::new(GOOD);
    fake.result("benchmark_report.json", "precious");
    fs::set_permissions(fake.results(), fs::Permissions::from_mode(0o555)).unwrap();
    assert_snapshot!(fake.run(&[]), @r#"
    exit code 1, in time
    error: results folder `CWD/results` cannot be written: it is yours, but its mode forbids it; `chmod u+rwx CWD/results`
    kept: benchmark_report.json
    containers: none
    "#);
}

#[test]
#[ignore = "needs root, to make root-owned files"]
fn root_owned_folder_stops_the_run() {
    let fake = Fake::new(GOOD).of_ada();
    fake.result("benchmark_report.json", "precious");
    assert_snapshot!(fake.run(&[]), @r#"
    exit code 1, in time
    error: results folder `CWD/results` cannot be written: it belongs to uid 0, you are uid 4242; `sudo chown -hR 4242 CWD/results` makes it yours, or choose another folder
    kept: benchmark_report.json
    containers: none
    "#);
    let verify = fake.aienergyscore(&["verify", "--flavour", "smoke"]).output().unwrap();
    let said = String::from_utf8(verify.stdout).unwrap();
    let line = said.lines().find(|line| line.contains(" results ")).expect(&said);
    assert!(line.starts_with("error ") && line.contains("sudo chown"), "{line}");
    assert_eq!(verify.status.code(), Some(1), "{said}");
}

#[test]
#[ignore = "needs root, to make root-owned files"]
fn root_owned_earlier_result_is_archived_with_a_warning() {
    let mut fake = Fake::new(GOOD);
    fake.result("notes.txt", "mine");
    fake = fake.of_ada();
    fake.result("benchmark_report.json", "root's");
    // The user owns the folder, and so can move files of any owner.
    assert_snapshot!(fake.run(&[]), @r#"
    exit code 0, in time
    earlier results: moved to CWD/results/previous/TIME
    warning: 1 file(s) in `CWD/results` do not belong to you, first `CWD/results/previous/TIME/benchmark_report.json` of uid 0; `aienergyscore reclaim --yes CWD/results` takes them back without sudo
    kept: GPU_ENERGY_SUMMARY.json, RUN_COMPLETE.json, benchmark_report.json, host_meter.json, notes.txt, previous/TIME/benchmark_report.json
    containers: none
    "#);
}

#[test]
fn file_in_place_of_the_folder_stops_the_run() {
    let fake = Fake::new(GOOD);
    fs::write(fake.results(), "precious").unwrap();
    assert_snapshot!(fake.run(&[]), @r#"
    exit code 1, in time
    error: results folder `CWD/results` cannot be made: `CWD/results` is not a folder; choose another path
    kept: nothing
    containers: none
    "#);
    assert_eq!(fs::read_to_string(fake.results()).unwrap(), "precious");
}

#[test]
fn dangling_symlink_stops_the_run() {
    let fake = Fake::new(GOOD);
    symlink("gone/disk", fake.results()).unwrap();
    assert_snapshot!(fake.run(&[]), @r#"
    exit code 1, in time
    error: results folder `CWD/results` cannot be made: `CWD/results` is a link to nothing; remove it, or make what it points to
    kept: nothing
    containers: none
    "#);
    assert!(fs::symlink_metadata(fake.results()).unwrap().is_symlink());
}

#[test]
fn folder_on_another_file_system_is_used() {
    let fake = Fake::new(GOOD);
    let disk = tempfile::tempdir_in("/dev/shm").unwrap();
    symlink(disk.path(), fake.results()).unwrap();
    fs::write(disk.path().join("benchmark_report.json"), "precious").unwrap();
    assert_snapshot!(fake.run(&[]), @r#"
    exit code 0, in time
    earlier results: moved to CWD/results/previous/TIME
    kept: GPU_ENERGY_SUMMARY.json, RUN_COMPLETE.json, benchmark_report.json, host_meter.json, previous/TIME/benchmark_report.json
    containers: none
    "#);
    let kept = fs::read_dir(disk.path().join("previous")).unwrap().next().unwrap().unwrap();
    let kept = fs::read_to_string(kept.path().join("benchmark_report.json")).unwrap();
    assert_eq!(kept, "precious");
}

#[test]
#[ignore = "needs root, to make a full disk"]
fn full_disk_stops_the_run() {
    let fake = Fake::new(GOOD);
    let results = fake.results();
    let _disk = SmallDisk::at(&results, 4096, getuid().as_raw());
    fs::write(results.join("benchmark_report.json"), vec![b' '; 4096]).unwrap();
    assert_snapshot!(fake.run(&[]), @r#"
    exit code 1, in time
    error: locking the results folder with `CWD/results/.aienergyscore.lock`: No space left on device (os error 28)
    kept: benchmark_report.json
    containers: none
    "#);
}

#[test]
#[ignore = "needs root, to make a full disk"]
fn full_disk_after_the_benchmark_keeps_its_summary() {
    let fill = "head -c 1M /dev/zero >\"$RESULTS/weights\" 2>/dev/null; true";
    let fake = Fake::new(&format!("{GOOD}\n{fill}"));
    let results = fake.results();
    let _disk = SmallDisk::at(&results, 64 * 1024, getuid().as_raw());
    assert_snapshot!(fake.run(&[]), @r#"
    exit code 1, in time
    error: the benchmark succeeded and its summary is whole, but what the host knows of the run could not be added to it: writing `CWD/results/GPU_ENERGY_SUMMARY.json`; check the space and the rights in that folder: No space left on device (os error 28)
    kept: GPU_ENERGY_SUMMARY.json, RUN_COMPLETE.json, benchmark_report.json, host_meter.json, weights
    containers: none
    "#);
    let summary = fs::read(results.join("GPU_ENERGY_SUMMARY.json")).unwrap();
    let summary: serde_json::Value = serde_json::from_slice(&summary).unwrap();
    assert_eq!(summary["run"]["prompts"], 2, "the benchmark's own summary is whole");
}
