//! `aienergyscore man`: a page for each command, and files that are kept.

use std::{
    fs,
    os::unix::fs::symlink,
    path::Path,
    process::{Command, Stdio},
};

use crate::harness::{Outcome, Sandbox, aienergyscore};

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn man(sandbox: &Sandbox, args: &[&str]) -> Outcome {
    aienergyscore(sandbox, ["man", "--out", "share/man1"].iter().chain(args))
}

#[test]
fn every_visible_command_gets_a_page_in_a_new_folder() {
    let sandbox = Sandbox::new(None);
    let outcome = man(&sandbox, &[]);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert_eq!(outcome.stderr, "man pages in `share/man1`: 13 written, 0 already up to date\n");
    let folder = sandbox.cwd().join("share/man1");
    insta::assert_snapshot!(names(&folder).join("\n"), @"
    aienergyscore-cache-ls.1
    aienergyscore-cache-repair.1
    aienergyscore-cache-trust.1
    aienergyscore-cache-verify.1
    aienergyscore-cache.1
    aienergyscore-completions.1
    aienergyscore-fetch.1
    aienergyscore-man.1
    aienergyscore-reclaim.1
    aienergyscore-report.1
    aienergyscore-run.1
    aienergyscore-verify.1
    aienergyscore.1
    ");
    for name in names(&folder) {
        let page = fs::read_to_string(folder.join(&name)).unwrap();
        assert!(!page.contains("reap"), "{name}");
        for section in ["NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "EXAMPLES", "VERSION"] {
            assert!(page.contains(&format!("\n.SH {section}\n")), "{name}: {section}");
        }
        assert!(!page.contains("EXTRA") && !page.contains("Examples:"), "{name}");
        assert_eq!(page.matches("\n.nf\n").count(), page.matches("\n.fi\n").count(), "{name}");
    }
}

#[test]
fn file_that_differs_is_replaced_only_on_request() {
    let sandbox = Sandbox::new(None);
    let folder = sandbox.cwd().join("share/man1");
    let page = folder.join("aienergyscore-run.1");
    fs::create_dir_all(&folder).unwrap();
    fs::write(&page, "mine").unwrap();
    let outcome = man(&sandbox, &[]);
    assert_eq!(outcome.code, Some(1));
    insta::assert_snapshot!(outcome.stderr, @"error: `share/man1/aienergyscore-run.1` exists and differs from the page; add --overwrite to replace it");
    assert_eq!(names(&folder), ["aienergyscore-run.1"]);
    assert_eq!(fs::read_to_string(&page).unwrap(), "mine");

    assert_eq!(man(&sandbox, &["--overwrite"]).code, Some(0));
    assert!(fs::read_to_string(&page).unwrap().contains(".SH NAME"));
    let again = man(&sandbox, &[]);
    assert_eq!(again.code, Some(0));
    insta::assert_snapshot!(again.stderr, @"man pages in `share/man1`: 0 written, 13 already up to date");
}

#[test]
fn symlink_in_place_of_a_page_is_replaced_and_its_target_kept() {
    let sandbox = Sandbox::new(None);
    let folder = sandbox.cwd().join("share/man1");
    let (page, other) = (folder.join("aienergyscore.1"), sandbox.cwd().join("other"));
    fs::create_dir_all(&folder).unwrap();
    fs::write(&other, "mine").unwrap();
    symlink(&other, &page).unwrap();
    assert_eq!(man(&sandbox, &[]).code, Some(1));
    assert!(page.is_symlink());
    assert_eq!(man(&sandbox, &["--overwrite"]).code, Some(0));
    assert!(!page.is_symlink());
    assert_eq!(fs::read_to_string(&other).unwrap(), "mine");
}

#[test]
#[ignore = "needs groff"]
fn pages_are_rendered_without_warnings_and_with_whole_commands() {
    let sandbox = Sandbox::new(None);
    assert_eq!(man(&sandbox, &[]).code, Some(0));
    let folder = sandbox.cwd().join("share/man1");
    for name in names(&folder) {
        let mut groff = Command::new("groff");
        groff.args(["-man", "-Tutf8", "-ww", "-P-cbou"]).arg(folder.join(&name));
        let output = groff.stdin(Stdio::null()).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{name}");
        let page = String::from_utf8(output.stdout).unwrap();
        // A hyphen at a break, which is not the minus sign of options.
        assert!(!page.contains('\u{2010}'), "{name}: {page}");
        if name == "aienergyscore-run.1" {
            let command = "aienergyscore run --config-name text_generation backend.model=openai/gpt-oss-20b\n";
            assert!(page.contains(command), "{page}");
        }
    }
}
