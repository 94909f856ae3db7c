//! The command that changes owners without an engine.

use std::{collections::BTreeSet, path::PathBuf};

use host::shell::shown_for_shell;

/// Shell command that gives the entries of `owners` at and below `places` to the user `uid`. It
/// changes what the container would change. `find` follows no symlink and stays on one file system.
/// `chown` changes a symlink itself, from its parent folder, so that no part of the path can be
/// swapped. Groups stay, because the files may be shared through them.
pub fn sudo_line(uid: u32, places: &[PathBuf], owners: &BTreeSet<u32>) -> String {
    let places: Vec<_> = places.iter().map(|place| shown_for_shell(place)).collect();
    let owners: Vec<_> = owners.iter().map(|owner| format!("-uid {owner}")).collect();
    format!(
        "sudo find {} -xdev \\( {} \\) \\( -type d -o -links 1 ! -type b ! -type c \\) -execdir \
         chown -h {uid} {{}} +",
        places.join(" "),
        owners.join(" -o "),
    )
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink, path::PathBuf, process::Command};

    use super::{BTreeSet, sudo_line};

    #[test]
    fn places_are_quoted_and_owners_listed() {
        let places = ["/home/ada/r", "/home/ada/it's $(x)", "/home/ada/a\nb"].map(PathBuf::from);
        insta::assert_snapshot!(sudo_line(1000, &places[..1], &BTreeSet::from([0])), @r"sudo find /home/ada/r -xdev \( -uid 0 \) \( -type d -o -links 1 ! -type b ! -type c \) -execdir chown -h 1000 {} +");
        insta::assert_snapshot!(sudo_line(1000, &places, &BTreeSet::from([0, 165_536])), @r#"sudo find /home/ada/r "/home/ada/it's "'$(x)' $'/home/ada/a\012b' -xdev \( -uid 0 -o -uid 165536 \) \( -type d -o -links 1 ! -type b ! -type c \) -execdir chown -h 1000 {} +"#);
    }

    #[test]
    fn find_selects_the_entries_to_change() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("deep")).unwrap();
        fs::write(at("deep/file"), "").unwrap();
        fs::write(at("one"), "").unwrap();
        fs::hard_link(at("one"), at("other")).unwrap();
        symlink("/etc", at("link")).unwrap();
        let me = rustix::process::geteuid().as_raw();
        let line = sudo_line(1000, &[folder.path().to_owned()], &BTreeSet::from([me]));
        let find = line.strip_prefix("sudo ").unwrap().replace("chown -h 1000", "echo");
        // `-execdir` refuses a PATH with relative folders.
        let output = Command::new("sh").args(["-c", &find]).env("PATH", "/usr/bin:/bin").output();
        let output = output.unwrap();
        assert!(output.status.success() && output.stderr.is_empty(), "{find}: {output:?}");
        let said = String::from_utf8(output.stdout).unwrap();
        let mut names: Vec<_> = said.split_whitespace().collect();
        names.sort_unstable();
        let itself = format!("./{}", folder.path().file_name().unwrap().to_str().unwrap());
        assert_eq!(names, [itself.as_str(), "./deep", "./file", "./link"]);
    }
}
