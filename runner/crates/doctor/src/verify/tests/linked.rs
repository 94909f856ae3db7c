//! Repo folders that are symlinks.

use std::{fs, path::Path};

use hub::testing::{COMMIT, Fixture};

use super::{Details, FILES, Problem, Report, everything, verified};

#[test]
fn symlinks_to_an_unmounted_disk_are_kept() {
    let fixture = Fixture::empty();
    fixture.model("org/m", &FILES[..2], true);
    fixture.model("org/n", &FILES[..2], true);
    let disk = fixture.at("disk");
    fs::rename(fixture.at("models--org--m/blobs"), &disk).unwrap();
    fixture.link("models--org--m/blobs", &disk);
    let of_kind = |problem: Problem| {
        let found = verified(&fixture, &everything(), None).findings;
        found.into_iter().filter(|found| found.problem == problem).collect::<Vec<_>>()
    };
    let [linked] = of_kind(Problem::AbsoluteLink).try_into().unwrap();
    assert_eq!(linked.path, Path::new("models--org--m/blobs"));
    assert!(linked.details == Details::None && of_kind(Problem::DanglingPointer).is_empty());
    fs::rename(&disk, fixture.at("elsewhere")).unwrap();
    assert!(of_kind(Problem::DiskError)[0].evidence.ends_with("is that disk mounted?"));
    let dangling = of_kind(Problem::DanglingPointer);
    assert_eq!(dangling.len(), 2);
    assert!(dangling.iter().all(|found| found.details == Details::None), "{dangling:#?}");
}

#[test]
fn no_repair_is_offered_below_a_symlink_or_for_a_folder() {
    let fixture = Fixture::empty();
    let names = fixture.model("org/m", &FILES[..2], true);
    fixture.model("org/n", &FILES[..2], true);
    fixture.write(format!("models--org--m/blobs/{}", names["config.json"]), "[]");
    fs::rename(fixture.at("models--org--m/blobs"), fixture.at("models--org--m/kept")).unwrap();
    fixture.link("models--org--m/blobs", "kept");
    let tree = fixture.at(format!("models--org--n/trees/{COMMIT}.json"));
    fs::remove_file(&tree).unwrap();
    fs::create_dir(&tree).unwrap();
    fixture.write(format!("models--org--n/snapshots/{COMMIT}/.aienergyscore-1"), "mine");
    let found = verified(&fixture, &everything(), None).findings;
    let broken = found.iter().find(|found| found.problem == Problem::BrokenTree).unwrap();
    assert_eq!(broken.repo.as_ref().unwrap().id, "org/n");
    let report = Report::of(verified(&fixture, &everything(), None)).unwrap();
    assert!(report.lines().contains("the link `models--org--m/blobs`, where no repair goes"));
    assert!(report.findings().all(|(_, is_repairable)| !is_repairable), "{}", report.lines());
}
