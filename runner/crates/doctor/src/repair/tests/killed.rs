//! Repairs killed before each of their changes, and the repairs that follow.

use std::{collections::BTreeMap, fs};

use hub::testing::git_id;

use super::{Fixture, broken, found, repaired};
use crate::{finding::Problem, repair::failpoint};

/// A cache that one repair fixes completely.
fn repairable() -> Fixture {
    let fixture = broken();
    let at = |etag: &str| fixture.at(format!("models--e--closed/blobs/.{etag}.0011aabb.old"));
    fs::rename(at(&"b".repeat(40)), at(&git_id(b"only"))).unwrap();
    fixture
}

/// Kinds, modes and contents of all entries. Names in `.set-aside` come without their time suffix.
fn contents(fixture: &Fixture) -> BTreeMap<String, String> {
    let timeless = |(path, what): (String, String)| {
        let path = match path.split_once(".set-aside/") {
            Some((_, name)) => {
                let end = name.rfind('.').unwrap_or_default();
                path[..path.len() - name.len() + end].to_owned()
            }
            None => path,
        };
        let what = what.split(" of ").next().unwrap_or_default().to_owned();
        (path, what)
    };
    fixture.manifest(&[]).into_iter().map(timeless).collect()
}

fn findings(fixture: &Fixture) -> Vec<(Problem, String)> {
    let found = found(fixture).into_iter();
    found.map(|finding| (finding.problem, finding.path.display().to_string())).collect()
}

#[test]
fn repair_killed_before_any_change_is_finished_by_the_next() {
    let undisturbed = repairable();
    let original = contents(&undisturbed);
    repaired(&undisturbed, true);
    let (whole, wrong) = (contents(&undisturbed), findings(&undisturbed));
    let mut changes = 0;
    loop {
        let fixture = repairable();
        if failpoint::kill_before(changes, || repaired(&fixture, true)).is_some() {
            break;
        }
        // No content is lost: it is unchanged, or where the whole repair puts it.
        let halfway = contents(&fixture);
        for (path, what) in &original {
            let kept = halfway.get(path) == Some(what)
                || whole.get(path) != Some(what)
                || halfway.values().any(|other| other == what);
            assert!(kept, "before change {changes}, {path} is lost");
        }
        repaired(&fixture, true);
        assert_eq!(contents(&fixture), whole, "killed before change {changes}");
        assert_eq!(findings(&fixture), wrong, "killed before change {changes}");
        changes += 1;
    }
    assert!(changes >= 15, "{changes}");
}
