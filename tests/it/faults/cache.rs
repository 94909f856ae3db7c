//! The cache is full, unreadable, owned by another user, or on another disk.
//!
//! Elsewhere: a read-only cache (`fake_folders`), root-owned parts (`broken_cache`, `guides`), a client
//! that writes at the same time (`hub_running`).

use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
};

use insta::assert_snapshot;
use rustix::process::getuid;

use super::{Fake, SmallDisk};
use crate::fake_runs::GOOD;

/// Tells which folder of the machine is the container's HuggingFace home, and writes to it.
const DOWNLOAD: &str = r#"
  for word in "$@"; do
    case $word in
    type=bind,\"source=*\",target=/home/user/.cache/huggingface)
      home=${word#*source=}; home=${home%%\",target=*} ;;
    esac
  done
  mkdir -p "$home/hub/models--o--m/blobs" &&
    head -c 1M /dev/zero >"$home/hub/models--o--m/blobs/weights" || exit 1
"#;

#[test]
#[ignore = "needs root, to make root-owned files"]
fn unreadable_root_owned_cache_stops_the_run() {
    let fake = Fake::new(GOOD).of_ada();
    let cache = fake.sandbox.home().join(".cache/huggingface/hub");
    fs::create_dir_all(&cache).unwrap();
    fs::set_permissions(cache, fs::Permissions::from_mode(0o700)).unwrap();
    assert_snapshot!(fake.run(&[]), @r#"
    exit code 1, in time
    warning: HuggingFace home `HOME/.cache/huggingface` cannot be written, so what is in it is used and nothing can be downloaded into it: it belongs to uid 0, you are uid 4242; `sudo chown -hR 4242 HOME/.cache/huggingface` makes it yours, or choose another folder
    error: Hub cache `HOME/.cache/huggingface/hub` cannot be read: it belongs to uid 0, you are uid 4242; `sudo chown -hR 4242 HOME/.cache/huggingface/hub` makes it yours, or choose another folder
    kept: nothing
    containers: none
    "#);
}

#[test]
fn symlink_to_another_disk_is_followed() {
    let fake = Fake::new(&format!("{DOWNLOAD}\n{GOOD}"));
    let disk = tempfile::tempdir_in("/dev/shm").unwrap();
    fs::create_dir(fake.sandbox.home().join(".cache")).unwrap();
    symlink(disk.path(), fake.sandbox.home().join(".cache/huggingface")).unwrap();
    assert_snapshot!(fake.run(&[]), @r#"
    exit code 0, in time
    kept: GPU_ENERGY_SUMMARY.json, RUN_COMPLETE.json, benchmark_report.json, host_meter.json
    containers: none
    "#);
    let there = disk.path().join("hub/models--o--m/blobs/weights");
    assert_eq!(fs::metadata(there).unwrap().len(), 1 << 20, "it is downloaded to that disk");
}

#[test]
fn home_below_a_symlink_to_another_disk_is_followed() {
    let mut fake = Fake::new(&format!("{DOWNLOAD}\n{GOOD}"));
    let disk = tempfile::tempdir_in("/dev/shm").unwrap();
    symlink(disk.path(), fake.sandbox.home().join("disk")).unwrap();
    fake.sandbox.set("HF_HOME", "~/disk/hf");
    assert_snapshot!(fake.run(&[]), @r#"
    exit code 0, in time
    kept: GPU_ENERGY_SUMMARY.json, RUN_COMPLETE.json, benchmark_report.json, host_meter.json
    containers: none
    "#);
    let there = disk.path().join("hf/hub/models--o--m/blobs/weights");
    assert_eq!(fs::metadata(there).unwrap().len(), 1 << 20, "it is downloaded to that disk");
}

#[test]
fn dangling_symlink_stops_the_run() {
    let fake = Fake::new(GOOD);
    fs::create_dir(fake.sandbox.home().join(".cache")).unwrap();
    symlink("/gone/disk", fake.sandbox.home().join(".cache/huggingface")).unwrap();
    fake.result("benchmark_report.json", "precious");
    assert_snapshot!(fake.run(&[]), @r#"
    exit code 1, in time
    error: HuggingFace home `HOME/.cache/huggingface` cannot be made: `HOME/.cache/huggingface` is a link to nothing; remove it, or make what it points to
    kept: benchmark_report.json
    containers: none
    "#);
}

#[test]
#[ignore = "needs root, to make a full disk"]
fn full_disk_fails_the_download() {
    let fake = Fake::new(&format!("{DOWNLOAD}\n{GOOD}"));
    let cache = fake.sandbox.home().join(".cache/huggingface");
    let _disk = SmallDisk::at(&cache, 64 * 1024, getuid().as_raw());
    assert_snapshot!(fake.run(&[]), @r#"
    exit code 1, in time
    head: error writing 'standard output': No space left on device
    error: docker reports success, which is not believed: the completion marker `RUN_COMPLETE.json` is missing or broken
    results so far: CWD/results
    kept: nothing
    containers: none
    "#);
}
