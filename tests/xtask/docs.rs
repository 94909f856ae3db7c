//! `cargo xtask docs` and the `cargo xtask` commands in the guides.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
    time::SystemTime,
};

use crate::{
    markdown::{code, shell_blocks},
    workspace::workspace,
};

#[test]
fn every_xtask_command_in_the_guides_is_valid() {
    let mut commands = 0;
    let mut invalid = vec![];
    let guides = fs::read_dir(workspace().join("ai_helpers")).unwrap();
    let guides = guides.map(|entry| entry.unwrap().path());
    let guides = guides.chain(["README.md", "CONTRIBUTING.md"].map(|name| workspace().join(name)));
    for path in guides.filter(|path| path.extension().is_some_and(|end| end == "md")) {
        let page = fs::read_to_string(&path).unwrap();
        let blocks = shell_blocks(&page).into_iter().map(|block| (block.line, block.text));
        for (line, text) in blocks.chain(code(&page)) {
            for command in text.lines().filter_map(|line| line.trim().strip_prefix("cargo xtask")) {
                let words = command.split('#').next().unwrap().split_whitespace();
                // clap reads options in order, so it reports an unknown one before it prints the help.
                let help = xtask(words).arg("--help").output().unwrap();
                if !help.status.success() {
                    invalid.push(format!("{}:{line}: cargo xtask{command}", path.display()));
                }
                commands += 1;
            }
        }
    }
    assert!(invalid.is_empty(), "{invalid:#?}");
    assert!(commands > 10, "the guides have lost their commands");
}

#[test]
fn guides_are_up_to_date() {
    let output = docs(workspace(), &["--check"]);
    assert!(output.status.success(), "{}", text(&output.stdout));
}

#[test]
fn check_shows_a_manual_edit_and_docs_reverts_it() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    fs::create_dir(root.join("ai_helpers")).unwrap();
    fs::copy(workspace().join("README.md"), root.join("README.md")).unwrap();
    for entry in fs::read_dir(workspace().join("ai_helpers")).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), root.join("ai_helpers").join(entry.file_name())).unwrap();
    }
    assert!(docs(root, &[]).status.success());
    let [readme, other] = ["README.md", "ai_helpers/HUB_CACHE.md"].map(|name| root.join(name));
    let original = fs::read_to_string(&readme).unwrap();
    fs::write(&readme, original.replace("  -e HOME=/home/user \\\n", "")).unwrap();
    let long_ago = SystemTime::UNIX_EPOCH;
    fs::File::options().append(true).open(&other).unwrap().set_modified(long_ago).unwrap();

    let check = docs(root, &["--check"]);
    assert_eq!(check.status.code(), Some(1));
    let diff = text(&check.stdout);
    assert!(diff.starts_with("--- a/README.md\n+++ b/README.md\n@@ "), "{diff}");
    assert!(
        diff.contains("\n+  -e HOME=/home/user \\\n") && !diff.contains("HUB_CACHE.md"),
        "{diff}"
    );
    assert!(text(&check.stderr).contains("run `cargo xtask docs`"), "{check:?}");
    assert!(fs::read_to_string(&readme).unwrap() != original, "a check has written");

    assert!(docs(root, &[]).status.success());
    assert!(fs::read_to_string(&readme).unwrap() == original, "not as it was");
    let written = fs::metadata(&other).unwrap().modified().unwrap();
    assert_eq!(written, long_ago, "an unchanged guide was written");
}

#[test]
fn errors_of_all_guides_have_file_and_line() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    fs::create_dir(root.join("ai_helpers")).unwrap();
    let page = "<!-- snippet: absent -->\n<!-- /snippet -->\n";
    fs::write(root.join("README.md"), page).unwrap();
    fs::write(root.join("ai_helpers/PAGE.md"), "<!-- snippet: variables -->\n").unwrap();
    for arguments in [&[][..], &["--check"]] {
        let output = docs(root, arguments);
        assert_eq!(output.status.code(), Some(1));
        let stderr = text(&output.stderr);
        for error in [
            "\nREADME.md:1: there is no snippet `absent`",
            "\nai_helpers/PAGE.md:1: `variables` has no end",
            "\nxtask/src/docs/snippets.rs:",
        ] {
            assert!(stderr.contains(error), "{stderr}");
        }
    }
    assert_eq!(fs::read_to_string(root.join("README.md")).unwrap(), page);
}

fn docs(root: &Path, args: &[&str]) -> Output {
    xtask(["docs"]).args(args).arg("--root").arg(root).output().expect("xtask can be started")
}

fn xtask<'a>(words: impl IntoIterator<Item = &'a str>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.args(words);
    command
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("UTF-8")
}
