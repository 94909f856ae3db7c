//! Owners and modes of made-up entries.

use std::path::Path;

use hub::layout::Stamp;

use super::{Kind, Rights, User, Walk};
use crate::finding::{Details, Problem};

fn entry(kind: Kind, mode: u32, uid: u32, gid: u32) -> Stamp {
    let (accessed, modified, changed) = ((0, 0), (0, 0), (0, 0));
    let (device, inode, links, size) = (1, 1, 1, 10);
    Stamp { kind, mode, uid, gid, size, device, inode, links, accessed, modified, changed }
}

const ADA: User<'_> = User { uid: 1000, gid: 100, groups: &[2500] };

#[test]
fn first_matching_permission_class_decides() {
    let rights = |mode, uid, gid| Rights::of(&entry(Kind::File, mode, uid, gid), ADA).0;
    assert_eq!(rights(0o740, 1000, 100), 0o7);
    assert_eq!(rights(0o047, 1000, 0), 0o0, "an owner's own bits count, whatever others may");
    assert_eq!(rights(0o750, 0, 100), 0o5);
    assert_eq!(rights(0o740, 0, 2500), 0o4, "any of the groups");
    assert_eq!(rights(0o751, 0, 0), 0o1);
    let root = User { uid: 0, gid: 0, groups: &[] };
    assert_eq!(Rights::of(&entry(Kind::File, 0, 1, 1), root).0, 0o7);
}

fn found(is_group_cache: bool, entries: &[(&str, Stamp)]) -> Vec<(Problem, bool)> {
    let entries: Vec<_> =
        entries.iter().map(|(path, entry)| (*path, *entry, Rights::of(entry, ADA).0)).collect();
    found_with_rights(Walk { is_group_cache, ..Walk::of(ADA) }, &entries)
}

/// Findings for entries with these permissions.
fn found_with_rights(mut walk: Walk<'_>, entries: &[(&str, Stamp, u32)]) -> Vec<(Problem, bool)> {
    for (path, entry, rights) in entries {
        walk.entry(Path::new(path), entry, Rights(*rights), || None);
    }
    let findings = walk.finish().findings.into_iter();
    findings.map(|found| (found.problem, found.details != Details::None)).collect()
}

#[test]
fn expected_mode_follows_the_folder() {
    use Kind::{File, Folder};
    let of = |path: &str, kind, above| super::expected_mode(Path::new(path), kind, above);
    assert_eq!(of("models--a/blobs/x", File, 0o755), 0o644);
    assert_eq!(of("models--a/blobs/x", File, 0o700), 0o600);
    assert_eq!(of("models--a/trees/c.json", File, 0o755), 0o600);
    assert_eq!(of("blobs/ab/x", File, 0o2775), 0o444);
    assert_eq!(of("models--a/blobs", Folder, 0o2775), 0o2755);
}

#[test]
fn unreadable_foreign_and_read_only_entries_are_found() {
    use Kind::{File, Folder};
    let file = |mode, uid| entry(File, mode, uid, 0);
    let folder = |mode, uid| entry(Folder, mode, uid, 0);
    assert_eq!(found(false, &[("models--a/blobs/x", file(0o644, 1000))]), []);
    assert_eq!(
        found(false, &[("models--a/blobs/x", file(0o200, 1000))]),
        [(Problem::Unreadable, true)]
    );
    assert_eq!(
        found(false, &[("models--a", folder(0o755, 0)), ("models--a/blobs/x", file(0o600, 0))]),
        [(Problem::Unreadable, true), (Problem::ForeignOwner, true)]
    );
    assert_eq!(
        found(false, &[("models--a", folder(0o700, 0))]),
        [(Problem::Unreadable, true), (Problem::ForeignOwner, true)]
    );
    assert_eq!(
        found(false, &[("models--a", folder(0o555, 1000))]),
        [(Problem::ReadOnlyFolder, false)]
    );
}

#[test]
fn entries_of_other_programs_are_reported_and_not_repaired() {
    use Kind::{File, Folder};
    let root = |path| (path, entry(File, 0o600, 0, 0));
    assert_eq!(
        found(false, &[root("shadow"), root("models--a/shadow"), root("models--a/blobs/x")]),
        [
            (Problem::Unreadable, false),
            (Problem::Unreadable, false),
            (Problem::Unreadable, true),
            (Problem::ForeignOwner, false),
            (Problem::ForeignOwner, true),
        ]
    );
    let own = [("private", entry(Folder, 0o000, 1000, 100))];
    assert_eq!(found(false, &own), [(Problem::Unreadable, false)], "no mode is changed, either");
    let mut walk = Walk { is_all_clients: false, ..Walk::of(ADA) };
    walk.entry(Path::new(""), &entry(Folder, 0o755, 0, 0), Rights(0o5), || None);
    assert!(walk.finish().findings[0].details == Details::None, "the folder itself is no cache");
}

#[test]
fn group_cache_may_have_entries_of_other_users() {
    use Kind::{File, Folder};
    let foreign = [
        ("models--a", entry(Folder, 0o2775, 7, 100)),
        ("models--a/blobs/x", entry(File, 0o664, 7, 100)),
    ];
    assert_eq!(found(true, &foreign), []);
    let closed = [("models--a", entry(Folder, 0o2755, 7, 100))];
    assert_eq!(found(true, &closed), [(Problem::ForeignOwner, true)]);
    let tree = [("models--a/trees/c.json", entry(File, 0o600, 7, 100))];
    assert_eq!(found(true, &tree), []);
    let own_entries = [
        ("models--a/trees/c.json", entry(File, 0o600, 1000, 100)),
        ("models--a", entry(Folder, 0o755, 1000, 100)),
        ("models--a/blobs/t", entry(File, 0o600, 1000, 100)),
    ];
    assert_eq!(found(true, &own_entries), [(Problem::GroupClosed, false)]);
}

#[test]
fn access_control_list_grants_use_of_foreign_entries() {
    use Kind::{File, Folder, Link};
    let theirs = |mode| entry(File, mode, 0, 0);
    // After `setfacl -R -m u:1000:rwX` the mode shows the mask in place of the group.
    let granted = [
        ("models--a", entry(Folder, 0o770, 0, 0), 0o7),
        ("models--a/blobs/x", theirs(0o660), 0o6),
        ("models--a/refs", entry(Folder, 0o770, 0, 0), 0o7),
        ("models--a/refs/link", entry(Link, 0o777, 0, 0), 0o7),
        ("blobs/ab/x", theirs(0o440), 0o4),
    ];
    assert_eq!(found_with_rights(Walk::of(ADA), &granted), []);
    let closed = [
        ("models--a/trees/c.json", theirs(0o600), 0),
        ("models--a/blobs/y", theirs(0o600), 0),
        ("models--a/blobs/z", theirs(0o644), 0o4),
        ("models--b", entry(Folder, 0o755, 0, 0), 0o5),
    ];
    let is_granted_by_owner = Walk { is_granted_by_owner: true, ..Walk::of(ADA) };
    let expected = [
        (Problem::Unreadable, false),
        (Problem::ForeignOwner, false),
        (Problem::ForeignOwner, false),
    ];
    assert_eq!(
        found_with_rights(is_granted_by_owner, &closed),
        expected,
        "nothing is taken from who shares"
    );
    let left_by_root = [("models--a/refs/link", entry(Link, 0o777, 0, 0), 0o7)];
    assert_eq!(found_with_rights(Walk::of(ADA), &left_by_root), [(Problem::ForeignOwner, true)]);
}
