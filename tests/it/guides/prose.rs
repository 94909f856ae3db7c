//! How the guides are written, as far as a test can tell.

use super::{guides, markdown::lines};

/// Lines from which on a page needs a table of contents.
const LONG: usize = 150;

#[test]
fn prose_has_no_semicolon() {
    let mut found = vec![];
    for (page, path) in guides() {
        let written = written_lines(&page);
        // Every other piece is code.
        for prose in written.split('`').step_by(2).filter(|prose| prose.contains(';')) {
            found.push(format!("{}: {prose}", path.display()));
        }
    }
    assert!(found.is_empty(), "write two sentences, or a list: {found:#?}");
}

#[test]
fn no_snippet_is_shown_twice() {
    let mut shown = vec![];
    for (page, path) in guides() {
        for (line, text) in lines(&page) {
            if let Some(name) = text.strip_prefix("<!-- snippet: ") {
                let place = format!("{}:{line}", path.display());
                let twin = shown.iter().find(|(known, _)| known == name);
                assert_eq!(twin, None, "{place} shows it, too");
                shown.push((name.to_owned(), place));
            }
        }
    }
    assert!(shown.len() > 20, "the guides have lost their snippets");
}

#[test]
fn long_pages_begin_with_their_contents() {
    for (page, path) in guides() {
        // The README of the repository is the front page, and short by a test of its own.
        let is_front = path.file_name() == Some("README.md".as_ref());
        if page.lines().count() < LONG || is_front {
            continue;
        }
        for (line, text) in lines(&page) {
            let Some(title) = text.strip_prefix("## ") else { continue };
            let listed = page.contains(&format!("\n- [{title}](#"));
            assert!(listed, "{}:{line}: `{title}` is not in the contents", path.display());
        }
    }
}

#[test]
fn every_guide_is_in_the_table_of_helpers() {
    let index = super::workspace().join("ai_helpers/README.md");
    let index = std::fs::read_to_string(index).unwrap();
    for (_, path) in guides() {
        let name = path.file_name().unwrap().to_str().unwrap();
        let is_helper = path.parent().unwrap().ends_with("ai_helpers") && name != "README.md";
        assert!(!is_helper || index.contains(&format!("\n| [`{name}`]({name}) |")), "{name}");
    }
}

#[test]
fn map_of_contributors_has_every_crate_of_the_runner() {
    let map = std::fs::read_to_string(super::workspace().join("CONTRIBUTING.md")).unwrap();
    let crates = std::fs::read_dir(super::workspace().join("runner/crates")).unwrap();
    for entry in crates {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(map.contains(&format!("\nrunner/crates/{name} ")), "{name}");
    }
}

/// Text outside of fences and snippets, without the index of messages, which quotes them.
fn written_lines(page: &str) -> String {
    let mut is_generated = false;
    let mut written = String::new();
    for (_, text) in lines(page) {
        is_generated |= text.starts_with("<!-- snippet: ");
        if !is_generated && !text.contains(" … | [") {
            written += &format!("{text}\n");
        }
        is_generated &= text != "<!-- /snippet -->";
    }
    written
}
