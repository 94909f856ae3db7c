//! The command for those who have no engine that could.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use super::{Entry, place};
use crate::{host::Host, host_path::HostPath, shell::shown_for_shell};

/// Entries that a line names, before it looks for them.
const NAMED: usize = 20;

/// A line for a shell that makes `entries` of `folder` the user's, and follows no link: it names
/// them when they are few and can be shown, and else looks for them in the folder. It leaves alone
/// what the container would.
pub(crate) fn sudo_line(host: &Host, folder: &HostPath, entries: &[Entry]) -> String {
    let shown =
        |entry: &Entry| entry.path.to_str().is_some_and(|path| !path.chars().any(char::is_control));
    if entries.len() <= NAMED && entries.iter().all(shown) {
        return naming(host, folder, entries);
    }
    sudo_search(host, folder, entries)
}

fn naming(host: &Host, folder: &HostPath, entries: &[Entry]) -> String {
    let quoted = |entry: &Entry| shown_for_shell(&place(folder, &entry.path));
    let mut by_group: BTreeMap<Option<u32>, Vec<String>> = BTreeMap::new();
    for entry in entries {
        by_group.entry(entry.group).or_default().push(quoted(entry));
    }
    let chown = |(group, paths): (Option<u32>, Vec<String>)| {
        let group = group.unwrap_or(host.gid);
        format!("sudo chown -h {}:{group} -- {}", host.uid, paths.join(" "))
    };
    let mut line = by_group.into_iter().map(chown).collect::<Vec<_>>().join(" && ");
    // The user's own by then, so that a link put in their place gains nothing. In order, because a
    // folder must be open before what is in it can be reached.
    let lacking: Vec<_> = entries.iter().filter(|entry| entry.mode.is_some()).collect();
    for alike in lacking.chunk_by(|one, next| one.mode == next.mode) {
        let paths: Vec<_> = alike.iter().copied().map(quoted).collect();
        let mode = alike[0].mode.unwrap_or_default();
        write!(line, " && chmod {mode:04o} -- {}", paths.join(" ")).expect("a String takes all");
    }
    line
}

/// [`sudo_line`] that looks for the entries: it finds what closed folders hide, too.
pub(crate) fn sudo_search(host: &Host, folder: &HostPath, entries: &[Entry]) -> String {
    let (uid, gid, folder) = (host.uid, host.gid, shown_for_shell(folder.as_path()));
    let mut owners: Vec<_> = entries.iter().map(|entry| entry.owner).collect();
    owners.sort_unstable();
    owners.dedup();
    let theirs = match owners.iter().copied().collect::<Option<Vec<u32>>>().as_deref() {
        Some([owner]) => format!("-uid {owner}"),
        Some(owners) => {
            let each: Vec<_> = owners.iter().map(|owner| format!("-uid {owner}")).collect();
            format!("\\( {} \\)", each.join(" -o "))
        }
        None => format!("! -uid {uid}"),
    };
    let groups: BTreeSet<_> = entries.iter().filter_map(|entry| entry.group).collect();
    let mut change = format!("-exec chown -h {uid}:{gid} {{}} +");
    if !groups.is_empty() {
        // What was made in a folder of a group has it already.
        let each: Vec<_> = groups.iter().map(|group| format!("-gid {group}")).collect();
        let each = each.join(" -o ");
        change = format!("\\( \\( {each} \\) -exec chown -h {uid} {{}} + -o {change} \\)");
    }
    let mut line = format!(
        "sudo find {folder} -xdev {theirs} \\( -type d -o -links 1 ! -type b ! -type c \\) {change}"
    );
    if entries.iter().any(|entry| entry.mode.is_some()) {
        // One by one: a folder must be open before what is in it is looked for.
        let lacking = "\\( -type d ! -perm -700 -o -type f ! -perm -600 \\)";
        write!(line, " && find {folder} -xdev -uid {uid} {lacking} -exec chmod u+rwX {{}} \\;")
            .expect("a String takes all");
    }
    line
}

#[cfg(test)]
mod tests {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt as _, path::Path, process::Command};

    use super::{Entry, sudo_line};
    use crate::{host_path::HostPath, testing::host};

    fn line(folder: &str, entries: &[Entry]) -> String {
        let folder = HostPath::new("folder", Path::new(folder), Path::new("/")).unwrap();
        sudo_line(&host(), &folder, entries)
    }

    #[test]
    fn few_entries_are_named() {
        let entries = [Entry::at(""), Entry::at("a b/-c"), Entry::at("it's $(x)")];
        insta::assert_snapshot!(line("/home/ada/r", &entries), @r#"sudo chown -h 1000:100 -- /home/ada/r '/home/ada/r/a b/-c' "/home/ada/r/it's "'$(x)'"#);
        let entries = [
            Entry { mode: Some(0o700), ..Entry::at("d") },
            Entry { mode: Some(0o600), ..Entry::at("d/f") },
        ];
        insta::assert_snapshot!(line("/home/ada/r", &entries), @"sudo chown -h 1000:100 -- /home/ada/r/d /home/ada/r/d/f && chmod 0700 -- /home/ada/r/d && chmod 0600 -- /home/ada/r/d/f");
    }

    #[test]
    fn what_a_group_shares_stays_the_groups() {
        let shared = |path: &str| Entry { group: Some(2500), owner: Some(0), ..Entry::at(path) };
        let mut entries =
            vec![shared("a"), Entry { owner: Some(0), ..Entry::at("b") }, shared("c")];
        insta::assert_snapshot!(line("/home/ada/r", &entries), @"sudo chown -h 1000:100 -- /home/ada/r/b && sudo chown -h 1000:2500 -- /home/ada/r/a /home/ada/r/c");
        entries.extend(vec![shared("d"); 18]);
        insta::assert_snapshot!(line("/home/ada/r", &entries), @r#"sudo find /home/ada/r -xdev -uid 0 \( -type d -o -links 1 ! -type b ! -type c \) \( \( -gid 2500 \) -exec chown -h 1000 {} + -o -exec chown -h 1000:100 {} + \)"#);
    }

    #[test]
    fn many_are_looked_for_in_the_folder() {
        let owned = |owner| Entry { owner, ..Entry::at("x") };
        insta::assert_snapshot!(line("/home/ada/a b", &vec![Entry::at("x"); 21]), @r#"sudo find '/home/ada/a b' -xdev ! -uid 1000 \( -type d -o -links 1 ! -type b ! -type c \) -exec chown -h 1000:100 {} +"#);
        insta::assert_snapshot!(line("/home/ada/r", &vec![owned(Some(0)); 21]), @r#"sudo find /home/ada/r -xdev -uid 0 \( -type d -o -links 1 ! -type b ! -type c \) -exec chown -h 1000:100 {} +"#);
        let mut entries = vec![owned(Some(0)); 20];
        entries.push(Entry { mode: Some(0o700), ..owned(Some(165_536)) });
        insta::assert_snapshot!(line("/home/ada/r", &entries), @r#"sudo find /home/ada/r -xdev \( -uid 0 -o -uid 165536 \) \( -type d -o -links 1 ! -type b ! -type c \) -exec chown -h 1000:100 {} + && find /home/ada/r -xdev -uid 1000 \( -type d ! -perm -700 -o -type f ! -perm -600 \) -exec chmod u+rwX {} \;"#);
    }

    #[test]
    fn a_name_that_would_talk_to_the_terminal_is_not_shown() {
        for name in [b"a\x1b[2J".as_slice(), b"a\nb", b"a\xff"] {
            let text = line("/home/ada/r", &[Entry::at(OsStr::from_bytes(name))]);
            assert!(text.starts_with("sudo find /home/ada/r -xdev"), "{text}");
        }
    }

    #[test]
    fn find_understands_its_line() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().to_str().unwrap();
        std::fs::write(folder.path().join("file"), "").unwrap();
        std::fs::hard_link(folder.path().join("file"), folder.path().join("hard")).unwrap();
        std::os::unix::fs::symlink("file", folder.path().join("link")).unwrap();
        let me = rustix::process::geteuid().as_raw();
        let entry = Entry { owner: Some(me), mode: Some(0o700), ..Entry::at("x") };
        let text = line(root, &vec![entry; 21]);
        let (sudo, chmod) = text.split_once(" && ").unwrap();
        let find = sudo.strip_prefix("sudo ").unwrap().replace("chown -h 1000:100", "echo");
        let said = |text: &str| {
            let output = Command::new("sh").args(["-c", text]).output().unwrap();
            assert!(output.status.success() && output.stderr.is_empty(), "{text}: {output:?}");
            String::from_utf8(output.stdout).unwrap().replace(root, "ROOT")
        };
        assert_eq!(said(&find).trim(), "ROOT ROOT/link");
        said(chmod);
    }
}
