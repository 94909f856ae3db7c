//! Properties of words of any text: a real shell parses them to the same vector.

use std::process::Command;

use proptest::{collection::vec, prelude::*};
use untrusted::is_unseen;

use super::{CommandLine, Part, Piece, Style, Word};

const HOME: &str = "/home/a da";
const CWD: &str = "/home/a da/it's $5";

/// Any text that a word can hold, most of it of characters that mean something to a shell.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![r#"[a'"\\$`!#*?~=;&|<>(){} \n\t^-]{0,9}"#, "[^\0]{0,9}"]
}

/// Any text that a terminal shows as it is.
fn seen() -> impl Strategy<Value = String> {
    any::<String>().prop_map(|text| text.chars().filter(|char| !is_unseen(*char)).collect())
}

fn path() -> impl Strategy<Value = String> {
    let folder = prop_oneof![Just(HOME), Just(CWD), Just("/"), Just("/home/a dam")];
    (folder, prop_oneof![Just(String::new()), text().prop_map(|text| format!("/{text}"))])
        .prop_map(|(folder, rest)| format!("{folder}{rest}"))
}

fn word() -> impl Strategy<Value = Word> {
    let (uid, gid) = (rustix::process::getuid().as_raw(), rustix::process::getgid().as_raw());
    let piece = prop_oneof![
        3 => text().prop_map(Piece::Text),
        2 => path().prop_map(Piece::Path),
        1 => Just(Piece::Uid(uid)),
        1 => Just(Piece::Gid(gid)),
    ];
    vec(piece, 0..4).prop_map(Word::of)
}

/// The words that a shell makes of `text`.
fn words_of_a_shell(text: &str) -> Vec<String> {
    let script = format!("printf '%s\\0' {text}");
    let mut shell = Command::new("bash");
    // The shell keeps PWD only if it names the working directory.
    shell.args(["-c", &format!("PWD=$1; {script}"), "sh", CWD]).env("HOME", HOME);
    let stdout = String::from_utf8(shell.output().unwrap().stdout).unwrap();
    stdout.split_terminator('\0').map(str::to_owned).collect()
}

proptest! {
    #[test]
    fn a_shell_makes_the_vector_of_the_text(parts in vec(vec(word(), 1..4), 1..4)) {
        let parts = parts.into_iter().map(|words| Part::new(words, "")).collect();
        let command = CommandLine { env: vec![], parts };
        for style in [Style::Concrete, Style::Portable { home: HOME, cwd: CWD }] {
            let text = command.to_shell(style);
            prop_assert_eq!(words_of_a_shell(&text), command.argv(), "{}", text);
        }
    }

    #[test]
    fn a_line_of_text_is_a_part(words in vec(vec(seen(), 1..4), 1..4)) {
        let parts: Vec<_> = words.iter().map(|words| Part::new(words.iter().map(|word| Word::text(word.as_str())), "")).collect();
        let text = CommandLine { env: vec![], parts }.to_shell(Style::Concrete);
        let split: Vec<_> = text.split(" \\\n  ").map(|line| shlex::split(line).unwrap()).collect();
        prop_assert_eq!(split, words);
    }
}
