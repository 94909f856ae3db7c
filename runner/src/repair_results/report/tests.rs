//! What a report says.

use anyhow::anyhow;

use super::{Closed, Exit, Failure, Foreign, Outcome, Report, Survey};
use crate::{engine::Mode, host_path::HostPath, testing};

fn foreign(path: &str) -> Foreign {
    let (is_folder, bytes) = if path.ends_with('/') { (true, 0) } else { (false, 4321) };
    let path = path.trim_end_matches('/').into();
    Foreign { path, owner: 0, is_folder, bytes, mode: None, group: None }
}

fn results() -> HostPath {
    HostPath::new("folder", "/".as_ref(), "/".as_ref()).unwrap()
}

fn found() -> Survey {
    let names = ["/", "a\nb", "previous/", "previous/1/", "c", "d", "e"];
    Survey {
        entries: 9,
        foreign: names.map(foreign).to_vec(),
        left: vec![("hard".into(), "it has 2 names".into())],
        closed: vec![Closed { path: "previous/1".into(), error: "Permission denied".into() }],
    }
}

/// Inode numbers are the machine's.
fn text(report: &Report<'_>) -> String {
    let text = report.text();
    match text.split_once("--inode ") {
        None => text,
        Some((before, after)) => {
            format!("{before}--inode N{}", after.trim_start_matches(char::is_numeric))
        }
    }
}

#[test]
fn a_plan_says_how_to_go_on() {
    let (host, folder) = (testing::host(), results());
    let engine = Some(Ok(testing::engine(Mode::DockerRootful)));
    let report = Report::new(&host, &folder, found(), &engine).unwrap();
    assert_eq!(report.exit(), Exit::Failed);
    insta::assert_snapshot!(text(&report), @r#"
    `/`: 7 of 9 entries are not yours: 3 folder(s), 4 file(s), 17.3 kB
      uid 0, folder: `.`
      uid 0, 4.32 kB: `a\nb`
      uid 0, folder: `previous`
      uid 0, folder: `previous/1`
      uid 0, 4.32 kB: `c`
      and 2 more
    left alone: `hard`: it has 2 names
    cannot be looked into: `previous/1`: Permission denied
    what closed folders hold is given back once it can be seen
    would run, with the entries on its standard input:
      docker run \
        --rm \
        --interactive \
        --network none \
        --pull never \
        --read-only \
        --cap-drop ALL \
        --cap-add CHOWN \
        --cap-add DAC_READ_SEARCH \
        --cap-add FOWNER \
        --cap-add FSETID \
        --security-opt no-new-privileges \
        --user 0:0 \
        --mount 'type=bind,"source=/",target=/mnt' \
        ai_energy_score:smoke \
        give-back --inode N 1000:100 /mnt
    `--yes` runs it; nothing was changed yet
    "#);
}

#[test]
fn without_an_engine_there_is_sudo() {
    let (host, folder) = (testing::host(), results());
    let engine = Some(Err(anyhow!("`docker` is not on PATH")));
    let one = Survey { entries: 1, foreign: vec![foreign("a")], ..Survey::default() };
    let closed = Survey { closed: found().closed, ..one.clone() };
    let hidden = Report::new(&host, &folder, closed, &engine).unwrap().sudo().unwrap();
    assert!(hidden.starts_with("sudo find / -xdev -uid 0"), "{hidden}");
    let report = Report::new(&host, &folder, one, &engine).unwrap();
    assert_eq!(report.exit(), Exit::Failed);
    insta::assert_snapshot!(text(&report), @r#"
    `/`: 1 of 1 entries are not yours: 0 folder(s), 1 file(s), 4.32 kB
      uid 0, 4.32 kB: `a`
    no engine can give them back: `docker` is not on PATH
    this line does it with sudo:
      sudo chown -h 1000:100 -- /a
    "#);
    assert_eq!(report.json()["error"], "`docker` is not on PATH");
}

#[test]
fn what_is_fine_is_said_to_be() {
    let (host, folder) = (testing::host(), results());
    let fine = Survey { entries: 4, ..Survey::default() };
    let report = Report::new(&host, &folder, fine, &None).unwrap();
    assert_eq!(report.exit(), Exit::Success);
    insta::assert_snapshot!(text(&report), @"`/`: 4 entries, all yours");
    assert_eq!(report.json()["all_yours"], true);
}

#[test]
fn what_failed_is_told_and_refusals_get_no_sudo() {
    let (host, folder) = (testing::host(), results());
    let engine = Some(Ok(testing::engine(Mode::DockerRootless)));
    let mut report = Report::new(&host, &folder, found(), &engine).unwrap();
    let failure = |path: &str, refused| Failure {
        path: path.into(),
        error: if refused { "a link is in its path" } else { "Operation not permitted" }.into(),
        refused,
    };
    let failed = vec![failure("c", true), failure("d", false)];
    report.add_round(Ok(Outcome { done: 5, failed }));
    let after = Survey { entries: 9, foreign: vec![foreign("c"), foreign("d")], ..found() };
    report.end(Survey { closed: vec![], left: vec![], ..after });
    assert_eq!(report.exit(), Exit::Failed);
    insta::assert_snapshot!(text(&report), @r#"
    `/`: 7 of 9 entries are not yours: 3 folder(s), 4 file(s), 17.3 kB
      uid 0, folder: `.`
      uid 0, 4.32 kB: `a\nb`
      uid 0, folder: `previous`
      uid 0, folder: `previous/1`
      uid 0, 4.32 kB: `c`
      and 2 more
    given back: 5
    failed: `c`: a link is in its path
    failed: `d`: Operation not permitted
    this line does it with sudo:
      sudo chown -h 1000:100 -- /d
    "#);
    assert_eq!(report.json()["given_back"], 5);
}

#[test]
fn a_repair_that_worked_is_short() {
    let (host, folder) = (testing::host(), results());
    let engine = Some(Ok(testing::engine(Mode::DockerRootful)));
    let one = Survey { entries: 2, foreign: vec![foreign("a")], ..Survey::default() };
    let mut report = Report::new(&host, &folder, one, &engine).unwrap();
    report.add_round(Ok(Outcome { done: 1, failed: vec![] }));
    report.end(Survey { entries: 2, ..Survey::default() });
    assert_eq!(report.exit(), Exit::Success);
    insta::assert_snapshot!(text(&report), @r#"
    `/`: 1 of 2 entries are not yours: 0 folder(s), 1 file(s), 4.32 kB
      uid 0, 4.32 kB: `a`
    given back: 1
    "#);
}
