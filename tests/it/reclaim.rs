//! `reclaim` takes ownership of root-owned files without sudo.

use std::{
    ffi::OsStr,
    fs,
    os::unix::{
        ffi::OsStrExt as _,
        fs::{MetadataExt as _, PermissionsExt as _, chown, symlink},
    },
    path::Path,
    process::Output,
};

use rustix::process::getuid;

use crate::{
    ada::{Ada, docker},
    harness::{Sandbox, aienergyscore},
};

/// A file name that shells, engines and lists stumble over.
const HOSTILE: &str = "-a:b,c \"d\"\n'e";

/// Runs a container as root, so that Docker creates the folders and the container a file.
fn run_as_root(folder: &Path, file: &str) {
    let volume = format!("{}:/x", folder.display());
    let run = ["run", "--rm", "--pull", "never", "--user", "0:0", "-v", &volume];
    docker(&[&run[..], &["ai_energy_score:smoke", "probe", "--leave", file, "/x"]].concat());
}

fn reclaim(ada: &Ada, more: &[&str]) -> Output {
    let args = ["reclaim", "results", "--engine", "docker"];
    ada.command(&[&args[..], more].concat()).output().unwrap()
}

fn text(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// The owners of the results folder and of its entries.
fn owners(ada: &Ada) -> Vec<u32> {
    let walk = walkdir::WalkDir::new(ada.results());
    walk.into_iter().map(|entry| entry.unwrap().metadata().unwrap().uid()).collect()
}

#[test]
#[ignore = "needs Docker and the smoke image"]
fn root_owned_results_are_reclaimed() {
    let ada = Ada::with(&[]);
    run_as_root(&ada.results().join("previous"), HOSTILE);
    run_as_root(&ada.results(), "benchmark_report.json");
    assert_eq!(owners(&ada), [0; 4]);

    let planned = reclaim(&ada, &[]);
    let said = text(&planned);
    assert_eq!(planned.status.code(), Some(1), "{said}");
    assert!(said.contains("4 of 4 entries") && said.contains("docker run"), "{said}");
    assert_eq!(owners(&ada), [0; 4]);

    let repaired = reclaim(&ada, &["--yes", "--json"]);
    assert_eq!(repaired.status.code(), Some(0), "{}", text(&repaired));
    let answer: serde_json::Value = serde_json::from_slice(&repaired.stdout).unwrap();
    assert_eq!((&answer["reclaimed"], &answer["all_yours"]), (&4.into(), &true.into()));
    assert_eq!(owners(&ada), [ada.uid; 4]);

    let again = reclaim(&ada, &[]);
    assert_eq!(again.status.code(), Some(0), "{}", text(&again));
    fs::remove_file(ada.results().join("previous").join(HOSTILE)).unwrap();
}

#[test]
#[ignore = "needs root, to make root-owned files, Docker and the smoke image"]
fn closed_folders_are_reclaimed_and_nothing_outside() {
    assert!(getuid().is_root(), "only root can lay these traps");
    let ada = Ada::with(&[]);
    let results = ada.results();
    let at = |path: &str| results.join(path);
    let outside = ada.home().join("outside");
    fs::write(&outside, "root's").unwrap();
    fs::create_dir_all(at("closed/deep")).unwrap();
    fs::write(at("closed/deep").join(OsStr::from_bytes(b"not utf-8 \xff")), "").unwrap();
    for (path, mode) in [("closed/deep", 0o000), ("closed", 0o700), ("", 0o700)] {
        fs::set_permissions(at(path), fs::Permissions::from_mode(mode)).unwrap();
    }
    symlink(&outside, at("link")).unwrap();
    symlink("/etc", at("folder link")).unwrap();
    let before = fs::metadata(&outside).unwrap();

    let repaired = reclaim(&ada, &["--yes"]);
    assert_eq!(repaired.status.code(), Some(0), "{}", text(&repaired));
    assert!(owners(&ada).iter().all(|owner| *owner == ada.uid));
    assert_eq!(fs::metadata(at("closed/deep")).unwrap().mode() & 0o7777, 0o700);
    let after = fs::metadata(&outside).unwrap();
    assert_eq!((after.uid(), after.ctime_nsec()), (0, before.ctime_nsec()));
    assert_eq!(fs::metadata("/etc").unwrap().uid(), 0);

    fs::hard_link(&outside, at("hard link")).unwrap();
    let refused = reclaim(&ada, &["--yes"]);
    let said = text(&refused);
    assert_eq!(refused.status.code(), Some(1), "{said}");
    assert!(said.contains("`hard link`: it has 2 names") && !said.contains("sudo"), "{said}");
    assert_eq!(fs::metadata(&outside).unwrap().uid(), 0);
}

#[test]
#[ignore = "needs root, to make a folder of a group, Docker and the smoke image"]
fn group_of_a_folder_stays() {
    assert!(getuid().is_root(), "only root can make a folder of any group");
    let ada = Ada::with(&[]);
    let at = |path: &str| ada.results().join(path);
    fs::create_dir_all(at("shared")).unwrap();
    chown(at("shared"), Some(0), Some(2500)).unwrap();
    fs::set_permissions(at("shared"), fs::Permissions::from_mode(0o2700)).unwrap();
    run_as_root(&at("shared/deep"), "file");
    fs::set_permissions(at("shared/deep"), fs::Permissions::from_mode(0o2000)).unwrap();

    let repaired = reclaim(&ada, &["--yes"]);
    assert_eq!(repaired.status.code(), Some(0), "{}", text(&repaired));
    for (path, mode, group) in [
        ("", None, ada.uid),
        ("shared", Some(0o2700), 2500),
        ("shared/deep", Some(0o2700), 2500),
        ("shared/deep/file", None, 2500),
    ] {
        let data = fs::metadata(at(path)).unwrap();
        assert_eq!((data.uid(), data.gid()), (ada.uid, group), "{path}");
        assert!(mode.is_none_or(|mode| mode == data.mode() & 0o7777), "{path}: {:o}", data.mode());
    }
}

#[test]
fn system_folders_are_refused() {
    let sandbox = Sandbox::new(None);
    for folder in ["/usr/share", "/", "nowhere"] {
        let outcome = aienergyscore(&sandbox, ["reclaim", "--yes", folder]);
        assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(2), ""), "{}", outcome.stderr);
    }
}

#[test]
#[ignore = "needs root, to make a root-owned cache, Docker and the smoke image"]
fn closed_root_owned_cache_is_reclaimed() {
    assert!(getuid().is_root(), "only root can close a cache so");
    let ada = Ada::with(&[]);
    let hub = ada.home().join("hf/hub");
    fs::write(hub.join("version.txt"), "1").unwrap();
    chown(hub.join("version.txt"), Some(0), Some(0)).unwrap();
    chown(&hub, Some(0), Some(0)).unwrap();
    let cache = |args: &[&str]| ada.command(&[&["cache"], args].concat()).output().unwrap();
    for args in [["ls"], ["verify"], ["repair"]] {
        let said = text(&cache(&args));
        assert!(said.contains("is closed to you: it belongs to uid 0"), "{said}");
    }
    let repaired = cache(&["repair", "--yes", "--engine", "docker"]);
    assert_eq!(repaired.status.code(), Some(0), "{}", text(&repaired));
    for path in [hub.join("version.txt"), hub] {
        assert_eq!(fs::metadata(&path).unwrap().uid(), ada.uid, "{}", path.display());
    }
}

#[test]
#[ignore = "needs root, to make a root-owned folder, Docker and the smoke image"]
fn root_owned_folder_behind_a_symlink_is_left_alone() {
    assert!(getuid().is_root(), "only root can make such a folder");
    let ada = Ada::with(&[]);
    let (hub, backups) = (ada.home().join("hf/hub"), ada.home().with_file_name("backups"));
    fs::create_dir_all(backups.join("models--a--b/blobs")).unwrap();
    fs::write(backups.join("shadow"), "root's").unwrap();
    fs::write(backups.join("models--a--b/shadow"), "root's").unwrap();
    fs::remove_dir(&hub).unwrap();
    symlink(&backups, &hub).unwrap();
    for mode in [0o755, 0o700] {
        fs::set_permissions(&backups, fs::Permissions::from_mode(mode)).unwrap();
        let repair = ["cache", "repair", "--quick", "--yes", "--engine", "docker"];
        let said = text(&ada.command(&repair).output().unwrap());
        for path in ["", "shadow", "models--a--b/shadow"] {
            let data = fs::metadata(backups.join(path)).unwrap();
            assert_eq!((data.uid(), data.mode() & 0o777 & !0o755), (0, 0), "{path}: {said}");
        }
    }
}

#[test]
#[ignore = "needs root, to make files of another user, and Docker"]
fn files_of_another_users_container_are_left_alone() {
    assert!(getuid().is_root(), "only root can make such a file");
    let lines = fs::read_to_string("/etc/subuid").unwrap();
    let theirs = lines.lines().filter(|line| !line.starts_with("dockremap:"));
    let first = theirs.filter_map(|line| line.split(':').nth(1)?.parse().ok()).next();
    let first: u32 = first.expect("somebody else has subordinate ids");
    let ada = Ada::with(&[]);
    fs::create_dir(ada.results()).unwrap();
    fs::write(ada.results().join("theirs"), "").unwrap();
    chown(ada.results(), Some(ada.uid), Some(ada.uid)).unwrap();
    chown(ada.results().join("theirs"), Some(first + 7), Some(first + 7)).unwrap();
    let planned = reclaim(&ada, &["--json"]);
    let answer: serde_json::Value = serde_json::from_slice(&planned.stdout).unwrap();
    assert!(text(&planned).contains("neither root nor one of your containers"), "{answer:#}");
    assert!(!text(&planned).contains("docker run"), "{answer:#}");
}
