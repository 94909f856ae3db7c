//! The command for those who have no engine that could.

use std::{collections::BTreeSet, path::PathBuf};

use host::shell::shown_for_shell;

/// A line for a shell that gives the entries of these owners to the user `uid`, in and below
/// `places`. It takes what the container would: `find` follows no symlink and stays on a file
/// system, and `chown` changes a symlink itself, from the folder that holds it, so that nothing on
/// the way can be swapped. Groups stay, for those who share by them.
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
    fn places_are_quoted_and_owners_named() {
        let places = ["/home/ada/r", "/home/ada/it's $(x)", "/home/ada/a\nb"].map(PathBuf::from);
        insta::assert_snapshot!(sudo_line(1000, &places[..1], &BTreeSet::from([0])), @r"sudo find /home/ada/r -xdev \( -uid 0 \) \( -type d -o -links 1 ! -type b ! -type c \) -execdir chown -h 1000 {} +");
        insta::assert_snapshot!(sudo_line(1000, &places, &BTreeSet::from([0, 165_536])), @r#"sudo find /home/ada/r "/home/ada/it's "'$(x)' $'/home/ada/a\012b' -xdev \( -uid 0 -o -uid 165536 \) \( -type d -o -links 1 ! -type b ! -type c \) -execdir chown -h 1000 {} +"#);
    }

    #[test]
    fn find_understands_its_line() {
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
        // `find` runs nothing where a program could lie in the folder.
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
