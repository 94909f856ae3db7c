//! Folders of a repo that are links.

use std::{fs, path::Path};

use hub::testing::{COMMIT, Fixture};

use super::{Details, FILES, Problem, Report, everything, verified};

#[test]
fn a_disk_that_is_not_mounted_costs_no_link() {
    let fixture = Fixture::empty();
    fixture.model("org/m", &FILES[..2], true);
    fixture.model("org/n", &FILES[..2], true);
    let disk = fixture.at("disk");
    fs::rename(fixture.at("models--org--m/blobs"), &disk).unwrap();
    fixture.link("models--org--m/blobs", &disk);
    let told = |problem: Problem| {
        let found = verified(&fixture, &everything(), None).findings;
        found.into_iter().filter(|found| found.problem == problem).collect::<Vec<_>>()
    };
    let [linked] = told(Problem::AbsoluteLink).try_into().unwrap();
    assert_eq!(linked.path, Path::new("models--org--m/blobs"));
    assert!(linked.details == Details::None && told(Problem::DanglingPointer).is_empty());
    fs::rename(&disk, fixture.at("elsewhere")).unwrap();
    assert!(told(Problem::DiskError)[0].evidence.ends_with("is that disk mounted?"));
    let dangling = told(Problem::DanglingPointer);
    assert_eq!(dangling.len(), 2);
    assert!(dangling.iter().all(|found| found.details == Details::None), "{dangling:#?}");
}

#[test]
fn no_repair_is_promised_behind_a_link_or_of_what_is_no_file() {
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
    assert!(report.findings().all(|(_, is_mendable)| !is_mendable), "{}", report.lines());
}
