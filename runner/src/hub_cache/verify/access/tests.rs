//! Owners and modes, judged without a disk.

use std::path::Path;

use super::{Entry, EntryKind, Judge, Rights, Who};
use crate::hub_cache::breakage::What;

fn entry(kind: EntryKind, mode: u32, uid: u32, gid: u32) -> Entry {
    Entry { kind, mode, uid, gid, size: 10 }
}

const ADA: Who<'_> = Who { uid: 1000, gid: 100, groups: &[2500] };

#[test]
fn the_first_class_that_fits_decides() {
    let rights = |mode, uid, gid| Rights::of(&entry(EntryKind::File, mode, uid, gid), ADA).0;
    assert_eq!(rights(0o740, 1000, 100), 0o7);
    assert_eq!(rights(0o047, 1000, 0), 0o0, "an owner's own bits count, whatever others may");
    assert_eq!(rights(0o750, 0, 100), 0o5);
    assert_eq!(rights(0o740, 0, 2500), 0o4, "any of the groups");
    assert_eq!(rights(0o751, 0, 0), 0o1);
    let root = Who { uid: 0, gid: 0, groups: &[] };
    assert_eq!(Rights::of(&entry(EntryKind::File, 0, 1, 1), root).0, 0o7);
}

fn found(of_group: bool, entries: &[(&str, Entry)]) -> Vec<(What, usize)> {
    let entries: Vec<_> =
        entries.iter().map(|(path, entry)| (*path, *entry, Rights::of(entry, ADA).0)).collect();
    judged(Judge { who: ADA, of_group, ..Judge::default() }, &entries)
}

/// What is found in these entries, with these rights.
fn judged(mut judge: Judge<'_>, entries: &[(&str, Entry, u32)]) -> Vec<(What, usize)> {
    for (path, entry, rights) in entries {
        judge.entry(Path::new(path), *entry, Rights(*rights), || None);
    }
    let breakages = judge.finish().breakages.into_iter();
    breakages.map(|breakage| (breakage.what, breakage.fixes.len())).collect()
}

#[test]
fn what_is_opened_gets_the_pattern_of_its_folder() {
    use EntryKind::{File, Folder};
    let of = |path: &str, kind, above| super::pattern(Path::new(path), kind, above);
    assert_eq!(of("models--a/blobs/x", File, 0o755), 0o644);
    assert_eq!(of("models--a/blobs/x", File, 0o700), 0o600);
    assert_eq!(of("models--a/trees/c.json", File, 0o755), 0o600);
    assert_eq!(of("blobs/ab/x", File, 0o2775), 0o444);
    assert_eq!(of("models--a/blobs", Folder, 0o2775), 0o2755);
}

#[test]
fn what_is_closed_or_somebody_elses_is_found() {
    use EntryKind::{File, Folder};
    let file = |mode, uid| entry(File, mode, uid, 0);
    let folder = |mode, uid| entry(Folder, mode, uid, 0);
    assert_eq!(found(false, &[("models--a/blobs/x", file(0o644, 1000))]), []);
    assert_eq!(
        found(false, &[("models--a/blobs/x", file(0o200, 1000))]),
        [(What::UnreadableFile, 1)]
    );
    assert_eq!(
        found(false, &[("models--a", folder(0o755, 0)), ("models--a/blobs/x", file(0o600, 0))]),
        [(What::UnreadableFile, 1), (What::ForeignOwner, 1)]
    );
    assert_eq!(
        found(false, &[("models--a", folder(0o700, 0))]),
        [(What::ClosedFolder, 1), (What::ForeignOwner, 1)]
    );
    assert_eq!(found(false, &[("models--a", folder(0o555, 1000))]), [(What::ReadOnlyFolder, 0)]);
}

#[test]
fn what_no_client_makes_is_told_and_left_to_its_owner() {
    use EntryKind::{File, Folder};
    let root = |path| (path, entry(File, 0o600, 0, 0));
    assert_eq!(
        found(false, &[root("shadow"), root("models--a/shadow"), root("models--a/blobs/x")]),
        [
            (What::UnreadableFile, 0),
            (What::UnreadableFile, 0),
            (What::UnreadableFile, 1),
            (What::ForeignOwner, 0),
            (What::ForeignOwner, 1),
        ]
    );
    let own = [("private", entry(Folder, 0o000, 1000, 100))];
    assert_eq!(found(false, &own), [(What::ClosedFolder, 0)], "no mode is changed, either");
    let mut judge = Judge { who: ADA, is_all_clients: false, ..Judge::default() };
    judge.entry(Path::new(""), entry(Folder, 0o755, 0, 0), Rights(0o5), || None);
    assert!(judge.finish().breakages[0].fixes.is_empty(), "the folder itself is no cache");
}

#[test]
fn in_a_cache_of_a_group_others_own_things() {
    use EntryKind::{File, Folder};
    let theirs = [
        ("models--a", entry(Folder, 0o2775, 7, 100)),
        ("models--a/blobs/x", entry(File, 0o664, 7, 100)),
    ];
    assert_eq!(found(true, &theirs), []);
    let closed = [("models--a", entry(Folder, 0o2755, 7, 100))];
    assert_eq!(found(true, &closed), [(What::ForeignOwner, 1)]);
    let tree = [("models--a/trees/c.json", entry(File, 0o600, 7, 100))];
    assert_eq!(found(true, &tree), []);
    let mine = [
        ("models--a/trees/c.json", entry(File, 0o600, 1000, 100)),
        ("models--a", entry(Folder, 0o755, 1000, 100)),
        ("models--a/blobs/t", entry(File, 0o600, 1000, 100)),
    ];
    assert_eq!(found(true, &mine), [(What::GroupClosed, 0)]);
}

#[test]
fn what_a_list_grants_is_as_good_as_the_users_own() {
    use EntryKind::{File, Folder, Other};
    let theirs = |mode| entry(File, mode, 0, 0);
    // `setfacl -R -m u:1000:rwX`: the mode has the mask of the list for the group.
    let granted = [
        ("models--a", entry(Folder, 0o770, 0, 0), 0o7),
        ("models--a/blobs/x", theirs(0o660), 0o6),
        ("models--a/refs", entry(Folder, 0o770, 0, 0), 0o7),
        ("models--a/refs/link", entry(Other, 0o777, 0, 0), 0o7),
        ("blobs/ab/x", theirs(0o440), 0o4),
    ];
    assert_eq!(judged(Judge { who: ADA, ..Judge::default() }, &granted), []);
    let closed = [
        ("models--a/trees/c.json", theirs(0o600), 0),
        ("models--a/blobs/y", theirs(0o600), 0),
        ("models--a/blobs/z", theirs(0o644), 0o4),
        ("models--b", entry(Folder, 0o755, 0, 0), 0o5),
    ];
    let of_others = Judge { who: ADA, of_others: true, ..Judge::default() };
    let told = [(What::UnreadableFile, 0), (What::ForeignOwner, 0), (What::ForeignOwner, 0)];
    assert_eq!(judged(of_others, &closed), told, "nothing is taken from who shares");
    let left_by_root = [("models--a/refs/link", entry(Other, 0o777, 0, 0), 0o7)];
    assert_eq!(
        judged(Judge { who: ADA, ..Judge::default() }, &left_by_root),
        [(What::ForeignOwner, 1)]
    );
}
