//! The machine's Docker under a real benchmark. What holds for every engine is in `modes`.

use std::{fs, process::Command};

use rustix::process::getuid;

use crate::{ada::Ada, harness::smoke, under_way::run};

#[test]
#[ignore = "needs root, to make a full disk, Docker, and `cargo xtask smoke` once before"]
fn full_disk_under_results_is_named() {
    assert!(getuid().is_root(), "only root can mount a small disk");
    let ada = Ada::with(&[smoke::GGUF]);
    let results = ada.results();
    fs::create_dir(&results).unwrap();
    let mounted = Command::new("mount")
        .args(["-t", "tmpfs", "-o"])
        .arg(format!("size=8k,uid={0},gid={0}", ada.uid))
        .arg("tmpfs")
        .arg(&results)
        .status()
        .unwrap();
    assert!(mounted.success());
    let output = run(&ada, &["-n", "1"]);
    assert!(Command::new("umount").arg(&results).status().unwrap().success());
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("No space left on device"), "{stderr}");
}
