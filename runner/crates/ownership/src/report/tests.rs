//! Reports as text and JSON.

use anyhow::anyhow;
use contract::reclaim::{Answer, Failed};
use host::{shell::Part, testing};

use super::{CommandLine, Exit, ForeignEntry, HostPath, Reclaimed, Report, Scan, Skipped};

fn foreign(path: &str) -> ForeignEntry {
    let (is_folder, bytes) = if path.ends_with('/') { (true, 0) } else { (false, 4321) };
    ForeignEntry { path: path.trim_end_matches('/').into(), owner: 0, is_folder, bytes }
}

fn found() -> Scan {
    let names = ["/", "a\nb", "previous/", "previous/1/", "c", "d", "e"];
    Scan {
        entries: 9,
        foreign: names.map(foreign).to_vec(),
        skipped: vec![Skipped { path: "hard".into(), reason: "it has 2 names".into() }],
        unreadable: vec![Failed { path: "previous/1".into(), error: "Permission denied".into() }],
    }
}

/// Checks the report on a folder with these entries.
fn report(before: Scan, check: impl FnOnce(Report<'_>)) {
    let folder = HostPath::new("folder", "/r".as_ref(), "/".as_ref()).unwrap();
    check(Report::new(&testing::host(), &folder, before));
}

fn command() -> Option<anyhow::Result<CommandLine>> {
    Some(Ok(CommandLine { env: vec![], parts: vec![Part::new(["docker", "run"], "")] }))
}

#[test]
fn plan_ends_with_the_next_step() {
    report(found(), |mut report| {
        report.command = command();
        assert_eq!(report.exit(), Exit::Failed);
        insta::assert_snapshot!(report.text(), @r"
        `/r`: 7 of 9 entries are not yours: 3 folder(s), 4 file(s), 17.3 kB
          uid 0, folder: `.`
          uid 0, 4.32 kB: `a\nb`
          uid 0, folder: `previous`
          uid 0, folder: `previous/1`
          uid 0, 4.32 kB: `c`
          and 2 more
        left alone: `hard`: it has 2 names
        cannot be looked into: `previous/1`: Permission denied
        would run:
          docker run
        nothing was changed yet; `--yes` runs it
        ");
    });
}

#[test]
fn sudo_is_offered_without_an_engine() {
    let one = Scan { entries: 1, foreign: vec![foreign("a")], ..Scan::default() };
    report(one, |mut report| {
        report.command = Some(Err(anyhow!("`docker` is not on PATH")));
        assert_eq!(report.exit(), Exit::Failed);
        insta::assert_snapshot!(report.text(), @r"
        `/r`: 1 of 1 entries are not yours: 0 folder(s), 1 file(s), 4.32 kB
          uid 0, 4.32 kB: `a`
        no engine can reclaim them: `docker` is not on PATH
        with sudo instead:
          sudo find /r -xdev \( -uid 0 \) \( -type d -o -links 1 ! -type b ! -type c \) -execdir chown -h 1000 {} +
        ");
        assert_eq!(report.json()["error"], "`docker` is not on PATH");
    });
}

#[test]
fn folder_of_the_user_alone_is_one_line() {
    report(Scan { entries: 4, ..Scan::default() }, |report| {
        assert_eq!(report.exit(), Exit::Success);
        insta::assert_snapshot!(report.text(), @"`/r`: 4 entries, all yours");
        assert_eq!(report.json()["all_yours"], true);
    });
}

#[test]
fn failed_entries_have_a_reason() {
    report(found(), |mut report| {
        let (path, error) = ("c".to_owned(), "Operation not permitted".to_owned());
        let answer = Ok(Answer { reclaimed: 5, failed: vec![Failed { path, error }] });
        let foreign = vec![foreign("c"), foreign("d")];
        let after = Scan { foreign, unreadable: vec![], skipped: vec![], ..found() };
        report.command = command();
        report.reclaimed = Some(Reclaimed { answer, after });
        assert_eq!(report.exit(), Exit::Failed);
        insta::assert_snapshot!(report.text(), @r"
        `/r`: 7 of 9 entries are not yours: 3 folder(s), 4 file(s), 17.3 kB
          uid 0, folder: `.`
          uid 0, 4.32 kB: `a\nb`
          uid 0, folder: `previous`
          uid 0, folder: `previous/1`
          uid 0, 4.32 kB: `c`
          and 2 more
        reclaimed: 5
        failed: `c`: Operation not permitted
        failed: `d`: it belongs to uid 0 afterwards
        with sudo instead:
          sudo find /r -xdev \( -uid 0 \) \( -type d -o -links 1 ! -type b ! -type c \) -execdir chown -h 1000 {} +
        ");
        assert_eq!(report.json()["reclaimed"], 5);
    });
}

#[test]
fn success_is_short() {
    let one = Scan { entries: 2, foreign: vec![foreign("a")], ..Scan::default() };
    report(one, |mut report| {
        let answer = Ok(Answer { reclaimed: 1, failed: vec![] });
        report.command = command();
        report.reclaimed =
            Some(Reclaimed { answer, after: Scan { entries: 2, ..Scan::default() } });
        assert_eq!(report.exit(), Exit::Success);
        insta::assert_snapshot!(report.text(), @r"
        `/r`: 1 of 2 entries are not yours: 0 folder(s), 1 file(s), 4.32 kB
          uid 0, 4.32 kB: `a`
        reclaimed: 1
        ");
    });
}
